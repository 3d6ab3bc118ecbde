import { sql } from "drizzle-orm";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { SlowHash } from "../platform/slow-hash.ts";

/** Whose PIN it is: a customer and an agent may be one person with one phone, and have two. */
export interface PinOwner {
  readonly kind: "customer" | "staff";
  readonly id: string;
}

export interface StoredPin {
  readonly hash: SlowHash;
  readonly failures: number;
  readonly lockedUntil: Date | undefined;
}

const isOf = ({ kind, id }: PinOwner) => sql`owner_kind = ${kind} and owner_id = ${id}::uuid`;

/** Held until the transaction ends: two guesses at once count as two. */
export async function lockPin(tx: Tx, owner: PinOwner): Promise<StoredPin | undefined> {
  const [row] = await tx.execute<{ hash: SlowHash; failures: number; locked_until: string | null }>(sql`
    select hash, failures, locked_until from ussd.pins where ${isOf(owner)} for update`);
  if (row === undefined) return undefined;
  return {
    hash: row.hash,
    failures: row.failures,
    lockedUntil: row.locked_until === null ? undefined : new Date(row.locked_until),
  };
}

/** Which of these have a PIN, by their ids. */
export async function whoHasPin(db: Db | Tx, owners: readonly PinOwner[]): Promise<ReadonlySet<string>> {
  if (owners.length === 0) return new Set();
  const kinds = column(
    owners.map(({ kind }) => kind),
    "text",
  );
  const ids = column(
    owners.map(({ id }) => id),
    "uuid",
  );
  const rows = await db.execute<{ id: string }>(sql`
    select owner_id as id from ussd.pins where (owner_kind, owner_id) in (select * from unnest(${kinds}, ${ids}))`);
  return new Set(rows.map(({ id }) => id));
}

export async function noteGuess(
  tx: Tx,
  owner: PinOwner,
  { failures, lockedUntil }: { failures: number; lockedUntil: Date | undefined },
): Promise<void> {
  await tx.execute(sql`
    update ussd.pins set failures = ${failures}, locked_until = ${lockedUntil?.toISOString() ?? null}::timestamptz
    where ${isOf(owner)}`);
}

export async function savePin(tx: Tx, owner: PinOwner, { hash, at }: { hash: SlowHash; at: Date }): Promise<void> {
  await tx.execute(sql`
    insert into ussd.pins (owner_kind, owner_id, hash, set_at)
    values (${owner.kind}, ${owner.id}::uuid, ${hash}, ${at.toISOString()}::timestamptz)
    on conflict (owner_kind, owner_id) do update set hash = excluded.hash, set_at = excluded.set_at, failures = 0, locked_until = null`);
}

export async function removePin(tx: Tx, owner: PinOwner): Promise<void> {
  await tx.execute(sql`delete from ussd.pins where ${isOf(owner)}`);
}
