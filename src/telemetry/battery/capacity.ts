import { combineEvidence, mean, type Evidence } from "../../learning/learning.ts";
import type { BatterySpec } from "./chemistry-facts.ts";
import type { Counted } from "./counting.ts";
import { capacityByTable, outAtUsualTemperature, placeOnCurve, restVoltage, type Knots } from "./curve.ts";

/** A moment near rest: charge taken out at 25 °C, and the rest voltage of a cell. */
export interface RestPoint {
  readonly night: number;
  readonly out: number;
  readonly restV: number;
}

/** Full is known to two percent: a taper ends where the charger thinks it does. */
const ANCHOR_ERROR = 0.02;
/** Relaxation, temperature and hysteresis that the sag does not explain, in volts of a cell. */
const REST_ERROR_V = 0.003;
/** Errors that all nights of a week share. */
const WEEK_ERROR = 0.01;

/** The calm moments of a week's discharges. */
export function restPoints({ points }: Counted, ohm25: number, spec: BatterySpec): readonly RestPoint[] {
  return points
    .filter(({ calm }) => calm)
    .map((point) => ({
      night: point.fullAtMs,
      out: outAtUsualTemperature(point, spec),
      restV: restVoltage(point, ohm25, spec),
    }));
}

/**
 * Capacity by partial discharges between anchors, relative to the battery's youth.
 *
 * The same rest voltage means the same charge left, as a share. So where young it took `outThen` from full to come to a
 * voltage and now takes `outNow`, the capacity has become outNow / outThen of what it was (two-point capacity estimation:
 * Plett 2015, section 4.4; Einhorn et al. 2012, IEEE Trans. Industry Applications 48, 736). The rated capacity, the
 * gain of the current's sensor and the chemistry's table all cancel. Each night gives one ratio by weighted least squares
 * over its points; errors within a night are taken as one, and the nights' own scatter counts where it is greater.
 */
export function relativeCapacity(points: readonly RestPoint[], knots: Knots): Evidence | undefined {
  const nights = [...Map.groupBy(points, ({ night }) => night).values()].flatMap((night) => {
    let [together, square, best] = [0, 0, 0];
    for (const { out, restV } of night) {
      const then = placeOnCurve(knots, restV);
      if (then === undefined) continue;
      const error = ANCHOR_ERROR ** 2 + (knots.scatterV ** 2 + REST_ERROR_V ** 2) / then.slopeV ** 2;
      together += (then.out * out) / error;
      square += (then.out * then.out) / error;
      best = Math.max(best, (then.out * then.out) / error);
    }
    return square > 0 ? [{ value: together / square, variance: 1 / best }] : [];
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
export function absoluteByTable(points: readonly RestPoint[], spec: BatterySpec): Evidence | undefined {
  let [total, sum] = [0, 0];
  for (const point of points) {
    const found = capacityByTable(point, spec);
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
