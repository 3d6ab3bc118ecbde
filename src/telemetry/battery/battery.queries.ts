import { sql, type SQL } from "drizzle-orm";
import { column, type Db } from "../../platform/database.ts";
import type { BatterySpec } from "./chemistry-facts.ts";
import type { EndOfLifeForecast } from "./forecast.ts";
import type { FailureReason, Sizing } from "./reasons.ts";
import type { BatteryEvidence, BatteryVerdict } from "./verdict.ts";

/** A battery as it was known at the end of a week. */
export interface BatteryHealth extends BatteryVerdict {
  readonly deviceNumber: number;
  /** The Monday of the last week that was read, as "2026-11-16". */
  readonly weekOn: string;
}

/** One week of its course. */
export interface BatteryWeek {
  readonly weekOn: string;
  readonly share: number | undefined;
  readonly least: number | undefined;
  readonly most: number | undefined;
  readonly resistanceGrowth: number | undefined;
  /** Equivalent full cycles of the week. */
  readonly cycles: number;
}

export interface BatteryFilter {
  readonly area?: string | undefined;
  readonly model?: string | undefined;
  readonly reason?: FailureReason | undefined;
  readonly sizing?: Sizing | undefined;
  /** Ended, or likely to within eight weeks. */
  readonly failingSoon?: boolean | undefined;
  /** At most this share of the capacity left. */
  readonly shareMax?: number | undefined;
}

export interface FleetBatteries {
  readonly batteries: number;
  readonly withHealth: number;
  readonly failingSoon: number;
  /** Below four fifths now. */
  readonly ended: number;
  readonly meanShare: number | undefined;
  readonly byReason: readonly { readonly reason: FailureReason; readonly batteries: number }[];
  readonly bySizing: readonly { readonly sizing: Sizing; readonly batteries: number }[];
  /** Why the others have no state of health. */
  readonly byLacking: readonly { readonly lacking: string; readonly batteries: number }[];
}

/** What is said of the batteries of a model, and how many devices of it there are. */
export interface ModelBattery {
  readonly model: string;
  readonly devices: number;
  /** Of these, devices whose battery is said to be of another kind than the model's. */
  readonly others: number;
  /** Undefined: nobody said, and nothing is reckoned but for those `others`. */
  readonly spec: BatterySpec | undefined;
}

export interface BatteryQueries {
  /** Every model that devices are of or that something was said about, those without a battery first. Reads all devices. */
  modelBatteries(): Promise<readonly ModelBattery[]>;
  /** In the order asked, at most 1,000; undefined for a device without a battery that is known. */
  batteryHealth(deviceNumbers: readonly number[]): Promise<readonly (BatteryHealth | undefined)[]>;
  /** The likeliest to fail within eight weeks first; `after` is the cursor of the last one seen. */
  listBatteries(
    filter: BatteryFilter,
    page: {
      readonly first: number;
      readonly after?: { readonly within8: number; readonly deviceNumber: number } | undefined;
    },
  ): Promise<readonly BatteryHealth[]>;
  fleetHealth(filter: BatteryFilter): Promise<FleetBatteries>;
  /** The newest weeks of one battery, oldest first, at most 520. */
  batteryCourse(deviceNumber: number, weeksMax: number): Promise<readonly BatteryWeek[]>;
}

/** From this probability on, a battery is called failing soon: chosen on a simulated fleet so that four warnings in five are right. */
export const FAILING_SOON = 0.65;
const NUMBERS_MAX = 1_000;
/** One more than a screen's page. */
const PAGE_MAX = 101;
const COURSE_WEEKS_MAX = 520;
/** No maker has so many. */
const MODELS_MAX = 1_000;

interface Row extends Record<string, unknown> {
  device: number;
  week_on: string;
  share: number | null;
  share_least: number | null;
  share_most: number | null;
  lacking: BatteryVerdict["lacking"] | null;
  of_new: boolean;
  weeks_10: number | null;
  weeks_50: number | null;
  weeks_90: number | null;
  within_8: number | null;
  within_26: number | null;
  reasons: FailureReason[];
  sizing: Sizing;
  evidence: BatteryEvidence;
}

const COLUMNS = sql.raw(
  `health.device, health.week_on::text, share, share_least, share_most, lacking, of_new, weeks_10, weeks_50, weeks_90,
   within_8, within_26, to_jsonb(reasons) as reasons, sizing, evidence`,
);

function readForecast(row: Row): EndOfLifeForecast | undefined {
  if (row.within_8 === null || row.within_26 === null) return undefined;
  return {
    weeks10: row.weeks_10 ?? undefined,
    weeks50: row.weeks_50 ?? undefined,
    weeks90: row.weeks_90 ?? undefined,
    within8Weeks: row.within_8,
    within26Weeks: row.within_26,
  };
}

function readHealth(row: Row): BatteryHealth {
  const { share, share_least: least, share_most: most } = row;
  return {
    deviceNumber: row.device,
    weekOn: row.week_on,
    health: share === null || least === null || most === null ? undefined : { share, least, most },
    lacking: row.lacking ?? undefined,
    ofNew: row.of_new,
    forecast: readForecast(row),
    reasons: row.reasons,
    sizing: row.sizing,
    evidence: row.evidence,
  };
}

function conditions(filter: BatteryFilter): SQL {
  const all: SQL[] = [sql`true`];
  if (filter.area !== undefined) all.push(sql`place.area = ${filter.area}`);
  if (filter.model !== undefined) all.push(sql`place.model = ${filter.model}`);
  if (filter.reason !== undefined) all.push(sql`${filter.reason} = any(reasons)`);
  if (filter.sizing !== undefined) all.push(sql`sizing = ${filter.sizing}`);
  if (filter.failingSoon !== undefined)
    all.push(sql`(coalesce(within_8, 0) >= ${FAILING_SOON}) = ${filter.failingSoon}`);
  if (filter.shareMax !== undefined) all.push(sql`share <= ${filter.shareMax}`);
  return sql.join(all, sql` and `);
}

const FROM = sql.raw(
  "telemetry.battery_health health left join telemetry.places place on place.device = health.device",
);

/** What people ask about batteries. Reads only; needs no transaction. */
export function makeBatteryQueries(db: Db): BatteryQueries {
  return {
    async batteryHealth(deviceNumbers) {
      if (deviceNumbers.length > NUMBERS_MAX)
        throw new RangeError(`At most ${NUMBERS_MAX} devices can be asked for at once, not ${deviceNumbers.length}.`);
      const rows = await db.execute<Row>(
        sql`select ${COLUMNS} from telemetry.battery_health health where device = any(${column(deviceNumbers, "integer")})`,
      );
      const found = new Map(rows.map((row) => [row.device, readHealth(row)]));
      return deviceNumbers.map((device) => found.get(device));
    },
    async listBatteries(filter, { first, after }) {
      const behind =
        after === undefined
          ? sql`true`
          : sql`(within_8 < ${after.within8} or (within_8 = ${after.within8} and health.device > ${after.deviceNumber}))`;
      const rows = await db.execute<Row>(sql`
        select ${COLUMNS} from ${FROM}
        where within_8 is not null and ${behind} and ${conditions(filter)}
        order by within_8 desc, health.device limit ${Math.min(first, PAGE_MAX)}`);
      return rows.map(readHealth);
    },
    fleetHealth: (filter) => fleetHealth(db, filter),
    modelBatteries: () => modelBatteries(db),
    async batteryCourse(deviceNumber, weeksMax) {
      const rows = await db.execute<{
        week_on: string;
        share: number | null;
        share_least: number | null;
        share_most: number | null;
        resistance_growth: number | null;
        cycles: number;
      }>(sql`
        select week_on::text, share, share_least, share_most, resistance_growth, cycles
        from telemetry.battery_weeks where device = ${deviceNumber}
        order by week_on desc limit ${Math.min(weeksMax, COURSE_WEEKS_MAX)}`);
      return rows.toReversed().map((row) => ({
        weekOn: row.week_on,
        share: row.share ?? undefined,
        least: row.share_least ?? undefined,
        most: row.share_most ?? undefined,
        resistanceGrowth: row.resistance_growth ?? undefined,
        cycles: row.cycles,
      }));
    },
  };
}

async function fleetHealth(db: Db, filter: BatteryFilter): Promise<FleetBatteries> {
  const [row] = await db.execute<{
    batteries: number;
    with_health: number;
    failing_soon: number;
    ended: number;
    mean_share: number | null;
    by_reason: { reason: FailureReason; batteries: number }[];
    by_sizing: { sizing: Sizing; batteries: number }[];
    by_lacking: { lacking: string; batteries: number }[];
  }>(sql`
    with chosen as materialized (select share, lacking, within_8, reasons, sizing from ${FROM} where ${conditions(filter)})
    select count(*)::integer as batteries, count(share)::integer as with_health, avg(share) as mean_share,
      count(*) filter (where within_8 >= ${FAILING_SOON})::integer as failing_soon,
      count(*) filter (where share < 0.8)::integer as ended,
      coalesce((select jsonb_agg(jsonb_build_object('reason', reason, 'batteries', batteries) order by batteries desc, reason)
        from (select reason, count(*) as batteries from chosen, unnest(reasons) reason group by reason) counted), '[]') as by_reason,
      coalesce((select jsonb_agg(jsonb_build_object('sizing', sizing, 'batteries', batteries) order by batteries desc, sizing)
        from (select sizing, count(*) as batteries from chosen group by sizing) counted), '[]') as by_sizing,
      coalesce((select jsonb_agg(jsonb_build_object('lacking', lacking, 'batteries', batteries) order by batteries desc, lacking)
        from (select lacking, count(*) as batteries from chosen where lacking is not null group by lacking) counted), '[]') as by_lacking
    from chosen`);
  return {
    batteries: row?.batteries ?? 0,
    withHealth: row?.with_health ?? 0,
    failingSoon: row?.failing_soon ?? 0,
    ended: row?.ended ?? 0,
    meanShare: row?.mean_share ?? undefined,
    byReason: row?.by_reason ?? [],
    bySizing: row?.by_sizing ?? [],
    byLacking: row?.by_lacking ?? [],
  };
}

async function modelBatteries(db: Db): Promise<readonly ModelBattery[]> {
  const rows = await db.execute<{
    model: string;
    devices: number;
    others: number;
    chemistry: BatterySpec["chemistry"] | null;
    rated_ah: number;
    cells: number;
  }>(sql`
    select coalesce(counted.model, usual.model) as model, coalesce(devices, 0)::integer as devices, coalesce(others, 0)::integer as others,
      chemistry, rated_ah, cells
    from (
      select model, count(*) as devices, count(own.chemistry) as others
      from telemetry.places place left join telemetry.batteries own on own.device = place.device group by model) counted
    full join telemetry.battery_models usual on usual.model = counted.model
    order by (chemistry is not null), 1 limit ${MODELS_MAX}`);
  return rows.map(({ model, devices, others, chemistry, rated_ah: ratedAh, cells }) => ({
    model,
    devices,
    others,
    spec: chemistry === null ? undefined : { chemistry, ratedAh, cells },
  }));
}
