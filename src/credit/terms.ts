import type { PlanId, PlanVersionId } from "../kernel/ids.ts";
import type { Currency } from "../kernel/money.ts";
import { ceilingOf, multiply, rational, type Rational } from "../kernel/rational.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { DAY_MS, HOUR_MS } from "../kernel/time.ts";

/** What a version of a price plan promises. A contract keeps the version that it was sold under. */
export interface Terms {
  readonly currency: Currency;
  readonly depositMinor: bigint;
  /** Whether the deposit buys time like any other payment, or only opens the contract. */
  readonly depositBuysTime: boolean;
  /** Deposit included; null is rent without end. */
  readonly totalMinor: bigint | null;
  /** Minor units for `priceSeconds` of light, exact. */
  readonly price: Rational;
  readonly priceSeconds: 3600 | 86400;
  /** Below it a payment is refused before it is made; one that was made all the same is booked. */
  readonly minimumPaymentMinor: bigint;
  /** Light given once, when the deposit is complete. */
  readonly freeSeconds: number;
  /** Instalments fall due every so many local days. */
  readonly instalmentDays: number;
  /** Local days after a due date before it counts as arrears. */
  readonly graceDays: number;
}

export interface PlanVersion extends Terms {
  readonly id: PlanVersionId;
  readonly planId: PlanId;
  readonly code: string;
  readonly name: string;
  readonly version: number;
  /** Sales from then on are made under it. */
  readonly effectiveAt: Date;
}

/** Exact price of one token unit (a day divided by the device's time divider), in minor units. */
export function unitPrice({ price, priceSeconds }: Terms, timeDivider: number): Rational {
  return multiply(price, rational(86_400n, BigInt(timeDivider) * BigInt(priceSeconds)));
}

/** Milliseconds of light that an amount buys, rounded down: at most one millisecond of each payment is lost. */
export function millisBought({ price, priceSeconds }: Terms, minor: bigint): number {
  return Number((minor * price.denominator * BigInt(priceSeconds) * 1000n) / price.numerator);
}

/** The least whole minor amount that buys one day. */
export function dayPriceMinor(terms: Terms): bigint {
  return ceilingOf(unitPrice(terms, 1));
}

/** The database keeps a price as two whole numbers of 63 bits; a price per unit multiplies the lower one by up to 255. */
const PRICE_NUMERATOR_MAX = 10n ** 18n;
const PRICE_DENOMINATOR_MAX = 10n ** 15n;

/** Refuses terms that could not be sold, naming the field and what would do. */
export function checkTerms(terms: Terms): void {
  if (terms.price.numerator <= 0n) throw new InvalidInput("A price is above zero.", "price");
  if (terms.price.numerator > PRICE_NUMERATOR_MAX || terms.price.denominator > PRICE_DENOMINATOR_MAX)
    throw new InvalidInput("A price has fewer digits than that.", "price");
  if (terms.depositMinor < 0n) throw new InvalidInput("A deposit is not negative.", "deposit");
  if (terms.totalMinor !== null && terms.totalMinor <= 0n)
    throw new InvalidInput("A total is above zero; leave it out for rent without end.", "total");
  if (terms.totalMinor !== null && terms.totalMinor < terms.depositMinor)
    throw new InvalidInput("The total includes the deposit and cannot be below it.", "total");
  if (terms.minimumPaymentMinor < 0n) throw new InvalidInput("A minimum payment is not negative.", "minimumPayment");
  const freeMax = (366 * DAY_MS) / 1000;
  if (!Number.isInteger(terms.freeSeconds) || terms.freeSeconds < 0 || terms.freeSeconds > freeMax)
    throw new InvalidInput(`Free time is 0 to ${(freeMax * 1000) / HOUR_MS} hours.`, "freeTime");
  if (!Number.isInteger(terms.instalmentDays) || terms.instalmentDays < 1 || terms.instalmentDays > 366)
    throw new InvalidInput("Instalments fall due every 1 to 366 days.", "instalmentDays");
  if (!Number.isInteger(terms.graceDays) || terms.graceDays < 0 || terms.graceDays > 366)
    throw new InvalidInput("Grace is 0 to 366 days.", "graceDays");
}
