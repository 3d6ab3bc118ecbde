import { chargeAtRest, CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import type { DischargePoint } from "./counting.ts";
import { resistanceAt } from "./resistance.ts";

/** What is summed of the points of one bin: charge taken out, volts of a cell, amperes (at 25 °C), and their products. */
type Bin = readonly [count: number, out: number, volts: number, amperes: number, vv: number, va: number, aa: number];

/**
 * A battery's own curve: the voltage of a cell over the charge taken out since full, learned while the battery was young.
 * Sums in bins, so that a week's points can be added and then forgotten; the sag is taken off when the curve is read, by the
 * best resistance known then.
 */
export interface Curve {
  readonly bins: readonly Bin[];
}

/** A moment near rest. `out` at 25 °C; `amperes` as if it had that temperature: what gives the same sag. */
export interface RestPoint {
  readonly night: number;
  readonly out: number;
  readonly cellV: number;
  readonly amperes: number;
}

/**
 * The sag of a current that has flowed for an hour, over the one that a change between two readings shows: diffusion adds about
 * as much as half the ohmic part. That it adds something follows from any equivalent circuit (Plett 2015, Battery Management
 * Systems I, chapter 2); how much is a round figure of ours, and differs from cell to cell.
 */
const SETTLED_SAG = 1.5;
const BIN_WIDTH = 0.05;
const BIN_COUNT = 26;
const BIN_LEAST = 3;

export const EMPTY_CURVE: Curve = { bins: Array.from({ length: BIN_COUNT }, () => [0, 0, 0, 0, 0, 0, 0] as const) };

/** The calm moments of discharges. A cold battery seems smaller than it is and sags more; both are taken back to 25 °C. */
export function restPoints(points: readonly DischargePoint[], spec: BatterySpec): readonly RestPoint[] {
  const { coldLossPerC } = CHEMISTRY_FACTS[spec.chemistry];
  return points
    .filter(({ calm }) => calm)
    .map(({ fullAtMs, outShare, cellV, amperes, temperatureC }) => {
      const cold = Number.isNaN(temperatureC) ? 0 : Math.max(0, 25 - temperatureC);
      return {
        night: fullAtMs,
        out: outShare / (1 - coldLossPerC * cold),
        cellV,
        amperes: amperes * SETTLED_SAG * resistanceAt(1, temperatureC),
      };
    });
}

/** Rest voltage of a cell: what was measured, less the sag. Ohms of a cell at 25 °C. */
export function restVoltage({ cellV, amperes }: RestPoint, cellOhm: number): number {
  return cellV - amperes * cellOhm;
}

/** Adds points to the curve. */
export function learnCurve(curve: Curve, points: readonly RestPoint[]): Curve {
  const bins = curve.bins.map((bin) => [...bin] as [number, number, number, number, number, number, number]);
  for (const { out, cellV, amperes } of points) {
    const bin = bins[Math.floor(out / BIN_WIDTH)];
    if (bin === undefined) continue;
    bin[0] += 1;
    bin[1] += out;
    bin[2] += cellV;
    bin[3] += amperes;
    bin[4] += cellV * cellV;
    bin[5] += cellV * amperes;
    bin[6] += amperes * amperes;
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
export function readCurve(curve: Curve, cellOhm: number): Knots | undefined {
  const out: number[] = [];
  const volts: number[] = [];
  let [squares, degrees] = [0, 0];
  for (const [count, sumOut, sumVolts, sumAmperes, vv, va, aa] of curve.bins) {
    if (count < BIN_LEAST) continue;
    const middle = (sumVolts - cellOhm * sumAmperes) / count;
    const sumSquares = vv - 2 * cellOhm * va + cellOhm * cellOhm * aa;
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
