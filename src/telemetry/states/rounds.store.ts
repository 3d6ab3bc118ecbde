import { sql } from "drizzle-orm";
import type { Tx } from "../../platform/database.ts";
import { BATTERY_LEVELS } from "./fleet-device.ts";
import { LIVENESS } from "./liveness.ts";
import {
  BATTERY_LEVEL,
  fallenSql,
  FLEET_TABLES,
  fleetTablesWithin,
  inRange,
  instant,
  livenessSql,
  RANGE_DEVICES,
  TOKEN_BEHIND,
} from "./state-sql.ts";

/** Makes the ranges that hold devices; new ones appear as devices do. */
export async function ensureRanges(tx: Tx): Promise<void> {
  await tx.execute(sql`
    insert into telemetry.rounds (range_start)
    select generate_series(0, (select max(device) from telemetry.places), ${sql.raw(String(RANGE_DEVICES))})
    on conflict do nothing`);
}

/** Takes the range that waits longest for its look, if it was last looked at before the instant. Workers take different ones. */
export async function claimRange(tx: Tx, lookedBefore: Date): Promise<number | undefined> {
  const [row] = await tx.execute<{ range_start: number }>(sql`
    select range_start from telemetry.rounds where looked_at <= ${instant(lookedBefore)}
    order by looked_at, range_start limit 1 for update skip locked`);
  return row?.range_start;
}

export async function markLooked(tx: Tx, { rangeStart, now }: { rangeStart: number; now: Date }): Promise<void> {
  await tx.execute(sql`update telemetry.rounds set looked_at = ${instant(now)} where range_start = ${rangeStart}`);
}

const count = (name: string, condition: string): string => `count(*) filter (where ${condition})::integer as ${name}`;

const FLEET_COUNTS = [
  "count(*)::integer as devices",
  count("in_service", "in_service"),
  count("online", "connection = 'online'"),
  ...LIVENESS.map((name) => count(name, `in_service and liveness = '${name}'`)),
  count("fallen", "in_service and fallen"),
  count("tampered", "tampered"),
  ...BATTERY_LEVELS.map((level) => count(`battery_${level}`, `battery = '${level}'`)),
  count("token_behind", "in_service and token_behind"),
];
const FLEET_NAMES = [
  "devices",
  "in_service",
  "online",
  ...LIVENESS,
  "fallen",
  "tampered",
  ...BATTERY_LEVELS.map((level) => `battery_${level}`),
  "token_behind",
];

/** Counts the devices of a range anew; writes only what differs from the last look. */
export async function countRange(tx: Tx, { rangeStart, now }: { rangeStart: number; now: Date }): Promise<void> {
  const names = sql.raw(FLEET_NAMES.join(", "));
  const [from, below] = [sql`${rangeStart}::integer`, sql`${rangeStart + RANGE_DEVICES}::integer`];
  await tx.execute(sql`
    with look as materialized (
      select coalesce(p.area, '') as area, p.in_service, s.connection, coalesce(s.tampered, false) as tampered, ${livenessSql(now)} as liveness,
        s.device is not null and ${fallenSql(now)} as fallen, ${BATTERY_LEVEL} as battery, ${TOKEN_BEHIND} as token_behind
      from ${fleetTablesWithin(from, below)} where ${inRange(from, below)}),
    fresh as (select area, ${sql.raw(FLEET_COUNTS.join(", "))} from look group by area),
    gone as (
      delete from telemetry.fleet_counts c where c.range_start = ${rangeStart} and not exists (select from fresh where fresh.area = c.area))
    insert into telemetry.fleet_counts as c (range_start, area, ${names})
    select ${rangeStart}, area, ${names} from fresh
    on conflict (range_start, area) do update
      set (${names}) = row(${sql.raw(FLEET_NAMES.map((name) => `excluded.${name}`).join(", "))})
    where (${sql.raw(FLEET_NAMES.map((name) => `c.${name}`).join(", "))}) is distinct from (${sql.raw(FLEET_NAMES.map((name) => `excluded.${name}`).join(", "))})`);
  await tx.execute(sql`
    with fresh as (
      select p.model, coalesce(s.firmware_version, '') as firmware, count(*)::integer as devices
      from ${fleetTablesWithin(from, below)} where ${inRange(from, below)} group by 1, 2),
    gone as (
      delete from telemetry.firmware_counts c where c.range_start = ${rangeStart}
        and not exists (select from fresh where (fresh.model, fresh.firmware) = (c.model, c.firmware)))
    insert into telemetry.firmware_counts as c (range_start, model, firmware, devices)
    select ${rangeStart}, model, firmware, devices from fresh
    on conflict (range_start, model, firmware) do update set devices = excluded.devices where c.devices <> excluded.devices`);
}

/** Counts the map's squares anew if that was last done before the instant; false where it is fresh or another worker does it. */
export async function countTiles(tx: Tx, { countedBefore, now }: { countedBefore: Date; now: Date }): Promise<boolean> {
  await tx.execute(sql`insert into telemetry.tile_rounds (counted_at) values ('-infinity') on conflict do nothing`);
  const claimed = await tx.execute(
    sql`select from telemetry.tile_rounds where counted_at <= ${instant(countedBefore)} for update skip locked`,
  );
  if (claimed.length === 0) return false;
  await tx.execute(sql`
    with look as materialized (
      select tile_x, tile_y, coalesce(area, '') as area, count(*) as devices,
        count(*) filter (where in_service and liveness in ('silent', 'lost')) as troubled, count(*) filter (where tampered) as tampered,
        sum(latitude) as latitudes, sum(longitude) as longitudes
      from (select p.tile_x, p.tile_y, p.area, p.in_service, p.latitude, p.longitude, s.tampered, ${livenessSql(now)} as liveness
            from ${FLEET_TABLES} where p.tile_x is not null and p.tile_y is not null) located
      group by 1, 2, 3),
    fresh as (
      select zoom::smallint as zoom, tile_x >> (12 - zoom) as tile_x, tile_y >> (12 - zoom) as tile_y, area, sum(devices)::integer as devices,
        sum(troubled)::integer as troubled, sum(tampered)::integer as tampered, sum(latitudes) / sum(devices) as latitude,
        sum(longitudes) / sum(devices) as longitude
      from look cross join (values (4), (6), (8), (10), (12)) zooms(zoom) group by 1, 2, 3, 4),
    gone as (
      delete from telemetry.tile_counts c where not exists (
        select from fresh where (fresh.zoom, fresh.tile_x, fresh.tile_y, fresh.area) = (c.zoom, c.tile_x, c.tile_y, c.area)))
    insert into telemetry.tile_counts as c (zoom, tile_x, tile_y, area, devices, troubled, tampered, latitude, longitude)
    select zoom, tile_x, tile_y, area, devices, troubled, tampered, latitude, longitude from fresh
    on conflict (zoom, tile_x, tile_y, area) do update
      set devices = excluded.devices, troubled = excluded.troubled, tampered = excluded.tampered, latitude = excluded.latitude, longitude = excluded.longitude
    where (c.devices, c.troubled, c.tampered) is distinct from (excluded.devices, excluded.troubled, excluded.tampered)`);
  await tx.execute(sql`update telemetry.tile_rounds set counted_at = ${instant(now)}`);
  return true;
}
