import { FAILING_SOON } from "../../src/telemetry/battery/battery.queries.ts";
import { quantile } from "../../src/learning/learning.ts";
import type { JudgedBattery, JudgedWeek } from "./fleet.ts";

/** How the field method did on a fleet whose truth is known. */
export interface FleetScore {
  readonly batteries: number;
  readonly withEvidence: number;
  readonly ended: number;
  /** How many states of health stood in the quarterly looks at the fleet … */
  readonly looks: number;
  /** … and the share of those within five points of the truth. */
  readonly looksWithin5: number;
  /** The share of batteries whose very last one was: most are then falling towards their replacement, faster than ever before. */
  readonly lastWithin5: number;
  /** The same over all their weeks. */
  readonly weeksWithin5: number;
  readonly error90: number;
  readonly covered: number;
  readonly list: ListScore;
  readonly first: ListScore & { readonly late: number; readonly early: number };
  readonly byChemistry: readonly {
    readonly chemistry: string;
    readonly batteries: number;
    readonly withEvidence: number;
    readonly looksWithin5: number;
  }[];
}

export interface ListScore {
  readonly right: number;
  readonly wrong: number;
  readonly missed: number;
  readonly precision: number;
  readonly recall: number;
}

const AHEAD_WEEKS = 8;
const END = 0.8;
/** A fleet is looked at once a quarter: neighbouring weeks of one battery are one piece of evidence. */
const LOOK_WEEKS = 13;
/** A first warning is right when the end comes eight weeks to a year after it. */
const FIRST_WEEKS_MAX = 52;

const close = ({ said, truth }: JudgedWeek): boolean => said !== undefined && Math.abs(said - truth) <= 0.05;
const told = ({ weeks }: JudgedBattery): readonly JudgedWeek[] => weeks.filter(({ said }) => said !== undefined);
const share = (values: readonly boolean[]): number => values.filter(Boolean).length / Math.max(1, values.length);

export function scoreFleet(fleet: readonly JudgedBattery[]): FleetScore {
  const known = fleet.filter((battery) => told(battery).length > 0);
  const weeks = known.flatMap((battery) => told(battery));
  const looks = (batteries: readonly JudgedBattery[]): readonly boolean[] =>
    batteries.flatMap((battery) =>
      told(battery)
        .filter(({ week }) => week % LOOK_WEEKS === LOOK_WEEKS - 1)
        .map(close),
    );
  const last = known.flatMap((battery) => told(battery).at(-1) ?? []);
  return {
    batteries: fleet.length,
    withEvidence: known.length,
    ended: fleet.filter(({ endedWeek }) => endedWeek !== undefined).length,
    looks: looks(known).length,
    looksWithin5: share(looks(known)),
    lastWithin5: share(last.map(close)),
    weeksWithin5: share(weeks.map(close)),
    error90: quantile(
      weeks.map(({ said = 0, truth }) => Math.abs(said - truth)),
      0.9,
    ),
    covered: share(weeks.map(({ least = 0, most = 0, truth }) => least <= truth && truth <= most)),
    list: scoreList(fleet),
    first: scoreFirstWarnings(fleet),
    byChemistry: [...Map.groupBy(fleet, ({ chemistry }) => chemistry)].map(([chemistry, batteries]) => ({
      chemistry,
      batteries: batteries.length,
      withEvidence: batteries.filter((battery) => told(battery).length > 0).length,
      looksWithin5: share(looks(batteries)),
    })),
  };
}

/**
 * The list of batteries to visit: each week, those that will be below their end of life eight weeks from now. Right: it is so
 * then. Every battery counts that was not replaced, those already below included, since nobody but the method knows them;
 * a battery without a forecast counts as missed.
 */
function scoreList(fleet: readonly JudgedBattery[]): ListScore {
  let [right, wrong, missed] = [0, 0, 0];
  for (const { weeks } of fleet)
    for (const [at, { within8 = 0 }] of weeks.entries()) {
      const then = weeks[at + AHEAD_WEEKS] ?? (replaced(weeks) ? weeks.at(-1) : undefined);
      if (then === undefined) continue;
      const [ended, listed] = [then.truth < END, within8 >= FAILING_SOON];
      if (ended && listed) right += 1;
      else if (listed) wrong += 1;
      else if (ended) missed += 1;
    }
  return {
    right,
    wrong,
    missed,
    precision: right / Math.max(1, right + wrong),
    recall: right / Math.max(1, right + missed),
  };
}

/** It ended the run early because it was worn far beyond its end. */
function replaced(weeks: readonly JudgedWeek[]): boolean {
  return (weeks.at(-1)?.truth ?? 1) < 0.6;
}

/**
 * The strictest reading: the first warning of each battery, right only when its end comes eight weeks to a year later. A loss of
 * capacity of some two tenths of a percent a week and an error of two or three percent leave the week of an end unsure by
 * months, so this is shown and not promised.
 */
function scoreFirstWarnings(fleet: readonly JudgedBattery[]): FleetScore["first"] {
  let [right, early, late, silent, never] = [0, 0, 0, 0, 0];
  for (const { weeks, endedWeek } of fleet) {
    const warned = weeks.find(({ within26 = 0 }) => within26 >= FAILING_SOON)?.week;
    const last = weeks.at(-1)?.week ?? 0;
    if (warned === undefined) silent += endedWeek === undefined ? 0 : 1;
    else if (endedWeek === undefined) never += last - warned >= FIRST_WEEKS_MAX ? 1 : 0;
    else if (endedWeek - warned < AHEAD_WEEKS) late += 1;
    else if (endedWeek - warned > FIRST_WEEKS_MAX) early += 1;
    else right += 1;
  }
  const [wrong, missed] = [early + never, silent + late + early];
  const precision = right / Math.max(1, right + wrong);
  return { right, wrong, missed, late, early, precision, recall: right / Math.max(1, right + missed) };
}
