import { sql } from "drizzle-orm";
import type { Currency, Money } from "../../kernel/money.ts";
import { column, type Db, type Tx } from "../../platform/database.ts";
import type { Source } from "./arrivals.ts";
import type { Report } from "../rails/rail.ts";

/** Something that a rail said, read back: a failure, a reversal, a payout's result, a hint, another copy of a payment. */
export interface Notice {
  readonly id: bigint;
  readonly rail: string;
  readonly form: string;
  readonly source: Source;
  readonly isEvidence: boolean;
  readonly report: Report;
  readonly raw: Uint8Array;
  readonly sourceAddress: string;
  readonly receivedAt: Date;
}

interface Row extends Record<string, unknown> {
  id: string;
  rail: string;
  form: string;
  source: Source;
  is_evidence: boolean;
  type: Report["type"];
  status: Report["transactionStatus"];
  provider_id: string | null;
  correlation: string | null;
  original_provider_id: string | null;
  amount_minor: string | null;
  currency: Currency | null;
  shortcode: string;
  reference: string;
  payer_phone: string | null;
  payer_hash: Uint8Array | null;
  payer_name: string | null;
  at: string | null;
  reason: string | null;
  raw: Uint8Array;
  source_address: string;
  received_at: string;
}

const amountOf = ({ amount_minor: minor, currency }: Row): Money | undefined =>
  minor === null || currency === null ? undefined : { minor: BigInt(minor), currency };

const noticeOf = (row: Row): Notice => ({
  id: BigInt(row.id),
  rail: row.rail,
  form: row.form,
  source: row.source,
  isEvidence: row.is_evidence,
  report: {
    type: row.type,
    transactionStatus: row.status,
    transactionReference: row.provider_id ?? undefined,
    correlation: row.correlation ?? undefined,
    originalTransactionReference: row.original_provider_id ?? undefined,
    amount: amountOf(row),
    creditParty: row.shortcode,
    reference: row.reference,
    payer: {
      phone: row.payer_phone ?? undefined,
      hash: row.payer_hash ?? undefined,
      name: row.payer_name ?? undefined,
    },
    at: row.at === null ? undefined : new Date(row.at),
    statusReason: row.reason ?? undefined,
  },
  raw: row.raw,
  sourceAddress: row.source_address,
  receivedAt: new Date(row.received_at),
});

/** The ids of notices that are due, oldest first. No claim: each is claimed when its turn comes. */
export async function findDueNotices(db: Db, { now, limit }: { now: Date; limit: number }): Promise<readonly bigint[]> {
  const rows = await db.execute<{ notice_id: string }>(sql`
    select notice_id from payments.open_notices where next_attempt_at <= ${now.toISOString()}::timestamptz
    order by next_attempt_at, notice_id limit ${limit}`);
  return rows.map((row) => BigInt(row.notice_id));
}

/** Claims what is due, oldest first, skipping what another loop holds; the claim ends with the transaction. */
export async function claimNotices(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<readonly Notice[]> {
  const rows = await tx.execute<Row>(sql`
    with due as (
      select notice_id from payments.open_notices where next_attempt_at <= ${now.toISOString()}::timestamptz
      order by next_attempt_at, notice_id limit ${limit} for update skip locked)
    select n.* from due join payments.notices n on n.id = due.notice_id order by n.id`);
  return rows.map(noticeOf);
}

/** Claims one notice, or nothing when another loop has it or is done with it. */
export async function claimNotice(tx: Tx, id: bigint): Promise<Notice | undefined> {
  const [row] = await tx.execute<Row>(sql`
    with due as (select notice_id from payments.open_notices where notice_id = ${id.toString()}::bigint for update skip locked)
    select n.* from due join payments.notices n on n.id = due.notice_id`);
  return row === undefined ? undefined : noticeOf(row);
}

export async function findNotice(db: Db | Tx, id: bigint): Promise<Notice | undefined> {
  const [row] = await db.execute<Row>(sql`select * from payments.notices where id = ${id.toString()}::bigint`);
  return row === undefined ? undefined : noticeOf(row);
}

export async function closeNotices(tx: Tx, ids: readonly bigint[]): Promise<void> {
  await tx.execute(sql`delete from payments.open_notices where notice_id = any(${column(ids, "bigint")})`);
}

/** Notes a failure; without another attempt the notice waits for a person. */
export async function postponeNotice(
  tx: Tx,
  {
    id,
    failure,
    nextAttemptAt,
  }: { id: bigint; failure: string; nextAttemptAt: (attempts: number) => Date | undefined },
): Promise<{ setAside: boolean } | undefined> {
  const [row] = await tx.execute<{ attempts: number }>(sql`
    select attempts from payments.open_notices where notice_id = ${id.toString()}::bigint for update skip locked`);
  if (row === undefined) return undefined;
  const next = nextAttemptAt(row.attempts);
  await tx.execute(sql`
    update payments.open_notices set attempts = attempts + 1, failure = ${failure}, next_attempt_at = ${next?.toISOString() ?? "infinity"}::timestamptz
    where notice_id = ${id.toString()}::bigint`);
  return { setAside: next === undefined };
}
