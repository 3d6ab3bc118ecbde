import type { Standing } from "../../src/credit/allocate.ts";
import { parseRational, rational } from "../../src/kernel/rational.ts";
import type { Terms } from "../../src/credit/terms.ts";

export const DAY = 86_400_000;
export const PAID_AT = new Date("2026-03-02T06:00:00Z");
export const later = (millis: number): Date => new Date(PAID_AT.getTime() + millis);

/** KES 50 a day without end: the plainest rent there is. */
export const RENT: Terms = {
  currency: "KES",
  depositMinor: 0n,
  depositBuysTime: true,
  totalMinor: null,
  price: rational(5_000n),
  priceSeconds: 86_400,
  minimumPaymentMinor: 0n,
  freeSeconds: 0,
  instalmentDays: 7,
  graceDays: 0,
};

/** KES 5.654761905 an hour, as a real seller's price group had it: 565.4761905 cents, never exact in a float. */
export const HOURLY: Terms = { ...RENT, price: parseRational("565.4761905"), priceSeconds: 3_600 };

/** A contract on the day of its sale. */
export function freshStanding(terms: Terms, changes: Partial<Standing> = {}): Standing {
  return {
    depositDueMinor: terms.depositMinor,
    outstandingMinor: terms.totalMinor,
    carriedMinor: 0n,
    carriedFraction: 0n,
    debtMinor: 0n,
    startedAt: undefined,
    paidUntilAt: undefined,
    lampUntilAt: undefined,
    ...changes,
  };
}
