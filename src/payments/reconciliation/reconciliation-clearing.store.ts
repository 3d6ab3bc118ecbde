import { sql, type SQL } from "drizzle-orm";
import type { Currency } from "../../kernel/money.ts";
import { addDays, HOUR_MS, startOfDay, type LocalDate } from "../../kernel/time.ts";
import type { Db, Tx } from "../../platform/database.ts";
import { planReading, type EvenDay } from "./reconciliation-days.ts";
import { accountsOf, firstId, postedIn, sidesOf } from "./reconciliation-sides.store.ts";
import type { ClearingPart, ClearingPartName } from "./reconciliation.ts";

/** A row may be seen so much later than its own time says: an import of a long statement is one transaction. */
const SEEN_LATER_MS = HOUR_MS;

/**
 * `changed`: reconciled days to which something was added after they were reconciled, by the local day of what came. Only
 * what arrived since the rail's newest result is read: each reconciliation marks the days that changed until then.
 */
const changedDays = ({
  rail,
  zone,
  currency,
  since,
}: {
  rail: string;
  zone: string;
  currency: Currency;
  since: Date;
}): SQL => {
  const from = since.getTime() - SEEN_LATER_MS;
  const fromAt = sql`${new Date(from).toISOString()}::timestamptz`;
  return sql`${accountsOf({ rail, currency })},
    fresh as (select provider_id, at, first_seen_at from payments.listed where rail = ${rail} and first_seen_at >= ${fromAt}),
    arrived as (
      select at, first_seen_at as came_at from fresh
      union all
      -- What is listed today may be a payment of another day, and of that day it is no longer true that no list has it.
      select r.paid_at, f.first_seen_at from fresh f join payments.receipts r on r.rail = ${rail} and r.provider_id = f.provider_id
      union all
      select t.effective_at, t.posted_at from accounts a join ledger.postings p on p.account_id = a.id and p.transaction_id >= ${firstId(from)}
        join ledger.transactions t on t.id = p.transaction_id and t.id >= ${firstId(from)}
      union all
      select r.paid_at, e.opened_at from payments.exceptions e join payments.receipts r on r.rail = e.rail and r.provider_id = e.subject
      where e.rail = ${rail} and e.opened_at >= ${fromAt}),
    changed as (
      select d.on_date from payments.reconciliations d
        join (select (at at time zone ${zone})::date as on_date, max(came_at) as came_at from arrived group by 1) a using (on_date)
      where d.rail = ${rail} and d.currency = ${currency} and a.came_at >= d.made_at - make_interval(secs => ${SEEN_LATER_MS / 1_000}))`;
};

/** When the rail was last reconciled, by currency. */
async function findNewest(db: Db | Tx, rail: string): Promise<readonly { currency: Currency; since: Date }[]> {
  const rows = await db.execute<{ currency: Currency; since: string }>(sql`
    select currency, max(made_at) as since from payments.reconciliations where rail = ${rail} group by currency`);
  return rows.map(({ currency, since }) => ({ currency, since: new Date(since) }));
}

/** Days that got something since they were reconciled are to be read again, by the next reconciliation and by every question. */
export async function markChangedDays(tx: Tx, { rail, zone }: { rail: string; zone: string }): Promise<void> {
  for (const newest of await findNewest(tx, rail))
    await tx.execute(sql`
      with ${changedDays({ rail, zone, ...newest })}
      update payments.reconciliations d set uneven = null from changed
      where d.rail = ${rail} and d.currency = ${newest.currency} and d.on_date = changed.on_date and d.uneven is not null`);
}

/** Oldest first. */
export async function findEvenDays(
  db: Db | Tx,
  { rail, zone, currency }: { rail: string; zone: string; currency: Currency },
): Promise<readonly EvenDay[]> {
  const newest = (await findNewest(db, rail)).find((one) => one.currency === currency);
  if (newest === undefined) return [];
  const rows = await db.execute<{
    on_date: LocalDate;
    made_at: string;
    listed_minor: string;
    clearing_minor: string;
    unlisted: number;
    unlisted_minor: string;
  }>(sql`
    with ${changedDays({ rail, zone, ...newest })}
    select on_date::text, made_at, listed_minor, clearing_minor, unlisted, unlisted_minor from payments.reconciliations
    where rail = ${rail} and currency = ${currency} and uneven = 0 and on_date not in (select on_date from changed) order by reconciliations.on_date`);
  return rows.flatMap((row) => {
    const to = startOfDay(addDays(row.on_date, 1), zone);
    // A day that was not over when it was reconciled says nothing of its rest.
    if (new Date(row.made_at) < to) return [];
    return {
      from: startOfDay(row.on_date, zone),
      to,
      listedMinor: BigInt(row.listed_minor),
      clearingMinor: BigInt(row.clearing_minor),
      unlisted: row.unlisted,
      unlistedMinor: BigInt(row.unlisted_minor),
    };
  });
}

/**
 * The balance of the rail's clearing accounts as it was at the instant, and what it is made of. Even days are not read: they
 * count as they were found. A transaction that has its two sides on two days makes both of them uneven, so both are read.
 */
export async function readClearing(
  db: Db | Tx,
  { rail, currency, until, days }: { rail: string; currency: Currency; until: Date; days: readonly EvenDay[] },
): Promise<{ balanceMinor: bigint; listedMinor: bigint; parts: readonly ClearingPart[] }> {
  const { before, after, rangesBefore, rangesAfter } = planReading(days, until);
  const rows = await db.execute<{ name: string; count: string; amount_minor: string; named: string }>(sql`
    with ${sidesOf({ rail, currency, ranges: rangesBefore })},
    since as (${postedIn(rangesAfter)}),
    parts as (
      select case
          when booked_minor is not null and listed_minor is not null then 'amount_differs'
          when booked_minor is not null then case when elsewhere_minor is null then 'booked_not_listed' else 'listed_later' end
          when elsewhere_minor is null then 'listed_not_booked' else 'booked_later' end as name,
        provider_id as subject, coalesce(booked_minor, 0) - coalesce(listed_minor, 0) as amount_minor
      from weighed
      union all
      select 'posted_otherwise', subject, amount_minor from otherwise)
    select name, count(*) as count, sum(amount_minor) as amount_minor, count(e.subject) as named
    from parts left join (select distinct subject from payments.exceptions where rail = ${rail}) e using (subject) group by name
    -- Taken from the accounts themselves: what the days and ranges below left out would be seen as a rest.
    union all select 'balance', 0, coalesce(sum(b.balance_minor), 0), 0 from accounts a join ledger.balances b on b.account_id = a.id
    union all select 'since', 0, coalesce(sum(amount_minor), 0), 0 from since
    union all select 'listed', 0, coalesce(sum(amount_minor), 0), 0 from listed`);
  const minorOf = (name: string): bigint => BigInt(rows.find((row) => row.name === name)?.amount_minor ?? "0");
  const total = (some: readonly EvenDay[], of: (day: EvenDay) => bigint): bigint =>
    some.reduce((sum, day) => sum + of(day), 0n);
  const unlisted: ClearingPart = {
    name: "booked_not_listed",
    count: before.reduce((sum, day) => sum + day.unlisted, 0),
    amount: { minor: total(before, (day) => day.unlistedMinor), currency },
    named: 0,
  };
  const found = rows.flatMap((row): readonly ClearingPart[] =>
    row.name === "balance" || row.name === "since" || row.name === "listed"
      ? []
      : [
          {
            name: row.name as ClearingPartName,
            count: Number(row.count),
            amount: { minor: BigInt(row.amount_minor), currency },
            named: Number(row.named),
          },
        ],
  );
  return {
    balanceMinor: minorOf("balance") - minorOf("since") - total(after, (day) => day.clearingMinor),
    listedMinor: minorOf("listed") + total(before, (day) => day.listedMinor),
    parts: addPart(found, unlisted),
  };
}

/** Each name stands once. */
function addPart(parts: readonly ClearingPart[], one: ClearingPart): readonly ClearingPart[] {
  if (one.count === 0) return parts;
  const same = parts.find(({ name }) => name === one.name);
  if (same === undefined) return [...parts, one];
  const sum = {
    ...same,
    count: same.count + one.count,
    amount: { ...same.amount, minor: same.amount.minor + one.amount.minor },
    named: same.named + one.named,
  };
  return parts.map((part) => (part === same ? sum : part));
}
