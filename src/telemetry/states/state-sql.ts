import { sql, type SQL } from "drizzle-orm";
import { SECOND_MS } from "../../kernel/time.ts";
import { BATTERY_EMPTY_PERCENT, BATTERY_LOW_PERCENT, type BatteryLevel } from "./fleet-device.ts";
import {
  FALLEN_WINDOW_MS,
  INTERVAL_DEFAULT_SECONDS,
  INTERVAL_MAX_SECONDS,
  INTERVAL_MIN_SECONDS,
  LATE,
  lateAfterMs,
  LOST,
  SILENT,
  silentAfterMs,
  type Liveness,
} from "./liveness.ts";

// What `liveness.ts` decides, as SQL over the aliases p (places), s (states) and e (expectations), from the same numbers. A
// test holds the two against each other. Instants are compared with instants, so that no row pays for a subtraction.

/** How many devices' numbers a range holds; a look at one takes some tens of milliseconds. */
export const RANGE_DEVICES = 10_000;

const EXPECTED = sql.raw("left join telemetry.expectations e on e.model = p.model");

export const FLEET_TABLES = sql`telemetry.places p left join telemetry.states s on s.device = p.device ${EXPECTED}`;

/**
 * The same for device numbers from a bound on, and up to another: the planner does not see by itself that what bounds the one
 * table bounds the other, and would join from the first device on.
 */
export function fleetTablesWithin(from: SQL, below?: SQL): SQL {
  const end = below === undefined ? sql`` : sql`and s.device < ${below}`;
  return sql`telemetry.places p left join telemetry.states s on s.device = p.device and s.device >= ${from} ${end} ${EXPECTED}`;
}

/** Which devices a range holds, of the places; to be used with the tables within it. */
export const inRange = (from: SQL, below: SQL): SQL => sql`p.device >= ${from} and p.device < ${below}`;

const INTERVAL = `least(greatest(coalesce(s.interval_seconds, e.interval_seconds, ${INTERVAL_DEFAULT_SECONDS}), ${INTERVAL_MIN_SECONDS}), ${INTERVAL_MAX_SECONDS})`;
export const INTERVAL_SECONDS = sql.raw(INTERVAL);

const LATE_SECONDS = `(${LATE.intervals} * ${INTERVAL} + ${LATE.graceMs / SECOND_MS})`;
const SILENT_SECONDS = `(${SILENT.intervals} * ${INTERVAL} + ${SILENT.graceMs / SECOND_MS})`;
const LOST_SECONDS = `greatest(${LOST.intervals} * ${INTERVAL}, ${LOST.leastMs / SECOND_MS})`;
const FALLEN_SECONDS = `(${SILENT_SECONDS} + ${FALLEN_WINDOW_MS / SECOND_MS})`;

/** How long a device may take to speak, once it can. */
export const LATE_INTERVAL = sql.raw(`${LATE_SECONDS} * interval '1 second'`);

export const instant = (at: Date): SQL => sql`${at.toISOString()}::timestamptz`;

const heardWithin = (now: Date, seconds: string): SQL =>
  sql`s.last_seen_at > ${instant(now)} - ${sql.raw(seconds)} * interval '1 second'`;

export function livenessSql(now: Date): SQL {
  return sql`case when s.device is null then 'never' when ${heardWithin(now, LATE_SECONDS)} then 'alive'
    when ${heardWithin(now, SILENT_SECONDS)} then 'late' when ${heardWithin(now, LOST_SECONDS)} then 'silent' else 'lost' end`;
}

/** The same as a condition, cheap first: few rows are silent for as long as the shortest limit, and only these pay for their own. */
export function hasLiveness(liveness: Liveness, now: Date): SQL {
  const leastMs: Readonly<Record<Liveness, number>> = {
    never: 0,
    alive: 0,
    late: lateAfterMs(INTERVAL_MIN_SECONDS * SECOND_MS),
    silent: silentAfterMs(INTERVAL_MIN_SECONDS * SECOND_MS),
    lost: LOST.leastMs,
  };
  switch (liveness) {
    case "never":
      return sql`s.device is null`;
    case "alive":
      return heardWithin(now, LATE_SECONDS);
    case "late":
    case "silent":
    case "lost":
      return sql`s.last_seen_at <= ${instant(new Date(now.getTime() - leastMs[liveness]))} and ${livenessSql(now)} = ${liveness}`;
  }
}

export function hasBattery(level: BatteryLevel): SQL {
  const percent = "s.battery_charge_percent";
  switch (level) {
    case "unknown":
      return sql.raw(`${percent} is null`);
    case "empty":
      return sql.raw(`${percent} < ${BATTERY_EMPTY_PERCENT}`);
    case "low":
      return sql.raw(`${percent} >= ${BATTERY_EMPTY_PERCENT} and ${percent} < ${BATTERY_LOW_PERCENT}`);
    case "good":
      return sql.raw(`${percent} >= ${BATTERY_LOW_PERCENT}`);
  }
}

export function fallenSql(now: Date): SQL {
  return sql`not ${heardWithin(now, LATE_SECONDS)} and ${heardWithin(now, FALLEN_SECONDS)}`;
}

/** Whether the device's silence has reached this many times its limit, or will within a hundredth of a second. */
export function silentTimesSql(now: Date, times: number): SQL {
  return sql`s.last_seen_at <= ${instant(now)} + interval '10 milliseconds' - ${times}::double precision * ${sql.raw(SILENT_SECONDS)} * interval '1 second'`;
}

export const BATTERY_LEVEL = sql.raw(
  `case when s.battery_charge_percent is null then 'unknown' when s.battery_charge_percent < ${BATTERY_EMPTY_PERCENT} then 'empty'
    when s.battery_charge_percent < ${BATTERY_LOW_PERCENT} then 'low' else 'good' end`,
);

export const TOKEN_BEHIND = sql.raw("s.token_count < p.tokens_issued");
