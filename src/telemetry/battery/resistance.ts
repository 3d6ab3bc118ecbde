import type { Evidence } from "../../learning/learning.ts";
import type { DischargePoint } from "./counting.ts";
import type { BatterySpec } from "./chemistry-facts.ts";

const PAIRS_LEAST = 12;
const PAIR_MS_MAX = 70 * 60_000;
/** What a week's value errs by besides noise: other charges, other currents. */
const METHOD_ERROR = 0.1;
/** Resistance falls by about two percent per degree: a round figure of ours between lead's one and lithium's three. */
const PER_DEGREE = 0.02;
const USUAL_TEMPERATURE_C = 25;

/**
 * Resistance by sag at like states, in ohms of the whole battery at 25 °C.
 *
 * From one reading to the next of a discharge, little charge flows and the temperature stays, so what the voltage changes by is
 * the current's doing: dV = resistance · dI + slope · charge taken out, by least squares over a week's pairs. IEC 61960-3
 * measures the same on a bench with two currents. With readings minutes to an hour apart it holds the ohmic part and part of
 * the slow polarisation. Undefined without enough change of current.
 */
export function measureResistance(points: readonly DischargePoint[], spec: BatterySpec): Evidence | undefined {
  let [oo, ii, oi, ov, iv, vv, count, warmth, warm] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (const [at, point] of points.entries()) {
    const last = points[at - 1];
    if (last?.fullAtMs !== point.fullAtMs || point.atMs - last.atMs > PAIR_MS_MAX) continue;
    const [o, i, v] = [point.outShare - last.outShare, point.amperes - last.amperes, point.cellV - last.cellV];
    oo += o * o;
    ii += i * i;
    oi += o * i;
    ov += o * v;
    iv += i * v;
    vv += v * v;
    count += 1;
    if (Number.isNaN(point.temperatureC)) continue;
    warmth += point.temperatureC;
    warm += 1;
  }
  const determinant = oo * ii - oi * oi;
  if (count < PAIRS_LEAST || !(determinant > 1e-3 * oo * ii) || !(ii > count * (0.003 * spec.ratedAh) ** 2))
    return undefined;
  const cellOhm = (iv * oo - ov * oi) / determinant;
  const perShare = (ov * ii - iv * oi) / determinant;
  const left = Math.max(1e-8, vv - cellOhm * iv - perShare * ov) / (count - 2);
  const ohm = cellOhm * spec.cells;
  const factor = Math.exp(PER_DEGREE * ((warm > 0 ? warmth / warm : USUAL_TEMPERATURE_C) - USUAL_TEMPERATURE_C));
  const variance = ((left * oo) / determinant) * spec.cells * spec.cells + (METHOD_ERROR * ohm) ** 2;
  return ohm > 0 ? { value: ohm * factor, variance: variance * factor * factor } : undefined;
}

/** What a resistance at 25 °C is at another temperature. */
export function resistanceAt(ohm25: number, temperatureC: number): number {
  return Number.isNaN(temperatureC) ? ohm25 : ohm25 * Math.exp(PER_DEGREE * (USUAL_TEMPERATURE_C - temperatureC));
}
