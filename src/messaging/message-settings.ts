import type { ApprovedTexts } from "./channel-choice.ts";
import { parseCost, type Cost } from "./costs.ts";
import { MESSAGE_CHANNELS, type MessageChannel } from "./gateway.ts";
import { parseQuietHours, parseTime, type QuietHours } from "./quiet-hours.ts";
import { isTemplate } from "./texts.ts";

/** What the operator decides about messages. */
export interface MessageSettings {
  /** Nothing that may wait leaves then, by the clock of the person's country. */
  readonly quietHours: QuietHours;
  /** Before it, nobody is reminded. */
  readonly remindersFrom: string;
  /** How often a contract is reminded in a day. */
  readonly remindersADay: number;
  /** How often a customer hears of campaigns in a week, which begins on Monday. */
  readonly marketingAWeek: number;
  /** What all messages of a day may cost before those that may wait do. */
  readonly costCap: Cost | undefined;
  /** Of one part of an SMS, as expected: what is sent under a cap is counted before its price is known. */
  readonly partPrice: Cost | undefined;
  /** Ways for what we start ourselves, the preferred first; SMS is always the last. */
  readonly channels: readonly MessageChannel[];
  readonly approvedTexts: ApprovedTexts;
  /** For so many days we keep what people wrote, and when they last did. */
  readonly heardKeptDays: number;
}

export const USUAL_SETTINGS: MessageSettings = {
  quietHours: { from: "21:00", until: "07:00" },
  remindersFrom: "09:00",
  remindersADay: 1,
  marketingAWeek: 2,
  costCap: undefined,
  partPrice: undefined,
  channels: ["sms"],
  approvedTexts: new Map(),
  heardKeptDays: 180,
};

/** Reads one variable, or answers the fallback where it is not set or cannot be used (which is noted). */
type Attempt = <Value>(name: string, fallback: Value, read: (text: string) => Value) => Value;

/** The variables of messages. `attempt` is the configuration's own way of reading one. */
export function parseMessageSettings(attempt: Attempt): MessageSettings {
  const usual = USUAL_SETTINGS;
  const partPrice = attempt("WASHA_SMS_PART_PRICE", usual.partPrice, parsePrice);
  return {
    quietHours: attempt("WASHA_QUIET_HOURS", usual.quietHours, parseQuietHours),
    remindersFrom: attempt("WASHA_REMINDERS_FROM", usual.remindersFrom, parseTime),
    remindersADay: attempt("WASHA_REMINDERS_A_DAY", usual.remindersADay, parseTimes),
    marketingAWeek: attempt("WASHA_MARKETING_A_WEEK", usual.marketingAWeek, parseTimes),
    partPrice,
    costCap: attempt("WASHA_MESSAGE_COST_CAP", usual.costCap, (text) => {
      const cap = parsePrice(text);
      if (partPrice?.currency !== cap.currency) throw new Error("WASHA_SMS_PART_PRICE is needed in the same currency.");
      return cap;
    }),
    channels: attempt("WASHA_MESSAGE_CHANNELS", usual.channels, parseChannelOrder),
    approvedTexts: attempt("WASHA_WHATSAPP_TEXTS", usual.approvedTexts, parseApproved),
    heardKeptDays: attempt("WASHA_HEARD_KEPT_DAYS", usual.heardKeptDays, parseKeptDays),
  };
}

function parsePrice(text: string): Cost {
  const cost = parseCost(text);
  if (cost === undefined) throw new Error("a currency and an amount such as KES 0.80 are needed.");
  return cost;
}

function parseTimes(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new Error("a whole number from 0 to 99 is needed.");
  return Number(text);
}

/** Never as short as WhatsApp's day, within which an answer must still find it. */
function parseKeptDays(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) < 7) throw new Error("a whole number from 7 to 9999 is needed.");
  return Number(text);
}

function parseChannelOrder(text: string): readonly MessageChannel[] {
  return text.split(",").map((part) => {
    const channel = MESSAGE_CHANNELS.find((known) => known === part.trim());
    if (channel === undefined) throw new Error(`channels are ${MESSAGE_CHANNELS.join(", ")}, separated by commas.`);
    return channel;
  });
}

function parseApproved(text: string): ApprovedTexts {
  return new Map(
    text.split(",").map((pair): [string, string] => {
      const [template = "", name = ""] = pair.trim().split("=");
      if (!isTemplate(template) || !/^[a-z0-9_]{1,512}$/.test(name))
        throw new Error(
          `"${pair.trim()}" is not a message of ours and WhatsApp's name of it, such as token_received=payment_1.`,
        );
      return [template, name];
    }),
  );
}
