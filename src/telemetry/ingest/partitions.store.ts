import { sql } from "drizzle-orm";
import type { LocalDate } from "../../kernel/time.ts";
import type { Db } from "../../platform/database.ts";

/** Makes the partitions of the days that are missing; answers how many. */
export async function ensureDays(db: Db, { from, to }: { from: LocalDate; to: LocalDate }): Promise<number> {
  const [row] = await db.execute<{ made: number }>(sql`
    select telemetry.ensure_days(${from}::date, ${to}::date) as made`);
  return row?.made ?? 0;
}

/** Drops what history holds of the days before; answers how many days. Without a history nothing is dropped. */
export async function dropDaysBefore(db: Db, firstKept: LocalDate): Promise<number> {
  const [row] = await db.execute<{ dropped: number }>(sql`
    select telemetry.drop_followed_days(${firstKept}::date) as dropped`);
  return row?.dropped ?? 0;
}

/** Days before this one that have readings and no index by device yet, the newest first. */
export async function daysWithoutIndex(db: Db, before: LocalDate): Promise<readonly LocalDate[]> {
  const rows = await db.execute<{ day: LocalDate }>(sql`
    select to_date(right(c.relname, 8), 'YYYYMMDD')::text as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'telemetry.readings'::regclass and c.relname ~ '^readings_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < ${before}::date
      and to_regclass(format('telemetry.%I', c.relname || '_by_device')) is null
    order by 1 desc`);
  return rows.map(({ day }) => day);
}

/** Makes the index of one day by device; false when there is nothing to make. Throws 55P03 when the day is being written to. */
export async function indexDay(db: Db, day: LocalDate): Promise<boolean> {
  const [row] = await db.execute<{ made: boolean }>(sql`select telemetry.index_day(${day}::date) as made`);
  return row?.made ?? false;
}

/** Forgets refused frames that came before; at most `limit` at once. Answers how many. */
export async function forgetQuarantine(db: Db, { before, limit }: { before: Date; limit: number }): Promise<number> {
  const rows = await db.execute(sql`
    delete from telemetry.quarantine where id in (
      select id from telemetry.quarantine where received_at < ${before.toISOString()}::timestamptz order by received_at limit ${limit})
    returning id`);
  return rows.length;
}
