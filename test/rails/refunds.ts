import { sql } from "drizzle-orm";
import type { App } from "../../src/app.ts";
import type { ContractId, ReceiptId } from "../../src/kernel/ids.ts";
import { parseCurrency } from "../../src/kernel/money.ts";
import { isAble } from "../../src/payments/rails/rail.ts";
import { Refusal } from "../../src/kernel/refusal.ts";

const AT_ONCE_MAX = 20;

interface Excess extends Record<string, unknown> {
  receipt_id: ReceiptId;
  contract_id: ContractId;
  rail: string;
  provider_id: string;
  shortcode: string;
  phone: string | null;
  amount_minor: string;
  currency: string;
  is_whole: boolean;
}

/** The office pays excess money back: by the provider's own reversal where the payer's number is not known. */
export async function giveBackExcess(app: App): Promise<void> {
  const { db } = app.database;
  const rows = await db.execute<Excess>(sql`
    select r.id as receipt_id, a.contract_id, r.rail, r.provider_id, c.shortcode, c.payer_phone as phone, a.refundable_minor as amount_minor, r.currency,
      a.refundable_minor = r.amount_minor as is_whole
    from credit.allocations a join payments.receipts r on r.id::text = a.cause join payments.callbacks c on c.id = r.callback_id
    where a.refundable_minor > 0 and not exists (select from payments.payouts p where p.receipt_id = r.id) order by r.paid_at limit ${AT_ONCE_MAX}`);
  for (const row of rows) {
    const rail = app.rails.get(row.rail)?.rail;
    if (rail === undefined || !isAble(rail.refund) || (row.phone === null && !row.is_whole)) continue;
    const amount = { minor: BigInt(row.amount_minor), currency: parseCurrency(row.currency) };
    try {
      await db.transaction(async (tx) => {
        const { sourceAccountId } = await app.credit.takeRefundable(tx, { contractId: row.contract_id, amount });
        await app.payouts.request(tx, {
          rail: row.rail,
          shortcode: row.shortcode,
          receiptId: row.receipt_id,
          contractId: row.contract_id,
          originalProviderId: row.provider_id,
          phone: row.phone,
          amount,
          sourceAccountId,
          reason: "excess",
          requestedBy: "test:rails",
          approvedBy: null,
        });
      });
    } catch (error) {
      // It went back meanwhile, or less of it is left.
      if (!(error instanceof Refusal)) throw error;
    }
  }
}
