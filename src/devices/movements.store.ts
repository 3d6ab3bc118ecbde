import { sql } from "drizzle-orm";
import type { ContractId, DeviceId } from "../kernel/ids.ts";
import { column, rowsTable, type Db, type Tx } from "../platform/database.ts";
import { DEVICE_COLUMNS, deviceConditions, deviceOf, type DeviceFilter, type DeviceRow } from "./devices.store.ts";
import type { Device, Whereabouts } from "./devices.ts";
import type { DeviceState } from "./life-cycle.ts";
import { SPEAKERS_CHANNEL } from "./speakers.store.ts";

/** One change of a device's state or place. */
export interface Movement extends Whereabouts {
  readonly id: bigint;
  readonly deviceId: DeviceId;
  readonly from: DeviceState;
  readonly to: DeviceState;
  readonly reason: string;
  readonly actor: string;
  readonly contractId: ContractId | null;
  readonly bulkId: string | null;
  readonly at: Date;
}

export type NewMovement = Omit<Movement, "id">;

/** Locks the devices of some serials, in the order of their ids; what is not there is left out. */
export async function lockBySerials(tx: Tx, serials: readonly string[]): Promise<readonly Device[]> {
  const rows = await tx.execute<DeviceRow>(sql`
    select ${DEVICE_COLUMNS} from devices.devices d where d.serial = any(${column(serials, "text")}) order by d.id for update`);
  return rows.map(deviceOf);
}

export async function findBySerials(db: Db | Tx, serials: readonly string[]): Promise<readonly Device[]> {
  const rows = await db.execute<DeviceRow>(
    sql`select ${DEVICE_COLUMNS} from devices.devices d where d.serial = any(${column(serials, "text")})`,
  );
  return rows.map(deviceOf);
}

/** The serials that a filter names, in their order; one more than the limit tells that there are more. */
export async function serialsOf(db: Db | Tx, filter: DeviceFilter, limit: number): Promise<readonly string[]> {
  const rows = await db.execute<{ serial: string }>(
    sql`select d.serial from devices.devices d where ${deviceConditions(filter)} order by d.serial limit ${limit}`,
  );
  return rows.map(({ serial }) => serial);
}

/** Moves locked devices and keeps their history, in one statement; whoever remembers them is told. */
export async function move(tx: Tx, movements: readonly NewMovement[]): Promise<void> {
  if (movements.length === 0) return;
  const { names, table } = rowsTable(movements, {
    device_id: ["uuid", ({ deviceId }) => deviceId],
    from_state: ["text", ({ from }) => from],
    to_state: ["text", ({ to }) => to],
    area: ["text", ({ area }) => area],
    place: ["text", ({ place }) => place],
    latitude: ["double precision", ({ latitude }) => latitude],
    longitude: ["double precision", ({ longitude }) => longitude],
    reason: ["text", ({ reason }) => reason],
    actor: ["text", ({ actor }) => actor],
    contract_id: ["uuid", ({ contractId }) => contractId],
    bulk_id: ["uuid", ({ bulkId }) => bulkId],
    at: ["timestamptz", ({ at }) => at],
  });
  await tx.execute(sql`
    with given as (select * from ${table} as given(${names})),
    moved as (
      update devices.devices d
      set state = given.to_state, area = given.area, place = given.place, latitude = given.latitude, longitude = given.longitude,
          installed_at = case when given.to_state = 'installed' and given.from_state = 'stock' then given.at else d.installed_at end
      from given where d.id = given.device_id
      returning d.serial
    ),
    told as (
      insert into devices.movements (${names}) select ${names} from given
    )
    select pg_notify('${sql.raw(SPEAKERS_CHANNEL)}', serial) from moved`);
}

interface MovementRow extends Record<string, unknown> {
  id: string;
  device_id: DeviceId;
  from_state: DeviceState;
  to_state: DeviceState;
  area: string | null;
  place: string | null;
  latitude: number | null;
  longitude: number | null;
  reason: string;
  actor: string;
  contract_id: ContractId | null;
  bulk_id: string | null;
  at: string;
}

/** Newest first, those before `before`. */
export async function list(
  db: Db | Tx,
  { deviceId, first, before }: { deviceId: DeviceId; first: number; before?: bigint | undefined },
): Promise<readonly Movement[]> {
  const rows = await db.execute<MovementRow>(sql`
    select m.id::text as id, m.device_id, m.from_state, m.to_state, m.area, m.place, m.latitude, m.longitude, m.reason, m.actor,
      m.contract_id, m.bulk_id, m.at
    from devices.movements m
    where m.device_id = ${deviceId} ${before === undefined ? sql`` : sql`and m.id < ${before.toString()}::bigint`}
    order by m.id desc limit ${first}`);
  return rows.map((row) => ({
    id: BigInt(row.id),
    deviceId: row.device_id,
    from: row.from_state,
    to: row.to_state,
    area: row.area,
    place: row.place,
    latitude: row.latitude,
    longitude: row.longitude,
    reason: row.reason,
    actor: row.actor,
    contractId: row.contract_id,
    bulkId: row.bulk_id,
    at: new Date(row.at),
  }));
}
