import { combineEvidence, filterTrend, type Evidence, type TrendState } from "../../learning/learning.ts";
import { absoluteByEmptying, absoluteByTable, relativeCapacity, restPoints } from "./capacity.ts";
import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import { countCharge, NOTHING_COUNTED, type Counted, type CountingCarry } from "./counting.ts";
import { EMPTY_CURVE, learnCurve, readCurve, type Curve } from "./curve.ts";
import { forecastEndOfLife, SLOPE_WANDER, type EndOfLifeForecast } from "./forecast.ts";
import { measureResistance } from "./resistance.ts";
import { cleanSamples, type Sample } from "./samples.ts";
import { measureHeat, type HeatExposure } from "./strain.ts";

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
  /** Weeks in which capacity was seen after the curve was closed. */
  readonly seenWeeks: number;
  readonly unseenWeeks: number;
  /** Sums of what the absolute measures said of the capacity in youth, as shares of the rated one. */
  readonly byTable: { readonly weight: number; readonly sum: number };
  readonly byEmptying: { readonly weight: number; readonly sum: number };
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
  seenWeeks: 0,
  unseenWeeks: 0,
  byTable: { weight: 0, sum: 0 },
  byEmptying: { weight: 0, sum: 0 },
  resistance: undefined,
  youngResistance: { count: 0, sum: 0 },
  carry: NOTHING_COUNTED,
};

/** Capacity now over rated capacity, with the bounds between which it lies with a probability of 90 percent. */
export interface StateOfHealth {
  readonly share: number;
  readonly least: number;
  readonly most: number;
}

export interface WeekOfBattery {
  readonly memory: Memory;
  /** What is known at the end of the week; undefined where there is not enough evidence, for the reason in `lacking`. */
  readonly health: StateOfHealth | undefined;
  readonly lacking: "no_readings" | "never_full" | "too_few_discharges" | "still_learning" | "too_unsure" | undefined;
  readonly forecast: EndOfLifeForecast | undefined;
  readonly counted: Counted;
  readonly heat: HeatExposure;
  readonly samples: readonly Sample[];
  readonly impossible: number;
  /** Resistance at 25 °C now, over the one in youth. */
  readonly resistanceGrowth: number | undefined;
}

const LEARNING_NIGHTS = 30;
const LEARNING_WEEKS = 6;
const SEEN_WEEKS_LEAST = 4;
/** Wider than this to either side, an interval helps nobody to decide. */
const HALF_WIDTH_MAX = 0.08;
const Z_90 = 1.645;
const LEVEL_WANDER = 0.0015;
/** A year takes some eight percent, give or take eight: batteries of homes last one to ten years. */
const USUAL_SLOPE = -0.0015;
const USUAL_SLOPE_ERROR = 0.0015;
/** What is left of a new battery's capacity in the middle of its first weeks. */
const WHEN_NEW: Evidence = { value: 0.985, variance: 0.012 ** 2 };
/** Capacity of a battery whose age is unknown, as a share of the rated one. */
const WHEN_UNKNOWN: Evidence = { value: 0.88, variance: 0.12 ** 2 };
/** What emptying tells, however often: sensors' gains and the charge left at the cut-off stay what they are. */
const EMPTYING_ERROR = 0.05;
const STALE_WEEKS = 8;

/**
 * One week of one battery: what was known before, and a week's samples, give what is known after it. Pure, so the same week
 * told again from the same memory gives the same answer.
 *
 * @param bornNew the first weeks seen were the first of the battery's life
 */
export function liveWeek(
  before: Memory,
  { raw, spec, bornNew }: { readonly raw: readonly Sample[]; readonly spec: BatterySpec; readonly bornNew: boolean },
): WeekOfBattery {
  const { samples, impossible } = cleanSamples(raw, spec);
  const counted = countCharge(samples, spec, before.carry);
  const memory = remember(before, counted, spec);
  const health = stateOfHealth(memory, spec, bornNew);
  const lacking = health === undefined ? whatLacks(memory, samples.length) : undefined;
  const enough = health !== undefined && (health.most - health.least) / 2 <= HALF_WIDTH_MAX;
  const young = memory.youngResistance;
  return {
    memory,
    health: enough ? health : undefined,
    lacking: enough ? undefined : (lacking ?? "too_unsure"),
    forecast: enough ? forecastEndOfLife(scaledTrend(memory, spec, bornNew)) : undefined,
    counted,
    heat: measureHeat(samples),
    samples,
    impossible,
    resistanceGrowth:
      memory.resistance === undefined || young.count < 3
        ? undefined
        : memory.resistance.value / (young.sum / young.count),
  };
}

function remember(before: Memory, counted: Counted, spec: BatterySpec): Memory {
  const seen = measureResistance(counted.points, spec);
  const resistance = blend(before.resistance, seen);
  const points = restPoints(counted, resistance?.value ?? 0, spec);
  const nights = new Set(points.map(({ night }) => night)).size;
  const shared = {
    ...before,
    weeks: before.weeks + 1,
    nights: before.nights + nights,
    resistance,
    carry: counted.carry,
  };
  const begun = before.learnedNights + nights > 0;
  const learning = before.trend === undefined;
  if (learning) {
    const level = 1;
    const curve = resistance === undefined ? before.curve : learnCurve(before.curve, points);
    const learnedNights = resistance === undefined ? 0 : before.learnedNights + nights;
    const learnedWeeks = begun ? before.learnedWeeks + 1 : 0;
    const young =
      seen === undefined
        ? before.youngResistance
        : { count: before.youngResistance.count + 1, sum: before.youngResistance.sum + seen.value };
    const closed = learnedNights >= LEARNING_NIGHTS && learnedWeeks >= LEARNING_WEEKS && readCurve(curve) !== undefined;
    return {
      ...shared,
      ...absolute(before, counted, { level, points, spec }),
      curve,
      learnedNights,
      learnedWeeks,
      youngResistance: young,
      trend: closed
        ? {
            // The curve tells the middle of its weeks; since then the usual slope went on.
            level: 1 + (USUAL_SLOPE * learnedWeeks) / 2,
            slope: USUAL_SLOPE,
            levelVariance: 0.01 ** 2 + (USUAL_SLOPE_ERROR * learnedWeeks) ** 2 / 4,
            slopeVariance: USUAL_SLOPE_ERROR ** 2,
            covariance: (USUAL_SLOPE_ERROR ** 2 * learnedWeeks) / 2,
          }
        : undefined,
    };
  }
  const knots = readCurve(before.curve);
  const relative = knots === undefined ? undefined : relativeCapacity(points, knots);
  const trend =
    before.trend && filterTrend(before.trend, relative, { level: LEVEL_WANDER ** 2, slope: SLOPE_WANDER ** 2 });
  const level = trend?.level ?? 1;
  return {
    ...shared,
    ...absolute(before, counted, { level, points, spec }),
    trend,
    seenWeeks: before.seenWeeks + (relative === undefined ? 0 : 1),
    unseenWeeks: relative === undefined ? before.unseenWeeks + 1 : 0,
  };
}

/** A resistance follows slowly: four weeks or so. */
function blend(before: Evidence | undefined, seen: Evidence | undefined): Evidence | undefined {
  if (seen === undefined || before === undefined) return seen ?? before;
  return combineEvidence([{ ...before, variance: before.variance * 1.3 }, seen]);
}

/** Adds what the absolute measures of this week say about the capacity in youth, given how much is left of it. */
function absolute(
  before: Memory,
  counted: Counted,
  { level, points, spec }: { level: number; points: Parameters<typeof absoluteByTable>[0]; spec: BatterySpec },
): Pick<Memory, "byTable" | "byEmptying"> {
  const add = (sums: Memory["byTable"], seen: Evidence | undefined) =>
    seen === undefined
      ? sums
      : { weight: sums.weight + 1 / seen.variance, sum: sums.sum + seen.value / level / seen.variance };
  return {
    byTable: add(before.byTable, absoluteByTable(points, spec)),
    byEmptying: add(before.byEmptying, absoluteByEmptying(counted)),
  };
}

/**
 * The capacity that the battery had while its curve was learned: of one seen from new, as a share of its own when new, which is
 * known well; of any other, as a share of the rated one, which only the absolute measures tell, and those are rough.
 */
function youngCapacity(memory: Memory, spec: BatterySpec, bornNew: boolean): Evidence {
  if (bornNew) return WHEN_NEW;
  const read = ({ weight, sum }: Memory["byTable"], error: number): readonly Evidence[] =>
    weight > 0 ? [{ value: sum / weight, variance: 1 / weight + error ** 2 }] : [];
  const opinions = [
    WHEN_UNKNOWN,
    ...read(memory.byTable, CHEMISTRY_FACTS[spec.chemistry].tableError),
    ...read(memory.byEmptying, EMPTYING_ERROR),
  ];
  return combineEvidence(opinions) ?? WHEN_UNKNOWN;
}

function scaledTrend(memory: Memory, spec: BatterySpec, bornNew: boolean): TrendState {
  const young = youngCapacity(memory, spec, bornNew);
  const trend = memory.trend ?? { level: 1, slope: 0, levelVariance: 1, slopeVariance: 1, covariance: 0 };
  const scale = young.value * young.value;
  return {
    level: young.value * trend.level,
    slope: young.value * trend.slope,
    levelVariance: scale * trend.levelVariance + young.variance * trend.level * trend.level,
    slopeVariance: scale * trend.slopeVariance,
    covariance: scale * trend.covariance,
  };
}

function stateOfHealth(memory: Memory, spec: BatterySpec, bornNew: boolean): StateOfHealth | undefined {
  if (memory.trend === undefined || memory.seenWeeks < SEEN_WEEKS_LEAST || memory.unseenWeeks > STALE_WEEKS)
    return undefined;
  const { level, levelVariance } = scaledTrend(memory, spec, bornNew);
  const reach = Z_90 * Math.sqrt(levelVariance);
  return { share: level, least: Math.max(0, level - reach), most: level + reach };
}

function whatLacks(memory: Memory, samples: number): WeekOfBattery["lacking"] {
  if (samples === 0 && memory.nights === 0) return "no_readings";
  if (memory.carry.count === undefined && memory.nights === 0) return "never_full";
  if (memory.trend === undefined) return memory.nights < memory.weeks ? "too_few_discharges" : "still_learning";
  return memory.seenWeeks < SEEN_WEEKS_LEAST ? "still_learning" : "too_few_discharges";
}
