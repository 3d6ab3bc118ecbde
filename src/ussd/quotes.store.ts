import { sql } from "drizzle-orm";
import type { ContractId, Id } from "../kernel/ids.ts";
import type { Tx } from "../platform/database.ts";

/** What was promised: this much until then, and the light is the customer's. */
export interface StoredQuote {
  readonly id: Id<"Quote">;
  readonly contractId: ContractId;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly quotedAt: Date;
  readonly expiresAt: Date;
}

export async function latestQuote(tx: Tx, contractId: ContractId): Promise<StoredQuote | undefined> {
  const [row] = await tx.execute<{
    id: Id<"Quote">;
    amount_minor: string;
    currency: string;
    quoted_at: string;
    expires_at: string;
  }>(sql`
    select id, amount_minor, currency, quoted_at, expires_at from ussd.pay_off_quotes
    where contract_id = ${contractId}::uuid order by id desc limit 1`);
  if (row === undefined) return undefined;
  return {
    id: row.id,
    contractId,
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    quotedAt: new Date(row.quoted_at),
    expiresAt: new Date(row.expires_at),
  };
}

/** Keeps a quote, once a key. */
export async function insertQuote(tx: Tx, quote: StoredQuote, key: string): Promise<void> {
  await tx.execute(sql`
    insert into ussd.pay_off_quotes (id, key, contract_id, amount_minor, currency, quoted_at, expires_at)
    values (${quote.id}::uuid, ${key}, ${quote.contractId}::uuid, ${quote.amountMinor}, ${quote.currency},
      ${quote.quotedAt.toISOString()}::timestamptz, ${quote.expiresAt.toISOString()}::timestamptz)
    on conflict (key) do nothing`);
}
