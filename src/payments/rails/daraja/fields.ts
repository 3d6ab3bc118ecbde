import { createHash } from "node:crypto";
import { AMOUNT_MINOR_MAX, parseMoney, type Currency, type Money } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { HOUR_MS, instantOf } from "../../../kernel/time.ts";
import type { Parsed, Payer, QuarantineReason, Report } from "../rail.ts";

/** Clocks of provider and server differ by seconds; an hour ahead is a forgery or a broken clock. */
const FUTURE_MAX_MS = HOUR_MS;
const TEXT_MAX = 200;
const CONTROL = /\p{Cc}/u;

/** What a body is read against. `now` is when it came, so that reading is pure in the delivery. */
export interface DarajaTerms {
  /** Paybills and tills that belong to us. */
  readonly shortcodes: ReadonlySet<string>;
  readonly currency: Currency;
  /** M-Pesa's times have no offset: they are wall time of this zone (Africa/Nairobi). */
  readonly zone: string;
  readonly now: Date;
}

export type Body = Readonly<Record<string, unknown>>;

/** Why a body cannot be used. Thrown inside this adapter alone; `readReports` turns it into an answer. */
export class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  constructor(reason: QuarantineReason, detail: string, field?: string) {
    super(detail);
    this.reason = reason;
    this.field = field;
  }
}

/** Notes the provider's transaction reference as soon as it is legible, so that a refusal can name it. */
export type Noted = { providerId: string | undefined };

/** Reads with `read`; what cannot be read exactly comes back with its reason. */
export function readReports(read: (noted: Noted) => Report): Parsed {
  const noted: Noted = { providerId: undefined };
  try {
    return { ok: true, reports: [read(noted)] };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId: noted.providerId };
  }
}

export function readObject(raw: Uint8Array): Body {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    // The parser's own message quotes the body: payers' numbers, and characters that the database cannot keep.
    throw new Unusable("malformed", "The body is not JSON in UTF-8.");
  }
  return requireObject(value, "The body");
}

export function requireObject(value: unknown, what: string): Body {
  if (!isObject(value)) throw new Unusable("malformed", `${what} is not a JSON object.`);
  return value;
}

export const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** M-Pesa writes a list of one as the thing itself. */
export const asList = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as readonly unknown[]) : value === undefined || value === null ? [] : [value];

/** Text or a plain number; M-Pesa's documentation shows both for most fields. */
export function readText(body: Body, field: string): string {
  const value = body[field];
  if (typeof value !== "string" && typeof value !== "number")
    throw new Unusable(
      "wrong_type",
      `${field} is ${value === undefined ? "missing" : "neither text nor a number"}.`,
      field,
    );
  const text = String(value);
  // PostgreSQL keeps no NUL in text, and a control character in an account number is nobody's keypad.
  if (text.length > TEXT_MAX || !text.isWellFormed() || CONTROL.test(text)) {
    throw new Unusable(
      "wrong_type",
      `${field} is longer than ${TEXT_MAX} characters or has characters that are no text.`,
      field,
    );
  }
  return text;
}

/** As `readText`, where absent, null and empty are all "nothing". */
export function findText(body: Body, field: string): string | undefined {
  const value = body[field];
  return value === undefined || value === null || value === "" ? undefined : readText(body, field);
}

/** A receipt number, upper case. */
export function readReceipt(body: Body, field: string): string {
  const id = readText(body, field);
  if (!/^[A-Za-z0-9]{6,32}$/.test(id))
    throw new Unusable("malformed", `${field} is not 6 to 32 letters and digits.`, undefined);
  return id.toUpperCase();
}

export function readAmount(body: Body, field: string, currency: Currency): Money {
  const text = readText(body, field).trim();
  try {
    const amount = parseMoney(text, currency);
    if (amount.minor === 0n) throw new Unusable("amount_invalid", "The amount is zero.");
    if (amount.minor > AMOUNT_MINOR_MAX)
      throw new Unusable("amount_invalid", "The amount is larger than any rail carries.");
    return amount;
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message);
    throw error;
  }
}

/** Bodies carry no currency; one that does and names another is not what we agreed on. */
export function refuseForeignCurrency(body: Body, currency: Currency): void {
  for (const field of ["Currency", "TransCurrency", "currency"]) {
    const value = body[field];
    if (value !== undefined && value !== null && value !== "" && value !== currency) {
      throw new Unusable("currency_unexpected", `${field} is not ${currency}.`);
    }
  }
}

const FOURTEEN_DIGITS = /^(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)$/;
/** B2C results alone write 06.07.2024 22:48:52. */
const DOTTED = /^(?<day>\d\d)\.(?<month>\d\d)\.(?<year>\d{4}) (?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)$/;

/** Wall time in either of the forms that M-Pesa writes; an hour ahead of `now` at most. */
export function readTime(body: Body, field: string, terms: Pick<DarajaTerms, "zone" | "now">): Date {
  const text = readText(body, field).trim();
  const parts = (FOURTEEN_DIGITS.exec(text) ?? DOTTED.exec(text))?.groups;
  if (parts === undefined)
    throw new Unusable("time_invalid", `${field} is not fourteen digits, year to second, nor DD.MM.YYYY HH:mm:ss.`);
  let at: Date;
  try {
    at = instantOf(
      {
        date: `${parts["year"]}-${parts["month"]}-${parts["day"]}`,
        time: `${parts["hour"]}:${parts["minute"]}:${parts["second"]}`,
      },
      terms.zone,
    );
  } catch {
    throw new Unusable("time_invalid", `${field} is no moment of the calendar.`);
  }
  return requirePlausible(at, field, terms.now);
}

/** Refuses moments that no payment can have: ahead of our clock, or before mobile money. */
export function requirePlausible(at: Date, field: string, now: Date): Date {
  if (at.getTime() > now.getTime() + FUTURE_MAX_MS) throw new Unusable("time_invalid", `${field} lies in the future.`);
  if (at.getTime() < Date.UTC(2007, 0, 1))
    throw new Unusable("time_invalid", `${field} lies before mobile money existed.`);
  return at;
}

export const NOBODY: Payer = { phone: undefined, hash: undefined, name: undefined };

/** Who paid, from a number that is clear, masked ("2547 ***** 126") or a SHA-256; a masked one names nobody. */
export function payerOf(text: string, names: readonly unknown[]): Payer {
  const name = names
    .filter((part): part is string => typeof part === "string" && part.length <= TEXT_MAX)
    .map((part) =>
      part
        .replace(/\p{Cc}/gu, " ")
        .trim()
        .toWellFormed(),
    )
    .filter((part) => part !== "")
    .join(" ");
  const digits = /^\+?([1-9]\d{8,14})$/.exec(text.trim())?.[1];
  if (digits !== undefined) {
    return { phone: `+${digits}`, hash: createHash("sha256").update(digits).digest(), name: name || undefined };
  }
  const hash = /^[0-9a-fA-F]{64}$/.test(text.trim()) ? Buffer.from(text.trim(), "hex") : undefined;
  return { phone: undefined, hash, name: name || undefined };
}

/** M-Pesa writes a party as "254708374149 - John Doe" or "600310 - Acme Ltd". */
export interface Party {
  readonly number: string;
  readonly name: string;
}
export function parseParty(text: string): Party {
  const match = /^\s*([^-]*?)\s*-\s*(.*?)\s*$/.exec(text);
  return match === null ? { number: text.trim(), name: "" } : { number: match[1] ?? "", name: match[2] ?? "" };
}

/** Numbers of five to eight digits are organisations' (paybill, till, store); phones are longer. */
export const isShortcode = (number: string): boolean => /^\d{5,8}$/.test(number);

/** Whether words name a payment between organisations, which is never a customer's. */
export const saysOrganisation = (text: string): boolean => /\b(organi[sz]ations?|business(es)?|b2b)\b/i.test(text);
