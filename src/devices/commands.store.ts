import { sql, type SQL } from "drizzle-orm";
import type { DeviceId, Id } from "../kernel/ids.ts";
import { column, rowsTable, type Db, type Tx } from "../platform/database.ts";
import type { CommandState, CommandStep } from "./command-life.ts";
import type { CommandBody, CommandKind } from "./command-payload.ts";

export type CommandId = Id<"Command">;

/** A command to a device, as it stands. */
export interface Command {
  readonly id: CommandId;
  readonly deviceId: DeviceId;
  /** How telemetry names the device. */
  readonly deviceNumber: number;
  readonly serial: string;
  readonly kind: CommandKind;
  readonly state: CommandState;
  readonly body: CommandBody;
  readonly tokenCount: number | null;
  /** The receipt whose tokens it carries. */
  readonly cause: string | null;
  readonly reason: string;
  readonly actor: string;
  readonly bulkId: string | null;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly nextAttemptAt: Date;
  readonly stateAt: Date;
  /** The device's words, or why it ended. */
  readonly detail: string | null;
}

export interface NewCommand extends Pick<
  Command,
  | "id"
  | "deviceId"
  | "deviceNumber"
  | "serial"
  | "body"
  | "tokenCount"
  | "cause"
  | "reason"
  | "actor"
  | "bulkId"
  | "attemptsMax"
  | "createdAt"
  | "expiresAt"
> {
  readonly slot: string | null;
  /** When the customer is written the tokens instead. */
  readonly fallbackAt: Date | null;
}

export interface CommandChange {
  readonly state: CommandState;
  readonly attempts: number;
  readonly detail: string | null;
  readonly actor: string;
  readonly at: Date;
}

/** What gateways listen on; the payload is the serial whose command waits. */
export const COMMANDS_CHANNEL = "washa_commands";

interface Row extends Record<string, unknown> {
  id: CommandId;
  device_id: DeviceId;
  device: number;
  serial: string;
  kind: CommandKind;
  state: CommandState;
  body: CommandBody;
  token_count: number | null;
  cause: string | null;
  reason: string;
  actor: string;
  bulk_id: string | null;
  attempts: number;
  attempts_max: number;
  created_at: string;
  expires_at: string;
  next_attempt_at: string;
  state_at: string;
  detail: string | null;
}

function commandOf(row: Row): Command {
  return {
    id: row.id,
    deviceId: row.device_id,
    deviceNumber: row.device,
    serial: row.serial,
    kind: row.kind,
    state: row.state,
    body: row.body,
    tokenCount: row.token_count,
    cause: row.cause,
    reason: row.reason,
    actor: row.actor,
    bulkId: row.bulk_id,
    attempts: row.attempts,
    attemptsMax: row.attempts_max,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    nextAttemptAt: new Date(row.next_attempt_at),
    stateAt: new Date(row.state_at),
    detail: row.detail,
  };
}

const COLUMNS = sql.raw(
  "c.id, c.device_id, c.device, c.serial, c.kind, c.state, c.body, c.token_count, c.cause, c.reason, c.actor, c.bulk_id, c.attempts, c.attempts_max, c.created_at, c.expires_at, c.next_attempt_at, c.state_at, c.detail",
);
const OPEN = sql.raw("c.state in ('queued', 'sent', 'delivered')");

/**
 * Queues commands and wakes the gateways when the transaction commits, in one statement. One whose slot is taken, or whose
 * cause was answered, is left out: the ids that were written are returned.
 */
export async function insert(tx: Tx, commands: readonly NewCommand[]): Promise<ReadonlySet<CommandId>> {
  if (commands.length === 0) return new Set();
  const { names, table } = rowsTable(commands, {
    id: ["uuid", ({ id }) => id],
    device_id: ["uuid", ({ deviceId }) => deviceId],
    device: ["integer", ({ deviceNumber }) => deviceNumber],
    serial: ["text", ({ serial }) => serial],
    kind: ["text", ({ body }) => body.kind],
    body: ["jsonb", ({ body }) => body],
    token_count: ["integer", ({ tokenCount }) => tokenCount],
    slot: ["text", ({ slot }) => slot],
    cause: ["text", ({ cause }) => cause],
    reason: ["text", ({ reason }) => reason],
    actor: ["text", ({ actor }) => actor],
    bulk_id: ["uuid", ({ bulkId }) => bulkId],
    attempts_max: ["smallint", ({ attemptsMax }) => attemptsMax],
    created_at: ["timestamptz", ({ createdAt }) => createdAt],
    expires_at: ["timestamptz", ({ expiresAt }) => expiresAt],
    fallback_at: ["timestamptz", ({ fallbackAt }) => fallbackAt],
  });
  const rows = await tx.execute<{ id: CommandId }>(sql`
    with fresh as (
      insert into devices.commands (${names}, state, next_attempt_at, state_at)
      select ${names}, 'queued', created_at, created_at from ${table} as given(${names})
      on conflict do nothing returning id, serial
    )
    select id, pg_notify('${sql.raw(COMMANDS_CHANNEL)}', serial) from fresh`);
  return new Set(rows.map(({ id }) => id));
}

/** Which of the devices have an open command of the slot, and of which kind. */
export async function slotsTaken(
  db: Db | Tx,
  { deviceIds, slot }: { deviceIds: readonly DeviceId[]; slot: string | null },
): Promise<ReadonlyMap<DeviceId, CommandKind>> {
  if (slot === null) return new Map();
  const rows = await db.execute<{ device_id: DeviceId; kind: CommandKind }>(sql`
    select c.device_id, c.kind from devices.commands c
    where c.device_id = any(${column(deviceIds, "uuid")}) and c.slot = ${slot} and ${OPEN}`);
  return new Map(rows.map((row) => [row.device_id, row.kind]));
}

async function lockWhere(tx: Tx, { where, end }: { where: SQL; end: SQL }): Promise<readonly Command[]> {
  const rows = await tx.execute<Row>(sql`select ${COLUMNS} from devices.commands c where ${where} ${end}`);
  return rows.map(commandOf);
}

/**
 * What may be due for devices at this gateway, in the order of asking; what another gateway holds is passed over. Tokens go one
 * by one in the order of their counts: while an earlier one is queued, pauses or is on its way, no later one is taken. A lamp
 * that counts a later one would refuse a setting, and would tell us nothing any more of the earlier one.
 */
export function lockDue(
  tx: Tx,
  { serials, now, limit }: { serials: readonly string[]; now: Date; limit: number },
): Promise<readonly Command[]> {
  const at = sql`${now.toISOString()}::timestamptz`;
  return lockWhere(tx, {
    where: sql`c.serial = any(${column(serials, "text")}) and ${OPEN} and c.next_attempt_at <= ${at} and c.expires_at > ${at}
      and (c.token_count is null or not exists (
        select from devices.commands e
        where e.device = c.device and e.state in ('queued', 'sent') and e.token_count < c.token_count and e.expires_at > ${at}
          and (e.attempts < e.attempts_max or (e.state = 'sent' and e.next_attempt_at > ${at}))))`,
    end: sql`order by c.created_at, c.token_count nulls last, c.id limit ${limit} for update skip locked`,
  });
}

/** When each of the devices has something due that is not yet: after a pause, or when the lease of a gateway ends. */
export async function nextDue(
  tx: Tx,
  { serials, now }: { serials: readonly string[]; now: Date },
): Promise<ReadonlyMap<string, Date>> {
  const at = sql`${now.toISOString()}::timestamptz`;
  const rows = await tx.execute<{ serial: string; at: string }>(sql`
    select c.serial, min(c.next_attempt_at) as at from devices.commands c
    where c.serial = any(${column(serials, "text")}) and ${OPEN} and c.next_attempt_at > ${at} and c.expires_at > ${at}
      and (c.attempts < c.attempts_max or c.state = 'sent') group by c.serial`);
  return new Map(rows.map((row) => [row.serial, new Date(row.at)]));
}

/** In the order of ids, so that two transactions with the same commands cannot wait for each other. */
export function lockByIds(tx: Tx, ids: readonly string[]): Promise<readonly Command[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return lockWhere(tx, { where: sql`c.id = any(${column(ids, "uuid")})`, end: sql`order by c.id for update` });
}

/** The named commands, and the open ones whose tokens are not ahead of what their devices count. */
export function lockHeard(
  tx: Tx,
  {
    ids,
    counts,
  }: {
    ids: readonly string[];
    counts: readonly { readonly deviceNumber: number; readonly tokenCount: number }[];
  },
): Promise<readonly Command[]> {
  const { names, table } = rowsTable(counts, {
    device: ["integer", ({ deviceNumber }) => deviceNumber],
    count: ["integer", ({ tokenCount }) => tokenCount],
  });
  return lockWhere(tx, {
    where: sql`c.id in (
      select unnest(${column(ids, "uuid")})
      union
      select o.id from ${table} as given(${names})
      join devices.commands o on o.device = given.device and o.state in ('queued', 'sent', 'delivered') and o.token_count <= given.count)`,
    end: sql`order by c.id for update`,
  });
}

/** Whose time has passed, or whose sendings are used up. */
export function lockEnding(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<readonly Command[]> {
  const at = now.toISOString();
  return lockWhere(tx, {
    where: sql`c.id in (
      (select id from devices.commands where state in ('queued', 'sent', 'delivered') and expires_at <= ${at}::timestamptz order by expires_at limit ${limit})
      union
      (select id from devices.commands where state in ('queued', 'sent', 'delivered') and attempts >= attempts_max
         and next_attempt_at <= ${at}::timestamptz and not (state = 'delivered' and token_count is not null)
         order by next_attempt_at limit ${limit}))`,
    end: sql`for update skip locked`,
  });
}

export function lockOpenOfDevices(tx: Tx, deviceIds: readonly DeviceId[]): Promise<readonly Command[]> {
  return lockWhere(tx, {
    where: sql`c.device_id = any(${column(deviceIds, "uuid")}) and ${OPEN}`,
    end: sql`order by c.id for update`,
  });
}

/** Writes steps of locked commands and their history, in one statement. A command that is done is not written about by SMS. */
export async function writeSteps(
  tx: Tx,
  steps: readonly { readonly id: CommandId; readonly step: CommandStep; readonly actor: string }[],
  at: Date,
): Promise<void> {
  if (steps.length === 0) return;
  const { names, table } = rowsTable(steps, {
    id: ["uuid", ({ id }) => id],
    state: ["text", ({ step }) => step.state],
    attempts: ["smallint", ({ step }) => step.attempts],
    next_attempt_at: ["timestamptz", ({ step }) => step.nextAttemptAt],
    detail: ["text", ({ step }) => step.detail],
    actor: ["text", ({ actor }) => actor],
  });
  await tx.execute(sql`
    with given as (select * from ${table} as given(${names})),
    written as (
      update devices.commands c
      set state = given.state, attempts = given.attempts, next_attempt_at = given.next_attempt_at, detail = given.detail,
          state_at = ${at.toISOString()}::timestamptz,
          fallback_at = case when given.state = 'done' then null else c.fallback_at end
      from given where c.id = given.id
    )
    insert into devices.command_changes (command_id, state, attempts, detail, actor, at)
    select id, state, attempts, detail, actor, ${at.toISOString()}::timestamptz from given`);
}

/** Takes the causes whose tokens the customer must now be written: not confirmed in time, or ended otherwise. Once each. */
export async function takeFallbacks(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<readonly string[]> {
  const rows = await tx.execute<{ cause: string }>(sql`
    with due as (
      select id from devices.commands
      where fallback_at is not null
        and (fallback_at <= ${now.toISOString()}::timestamptz or state in ('refused', 'failed', 'expired', 'cancelled'))
      order by fallback_at limit ${limit} for update skip locked
    )
    update devices.commands c set fallback_at = null from due where c.id = due.id returning c.cause`);
  return rows.map(({ cause }) => cause);
}

export async function find(db: Db | Tx, id: CommandId): Promise<Command | undefined> {
  const [row] = await db.execute<Row>(sql`select ${COLUMNS} from devices.commands c where c.id = ${id}`);
  return row === undefined ? undefined : commandOf(row);
}

/** Newest first, those before `after`. */
export async function list(
  db: Db | Tx,
  filter: {
    readonly deviceId?: DeviceId | undefined;
    readonly bulkId?: string | undefined;
    readonly open?: boolean | undefined;
  },
  page: { readonly first: number; readonly after?: CommandId | undefined },
): Promise<readonly Command[]> {
  const where = [
    sql`true`,
    ...(filter.deviceId === undefined ? [] : [sql`c.device_id = ${filter.deviceId}`]),
    ...(filter.bulkId === undefined ? [] : [sql`c.bulk_id = ${filter.bulkId}`]),
    ...(filter.open === undefined ? [] : [filter.open ? sql`${OPEN}` : sql`not (${OPEN})`]),
    ...(page.after === undefined ? [] : [sql`c.id < ${page.after}`]),
  ];
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from devices.commands c where ${sql.join(where, sql` and `)}
    order by c.id desc limit ${page.first}`);
  return rows.map(commandOf);
}

/** Oldest first. */
export async function changesOf(db: Db | Tx, id: CommandId): Promise<readonly CommandChange[]> {
  const rows = await db.execute<{
    state: CommandState;
    attempts: number;
    detail: string | null;
    actor: string;
    at: string;
  }>(
    sql`select state, attempts, detail, actor, at from devices.command_changes where command_id = ${id} order by id limit 500`,
  );
  return rows.map((row) => ({ ...row, at: new Date(row.at) }));
}
