import { sql } from "drizzle-orm";
import type { CustomerId } from "../kernel/ids.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { SlowHash } from "../platform/slow-hash.ts";

export interface StoredPin {
  readonly hash: SlowHash;
  readonly failures: number;
  readonly lockedUntil: Date | undefined;
}

/** Held until the transaction ends: two guesses at once count as two. */
export async function lockPin(tx: Tx, customerId: CustomerId): Promise<StoredPin | undefined> {
  const [row] = await tx.execute<{ hash: SlowHash; failures: number; locked_until: string | null }>(sql`
    select hash, failures, locked_until from ussd.pins where customer_id = ${customerId}::uuid for update`);
  if (row === undefined) return undefined;
  return {
    hash: row.hash,
    failures: row.failures,
    lockedUntil: row.locked_until === null ? undefined : new Date(row.locked_until),
  };
}

/** Which of these have a PIN. */
export async function whoHasPin(db: Db | Tx, ids: readonly CustomerId[]): Promise<ReadonlySet<CustomerId>> {
  if (ids.length === 0) return new Set();
  const rows = await db.execute<{ id: CustomerId }>(
    sql`select customer_id as id from ussd.pins where customer_id = any(${column(ids, "uuid")})`,
  );
  return new Set(rows.map(({ id }) => id));
}

export async function noteGuess(
  tx: Tx,
  customerId: CustomerId,
  { failures, lockedUntil }: { failures: number; lockedUntil: Date | undefined },
): Promise<void> {
  await tx.execute(sql`
    update ussd.pins set failures = ${failures}, locked_until = ${lockedUntil?.toISOString() ?? null}::timestamptz
    where customer_id = ${customerId}::uuid`);
}

export async function savePin(
  tx: Tx,
  customerId: CustomerId,
  { hash, at }: { hash: SlowHash; at: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into ussd.pins (customer_id, hash, set_at) values (${customerId}::uuid, ${hash}, ${at.toISOString()}::timestamptz)
    on conflict (customer_id) do update set hash = excluded.hash, set_at = excluded.set_at, failures = 0, locked_until = null`);
}
