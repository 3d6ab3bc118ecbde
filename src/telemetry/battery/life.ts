import { CHEMISTRY_FACTS, type BatterySpec } from "./chemistry-facts.ts";
import type { WeekOfBattery } from "./health.ts";
import { GAP_MS_MAX, type Sample } from "./samples.ts";
import { equivalentCycles } from "./strain.ts";

/** What happened to a battery over its life, and what its weeks are like lately; plain numbers, stored between weeks. */
export interface Life {
  readonly weeks: number;
  readonly cycles: number;
  readonly deepDischarges: number;
  /** Hours with a temperature, and the same weighed by how much faster batteries age at it than at 25 °C. */
  readonly heatHours: number;
  readonly heatWeightedHours: number;
  readonly lately: Habits | undefined;
  /** The same in its first weeks. */
  readonly young: Habits | undefined;
  /** The week in which a cell or string was lost, once one was. */
  readonly cellLostWeek: number | undefined;
}

/** Means of a week, or of some weeks. Undefined: not told. */
export interface Habits {
  readonly fullsPerWeek: number;
  readonly hoursToFull: number | undefined;
  readonly panelAhPerDay: number | undefined;
  readonly useAhPerDay: number | undefined;
  /** Share of the samples at the cut-off or little above: once the load is off, the voltage rises again. */
  readonly emptyShare: number;
  /** Mean volts of a cell while little flows out. */
  readonly calmCellV: number | undefined;
  readonly ageingFactor: number | undefined;
  /** 1 where the current's sensor contradicts everything else; between weeks, how often. */
  readonly sensorDoubt: number;
}

export const BLANK_LIFE: Life = {
  weeks: 0,
  cycles: 0,
  deepDischarges: 0,
  heatHours: 0,
  heatWeightedHours: 0,
  lately: undefined,
  young: undefined,
  cellLostWeek: undefined,
};

const HOUR_MS = 3_600_000;
/** The last six weeks or so. */
const LATELY = 1 / 6;
const YOUNG_WEEKS = 8;
const SAMPLES_LEAST = 24;
const NEARLY_EMPTY = 1.03;
/** A fall of an eighth from one week to the next is no wear: worn batteries need a year for it. */
const SUDDEN_LOSS = 0.125;
/** A shorted cell takes its whole share of the voltage; most of it is enough to be sure. */
const CELL_GONE = 0.6;

/** Adds a week to a life. A week with hardly any sample changes nothing but its count. */
export function addWeek(life: Life, week: WeekOfBattery, spec: BatterySpec): Life {
  const { counted, heat, samples } = week;
  const habits = samples.length < SAMPLES_LEAST ? undefined : measureHabits(week, spec);
  const weeks = life.weeks + 1;
  const lately = habits === undefined ? life.lately : blendHabits(life.lately, habits, Math.max(LATELY, 1 / weeks));
  const young = weeks <= YOUNG_WEEKS ? lately : life.young;
  const suddenly = week.memory.fallenBy >= SUDDEN_LOSS;
  const shorted =
    spec.chemistry === "lead_acid" &&
    habits?.calmCellV !== undefined &&
    young?.calmCellV !== undefined &&
    young.calmCellV - habits.calmCellV > (CELL_GONE * young.calmCellV) / spec.cells;
  return {
    weeks,
    cycles: life.cycles + equivalentCycles(counted.outAh, spec.ratedAh),
    deepDischarges: life.deepDischarges + counted.deepDischarges,
    heatHours: life.heatHours + heat.hours,
    heatWeightedHours: life.heatWeightedHours + heat.weightedHours,
    lately,
    young,
    cellLostWeek: life.cellLostWeek ?? (suddenly || shorted ? weeks : undefined),
  };
}

function measureHabits({ samples, counted, heat }: WeekOfBattery, spec: BatterySpec): Habits {
  const facts = CHEMISTRY_FACTS[spec.chemistry];
  const lowV = NEARLY_EMPTY * facts.emptyV * spec.cells;
  let [panelAh, useAh, hours, calm, calmV, empty] = [0, 0, 0, 0, 0, 0];
  for (const [at, sample] of samples.entries()) {
    const passed = Math.min(GAP_MS_MAX, sample.atMs - (samples[at - 1]?.atMs ?? sample.atMs)) / HOUR_MS;
    hours += passed;
    panelAh += sample.panelA * passed;
    useAh += sample.loadA * passed;
    if (sample.volts <= lowV) empty += 1;
    if (sample.amperes <= 0 && sample.amperes > -0.05 * spec.ratedAh) {
      calm += 1;
      calmV += sample.volts / spec.cells;
    }
  }
  const weeks = hours / 168;
  const perDay = (ah: number) => (Number.isNaN(ah) || hours < 24 ? undefined : (ah * 24) / hours);
  return {
    fullsPerWeek: weeks > 0 ? counted.fullAtMs.length / weeks : 0,
    hoursToFull:
      counted.hoursToFull.length === 0
        ? undefined
        : counted.hoursToFull.reduce((sum, value) => sum + value, 0) / counted.hoursToFull.length,
    panelAhPerDay: perDay(panelAh),
    useAhPerDay: perDay(useAh),
    emptyShare: empty / samples.length,
    calmCellV: calm >= 10 ? calmV / calm : undefined,
    ageingFactor: heat.hours > 0 ? heat.weightedHours / heat.hours : undefined,
    sensorDoubt: contradicts(samples, spec) ? 1 : 0,
  };
}

/** How far the battery's current follows what panel and load leave for it: 1 where sensors agree. */
const AGREEMENT = [0.6, 1.6] as const;

/**
 * The current's sensor stands still while the voltage moves, or says something else than panel and load do together: by
 * least squares through the origin, battery current over (panel − load).
 */
function contradicts(samples: readonly Sample[], spec: BatterySpec): boolean {
  const values = new Set(samples.map(({ amperes }) => amperes));
  const volts = samples.map((sample) => sample.volts);
  const moved = (Math.max(...volts) - Math.min(...volts)) / (Math.min(...volts) + 0.1);
  if (values.size <= 2 && moved > 0.02) return true;
  let [together, square] = [0, 0];
  for (const { amperes, panelA, loadA } of samples) {
    const left = panelA - loadA;
    if (!Number.isFinite(left)) continue;
    together += left * amperes;
    square += left * left;
  }
  if (!(square > samples.length * (0.02 * spec.ratedAh) ** 2)) return false;
  const slope = together / square;
  return slope < AGREEMENT[0] || slope > AGREEMENT[1];
}

function blendHabits(before: Habits | undefined, seen: Habits, weight: number): Habits {
  if (before === undefined) return seen;
  const blend = (old: number, now: number): number => old + weight * (now - old);
  const maybe = (old: number | undefined, now: number | undefined): number | undefined =>
    old === undefined || now === undefined ? (now ?? old) : blend(old, now);
  return {
    fullsPerWeek: blend(before.fullsPerWeek, seen.fullsPerWeek),
    hoursToFull: maybe(before.hoursToFull, seen.hoursToFull),
    panelAhPerDay: maybe(before.panelAhPerDay, seen.panelAhPerDay),
    useAhPerDay: maybe(before.useAhPerDay, seen.useAhPerDay),
    emptyShare: blend(before.emptyShare, seen.emptyShare),
    calmCellV: maybe(before.calmCellV, seen.calmCellV),
    ageingFactor: maybe(before.ageingFactor, seen.ageingFactor),
    sensorDoubt: blend(before.sensorDoubt, seen.sensorDoubt),
  };
}
