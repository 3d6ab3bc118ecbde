import { sql } from "drizzle-orm";
import type { ReceiptId, TransactionId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { column, type Db, type Tx } from "../../platform/database.ts";
import type { QuarantineItem, Receipt, StoredReceipt, SuspenseItem, SuspenseReason } from "../payments.ts";

export async function insertReceipts(
  tx: Tx,
  {
    receipts,
    transactionIds,
    bookedAt,
  }: { receipts: readonly Receipt[]; transactionIds: readonly TransactionId[]; bookedAt: Date },
): Promise<void> {
  const of = (pick: (receipt: Receipt) => unknown): unknown[] => receipts.map(pick);
  await tx.execute(sql`
    insert into payments.receipts (id, callback_id, rail, provider_id, amount_minor, currency, reference, payer_name, payer_hash, paid_at, booked_at, transaction_id)
    select id, callback_id, rail, provider_id, amount_minor, currency, reference, payer_name, payer_hash, paid_at, ${bookedAt.toISOString()}::timestamptz, transaction_id
    from unnest(${column(
      of(({ id }) => id),
      "uuid",
    )}, ${column(
      of(({ callbackId }) => callbackId),
      "bigint",
    )},
      ${column(
        of(({ rail }) => rail),
        "text",
      )}, ${column(
        of(({ providerId }) => providerId),
        "text",
      )},
      ${column(
        of(({ amount }) => amount.minor),
        "bigint",
      )}, ${column(
        of(({ amount }) => amount.currency),
        "text",
      )},
      ${column(
        of(({ reference }) => reference),
        "text",
      )}, ${column(
        of(({ payerName }) => payerName),
        "text",
      )},
      ${column(
        of(({ payerHash }) => payerHash),
        "bytea",
      )}, ${column(
        of(({ paidAt }) => paidAt),
        "timestamptz",
      )}, ${column(transactionIds, "uuid")})
      as given(id, callback_id, rail, provider_id, amount_minor, currency, reference, payer_name, payer_hash, paid_at, transaction_id)`);
}

export async function openSuspense(
  tx: Tx,
  {
    items,
    openedAt,
  }: { items: readonly { receiptId: ReceiptId; reason: SuspenseReason; openMinor: bigint }[]; openedAt: Date },
): Promise<void> {
  if (items.length === 0) return;
  await tx.execute(sql`
    insert into payments.suspense (receipt_id, reason, open_minor, opened_at)
    select id, reason, open_minor, ${openedAt.toISOString()}::timestamptz
    from unnest(${column(
      items.map(({ receiptId }) => receiptId),
      "uuid",
    )}, ${column(
      items.map(({ reason }) => reason),
      "text",
    )}, ${column(
      items.map(({ openMinor }) => openMinor),
      "bigint",
    )}) as given(id, reason, open_minor)`);
}

/** What of a receipt is still in suspense, locked; 0n when nothing is. */
export async function lockOpenSuspense(tx: Tx, receiptId: ReceiptId): Promise<bigint> {
  const [row] = await tx.execute<{ open_minor: string }>(
    sql`select open_minor from payments.suspense where receipt_id = ${receiptId} for update`,
  );
  return BigInt(row?.open_minor ?? "0");
}

/** Takes an amount out of an item; one that is empty is closed. */
export async function reduceSuspense(
  tx: Tx,
  {
    receiptId,
    byMinor,
    at,
    by,
    resolution,
  }: { receiptId: ReceiptId; byMinor: bigint; at: Date; by: string; resolution: string },
): Promise<void> {
  if (byMinor === 0n) return;
  await tx.execute(sql`
    update payments.suspense set open_minor = open_minor - ${byMinor.toString()}::bigint,
      resolved_at = case when open_minor = ${byMinor.toString()}::bigint then ${at.toISOString()}::timestamptz end,
      resolved_by = case when open_minor = ${byMinor.toString()}::bigint then ${by}::text end,
      resolution = case when open_minor = ${byMinor.toString()}::bigint then ${resolution}::text end
    where receipt_id = ${receiptId}`);
}

/** Puts money of a receipt into suspense again, with the reason. */
export async function reopenSuspense(
  tx: Tx,
  { receiptId, minor, reason, at }: { receiptId: ReceiptId; minor: bigint; reason: SuspenseReason; at: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into payments.suspense as s (receipt_id, reason, open_minor, opened_at) values (${receiptId}, ${reason}, ${minor.toString()}::bigint, ${at.toISOString()})
    on conflict (receipt_id) do update set open_minor = s.open_minor + excluded.open_minor, reason = excluded.reason, opened_at = excluded.opened_at,
      resolved_at = null, resolved_by = null, resolution = null`);
}

/**
 * A receipt with the number that was paid, locked against a second change of where its money stands. The lock is an advisory
 * one: the program may not update receipts, and without that right PostgreSQL refuses to lock their rows too.
 */
export async function lockReceipt(tx: Tx, id: ReceiptId): Promise<StoredReceipt & { readonly shortcode: string }> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`receipt:${id}`}, 0))`);
  const [row] = await tx.execute<ReceiptRow & { shortcode: string }>(sql`
    select ${RECEIPT}, c.shortcode from payments.receipts r join payments.callbacks c on c.id = r.callback_id where r.id = ${id}`);
  if (row === undefined) throw new Error(`Bug: receipt ${id} is gone.`);
  return { ...receiptOf(row), shortcode: row.shortcode };
}

interface ReceiptRow extends Record<string, unknown> {
  id: ReceiptId;
  rail: string;
  provider_id: string;
  amount_minor: string;
  currency: Currency;
  reference: string;
  payer_name: string | null;
  paid_at: string;
  booked_at: string;
  transaction_id: TransactionId;
}

const RECEIPT = sql.raw(
  "r.id, r.rail, r.provider_id, r.amount_minor, r.currency, r.reference, r.payer_name, r.paid_at, r.booked_at, r.transaction_id",
);

function receiptOf(row: ReceiptRow): StoredReceipt {
  return {
    id: row.id,
    rail: row.rail,
    providerId: row.provider_id,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    reference: row.reference,
    payerName: row.payer_name,
    paidAt: new Date(row.paid_at),
    bookedAt: new Date(row.booked_at),
    transactionId: row.transaction_id,
  };
}

export async function findReceipts(
  db: Db | Tx,
  ids: readonly ReceiptId[],
): Promise<ReadonlyMap<ReceiptId, StoredReceipt>> {
  const rows = await db.execute<ReceiptRow>(
    sql`select ${RECEIPT} from payments.receipts r where r.id = any(${column(ids, "uuid")})`,
  );
  return new Map(rows.map((row) => [row.id, receiptOf(row)]));
}

/** Newest first; `after` is the last receipt of the page before. */
export async function listReceipts(
  db: Db | Tx,
  {
    search,
    first,
    after,
  }: { search?: string | undefined; first: number; after?: { paidAt: Date; id: ReceiptId } | undefined },
): Promise<readonly StoredReceipt[]> {
  const rows = await db.execute<ReceiptRow>(sql`
    select ${RECEIPT} from payments.receipts r
    where (${search ?? null}::text is null or r.provider_id = upper(${search ?? null}) or r.reference = ${search ?? null})
      and (${after?.id ?? null}::uuid is null or (r.paid_at, r.id) < (${after?.paidAt.toISOString() ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by r.paid_at desc, r.id desc limit ${first}`);
  return rows.map(receiptOf);
}

type SuspenseRow = ReceiptRow & {
  reason: SuspenseReason;
  open_minor: string;
  opened_at: string;
  resolved_at: string | null;
  resolved_by: string | null;
  resolution: string | null;
};

function suspenseOf(row: SuspenseRow): SuspenseItem {
  return {
    receipt: receiptOf(row),
    reason: row.reason,
    open: { minor: BigInt(row.open_minor), currency: row.currency },
    openedAt: new Date(row.opened_at),
    resolvedAt: row.resolved_at === null ? null : new Date(row.resolved_at),
    resolvedBy: row.resolved_by,
    resolution: row.resolution,
  };
}

/** Open items, oldest first. */
export async function listSuspense(
  db: Db | Tx,
  { first, after }: { first: number; after?: { openedAt: Date; id: ReceiptId } | undefined },
): Promise<readonly SuspenseItem[]> {
  const rows = await db.execute<SuspenseRow>(sql`
    select ${RECEIPT}, s.reason, s.open_minor, s.opened_at, s.resolved_at, s.resolved_by, s.resolution
    from payments.suspense s join payments.receipts r on r.id = s.receipt_id
    where s.resolved_at is null
      and (${after?.id ?? null}::uuid is null or (s.opened_at, s.receipt_id) > (${after?.openedAt.toISOString() ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by s.opened_at, s.receipt_id limit ${first}`);
  return rows.map(suspenseOf);
}

/** Locks an item with all that a receipt holds, for its matching; the amount is what is still open of it. */
export async function lockSuspense(
  tx: Tx,
  receiptId: ReceiptId,
): Promise<(Receipt & { resolvedAt: string | null }) | undefined> {
  const [row] = await tx.execute<
    ReceiptRow & {
      callback_id: string;
      shortcode: string;
      type: Receipt["type"];
      open_minor: string;
      payer_phone: string | null;
      payer_hash: Uint8Array | null;
      resolved_at: string | null;
    }
  >(sql`
    select ${RECEIPT}, r.callback_id, r.payer_hash, c.shortcode, c.type, c.payer_phone, s.resolved_at, s.open_minor
    from payments.suspense s join payments.receipts r on r.id = s.receipt_id join payments.callbacks c on c.id = r.callback_id
    where s.receipt_id = ${receiptId} for update of s`);
  if (row === undefined) return undefined;
  const stored = receiptOf(row);
  return {
    id: stored.id,
    callbackId: BigInt(row.callback_id),
    rail: stored.rail,
    providerId: stored.providerId,
    type: row.type,
    amount: { minor: BigInt(row.open_minor), currency: stored.amount.currency },
    shortcode: row.shortcode,
    reference: stored.reference,
    payerPhone: row.payer_phone ?? undefined,
    payerHash: row.payer_hash ?? undefined,
    payerName: row.payer_name ?? undefined,
    paidAt: stored.paidAt,
    resolvedAt: row.resolved_at,
  };
}

export async function listQuarantine(
  db: Db | Tx,
  { first, before }: { first: number; before?: string | undefined },
): Promise<readonly QuarantineItem[]> {
  const rows = await db.execute<{
    id: string;
    rail: string;
    door: string;
    reason: string;
    detail: string;
    provider_id: string | null;
    received_at: string;
  }>(sql`
    select id, rail, door, reason, detail, provider_id, received_at from payments.quarantine
    where ${before ?? null}::bigint is null or id < ${before ?? null}::bigint order by id desc limit ${first}`);
  return rows.map((row) => ({
    id: row.id,
    rail: row.rail,
    door: row.door,
    reason: row.reason,
    detail: row.detail,
    providerId: row.provider_id,
    receivedAt: new Date(row.received_at),
  }));
}
