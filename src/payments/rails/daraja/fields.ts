import type { Currency, Money } from "../../../kernel/money.ts";
import { instantOf } from "../../../kernel/time.ts";
import type { Payer } from "../rail.ts";
import { readText, TEXT_MAX, Unusable, type Body } from "../reading.ts";
import { digitsOf, payerWith, readAmount, readCalendar, requireCurrency, requirePlausible } from "../report-values.ts";

/** What a body is read against. `now` is when it came, so that reading is pure in the delivery. */
export interface DarajaTerms {
  /** Paybills and tills that belong to us. */
  readonly shortcodes: ReadonlySet<string>;
  readonly currency: Currency;
  /** M-Pesa's times have no offset: they are wall time of this zone (Africa/Nairobi). */
  readonly zone: string;
  readonly now: Date;
}

/** M-Pesa writes a list of one as the thing itself. */
export const asList = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as readonly unknown[]) : value === undefined || value === null ? [] : [value];

/** A receipt number, upper case. */
export function readReceipt(body: Body, field: string): string {
  const id = readText(body, field);
  if (!/^[A-Za-z0-9]{6,32}$/.test(id))
    throw new Unusable("malformed", `${field} is not 6 to 32 letters and digits.`, undefined);
  return id.toUpperCase();
}

export const amountIn = (body: Body, field: string, currency: Currency): Money =>
  readAmount(readText(body, field).trim(), currency, field);

/** Bodies carry no currency; one that does and names another is not what we agreed on. */
export function refuseForeignCurrency(body: Body, currency: Currency): void {
  for (const field of ["Currency", "TransCurrency", "currency"]) {
    const value = body[field];
    if (value !== undefined && value !== null && value !== "") requireCurrency(value, currency, field);
  }
}

const FOURTEEN_DIGITS = /^(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)$/;
/** B2C results alone write 06.07.2024 22:48:52. */
const DOTTED = /^(?<day>\d\d)\.(?<month>\d\d)\.(?<year>\d{4}) (?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)$/;

/** Wall time in either of the forms that M-Pesa writes; an hour ahead of `now` at most. */
export function timeIn(body: Body, field: string, { zone, now }: Pick<DarajaTerms, "zone" | "now">): Date {
  const text = readText(body, field).trim();
  const { year, month, day, hour, minute, second } = (FOURTEEN_DIGITS.exec(text) ?? DOTTED.exec(text))?.groups ?? {};
  if (year === undefined)
    throw new Unusable(
      "time_invalid",
      `${field} is not fourteen digits, year to second, nor DD.MM.YYYY HH:mm:ss.`,
      field,
    );
  const local = { date: `${year}-${month}-${day}`, time: `${hour}:${minute}:${second}` };
  return requirePlausible(
    readCalendar(() => instantOf(local, zone), field),
    { field, now },
  );
}

/** Who paid, from a number that is clear, masked ("2547 ***** 126") or a SHA-256; a masked one names nobody. */
export function payerOf(text: string, names: readonly unknown[]): Payer {
  const name = names
    .filter((part): part is string => typeof part === "string" && part.length <= TEXT_MAX)
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join(" ");
  const payer = payerWith(digitsOf(text), name);
  const isHash = /^[0-9a-fA-F]{64}$/.test(text.trim());
  return isHash ? { ...payer, hash: Buffer.from(text.trim(), "hex") } : payer;
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
