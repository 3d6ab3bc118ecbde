import { least } from "../kernel/money.ts";
import type { Rational } from "../kernel/rational.ts";
import { DAY_MS } from "../kernel/time.ts";
import { millisBought, unitPrice, type Terms } from "./terms.ts";

/** Where a contract stands before a payment. Amounts are minor units of the contract's currency. */
export interface Standing {
  readonly depositDueMinor: bigint;
  /** Price not yet turned into time; null for rent without end. */
  readonly outstandingMinor: bigint | null;
  /** Money held that did not fill a whole token unit yet. */
  readonly carriedMinor: bigint;
  /** Part of a minor unit of time already given but not yet charged, over the unit price's denominator. */
  readonly carriedFraction: bigint;
  readonly debtMinor: bigint;
  readonly startedAt: Date | undefined;
  /** What the money bought, to the millisecond. */
  readonly paidUntilAt: Date | undefined;
  /** What the tokens gave, in whole units. */
  readonly lampUntilAt: Date | undefined;
}

/** What one payment does. Received = debt + deposit + spent + carriedChange + refundable, to the last minor unit. */
export interface Allocation {
  readonly debtMinor: bigint;
  readonly depositMinor: bigint;
  readonly spentMinor: bigint;
  /** Below zero when held money was used up. */
  readonly carriedChangeMinor: bigint;
  readonly refundableMinor: bigint;
  /** Token units bought, of 1/timeDivider day. */
  readonly units: number;
  readonly effect: "none" | "add" | "unlock";
  readonly paidFromAt: Date | undefined;
  readonly after: Standing;
}

export interface Payment {
  readonly receivedMinor: bigint;
  readonly paidAt: Date;
  /** When the tokens are made: the lamp's time starts here at the earliest, not at the provider's event time. */
  readonly bookedAt: Date;
}

const laterOf = (left: Date | undefined, right: Date): Date => (left !== undefined && left > right ? left : right);

/**
 * Turns a payment into light. First debt (money that was taken back after it had bought time), then the deposit where it
 * buys no time, then time; what is left when the price is paid is refundable. Every minor unit ends up in exactly one of
 * the amounts. Whole token units are charged at the exact price; the fraction of a minor unit that rounding down leaves
 * uncharged is remembered, so that over any number of payments the sum charged is the exact price rounded down once.
 */
export function allocate(
  terms: Terms,
  standing: Standing,
  { timeDivider, payment }: { timeDivider: number; payment: Payment },
): Allocation {
  const debtMinor = least(standing.debtMinor, payment.receivedMinor);
  const afterDebt = payment.receivedMinor - debtMinor;
  const depositMinor = terms.depositBuysTime ? 0n : least(standing.depositDueMinor, afterDebt);
  const depositDueMinor = terms.depositBuysTime
    ? standing.depositDueMinor - least(standing.depositDueMinor, afterDebt)
    : standing.depositDueMinor - depositMinor;
  const opened =
    standing.depositDueMinor > 0n ? depositDueMinor === 0n : standing.startedAt === undefined && afterDebt > 0n;
  const towardTime = afterDebt - depositMinor;
  const outstanding = standing.outstandingMinor === null ? null : standing.outstandingMinor - depositMinor;
  const held = standing.carriedMinor + towardTime;
  const base = {
    standing: {
      ...standing,
      debtMinor: standing.debtMinor - debtMinor,
      depositDueMinor,
      outstandingMinor: outstanding,
    },
    payment,
    debtMinor,
    depositMinor,
  };
  if (outstanding !== null && held >= outstanding && towardTime + depositMinor > 0n)
    return payOff({ ...base, held, outstanding });
  return buyTime(terms, { ...base, held, towardTime, opened, price: unitPrice(terms, timeDivider), timeDivider });
}

interface Base {
  readonly standing: Standing;
  readonly payment: Payment;
  readonly debtMinor: bigint;
  readonly depositMinor: bigint;
  /** Held money and this payment's, before any of it is spent on time. */
  readonly held: bigint;
}

/** The whole price is paid: the lamp is unlocked for good, and what is left over belongs to the customer. */
function payOff({
  standing,
  payment,
  debtMinor,
  depositMinor,
  held,
  outstanding,
}: Base & { outstanding: bigint }): Allocation {
  return {
    debtMinor,
    depositMinor,
    spentMinor: outstanding,
    carriedChangeMinor: -standing.carriedMinor,
    refundableMinor: held - outstanding,
    units: 0,
    effect: "unlock",
    paidFromAt: payment.paidAt,
    after: {
      ...standing,
      outstandingMinor: 0n,
      carriedMinor: 0n,
      carriedFraction: 0n,
      startedAt: standing.startedAt ?? payment.paidAt,
    },
  };
}

function buyTime(
  terms: Terms,
  {
    standing,
    payment,
    debtMinor,
    depositMinor,
    held,
    towardTime,
    opened,
    price,
    timeDivider,
  }: Base & { towardTime: bigint; opened: boolean; price: Rational; timeDivider: number },
): Allocation {
  const waitsForDeposit = !terms.depositBuysTime && standing.depositDueMinor > 0n;
  const units = waitsForDeposit ? 0n : unitsFor(held, standing.carriedFraction, price);
  const cost = units * price.numerator + standing.carriedFraction;
  const spentMinor = cost / price.denominator;
  const freeUnits = opened ? Math.floor((terms.freeSeconds * timeDivider) / 86_400) : 0;
  const total = Number(units) + freeUnits;
  const paidFromAt = laterOf(standing.paidUntilAt, payment.paidAt);
  const bought = millisBought(terms, towardTime) + (opened ? terms.freeSeconds * 1000 : 0);
  const lampFrom = laterOf(standing.lampUntilAt, payment.bookedAt);
  return {
    debtMinor,
    depositMinor,
    spentMinor,
    carriedChangeMinor: held - spentMinor - standing.carriedMinor,
    refundableMinor: 0n,
    units: total,
    effect: total > 0 ? "add" : "none",
    paidFromAt: bought > 0 ? paidFromAt : undefined,
    after: {
      ...standing,
      outstandingMinor: standing.outstandingMinor === null ? null : standing.outstandingMinor - spentMinor,
      carriedMinor: held - spentMinor,
      carriedFraction: cost % price.denominator,
      startedAt: standing.startedAt ?? (bought > 0 || depositMinor > 0n ? payment.paidAt : undefined),
      paidUntilAt: bought > 0 ? new Date(paidFromAt.getTime() + bought) : standing.paidUntilAt,
      lampUntilAt:
        total > 0 ? new Date(lampFrom.getTime() + Math.round((total * DAY_MS) / timeDivider)) : standing.lampUntilAt,
    },
  };
}

/** Whole units that the money pays, with the fraction owed from before: floor((held − owed) ÷ price). */
function unitsFor(held: bigint, owedFraction: bigint, price: Rational): bigint {
  const funds = held * price.denominator - owedFraction;
  return funds <= 0n ? 0n : funds / price.numerator;
}

/** The least amount that must still come before the next whole unit can be given, or the rest of the price when that is less. */
export function missingForUnit(terms: Terms, standing: Standing, timeDivider: number): bigint {
  const price = unitPrice(terms, timeDivider);
  const needed = price.numerator + standing.carriedFraction - standing.carriedMinor * price.denominator;
  const towardUnit = (needed + price.denominator - 1n) / price.denominator;
  const first = standing.debtMinor + (terms.depositBuysTime ? 0n : standing.depositDueMinor);
  if (standing.outstandingMinor === null) return first + towardUnit;
  const toUnlock =
    standing.outstandingMinor - standing.carriedMinor - (terms.depositBuysTime ? 0n : standing.depositDueMinor);
  return first + least(towardUnit, toUnlock);
}
