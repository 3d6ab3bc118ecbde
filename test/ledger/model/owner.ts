import { sql } from "drizzle-orm";
import type { Tx } from "../../../src/platform/database.ts";
import { codeIn, type Book } from "./book.ts";
import { ACCOUNTS, KEYS, type TAMPERINGS } from "./programs.ts";
import type { World } from "./world.ts";

/** Does by hand, as the owner of the tables, what only the ledger may do. Throws what the database says to it. */
export async function tamper({ owner, ground }: World, { ids }: Book, how: keyof typeof TAMPERINGS): Promise<void> {
  const cash = String(ids.get("system/cash"));
  const held = String(ids.get("held"));
  const post = (
    declared: number,
    [debit, credit]: readonly [number, number],
    [other, currency]: readonly [string, string] = [held, "KES"],
  ): Promise<unknown> =>
    owner.begin(async (tx) => {
      const id = crypto.randomUUID();
      await tx`insert into ledger.transactions (id, kind, memo, idempotency_key, input_hash, posting_count, effective_at, posted_at, actor)
        values (${id}, 'by hand', '', ${id}, '\\x00', ${declared}, now(), now(), 'owner')`;
      await tx`insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency)
        values (${id}, 0, ${cash}, ${debit}, 'KES'), (${id}, 1, ${other}, ${credit}, ${currency})`;
    });
  switch (how) {
    case "update balances":
      return void (await owner`update ledger.balances set balance_minor = balance_minor + 1 where account_id = ${cash}`);
    case "delete balances":
      return void (await owner`delete from ledger.balances where account_id = ${cash}`);
    case "insert balances":
      return void (await owner`insert into ledger.balances values (${ground.accountId}, 1, 1)`);
    case "update postings":
      return void (await owner`update ledger.postings set amount_minor = amount_minor + 1 where account_id = ${cash}`);
    case "delete transactions":
      return void (await owner`delete from ledger.transactions where id = ${ground.transactionId}`);
    case "post out of balance":
      return void (await post(2, [100, -99]));
    case "post in two currencies":
      return void (await post(2, [100, -100], [ground.foreignAccountId, "UGX"]));
    case "post fewer than declared":
      return void (await post(3, [100, -100]));
    case "add to a transaction":
      return void (await owner`insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency)
        values (${ground.transactionId}, 2, ${cash}, 1, 'KES'), (${ground.transactionId}, 3, ${held}, -1, 'KES')`);
  }
}

/** Every promise of the books that SQL can see broken, among the accounts of one run. Nothing is the right answer. */
export async function findBreaches(tx: Tx, book: string): Promise<readonly string[]> {
  const codes = `{${[...ACCOUNTS.keys()].map((code) => `"${codeIn(book, code)}"`).join()}}`;
  const keys = `{${KEYS.map((key) => `"${book} ${key}"`).join()}}`;
  const sums = await tx.execute<{ words: string }>(sql`
    select 'currency ' || a.currency || ' is off zero by ' || sum(b.balance_minor) as words
    from ledger.accounts a join ledger.balances b on b.account_id = a.id where a.code = any(${codes}::text[])
    group by a.currency having sum(b.balance_minor) <> 0`);
  const cached = await tx.execute<{ words: string }>(sql`
    select a.code || ' says ' || coalesce(b.balance_minor, 0) || ' of ' || coalesce(b.posting_count, 0) || ' postings, which are ' || p.total || ' of ' || p.lines as words
    from ledger.accounts a left join ledger.balances b on b.account_id = a.id
    cross join lateral (select coalesce(sum(amount_minor), 0) as total, count(*) as lines from ledger.postings where account_id = a.id) p
    where a.code = any(${codes}::text[]) and (coalesce(b.balance_minor, 0), coalesce(b.posting_count, 0)) <> (p.total, p.lines)`);
  const whole = await tx.execute<{ words: string }>(sql`
    with own as (select id, posting_count from ledger.transactions where idempotency_key = any(${keys}::text[])),
    mine as (select * from own union all select r.id, r.posting_count from own join ledger.transactions r on r.reverses_id = own.id)
    select 'transaction ' || t.id || ' has ' || p.lines || ' postings that sum to ' || p.total as words
    from mine t cross join lateral (select count(*) as lines, coalesce(sum(amount_minor), 0) as total from ledger.postings where transaction_id = t.id) p
    where p.lines <> t.posting_count or p.total <> 0`);
  return [...sums, ...cached, ...whole].map(({ words }) => words);
}
