import { quantile } from "../../learning/learning.ts";
import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import { GAP_MS_MAX, type Sample } from "./samples.ts";

/** Charge counted since the battery was last known to be full. */
export interface Count {
  readonly fullAtMs: number;
  /** Taken out since then, less what went back in, as a share of the rated capacity. */
  readonly outShare: number;
}

/** What counting carries from one week into the next. */
export interface CountingCarry {
  readonly last: { readonly atMs: number; readonly amperes: number } | undefined;
  readonly count: Count | undefined;
  /** When it last charged. */
  readonly chargedAtMs: number;
  /** The voltage of a cell that the charger holds, as the highest of lately; 0 until seen. */
  readonly heldV: number;
}

export const NOTHING_COUNTED: CountingCarry = { last: undefined, count: undefined, chargedAtMs: 0, heldV: 0 };

/** A moment of a discharge that began full: its voltage says how much charge is left, the count how much is gone. */
export interface DischargePoint {
  /** Which discharge; points of one share its errors. */
  readonly fullAtMs: number;
  readonly atMs: number;
  readonly outShare: number;
  /** Mean volts of a cell, and the amperes at that moment. */
  readonly cellV: number;
  readonly amperes: number;
  readonly temperatureC: number;
  /** Little flows and has for a while: close to rest. */
  readonly calm: boolean;
}

/** A discharge from full to the cut-off: the plainest measure of capacity there is. */
export interface EmptyingPoint {
  readonly fullAtMs: number;
  readonly atMs: number;
  readonly outShare: number;
  readonly temperatureC: number;
}

export interface Counted {
  readonly points: readonly DischargePoint[];
  readonly emptied: readonly EmptyingPoint[];
  /** Moments at which it was full, at most one in six hours. */
  readonly fullAtMs: readonly number[];
  /** Hours from first light to full, for each day that reached it. */
  readonly hoursToFull: readonly number[];
  readonly outAh: number;
  readonly deepDischarges: number;
  readonly carry: CountingCarry;
}

const HOUR_MS = 3_600_000;
/** Errors of the current's sensor grow with time: after this long, a count says nothing any more. */
const COUNT_MS_MAX = 60 * HOUR_MS;
const CALM_RATE = 0.09;
const SETTLED_MS = 1.5 * HOUR_MS;
const LEAST_OUT = 0.06;
const FULL_APART_MS = 6 * HOUR_MS;
const HELD_SAMPLES_LEAST = 48;
const HELD_KEPT = 0.9995;

/**
 * The voltage that this charger holds: the top of the week, or last week's, whichever is higher. Set points differ and so
 * do meters; what is 4.05 V on one full battery is nine tenths of the charge on another.
 */
function readHeldV(samples: readonly Sample[], spec: BatterySpec, before: number): number {
  if (samples.length < HELD_SAMPLES_LEAST) return before;
  const top = quantile(
    samples.map(({ volts }) => volts / spec.cells),
    0.98,
  );
  return Math.max(top, before * HELD_KEPT);
}

/** Full: the charger holds the voltage and the current has tapered off, or the battery rests on float. */
function isFull({ volts, amperes, panelA }: Sample, spec: BatterySpec, heldV: number): boolean {
  const { fullV: leastV, fullTaper, floatBelowHeld } = CHEMISTRY_FACTS[spec.chemistry];
  // Not while discharging: a battery just taken off the charger keeps its voltage for a while without being fed.
  const fed = amperes >= -0.003 * spec.ratedAh && !(panelA <= 0);
  const fullV = Math.max(leastV, heldV * (1 - floatBelowHeld));
  return fed && volts >= fullV * spec.cells && amperes <= fullTaper * spec.ratedAh;
}

/**
 * Charge by counting with anchors (Ng et al. 2009, Applied Energy 86, 1506): zero at full, then the integral of the current
 * by the trapezoid rule, what goes back in weighed by the charging efficiency. A gap or a count of more than two and a half days
 * ends it; the next full begins anew. The cut-off under load is the other anchor.
 */
export function countCharge(samples: readonly Sample[], spec: BatterySpec, carry: CountingCarry): Counted {
  const facts = CHEMISTRY_FACTS[spec.chemistry];
  const points: DischargePoint[] = [];
  const emptied: EmptyingPoint[] = [];
  const fullAtMs: number[] = [];
  const hoursToFull: number[] = [];
  const heldV = readHeldV(samples, spec, carry.heldV);
  let { last, count, chargedAtMs } = carry;
  let [outAh, deepDischarges] = [0, 0];
  let [lightAtMs, wasDeep, calmSinceMs] = [Number.NaN, false, Number.NaN];
  for (const sample of samples) {
    const { atMs, volts, amperes, temperatureC } = sample;
    if (last !== undefined && atMs <= last.atMs) continue;
    if (last === undefined || atMs - last.atMs > GAP_MS_MAX)
      [count, lightAtMs, calmSinceMs] = [undefined, Number.NaN, Number.NaN];
    else {
      const passed = (atMs - last.atMs) / HOUR_MS;
      const flowedAh = ((amperes + last.amperes) / 2) * passed;
      if (flowedAh < 0) outAh -= flowedAh;
      const change = flowedAh > 0 ? flowedAh * facts.chargeEfficiency : flowedAh;
      if (count !== undefined) count = { ...count, outShare: count.outShare - change / spec.ratedAh };
    }
    last = { atMs, amperes };
    if (amperes > 0.01 * spec.ratedAh) chargedAtMs = atMs;
    if (Math.abs(amperes) > CALM_RATE * spec.ratedAh) calmSinceMs = Number.NaN;
    else if (Number.isNaN(calmSinceMs)) calmSinceMs = atMs;
    if (!(sample.panelA > 0)) lightAtMs = Number.NaN;
    else if (Number.isNaN(lightAtMs)) lightAtMs = atMs;

    if (isFull(sample, spec, heldV)) {
      if (atMs - (fullAtMs.at(-1) ?? -Infinity) > FULL_APART_MS) {
        fullAtMs.push(atMs);
        if (!Number.isNaN(lightAtMs)) hoursToFull.push((atMs - lightAtMs) / HOUR_MS);
      }
      count = { fullAtMs: atMs, outShare: 0 };
      wasDeep = false;
      continue;
    }
    if (count === undefined) continue;
    if (atMs - count.fullAtMs > COUNT_MS_MAX) {
      count = undefined;
      continue;
    }
    const out = count.outShare;
    if (!wasDeep && out > 1 - facts.deepBelow) {
      wasDeep = true;
      deepDischarges += 1;
    } else if (out < 1 - facts.deepBelow - 0.1) wasDeep = false;
    if (amperes < 0 && volts <= facts.emptyV * spec.cells && out > 0.1) {
      if (emptied.at(-1)?.fullAtMs !== count.fullAtMs)
        emptied.push({ fullAtMs: count.fullAtMs, atMs, outShare: out, temperatureC });
    } else if (amperes <= 0 && out >= LEAST_OUT) {
      const calm = atMs - calmSinceMs >= HOUR_MS / 2 && atMs - chargedAtMs >= SETTLED_MS;
      points.push({
        fullAtMs: count.fullAtMs,
        atMs,
        outShare: out,
        cellV: volts / spec.cells,
        amperes,
        temperatureC,
        calm,
      });
    }
  }
  return {
    points,
    emptied,
    fullAtMs,
    hoursToFull,
    outAh,
    deepDischarges,
    carry: { last, count, chargedAtMs, heldV },
  };
}
