import type { Currency, Money } from "../../kernel/money.ts";
import type { LocalDate } from "../../kernel/time.ts";

/** `no_list`: something of that day is in no list of the provider's, so only our books and the ledger were compared. */
export type ReconciliationState = "agreed" | "exceptions" | "no_list";

/** One rail on one local day in one currency: the provider's list, our books and the ledger, next to each other. */
export interface Reconciliation {
  readonly rail: string;
  /** In the channel's zone. */
  readonly on: LocalDate;
  readonly currency: Currency;
  /** What the provider lists: in less out. */
  readonly listed: Money;
  /** Our receipts, reversals, payouts, fees and settlements. */
  readonly booked: Money;
  /** What moved on the rail's clearing accounts. */
  readonly clearing: Money;
  /** Open ones of that day. */
  readonly exceptions: number;
  readonly state: ReconciliationState;
  readonly madeAt: Date;
}

export const DIFFERENCE_KINDS = [
  "listed_not_booked",
  "booked_not_listed",
  "amount_differs",
  "reversal_without_payment",
  "clearing_differs",
] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/** One thing that is not the same on two sides. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** The provider's reference; of a posting without a transaction of ours, the posting. */
  readonly subject: string;
  readonly amountMinor: bigint;
  readonly detail: string;
}

/** A day as it was read from all three sides. */
export interface DayTotals {
  readonly listedMinor: bigint;
  readonly bookedMinor: bigint;
  readonly clearingMinor: bigint;
  /** Rows that are not the same on all sides, explained or not, but for the unlisted. Zero: this day need not be read again. */
  readonly uneven: number;
  /** Payments in our books that no list and no exception names. */
  readonly unlisted: number;
  readonly unlistedMinor: bigint;
}

/** What a day came to, before it is judged. */
export interface DayFindings {
  /** Whether any list of the provider's speaks for the whole day. */
  readonly hasList: boolean;
  /** Booked, in no list, and no list speaks for its kind and shortcode: nobody can say that it is wrong. */
  readonly unlisted: number;
  readonly openExceptions: number;
}

/** Nothing is called agreed that was not looked at from both sides; what is open comes before what is unknown. */
export function decideState({ hasList, unlisted, openExceptions }: DayFindings): ReconciliationState {
  if (openExceptions > 0) return "exceptions";
  return hasList && unlisted === 0 ? "agreed" : "no_list";
}

/** Where the balance of a rail's clearing accounts comes from. */
export interface ClearingExplanation {
  readonly rail: string;
  readonly currency: Currency;
  readonly until: Date;
  readonly balance: Money;
  /** All that the provider listed: in less out. */
  readonly listed: Money;
  /** What stands between the two, by name; each amount as it lies in the balance beyond the list. */
  readonly parts: readonly ClearingPart[];
  /** Balance less list less parts. Zero, or a bug of ours. */
  readonly rest: Money;
}

export interface ClearingPart {
  readonly name: ClearingPartName;
  readonly count: number;
  readonly amount: Money;
  /** How many of them an exception names, open or explained. */
  readonly named: number;
}

/**
 * `booked_not_listed`, `listed_not_booked`, `amount_differs`: as the exceptions. `listed_later` and `booked_later`: on both sides,
 * but on one of them only after the instant asked for. `posted_otherwise`: moved on the account by no transaction of the rail.
 */
export type ClearingPartName =
  "booked_not_listed" | "listed_not_booked" | "amount_differs" | "listed_later" | "booked_later" | "posted_otherwise";

/** Whatever the parts are, the rest is what they leave, so nothing can hide between them. */
export function explain({
  balanceMinor,
  listedMinor,
  parts,
  currency,
  ...about
}: {
  rail: string;
  currency: Currency;
  until: Date;
  balanceMinor: bigint;
  listedMinor: bigint;
  parts: readonly ClearingPart[];
}): ClearingExplanation {
  const explained = parts.reduce((sum, { amount }) => sum + amount.minor, listedMinor);
  return {
    ...about,
    currency,
    balance: { minor: balanceMinor, currency },
    listed: { minor: listedMinor, currency },
    parts: parts.filter(({ count, amount }) => count > 0 || amount.minor !== 0n),
    rest: { minor: balanceMinor - explained, currency },
  };
}
