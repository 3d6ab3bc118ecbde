import { sql } from "drizzle-orm";
import type { Currency } from "../../kernel/money.ts";
import type { LocalDate } from "../../kernel/time.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type { Exception, ExceptionKind } from "./exceptions.store.ts";
import type { DayTotals, Reconciliation, ReconciliationState } from "./reconciliation.ts";

export async function saveReconciliation(
  tx: Tx,
  result: Reconciliation,
  { uneven, unlisted, unlistedMinor }: Pick<DayTotals, "uneven" | "unlisted" | "unlistedMinor">,
): Promise<void> {
  await tx.execute(sql`
    insert into payments.reconciliations (rail, on_date, currency, listed_minor, booked_minor, clearing_minor, exceptions, state, made_at,
      uneven, unlisted, unlisted_minor)
    values (${result.rail}, ${result.on}::date, ${result.currency}, ${result.listed.minor.toString()}, ${result.booked.minor.toString()},
      ${result.clearing.minor.toString()}, ${result.exceptions}, ${result.state}, ${result.madeAt.toISOString()},
      ${uneven}, ${unlisted}, ${unlistedMinor.toString()})
    on conflict (rail, on_date, currency) do update set listed_minor = excluded.listed_minor, booked_minor = excluded.booked_minor,
      clearing_minor = excluded.clearing_minor, exceptions = excluded.exceptions, state = excluded.state, made_at = excluded.made_at,
      uneven = excluded.uneven, unlisted = excluded.unlisted, unlisted_minor = excluded.unlisted_minor`);
}

interface Row extends Record<string, unknown> {
  rail: string;
  on_date: LocalDate;
  currency: Currency;
  listed_minor: string;
  booked_minor: string;
  clearing_minor: string;
  exceptions: number;
  state: ReconciliationState;
  made_at: string;
}

/** Newest day first. */
export async function listReconciliations(
  db: Db | Tx,
  { rail, from, to, limit }: { rail?: string | undefined; from: LocalDate; to: LocalDate; limit: number },
): Promise<readonly Reconciliation[]> {
  const rows = await db.execute<Row>(sql`
    select rail, on_date::text, currency, listed_minor, booked_minor, clearing_minor, exceptions, state, made_at from payments.reconciliations
    where (${rail ?? null}::text is null or rail = ${rail ?? null}) and on_date between ${from}::date and ${to}::date
    order by on_date desc, rail, currency limit ${limit}`);
  return rows.map((row) => ({
    rail: row.rail,
    on: row.on_date,
    currency: row.currency,
    listed: { minor: BigInt(row.listed_minor), currency: row.currency },
    booked: { minor: BigInt(row.booked_minor), currency: row.currency },
    clearing: { minor: BigInt(row.clearing_minor), currency: row.currency },
    exceptions: row.exceptions,
    state: row.state,
    madeAt: new Date(row.made_at),
  }));
}

interface ExceptionRow extends Record<string, unknown> {
  id: string;
  kind: ExceptionKind;
  subject: string;
  amount_minor: string;
  currency: Currency;
  detail: string;
  opened_at: string;
  resolved_at: string | null;
  resolved_by: string | null;
  resolution: string | null;
}

/** Of one day, open ones first, then by their names. */
export async function listDayExceptions(
  db: Db | Tx,
  { rail, on, limit }: { rail: string; on: LocalDate; limit: number },
): Promise<readonly Exception[]> {
  const rows = await db.execute<ExceptionRow>(sql`
    select id, kind, subject, amount_minor, currency, detail, opened_at, resolved_at, resolved_by, resolution
    from payments.exceptions where rail = ${rail} and on_date = ${on}::date
    order by resolved_at is not null, kind, subject limit ${limit}`);
  return rows.map((row) => ({
    id: row.id,
    rail,
    kind: row.kind,
    subject: row.subject,
    onDate: on,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    detail: row.detail,
    openedAt: new Date(row.opened_at),
    resolvedAt: row.resolved_at === null ? null : new Date(row.resolved_at),
    resolvedBy: row.resolved_by,
    resolution: row.resolution,
  }));
}

/** Days that are over and were not looked at since, or did not agree or got something since and are worth another look; oldest first. */
export async function findDueDays(
  db: Db | Tx,
  {
    rail,
    currency,
    zone,
    yesterday,
    earliest,
    readyAfterMs,
    again,
  }: {
    rail: string;
    currency: Currency;
    zone: string;
    yesterday: LocalDate;
    earliest: LocalDate;
    readyAfterMs: number;
    again: Date;
  },
): Promise<readonly LocalDate[]> {
  const rows = await db.execute<{ on_date: LocalDate }>(sql`
    with first as (select coalesce(min(on_date), ${yesterday}::date) as on_date from payments.reconciliations where rail = ${rail} and currency = ${currency})
    select day::date::text as on_date
    from first, generate_series(greatest(first.on_date, ${earliest}::date), ${yesterday}::date, interval '1 day') as day
    left join payments.reconciliations r on r.rail = ${rail} and r.currency = ${currency} and r.on_date = day::date
    where r.rail is null or r.made_at < ((day::date + 1)::timestamp at time zone ${zone}) + make_interval(secs => ${readyAfterMs / 1_000})
      or ((r.state <> 'agreed' or r.uneven is null) and r.made_at < ${again.toISOString()}::timestamptz)
    order by day`);
  return rows.map(({ on_date }) => on_date);
}
