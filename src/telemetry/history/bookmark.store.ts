import type postgres from "postgres";
import type { Numbering } from "./numbering.ts";
import type { Range } from "./range.ts";

/**
 * The follower's one connection, which holds its lock. The driver opens another when it is lost; whoever writes by it says
 * under which process number the lock was taken.
 */
export type Link = postgres.Sql;

export interface Flight extends Range {
  readonly rows: number;
  readonly token: string;
  readonly attempt: number;
  readonly isRepairing: boolean;
}

export interface Bookmark {
  readonly sourceId: string;
  readonly historyId: string | undefined;
  /** The one that `done` was counted in, and the one that goes on now. */
  readonly numbering: Numbering | undefined;
  readonly numberingNow: Numbering;
  readonly done: bigint;
  readonly flight: Flight | undefined;
  readonly rowsCopied: number;
  readonly movedAt: Date | undefined;
}

/** Somebody else has the lock by now: this follower must not write any more. */
export class LockLost extends Error {}

interface BookmarkRow {
  readonly source_id: string;
  readonly history_id: string | null;
  readonly numbering: string | null;
  readonly numbering_now: string;
  readonly done: string;
  readonly range_to: string | null;
  readonly range_rows: string | null;
  readonly token: string | null;
  readonly attempt: number;
  readonly is_repairing: boolean;
  readonly rows_copied: string;
  readonly moved_at: Date | null;
}

/** Tries to become the only follower of this database; the lock lasts as long as the connection. Answers its process number. */
export async function takeLock(link: Link): Promise<number | undefined> {
  const [row] = await link<{ taken: boolean; pid: number }[]>`
    select pg_try_advisory_lock(hashtext('telemetry.history')) as taken, pg_backend_pid() as pid`;
  return row?.taken === true ? row.pid : undefined;
}

export async function readBookmark(link: Link): Promise<Bookmark> {
  const [row] = await link<BookmarkRow[]>`
    select b.source_id, b.history_id, b.numbering, telemetry.numbering_now() as numbering_now, b.done::text,
      b.range_to::text, b.range_rows::text, b.token, b.attempt, b.is_repairing, b.rows_copied::text, b.moved_at
    from telemetry.history_bookmark b`;
  if (row === undefined) throw new Error("The bookmark of history is missing; the migrations make it.");
  const done = BigInt(row.done);
  return {
    sourceId: row.source_id,
    historyId: row.history_id ?? undefined,
    numbering: row.numbering ?? undefined,
    numberingNow: row.numbering_now,
    done,
    flight:
      row.range_to === null || row.token === null
        ? undefined
        : {
            from: done,
            to: BigInt(row.range_to),
            rows: Number(row.range_rows),
            token: row.token,
            attempt: row.attempt,
            isRepairing: row.is_repairing,
          },
    rowsCopied: Number(row.rows_copied),
    movedAt: row.moved_at ?? undefined,
  };
}

/** The last transaction before the oldest that still runs: whatever wrote up to it is committed and seen, or never will be. */
export async function readFinal(link: Link): Promise<bigint> {
  const [row] = await link<{ final: string }[]>`
    select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text as final`;
  return BigInt(row?.final ?? 0);
}

export async function countRows(link: Link, { from, to }: Range): Promise<number> {
  const [row] = await link<{ count: string }[]>`
    select count(*)::text as count from telemetry.readings
    where batch > ${from.toString()}::bigint and batch <= ${to.toString()}::bigint`;
  return Number(row?.count ?? 0);
}

/** The UTC days that rows of the range lie on. */
export async function daysOf(link: Link, { from, to }: Range): Promise<readonly string[]> {
  const rows = await link<{ day: string }[]>`
    select distinct ((at at time zone 'UTC')::date)::text as day from telemetry.readings
    where batch > ${from.toString()}::bigint and batch <= ${to.toString()}::bigint order by day`;
  return rows.map(({ day }) => day);
}

/** Changes the bookmark, if this connection still is the one that took the lock. Throws LockLost. */
async function change(link: Link, pid: number, values: Readonly<Record<string, unknown>>): Promise<void> {
  const changed = await link`
    update telemetry.history_bookmark set ${link(values)} where pg_backend_pid() = ${pid} returning 1`;
  if (changed.length !== 1) throw new LockLost("Another follower of history has taken over.");
}

export const passEmpty = (link: Link, pid: number, to: bigint): Promise<void> =>
  change(link, pid, { done: to.toString() });

/** Writes down what is about to be sent, before it is. */
export const beginFlight = (
  link: Link,
  pid: number,
  flight: { to: bigint; rows: number; token: string },
): Promise<void> =>
  change(link, pid, {
    range_to: flight.to.toString(),
    range_rows: flight.rows,
    token: flight.token,
    attempt: 1,
    is_repairing: false,
  });

export const beginRepair = (link: Link, pid: number): Promise<void> => change(link, pid, { is_repairing: true });

/** The range is out of history again; it goes there under a new name, since the old one may be remembered as taken. */
export const endRepair = (link: Link, pid: number, next: { token: string; attempt: number }): Promise<void> =>
  change(link, pid, { is_repairing: false, token: next.token, attempt: next.attempt });

export const endFlight = (
  link: Link,
  pid: number,
  ended: { flight: Flight; rowsCopied: number; at: Date },
): Promise<void> =>
  change(link, pid, {
    done: ended.flight.to.toString(),
    range_to: null,
    range_rows: null,
    token: null,
    attempt: 0,
    is_repairing: false,
    rows_copied: ended.rowsCopied,
    moved_at: ended.at,
  });

/**
 * Binds this database to a history. With `fills`, every day that PostgreSQL holds is compared with it first. With `done`, the
 * bookmark is set there, and what a dump brought of numbers beyond it is set to zero, below every bookmark; in one transaction
 * with the binding, since such readings are found by the comparison alone.
 */
export async function bind(
  link: Link,
  pid: number,
  bound: { historyId: string; numbering: Numbering; at: Date; fills: boolean; done?: bigint },
): Promise<void> {
  await link`begin`;
  try {
    if (bound.fills) await askForAllDays(link, bound.at);
    if (bound.done !== undefined) await clearForeignNumbers(link, bound.done);
    await change(link, pid, {
      history_id: bound.historyId,
      numbering: bound.numbering,
      ...(bound.done === undefined
        ? {}
        : {
            done: bound.done.toString(),
            range_to: null,
            range_rows: null,
            token: null,
            attempt: 0,
            is_repairing: false,
          }),
    });
    await link`commit`;
  } catch (error) {
    await link`rollback`;
    throw error;
  }
}

async function askForAllDays(link: Link, at: Date): Promise<void> {
  await link`
    insert into telemetry.history_fills (day, asked_at)
    select to_date(right(c.relname, 8), 'YYYYMMDD'), ${at}
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'telemetry.readings'::regclass and c.relname ~ '^readings_[0-9]{8}$'
    on conflict (day) do update set asked_at = excluded.asked_at, filled_at = null, rows_copied = 0`;
}

/** A reading of this cluster carries in xmin the number it was written under; a restored one carries the restore's. */
const IS_FOREIGN = "batch % 4294967296 <> xmin::text::bigint";

/** Whether readings carry numbers of transactions that this cluster has not come to: they came with a dump. */
export async function holdsForeignNumbers(link: Link): Promise<boolean> {
  const [row] = await link.unsafe<{ found: boolean }[]>(`
    select exists (select from telemetry.readings
      where batch >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint and ${IS_FOREIGN}) as found`);
  return row?.found ?? false;
}

async function clearForeignNumbers(link: Link, done: bigint): Promise<void> {
  await link.unsafe(`update telemetry.readings set batch = 0 where batch > ${done.toString()} and ${IS_FOREIGN}`);
}
