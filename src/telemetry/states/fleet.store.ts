import { sql, type SQL } from "drizzle-orm";
import type { ContractId } from "../../kernel/ids.ts";
import { column, type Db, type Tx } from "../../platform/database.ts";
import { daysAhead, daysLeft, type ActiveUntil } from "./days-left.ts";
import type { Connection, FleetDevice, FleetFilter, FleetSummary, MapSquare } from "./fleet-device.ts";
import type { Liveness } from "./liveness.ts";
import {
  FLEET_TABLES,
  fleetTablesWithin,
  inRange,
  INTERVAL_SECONDS,
  hasBattery,
  hasLiveness,
  livenessSql,
  RANGE_DEVICES,
  TOKEN_BEHIND,
} from "./state-sql.ts";
import { atZoom, type TileRange } from "./tiles.ts";

interface Row extends Record<string, unknown> {
  device: number;
  serial: string;
  model: string;
  life: string;
  in_service: boolean;
  area: string | null;
  place: string | null;
  latitude: number | null;
  longitude: number | null;
  contract_id: ContractId | null;
  contract_until: string | null;
  tokens_issued: number;
  liveness: Liveness;
  connection: Connection | null;
  first_seen_at: string | null;
  last_seen_at: string | null;
  reading_at: string | null;
  interval: number;
  device_until: string | null;
  token_count: number | null;
  firmware_version: string | null;
  signal_dbm: number | null;
  tampered: boolean | null;
  clock_shift_seconds: number | null;
  battery_voltage_v: number | null;
  battery_current_a: number | null;
  battery_charge_percent: number | null;
  battery_temperature_c: number | null;
  panel_voltage_v: number | null;
  panel_power_w: number | null;
  load_power_w: number | null;
}

const columns = (now: Date): SQL => sql`
  p.device, p.serial, p.model, p.life, p.in_service, p.area, p.place, p.latitude, p.longitude, p.contract_id, p.active_until as contract_until,
  p.tokens_issued, ${livenessSql(now)} as liveness, s.connection, s.first_seen_at, s.last_seen_at, s.reading_at, ${INTERVAL_SECONDS} as interval,
  s.active_until as device_until, s.token_count, s.firmware_version, s.signal_dbm, s.tampered, s.clock_shift_seconds, s.battery_voltage_v,
  s.battery_current_a, s.battery_charge_percent, s.battery_temperature_c, s.panel_voltage_v, s.panel_power_w, s.load_power_w`;

const dateOf = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));
const known = <Value>(value: Value | null): Value | undefined => value ?? undefined;

/** An instant as the database writes it, where infinity is "for good". */
export function untilOf(text: string | null): ActiveUntil | undefined {
  return text === "infinity" ? "forever" : dateOf(text);
}

function deviceOf(row: Row, now: Date): FleetDevice {
  const ends = { device: untilOf(row.device_until), contract: untilOf(row.contract_until) };
  return {
    device: row.device,
    serial: row.serial,
    model: row.model,
    life: row.life,
    inService: row.in_service,
    area: known(row.area),
    place: known(row.place),
    latitude: known(row.latitude),
    longitude: known(row.longitude),
    contractId: known(row.contract_id),
    activeUntil: ends.contract,
    liveness: row.liveness,
    connection: row.connection ?? "unknown",
    firstSeenAt: dateOf(row.first_seen_at),
    lastSeenAt: dateOf(row.last_seen_at),
    readingAt: dateOf(row.reading_at),
    intervalSeconds: row.interval,
    daysLeftByDevice: daysLeft(ends.device, now),
    daysLeftByContract: daysLeft(ends.contract, now),
    daysAhead: daysAhead(ends, now),
    tokenCount: known(row.token_count),
    tokensIssued: row.tokens_issued,
    tokenLag: row.token_count === null ? undefined : Math.max(0, row.tokens_issued - row.token_count),
    firmwareVersion: known(row.firmware_version),
    signalDbm: known(row.signal_dbm),
    tampered: known(row.tampered),
    clockShiftSeconds: row.clock_shift_seconds ?? 0,
    batteryVoltageV: known(row.battery_voltage_v),
    batteryCurrentA: known(row.battery_current_a),
    batteryChargePercent: known(row.battery_charge_percent),
    batteryTemperatureC: known(row.battery_temperature_c),
    panelVoltageV: known(row.panel_voltage_v),
    panelPowerW: known(row.panel_power_w),
    loadPowerW: known(row.load_power_w),
  };
}

export async function findDevices(
  db: Db | Tx,
  { devices, now }: { devices: readonly number[]; now: Date },
): Promise<readonly FleetDevice[]> {
  const rows = await db.execute<Row>(
    sql`select ${columns(now)} from ${FLEET_TABLES} where p.device = any(${column(devices, "integer")})`,
  );
  return rows.map((row) => deviceOf(row, now));
}

function conditionsOf(filter: FleetFilter, now: Date): readonly SQL[] {
  const { search, area, place, model, inService, liveness, firmwareVersion, tampered, battery, tokenBehind } = filter;
  return [
    search === undefined ? undefined : sql`p.serial like ${`${search.replace(/[\\%_]/g, "\\$&")}%`}`,
    area === undefined ? undefined : sql`p.area = ${area}`,
    place === undefined ? undefined : sql`p.place = ${place}`,
    model === undefined ? undefined : sql`p.model = ${model}`,
    inService === undefined ? undefined : sql`p.in_service = ${inService}`,
    liveness === undefined ? undefined : sql`p.in_service and ${hasLiveness(liveness, now)}`,
    firmwareVersion === undefined ? undefined : sql`s.firmware_version = ${firmwareVersion}`,
    tampered === undefined ? undefined : tampered ? sql`s.tampered` : sql`s.tampered is not true`,
    battery === undefined ? undefined : hasBattery(battery),
    tokenBehind === undefined ? undefined : sql`(p.in_service and coalesce(${TOKEN_BEHIND}, false)) = ${tokenBehind}`,
  ].filter((condition) => condition !== undefined);
}

/** The ranges whose last count holds a device that the filter could mean; undefined where every range may, or an index serves. */
function rangesOf({ area, model, liveness, battery, tokenBehind, ...rest }: FleetFilter): SQL | undefined {
  if (
    rest.search !== undefined ||
    rest.place !== undefined ||
    rest.tampered === true ||
    rest.firmwareVersion !== undefined
  )
    return undefined;
  const counted = [
    liveness === undefined ? undefined : `c.${liveness} > 0`,
    battery === undefined ? undefined : `c.battery_${battery} > 0`,
    tokenBehind === true ? "c.token_behind > 0" : undefined,
  ].filter((condition) => condition !== undefined);
  const inArea = area === undefined ? sql`true` : sql`c.area = ${area}`;
  const ofModel = sql`select f.range_start from telemetry.firmware_counts f where f.model = ${model ?? ""}`;
  if (counted.length === 0) return model === undefined ? undefined : ofModel;
  const held = sql`select c.range_start from telemetry.fleet_counts c where ${inArea} and ${sql.raw(counted.join(" and "))}`;
  return model === undefined ? held : sql`${held} intersect ${ofModel}`;
}

/**
 * Devices in the order of their numbers, those behind `after`. A filter by what changes with every frame has no index; the
 * counts of the last round say which ranges hold such devices at all, and only these are read, until the page is full.
 */
export async function listDevices(
  db: Db | Tx,
  { filter, after, limit, now }: { filter: FleetFilter; after: number; limit: number; now: Date },
): Promise<readonly FleetDevice[]> {
  const conditions = conditionsOf(filter, now);
  const where = sql.join([sql`p.device > ${after}`, ...conditions], sql` and `);
  const ranges = rangesOf(filter);
  const plain = sql`
    select ${columns(now)} from ${fleetTablesWithin(sql`${after}::integer`)} where ${where} order by p.device limit ${limit}`;
  const size = sql.raw(String(RANGE_DEVICES));
  const [start, end] = [sql`r.range_start`, sql`r.range_start + ${size}`];
  const byRange = sql`
    select found.* from (select distinct range_start from (${ranges ?? sql``}) held where range_start > ${after} - ${size} order by range_start) r
    cross join lateral (
      select ${columns(now)} from ${fleetTablesWithin(start, end)} where ${inRange(start, end)} and ${where}
      order by p.device limit ${limit}) found
    order by r.range_start, found.device limit ${limit}`;
  const rows = await db.execute<Row>(ranges === undefined ? plain : byRange);
  return rows.map((row) => deviceOf(row, now));
}

const AREAS_MAX = 500;
const FIRMWARES_MAX = 200;

/** The sums of the counts of all ranges; of one area where it is given. */
export async function readSummary(db: Db | Tx, area: string | undefined): Promise<FleetSummary> {
  const inArea = area === undefined ? sql`true` : sql`area = ${area}`;
  const sums = [
    "devices",
    "in_service",
    "online",
    "never",
    "alive",
    "late",
    "silent",
    "lost",
    "tampered",
    "token_behind",
    "battery_unknown",
    "battery_empty",
    "battery_low",
    "battery_good",
  ];
  const byArea = await db.execute<Record<string, unknown> & { area: string }>(sql`
    select area, ${sql.raw(sums.map((name) => `sum(${name})::integer as ${name}`).join(", "))}
    from telemetry.fleet_counts where ${inArea} group by area`);
  // An area is small enough to be counted as it stands; counts by range, area and firmware would be almost one a device.
  const firmware =
    area === undefined
      ? sql`select model, firmware, sum(devices)::integer as devices from telemetry.firmware_counts group by 1, 2`
      : sql`select p.model, coalesce(s.firmware_version, '') as firmware, count(*)::integer as devices
          from telemetry.places p left join telemetry.states s on s.device = p.device where p.area = ${area} group by 1, 2`;
  const byFirmware = await db.execute<{ model: string; firmware: string; devices: number }>(
    sql`select * from (${firmware}) counted order by devices desc, model, firmware limit ${FIRMWARES_MAX}`,
  );
  const [age] = await db.execute<{ looked_at: string | null }>(
    sql`select nullif(min(looked_at), '-infinity') as looked_at from telemetry.rounds`,
  );
  const total = (name: string): number => byArea.reduce((sum, row) => sum + Number(row[name]), 0);
  return {
    devices: total("devices"),
    inService: total("in_service"),
    online: total("online"),
    byLiveness: {
      never: total("never"),
      alive: total("alive"),
      late: total("late"),
      silent: total("silent"),
      lost: total("lost"),
    },
    byBattery: {
      unknown: total("battery_unknown"),
      empty: total("battery_empty"),
      low: total("battery_low"),
      good: total("battery_good"),
    },
    tampered: total("tampered"),
    tokenBehind: total("token_behind"),
    byArea: byArea
      .map((row) => ({
        area: row.area,
        devices: Number(row["devices"]),
        alive: Number(row["alive"]),
        troubled: Number(row["silent"]) + Number(row["lost"]),
      }))
      .toSorted((left, right) => right.devices - left.devices || (left.area < right.area ? -1 : 1))
      .slice(0, AREAS_MAX),
    byFirmware: byFirmware.map(({ model, firmware, devices }) => ({ model, firmwareVersion: firmware, devices })),
    countedAt: dateOf(age?.looked_at ?? null),
  };
}

interface SquareRow extends Record<string, unknown> {
  latitude: number;
  longitude: number;
  devices: number;
  troubled: number;
  tampered: number;
  device: number | null;
}

const squareOf = ({ latitude, longitude, devices, troubled, tampered, device }: SquareRow): MapSquare => ({
  latitude,
  longitude,
  devices,
  troubled,
  tampered,
  device: device ?? undefined,
});

/** Squares of zoom 12 and wider are counted ahead, for every second zoom. */
export const COUNTED_ZOOM_MAX = 12;
const COUNTED_ZOOM_MIN = 4;

/** The squares counted ahead: at most one coarser than asked. */
export async function readTiles(
  db: Db | Tx,
  { range, area }: { range: TileRange; area: string | undefined },
): Promise<readonly MapSquare[]> {
  const counted = atZoom(range, Math.max(COUNTED_ZOOM_MIN, range.zoom - (range.zoom % 2)));
  const rows = await db.execute<SquareRow>(sql`
    select sum(latitude * devices) / sum(devices) as latitude, sum(longitude * devices) / sum(devices) as longitude, sum(devices)::integer as devices,
      sum(troubled)::integer as troubled, sum(tampered)::integer as tampered, null::integer as device
    from telemetry.tile_counts
    where zoom = ${counted.zoom} and tile_x between ${counted.xMin} and ${counted.xMax} and tile_y between ${counted.yMin} and ${counted.yMax}
      and ${area === undefined ? sql`true` : sql`area = ${area}`}
    group by tile_x, tile_y`);
  return rows.map(squareOf);
}

/** The same from the devices themselves, for a close view. */
export async function readPlaces(
  db: Db | Tx,
  { range, area, now }: { range: TileRange; area: string | undefined; now: Date },
): Promise<readonly MapSquare[]> {
  const wide = atZoom(range, COUNTED_ZOOM_MAX);
  const side = sql.raw(String(2 ** range.zoom));
  const rows = await db.execute<SquareRow>(sql`
    select avg(latitude) as latitude, avg(longitude) as longitude, count(*)::integer as devices,
      count(*) filter (where in_service and liveness in ('silent', 'lost'))::integer as troubled, count(*) filter (where tampered)::integer as tampered,
      case when count(*) = 1 then min(device) end as device
    from (
      select p.device, p.in_service, p.latitude, p.longitude, s.tampered, ${livenessSql(now)} as liveness,
        floor((p.longitude + 180) / 360 * ${side}) as x,
        floor((1 - ln(tan(radians(least(greatest(p.latitude, -85), 85))) + 1 / cos(radians(least(greatest(p.latitude, -85), 85)))) / pi()) / 2 * ${side}) as y
      from ${FLEET_TABLES}
      where p.tile_x between ${wide.xMin} and ${wide.xMax} and p.tile_y between ${wide.yMin} and ${wide.yMax}
        and ${area === undefined ? sql`true` : sql`p.area = ${area}`}) located
    where x between ${range.xMin} and ${range.xMax} and y between ${range.yMin} and ${range.yMax}
    group by x, y`);
  return rows.map(squareOf);
}
