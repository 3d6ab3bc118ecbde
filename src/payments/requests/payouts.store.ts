import { sql } from "drizzle-orm";
import type { PayoutId, ReceiptId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { column, rowsTable, type Db, type Tx } from "../../platform/database.ts";
import type { Payout, PayoutState } from "../payments.ts";

interface Row extends Record<string, unknown> {
  id: PayoutId;
  rail: string;
  method: Payout["method"];
  correlation: string;
  provider_correlation: string | null;
  memory: Record<string, string>;
  receipt_id: ReceiptId | null;
  contract_id: string | null;
  original_provider_id: string | null;
  shortcode: string;
  phone: string | null;
  amount_minor: string;
  currency: Currency;
  source_account_id: string;
  reason: string;
  requested_by: string;
  approved_by: string | null;
  state: PayoutState;
  state_reason: string | null;
  provider_id: string | null;
  was_accepted: boolean;
  attempts: number;
  enquiries: number;
  created_at: string;
  finished_at: string | null;
}

const payoutOf = (row: Row): Payout => ({
  id: row.id,
  rail: row.rail,
  method: row.method,
  correlation: row.correlation,
  providerCorrelation: row.provider_correlation ?? undefined,
  memory: row.memory,
  receiptId: row.receipt_id,
  contractId: row.contract_id,
  originalProviderId: row.original_provider_id,
  shortcode: row.shortcode,
  phone: row.phone,
  amount: { minor: BigInt(row.amount_minor), currency: row.currency },
  sourceAccountId: BigInt(row.source_account_id),
  reason: row.reason,
  requestedBy: row.requested_by,
  approvedBy: row.approved_by,
  state: row.state,
  stateReason: row.state_reason,
  providerId: row.provider_id,
  wasAccepted: row.was_accepted,
  attempts: row.attempts,
  enquiries: row.enquiries,
  createdAt: new Date(row.created_at),
  finishedAt: row.finished_at === null ? null : new Date(row.finished_at),
});

export async function insertPayout(tx: Tx, payout: Payout): Promise<void> {
  const given = rowsTable([payout], {
    id: ["uuid", ({ id }) => id],
    rail: ["text", ({ rail }) => rail],
    method: ["text", ({ method }) => method],
    correlation: ["text", ({ correlation }) => correlation],
    receipt_id: ["uuid", ({ receiptId }) => receiptId],
    contract_id: ["text", ({ contractId }) => contractId],
    original_provider_id: ["text", ({ originalProviderId }) => originalProviderId],
    shortcode: ["text", ({ shortcode }) => shortcode],
    phone: ["text", ({ phone }) => phone],
    amount_minor: ["bigint", ({ amount }) => amount.minor],
    currency: ["text", ({ amount }) => amount.currency],
    source_account_id: ["bigint", ({ sourceAccountId }) => sourceAccountId],
    reason: ["text", ({ reason }) => reason],
    requested_by: ["text", ({ requestedBy }) => requestedBy],
    approved_by: ["text", ({ approvedBy }) => approvedBy],
    state: ["text", ({ state }) => state],
    created_at: ["timestamptz", ({ createdAt }) => createdAt],
    next_step_at: ["timestamptz", ({ createdAt }) => createdAt],
  });
  await tx.execute(sql`insert into payments.payouts (${given.names}) select * from ${given.table}`);
}

export async function findPayouts(db: Db | Tx, ids: readonly PayoutId[]): Promise<ReadonlyMap<PayoutId, Payout>> {
  const rows = await db.execute<Row>(sql`select * from payments.payouts where id = any(${column(ids, "uuid")})`);
  return new Map(rows.map((row) => [row.id, payoutOf(row)]));
}

export async function listPayouts(
  db: Db | Tx,
  { receiptId, state, limit }: { receiptId?: ReceiptId; state?: PayoutState; limit: number },
): Promise<readonly Payout[]> {
  const rows = await db.execute<Row>(sql`
    select * from payments.payouts where (${receiptId ?? null}::uuid is null or receipt_id = ${receiptId ?? null}::uuid)
      and (${state ?? null}::text is null or state = ${state ?? null}) order by created_at desc, id desc limit ${limit}`);
  return rows.map(payoutOf);
}

export type ClaimedPayout = Payout & { readonly before: PayoutState };

/** As for intents: a claim is a lease, and `created` becomes `sending` before anything is sent. */
export async function claimPayouts(
  tx: Tx,
  { now, leaseMs, limit }: { now: Date; leaseMs: number; limit: number },
): Promise<readonly ClaimedPayout[]> {
  const rows = await tx.execute<Row & { before: PayoutState }>(sql`
    with due as (
      select id, state as before from payments.payouts where next_step_at <= ${now.toISOString()}::timestamptz
      order by next_step_at limit ${limit} for update skip locked)
    update payments.payouts p set next_step_at = ${new Date(now.getTime() + leaseMs).toISOString()}::timestamptz,
      state = case p.state when 'created' then 'sending' else p.state end,
      attempts = p.attempts + case p.state when 'created' then 1 else 0 end
    from due where p.id = due.id returning p.*, due.before`);
  return rows.map((row) => ({ ...payoutOf(row), before: row.before }));
}

/** Locks the payout that a report is about, by our name of it, the provider's, or the transaction it gave back. */
export async function lockPayout(
  tx: Tx,
  by: { rail: string; correlation?: string | undefined; originalProviderId?: string | undefined },
): Promise<Payout | undefined> {
  const [row] = await tx.execute<Row>(sql`
    select * from payments.payouts where rail = ${by.rail} and ((${by.correlation ?? null}::text is not null
        and (correlation = ${by.correlation ?? null} or provider_correlation = ${by.correlation ?? null}))
      or (method = 'reversal' and state <> 'failed' and original_provider_id = ${by.originalProviderId ?? null}))
    order by created_at limit 1 for update`);
  return row === undefined ? undefined : payoutOf(row);
}

/** Writes where a payout stands; a final one is never changed. Answers whether it was written. */
export async function savePayout(
  tx: Tx,
  payout: Pick<Payout, "id" | "state" | "stateReason" | "providerId" | "wasAccepted"> & {
    readonly nextStepAt: Date | undefined;
    readonly isEnquiry: boolean;
    readonly now: Date;
    readonly providerCorrelation?: string | undefined;
    readonly memory?: Readonly<Record<string, string>> | undefined;
  },
): Promise<boolean> {
  const isFinal = payout.state === "completed" || payout.state === "failed";
  const rows = await tx.execute(sql`
    update payments.payouts set state = ${payout.state}, state_reason = ${payout.stateReason?.slice(0, 500) ?? null},
      provider_id = coalesce(${payout.providerId}, provider_id), was_accepted = was_accepted or ${payout.wasAccepted}::boolean,
      provider_correlation = coalesce(${payout.providerCorrelation ?? null}, provider_correlation),
      memory = memory || ${JSON.stringify(payout.memory ?? {})}::jsonb, enquiries = enquiries + ${payout.isEnquiry ? 1 : 0},
      next_step_at = ${payout.nextStepAt?.toISOString() ?? null}::timestamptz,
      finished_at = case when ${isFinal}::boolean then ${payout.now.toISOString()}::timestamptz end
    where id = ${payout.id} and state not in ('completed', 'failed') returning 1`);
  return rows.length === 1;
}

/** Makes a payout due now: a hint told that something happened to it. */
export async function wakePayout(tx: Tx, id: PayoutId, now: Date): Promise<void> {
  await tx.execute(sql`
    update payments.payouts set next_step_at = ${now.toISOString()}::timestamptz where id = ${id} and state = 'pending'`);
}
