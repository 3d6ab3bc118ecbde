import { sql } from "drizzle-orm";
import { rowsTable, type Db, type Tx } from "../../platform/database.ts";
import type { Report } from "../rails/rail.ts";

/** How far the sweep of a rail has come. */
export interface Sweep {
  readonly rail: string;
  readonly doneUntil: Date;
  /** The window under way, with the page to go on from: its pages are counted from a fixed start. */
  readonly window: { readonly from: Date; readonly to: Date } | undefined;
  readonly cursor: string | undefined;
  readonly found: number;
  readonly failure: string | null;
  readonly failures: number;
  readonly lastRunAt: Date | null;
  readonly nextRunAt: Date;
}

interface Row extends Record<string, unknown> {
  rail: string;
  done_until: string;
  window_from: string | null;
  window_to: string | null;
  cursor: string | null;
  found: number;
  failure: string | null;
  failures: number;
  last_run_at: string | null;
  next_run_at: string;
}

const sweepOf = (row: Row): Sweep => ({
  rail: row.rail,
  doneUntil: new Date(row.done_until),
  window:
    row.window_from === null || row.window_to === null
      ? undefined
      : { from: new Date(row.window_from), to: new Date(row.window_to) },
  cursor: row.cursor ?? undefined,
  found: row.found,
  failure: row.failure,
  failures: row.failures,
  lastRunAt: row.last_run_at === null ? null : new Date(row.last_run_at),
  nextRunAt: new Date(row.next_run_at),
});

/** Makes sure that the rail has its row; a new one begins at `from`. */
export async function ensureSweep(
  db: Db | Tx,
  { rail, from, now }: { rail: string; from: Date; now: Date },
): Promise<void> {
  await db.execute(sql`
    insert into payments.sweeps (rail, kind, done_until, next_run_at) values (${rail}, 'pull', ${from.toISOString()}, ${now.toISOString()})
    on conflict do nothing`);
}

/** Claims the sweep of a rail for `leaseMs` when it is due; undefined when it is not, or another process has it. */
export async function claimSweep(
  tx: Tx,
  { rail, now, leaseMs }: { rail: string; now: Date; leaseMs: number },
): Promise<Sweep | undefined> {
  const [row] = await tx.execute<Row>(sql`
    update payments.sweeps set next_run_at = ${new Date(now.getTime() + leaseMs).toISOString()}::timestamptz, last_run_at = ${now.toISOString()}
    where rail = ${rail} and kind = 'pull' and next_run_at <= ${now.toISOString()}::timestamptz returning *`);
  return row === undefined ? undefined : sweepOf(row);
}

export async function saveSweep(
  tx: Tx,
  sweep: Pick<Sweep, "rail" | "doneUntil" | "window" | "cursor" | "nextRunAt" | "failures"> & {
    readonly failure: string | null;
    readonly foundNow: number;
  },
): Promise<void> {
  await tx.execute(sql`
    update payments.sweeps set done_until = ${sweep.doneUntil.toISOString()}, window_from = ${sweep.window?.from.toISOString() ?? null}::timestamptz, window_to = ${sweep.window?.to.toISOString() ?? null}::timestamptz,
      cursor = ${sweep.cursor ?? null}, next_run_at = ${sweep.nextRunAt.toISOString()}, failure = ${sweep.failure?.slice(0, 500) ?? null},
      failures = ${sweep.failures}, found = found + ${sweep.foundNow}
    where rail = ${sweep.rail} and kind = 'pull'`);
}

/** Makes a sweep due now; with `from` it begins again there. */
export async function requestSweep(
  tx: Tx,
  { rail, from, now }: { rail: string; from?: Date | undefined; now: Date },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update payments.sweeps set next_run_at = ${now.toISOString()}, done_until = least(done_until, coalesce(${from?.toISOString() ?? null}::timestamptz, done_until)),
      window_from = case when ${from !== undefined}::boolean then null else window_from end, window_to = case when ${from !== undefined}::boolean then null else window_to end, cursor = case when ${from !== undefined}::boolean then null else cursor end
    where rail = ${rail} and kind = 'pull' returning 1`);
  return rows.length === 1;
}

export async function listSweeps(db: Db | Tx): Promise<readonly Sweep[]> {
  return (await db.execute<Row>(sql`select * from payments.sweeps order by rail`)).map(sweepOf);
}

const KIND_OF: Readonly<Record<Report["type"], string>> = {
  billpay: "payment",
  merchantpay: "payment",
  transfer: "payment",
  reversal: "reversal",
  disbursement: "disbursement",
};

/** Keeps what a provider lists, once; amounts in are above zero, amounts out below. */
export async function insertListed(
  tx: Tx,
  { rail, reports, at }: { rail: string; reports: readonly Report[]; at: Date },
): Promise<void> {
  const rows = reports.flatMap((report) =>
    report.transactionStatus === "completed" && report.transactionReference !== undefined && report.amount !== undefined
      ? [{ report, amount: report.amount, reference: report.transactionReference }]
      : [],
  );
  if (rows.length === 0) return;
  const given = rowsTable(rows, {
    rail: ["text", () => rail],
    provider_id: ["text", ({ reference }) => reference.toUpperCase()],
    kind: ["text", ({ report }) => KIND_OF[report.type]],
    amount_minor: [
      "bigint",
      ({ report, amount }) => (KIND_OF[report.type] === "payment" ? amount.minor : -amount.minor),
    ],
    currency: ["text", ({ amount }) => amount.currency],
    at: ["timestamptz", ({ report }) => report.at ?? at],
    source: ["text", () => "pull"],
    original_provider_id: ["text", ({ report }) => report.originalTransactionReference?.toUpperCase()],
    first_seen_at: ["timestamptz", () => at],
  });
  await tx.execute(sql`
    insert into payments.listed (${given.names}) select * from ${given.table} as given(${given.names}) order by rail, provider_id, kind
    on conflict do nothing`);
}
