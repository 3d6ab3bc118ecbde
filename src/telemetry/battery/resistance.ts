import type { Evidence } from "../../learning/learning.ts";
import type { DischargePoint } from "./counting.ts";
import type { BatterySpec } from "./chemistry-facts.ts";

const POINTS_LEAST = 12;
/** Resistance falls by about two percent per degree, in all three kinds (Plett 2015, section 2.3; makers' curves). */
const PER_DEGREE = 0.02;
const USUAL_TEMPERATURE_C = 25;

/**
 * Resistance by sag at like states, in ohms of the whole battery at 25 °C.
 *
 * At like charge, a greater current means a lower voltage. Within each discharge, volts are explained by the charge taken
 * out and by the current (least squares with an intercept for each discharge); the current's coefficient is the
 * resistance. With readings minutes to an hour apart it holds the ohmic part and most of the slow polarisation.
 * IEC 61960-3 measures the same with two currents on a bench. Undefined without enough change of current.
 */
export function measureResistance(points: readonly DischargePoint[], spec: BatterySpec): Evidence | undefined {
  const nights = Map.groupBy(points, ({ fullAtMs }) => fullAtMs);
  let [oo, ii, oi, ov, iv, vv, count, warmth, warm] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (const night of nights.values()) {
    if (night.length < 4) continue;
    const middle = (pick: (point: DischargePoint) => number) =>
      night.reduce((sum, point) => sum + pick(point), 0) / night.length;
    const out = middle(({ outShare }) => outShare);
    const amperes = middle((point) => point.amperes);
    const volts = middle(({ cellV }) => cellV);
    for (const point of night) {
      const [o, i, v] = [point.outShare - out, point.amperes - amperes, point.cellV - volts];
      oo += o * o;
      ii += i * i;
      oi += o * i;
      ov += o * v;
      iv += i * v;
      vv += v * v;
      if (!Number.isNaN(point.temperatureC)) {
        warmth += point.temperatureC;
        warm += 1;
      }
    }
    count += night.length;
  }
  const determinant = oo * ii - oi * oi;
  if (count < POINTS_LEAST || !(determinant > 1e-3 * oo * ii) || !(ii > count * (0.005 * spec.ratedAh) ** 2))
    return undefined;
  const cellOhm = (iv * oo - ov * oi) / determinant;
  const perShare = (ov * ii - iv * oi) / determinant;
  const left = Math.max(0, vv - cellOhm * iv - perShare * ov) / Math.max(1, count - nights.size - 2);
  const ohm = cellOhm * spec.cells;
  const factor = Math.exp(PER_DEGREE * ((warm > 0 ? warmth / warm : USUAL_TEMPERATURE_C) - USUAL_TEMPERATURE_C));
  // Neighbouring readings err alike: a quarter of them count as independent.
  const variance = (4 * left * oo * spec.cells * spec.cells) / determinant;
  return ohm > 0 ? { value: ohm * factor, variance: variance * factor * factor } : undefined;
}

/** What a resistance at 25 °C is at another temperature. */
export function resistanceAt(ohm25: number, temperatureC: number): number {
  return Number.isNaN(temperatureC) ? ohm25 : ohm25 * Math.exp(PER_DEGREE * (USUAL_TEMPERATURE_C - temperatureC));
}
