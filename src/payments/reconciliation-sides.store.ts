import { sql, type SQL } from "drizzle-orm";
import type { Currency } from "../kernel/money.ts";

/** Which transactions of a rail are meant, by their event time. */
export interface Span {
  readonly rail: string;
  readonly currency: Currency;
  readonly from: Date;
  readonly to: Date;
}

/** Rows are written after they happened, unless two clocks disagree by more than this. */
const CLOCKS_DIFFER_MS = 2 * 86_400_000;

const at = (instant: Date): SQL => sql`${instant.toISOString()}::timestamptz`;

/** Ids tell when a posting was made, so an account's older postings need not be read to find those of a day. */
const earliestId = (from: Date): SQL => {
  const millis = Math.max(0, from.getTime() - CLOCKS_DIFFER_MS);
  const hex = millis.toString(16).padStart(12, "0");
  return sql`${`${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`}::uuid`;
};

/**
 * The two sides of a reconciliation as common table expressions. It reads the ledger's own tables instead of asking its
 * face: what is compared is millions of rows, and the ledger must be seen as it is, not as another module tells it.
 *
 * `accounts`: the rail's clearing accounts. `posted`: what moved on them. `booked`: what our books say happened, with the
 * transaction that posted it. `listed`: what the provider says. Money out is one kind, `out`, because providers call our
 * refunds a reversal or a disbursement as they please.
 */
export function sidesOf({ rail, currency, from, to }: Span): SQL {
  const inSpan = (instant: SQL): SQL => sql`${instant} >= ${at(from)} and ${instant} < ${at(to)}`;
  return sql`
    accounts as (
      select id, split_part(code, '/', 4) as shortcode from ledger.accounts
      where starts_with(code, ${`system/clearing/${rail}/`}) and currency = ${currency}),
    posted as (
      select t.id, t.kind, t.reference, t.memo, t.effective_at as at, a.shortcode, sum(p.amount_minor)::bigint as amount_minor
      from accounts a join ledger.postings p on p.account_id = a.id and p.transaction_id >= ${earliestId(from)}
        join ledger.transactions t on t.id = p.transaction_id
      where ${inSpan(sql`t.effective_at`)} group by t.id, a.shortcode),
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
      from uneven u)`;
}
