import { combineEvidence, mean, type Evidence } from "../../learning/learning.ts";
import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import type { Counted } from "./counting.ts";
import { capacityByTable, placeOnCurve, restVoltage, type Knots, type RestPoint } from "./curve.ts";

/** Relaxation, temperature and hysteresis that the sag does not explain, in volts of a cell. */
const REST_ERROR_V = 0.003;
/** Errors that all nights of a week share. */
const WEEK_ERROR = 0.01;
/** What counting itself errs within a night, as a share of the capacity. */
const COUNT_ERROR = 0.01;

/**
 * Capacity by partial discharges between anchors, relative to the battery's youth.
 *
 * The same rest voltage means the same charge left, as a share. So where young it took `outThen` from full to come to a
 * voltage and now takes `outNow`, the capacity has become outNow / outThen of what it was (capacity from two states
 * of charge and the charge between them: Einhorn et al. 2012, IEEE Trans. Industry Applications 48, 736; Plett 2016, Battery
 * Management Systems II). The rated capacity, the
 * gain of the current's sensor and the chemistry's table all cancel.
 *
 * Each night is a line outThen = outNow / ratio + short by weighted least squares (counting is exact beside voltage, so the
 * voltage's side carries the error; the other way round, noise would make every battery look worn), where `short` is what the battery lacked of
 * full when it looked full: it is unknown, but small (a normal prior with the chemistry's `fullError`). Readings of one night err
 * alike, so a night counts as much as two of its points at most; where the nights scatter more than that, their scatter counts.
 */
export function relativeCapacity(
  points: readonly RestPoint[],
  { knots, cellOhm, spec }: { readonly knots: Knots; readonly cellOhm: number; readonly spec: BatterySpec },
): Evidence | undefined {
  const { fullError } = CHEMISTRY_FACTS[spec.chemistry];
  const nights = [...Map.groupBy(points, ({ night }) => night).values()].flatMap((night) => {
    let [ones, outs, squares, thens, products, count] = [0, 0, 0, 0, 0, 0];
    for (const point of night) {
      const then = placeOnCurve(knots, restVoltage(point, cellOhm));
      if (then === undefined) continue;
      const weight = 1 / (COUNT_ERROR ** 2 + (knots.scatterV ** 2 + REST_ERROR_V ** 2) / then.slopeV ** 2);
      ones += weight;
      outs += weight * point.out;
      squares += weight * point.out * point.out;
      thens += weight * then.out;
      products += weight * then.out * point.out;
      count += 1;
    }
    if (count === 0) return [];
    // Normal equations of (1 / ratio, short) with the prior on `short`, the points' weights lowered to those of two.
    const lower = Math.min(1, 2 / count);
    const [a, b, d] = [lower * squares, lower * outs, lower * ones + 1 / fullError ** 2];
    const determinant = a * d - b * b;
    if (!(determinant > 0)) return [];
    const inverse = (lower * products * d - b * lower * thens) / determinant;
    if (!(inverse > 0.3)) return [];
    return [{ value: 1 / inverse, variance: d / determinant / inverse ** 4 }];
  });
  return ofWeek(nights);
}

function ofWeek(nights: readonly Evidence[]): Evidence | undefined {
  const combined = combineEvidence(nights);
  if (combined === undefined) return undefined;
  const scatter =
    nights.length < 3
      ? 0
      : nights.reduce((sum, { value }) => sum + (value - combined.value) ** 2, 0) / (nights.length - 1) / nights.length;
  return { value: combined.value, variance: Math.max(combined.variance, scatter) + WEEK_ERROR ** 2 };
}

/** Capacity as a share of the rated one, by the kind's table: rough, but it needs no youth. One value a week. */
export function absoluteByTable(
  points: readonly RestPoint[],
  cellOhm: number,
  spec: BatterySpec,
): Evidence | undefined {
  let [total, sum] = [0, 0];
  for (const point of points) {
    const found = capacityByTable({ out: point.out, restV: restVoltage(point, cellOhm) }, spec);
    if (found === undefined) continue;
    total += found.weight;
    sum += found.weight * found.value;
  }
  return total > 0 ? { value: sum / total, variance: 0.01 / Math.min(total, 7) } : undefined;
}

/** Capacity as a share of the rated one, by discharges from full to the cut-off (IEC 60896-11 discharges to a voltage, too). */
export function absoluteByEmptying({ emptied }: Counted): Evidence | undefined {
  const found = emptied.map(({ outShare }) => outShare).filter((share) => share > 0.1 && share < 1.6);
  return found.length === 0 ? undefined : { value: mean(found), variance: 0.05 ** 2 / found.length };
}
