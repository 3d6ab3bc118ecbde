import type { Transition } from "../../src/credit/timeline.ts";

export interface RealTransition {
  readonly at: Date;
  readonly from: string;
  readonly to: string;
}

export interface BookPayment {
  readonly paidAt: Date;
  readonly minor: bigint;
}

/** What the seller's book shows of one account, and what our contract's own timeline says. */
export interface Comparison {
  readonly real: readonly RealTransition[];
  readonly ours: readonly Transition[];
  readonly payments: readonly BookPayment[];
  readonly totalMinor: bigint;
  readonly millisBought: (minor: bigint) => number;
}

export type Cause =
  | "written off by a person"
  | "unlocked by a person before the price was paid"
  | "light given without a payment"
  | "end of light that was given without a payment"
  | "whole days of light given by a person"
  | "a payment that gave no light in the seller's book"
  | "money taken back by the seller"
  | "longer light than was paid for"
  | "shorter light than was paid for"
  | "shifted by one of these before it"
  | "not explained";

export interface Mismatch {
  readonly transition: RealTransition;
  readonly cause: Cause;
}

export interface Score {
  readonly reproduced: number;
  readonly mismatches: readonly Mismatch[];
}

export const TOLERANCE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Nobody gives more than a week and a half away at once. */
const GIFT_DAYS_MAX = 10;

function isGift(millis: number): boolean {
  const days = Math.round(millis / DAY_MS);
  return days >= 1 && days <= GIFT_DAYS_MAX && Math.abs(millis - days * DAY_MS) <= TOLERANCE_MS;
}

const near = (left: Date, right: Date): boolean => Math.abs(left.getTime() - right.getTime()) <= TOLERANCE_MS;

/** Counts which real transitions ours reproduce: the same states, within a minute, each of ours used once. */
export function score(comparison: Comparison): Score {
  const unused = [...comparison.ours];
  const mismatches: Mismatch[] = [];
  const real = comparison.real.toSorted((left, right) => left.at.getTime() - right.at.getTime());
  for (const [place, transition] of real.entries()) {
    const match = unused.findIndex(
      ({ at, from, to }) => from === transition.from && to === transition.to && near(at, transition.at),
    );
    if (match >= 0) unused.splice(match, 1);
    else
      mismatches.push({ transition, cause: causeOf(transition, { ...comparison, real, place, earlier: mismatches }) });
  }
  return { reproduced: real.length - mismatches.length, mismatches };
}

function causeOf(
  transition: RealTransition,
  {
    real,
    ours,
    payments,
    totalMinor,
    millisBought,
    place,
    earlier,
  }: Comparison & { place: number; earlier: readonly Mismatch[] },
): Cause {
  const paidAt = (at: Date): boolean => payments.some((payment) => payment.minor > 0n && near(payment.paidAt, at));
  if (transition.to === "WRITTEN_OFF") return "written off by a person";
  if (transition.to === "UNLOCKED") {
    const paid = payments
      .filter((payment) => payment.paidAt.getTime() <= transition.at.getTime() + TOLERANCE_MS)
      .reduce((sum, { minor }) => sum + minor, 0n);
    if (paid < totalMinor) return "unlocked by a person before the price was paid";
  }
  if (transition.to === "ENABLED" && !paidAt(transition.at)) return "light given without a payment";
  if (transition.to === "DISABLED") {
    const lit = real.slice(0, place).findLast(({ to }) => to === "ENABLED");
    if (lit !== undefined && lit.from !== "CREATED" && !paidAt(lit.at))
      return "end of light that was given without a payment";
    const lateBy = ours.filter(({ to }) => to === "DISABLED").map(({ at }) => transition.at.getTime() - at.getTime());
    if (lateBy.some((millis) => isGift(millis))) return "whole days of light given by a person";
    const bought = payments.filter(({ minor }) => minor > 0n).map(({ minor }) => millisBought(minor));
    if (lateBy.some((millis) => bought.some((time) => Math.abs(millis + time) <= TOLERANCE_MS)))
      return "a payment that gave no light in the seller's book";
  }
  if (payments.some(({ minor, paidAt: at }) => minor < 0n && at <= transition.at))
    return "money taken back by the seller";
  if (earlier.length > 0) return "shifted by one of these before it";
  return residual(transition, ours);
}

/** What is left is told apart by which of the two lamps was lit longer. */
function residual({ at, to }: RealTransition, ours: readonly Transition[]): Cause {
  const before = ours.findLast((transition) => transition.at.getTime() <= at.getTime() + TOLERANCE_MS);
  if (to === "DISABLED" && before?.to === "DISABLED") return "longer light than was paid for";
  if ((to === "DISABLED" || to === "ENABLED") && before?.to === "ENABLED") return "shorter light than was paid for";
  return "not explained";
}
