import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { IdempotencyConflict, InvalidInput } from "../kernel/refusal.ts";
import type { Tx } from "./database.ts";

/** What can be stored as an outcome and read back unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A key is somebody's random text, such as a UUID; a longer one is an attack on the index. */
const KEY_CHARACTERS_MAX = 200;
const KEY_CHARACTERS_MIN = 8;

/**
 * Does `work` at most once per actor and key. The first call stores the outcome in the caller's transaction; a later one
 * with the same input gets that outcome without any work, and a concurrent twin waits until the first commits or rolls
 * back. A refused or failed attempt rolls back with the transaction, so its key is free again. The transaction must be
 * READ COMMITTED (the default), or the twin would not see the first one's row.
 * Throws `IdempotencyConflict` for the same key with another input, `InvalidInput` for a key of unusable length.
 */
export async function once<Outcome extends Json>(
  tx: Tx,
  { actor, key, input, now }: { actor: string; key: string; input: unknown; now: Date },
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  if (key.length < KEY_CHARACTERS_MIN || key.length > KEY_CHARACTERS_MAX) {
    throw new InvalidInput(
      `An idempotency key has ${KEY_CHARACTERS_MIN} to ${KEY_CHARACTERS_MAX} characters. A new UUID is a good one.`,
      "idempotencyKey",
    );
  }
  const inputHash = hashOf(input);
  const claimed = await tx.execute(sql`
    insert into platform.commands (actor, key, input_hash, created_at)
    values (${actor}, ${key}, ${inputHash}, ${now.toISOString()})
    on conflict (actor, key) do nothing returning 1`);
  if (claimed.length === 1) {
    const outcome = await work();
    await tx.execute(sql`
      update platform.commands set outcome = ${JSON.stringify(outcome)}::jsonb where actor = ${actor} and key = ${key}`);
    return outcome;
  }
  const [earlier] = await tx.execute<{ same: boolean; outcome: string | null }>(sql`
    select input_hash = ${inputHash} as same, outcome::text as outcome
    from platform.commands where actor = ${actor} and key = ${key}`);
  if (earlier === undefined || earlier.outcome === null) {
    throw new Error("The first command with this idempotency key left no outcome that this transaction can see.");
  }
  if (!earlier.same) throw new IdempotencyConflict();
  return JSON.parse(earlier.outcome) as Outcome;
}

function hashOf(input: unknown): Buffer {
  return createHash("sha256").update(canonicalJson(input)).digest();
}

/**
 * Writes a value as JSON that does not depend on the order in which its fields were set. Big integers become strings,
 * instants ISO strings; fields that are undefined are left out. Throws for what JSON cannot carry.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "bigint") return `"${value.toString()}"`;
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (value instanceof Date) return JSON.stringify(value.toISOString());
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object") {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
    return `{${fields.join(",")}}`;
  }
  throw new TypeError(`A value of type ${typeof value} has no JSON form.`);
}
