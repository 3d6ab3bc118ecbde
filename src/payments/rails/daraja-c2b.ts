import { createHash } from "node:crypto";
import { AMOUNT_MINOR_MAX, parseMoney, type Currency } from "../../kernel/money.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { HOUR_MS, instantOf } from "../../kernel/time.ts";
import type { Parsed, Payer, QuarantineReason } from "./rail.ts";

export const DARAJA_C2B = "mpesa-c2b";

/** What Safaricom wants to hear. Validation codes are strings, the confirmation's is the number 0. */
export const CONFIRMATION_STORED = { ResultCode: 0, ResultDesc: "Success" } as const;
export const VALIDATION_ACCEPTED = { ResultCode: "0", ResultDesc: "Accepted" } as const;
export type ValidationRejection = "C2B00011" | "C2B00012" | "C2B00013" | "C2B00014" | "C2B00015" | "C2B00016";
export const rejection = (code: ValidationRejection): { ResultCode: ValidationRejection; ResultDesc: "Rejected" } => ({
  ResultCode: code,
  ResultDesc: "Rejected",
});

/** Clocks of provider and server differ by seconds; an hour ahead is a forgery or a broken clock. */
const FUTURE_MAX_MS = HOUR_MS;
const TEXT_MAX = 200;
const CONTROL = /\p{Cc}/u;

export interface DarajaTerms {
  /** Paybills and tills that belong to us. */
  readonly shortcodes: ReadonlySet<string>;
  readonly currency: Currency;
  /** TransTime has no offset: it is wall time of this zone (Africa/Nairobi). */
  readonly zone: string;
  readonly now: Date;
}

class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  constructor(reason: QuarantineReason, detail: string, field?: string) {
    super(detail);
    this.reason = reason;
    this.field = field;
  }
}

/**
 * Reads a C2B validation or confirmation body in any documented form: amounts as "50", "50.00" or 50; the MSISDN clear,
 * masked ("2547 ***** 126") or as SHA-256; the account possibly empty (Buy Goods). Pure. Nothing is guessed: what cannot
 * be read exactly comes back with a reason, and the provider's id when that much was legible.
 */
export function parseDarajaC2b(raw: Uint8Array, terms: DarajaTerms): Parsed {
  let providerId: string | undefined;
  try {
    const body = readObject(raw);
    const id = readText(body, "TransID");
    if (!/^[A-Za-z0-9]{6,32}$/.test(id)) throw new Unusable("malformed", "TransID is not 6 to 32 letters and digits.");
    providerId = id.toUpperCase();
    const shortcode = readText(body, "BusinessShortCode");
    if (!terms.shortcodes.has(shortcode))
      throw new Unusable("shortcode_unknown", `Shortcode ${shortcode.slice(0, 20)} is not ours.`);
    refuseForeignCurrency(body, terms.currency);
    return {
      ok: true,
      event: {
        rail: DARAJA_C2B,
        providerId,
        amount: readAmount(body, terms.currency),
        shortcode,
        reference: "BillRefNumber" in body && body["BillRefNumber"] !== null ? readText(body, "BillRefNumber") : "",
        payer: readPayer(body),
        paidAt: readTime(body, terms),
      },
    };
  } catch (error) {
    if (error instanceof Unusable)
      return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId };
    throw error;
  }
}

function readObject(raw: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    // The parser's own message quotes the body: payers' numbers, and characters that the database cannot keep.
    throw new Unusable("malformed", "The body is not JSON in UTF-8.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Unusable("malformed", "The body is not a JSON object.");
  return { ...value };
}

/** Text or a plain number; M-Pesa's documentation shows both for most fields. */
function readText(body: Record<string, unknown>, field: string): string {
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

function readAmount(body: Record<string, unknown>, currency: Currency) {
  const text = readText(body, "TransAmount").trim();
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

/** C2B bodies carry no currency; one that does and names another is not what we agreed on. */
function refuseForeignCurrency(body: Record<string, unknown>, currency: Currency): void {
  for (const field of ["Currency", "TransCurrency", "currency"]) {
    const value = body[field];
    if (value !== undefined && value !== null && value !== "" && value !== currency) {
      throw new Unusable("currency_unexpected", `${field} is not ${currency}.`);
    }
  }
}

function readTime(body: Record<string, unknown>, { zone, now }: DarajaTerms): Date {
  const match = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/.exec(readText(body, "TransTime"));
  if (match === null) throw new Unusable("time_invalid", "TransTime is not fourteen digits, year to second.");
  const [, year, month, day, hour, minute, second] = match;
  let at: Date;
  try {
    at = instantOf({ date: `${year}-${month}-${day}`, time: `${hour}:${minute}:${second}` }, zone);
  } catch {
    throw new Unusable("time_invalid", "TransTime is no moment of the calendar.");
  }
  if (at.getTime() > now.getTime() + FUTURE_MAX_MS) throw new Unusable("time_invalid", "TransTime lies in the future.");
  if (at.getTime() < Date.UTC(2007, 0, 1))
    throw new Unusable("time_invalid", "TransTime lies before mobile money existed.");
  return at;
}

function readPayer(body: Record<string, unknown>): Payer {
  const text = body["MSISDN"] === undefined || body["MSISDN"] === null ? "" : readText(body, "MSISDN").trim();
  const name = ["FirstName", "MiddleName", "LastName"]
    .map((field) => body[field])
    .filter((part): part is string => typeof part === "string" && part.length <= TEXT_MAX)
    .map((part) =>
      part
        .replace(/\p{Cc}/gu, " ")
        .trim()
        .toWellFormed(),
    )
    .filter((part) => part !== "")
    .join(" ");
  const digits = /^\+?([1-9]\d{8,14})$/.exec(text)?.[1];
  if (digits !== undefined) {
    return { phone: `+${digits}`, hash: createHash("sha256").update(digits).digest(), name: name || undefined };
  }
  const hash = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : undefined;
  return { phone: undefined, hash, name: name || undefined };
}

/** What makes two callbacks with one id the same payment: the money's facts, not how the payer's number is shown. */
export function factsHash({
  amount,
  shortcode,
  reference,
  paidAt,
}: {
  amount: { minor: bigint; currency: string };
  shortcode: string;
  reference: string;
  paidAt: Date;
}): Uint8Array {
  return createHash("sha256")
    .update([amount.minor, amount.currency, shortcode, reference, paidAt.toISOString()].join("\n"))
    .digest();
}
