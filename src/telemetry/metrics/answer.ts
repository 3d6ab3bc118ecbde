/** What we answer to a device request: tokens, how long there is light, settings; signed as the specification says. */
import type { AnswerTo } from "../frames/frame.ts";
import type { Hash } from "./auth.ts";
import { escapeText } from "./json-scan.ts";
import { ANSWER_NAMES } from "./names.ts";

export interface AnswerContent {
  /** Tokens in the order of their counts, as texts: the first digit of a token may be 0. */
  readonly tokens?: readonly string[];
  /** Unix seconds. */
  readonly activeUntil?: number | undefined;
  readonly activeSecondsLeft?: number | undefined;
  /** `base_url` moves the device to another server; what else there is belongs to the device's maker. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly extraData?: Readonly<Record<string, unknown>>;
}

export interface AnswerOrder {
  readonly serial: string;
  readonly to: AnswerTo;
  readonly content: AnswerContent;
  /** Whether the answer names its device: where answers wait for a carrier, they could be mixed up. */
  readonly isCarried?: boolean;
}

/** The parts of an answer as the texts that are sent and signed; undefined for those that are left out. */
export interface AnswerTexts {
  readonly activeUntil: string | undefined;
  readonly activeSecondsLeft: string | undefined;
  readonly tokens: string | undefined;
  readonly settings: string | undefined;
  readonly extraData: string | undefined;
}

/**
 * The answer as JSON text, signed. In the form of the request, since a device that speaks only simple names may not know
 * the short ones. Undefined when the device has no key. Seconds must be whole and not below 0: anything else is a bug and
 * throws RangeError.
 */
export function buildAnswer({ serial, to, content, isCarried = false }: AnswerOrder, hash: Hash): string | undefined {
  const texts: AnswerTexts = {
    activeUntil: wholeText(content.activeUntil),
    activeSecondsLeft: wholeText(content.activeSecondsLeft),
    tokens: content.tokens === undefined || content.tokens.length === 0 ? undefined : asciiJson(content.tokens),
    settings: objectText(content.settings),
    extraData: objectText(content.extraData),
  };
  const auth = signAnswer({ serial, to, texts }, hash);
  if (auth === undefined) return undefined;
  const members: [keyof typeof ANSWER_NAMES, string | undefined][] = [
    ["serial_number", isCarried ? asciiJson(serial) : undefined],
    ["active_until_timestamp", texts.activeUntil],
    ["active_seconds_left", texts.activeSecondsLeft],
    ["token_list", texts.tokens],
    ["settings", texts.settings],
    ["extra_data", texts.extraData],
    ["auth", asciiJson(auth)],
  ];
  const written = members.flatMap(([name, text]) =>
    text === undefined ? [] : [`"${to.form === "condensed" ? ANSWER_NAMES[name] : name}":${text}`],
  );
  return `{${written.join(",")}}`;
}

/**
 * The signature of an answer: `da` and the hash of serial, the request's timestamp and count, and the parts in this
 * order. Zeros are not signed, as in the reference program.
 */
export function signAnswer(
  { serial, to, texts }: { serial: string; to: Omit<AnswerTo, "form">; texts: AnswerTexts },
  hash: Hash,
): string | undefined {
  const signed = [
    serial,
    signedNumber(to.requestTimestamp?.toString()),
    signedNumber(to.requestCount?.toString()),
    signedNumber(texts.activeUntil),
    signedNumber(texts.activeSecondsLeft),
    texts.tokens ?? "",
    texts.settings ?? "",
    texts.extraData ?? "",
  ];
  const value = hash(Buffer.from(signed.join(""), "utf8"));
  // Without leading zeros, which is what reference devices compare with.
  return value === undefined ? undefined : `da${value.toString(16)}`;
}

function signedNumber(text: string | undefined): string {
  return text === undefined || text === "0" ? "" : text;
}

function wholeText(seconds: number | undefined): string | undefined {
  if (seconds === undefined) return undefined;
  if (!Number.isSafeInteger(seconds) || seconds < 0) throw new RangeError(`${seconds} is no whole number of seconds.`);
  return String(seconds);
}

function objectText(value: Readonly<Record<string, unknown>> | undefined): string | undefined {
  return value === undefined || Object.keys(value).length === 0 ? undefined : asciiJson(value);
}

/** Compact JSON in ASCII: a device that writes the parts anew before it checks them escapes what is not ASCII. */
function asciiJson(value: unknown): string {
  return escapeText(JSON.stringify(value));
}
