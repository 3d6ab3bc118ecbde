import { DAY_MS } from "../../src/kernel/time.ts";
import type { RollupQueries } from "../../src/telemetry/history/rollup.queries.ts";
import type { SeriesQueries } from "../../src/telemetry/history/series.queries.ts";
import { READINGS_A_DAY } from "./rows.ts";

export type Answer = readonly (readonly (number | null)[])[];

/** The program's own functions on what was loaded; `series` answers from PostgreSQL, which holds all days here. */
export interface Program {
  readonly rollups: RollupQueries;
  readonly series: SeriesQueries | undefined;
}

/**
 * The six questions, in each engine's own words; `{device}` stands for a device, another one each time. `scan`: history must be
 * near the fastest; `operational`: PostgreSQL must be quick.
 */
export interface Question {
  readonly name: string;
  readonly kind: "scan" | "operational";
  readonly postgres: string;
  readonly duckdb: string;
  /** On the readings themselves. */
  readonly history: string;
  /** The same on the rollup, where one answers. */
  readonly rollup?: string;
  /** As the program asks it, through its own function; undefined where what that needs was left out. */
  readonly program?: (program: Program, device: number) => Promise<Answer> | undefined;
  /** The program answers by a finer rule (what flows overnight belongs to a day too), so its numbers are its own. */
  readonly isOwnRule?: boolean;
}

const at = (day: number): string => new Date(Date.UTC(2026, 0, 1 + day)).toISOString().slice(0, 10);
const instant = (day: number): string => `timestamptz '${at(day)} 00:00:00+00'`;
const utc = (day: number): string => `toDateTime64('${at(day)} 00:00:00', 3, 'UTC')`;
const naive = (day: number): string => `timestamp '${at(day)} 00:00:00'`;
const dayMs = (day: number): number => Date.UTC(2026, 0, 1) + day * DAY_MS;
const READINGS = "telemetry.readings";

/** Rows are the same everywhere: numbers in the same order, so that answers can be compared. */
export function questionsOf(days: number): readonly Question[] {
  const [day, month, week] = [days - 20, days - 40, days - 10];
  return [
    {
      name: "daily energy of all meters, one day",
      kind: "scan",
      postgres: `select device, max(energy_out_wh) - min(energy_out_wh) from ${READINGS} where at >= ${instant(day)} and at < ${instant(day + 1)} group by device order by device`,
      duckdb: `select device, max(energy_out_wh) - min(energy_out_wh) from readings where at >= ${naive(day)} and at < ${naive(day + 1)} group by device order by device`,
      history: `select device, max(energy_out_wh) - min(energy_out_wh) from {readings} where at >= ${utc(day)} and at < ${utc(day + 1)} group by device order by device`,
      rollup: `select device, max(energy_out_wh_last) - min(energy_out_wh_first) from {days} where day = '${at(day)}' group by device order by device`,
    },
    {
      name: "one meter, 30 days",
      kind: "operational",
      postgres: `select (date_part('epoch', at) * 1000)::bigint, load_power_w from ${READINGS} where device = {device} and at >= ${instant(month)} and at < ${instant(month + 30)} order by at`,
      duckdb: `select epoch_ms(at), load_power_w from readings where device = {device} and at >= ${naive(month)} and at < ${naive(month + 30)} order by at`,
      history: `select toUnixTimestamp64Milli(at), load_power_w from {readings} where device = {device} and at >= ${utc(month)} and at < ${utc(month + 30)} order by at`,
      program: ({ series }, device) =>
        series
          ?.series({
            device,
            quantity: "loadPowerW",
            fromMs: dayMs(month),
            toMs: dayMs(month + 30),
            pointsMax: 5_000, // more than there are: nothing is thinned
            sampling: "shape",
          })
          .then(({ points }) => points.map(({ atMs, value }) => [atMs, value])),
    },
    {
      name: "latest per device",
      kind: "operational",
      postgres:
        "select device, (date_part('epoch', reading_at) * 1000)::bigint, battery_voltage_v from telemetry.states order by device",
      duckdb:
        "select device, epoch_ms(max(at)), arg_max(battery_voltage_v, at) from readings group by device order by device",
      history:
        "select device, toUnixTimestamp64Milli(max(at)), argMax(battery_voltage_v, at) from {readings} group by device order by device",
    },
    {
      name: "p95 of load per meter, 7 days",
      kind: "scan",
      postgres: `select device, percentile_cont(0.95) within group (order by load_power_w) from ${READINGS} where at >= ${instant(week)} and at < ${instant(week + 7)} group by device order by device`,
      duckdb: `select device, quantile_cont(load_power_w::double, 0.95) from readings where at >= ${naive(week)} and at < ${naive(week + 7)} group by device order by device`,
      history: `select device, quantileExactInclusive(0.95)(load_power_w) from {readings} where at >= ${utc(week)} and at < ${utc(week + 7)} group by device order by device`,
    },
    {
      name: "fleet's daily energy, all days",
      kind: "scan",
      postgres: `select (day - date '2026-01-01')::int, sum(energy) from (select (at at time zone 'UTC')::date as day, device, max(energy_out_wh) - min(energy_out_wh) as energy from ${READINGS} group by 1, 2) d group by 1 order by 1`,
      duckdb: `select (day - date '2026-01-01')::int, sum(energy) from (select at::date as day, device, max(energy_out_wh) - min(energy_out_wh) as energy from readings group by 1, 2) d group by 1 order by 1`,
      history: `select toInt32(day - toDate('2026-01-01')), sum(energy) from (select toDate(at) as day, device, max(energy_out_wh) - min(energy_out_wh) as energy from {readings} group by day, device) group by day order by day`,
      rollup: `select toInt32(day - toDate('2026-01-01')), sum(energy) from (select day, device, max(energy_out_wh_last) - min(energy_out_wh_first) as energy from {days} group by day, device) group by day order by day`,
      program: async ({ rollups }) =>
        (await rollups.fleetDays({ fromMs: dayMs(0), toMs: dayMs(days + 1) })).map(({ energyOutWh }, day) => [
          day,
          energyOutWh,
        ]),
      isOwnRule: true,
    },
    {
      name: "load curve, 7 days",
      kind: "scan",
      postgres: `select extract(hour from at at time zone 'UTC')::int, avg(load_power_w::double precision) from ${READINGS} where at >= ${instant(week)} and at < ${instant(week + 7)} group by 1 order by 1`,
      duckdb: `select hour(at)::int, avg(load_power_w::double) from readings where at >= ${naive(week)} and at < ${naive(week + 7)} group by 1 order by 1`,
      history: `select toHour(at) as hour, avg(toFloat64(load_power_w)) from {readings} where at >= ${utc(week)} and at < ${utc(week + 7)} group by hour order by hour`,
      rollup: `select toHour(hour) as h, sum(load_power_w_sum) / sum(load_power_w_count) from {hours} where hour >= '${at(week)} 00:00:00' and hour < '${at(week + 7)} 00:00:00' group by h order by h`,
      program: async ({ rollups }) =>
        (await rollups.loadCurve({ fromMs: dayMs(week), toMs: dayMs(week + 7) })).map(({ hour, meanW }) => [
          hour,
          meanW,
        ]),
    },
  ];
}

/** Whole days that every device has. */
export function daysOf(readingsADevice: number): number {
  return Math.floor(readingsADevice / READINGS_A_DAY);
}
