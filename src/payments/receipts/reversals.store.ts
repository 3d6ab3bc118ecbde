import { sql } from "drizzle-orm";
import type { ReceiptId, TransactionId } from "../../kernel/ids.ts";
import type { Currency, Money } from "../../kernel/money.ts";
import { rowsTable, type Tx } from "../../platform/database.ts";

/** A payment that the provider took back. */
export interface Reversal {
  readonly id: string;
  readonly rail: string;
  /** Of the reversal itself. */
  readonly providerId: string;
  readonly originalProviderId: string;
  readonly amount: Money;
  readonly reversedAt: Date;
  readonly state: "parked" | "applied" | "own_refund" | "refused";
  readonly detail: string | null;
  readonly receiptId: ReceiptId | null;
}

interface Row extends Record<string, unknown> {
  id: string;
  rail: string;
  provider_id: string;
  original_provider_id: string;
  amount_minor: string;
  currency: Currency;
  reversed_at: string;
  state: Reversal["state"];
  detail: string | null;
  receipt_id: ReceiptId | null;
}

const reversalOf = (row: Row): Reversal => ({
  id: row.id,
  rail: row.rail,
  providerId: row.provider_id,
  originalProviderId: row.original_provider_id,
  amount: { minor: BigInt(row.amount_minor), currency: row.currency },
  reversedAt: new Date(row.reversed_at),
  state: row.state,
  detail: row.detail,
  receiptId: row.receipt_id,
});

/** Each reversal once, whoever tells of it. It waits until its payment is booked. */
export async function insertReversal(
  tx: Tx,
  reversal: Omit<Reversal, "state" | "detail" | "receiptId"> & { receivedAt: Date; noticeId: bigint },
): Promise<boolean> {
  const given = rowsTable([reversal], {
    id: ["uuid", ({ id }) => id],
    rail: ["text", ({ rail }) => rail],
    provider_id: ["text", ({ providerId }) => providerId],
    original_provider_id: ["text", ({ originalProviderId }) => originalProviderId],
    amount_minor: ["bigint", ({ amount }) => amount.minor],
    currency: ["text", ({ amount }) => amount.currency],
    reversed_at: ["timestamptz", ({ reversedAt }) => reversedAt],
    received_at: ["timestamptz", ({ receivedAt }) => receivedAt],
    notice_id: ["bigint", ({ noticeId }) => noticeId],
    state: ["text", () => "parked"],
  });
  const rows = await tx.execute(sql`
    insert into payments.reversals (${given.names}) select * from ${given.table}
    on conflict (rail, provider_id) do nothing returning 1`);
  return rows.length === 1;
}

/**
 * Reversals that wait for these payments: such a payment buys nothing. What providers told and nobody has acted upon yet
 * counts too: after an hour's pause a payment and its reversal are both waiting, and payments are settled first.
 */
export async function findParked(
  tx: Tx,
  payments: readonly { readonly rail: string; readonly providerId: string }[],
): Promise<readonly Pick<Reversal, "rail" | "originalProviderId" | "amount">[]> {
  const given = rowsTable(payments, {
    rail: ["text", ({ rail }) => rail],
    provider_id: ["text", ({ providerId }) => providerId],
  });
  const rows = await tx.execute<{
    rail: string;
    original_provider_id: string;
    amount_minor: string;
    currency: Currency;
  }>(sql`
    with given as (select * from ${given.table} as g(${given.names}))
    select v.rail, v.original_provider_id, v.amount_minor, v.currency from payments.reversals v
      join given on given.rail = v.rail and given.provider_id = v.original_provider_id where v.state = 'parked'
    union all
    select n.rail, n.original_provider_id, n.amount_minor, n.currency from payments.open_notices o
      join payments.notices n on n.id = o.notice_id join given on given.rail = n.rail and given.provider_id = n.original_provider_id
      where n.type = 'reversal' and n.status = 'completed' and n.is_evidence and n.amount_minor is not null`);
  return rows.map((row) => ({
    rail: row.rail,
    originalProviderId: row.original_provider_id,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
  }));
}

/** Claims reversals whose payment is booked by now, oldest first. */
export async function claimDue(tx: Tx, limit: number): Promise<readonly (Reversal & { readonly due: ReceiptId })[]> {
  const rows = await tx.execute<Row & { due: ReceiptId }>(sql`
    select v.*, r.id as due from payments.reversals v join payments.receipts r on r.rail = v.rail and r.provider_id = v.original_provider_id
    where v.state = 'parked' order by v.id limit ${limit} for update of v skip locked`);
  return rows.map((row) => ({ ...reversalOf(row), due: row.due }));
}

export async function markReversal(
  tx: Tx,
  {
    id,
    state,
    detail,
    receiptId,
    transactionId,
    at,
  }: {
    id: string;
    state: Reversal["state"];
    detail: string | undefined;
    receiptId: ReceiptId;
    transactionId: TransactionId | undefined;
    at: Date;
  },
): Promise<void> {
  await tx.execute(sql`
    update payments.reversals set state = ${state}, detail = ${detail ?? null}, receipt_id = ${receiptId}, transaction_id = ${transactionId ?? null},
      applied_at = ${at.toISOString()} where id = ${id}`);
}

/** What of a receipt has gone back already. */
export async function reversedMinor(tx: Tx, receiptId: ReceiptId): Promise<bigint> {
  const [row] = await tx.execute<{ total: string }>(sql`
    select coalesce(sum(amount_minor), 0) as total from payments.reversals where receipt_id = ${receiptId} and state = 'applied'`);
  return BigInt(row?.total ?? "0");
}
