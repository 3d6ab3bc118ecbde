import { sql, type SQL } from "drizzle-orm";
import type { Currency } from "../../kernel/money.ts";
import { HOUR_MS } from "../../kernel/time.ts";
import type { Range } from "./reconciliation-days.ts";

/** Which transactions of a rail are meant, by their event time. */
export interface Span extends Range {
  readonly rail: string;
  readonly currency: Currency;
}

/** Ids tell when a posting was made. One made much later than its event, or before it, is found by `ledger.transactions_astray`. */
const ASTRAY = sql.raw(
  "(posted_at - effective_at > interval '6 hours' or posted_at - effective_at < interval '-1 hour')",
);
const LATE_MS = 6 * HOUR_MS;
const EARLY_MS = HOUR_MS;
/** Of our own processes one made the id and another, whose clock differs, the posting. */
const OWN_CLOCKS_DIFFER_MS = HOUR_MS;

const at = (instant: Date): SQL => sql`${instant.toISOString()}::timestamptz`;

/** The first id that can have been made at the instant. */
export const firstId = (millis: number): SQL => {
  const hex = Math.max(0, millis).toString(16).padStart(12, "0");
  return sql`${`${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`}::uuid`;
};

/** Written out for each range instead of joined, so that the planner sees how much of a table is meant. */
export const inRanges = (ranges: readonly Range[], instant: SQL): SQL =>
  ranges.length === 0
    ? sql`false`
    : sql`(${sql.join(
        ranges.map(({ from, to }) => sql`${instant} >= ${at(from)} and ${instant} < ${at(to)}`),
        sql` or `,
      )})`;

/** Whether an id was made when postings of the ranges are made, those astray apart. */
const madeAround = (ranges: readonly Range[], id: SQL): SQL =>
  ranges.length === 0
    ? sql`false`
    : sql`(${sql.join(
        ranges.map(
          ({ from, to }) =>
            sql`${id} >= ${firstId(from.getTime() - EARLY_MS - OWN_CLOCKS_DIFFER_MS)} and ${id} < ${firstId(to.getTime() + LATE_MS + OWN_CLOCKS_DIFFER_MS)}`,
        ),
        sql` or `,
      )})`;

/** The rail's clearing accounts: `accounts` of the other parts. */
export const accountsOf = ({ rail, currency }: Pick<Span, "rail" | "currency">): SQL => sql`
    accounts as (
      select id, split_part(code, '/', 4) as shortcode from ledger.accounts
      where starts_with(code, ${`system/clearing/${rail}/`}) and currency = ${currency})`;

/** What moved on `accounts` in the ranges, a row a transaction and account: neither what came before nor what came since is read. */
export const postedIn = (ranges: readonly Range[]): SQL => sql`
      -- The few astray first: the planner cannot know that a clearing account has most of all postings.
      with astray as materialized (
        select id, kind, reference, effective_at from ledger.transactions t
        where ${ASTRAY} and ${inRanges(ranges, sql`effective_at`)}
          and not ${madeAround(ranges, sql`id`)})
      select t.id, t.kind, t.reference, t.effective_at as at, a.shortcode, sum(p.amount_minor)::bigint as amount_minor
      from accounts a join ledger.postings p on p.account_id = a.id and ${madeAround(ranges, sql`p.transaction_id`)}
        join ledger.transactions t on t.id = p.transaction_id and ${madeAround(ranges, sql`t.id`)}
      where ${inRanges(ranges, sql`t.effective_at`)} group by t.id, a.shortcode
      union all
      select t.id, t.kind, t.reference, t.effective_at, a.shortcode, sum(p.amount_minor)::bigint
      from astray t cross join lateral (select account_id, amount_minor from ledger.postings where transaction_id = t.id offset 0) p
        join accounts a on a.id = p.account_id
      group by t.id, t.kind, t.reference, t.effective_at, a.shortcode`;

/**
 * The two sides of a reconciliation as common table expressions. It reads the ledger's own tables instead of asking its
 * face: what is compared is millions of rows, and the ledger must be seen as it is, not as another module tells it.
 *
 * `accounts`: the rail's clearing accounts. `posted`: what moved on them. `booked`: what our books say happened, with the
 * transaction that posted it. `listed`: what the provider says. Money out is one kind, `out`, because providers call our
 * refunds a reversal or a disbursement as they please. `otherwise`: what moved on an account and is not booked so, or the other way.
 */
export function sidesOf({
  rail,
  currency,
  ranges,
}: Pick<Span, "rail" | "currency"> & { ranges: readonly Range[] }): SQL {
  const inSpan = (instant: SQL): SQL => inRanges(ranges, instant);
  return sql`${accountsOf({ rail, currency })},
    posted as (${postedIn(ranges)}),
    booked as (
      select 'payment' as kind, r.provider_id, null::text as original, r.amount_minor, r.paid_at as at, c.shortcode, r.transaction_id
      from payments.receipts r join payments.callbacks c on c.id = r.callback_id
      where r.rail = ${rail} and r.currency = ${currency} and ${inSpan(sql`r.paid_at`)}
      union all
      -- Where a provider told of a reversal without naming it, the list's name of it counts.
      select 'out', coalesce((select l.provider_id from payments.listed l where v.provider_id = 'REVERSAL OF ' || v.original_provider_id
          and l.rail = v.rail and l.kind = 'reversal' and l.original_provider_id = v.original_provider_id limit 1), v.provider_id),
        v.original_provider_id, -v.amount_minor, v.reversed_at, c.shortcode, v.transaction_id
      from payments.reversals v join payments.receipts r on r.id = v.receipt_id join payments.callbacks c on c.id = r.callback_id
      where v.rail = ${rail} and v.currency = ${currency} and v.state = 'applied' and ${inSpan(sql`v.reversed_at`)}
      union all
      select 'out', coalesce(o.provider_id, 'payout ' || o.id), o.original_provider_id, -o.amount_minor, t.effective_at, o.shortcode, t.id
      from payments.payouts o join ledger.transactions t on t.idempotency_key = 'payout_paid:' || o.id
      where o.rail = ${rail} and o.currency = ${currency} and o.state = 'completed' and ${inSpan(sql`t.effective_at`)}
      union all
      select case kind when 'rail_fee' then 'fee' else 'settlement' end, reference, null, amount_minor, at, shortcode, id
      from posted where kind in ('rail_fee', 'settlement')),
    listed as (
      select case when kind in ('reversal', 'disbursement') then 'out' else kind end as kind, provider_id,
        max(original_provider_id) as original, sum(amount_minor)::bigint as amount_minor, min(at) as at
      from payments.listed
      where rail = ${rail} and currency = ${currency} and amount_minor <> 0 and ${inSpan(sql`at`)} group by 1, 2),
    -- One row a transaction that either side has in the span and that is not the same on both.
    uneven as (
      select kind, provider_id, l.original, b.amount_minor as booked_minor, l.amount_minor as listed_minor, coalesce(b.at, l.at) as at, b.shortcode
      from booked b full join listed l using (kind, provider_id) where b.amount_minor is distinct from l.amount_minor),
    -- What stands on one side alone may stand on the other at another time: two clocks, or a midnight between them.
    weighed as (
      select u.*, case
        when u.booked_minor is not null then (
          select sum(l.amount_minor) from payments.listed l where l.rail = ${rail} and l.provider_id = u.provider_id and l.amount_minor <> 0
            and case when l.kind in ('reversal', 'disbursement') then 'out' else l.kind end = u.kind)
        when u.kind = 'payment' then (
          select r.amount_minor from payments.receipts r where r.rail = ${rail} and r.provider_id = u.provider_id)
        when u.kind = 'out' then coalesce(
          (select -sum(v.amount_minor) from payments.reversals v where v.rail = ${rail} and v.state = 'applied'
            and v.provider_id in (u.provider_id, 'REVERSAL OF ' || u.original)),
          (select -sum(o.amount_minor) from payments.payouts o where o.rail = ${rail} and o.state = 'completed' and o.provider_id = u.provider_id))
        else (
          select sum(p.amount_minor) from ledger.transactions t join ledger.postings p on p.transaction_id = t.id join accounts a on a.id = p.account_id
          where t.idempotency_key = u.kind || ':' || ${rail} || ':' || u.provider_id) end as elsewhere_minor
      from uneven u),
    otherwise as (
      select coalesce(b.provider_id, 'posting ' || p.id::text) as subject, coalesce(p.amount_minor, 0) - coalesce(b.amount_minor, 0) as amount_minor,
        b.provider_id is null as is_unknown
      from posted p full join booked b on b.transaction_id = p.id and b.shortcode = p.shortcode
      where p.amount_minor is distinct from b.amount_minor)`;
}
