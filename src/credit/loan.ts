import { DAY_MS } from "../kernel/time.ts";
import { dayPriceMinor, type Terms } from "./terms.ts";

/** What decides whether somebody may have light before paying for it. */
export interface Borrower {
  readonly state: "active" | "paid_off" | "written_off";
  readonly debtMinor: bigint;
  readonly depositDueMinor: bigint;
  /** Price not yet paid; null for rent without end. */
  readonly outstandingMinor: bigint | null;
  readonly paidUntilAt: Date | null;
  /** Payments that bought light, those on credit not counted. */
  readonly purchases: number;
}

export type LoanRefusal = "ended" | "too_new" | "debt" | "light_left" | "little_left";

/** Days that may be borrowed now, smallest first, or why none. */
export type Lendable =
  | { readonly kind: "days"; readonly days: readonly number[]; readonly dayPriceMinor: bigint }
  | { readonly kind: "none"; readonly why: LoanRefusal };

/** Somebody who paid a few times has shown that they pay; the sector lends days to nobody before. */
export const PURCHASES_MIN = 3;
/** What a family can win back with one payment. */
export const LOAN_DAYS_MAX = 3;
/** With more light than this nobody needs a loan yet. */
const LIGHT_LEFT_MAX_MS = DAY_MS;

/**
 * A plain policy, until risk is scored: one loan at a time, for whoever has paid before and is about to sit in the dark, and
 * never more than what is left of the price.
 */
export function decideLendable(borrower: Borrower, terms: Terms, now: Date): Lendable {
  const { state, debtMinor, outstandingMinor, paidUntilAt } = borrower;
  const none = (why: LoanRefusal): Lendable => ({ kind: "none", why });
  if (state !== "active") return none("ended");
  if (borrower.purchases < PURCHASES_MIN || borrower.depositDueMinor > 0n) return none("too_new");
  if (debtMinor > 0n) return none("debt");
  if (paidUntilAt !== null && paidUntilAt.getTime() - now.getTime() > LIGHT_LEFT_MAX_MS) return none("light_left");
  const price = dayPriceMinor(terms);
  const days = Array.from({ length: LOAN_DAYS_MAX }, (_, at) => at + 1).filter(
    (count) => outstandingMinor === null || price * BigInt(count) < outstandingMinor,
  );
  return days.length === 0 ? none("little_left") : { kind: "days", days, dayPriceMinor: price };
}
