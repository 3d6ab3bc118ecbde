import type { E164 } from "../../customers/customers.ts";
import type { MessageChannel } from "../../messaging/messaging.ts";
import { typable } from "./typable.ts";

/** What somebody sent us, whichever channel brought it. */
export interface HeardMessage {
  readonly channel: MessageChannel;
  /** The channel's own name for it: one that comes again is the same message. */
  readonly messageId: string;
  /** Where an answer goes: a number, or Telegram's number of the chat. */
  readonly chat: string;
  /** As the channel vouches for it; undefined where it knows no number. */
  readonly phone: E164 | undefined;
  /**
   * `choice`: a button of ours, by its id. `contact`: a card; its phone is kept only when it is the sender's own. `other`:
   * voice, pictures and what else we cannot read.
   */
  readonly kind: "text" | "choice" | "contact" | "other";
  /** What was typed, or the button's id. */
  readonly text: string;
  /** What the channel says of the sender's language; any text. */
  readonly language: string | undefined;
  readonly at: Date;
}

/** Longer ones are cut: nothing that we ask for needs more. */
const TEXT_CHARACTERS_MAX = 1_000;
const NAME_CHARACTERS_MAX = 256;

/** What was typed as it is kept: letters that a database takes, and not more of them than anybody reads. */
export function keptText(text: string): string {
  return typable(text).slice(0, TEXT_CHARACTERS_MAX).toWellFormed();
}

/** Four digits where nothing was asked for: perhaps a PIN that came too late. */
export function mayHoldPin(text: string): boolean {
  return /^\D*\d{4}\D*$/.test(text);
}

/** Whether a channel's name for something may be kept as it is. */
export function isKeepable(name: string): boolean {
  return name !== "" && name.length <= NAME_CHARACTERS_MAX && typable(name) === name;
}

/** The number as it is kept; undefined where it is none, as the name that some senders have instead. */
export type ReadPhone = (text: string) => E164 | undefined;
