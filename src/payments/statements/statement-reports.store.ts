import { sql } from "drizzle-orm";
import type { Db, Tx } from "../../platform/database.ts";
import type { Encoding } from "./statement-decoding.ts";
import type { ImportedLine, LineKind, LineOutcome, StatementReport } from "./statement-report.ts";

/** So many refused lines stand in a report; all are kept. */
const REFUSED_SHOWN_MAX = 1_000;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

interface LineRow extends Record<string, unknown> {
  line: number;
  provider_id: string | null;
  kind: LineKind | null;
  amount_minor: string | null;
  at: string | null;
  outcome: LineOutcome;
  detail: string | null;
  raw: string;
}

const LINE = sql.raw("line, provider_id, kind, amount_minor, at, outcome, detail, raw");

const lineOf = (row: LineRow): ImportedLine => ({
  line: row.line,
  providerId: row.provider_id ?? undefined,
  kind: row.kind ?? undefined,
  amountMinor: row.amount_minor === null ? undefined : BigInt(row.amount_minor),
  at: row.at === null ? undefined : new Date(row.at),
  outcome: row.outcome,
  detail: row.detail ?? undefined,
  raw: row.raw,
});

/** Lines of a statement in the file's order, of one outcome or all. */
export async function listLines(
  db: Db | Tx,
  {
    statementId,
    outcome,
    first,
    afterLine = 0,
  }: { statementId: string; outcome?: LineOutcome | undefined; first: number; afterLine?: number | undefined },
): Promise<readonly ImportedLine[]> {
  const ofOutcome = outcome === undefined ? sql`` : sql`and outcome = ${outcome}`;
  const rows = await db.execute<LineRow>(sql`
    select ${LINE} from payments.statement_lines
    where statement_id = ${statementId} and line > ${afterLine} ${ofOutcome} order by line limit ${first}`);
  return rows.map(lineOf);
}

interface StatementRow extends Record<string, unknown> {
  id: string;
  rail: string;
  shortcode: string;
  file_name: string;
  format: string;
  encoding: Encoding;
  imported_by: string;
  imported_at: string;
  from_at: string | null;
  to_at: string | null;
  lines_total: number;
  taken: number;
  known: number;
  refused: number;
  skipped: number;
  exceptions: number;
  by_kind: string;
}

const STATEMENT = sql.raw(
  "id, rail, shortcode, file_name, format, encoding, imported_by, imported_at, from_at, to_at, lines_total, taken, known, refused, skipped, exceptions, by_kind::text",
);

function reportOf(row: StatementRow, refusedLines: readonly ImportedLine[]): StatementReport {
  const byKind = JSON.parse(row.by_kind) as Record<LineKind, { lines: number; amountMinor: string }>;
  return {
    statementId: row.id,
    rail: row.rail,
    shortcode: row.shortcode,
    fileName: row.file_name,
    format: row.format,
    encoding: row.encoding,
    importedBy: row.imported_by,
    importedAt: new Date(row.imported_at),
    fromAt: row.from_at === null ? undefined : new Date(row.from_at),
    toAt: row.to_at === null ? undefined : new Date(row.to_at),
    linesTotal: row.lines_total,
    taken: row.taken,
    known: row.known,
    refused: row.refused,
    skipped: row.skipped,
    exceptions: row.exceptions,
    byKind: Object.fromEntries(
      Object.entries(byKind).map(([kind, { lines, amountMinor }]) => [
        kind,
        { lines, amountMinor: BigInt(amountMinor) },
      ]),
    ),
    refusedLines,
    isRepeated: false,
  };
}

export async function findStatement(
  db: Db | Tx,
  by: { id: string } | { rail: string; sha256: Uint8Array; reading: string },
): Promise<StatementReport | undefined> {
  const which =
    "id" in by
      ? sql`id = ${by.id}`
      : sql`rail = ${by.rail} and sha256 = decode(${hex(by.sha256)}, 'hex') and reading = ${by.reading}`;
  const [row] = await db.execute<StatementRow>(sql`select ${STATEMENT} from payments.statements where ${which}`);
  if (row === undefined) return undefined;
  const refused = await listLines(db, { statementId: row.id, outcome: "refused", first: REFUSED_SHOWN_MAX });
  return reportOf(row, refused);
}

/** Newest first, without their refused lines. */
export async function listStatements(
  db: Db | Tx,
  {
    rail,
    first,
    after,
  }: { rail?: string | undefined; first: number; after?: { importedAt: Date; id: string } | undefined },
): Promise<readonly StatementReport[]> {
  const rows = await db.execute<StatementRow>(sql`
    select ${STATEMENT} from payments.statements
    where (${rail ?? null}::text is null or rail = ${rail ?? null})
      and (${after?.id ?? null}::uuid is null
        or (imported_at, id) < (${after?.importedAt.toISOString() ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by imported_at desc, id desc limit ${first}`);
  return rows.map((row) => reportOf(row, []));
}

/** Lines whose money the ledger must move by this import, in the file's order, page by page. */
export async function linesToPost(
  tx: Tx,
  { statementId, afterLine, first }: { statementId: string; afterLine: number; first: number },
): Promise<readonly ImportedLine[]> {
  const rows = await tx.execute<LineRow>(sql`
    select ${LINE} from payments.statement_lines
    where statement_id = ${statementId} and line > ${afterLine} and kind in ('fee', 'settlement')
      and outcome in ('taken', 'known') and amount_minor <> 0
    order by line limit ${first}`);
  return rows.map(lineOf);
}
