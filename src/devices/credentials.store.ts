import { sql } from "drizzle-orm";
import type { DeviceId } from "../kernel/ids.ts";
import { column, rowsTable, type Db, type Tx } from "../platform/database.ts";
import type { DeviceState } from "./life-cycle.ts";
import { SPEAKERS_CHANNEL } from "./speakers.store.ts";

export type CredentialState = "open" | "claimed" | "revoked";

export interface CredentialRow {
  readonly deviceId: DeviceId;
  readonly serial: string;
  readonly deviceState: DeviceState;
  /** Undefined before the first code is issued. */
  readonly generation: number | undefined;
  readonly state: CredentialState | undefined;
  readonly attempts: number;
  readonly requestDigest: Uint8Array | null;
  readonly signedAt: Date | null;
  readonly issuedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly claimedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly seenAt: Date | null;
}

export type CredentialEventKind = "issued" | "claimed" | "claim_refused" | "rotated" | "revoked" | "provisioned";

export interface CredentialEvent {
  readonly kind: CredentialEventKind;
  readonly generation: number;
  readonly actor: string;
  readonly detail: string;
  readonly at: Date;
}

interface Row extends Record<string, unknown> {
  id: DeviceId;
  serial: string;
  device_state: DeviceState;
  generation: number | null;
  state: CredentialState | null;
  attempts: number | null;
  request_digest: Uint8Array | null;
  signed_at: string | null;
  issued_at: string | null;
  expires_at: string | null;
  claimed_at: string | null;
  revoked_at: string | null;
  seen_at: string | null;
}

const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

function credentialOf(row: Row): CredentialRow {
  return {
    deviceId: row.id,
    serial: row.serial,
    deviceState: row.device_state,
    generation: row.generation ?? undefined,
    state: row.state ?? undefined,
    attempts: row.attempts ?? 0,
    requestDigest: row.request_digest,
    signedAt: dateOf(row.signed_at),
    issuedAt: dateOf(row.issued_at),
    expiresAt: dateOf(row.expires_at),
    claimedAt: dateOf(row.claimed_at),
    revokedAt: dateOf(row.revoked_at),
    seenAt: dateOf(row.seen_at),
  };
}

const SELECT = sql`
  select d.id, d.serial, d.state as device_state, c.generation, c.state, c.attempts, c.request_digest, c.signed_at, c.issued_at,
    c.expires_at, c.claimed_at, c.revoked_at, c.seen_at
  from devices.devices d left join devices.credentials c on c.device_id = d.id`;

/** What signing in is decided by: one row by two unique keys. */
export async function findSpeaker(
  db: Db | Tx,
  serial: string,
): Promise<{ generation: number; state: CredentialState; deviceState: DeviceState } | undefined> {
  const [row] = await db.execute<{ generation: number; state: CredentialState; device_state: DeviceState }>(sql`
    select c.generation, c.state, d.state as device_state
    from devices.credentials c join devices.devices d on d.id = c.device_id where c.serial = ${serial}`);
  return row === undefined
    ? undefined
    : { generation: row.generation, state: row.state, deviceState: row.device_state };
}

export async function find(db: Db | Tx, deviceId: DeviceId): Promise<CredentialRow | undefined> {
  const [row] = await db.execute<Row>(sql`${SELECT} where d.id = ${deviceId}`);
  return row === undefined ? undefined : credentialOf(row);
}

export async function findBySerials(db: Db | Tx, serials: readonly string[]): Promise<readonly CredentialRow[]> {
  const rows = await db.execute<Row>(sql`${SELECT} where d.serial = any(${column(serials, "text")})`);
  return rows.map(credentialOf);
}

/** Locks the devices, whose states decide, in the order of their ids; what is not there is left out. */
export async function lockBySerials(tx: Tx, serials: readonly string[]): Promise<readonly CredentialRow[]> {
  // Two statements: one that waits for the lock and reads at once would read the credentials as they were before it waited,
  // and give a claim to two.
  await tx.execute(
    sql`select 1 from devices.devices where serial = any(${column(serials, "text")}) order by id for update`,
  );
  const rows = await tx.execute<Row>(sql`${SELECT} where d.serial = any(${column(serials, "text")}) order by d.id`);
  return rows.map(credentialOf);
}

export interface CredentialWrite {
  readonly deviceId: DeviceId;
  readonly serial: string;
  readonly generation: number;
  readonly state: CredentialState;
  readonly attempts: number;
  readonly requestDigest: Uint8Array | null;
  readonly signedAt: Date | null;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly claimedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly seenAt: Date | null;
  readonly event: Pick<CredentialEvent, "kind" | "actor" | "detail">;
}

/**
 * Writes credentials with their history and tells every cache and gateway, in one statement. A wrong code changes nothing for
 * them, or a guesser could have devices cut off.
 */
export async function write(tx: Tx, writes: readonly CredentialWrite[], at: Date): Promise<void> {
  if (writes.length === 0) return;
  const { names, table } = rowsTable(writes, {
    device_id: ["uuid", ({ deviceId }) => deviceId],
    serial: ["text", ({ serial }) => serial],
    generation: ["integer", ({ generation }) => generation],
    state: ["text", ({ state }) => state],
    attempts: ["smallint", ({ attempts }) => attempts],
    request_digest: ["bytea", ({ requestDigest }) => requestDigest],
    signed_at: ["timestamptz", ({ signedAt }) => signedAt],
    issued_at: ["timestamptz", ({ issuedAt }) => issuedAt],
    expires_at: ["timestamptz", ({ expiresAt }) => expiresAt],
    claimed_at: ["timestamptz", ({ claimedAt }) => claimedAt],
    revoked_at: ["timestamptz", ({ revokedAt }) => revokedAt],
    seen_at: ["timestamptz", ({ seenAt }) => seenAt],
    kind: ["text", ({ event }) => event.kind],
    actor: ["text", ({ event }) => event.actor],
    detail: ["text", ({ event }) => event.detail],
  });
  await tx.execute(sql`
    with given as (select * from ${table} as given(${names})),
    written as (
      insert into devices.credentials as c (device_id, serial, generation, state, attempts, request_digest, signed_at, issued_at, expires_at,
        claimed_at, revoked_at, seen_at)
      select device_id, serial, generation, state, attempts, request_digest, signed_at, issued_at, expires_at, claimed_at, revoked_at, seen_at
      from given
      on conflict (device_id) do update set generation = excluded.generation, state = excluded.state, attempts = excluded.attempts,
        request_digest = excluded.request_digest, signed_at = excluded.signed_at, issued_at = excluded.issued_at,
        expires_at = excluded.expires_at, claimed_at = excluded.claimed_at, revoked_at = excluded.revoked_at, seen_at = excluded.seen_at
    ),
    told as (
      insert into devices.credential_events (device_id, kind, generation, actor, detail, at)
      select device_id, kind, generation, actor, detail, ${at.toISOString()}::timestamptz from given
    )
    select pg_notify('${sql.raw(SPEAKERS_CHANNEL)}', serial) from given where kind <> 'claim_refused'`);
}

/** Notes who is connected now; rows of this minute are left as they are. */
export async function touch(db: Db | Tx, serials: readonly string[], now: Date): Promise<void> {
  if (serials.length === 0) return;
  const at = now.toISOString();
  await db.execute(sql`
    update devices.credentials c set seen_at = ${at}::timestamptz
    from (select device_id from devices.credentials
          where serial = any(${column(serials, "text")}) and (seen_at is null or seen_at < ${at}::timestamptz - interval '1 minute')
          order by device_id for update skip locked) due
    where c.device_id = due.device_id`);
}

/** Newest first. */
export async function eventsOf(
  db: Db | Tx,
  { deviceId, first, before }: { deviceId: DeviceId; first: number; before?: bigint | undefined },
): Promise<readonly (CredentialEvent & { readonly id: bigint })[]> {
  const rows = await db.execute<{
    id: string;
    kind: CredentialEventKind;
    generation: number;
    actor: string;
    detail: string;
    at: string;
  }>(sql`
    select id::text as id, kind, generation, actor, detail, at from devices.credential_events
    where device_id = ${deviceId} ${before === undefined ? sql`` : sql`and id < ${before.toString()}::bigint`}
    order by devices.credential_events.id desc limit ${first}`);
  return rows.map((row) => ({ ...row, id: BigInt(row.id), at: new Date(row.at) }));
}
