import { sql } from "drizzle-orm";
import type { Currency } from "../kernel/money.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { PaymentEvent, QuarantineReason } from "./rails/rail.ts";
import type { Receipt } from "./payments.ts";

/** A verified callback with the bytes it came in. */
export interface VerifiedCallback {
  readonly event: PaymentEvent;
  readonly factsHash: Uint8Array;
  readonly raw: Uint8Array;
  readonly sourceAddress: string;
  readonly receivedAt: Date;
}

/** `repeated`: the same payment was stored before. `conflict`: its id was, with other facts. */
export type StoreOutcome = "stored" | "repeated" | "conflict";

/** The channel on which a commit of new callbacks wakes the settle loops. */
export const SETTLE_CHANNEL = "washa_settle";

/** Stores a group of callbacks and queues the new ones, in one transaction; answers in the order given. */
export async function storeCallbacks(db: Db, callbacks: readonly VerifiedCallback[]): Promise<readonly StoreOutcome[]> {
  return await db.transaction(async (tx) => {
    const fresh = await insertFresh(tx, callbacks);
    if (fresh.size > 0) await tx.execute(sql`select pg_notify(${SETTLE_CHANNEL}, '')`);
    if (fresh.size === callbacks.length) return callbacks.map(() => "stored");
    const first = await factsOf(tx, callbacks);
    const credited = new Set<string>();
    return callbacks.map(({ event, factsHash }) => {
      const name = nameOf(event);
      if (Buffer.compare(first.get(name) ?? new Uint8Array(), factsHash) !== 0) return "conflict";
      if (!fresh.has(name) || credited.has(name)) return "repeated";
      credited.add(name);
      return "stored";
    });
  });
}

const nameOf = ({ rail, providerId }: { rail: string; providerId: string }): string => `${rail}/${providerId}`;

async function insertFresh(tx: Tx, callbacks: readonly VerifiedCallback[]): Promise<ReadonlySet<string>> {
  const of = (pick: (callback: VerifiedCallback) => unknown): unknown[] => callbacks.map(pick);
  const rows = await tx.execute<{ rail: string; provider_id: string }>(sql`
    with fresh as (
      insert into payments.callbacks (rail, provider_id, facts_hash, raw, source_address, received_at, amount_minor, currency, shortcode,
        reference, payer_phone, payer_hash, payer_name, paid_at)
      select * from unnest(${column(
        of(({ event }) => event.rail),
        "text",
      )}, ${column(
        of(({ event }) => event.providerId),
        "text",
      )},
        ${column(
          of(({ factsHash }) => factsHash),
          "bytea",
        )}, ${column(
          of(({ raw }) => raw),
          "bytea",
        )},
        ${column(
          of(({ sourceAddress }) => sourceAddress),
          "text",
        )}, ${column(
          of(({ receivedAt }) => receivedAt),
          "timestamptz",
        )},
        ${column(
          of(({ event }) => event.amount.minor),
          "bigint",
        )}, ${column(
          of(({ event }) => event.amount.currency),
          "text",
        )},
        ${column(
          of(({ event }) => event.shortcode),
          "text",
        )}, ${column(
          of(({ event }) => event.reference),
          "text",
        )},
        ${column(
          of(({ event }) => event.payer.phone),
          "text",
        )}, ${column(
          of(({ event }) => event.payer.hash),
          "bytea",
        )},
        ${column(
          of(({ event }) => event.payer.name),
          "text",
        )}, ${column(
          of(({ event }) => event.paidAt),
          "timestamptz",
        )})
      on conflict (rail, provider_id) do nothing returning id, rail, provider_id, received_at),
    queued as (insert into payments.pending (callback_id, next_attempt_at) select id, received_at from fresh)
    select rail, provider_id from fresh`);
  return new Set(rows.map((row) => nameOf({ rail: row.rail, providerId: row.provider_id })));
}

async function factsOf(tx: Tx, callbacks: readonly VerifiedCallback[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const rows = await tx.execute<{ rail: string; provider_id: string; facts_hash: Uint8Array }>(sql`
    select rail, provider_id, facts_hash from payments.callbacks
    where (rail, provider_id) in (select * from unnest(${column(
      callbacks.map(({ event }) => event.rail),
      "text",
    )},
      ${column(
        callbacks.map(({ event }) => event.providerId),
        "text",
      )}))`);
  return new Map(rows.map((row) => [nameOf({ rail: row.rail, providerId: row.provider_id }), row.facts_hash]));
}

export interface Quarantined {
  readonly rail: string;
  readonly door: string;
  readonly reason: QuarantineReason;
  readonly detail: string;
  readonly providerId: string | undefined;
  readonly sourceAddress: string;
  readonly raw: Uint8Array;
  readonly receivedAt: Date;
}

/** The bytes travel as text that the database decodes: a parameter of type bytea would be encoded a second time. */
export async function quarantine(db: Db | Tx, item: Quarantined): Promise<void> {
  await db.execute(sql`
    insert into payments.quarantine (rail, door, reason, detail, provider_id, source_address, raw, received_at)
    values (${item.rail}, ${item.door}, ${item.reason}, ${item.detail}, ${item.providerId ?? null}, ${item.sourceAddress},
      decode(${Buffer.from(item.raw).toString("hex")}, 'hex'), ${item.receivedAt.toISOString()})`);
}

interface PendingRow extends Record<string, unknown> {
  id: string;
  rail: string;
  provider_id: string;
  amount_minor: string;
  currency: Currency;
  shortcode: string;
  reference: string;
  payer_phone: string | null;
  payer_hash: Uint8Array | null;
  payer_name: string | null;
  paid_at: string;
}

export type PendingCallback = Omit<Receipt, "id">;

const PENDING = sql.raw(
  "c.id, c.rail, c.provider_id, c.amount_minor, c.currency, c.shortcode, c.reference, c.payer_phone, c.payer_hash, c.payer_name, c.paid_at",
);

function pendingOf(row: PendingRow): PendingCallback {
  return {
    callbackId: BigInt(row.id),
    rail: row.rail,
    providerId: row.provider_id,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    shortcode: row.shortcode,
    reference: row.reference,
    payerPhone: row.payer_phone ?? undefined,
    payerHash: row.payer_hash ?? undefined,
    payerName: row.payer_name ?? undefined,
    paidAt: new Date(row.paid_at),
  };
}

/** Claims what is due, skipping what another loop holds; the claim ends with the transaction. */
export async function claimPending(
  tx: Tx,
  { now, batchMax }: { now: Date; batchMax: number },
): Promise<readonly PendingCallback[]> {
  const rows = await tx.execute<PendingRow>(sql`
    with due as (select callback_id from payments.pending where next_attempt_at <= ${now.toISOString()}::timestamptz
                 order by next_attempt_at, callback_id limit ${batchMax} for update skip locked)
    select ${PENDING} from due join payments.callbacks c on c.id = due.callback_id order by c.id`);
  return rows.map(pendingOf);
}

/** Claims one callback, or nothing when another loop has it or settled it meanwhile. */
export async function claimOne(tx: Tx, callbackId: bigint): Promise<PendingCallback | undefined> {
  const [row] = await tx.execute<PendingRow>(sql`
    with due as (select callback_id from payments.pending where callback_id = ${callbackId.toString()}::bigint for update skip locked)
    select ${PENDING} from due join payments.callbacks c on c.id = due.callback_id`);
  return row === undefined ? undefined : pendingOf(row);
}

export async function removePending(tx: Tx, callbackIds: readonly bigint[]): Promise<void> {
  await tx.execute(sql`delete from payments.pending where callback_id = any(${column(callbackIds, "bigint")})`);
}

/** Notes a failure; `nextAttemptAt` undefined sets the callback aside until a person releases it. */
export async function postpone(
  tx: Tx,
  {
    callbackId,
    failure,
    nextAttemptAt,
    attempts,
  }: { callbackId: bigint; failure: string; nextAttemptAt: Date | undefined; attempts: number },
): Promise<void> {
  await tx.execute(sql`
    update payments.pending set attempts = ${attempts}, failure = ${failure},
      next_attempt_at = ${nextAttemptAt?.toISOString() ?? "infinity"}::timestamptz
    where callback_id = ${callbackId.toString()}::bigint`);
}

export async function lockAttempts(tx: Tx, callbackId: bigint): Promise<number | undefined> {
  const [row] = await tx.execute<{ attempts: number }>(sql`
    select attempts from payments.pending where callback_id = ${callbackId.toString()}::bigint for update skip locked`);
  return row?.attempts;
}
