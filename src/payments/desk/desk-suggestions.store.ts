import { sql } from "drizzle-orm";
import type { ReceiptId } from "../../kernel/ids.ts";
import type { Currency, Money } from "../../kernel/money.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type { Receipt } from "../payments.ts";

/** Who paid a receipt, as far as the rail told, and what for. */
export interface Payer {
  readonly rail: string;
  readonly type: Receipt["type"];
  readonly amount: Money;
  readonly reference: string;
  readonly phone: string | undefined;
  readonly hash: Uint8Array | undefined;
  readonly name: string | undefined;
  readonly paidAt: Date;
  /** Minor units that are still in suspense. */
  readonly openMinor: bigint;
}

export async function findPayer(db: Db | Tx, receiptId: ReceiptId): Promise<Payer | undefined> {
  const [row] = await db.execute<{
    rail: string;
    type: Receipt["type"];
    amount_minor: string;
    currency: Currency;
    reference: string;
    payer_phone: string | null;
    payer_hash: Uint8Array | null;
    payer_name: string | null;
    paid_at: string;
    open_minor: string;
  }>(sql`
    select r.rail, c.type, r.amount_minor, r.currency, r.reference, c.payer_phone, r.payer_hash, r.payer_name, r.paid_at,
      coalesce(s.open_minor, 0) as open_minor
    from payments.receipts r join payments.callbacks c on c.id = r.callback_id left join payments.suspense s on s.receipt_id = r.id
    where r.id = ${receiptId}`);
  if (row === undefined) return undefined;
  return {
    rail: row.rail,
    type: row.type,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    reference: row.reference,
    phone: row.payer_phone ?? undefined,
    hash: row.payer_hash ?? undefined,
    name: row.payer_name ?? undefined,
    paidAt: new Date(row.paid_at),
    openMinor: BigInt(row.open_minor),
  };
}

/** A payer of years has more payments than this; the newest tell the habit. */
const HISTORY_MAX = 50;

export interface EarlierPayment {
  readonly receiptId: ReceiptId;
  readonly amountMinor: bigint;
  /** The names under which contracts keep what they got of it. */
  readonly causes: readonly string[];
}

/** Other payments by the same phone, or where no phone is known by the same name; the newest ones. */
export async function findEarlierPayments(
  db: Db | Tx,
  { receiptId, payer }: { receiptId: ReceiptId; payer: Payer },
): Promise<readonly EarlierPayment[]> {
  const key = payer.hash === undefined ? payer.name : Buffer.from(payer.hash).toString("hex");
  if (key === undefined) return [];
  const rows = await db.execute<{ id: ReceiptId; amount_minor: string; causes: string[] }>(sql`
    select r.id, r.amount_minor, to_json(array(select m.cause from payments.movements m where m.receipt_id = r.id)) as causes
    from (
      -- By the index alone, in its order: a name that many people share has more payments than anybody reads.
      select id, amount_minor, currency, coalesce(encode(payer_hash, 'hex'), payer_name) as payer from payments.receipts
      where hashtextextended(coalesce(encode(payer_hash, 'hex'), payer_name), 0) = hashtextextended(${key}::text, 0)
        and coalesce(encode(payer_hash, 'hex'), payer_name) is not null
      order by hashtextextended(coalesce(encode(payer_hash, 'hex'), payer_name), 0), paid_at desc limit ${HISTORY_MAX + 1}) r
    where r.payer = ${key}::text and r.id <> ${receiptId} and r.currency = ${payer.amount.currency}`);
  return rows.map((row) => ({
    receiptId: row.id,
    amountMinor: BigInt(row.amount_minor),
    causes: [row.id, ...row.causes],
  }));
}

const REQUESTS_MAX = 20;

/** Requests of the same amount by the same rail that nothing has answered, made within the two days before the payment. */
export async function findUnansweredRequests(
  db: Db | Tx,
  payer: Payer,
): Promise<readonly { readonly reference: string; readonly isSamePayer: boolean }[]> {
  const hash = payer.hash === undefined ? null : `\\x${Buffer.from(payer.hash).toString("hex")}`;
  const paidAt = payer.paidAt.toISOString();
  const rows = await db.execute<{ reference: string; same_payer: boolean }>(sql`
    select reference, coalesce(payer_hash = ${hash}::bytea, false) as same_payer from payments.intents
    where rail = ${payer.rail} and amount_minor = ${payer.amount.minor.toString()}::bigint and currency = ${payer.amount.currency} and state <> 'completed'
      and created_at between ${paidAt}::timestamptz - interval '2 days' and ${paidAt}::timestamptz + interval '5 minutes'
    order by same_payer desc, created_at desc limit ${REQUESTS_MAX}`);
  return rows.map((row) => ({ reference: row.reference, isSamePayer: row.same_payer }));
}
