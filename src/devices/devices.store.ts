import { sql } from "drizzle-orm";
import type { DeviceId, TokenId } from "../kernel/ids.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { DeviceLine } from "./device-csv.ts";
import type { Device, DeviceState, Token, TokenKind } from "./devices.ts";

export interface DeviceWithKey extends Device {
  readonly keySealed: Uint8Array;
  readonly startingCode: number;
  readonly testCode: string | undefined;
}

interface Row extends Record<string, unknown> {
  id: DeviceId;
  serial: string;
  model: string;
  hardware_version: string | null;
  state: DeviceState;
  count: number;
  time_divider: number;
  restricted_digits: boolean;
  imported_at: string;
}

const COLUMNS = sql.raw(
  "id, serial, model, hardware_version, state, count, time_divider, restricted_digits, imported_at",
);

function deviceOf(row: Row): Device {
  return {
    id: row.id,
    serial: row.serial,
    model: row.model,
    hardwareVersion: row.hardware_version,
    state: row.state,
    count: row.count,
    timeDivider: row.time_divider,
    restrictedDigits: row.restricted_digits,
    importedAt: new Date(row.imported_at),
  };
}

/** Inserts devices into stock and returns the serials that were new. */
export async function insert(
  tx: Tx,
  { rows, importedAt }: { rows: readonly (DeviceLine & { id: DeviceId; keySealed: Uint8Array })[]; importedAt: Date },
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set();
  const of = (pick: (row: (typeof rows)[number]) => unknown): unknown[] => rows.map(pick);
  const inserted = await tx.execute<{ serial: string }>(sql`
    insert into devices.devices (id, serial, model, hardware_version, state, key_sealed, starting_code, count, time_divider, restricted_digits, test_code, imported_at)
    select id, serial, model, version, 'stock', key, starting_code, count, divider, restricted, test_code, ${importedAt.toISOString()}::timestamptz
    from unnest(${column(
      of(({ id }) => id),
      "uuid",
    )}, ${column(
      of(({ serial }) => serial),
      "text",
    )}, ${column(
      of(({ model }) => model),
      "text",
    )},
      ${column(
        of(({ hardwareVersion }) => hardwareVersion),
        "text",
      )}, ${column(
        of(({ keySealed }) => keySealed),
        "bytea",
      )},
      ${column(
        of(({ startingCode }) => startingCode),
        "integer",
      )}, ${column(
        of(({ count }) => count),
        "integer",
      )},
      ${column(
        of(({ timeDivider }) => timeDivider),
        "smallint",
      )}, ${column(
        of(({ restrictedDigits }) => restrictedDigits),
        "boolean",
      )},
      ${column(
        of(({ testCode }) => testCode),
        "text",
      )})
      as given(id, serial, model, version, key, starting_code, count, divider, restricted, test_code)
    on conflict (serial) do nothing returning serial`);
  return new Set(inserted.map(({ serial }) => serial));
}

export async function findMany(db: Db | Tx, ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, Device>> {
  const rows = await db.execute<Row>(
    sql`select ${COLUMNS} from devices.devices where id = any(${column(ids, "uuid")})`,
  );
  return new Map(rows.map((row) => [row.id, deviceOf(row)]));
}

export async function findBySerial(db: Db | Tx, serial: string): Promise<Device | undefined> {
  const [row] = await db.execute<Row>(sql`select ${COLUMNS} from devices.devices where serial = ${serial}`);
  return row === undefined ? undefined : deviceOf(row);
}

export async function list(
  db: Db | Tx,
  filter: { search?: string | undefined; state?: DeviceState | undefined },
  page: { first: number; after?: string | undefined },
): Promise<readonly Device[]> {
  const start = filter.search?.trim().replace(/[\\%_]/g, "\\$&");
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from devices.devices
    where (${filter.state ?? null}::text is null or state = ${filter.state ?? null})
      and (${start ?? null}::text is null or serial like ${start === undefined ? null : `${start}%`})
      and (${page.after ?? null}::uuid is null or id > ${page.after ?? null}::uuid)
    order by id limit ${page.first}`);
  return rows.map(deviceOf);
}

export async function lock(tx: Tx, id: DeviceId): Promise<Device | undefined> {
  const [row] = await tx.execute<Row>(sql`select ${COLUMNS} from devices.devices where id = ${id} for update`);
  return row === undefined ? undefined : deviceOf(row);
}

export async function setState(tx: Tx, id: DeviceId, state: DeviceState): Promise<void> {
  await tx.execute(sql`update devices.devices set state = ${state} where id = ${id}`);
}

/** In the order of ids, so that two batches with the same devices cannot wait for each other. */
export async function lockWithKeys(tx: Tx, ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, DeviceWithKey>> {
  if (ids.length === 0) return new Map();
  const rows = await tx.execute<Row & { key_sealed: Uint8Array; starting_code: number; test_code: string | null }>(sql`
    select ${COLUMNS}, key_sealed, starting_code, test_code from devices.devices
    where id = any(${column(ids, "uuid")}) order by id for update`);
  return new Map(
    rows.map((row) => [
      row.id,
      {
        ...deviceOf(row),
        keySealed: row.key_sealed,
        startingCode: row.starting_code,
        testCode: row.test_code ?? undefined,
      },
    ]),
  );
}

/** Tokens are unique by device and count, and by cause, device and part: a second answer to one cause is a fault. */
export async function saveTokens(
  tx: Tx,
  { tokens, counts }: { tokens: readonly Token[]; counts: ReadonlyMap<DeviceId, number> },
): Promise<void> {
  if (tokens.length === 0) return;
  const of = (pick: (token: Token) => unknown): unknown[] => tokens.map(pick);
  await tx.execute(sql`
    insert into devices.tokens (id, device_id, count, kind, units, digits, cause, part, issued_at)
    select * from unnest(${column(
      of(({ id }) => id),
      "uuid",
    )}, ${column(
      of(({ deviceId }) => deviceId),
      "uuid",
    )},
      ${column(
        of(({ count }) => count),
        "integer",
      )}, ${column(
        of(({ kind }) => kind),
        "text",
      )}, ${column(
        of(({ units }) => units),
        "integer",
      )},
      ${column(
        of(({ digits }) => digits),
        "text",
      )}, ${column(
        of(({ cause }) => cause),
        "text",
      )},
      ${column(
        of(({ part }) => part),
        "smallint",
      )}, ${column(
        of(({ issuedAt }) => issuedAt),
        "timestamptz",
      )})`);
  await tx.execute(sql`
    update devices.devices d set count = given.count
    from unnest(${column([...counts.keys()], "uuid")}, ${column([...counts.values()], "integer")}) as given(id, count)
    where d.id = given.id and d.count < given.count`);
}

interface TokenRow extends Record<string, unknown> {
  id: TokenId;
  device_id: DeviceId;
  count: number;
  kind: TokenKind;
  units: number;
  digits: string;
  cause: string;
  part: number;
  issued_at: string;
}

function tokenOf(row: TokenRow): Token {
  const { id, device_id: deviceId, count, kind, units, digits, cause, part } = row;
  return { id, deviceId, count, kind, units, digits, cause, part, issuedAt: new Date(row.issued_at) };
}

export async function tokensOf(
  db: Db | Tx,
  { deviceId, limit }: { deviceId: DeviceId; limit: number },
): Promise<readonly Token[]> {
  const rows = await db.execute<TokenRow>(
    sql`select * from devices.tokens where device_id = ${deviceId} order by count desc limit ${limit}`,
  );
  return rows.map(tokenOf);
}

export async function tokensByCause(db: Db | Tx, causes: readonly string[]): Promise<readonly Token[]> {
  const rows = await db.execute<TokenRow>(
    sql`select * from devices.tokens where cause = any(${column(causes, "text")}) order by cause, part`,
  );
  return rows.map(tokenOf);
}
