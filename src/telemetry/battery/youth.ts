import { combineEvidence, type Evidence, type TrendState } from "../../learning/learning.ts";
import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import type { Memory } from "./memory.ts";

/** How loss grows with time, between the root of calendar ageing and the straight line of use. */
const FADE_POWER = 0.75;
/** Capacity of a battery whose age is unknown, as a share of the rated one. */
const WHEN_UNKNOWN: Evidence = { value: 0.88, variance: 0.12 ** 2 };
/** What emptying tells, however often: sensors' gains and the charge left at the cut-off stay what they are. */
const EMPTYING_ERROR = 0.05;
/** Electrodes do not age in step, so the curve bends with the loss: what is lost is known to this share of it. */
const BEND_ERROR = 0.1;

/** The trend as a state of health: of the capacity when new, or of the rated one for a battery of unknown age. */
export function scaledTrend(memory: Memory, spec: BatterySpec, bornNew: boolean): TrendState {
  const young = youngCapacity(memory, spec, bornNew);
  const trend = memory.trend ?? { level: 1, slope: 0, levelVariance: 1, slopeVariance: 1, covariance: 0 };
  const scale = young.value * young.value;
  return {
    level: young.value * trend.level,
    slope: young.value * trend.slope,
    levelVariance:
      scale * (trend.levelVariance + memory.steadyVariance + (BEND_ERROR * (1 - trend.level)) ** 2) +
      young.variance * trend.level ** 2,
    slopeVariance: scale * trend.slopeVariance,
    covariance: scale * trend.covariance,
  };
}

/**
 * The capacity that the battery had while its curve was learned: of one seen from new, as a share of its own when new, which is
 * known well; of any other, as a share of the rated one, which only the absolute measures tell, and those are rough.
 */
function youngCapacity(memory: Memory, spec: BatterySpec, bornNew: boolean): Evidence {
  if (bornNew) {
    const young = whenYoung(memory.weeks - memory.weeksSince - memory.learnedWeeks / 2);
    return combineEvidence([young, ...fadeTakenBack(memory)]) ?? young;
  }
  const read = ({ weight, sum }: Memory["byTable"], error: number): readonly Evidence[] =>
    weight > 0 ? [{ value: sum / weight, variance: 1 / weight + error ** 2 }] : [];
  const opinions = [
    WHEN_UNKNOWN,
    ...read(memory.byTable, CHEMISTRY_FACTS[spec.chemistry].tableError),
    ...read(memory.byEmptying, EMPTYING_ERROR),
  ];
  return combineEvidence(opinions) ?? WHEN_UNKNOWN;
}

/**
 * What was lost before and while the curve was learned, from what was lost since: loss grows with time to a power between a half
 * (calendar: Naumann et al. 2018) and one (use), here three quarters. With L lost now and the share of time to that power
 * gone by in the middle of youth ρ, the level relative to youth is (1 − L) / (1 − ρL), which gives L.
 */
function fadeTakenBack({ trend, weeks, learnedWeeks, weeksSince, fallenTotal }: Memory): readonly Evidence[] {
  if (trend === undefined || weeksSince < learnedWeeks) return [];
  const rho = ((weeks - weeksSince - learnedWeeks / 2) / weeks) ** FADE_POWER;
  const level = Math.min(1, trend.level + fallenTotal);
  const lost = (rho * (1 - level)) / (1 - rho * level);
  const spread = (rho / (1 - rho)) ** 2 * trend.levelVariance + (lost / 2) ** 2;
  return [{ value: Math.max(0.75, 1 - lost), variance: spread + 0.005 ** 2 }];
}

/**
 * What a new battery has left after some weeks, when nothing else is known. Loss begins with the root of time: a fifth in eight
 * years at 25 °C and twice that speed in a hot hut are 1.4 % times the root of the weeks; give or take half of it.
 */
function whenYoung(weeks: number): Evidence {
  const lost = 0.2 * Math.sqrt((2 * weeks) / (8 * 52));
  return { value: 1 - lost, variance: (lost / 2) ** 2 + 0.005 ** 2 };
}
