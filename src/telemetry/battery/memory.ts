import type { Evidence, TrendState } from "../../learning/learning.ts";
import { NOTHING_COUNTED, type CountingCarry } from "./counting.ts";
import { EMPTY_CURVE, type Curve } from "./curve.ts";

/** What is kept of a battery between weeks; plain numbers, so that it can be stored as it is. */
export interface Memory {
  readonly weeks: number;
  /** Discharges from full that told something, over all weeks. */
  readonly nights: number;
  readonly curve: Curve;
  /** Nights that the curve learned from. */
  readonly learnedNights: number;
  /** Weeks since the first one with a night, until the curve was closed. */
  readonly learnedWeeks: number;
  /** Capacity relative to youth, once the curve is closed. */
  readonly trend: TrendState | undefined;
  /** Weeks since the curve was closed. */
  readonly weeksSince: number;
  /** Weeks in which capacity was seen after the curve was closed. */
  readonly seenWeeks: number;
  readonly unseenWeeks: number;
  /** Variance of the level by an error of voltage that stays the same week after week, so that more weeks do not lessen it. */
  readonly steadyVariance: number;
  /** Sums of what the absolute measures said of the capacity in youth, as shares of the rated one. */
  readonly byTable: { readonly weight: number; readonly sum: number };
  readonly byEmptying: { readonly weight: number; readonly sum: number };
  /** Weeks in a row in which far less capacity was seen than expected, and how much less in the last of them once it is believed. */
  readonly fallenWeeks: number;
  readonly fallenBy: number;
  /** All falls together: lost at once, not worn away. */
  readonly fallenTotal: number;
  readonly resistance: Evidence | undefined;
  readonly youngResistance: { readonly count: number; readonly sum: number };
  readonly carry: CountingCarry;
}

export const BLANK_MEMORY: Memory = {
  weeks: 0,
  nights: 0,
  curve: EMPTY_CURVE,
  learnedNights: 0,
  learnedWeeks: 0,
  trend: undefined,
  weeksSince: 0,
  seenWeeks: 0,
  unseenWeeks: 0,
  steadyVariance: 0,
  fallenWeeks: 0,
  fallenBy: 0,
  fallenTotal: 0,
  byTable: { weight: 0, sum: 0 },
  byEmptying: { weight: 0, sum: 0 },
  resistance: undefined,
  youngResistance: { count: 0, sum: 0 },
  carry: NOTHING_COUNTED,
};
