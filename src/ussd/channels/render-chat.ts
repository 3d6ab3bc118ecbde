import type { Language } from "../../kernel/language.ts";
import { countSeptets, toGsm7 } from "../../kernel/gsm7.ts";
import type { Button, MessageChannel } from "../../messaging/messaging.ts";
import type { Screen } from "../dialogue/screen.ts";
import { write, type Line } from "../texts/texts.ts";

/** Two parts of an SMS that was cut: each gives seven septets to its number. */
export const SMS_SEPTETS_AIMED = 306;

/** A screen as a chat shows it. */
export interface ChatShown {
  readonly text: string;
  readonly buttons: readonly Button[];
}

/** What stands around a screen. */
export interface Around {
  readonly notes: readonly Line[];
  readonly ways: readonly { readonly key: string; readonly label: Line }[];
  /** Part of each button's id, so that one of an older screen is known. */
  readonly hop: number;
  readonly language: Language;
  readonly zone: string;
}

const PIN_VISIBLE: Line = { id: "chat.pin_visible", values: {} };

/**
 * Writes a screen for a channel. An SMS lists its choices with their numbers, in GSM-7 and mostly within two parts: where three
 * would be needed, the ways back are left out, which work unsaid. The others get buttons, `<hop>.<key>` each, and the channel's
 * gateway gives them their form.
 */
export function renderChat(
  channel: MessageChannel,
  screen: Screen,
  { notes, ways, hop, language, zone }: Around,
): ChatShown {
  const say = (line: Line): string => write(line, { language, zone });
  const isSecret = screen.takes === "secret";
  const lines = [...notes, ...screen.lines, ...(isSecret ? [PIN_VISIBLE] : [])].map(say);
  if (channel !== "sms") {
    const offered = [...screen.choices, ...ways];
    return {
      text: lines.join("\n"),
      buttons: offered.map(({ key, label }) => ({ id: `${String(hop)}.${key}`, label: say(label) })),
    };
  }
  const body = [...lines, ...screen.choices.map(({ key, label }) => `${key}. ${say(label)}`)];
  const footer = ways.map(({ key, label }) => `${key} ${say(label)}`).join("  ");
  const short = toGsm7(body.join("\n"));
  const whole = footer === "" ? short : toGsm7([...body, footer].join("\n"));
  const isLong = (countSeptets(whole) ?? Infinity) > SMS_SEPTETS_AIMED;
  return { text: isLong ? short : whole, buttons: [] };
}
