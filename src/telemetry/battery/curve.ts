import { chargeAtRest, CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import type { DischargePoint } from "./counting.ts";
import { resistanceAt } from "./resistance.ts";

/**
 * A battery's own curve: the rest voltage of a cell over the charge taken out since full, learned while the battery was young.
 * Each bin holds weight, sum of charge, sum of volts and sum of squared volts, so that a week's points can be added and
 * the rest forgotten.
 */
export interface Curve {
  readonly bins: readonly (readonly [count: number, out: number, volts: number, squares: number])[];
}

const BIN_WIDTH = 0.05;
const BIN_COUNT = 26;
const BIN_LEAST = 3;

export const EMPTY_CURVE: Curve = { bins: Array.from({ length: BIN_COUNT }, () => [0, 0, 0, 0] as const) };

/** Rest voltage of a cell: what was measured, less the sag. `NaN` temperature counts as usual. */
export function restVoltage(point: DischargePoint, ohm25: number, spec: BatterySpec): number {
  return point.cellV - (point.amperes * resistanceAt(ohm25, point.temperatureC)) / spec.cells;
}

/** Charge taken out as it would be at 25 °C: a cold battery seems smaller than it is. */
export function outAtUsualTemperature({ outShare, temperatureC }: DischargePoint, spec: BatterySpec): number {
  const cold = Number.isNaN(temperatureC) ? 0 : Math.max(0, 25 - temperatureC);
  return outShare / (1 - CHEMISTRY_FACTS[spec.chemistry].coldLossPerC * cold);
}

/** Adds points to the curve. */
export function learnCurve(curve: Curve, points: readonly { readonly out: number; readonly restV: number }[]): Curve {
  const bins = curve.bins.map((bin) => [...bin] as [number, number, number, number]);
  for (const { out, restV } of points) {
    const bin = bins[Math.floor(out / BIN_WIDTH)];
    if (bin === undefined) continue;
    bin[0] += 1;
    bin[1] += out;
    bin[2] += restV;
    bin[3] += restV * restV;
  }
  return { bins };
}

/** The curve as knots that can be read, falling in voltage, and how far points lie from it. */
export interface Knots {
  readonly out: readonly number[];
  readonly volts: readonly number[];
  /** Deviation of one point's volts from the curve. */
  readonly scatterV: number;
}

/** Undefined until the curve has three bins that hold enough. */
export function readCurve(curve: Curve): Knots | undefined {
  const out: number[] = [];
  const volts: number[] = [];
  let [squares, degrees] = [0, 0];
  for (const [count, sumOut, sumVolts, sumSquares] of curve.bins) {
    if (count < BIN_LEAST) continue;
    const middle = sumVolts / count;
    // Pooled by pairs where a voltage would rise with discharge, which only noise can make it do.
    const last = volts.at(-1);
    if (last !== undefined && middle > last) {
      out[out.length - 1] = ((out.at(-1) ?? 0) + sumOut / count) / 2;
      volts[volts.length - 1] = (last + middle) / 2;
    } else {
      out.push(sumOut / count);
      volts.push(middle);
    }
    squares += Math.max(0, sumSquares - count * middle * middle);
    degrees += count - 1;
  }
  if (out.length < 3) return undefined;
  // Part of a bin's spread is the curve's own fall within it: a uniform spread over the width, slope²·width²/12.
  const slope = ((volts[0] ?? 0) - (volts.at(-1) ?? 0)) / ((out.at(-1) ?? 1) - (out[0] ?? 0));
  const fall = (slope * BIN_WIDTH) ** 2 / 12;
  return { out, volts, scatterV: Math.sqrt(Math.max(1e-6, squares / Math.max(1, degrees) - fall)) };
}

/** Where on the curve a rest voltage lies. Undefined outside of what the curve has seen. */
export function placeOnCurve({ out, volts }: Knots, restV: number): { out: number; slopeV: number } | undefined {
  const at = volts.findIndex((knot) => knot <= restV);
  if (at <= 0) return undefined;
  const [highV = 0, lowV = 0, before = 0, after = 0] = [volts[at - 1], volts[at], out[at - 1], out[at]];
  const step = after - before;
  const place = highV > lowV ? before + (step * (highV - restV)) / (highV - lowV) : (before + after) / 2;
  return { out: place, slopeV: Math.max(1e-4, (highV - lowV) / Math.max(1e-6, step)) };
}

/** Capacity as a share of the rated one, by the table of the kind alone; for a battery whose youth nobody saw. */
export function capacityByTable(
  point: { readonly out: number; readonly restV: number },
  spec: BatterySpec,
): { value: number; weight: number } | undefined {
  const { charge, slopeV } = chargeAtRest(spec.chemistry, point.restV);
  const gone = 1 - charge;
  if (gone < 0.25) return undefined;
  const value = point.out / gone;
  return value > 0.1 && value < 2 ? { value, weight: (gone * Math.min(1, slopeV / 0.15)) ** 2 } : undefined;
}
