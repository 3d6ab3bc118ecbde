import { sql } from "drizzle-orm";
import type { Currency } from "../../kernel/money.ts";
import { column, type Tx } from "../../platform/database.ts";
import type { Receipt } from "../payments.ts";

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
  type: Receipt["type"];
  answers_request: boolean;
}

/** `answersRequest`: the rail named the request of ours that it answers. */
export type PendingCallback = Omit<Receipt, "id"> & { readonly answersRequest: boolean };

const PENDING = sql.raw(
  "c.id, c.rail, c.provider_id, c.amount_minor, c.currency, c.shortcode, c.reference, c.payer_phone, c.payer_hash, c.payer_name, c.paid_at, c.type, c.correlation is not null as answers_request",
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
    type: row.type,
    answersRequest: row.answers_request,
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
