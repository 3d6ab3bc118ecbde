/** Holds what is stored against what the devices know. Pure: the same input gives the same findings. */
import type { Check } from "../reconcile.ts";
import { keyOf, type Told } from "./told.ts";

/** A reading as PostgreSQL or history holds it, with enough of its values to notice that two were mixed. */
export interface StoredReading {
  readonly serial: string;
  readonly atMs: number;
  readonly batch: string;
  /** Wh; an empty text where the device told none. */
  readonly energyIn: string;
  readonly batteryVoltageV: number | null;
}

/** What history's rollup says of an hour or a UTC day of a device. */
export interface RolledUp {
  readonly serial: string;
  readonly startsAtMs: number;
  readonly readings: number;
  readonly batteryVoltageSum: number;
}

export interface Found {
  readings: StoredReading[];
  history: StoredReading[];
  hours: RolledUp[];
  days: RolledUp[];
  /** Readings that the follower's bookmark has still before it, and ranges that are on their way. */
  behind: number;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Sums of the same numbers in another order. */
const SUM_TOLERANCE = 1e-9;

const keyOfReading = ({ serial, atMs }: StoredReading): string => keyOf(serial, atMs);
const textOf = ({ batch, energyIn, batteryVoltageV }: StoredReading): string =>
  `${batch} ${energyIn} ${String(batteryVoltageV)}`;

function countByKey(readings: readonly StoredReading[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const reading of readings) {
    const key = keyOfReading(reading);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

export function compare(found: Found, told: Told): readonly Check[] {
  const stored = countByKey(found.readings);
  const copied = countByKey(found.history);
  const missingIn = (counts: ReadonlyMap<string, number>): readonly string[] =>
    [...told.acknowledged].filter((key) => !counts.has(key));
  const doubledIn = (counts: ReadonlyMap<string, number>): readonly string[] =>
    [...counts].filter(([, count]) => count > 1).map(([key, count]) => `${key} is there ${String(count)} times`);
  return [
    {
      promise: "each acknowledged reading is in PostgreSQL",
      checked: told.acknowledged.size,
      broken: missingIn(stored),
    },
    { promise: "each acknowledged reading is in history", checked: told.acknowledged.size, broken: missingIn(copied) },
    { promise: "no reading is twice in PostgreSQL", checked: found.readings.length, broken: doubledIn(stored) },
    { promise: "no reading is twice in history", checked: found.history.length, broken: doubledIn(copied) },
    {
      promise: "no reading is stored that no device told",
      checked: found.readings.length,
      broken: findInvented(stored, told),
    },
    {
      promise: "history holds what PostgreSQL holds, value by value",
      checked: found.readings.length,
      broken: findDifferences(found),
    },
    {
      promise: "each reading is once in the sums of its hour",
      checked: found.hours.length,
      broken: checkRollup(found.hours, found.readings, HOUR_MS),
    },
    {
      promise: "each reading is once in the sums of its day",
      checked: found.days.length,
      broken: checkRollup(found.days, found.readings, DAY_MS),
    },
    {
      promise: "the follower reached the end",
      checked: 1,
      broken: found.behind === 0 ? [] : [`${String(found.behind)} readings or ranges are left`],
    },
  ];
}

/** A device whose clock was wrong is found at other times, but not more often than it told something then. */
function findInvented(stored: ReadonlyMap<string, number>, { measured, movable }: Told): readonly string[] {
  const strange = Map.groupBy(
    [...stored.keys()].filter((key) => !measured.has(key)),
    (key) => key.slice(0, key.indexOf(" ")),
  );
  return [...strange].flatMap(([serial, keys]) => keys.slice(movable.get(serial) ?? 0));
}

function findDifferences({ readings, history }: Found): readonly string[] {
  const texts = new Map(history.map((reading) => [keyOfReading(reading), textOf(reading)]));
  const broken: string[] = [];
  for (const reading of readings) {
    const key = keyOfReading(reading);
    const there = texts.get(key);
    texts.delete(key);
    if (there === undefined) broken.push(`${key} is not in history`);
    else if (there !== textOf(reading)) broken.push(`${key} is ${textOf(reading)} here and ${there} there`);
  }
  for (const key of texts.keys()) broken.push(`${key} is in history only`);
  return broken;
}

function checkRollup(
  rolled: readonly RolledUp[],
  readings: readonly StoredReading[],
  widthMs: number,
): readonly string[] {
  const due = new Map<string, { readings: number; sum: number }>();
  for (const { serial, atMs, batteryVoltageV } of readings) {
    const key = keyOf(serial, Math.floor(atMs / widthMs) * widthMs);
    const entry = due.get(key) ?? { readings: 0, sum: 0 };
    entry.readings += 1;
    entry.sum += batteryVoltageV ?? 0;
    due.set(key, entry);
  }
  const broken: string[] = [];
  for (const { serial, startsAtMs, readings: count, batteryVoltageSum } of rolled) {
    const key = keyOf(serial, startsAtMs);
    const right = due.get(key);
    due.delete(key);
    if (right === undefined) broken.push(`${key} has sums but no readings`);
    else if (right.readings !== count)
      broken.push(`${key} counts ${String(count)} instead of ${String(right.readings)}`);
    else if (Math.abs(right.sum - batteryVoltageSum) > SUM_TOLERANCE * Math.max(1, Math.abs(right.sum)))
      broken.push(`${key} sums to ${String(batteryVoltageSum)} instead of ${String(right.sum)}`);
  }
  for (const key of due.keys()) broken.push(`${key} has readings but no sums`);
  return broken;
}
