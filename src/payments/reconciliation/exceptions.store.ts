import { sql } from "drizzle-orm";
import type { Currency, Money } from "../../kernel/money.ts";
import { rowsTable, type Db, type Tx } from "../../platform/database.ts";

export type ExceptionKind =
  | "listed_not_booked"
  | "booked_not_listed"
  | "amount_differs"
  | "unreadable_line"
  | "reversal_without_payment"
  | "reversal_too_large"
  | "line_conflict"
  | "clearing_differs"
  | "payout_unanswered";

/** Something between a provider's books and ours that a person must explain. */
export interface NewException {
  readonly id: string;
  readonly rail: string;
  readonly kind: ExceptionKind;
  /** The provider's reference, or what stands for it; with rail and kind it names the exception. */
  readonly subject: string;
  /** Local date of the channel, as 2026-11-20. */
  readonly onDate: string;
  readonly amount: Money;
  readonly detail: string;
}

export interface Exception extends NewException {
  readonly openedAt: Date;
  readonly resolvedAt: Date | null;
  readonly resolvedBy: string | null;
  readonly resolution: string | null;
}

/** Opens exceptions; one that is known is left as it is, also when it was resolved. Answers how many were new. */
export async function openExceptions(
  tx: Tx,
  { exceptions, at }: { exceptions: readonly NewException[]; at: Date },
): Promise<number> {
  if (exceptions.length === 0) return 0;
  const given = rowsTable(exceptions, {
    id: ["uuid", ({ id }) => id],
    rail: ["text", ({ rail }) => rail],
    kind: ["text", ({ kind }) => kind],
    subject: ["text", ({ subject }) => subject],
    on_date: ["text", ({ onDate }) => onDate],
    amount_minor: ["bigint", ({ amount }) => amount.minor],
    currency: ["text", ({ amount }) => amount.currency],
    detail: ["text", ({ detail }) => detail.slice(0, 1_000)],
  });
  const rows = await tx.execute(sql`
    insert into payments.exceptions (${given.names}, opened_at)
    select id, rail, kind, subject, on_date::date, amount_minor, currency, detail, ${at.toISOString()}::timestamptz
    from ${given.table} as given(${given.names}) order by rail, kind, subject
    on conflict (rail, kind, subject) do nothing returning 1`);
  return rows.length;
}

interface Row extends Record<string, unknown> {
  id: string;
  rail: string;
  kind: ExceptionKind;
  subject: string;
  on_date: string;
  amount_minor: string;
  currency: Currency;
  detail: string;
  opened_at: string;
  resolved_at: string | null;
  resolved_by: string | null;
  resolution: string | null;
}

const COLUMNS = sql.raw(
  "id, rail, kind, subject, on_date::text, amount_minor, currency, detail, opened_at, resolved_at, resolved_by, resolution",
);

const exceptionOf = (row: Row): Exception => ({
  id: row.id,
  rail: row.rail,
  kind: row.kind,
  subject: row.subject,
  onDate: row.on_date,
  amount: { minor: BigInt(row.amount_minor), currency: row.currency },
  detail: row.detail,
  openedAt: new Date(row.opened_at),
  resolvedAt: row.resolved_at === null ? null : new Date(row.resolved_at),
  resolvedBy: row.resolved_by,
  resolution: row.resolution,
});

/** Open ones, oldest first. */
export async function listExceptions(
  db: Db | Tx,
  {
    rail,
    first,
    after,
  }: { rail?: string | undefined; first: number; after?: { openedAt: Date; id: string } | undefined },
): Promise<readonly Exception[]> {
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from payments.exceptions where resolved_at is null and (${rail ?? null}::text is null or rail = ${rail ?? null})
      and (${after?.id ?? null}::uuid is null or (opened_at, id) > (${after?.openedAt.toISOString() ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by opened_at, id limit ${first}`);
  return rows.map(exceptionOf);
}

export async function findException(db: Db | Tx, id: string): Promise<Exception | undefined> {
  const [row] = await db.execute<Row>(sql`select ${COLUMNS} from payments.exceptions where id = ${id}::uuid`);
  return row === undefined ? undefined : exceptionOf(row);
}

/** Closes an exception by its id; nothing when it is closed or unknown. */
export async function resolveExceptionById(
  tx: Tx,
  { id, at, by, resolution }: { id: string; at: Date; by: string; resolution: string },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update payments.exceptions set resolved_at = ${at.toISOString()}, resolved_by = ${by}, resolution = ${resolution}
    where id = ${id}::uuid and resolved_at is null returning 1`);
  return rows.length === 1;
}

/** Closes exceptions by name: because a person explained them, or because the money was found. */
export async function resolveExceptions(
  tx: Tx,
  {
    names,
    at,
    by,
    resolution,
  }: {
    names: readonly Pick<NewException, "rail" | "kind" | "subject">[];
    at: Date;
    by: string;
    resolution: string;
  },
): Promise<number> {
  if (names.length === 0) return 0;
  const given = rowsTable(names, {
    rail: ["text", ({ rail }) => rail],
    kind: ["text", ({ kind }) => kind],
    subject: ["text", ({ subject }) => subject],
  });
  const rows = await tx.execute(sql`
    update payments.exceptions e set resolved_at = ${at.toISOString()}, resolved_by = ${by}, resolution = ${resolution}
    from ${given.table} as given(${given.names})
    where e.rail = given.rail and e.kind = given.kind and e.subject = given.subject and e.resolved_at is null returning 1`);
  return rows.length;
}
