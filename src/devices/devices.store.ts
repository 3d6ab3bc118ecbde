import { sql, type SQL } from "drizzle-orm";
import type { DeviceId, TokenId } from "../kernel/ids.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { DeviceLine } from "./device-csv.ts";
import type { Device, DeviceState, Token, TokenKind } from "./devices.ts";
import { DEVICE_STATES, maySpeak } from "./life-cycle.ts";

export interface DeviceWithKey extends Device {
  readonly keySealed: Uint8Array;
  readonly startingCode: number;
  readonly testCode: string | undefined;
  /** When a gateway saw it last; undefined where nobody may speak for it. */
  readonly reachableAt: Date | undefined;
}

export interface DeviceRow extends Record<string, unknown> {
  id: DeviceId;
  number: number;
  serial: string;
  model: string;
  hardware_version: string | null;
  state: DeviceState;
  area: string | null;
  place: string | null;
  latitude: number | null;
  longitude: number | null;
  count: number;
  time_divider: number;
  restricted_digits: boolean;
  imported_at: string;
  installed_at: string | null;
}

/** Of `devices.devices d`. */
export const DEVICE_COLUMNS = sql.raw(
  "d.id, d.number, d.serial, d.model, d.hardware_version, d.state, d.area, d.place, d.latitude, d.longitude, d.count, d.time_divider, d.restricted_digits, d.imported_at, d.installed_at",
);

export function deviceOf(row: DeviceRow): Device {
  return {
    id: row.id,
    number: row.number,
    serial: row.serial,
    model: row.model,
    hardwareVersion: row.hardware_version,
    state: row.state,
    area: row.area,
    place: row.place,
    latitude: row.latitude,
    longitude: row.longitude,
    count: row.count,
    timeDivider: row.time_divider,
    restrictedDigits: row.restricted_digits,
    importedAt: new Date(row.imported_at),
    installedAt: row.installed_at === null ? null : new Date(row.installed_at),
  };
}

/** Inserts devices into stock and returns the serials that were new. */
export async function insert(
  tx: Tx,
  { rows, importedAt }: { rows: readonly (DeviceLine & { id: DeviceId; keySealed: Uint8Array })[]; importedAt: Date },
): Promise<ReadonlyMap<string, number>> {
  if (rows.length === 0) return new Map();
  const of = (pick: (row: (typeof rows)[number]) => unknown): unknown[] => rows.map(pick);
  const inserted = await tx.execute<{ serial: string; number: number }>(sql`
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
    on conflict (serial) do nothing returning serial, number`);
  return new Map(inserted.map(({ serial, number }) => [serial, number]));
}

export async function findMany(db: Db | Tx, ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, Device>> {
  const rows = await db.execute<DeviceRow>(
    sql`select ${DEVICE_COLUMNS} from devices.devices d where d.id = any(${column(ids, "uuid")})`,
  );
  return new Map(rows.map((row) => [row.id, deviceOf(row)]));
}

export async function findBySerial(db: Db | Tx, serial: string): Promise<Device | undefined> {
  const [row] = await db.execute<DeviceRow>(
    sql`select ${DEVICE_COLUMNS} from devices.devices d where d.serial = ${serial}`,
  );
  return row === undefined ? undefined : deviceOf(row);
}

export interface DeviceFilter {
  /** The start of a serial. */
  readonly search?: string | undefined;
  readonly state?: DeviceState | undefined;
  readonly area?: string | undefined;
  readonly model?: string | undefined;
}

export function deviceConditions({ search, state, area, model }: DeviceFilter): SQL {
  const start = search?.trim().replace(/[\\%_]/g, "\\$&");
  return sql.join(
    [
      sql`true`,
      ...(state === undefined ? [] : [sql`d.state = ${state}`]),
      ...(area === undefined ? [] : [sql`d.area = ${area}`]),
      ...(model === undefined ? [] : [sql`d.model = ${model}`]),
      ...(start === undefined ? [] : [sql`d.serial like ${`${start}%`}`]),
    ],
    sql` and `,
  );
}

export async function list(
  db: Db | Tx,
  filter: DeviceFilter,
  page: { first: number; after?: string | undefined },
): Promise<readonly Device[]> {
  const rows = await db.execute<DeviceRow>(sql`
    select ${DEVICE_COLUMNS} from devices.devices d
    where ${deviceConditions(filter)} ${page.after === undefined ? sql`` : sql`and d.id > ${page.after}::uuid`}
    order by d.id limit ${page.first}`);
  return rows.map(deviceOf);
}

export async function lock(tx: Tx, id: DeviceId): Promise<Device | undefined> {
  const [row] = await tx.execute<DeviceRow>(
    sql`select ${DEVICE_COLUMNS} from devices.devices d where d.id = ${id} for update`,
  );
  return row === undefined ? undefined : deviceOf(row);
}

/** In the order of ids, so that two batches with the same devices cannot wait for each other. */
export async function lockWithKeys(tx: Tx, ids: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, DeviceWithKey>> {
  if (ids.length === 0) return new Map();
  const rows = await tx.execute<
    DeviceRow & { key_sealed: Uint8Array; starting_code: number; test_code: string | null; seen_at: string | null }
  >(sql`
    select ${DEVICE_COLUMNS}, d.key_sealed, d.starting_code, d.test_code, c.seen_at
    from devices.devices d left join devices.credentials c on c.device_id = d.id and c.state = 'claimed'
    where d.id = any(${column(ids, "uuid")}) order by d.id for update of d`);
  return new Map(
    rows.map((row) => [
      row.id,
      {
        ...deviceOf(row),
        keySealed: row.key_sealed,
        startingCode: row.starting_code,
        testCode: row.test_code ?? undefined,
        reachableAt: row.seen_at === null ? undefined : new Date(row.seen_at),
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

/** By the numbers that readings name devices by. */
export async function findByNumbers(db: Db | Tx, numbers: readonly number[]): Promise<ReadonlyMap<number, Device>> {
  const rows = await db.execute<DeviceRow>(
    sql`select ${DEVICE_COLUMNS} from devices.devices d where d.number = any(${column(numbers, "integer")})`,
  );
  return new Map(rows.map((row) => [row.number, deviceOf(row)]));
}

/** Where a device may take tokens: what is swapped, in the workshop or retired got its light elsewhere. */
const TAKING = DEVICE_STATES.filter(maySpeak);

/**
 * Tokens that a device with this count has not taken yet, the oldest first, to be handed to it now: of its present home only,
 * and none of a command that has ended or whose time has passed. Handing out the token of a command that nobody sent yet is its
 * first sending, so that nobody takes it back afterwards; its row is locked, so that it is either taken back or handed out.
 */
export async function pendingTokens(
  db: Db | Tx,
  { number, count, limit, now }: { number: number; count: number; limit: number; now: Date },
): Promise<readonly string[]> {
  const at = sql`${now.toISOString()}::timestamptz`;
  const rows = await db.execute<{ digits: string }>(sql`
    with held as (
      select c.id, c.token_count, c.state, c.attempts, c.state in ('queued', 'sent', 'delivered', 'done') and c.expires_at > ${at} as stands
      from devices.devices d join devices.commands c on c.device_id = d.id and c.slot = 'light' and c.token_count > ${count}
      where d.number = ${number} order by c.id for update of c),
    pending as (
      select t.count, t.digits from devices.devices d join devices.tokens t on t.device_id = d.id
      where d.number = ${number} and d.state = any(${column(TAKING, "text")}) and t.count > ${count}
        and (d.installed_at is null or t.issued_at >= d.installed_at)
        and not exists (select from held h where h.token_count = t.count and not h.stands)
      order by t.count limit ${limit}),
    handed as (
      update devices.commands c set attempts = 1 from held h join pending t on t.count = h.token_count
      where c.id = h.id and h.state = 'queued' and h.attempts = 0 returning c.id),
    noted as (
      insert into devices.command_changes (command_id, state, attempts, detail, actor, at)
      select id, 'queued', 1, 'Handed to the device when it asked.', 'system:commands', ${at} from handed)
    select digits from pending order by count`);
  return rows.map(({ digits }) => digits);
}
