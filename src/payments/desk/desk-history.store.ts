import { sql } from "drizzle-orm";
import type { ReceiptId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { column, type Db, type Tx } from "../../platform/database.ts";
import type { Source } from "../inbox/arrivals.ts";

export interface CallbackRow extends Record<string, unknown> {
  readonly rail: string;
  readonly provider_id: string;
  readonly raw: Uint8Array;
  readonly source: Source;
  readonly form: string;
  readonly source_address: string;
  readonly correlation: string | null;
  readonly received_at: string;
}

/** The provider's own words about a receipt. */
export async function findCallback(db: Db | Tx, receiptId: ReceiptId): Promise<CallbackRow | undefined> {
  const [row] = await db.execute<CallbackRow>(sql`
    select c.rail, c.provider_id, c.raw, c.source, c.form, c.source_address, c.correlation, c.received_at
    from payments.receipts r join payments.callbacks c on c.id = r.callback_id where r.id = ${receiptId}`);
  return row;
}

export interface RequestRow extends Record<string, unknown> {
  readonly id: string;
  readonly correlation: string;
  readonly provider_correlation: string | null;
  readonly reference: string;
  readonly amount_minor: string;
  readonly currency: Currency;
  readonly requested_by: string;
  readonly asked_through: string;
  readonly state: string;
  readonly reason: string | null;
  readonly created_at: string;
}

const ROWS_MAX = 50;

/** Requests of ours that a payment answered. */
export async function findRequests(
  db: Db | Tx,
  { rail, providerId }: { rail: string; providerId: string },
): Promise<readonly RequestRow[]> {
  return db.execute<RequestRow>(sql`
    select id, correlation, provider_correlation, reference, amount_minor, currency, requested_by, asked_through, state, reason, created_at
    from payments.intents where rail = ${rail} and provider_id = ${providerId} order by created_at limit ${ROWS_MAX}`);
}

export interface NoticeRow extends Record<string, unknown> {
  readonly form: string;
  readonly source: Source;
  readonly type: string;
  readonly status: string;
  readonly is_evidence: boolean;
  readonly provider_id: string | null;
  readonly reason: string | null;
  readonly raw: Uint8Array;
  readonly received_at: string;
}

/** What else the rail said: by the payment's name, as the original of a reversal, or by the name of a request or payout. */
export async function findNoticesAbout(
  db: Db | Tx,
  { rail, providerId, correlations }: { rail: string; providerId: string; correlations: readonly string[] },
): Promise<readonly NoticeRow[]> {
  return db.execute<NoticeRow>(sql`
    select form, source, type, status, is_evidence, provider_id, reason, raw, received_at from payments.notices
    where (rail = ${rail} and provider_id = ${providerId}) or (rail = ${rail} and original_provider_id = ${providerId})
      or (correlation = any(${column(correlations, "text")}) and rail = ${rail})
    order by received_at, id limit ${ROWS_MAX}`);
}

export interface ReversalRow extends Record<string, unknown> {
  readonly provider_id: string;
  readonly amount_minor: string;
  readonly currency: Currency;
  readonly reversed_at: string;
  readonly state: string;
  readonly detail: string | null;
}

export async function findReversals(db: Db | Tx, receiptId: ReceiptId): Promise<readonly ReversalRow[]> {
  return db.execute<ReversalRow>(sql`
    select provider_id, amount_minor, currency, reversed_at, state, detail from payments.reversals
    where receipt_id = ${receiptId} order by reversed_at, id limit ${ROWS_MAX}`);
}
