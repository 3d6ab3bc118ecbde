import { combineEvidence, filterTrend, type Evidence } from "../../learning/learning.ts";
import { absoluteByEmptying, absoluteByTable, relativeCapacity } from "./capacity.ts";
import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import { countCharge, type Counted } from "./counting.ts";
import { learnCurve, readCurve, restPoints, type RestPoint } from "./curve.ts";
import { forecastEndOfLife, SLOPE_WANDER, type EndOfLifeForecast } from "./forecast.ts";
import type { Memory } from "./memory.ts";
import { measureResistance } from "./resistance.ts";
import { cleanSamples, type Sample } from "./samples.ts";
import { measureHeat, type HeatExposure } from "./strain.ts";
import { scaledTrend } from "./youth.ts";

/**
 * Capacity now over the one when new (of a battery whose youth nobody saw: over the rated one), with the bounds between which it
 * lies with a probability of 90 percent.
 */
export interface StateOfHealth {
  readonly share: number;
  readonly least: number;
  readonly most: number;
}

export interface WeekOfBattery {
  readonly memory: Memory;
  /** What is known at the end of the week; undefined where there is not enough evidence, for the reason in `lacking`. */
  readonly health: StateOfHealth | undefined;
  readonly lacking:
    "no_readings" | "never_full" | "too_few_discharges" | "still_learning" | "too_unsure" | "sensor_broken" | undefined;
  readonly forecast: EndOfLifeForecast | undefined;
  readonly counted: Counted;
  readonly heat: HeatExposure;
  readonly samples: readonly Sample[];
  readonly impossible: number;
  /** Resistance at 25 °C now, over the one in youth. */
  readonly resistanceGrowth: number | undefined;
}

const LEARNING_NIGHTS = 20;
const LEARNING_WEEKS = 4;
const SEEN_WEEKS_LEAST = 4;
/** Wider than this to either side, an interval does not keep five points nine times in ten. */
const HALF_WIDTH_MAX = 0.05;
/** A forecast carries its own doubt, so it is made from a wider one. */
const FORECAST_HALF_WIDTH_MAX = 0.1;
const Z_90 = 1.645;
const LEVEL_WANDER = 0.002;
/** A year takes some eight percent, give or take sixteen: batteries of homes last half a year to ten years. */
const USUAL_SLOPE = -0.0015;
const USUAL_SLOPE_ERROR = 0.003;
const STALE_WEEKS = 3;
const FALL_LEAST = 0.08;
const FALL_DEVIATIONS = 3;
/** Volts of a cell by which the sag, the meter's drift and hysteresis leave a rest voltage wrong for good. */
const STEADY_ERROR_V = 0.0015;
/** Full may come to mean another charge as a battery ages: by this share of the error of one night. */
const STEADY_FULL_SHARE = 0.25;
/** Deviation of a resistance's growth over a life, as a share. */
const USUAL_GROWTH = 0.6;

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
  const foreseeable = health !== undefined && (health.most - health.least) / 2 <= FORECAST_HALF_WIDTH_MAX;
  const young = memory.youngResistance;
  return {
    memory,
    health: enough ? health : undefined,
    lacking: enough ? undefined : (lacking ?? "too_unsure"),
    forecast: foreseeable ? forecastEndOfLife(scaledTrend(memory, spec, bornNew)) : undefined,
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
  const points = restPoints(counted.points, spec);
  const nights = new Set(points.map(({ night }) => night)).size;
  const shared = {
    ...before,
    weeks: before.weeks + 1,
    nights: before.nights + nights,
    resistance: blend(before.resistance, seen),
    carry: counted.carry,
  };
  if (before.trend === undefined) return learn(before, shared, { seen, points, nights, spec, counted });
  const knots = readCurve(before.curve, youngOhm(before) / spec.cells);
  const cellOhm = presentOhm(shared) / spec.cells;
  const relative = knots === undefined ? undefined : relativeCapacity(points, { knots, cellOhm, spec });
  const steady =
    knots === undefined || relative === undefined
      ? undefined
      : steadyError(points, relative.value, { knots, cellOhm, spec });
  const { fallenWeeks, fallenBy } = watchFall(before, relative);
  // A fall that is believed opens the level to what is seen now: an intervention, as Harvey 1989 calls it.
  const wander = { level: LEVEL_WANDER ** 2 + fallenBy ** 2, slope: SLOPE_WANDER ** 2 };
  const trend = filterTrend(before.trend, relative, wander);
  return {
    ...shared,
    ...absolute(before, counted, { level: trend.level, points, cellOhm, spec }),
    trend,
    steadyVariance:
      steady === undefined
        ? before.steadyVariance
        : before.steadyVariance + (steady - before.steadyVariance) / Math.min(12, before.seenWeeks + 1),
    fallenWeeks,
    fallenBy,
    fallenTotal: before.fallenTotal + fallenBy,
    weeksSince: before.weeksSince + 1,
    seenWeeks: before.seenWeeks + (relative === undefined ? 0 : 1),
    unseenWeeks: relative === undefined ? before.unseenWeeks + 1 : 0,
  };
}

/** One bad week is a bad week; a second one in a row as far below what was expected is a fall. */
function watchFall(
  { trend, fallenWeeks }: Memory,
  seen: Evidence | undefined,
): Pick<Memory, "fallenWeeks" | "fallenBy"> {
  if (trend === undefined || seen === undefined) return { fallenWeeks, fallenBy: 0 };
  const below = trend.level + trend.slope - seen.value;
  const far = below > Math.max(FALL_LEAST, FALL_DEVIATIONS * Math.sqrt(trend.levelVariance + seen.variance));
  if (!far) return { fallenWeeks: 0, fallenBy: 0 };
  return fallenWeeks >= 1 ? { fallenWeeks: 0, fallenBy: below } : { fallenWeeks: 1, fallenBy: 0 };
}

/**
 * What the level would be off by an error that stays the same week after week, so that more weeks do not lessen it: the ratio is
 * worked out again with all voltages, and then all counts, a little wrong.
 */
function steadyError(
  points: readonly RestPoint[],
  ratio: number,
  by: Parameters<typeof relativeCapacity>[1],
): number | undefined {
  const fullError = STEADY_FULL_SHARE * CHEMISTRY_FACTS[by.spec.chemistry].fullError;
  const lowered = relativeCapacity(
    points.map((point) => ({ ...point, cellV: point.cellV - STEADY_ERROR_V })),
    by,
  );
  const short = relativeCapacity(
    points.map((point) => ({ ...point, out: point.out + fullError })),
    by,
  );
  return lowered && short && (lowered.value - ratio) ** 2 + (short.value - ratio) ** 2;
}

/** A week of youth: the curve and the resistance are learned, until both are known well enough to compare with. */
function learn(
  before: Memory,
  shared: Memory,
  week: {
    readonly seen: Evidence | undefined;
    readonly points: readonly RestPoint[];
    readonly nights: number;
    readonly spec: BatterySpec;
    readonly counted: Counted;
  },
): Memory {
  const { seen, points, nights, spec, counted } = week;
  const curve = learnCurve(before.curve, points);
  const learnedNights = before.learnedNights + nights;
  const learnedWeeks = learnedNights > 0 ? before.learnedWeeks + 1 : 0;
  const { count, sum } = before.youngResistance;
  const youngResistance = seen === undefined ? before.youngResistance : { count: count + 1, sum: sum + seen.value };
  const cellOhm = youngOhm({ youngResistance }) / spec.cells;
  const closed =
    learnedNights >= LEARNING_NIGHTS && learnedWeeks >= LEARNING_WEEKS && readCurve(curve, cellOhm) !== undefined;
  const slopeVariance = USUAL_SLOPE_ERROR ** 2;
  return {
    ...shared,
    ...absolute(before, counted, { level: 1, points, cellOhm, spec }),
    curve,
    learnedNights,
    learnedWeeks,
    youngResistance,
    // The curve tells the middle of its weeks; since then the usual slope went on.
    trend: closed
      ? {
          level: 1 + (USUAL_SLOPE * learnedWeeks) / 2,
          slope: USUAL_SLOPE,
          levelVariance: 0.01 ** 2 + (slopeVariance * learnedWeeks ** 2) / 4,
          slopeVariance,
          covariance: (slopeVariance * learnedWeeks) / 2,
        }
      : undefined,
  };
}

/** The mean of the first weeks, at 25 °C; zero where no week could tell. */
function youngOhm({ youngResistance: { count, sum } }: Pick<Memory, "youngResistance">): number {
  return count === 0 ? 0 : sum / count;
}

/** Resistance now: what was seen lately, held to youth by how far resistances usually come. */
function presentOhm(memory: Memory): number {
  const young = youngOhm(memory);
  const usual = young === 0 ? [] : [{ value: young, variance: (USUAL_GROWTH * young) ** 2 }];
  return combineEvidence([...usual, ...(memory.resistance === undefined ? [] : [memory.resistance])])?.value ?? 0;
}

/** A resistance follows slowly: a quarter of a year or so. */
function blend(before: Evidence | undefined, seen: Evidence | undefined): Evidence | undefined {
  if (seen === undefined || before === undefined) return seen ?? before;
  return combineEvidence([{ ...before, variance: before.variance * 1.08 }, seen]);
}

/** Adds what the absolute measures of this week say about the capacity in youth, given how much is left of it. */
function absolute(
  before: Memory,
  counted: Counted,
  {
    level,
    points,
    cellOhm,
    spec,
  }: {
    readonly level: number;
    readonly points: readonly RestPoint[];
    readonly cellOhm: number;
    readonly spec: BatterySpec;
  },
): Pick<Memory, "byTable" | "byEmptying"> {
  const add = (sums: Memory["byTable"], seen: Evidence | undefined) =>
    seen === undefined
      ? sums
      : { weight: sums.weight + 1 / seen.variance, sum: sums.sum + seen.value / level / seen.variance };
  return {
    byTable: add(before.byTable, absoluteByTable(points, cellOhm, spec)),
    byEmptying: add(before.byEmptying, absoluteByEmptying(counted)),
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
