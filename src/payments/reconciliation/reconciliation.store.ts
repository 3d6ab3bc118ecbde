import { sql } from "drizzle-orm";
import type { MakeId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { column, rowsTable, type Tx } from "../../platform/database.ts";
import { sidesOf, type Span } from "./reconciliation-sides.store.ts";
import { DIFFERENCE_KINDS, type DayTotals, type Difference, type Reconciliation } from "./reconciliation.ts";

/** A row of exceptions is some hundred bytes; a day without any list at all still goes in by pieces. */
const INSERT_MAX = 5_000;
/** A list that told nothing of a kind, or of a shortcode, for so long says nothing about it. */
const LIST_SPEAKS_FOR = "60 days";

const at = (instant: Date) => sql`${instant.toISOString()}::timestamptz`;

/** One process at a time reconciles a rail; ends with the transaction. False when another has it. */
export async function tryLockRail(tx: Tx, rail: string): Promise<boolean> {
  const [row] = await tx.execute<{ locked: boolean }>(sql`
    select pg_try_advisory_xact_lock(hashtextextended(${`reconcile ${rail}`}, 0)) as locked`);
  return row?.locked === true;
}

/** The same, waiting for the other to end. */
export async function lockRail(tx: Tx, rail: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`reconcile ${rail}`}, 0))`);
}

/** Currencies besides the channel's own in which anything was listed or booked. */
export async function currenciesOf(tx: Tx, { rail, from, to }: Omit<Span, "currency">): Promise<readonly Currency[]> {
  const rows = await tx.execute<{ currency: Currency }>(sql`
    select currency from payments.listed where rail = ${rail} and at >= ${at(from)} and at < ${at(to)}
    union select currency from payments.receipts where rail = ${rail} and paid_at >= ${at(from)} and paid_at < ${at(to)}`);
  return rows.map(({ currency }) => currency);
}

/** Whether a list speaks for the whole span: the sweep is past it and reached back to it, or a statement made after it covers it. */
export async function hasList(tx: Tx, { rail, from, to }: Span): Promise<boolean> {
  const [row] = await tx.execute<{ has: boolean }>(sql`
    select exists (select from payments.sweeps where rail = ${rail} and done_until >= ${at(to)}
        and exists (select from payments.listed where rail = ${rail} and source = 'pull' and at < ${at(to)}))
      or exists (select from payments.statements where rail = ${rail} and from_at < ${at(to)} and to_at >= ${at(from)} and imported_at >= ${at(to)}) as has`);
  return row?.has === true;
}

/** The day's three sums, and what of it is not the same on all sides, explained or not. */
export async function readTotals(tx: Tx, span: Span): Promise<DayTotals> {
  const [row] = await tx.execute<{
    listed: string;
    booked: string;
    clearing: string;
    uneven: number;
    unlisted: number;
    unlisted_minor: string;
  }>(sql`
    with ${sidesOf({ ...span, ranges: [span] })},
    judged as (
      -- A payment that nothing but our books knows. Those of a whole rail may be so, hence they are kept as a sum.
      select booked_minor, w.kind = 'payment' and booked_minor is not null and listed_minor is null and elsewhere_minor is null
        and e.subject is null as is_unlisted
      from weighed w left join (select distinct subject from payments.exceptions where rail = ${span.rail}) e on e.subject = w.provider_id)
    select (select coalesce(sum(amount_minor), 0) from listed) as listed, (select coalesce(sum(amount_minor), 0) from booked) as booked,
      (select coalesce(sum(amount_minor), 0) from posted) as clearing,
      ((select count(*) from judged where not is_unlisted) + (select count(*) from otherwise))::integer as uneven,
      (select count(*) from judged where is_unlisted)::integer as unlisted,
      (select coalesce(sum(booked_minor), 0) from judged where is_unlisted) as unlisted_minor`);
  return {
    listedMinor: BigInt(row?.listed ?? "0"),
    bookedMinor: BigInt(row?.booked ?? "0"),
    clearingMinor: BigInt(row?.clearing ?? "0"),
    uneven: row?.uneven ?? 0,
    unlisted: row?.unlisted ?? 0,
    unlistedMinor: BigInt(row?.unlisted_minor ?? "0"),
  };
}

const DETAILS: Readonly<Record<string, string>> = {
  listed_not_booked: "The provider lists it, and it is not in the books.",
  waiting: "The provider lists it; it came here, and the settle loop has not booked it.",
  booked_not_listed: "It is in the books, and the provider's list of its day does not have it.",
  amount_differs: "The books and the provider's list have different amounts; this is what the books have more.",
  reversal_without_payment: "The provider took back a payment that never came.",
  posted_otherwise: "Something moved on the clearing account that is no transaction of this rail.",
  posting_differs: "The posting has another amount than the transaction; this is what the posting has more.",
};

/**
 * What is not the same on all sides; what another exception names already is left out. `unlisted`: booked, in no list, and no
 * list speaks for its kind and shortcode.
 */
export async function findDifferences(
  tx: Tx,
  span: Span,
): Promise<{ differences: readonly Difference[]; unlisted: number }> {
  const { rail, from, to } = span;
  const rows = await tx.execute<{ kind: string; subject: string; amount_minor: string; detail: string }>(sql`
    with ${sidesOf({ ...span, ranges: [span] })},
    found as (
      select case
          when booked_minor is not null and listed_minor is not null then 'amount_differs'
          when booked_minor is not null then case when elsewhere_minor is null then 'booked_not_listed' end
          when elsewhere_minor is not null then case when elsewhere_minor <> listed_minor then 'amount_differs' end
          when kind = 'out' and exists (select from payments.reversals v where v.rail = ${rail} and v.provider_id = w.provider_id and v.state = 'parked')
            then 'reversal_without_payment'
          else 'listed_not_booked' end as kind,
        w.kind as thing, provider_id as subject, shortcode, at,
        case when booked_minor is not null and listed_minor is not null then booked_minor - listed_minor
          when booked_minor is not null then booked_minor
          when elsewhere_minor is not null then elsewhere_minor - listed_minor else listed_minor end as amount_minor
      from weighed w),
    -- Once for each kind and shortcode, not for each row: the answer "no" has read two months of the list.
    spoken as (
      select thing, shortcode from (select distinct thing, shortcode from found where kind = 'booked_not_listed') f
      where exists (select from payments.statements s where s.rail = ${rail} and s.shortcode = f.shortcode
          and s.from_at < ${at(to)} and s.to_at >= ${at(from)} and s.imported_at >= ${at(to)})
        or (exists (select from payments.sweeps where rail = ${rail} and done_until >= ${at(to)})
          and exists (select from payments.listed l where l.rail = ${rail} and l.source = 'pull' and l.at >= ${at(from)} - interval '${sql.raw(LIST_SPEAKS_FOR)}' and l.at < ${at(to)}
            and case when l.kind in ('reversal', 'disbursement') then 'out' else l.kind end = f.thing)
          and exists (select from payments.listed l join payments.callbacks c on c.rail = l.rail and c.provider_id = l.provider_id
            where l.rail = ${rail} and l.source = 'pull' and l.at >= ${at(from)} - interval '${sql.raw(LIST_SPEAKS_FOR)}' and l.at < ${at(to)} and c.shortcode = f.shortcode))),
    judged as (
      select case when kind = 'booked_not_listed' and (thing, shortcode) not in (select thing, shortcode from spoken) then 'unlisted' else kind end as kind,
        subject, amount_minor,
        case when kind = 'listed_not_booked' and exists (select from payments.callbacks c where c.rail = ${rail} and c.provider_id = f.subject)
          then 'waiting' else kind end as detail
      from found f where kind is not null),
    all_differences as (
      select kind, subject, amount_minor, detail from judged
      union all
      select 'reversal_without_payment', provider_id, -amount_minor, 'reversal_without_payment' from payments.reversals v
      where rail = ${rail} and currency = ${span.currency} and state = 'parked' and reversed_at >= ${at(from)} and reversed_at < ${at(to)}
        and not exists (select from judged j where j.kind = 'reversal_without_payment' and j.subject = v.provider_id)
      union all
      select 'clearing_differs', subject, amount_minor, case when is_unknown then 'posted_otherwise' else 'posting_differs' end from otherwise)
    select kind, subject, amount_minor, detail from all_differences d
    where not exists (select from payments.exceptions e
      where e.rail = ${rail} and e.subject = d.subject and e.kind in ('line_conflict', 'reversal_too_large'))`);
  const differences = rows.flatMap(({ kind, subject, amount_minor, detail }): Difference[] => {
    const known = DIFFERENCE_KINDS.find((one) => one === kind);
    return known === undefined
      ? []
      : [{ kind: known, subject, amountMinor: BigInt(amount_minor), detail: DETAILS[detail] ?? detail }];
  });
  return { differences, unlisted: rows.length - differences.length };
}

/** Opens what is new, and again what an earlier run of the reconciliation had closed. What a person explained stays explained. */
export async function openDifferences(
  tx: Tx,
  {
    rail,
    on,
    currency,
    differences,
    now,
    makeId,
  }: Pick<Reconciliation, "rail" | "on" | "currency"> & {
    differences: readonly Difference[];
    now: Date;
    makeId: MakeId;
  },
): Promise<void> {
  for (let from = 0; from < differences.length; from += INSERT_MAX) {
    const given = rowsTable(differences.slice(from, from + INSERT_MAX), {
      id: ["uuid", () => makeId()],
      kind: ["text", ({ kind }) => kind],
      subject: ["text", ({ subject }) => subject],
      amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
      detail: ["text", ({ detail }) => detail],
    });
    await tx.execute(sql`
      insert into payments.exceptions as e (${given.names}, rail, on_date, currency, opened_at)
      select ${given.names}, ${rail}, ${on}::date, ${currency}, ${at(now)} from ${given.table} as given(${given.names}) order by kind, subject
      on conflict (rail, kind, subject) do update set resolved_at = null, resolved_by = null, resolution = null where e.resolved_by = 'reconciliation'`);
  }
}

/** Closes exceptions of the day that have been explained meanwhile; those that nothing explains stay, whoever opened them. */
export async function closeExplained(
  tx: Tx,
  {
    rail,
    on,
    currency,
    differences,
    now,
  }: Pick<Reconciliation, "rail" | "on" | "currency"> & { differences: readonly Difference[]; now: Date },
): Promise<void> {
  const open = rowsTable(differences, {
    kind: ["text", ({ kind }) => kind],
    subject: ["text", ({ subject }) => subject],
  });
  await tx.execute(sql`
    update payments.exceptions e set resolved_at = ${at(now)}, resolved_by = 'reconciliation', resolution = 'Explained since: both sides agree now.'
    where e.rail = ${rail} and e.on_date = ${on}::date and e.currency = ${currency} and e.resolved_at is null
      and e.kind = any(${column(DIFFERENCE_KINDS, "text")})
      and not exists (select from ${open.table} as d(${open.names}) where d.kind = e.kind and d.subject = e.subject)
      and case e.kind
        when 'listed_not_booked' then exists (select from payments.receipts r where r.rail = e.rail and r.provider_id = e.subject)
          or exists (select from payments.reversals v where v.rail = e.rail and v.provider_id = e.subject)
          or exists (select from payments.payouts o where o.rail = e.rail and o.provider_id = e.subject and o.state = 'completed')
          or exists (select from ledger.transactions t where t.idempotency_key in ('fee:' || e.rail || ':' || e.subject, 'settlement:' || e.rail || ':' || e.subject))
        when 'reversal_without_payment' then exists (select from payments.reversals v where v.rail = e.rail and v.provider_id = e.subject and v.state <> 'parked')
        when 'clearing_differs' then true
        else exists (select from payments.listed l where l.rail = e.rail and l.provider_id = e.subject) end`);
}

export async function countOpen(
  tx: Tx,
  { rail, on, currency }: Pick<Reconciliation, "rail" | "on" | "currency">,
): Promise<number> {
  const [row] = await tx.execute<{ count: string }>(sql`
    select count(*) as count from payments.exceptions
    where rail = ${rail} and on_date = ${on}::date and currency = ${currency} and resolved_at is null
      -- Money still on its way is no difference between the lists: it stands in an account of its own.
      and kind <> 'payout_unanswered'`);
  return Number(row?.count ?? 0);
}
