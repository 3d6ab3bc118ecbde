import { InvalidInput } from "../../kernel/refusal.ts";
import { DAY_MS, HOUR_MS } from "../../kernel/time.ts";
import type { History } from "../../platform/history/history.ts";
import { tableName } from "../../platform/history/topology.ts";
import { columnOf } from "./columns.ts";
import { rowsOf } from "./copy.client.ts";
import { energyOf, ROLLED, type Figure, type Grain, type RolledQuantity, type Rollup } from "./rollup.ts";

export interface RollupQuery {
  readonly device: number;
  readonly grain: Grain;
  /** Unix milliseconds; `to` is not included. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly first: number;
  /** The page goes on behind the period that starts here. */
  readonly afterMs?: number | undefined;
}

/** The whole fleet's day: energy that came from the sun and that was used, of how many devices. */
export interface FleetDay {
  /** As "2026-03-01", UTC. */
  readonly day: string;
  readonly devices: number;
  readonly energyInWh: number;
  readonly energyOutWh: number;
}

/** An hour of the day (0 to 23, UTC): the mean load over all readings of all devices that fell into it; null without any. */
export interface CurveHour {
  readonly hour: number;
  readonly meanW: number | null;
}

export interface RollupQueries {
  /** A page in order of time. Throws InvalidInput and HistoryAway. */
  rollups(query: RollupQuery): Promise<readonly Rollup[]>;
  /** By day, for at most 3,660 of them. Throws InvalidInput and HistoryAway. */
  fleetDays(query: { readonly fromMs: number; readonly toMs: number }): Promise<readonly FleetDay[]>;
  /**
   * The fleet's load curve over whole hours, for at most 366 days: hours of the day that saw readings, in order. An hour that
   * `toMs` cuts is counted whole. Throws InvalidInput and HistoryAway.
   */
  loadCurve(query: { readonly fromMs: number; readonly toMs: number }): Promise<readonly CurveHour[]>;
}

/** One more than a screen's page. */
export const ROLLUP_PAGE_MAX = 1_001;
const FLEET_DAYS_MAX = 3_660;
const CURVE_DAYS_MAX = 366;
/** How far back the counter's last stand is looked for. */
const LOOK_BACK_MS = 31 * DAY_MS;
const QUERY_SECONDS_MAX = 60;
const QUANTITIES = Object.keys(ROLLED) as RolledQuantity[];

type RollupRow = Readonly<Record<string, number | string | null>>;

export function makeRollupQueries({ history }: { history: History }): RollupQueries {
  return {
    async rollups({ device, grain, fromMs, toMs, first, afterMs }) {
      if (!Number.isInteger(first) || first < 1 || first > ROLLUP_PAGE_MAX)
        throw new InvalidInput(`A page holds 1 to ${String(ROLLUP_PAGE_MAX)} periods.`, "first");
      if (!Number.isInteger(device) || device < 1) throw new InvalidInput("A device's number is needed.", "device");
      if (toMs <= fromMs) throw new InvalidInput("The end must be later than the beginning.", "to");
      const width = grain === "hour" ? HOUR_MS : DAY_MS;
      const beginMs = afterMs === undefined ? fromMs : Math.max(fromMs, afterMs + width);
      const begin = Math.floor(beginMs / width) * width;
      // Counters need their last stand before, wherever it is; the page itself begins at its own.
      const rows = await history.use((client) =>
        rowsOf<RollupRow>(client, {
          query: rollupSql(history, grain),
          parameters: {
            device,
            back: (begin - LOOK_BACK_MS) / 1_000,
            begin: begin / 1_000,
            end: toMs / 1_000,
            limit: first,
          },
          settings: { max_execution_time: QUERY_SECONDS_MAX },
        }),
      );
      return readRollups(rows, begin);
    },
    async fleetDays({ fromMs, toMs }) {
      if (toMs <= fromMs) throw new InvalidInput("The end must be later than the beginning.", "to");
      if (toMs - fromMs > FLEET_DAYS_MAX * DAY_MS)
        throw new InvalidInput(`At most ${String(FLEET_DAYS_MAX)} days at once.`, "from");
      return await history.use((client) =>
        rowsOf<FleetDay>(client, {
          query: fleetSql(history),
          parameters: { from: dayOf(fromMs), to: dayOf(toMs - 1), back: dayOf(fromMs - LOOK_BACK_MS) },
          settings: { max_execution_time: QUERY_SECONDS_MAX, output_format_json_quote_64bit_integers: 0 },
        }),
      );
    },
    async loadCurve({ fromMs, toMs }) {
      if (toMs <= fromMs) throw new InvalidInput("The end must be later than the beginning.", "to");
      if (toMs - fromMs > CURVE_DAYS_MAX * DAY_MS)
        throw new InvalidInput(`At most ${String(CURVE_DAYS_MAX)} days at once.`, "from");
      return await history.use((client) =>
        rowsOf<CurveHour>(client, {
          query: curveSql(history),
          parameters: { from: Math.floor(fromMs / HOUR_MS) * 3_600, to: Math.ceil(toMs / HOUR_MS) * 3_600 },
          settings: { max_execution_time: QUERY_SECONDS_MAX },
        }),
      );
    },
  };
}

const dayOf = (millis: number): string => new Date(millis).toISOString().slice(0, 10);

function rollupSql(history: History, grain: Grain): string {
  const table = tableName(history.topology, grain === "hour" ? "hours" : "days");
  const start = grain === "hour" ? "toUnixTimestamp(hour)" : "toUnixTimestamp(toDateTime(day, 'UTC'))";
  const bound = (name: string): string =>
    grain === "hour" ? `toDateTime({${name}:Float64}, 'UTC')` : `toDate(toDateTime({${name}:Float64}, 'UTC'))`;
  const figures = QUANTITIES.flatMap((quantity) =>
    ROLLED[quantity].map((figure) => `${figureSql(quantity, figure)} as ${quantity}_${figure}`),
  );
  const none = QUANTITIES.flatMap((quantity) => ROLLED[quantity].map((figure) => `null as ${quantity}_${figure}`));
  // What each counter stood at last, be it on different days; a start of zero lies before every page.
  const stands = `select 0 as starts, 0 as count, ${none.join(", ")},
    null as in_first, argMax(gained, period) as in_last, null as out_first, argMax(used, period) as out_last
    from (select ${grain} as period, max(energy_in_wh_last) as gained, max(energy_out_wh_last) as used from ${table}
      where device = {device:UInt32} and ${grain} >= ${bound("back")} and ${grain} < ${bound("begin")} group by ${grain})`;
  const selected = `select ${start} as starts, toUInt32(sum(readings)) as count, ${figures.join(", ")},
    min(energy_in_wh_first) as in_first, max(energy_in_wh_last) as in_last,
    min(energy_out_wh_first) as out_first, max(energy_out_wh_last) as out_last
    from ${table} where device = {device:UInt32}`;
  return `select * from (${stands}
    union all select * from (${selected} and ${grain} >= ${bound("begin")} and ${grain === "hour" ? `${grain} < ${bound("end")}` : `toDateTime(day, 'UTC') < toDateTime({end:Float64}, 'UTC')`}
      group by ${grain} order by ${grain} limit {limit:UInt32})) order by starts
    settings output_format_json_quote_64bit_integers = 0`;
}

function figureSql(quantity: RolledQuantity, figure: Figure): string {
  const column = columnOf(quantity);
  if (figure === "mean") return `if(sum(${column}_count) = 0, null, sum(${column}_sum) / sum(${column}_count))`;
  return figure === "last" ? `argMaxMerge(${column}_last)` : `${figure}(${column}_${figure})`;
}

function readRollups(rows: readonly RollupRow[], beginMs: number): readonly Rollup[] {
  const whole = (value: number | string | null | undefined): number | null =>
    value === null || value === undefined ? null : Number(value);
  let before = { in: null as number | null, out: null as number | null };
  const rollups: Rollup[] = [];
  for (const row of rows) {
    const startsAtMs = Number(row["starts"]) * 1_000;
    const counters = {
      in: { first: whole(row["in_first"]), last: whole(row["in_last"]) },
      out: { first: whole(row["out_first"]), last: whole(row["out_last"]) },
    };
    if (startsAtMs >= beginMs)
      rollups.push({
        startsAtMs,
        readings: Number(row["count"]),
        figures: Object.fromEntries(
          QUANTITIES.map((quantity) => [
            quantity,
            Object.fromEntries(ROLLED[quantity].map((figure) => [figure, whole(row[`${quantity}_${figure}`])])),
          ]),
        ) as Rollup["figures"],
        energyInWh: energyOf(before.in, counters.in),
        energyOutWh: energyOf(before.out, counters.out),
      });
    before = { in: counters.in.last ?? before.in, out: counters.out.last ?? before.out };
  }
  return rollups;
}

/** Reads the projection `by_hour`: nothing outside of its columns may stand here. */
function curveSql(history: History): string {
  return `select toHour(hours.hour) as hour,
      if(sum(load_power_w_count) = 0, null, sum(load_power_w_sum) / sum(load_power_w_count)) as meanW
    from ${tableName(history.topology, "hours")} as hours
    where hours.hour >= toDateTime({from:UInt32}, 'UTC') and hours.hour < toDateTime({to:UInt32}, 'UTC')
    group by hour order by hour`;
}

/** The rule of `energyOf`, for every device and day at once. */
function fleetSql(history: History): string {
  const energy = (counter: string): string =>
    `if(${counter}_before is null or ${counter}_before > ${counter}_to, ${counter}_to - ${counter}_from, ${counter}_to - ${counter}_before)`;
  const before = (counter: string): string =>
    `last_value(${counter}_to) ignore nulls over (partition by device order by day rows between unbounded preceding and 1 preceding) as ${counter}_before`;
  return `select day, toUInt32(count()) as devices,
      ifNull(sum(${energy("gain")}), 0) as energyInWh, ifNull(sum(${energy("use")}), 0) as energyOutWh
    from (
      select day, device, gain_from, gain_to, use_from, use_to, ${before("gain")}, ${before("use")}
      from (
        select day, device, min(energy_in_wh_first) as gain_from, max(energy_in_wh_last) as gain_to,
          min(energy_out_wh_first) as use_from, max(energy_out_wh_last) as use_to
        from ${tableName(history.topology, "days")} where day >= {back:Date} and day <= {to:Date} group by day, device))
    where day >= {from:Date} group by day order by day`;
}
