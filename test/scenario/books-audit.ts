import { sql } from "drizzle-orm";
import { expect } from "vitest";
import type { TestApp } from "../support/app.ts";

/**
 * What must hold of a program's books at any moment, whatever happened before: the money invariants in one look, read
 * straight from the tables. Every figure that is named is zero.
 */
export async function booksProblems({ app }: Pick<TestApp, "app">): Promise<readonly string[]> {
  const [row] = await app.database.db.execute<Record<string, string>>(sql`
    select
      (select count(*) from (select currency from ledger.postings group by currency having sum(amount_minor) <> 0) t) as currencies_out_of_balance,
      (select count(*) from (select transaction_id from ledger.postings group by transaction_id, currency having sum(amount_minor) <> 0) t) as transactions_out_of_balance,
      (select count(*) from ledger.balances b full join (select account_id, sum(amount_minor) as total, count(*) as lines from ledger.postings group by account_id) p
        using (account_id) where b.balance_minor is distinct from p.total or b.posting_count is distinct from p.lines) as balances_not_the_sum,
      (select count(*) from payments.callbacks c full join payments.receipts r on r.callback_id = c.id full join payments.pending p on p.callback_id = c.id
        where (r.id is null) = (p.callback_id is null) or (r.id is not null and (r.amount_minor, r.currency, r.provider_id) is distinct from (c.amount_minor, c.currency, c.provider_id))) as callbacks_neither_booked_nor_pending,
      (select count(*) from payments.receipts r where r.amount_minor <>
        coalesce((select sum(a.received_minor) from credit.allocations a
          where a.cause = r.id::text or a.cause in (select m.cause from payments.movements m where m.receipt_id = r.id)), 0)
        + coalesce((select s.open_minor from payments.suspense s where s.receipt_id = r.id), 0)
        + coalesce((select sum(v.amount_minor) from payments.reversals v where v.receipt_id = r.id and v.state = 'applied'), 0)
        + coalesce((select sum(o.amount_minor) from payments.payouts o where o.receipt_id = r.id and o.contract_id is null and o.state <> 'failed'), 0)) as receipts_not_in_one_place,
      (select count(*) from payments.suspense where (open_minor = 0) <> (resolved_at is not null)) as suspense_open_without_money,
      (select count(*) from credit.contracts c join ledger.balances b on b.account_id = c.credit_account_id where -b.balance_minor <> c.carried_minor) as held_money_not_in_books,
      (select count(*) from credit.contracts c join ledger.balances b on b.account_id = c.refundable_account_id where -b.balance_minor <> c.refundable_minor) as refundable_not_in_books,
      (select count(*) from credit.contracts c join ledger.balances b on b.account_id = c.debt_account_id where b.balance_minor <> c.debt_minor) as debt_not_in_books,
      (select count(*) from credit.contracts c join ledger.balances b on b.account_id = c.receivable_account_id where b.balance_minor <> c.outstanding_minor) as price_not_in_books,
      (select count(*) from (select sum(-b.balance_minor) as total from ledger.balances b join ledger.accounts a on a.id = b.account_id where a.code like 'system/suspense/%') x
        where coalesce(total, 0) <> (select coalesce(sum(s.open_minor), 0) from payments.suspense s)) as suspense_not_its_items,
      (select count(*) from (select sum(b.balance_minor) as total from ledger.balances b join ledger.accounts a on a.id = b.account_id where a.code like 'system/clearing/%') x
        where coalesce(total, 0) <> (select coalesce(sum(amount_minor), 0) from payments.receipts)
          - (select coalesce(sum(amount_minor), 0) from payments.reversals where state = 'applied')
          - (select coalesce(sum(amount_minor), 0) from payments.payouts where state = 'completed')
          + (select coalesce(sum(p.amount_minor), 0) from ledger.postings p join ledger.accounts a on a.id = p.account_id join ledger.transactions t on t.id = p.transaction_id
              where a.code like 'system/clearing/%' and t.kind in ('rail_fee', 'settlement'))) as clearing_not_its_receipts,
      (select count(*) from (select cause from devices.tokens t join devices.devices d on d.id = t.device_id where t.count > d.count) x) as tokens_above_their_counter,
      (select count(*) from credit.allocations a where a.units <> coalesce((select sum(units) from devices.tokens t where t.cause = a.cause), 0)) as light_not_in_tokens`);
  return Object.entries(row ?? { nothing_was_read: "1" })
    .filter(([, found]) => found !== "0")
    .map(([what, found]) => `${what}: ${found}`);
}

/** Fails when any figure of the books disagrees with another. */
export async function auditBooks(place: TestApp): Promise<void> {
  expect(await booksProblems(place)).toEqual([]);
}
