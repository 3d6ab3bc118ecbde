import { sql } from "drizzle-orm";
import type { Currency } from "../../kernel/money.ts";
import { column, rowsTable, type Tx } from "../../platform/database.ts";
import type { StatementLine } from "../rails/statement-line.ts";
import type { Encoding } from "./statement-decoding.ts";
import type { ImportedLine, LineKind, Tally } from "./statement-report.ts";

/** A statement as it begins: everything but what its lines will say. */
export interface StatementStart {
  readonly id: string;
  readonly rail: string;
  readonly shortcode: string;
  readonly fileName: string;
  readonly sha256: Uint8Array;
  readonly reading: string;
  readonly format: string;
  readonly encoding: Encoding;
  readonly bytes: number;
  readonly importedBy: string;
  readonly importedAt: Date;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** False when this file was imported in this way before; a concurrent twin waits until the first one ends. */
export async function insertStatement(tx: Tx, start: StatementStart): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into payments.statements (id, rail, shortcode, file_name, sha256, reading, format, encoding, bytes, imported_by, imported_at)
    values (${start.id}, ${start.rail}, ${start.shortcode}, ${start.fileName}, decode(${hex(start.sha256)}, 'hex'), ${start.reading},
      ${start.format}, ${start.encoding}, ${start.bytes}, ${start.importedBy}, ${start.importedAt.toISOString()})
    on conflict (rail, sha256, reading) do nothing returning 1`);
  return rows.length === 1;
}

export async function finishStatement(tx: Tx, id: string, tally: Tally): Promise<void> {
  const byKind = Object.fromEntries(
    [...tally.byKind].map(([kind, { lines, amountMinor }]) => [kind, { lines, amountMinor: amountMinor.toString() }]),
  );
  await tx.execute(sql`
    update payments.statements set lines_total = ${tally.linesTotal}, taken = ${tally.taken}, known = ${tally.known},
      refused = ${tally.refused}, skipped = ${tally.skipped}, exceptions = ${tally.exceptions},
      from_at = ${tally.fromAt?.toISOString() ?? null}, to_at = ${tally.toAt?.toISOString() ?? null},
      by_kind = ${JSON.stringify(byKind)}::jsonb
    where id = ${id}`);
}

export async function insertLines(tx: Tx, statementId: string, lines: readonly ImportedLine[]): Promise<void> {
  const given = rowsTable(lines, {
    line: ["integer", ({ line }) => line],
    provider_id: ["text", ({ providerId }) => providerId],
    kind: ["text", ({ kind }) => kind],
    amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
    at: ["timestamptz", ({ at }) => at],
    outcome: ["text", ({ outcome }) => outcome],
    detail: ["text", ({ detail }) => detail],
    raw: ["text", ({ raw }) => raw],
  });
  await tx.execute(sql`
    insert into payments.statement_lines (statement_id, ${given.names})
    select ${statementId}::uuid, * from ${given.table} as given(${given.names})`);
}

export async function refuseLines(
  tx: Tx,
  { statementId, lines, detail }: { statementId: string; lines: readonly number[]; detail: string },
): Promise<void> {
  await tx.execute(sql`
    update payments.statement_lines set outcome = 'refused', detail = ${detail}
    where statement_id = ${statementId} and line = any(${column(lines, "integer")})`);
}

/**
 * Puts lines on the provider's list. Answers in the order given: undefined for a line that is new to it, and the amount
 * on the list for one that was there, from another file or from an earlier line.
 */
export async function insertListed(
  tx: Tx,
  {
    rail,
    currency,
    seenAt,
    lines,
  }: { rail: string; currency: Currency; seenAt: Date; lines: readonly StatementLine[] },
): Promise<readonly (bigint | undefined)[]> {
  const rows = lines.map((line, place) => ({ ...line, place }));
  const given = rowsTable(rows, {
    provider_id: ["text", ({ lineReference }) => lineReference],
    kind: ["text", ({ kind }) => kind],
    amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
    at: ["timestamptz", ({ at }) => at],
    original_provider_id: ["text", ({ linked }) => linked],
    detail: ["text", ({ details }) => details.slice(0, 500)],
    place: ["integer", ({ place }) => place],
  });
  // In one order for everybody, or two imports and a sweep could wait for each other; of twins the earlier line counts.
  const inserted = await tx.execute<{ provider_id: string; kind: LineKind }>(sql`
    insert into payments.listed (rail, currency, source, first_seen_at, provider_id, kind, amount_minor, at, original_provider_id, detail)
    select ${rail}, ${currency}, 'statement', ${seenAt.toISOString()}::timestamptz, provider_id, kind, amount_minor, at, original_provider_id, detail
    from ${given.table} as given(${given.names}) order by provider_id, kind, place
    on conflict (rail, provider_id, kind) do nothing returning provider_id, kind`);
  if (inserted.length === lines.length) return lines.map(() => undefined);
  const nameOf = (providerId: string, kind: LineKind): string => `${kind}/${providerId}`;
  const fresh = new Set(inserted.map((row) => nameOf(row.provider_id, row.kind)));
  const isFirst = lines.map(({ lineReference, kind }) => fresh.delete(nameOf(lineReference, kind)));
  const repeated = rowsTable(
    rows.filter(({ place }) => isFirst[place] !== true),
    { provider_id: ["text", ({ lineReference }) => lineReference], kind: ["text", ({ kind }) => kind] },
  );
  // One look-up each: without statistics, as after the first large import, the planner would read the whole list.
  const known = await tx.execute<{ provider_id: string; kind: LineKind; amount_minor: string }>(sql`
    select given.provider_id, given.kind, l.amount_minor from ${repeated.table} as given(${repeated.names})
    cross join lateral (select amount_minor from payments.listed
      where rail = ${rail} and provider_id = given.provider_id and kind = given.kind limit 1) l`);
  const amounts = new Map(known.map((row) => [nameOf(row.provider_id, row.kind), BigInt(row.amount_minor)]));
  return lines.map(({ lineReference, kind }, at) =>
    isFirst[at] === true ? undefined : amounts.get(nameOf(lineReference, kind)),
  );
}

/** Amounts of payments in the inbox, by the provider's reference. */
export async function paymentAmounts(
  tx: Tx,
  rail: string,
  references: readonly string[],
): Promise<ReadonlyMap<string, bigint>> {
  const rows = await tx.execute<{ provider_id: string; amount_minor: string }>(sql`
    select provider_id, amount_minor from payments.callbacks
    where rail = ${rail} and provider_id = any(${column(references, "text")})`);
  return new Map(rows.map((row) => [row.provider_id, BigInt(row.amount_minor)]));
}

/** Amounts of our own payouts, by the provider's reference. */
export async function payoutAmounts(
  tx: Tx,
  rail: string,
  references: readonly string[],
): Promise<ReadonlyMap<string, bigint>> {
  const rows = await tx.execute<{ provider_id: string; amount_minor: string }>(sql`
    select provider_id, amount_minor from payments.payouts
    where rail = ${rail} and provider_id = any(${column(references, "text")})`);
  return new Map(rows.map((row) => [row.provider_id, BigInt(row.amount_minor)]));
}

/** Which of these reversals the books know from elsewhere. */
export async function knownReversals(
  tx: Tx,
  rail: string,
  references: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await tx.execute<{ provider_id: string }>(sql`
    select provider_id from payments.reversals where rail = ${rail} and provider_id = any(${column(references, "text")})`);
  return new Set(rows.map((row) => row.provider_id));
}

export interface NewException {
  readonly id: string;
  readonly kind: "listed_not_booked" | "line_conflict" | "unreadable_line";
  readonly subject: string;
  readonly onDate: string;
  readonly amountMinor: bigint;
  readonly detail: string;
}

/** One exception a subject, however often its line comes. Answers how many were new. */
export async function openExceptions(
  tx: Tx,
  {
    rail,
    currency,
    openedAt,
    exceptions,
  }: { rail: string; currency: Currency; openedAt: Date; exceptions: readonly NewException[] },
): Promise<number> {
  const given = rowsTable(exceptions, {
    id: ["uuid", ({ id }) => id],
    kind: ["text", ({ kind }) => kind],
    subject: ["text", ({ subject }) => subject],
    on_date: ["text", ({ onDate }) => onDate],
    amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
    detail: ["text", ({ detail }) => detail],
  });
  const rows = await tx.execute(sql`
    insert into payments.exceptions (id, rail, kind, subject, on_date, amount_minor, currency, detail, opened_at)
    select id, ${rail}, kind, subject, on_date::date, amount_minor, ${currency}, detail, ${openedAt.toISOString()}::timestamptz
    from ${given.table} as given(${given.names}) order by kind, subject
    on conflict (rail, kind, subject) do nothing returning 1`);
  return rows.length;
}

/** Closes exceptions of lines that another reading of the same file could not read, and this one can. */
export async function resolveUnreadable(
  tx: Tx,
  {
    statementId,
    rail,
    subjectStart,
    at,
    by,
  }: { statementId: string; rail: string; subjectStart: string; at: Date; by: string },
): Promise<void> {
  await tx.execute(sql`
    update payments.exceptions e set resolved_at = ${at.toISOString()}, resolved_by = ${by}, resolution = 'Read by a later import of the same file.'
    where e.rail = ${rail} and e.kind = 'unreadable_line' and e.resolved_at is null and e.subject like ${`${subjectStart}:%`}
      and exists (select from payments.statement_lines l where l.statement_id = ${statementId} and l.outcome <> 'refused'
                  and l.line = split_part(e.subject, ':', 2)::integer)`);
}
