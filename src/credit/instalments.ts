import { least } from "../kernel/money.ts";
import { ceilingOf, multiply, rational } from "../kernel/rational.ts";
import { addDays, daysBetween, localDateOf, type LocalDate } from "../kernel/time.ts";
import { unitPrice, type Terms } from "./terms.ts";

export interface Instalment {
  readonly dueOn: LocalDate;
  readonly amountMinor: bigint;
  /** Deposit and all instalments up to and with this one. */
  readonly cumulativeMinor: bigint;
}

/** A calendar is never longer: ten years of daily instalments. */
const INSTALMENTS_MAX = 3_660;

/**
 * The instalment calendar in local dates: the deposit on the day of sale, then the price of each period, due on the day
 * the period begins, until the total is reached (rent: until `through`). Sums are rounded up once, not per instalment.
 */
export function instalments(
  terms: Terms,
  { startedAt, zone, through }: { startedAt: Date; zone: string; through: LocalDate },
): readonly Instalment[] {
  const startOn = localDateOf(startedAt, zone);
  const perPeriod = multiply(unitPrice(terms, 1), rational(BigInt(terms.instalmentDays)));
  const rows: Instalment[] = [];
  let cumulative = 0n;
  const add = (dueOn: LocalDate, target: bigint): void => {
    const capped = terms.totalMinor === null ? target : least(target, terms.totalMinor);
    if (capped > cumulative) rows.push({ dueOn, amountMinor: capped - cumulative, cumulativeMinor: capped });
    cumulative = capped > cumulative ? capped : cumulative;
  };
  if (terms.depositMinor > 0n) add(startOn, terms.depositMinor);
  const freeDays =
    Math.floor(terms.freeSeconds / 86_400) +
    (terms.depositBuysTime && terms.depositMinor > 0n
      ? Number(terms.depositMinor / ceilingOf(unitPrice(terms, 1)))
      : 0);
  const firstDue = addDays(startOn, freeDays);
  for (let period = 0; period < INSTALMENTS_MAX; period++) {
    const dueOn = addDays(firstDue, period * terms.instalmentDays);
    if (dueOn > through || (terms.totalMinor !== null && cumulative >= terms.totalMinor)) break;
    add(dueOn, terms.depositMinor + ceilingOf(multiply(perPeriod, rational(BigInt(period + 1)))));
  }
  return rows;
}

export interface Arrears {
  readonly dueMinor: bigint;
  readonly arrearsMinor: bigint;
  /** Local days since the oldest unpaid instalment fell due, after the grace; 0 when nothing is late. */
  readonly days: number;
}

/** What should have been paid by a day, and how late the oldest unpaid part is. */
export function arrears(
  calendar: readonly Instalment[],
  { paidMinor, on, graceDays }: { paidMinor: bigint; on: LocalDate; graceDays: number },
): Arrears {
  const due = calendar.filter(({ dueOn }) => dueOn <= on);
  const dueMinor = due.at(-1)?.cumulativeMinor ?? 0n;
  const oldest = due.find(({ cumulativeMinor }) => cumulativeMinor > paidMinor);
  if (oldest === undefined) return { dueMinor, arrearsMinor: 0n, days: 0 };
  const days = Math.max(0, daysBetween(oldest.dueOn, on) - graceDays);
  return { dueMinor, arrearsMinor: dueMinor - paidMinor, days };
}
