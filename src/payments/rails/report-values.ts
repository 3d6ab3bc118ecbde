import { createHash } from "node:crypto";
import { Temporal } from "temporal-polyfill";
import { AMOUNT_MINOR_MAX, parseMoney, type Currency, type Money } from "../../kernel/money.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { HOUR_MS, instantOf } from "../../kernel/time.ts";
import type { Payer } from "./rail.ts";
import { Unusable, printable } from "./reading.ts";

/** Clocks of provider and server differ by seconds; an hour ahead is a forgery or a broken clock. */
const FUTURE_MAX_MS = HOUR_MS;
/** M-Pesa began in March of this year, and the others later. */
const MOBILE_MONEY_BEGAN = Date.UTC(2007, 0, 1);

/** What was paid: more than nothing, in the currency's decimals, and not more than any rail carries. */
export function readAmount(written: string, currency: Currency, field: string): Money {
  const amount = readMoney(written, currency, field);
  if (amount.minor === 0n) throw new Unusable("amount_invalid", `${field} is zero.`, field);
  return amount;
}

/** As `readAmount`, where nothing is an amount as well: fees. */
export function readMoney(written: string, currency: Currency, field: string): Money {
  let amount: Money;
  try {
    amount = parseMoney(written, currency);
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message, field);
    throw error;
  }
  if (amount.minor > AMOUNT_MINOR_MAX)
    throw new Unusable("amount_invalid", `${field} is larger than any rail carries.`, field);
  return amount;
}

/** An account in another currency is another channel: its money must not be booked as this one's. */
export function requireCurrency(said: unknown, currency: Currency, field = "currency"): void {
  if (said !== currency) throw new Unusable("currency_unexpected", `${field} is not ${currency}.`, field);
}

/** The provider's name of a transaction, upper case: signs that one can read out, without spaces between them. */
export function readReference(written: string, field: string): string {
  if (!/^[!-~]+$/.test(written))
    throw new Unusable("malformed", `${field} has spaces, or signs that are in no name.`, field);
  return written.toUpperCase();
}

export interface MomentTerms {
  readonly field: string;
  /** The wall clock that is meant where a time has no offset; without one such a time is refused. */
  readonly zone?: string;
  /** Nothing that a provider tells of happens after it. */
  readonly now: Date;
}

/** An ISO 8601 time with seconds, as a moment that a payment can have. */
export function readMoment(written: string, { field, zone, now }: MomentTerms): Date {
  const [, date, time, offset] =
    /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:?\d\d)?$/.exec(written.trim()) ?? [];
  const moment = (): Date => {
    if (date === undefined || time === undefined) throw new RangeError("another form");
    if (offset !== undefined) return new Date(Temporal.Instant.from(`${date}T${time}${offset}`).epochMilliseconds);
    if (zone === undefined) throw new RangeError("no offset");
    return instantOf({ date, time }, zone);
  };
  return requirePlausible(readCalendar(moment, field), { field, now });
}

/** What `moment` computes; `Unusable` where the calendar has no such day or hour. */
export function readCalendar(moment: () => Date, field: string): Date {
  try {
    return moment();
  } catch {
    throw new Unusable("time_invalid", `${field} is no moment of the calendar.`, field);
  }
}

/** Refuses moments that no payment can have: ahead of our clock, or before mobile money. */
export function requirePlausible(at: Date, { field, now }: { field: string; now: Date }): Date {
  if (at.getTime() > now.getTime() + FUTURE_MAX_MS)
    throw new Unusable("time_invalid", `${field} lies in the future.`, field);
  if (at.getTime() < MOBILE_MONEY_BEGAN)
    throw new Unusable("time_invalid", `${field} lies before mobile money existed.`, field);
  return at;
}

export const NOBODY: Payer = { phone: undefined, hash: undefined, name: undefined };

/** The digits of a number with its country code, with or without plus; undefined for any other text. */
export const digitsOf = (number: string): string | undefined => /^\+?([1-9]\d{8,14})$/.exec(number.trim())?.[1];

/** Who paid, from the digits of a number that the rail shows in clear, and the name that it gives. */
export function payerWith(digits: string | undefined, name?: string | null): Payer {
  return {
    phone: digits === undefined ? undefined : `+${digits}`,
    hash: digits === undefined ? undefined : createHash("sha256").update(digits).digest(),
    name: printable(name ?? "") || undefined,
  };
}
