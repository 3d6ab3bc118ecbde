import { DAY_MS } from "../kernel/time.ts";
import type { MessageChannel, Outgoing } from "./gateway.ts";
import { completeOf, type Language } from "../kernel/language.ts";
import { isTemplate, TEMPLATE_VALUES } from "./texts.ts";

/** WhatsApp takes free text for so long after a person's last message, and nothing but approved texts later. */
const WINDOW_MS = DAY_MS;

export function isWindowOpen(heardAt: Date | undefined, now: Date): boolean {
  return windowEnd(heardAt) > now;
}

/** Long past for whoever never wrote. */
export function windowEnd(heardAt: Date | undefined): Date {
  return new Date(heardAt === undefined ? 0 : heardAt.getTime() + WINDOW_MS);
}

/** Texts that WhatsApp has approved: its name for a template of ours. They are approved in all our complete languages. */
export type ApprovedTexts = ReadonlyMap<string, string>;

/** What is known of the ways to one phone. */
export interface Ways {
  /** The chat that its owner linked to it. */
  readonly telegram: string | undefined;
  /** When its owner last wrote on WhatsApp. */
  readonly whatsappHeardAt: Date | undefined;
}

export interface Address {
  readonly channel: MessageChannel;
  /** On the channel; undefined for the phone itself. */
  readonly address: string | undefined;
}

const SMS: Address = { channel: "sms", address: undefined };

/**
 * The way that something of ours goes: the first of the enabled channels on which the person has talked with us and that takes it now.
 * Nobody is written to on a chat that they did not begin.
 */
export function chooseAddress(
  template: string,
  ways: Ways | undefined,
  { enabled, approved, now }: { enabled: readonly MessageChannel[]; approved: ApprovedTexts; now: Date },
): Address {
  for (const channel of ways === undefined ? [] : enabled) {
    if (channel === "sms") return SMS;
    if (channel === "telegram" && ways?.telegram !== undefined) return { channel, address: ways.telegram };
    const heardAt = channel === "whatsapp" ? ways?.whatsappHeardAt : undefined;
    if (heardAt !== undefined && (isWindowOpen(heardAt, now) || approved.has(template)))
      return { channel: "whatsapp", address: undefined };
  }
  return SMS;
}

/** The approved text that stands for a message, with its values in the order in which the template lists them. */
export function approvedText(
  message: {
    readonly template: string;
    readonly language: Language;
    readonly values: Readonly<Record<string, string>>;
  },
  approved: ApprovedTexts,
): Outgoing["template"] | undefined {
  const name = approved.get(message.template);
  if (name === undefined || !isTemplate(message.template)) return undefined;
  const values = TEMPLATE_VALUES[message.template].map((value) => message.values[value] ?? "");
  return { name, language: completeOf(message.language), values };
}
