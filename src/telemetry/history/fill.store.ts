import type { Writable } from "node:stream";
import type { Link } from "./bookmark.store.ts";
import { READING_EXPRESSIONS } from "./columns.ts";
import { copyOut, type CopyText } from "./copy-text.store.ts";

/** How many readings a device has on a day, and their instants summed (Unix milliseconds): equal sets have equal figures. */
export interface DeviceDay {
  readonly device: number;
  readonly rows: number;
  readonly instants: bigint;
}

/** UTC day as a half-open interval in SQL. The day was parsed: it is digits and dashes. */
const onDay = (day: string): string =>
  `at >= timestamptz '${day} 00:00:00+00' and at < timestamptz '${day} 00:00:00+00' + interval '1 day'`;

export async function askForDays(link: Link, { days, at }: { days: readonly string[]; at: Date }): Promise<void> {
  await link`
    insert into telemetry.history_fills (day, asked_at)
    select day, ${at} from unnest(${`{${days.join(",")}}`}::date[]) as day
    on conflict (day) do update set asked_at = excluded.asked_at, filled_at = null, rows_copied = 0`;
}

export async function nextOpenDay(link: Link): Promise<string | undefined> {
  const [row] = await link<{ day: string }[]>`
    select day::text from telemetry.history_fills where filled_at is null order by telemetry.history_fills.day limit 1`;
  return row?.day;
}

/** Of these days, how many are still to be compared. */
export async function countOpenDays(link: Link, { from, to }: { from: string; to: string }): Promise<number> {
  const [row] = await link<{ count: string }[]>`
    select count(*)::text as count from telemetry.history_fills
    where filled_at is null and day between ${from}::date and ${to}::date`;
  return Number(row?.count ?? 0);
}

export async function closeDay(link: Link, { day, rows, at }: { day: string; rows: number; at: Date }): Promise<void> {
  await link`update telemetry.history_fills set filled_at = ${at}, rows_copied = ${rows} where day = ${day}::date`;
}

/** Days that PostgreSQL has a partition of, oldest first. */
export async function heldDays(link: Link): Promise<readonly string[]> {
  const rows = await link<{ day: string }[]>`
    select to_date(right(c.relname, 8), 'YYYYMMDD')::text as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'telemetry.readings'::regclass and c.relname ~ '^readings_[0-9]{8}$' order by 1`;
  return rows.map(({ day }) => day);
}

/** What PostgreSQL holds of a day, up to the bookmark: what is beyond it comes by the follower. */
export async function readDay(link: Link, { day, done }: { day: string; done: bigint }): Promise<readonly DeviceDay[]> {
  const rows = await link.unsafe<{ device: number; rows: string; instants: string }[]>(`
    select device, count(*)::text as rows, sum((extract(epoch from at) * 1000)::bigint)::text as instants
    from telemetry.readings where ${onDay(day)} and batch <= ${done.toString()} group by device order by device`);
  return rows.map((row) => ({ device: row.device, rows: Number(row.rows), instants: BigInt(row.instants) }));
}

/** A table of this connection alone, for the instants that history already has. */
export async function openKnown(link: Link): Promise<Writable> {
  await link`create temporary table if not exists known_readings (device integer, at timestamptz)`;
  await link`truncate known_readings`;
  return await link`copy known_readings from stdin`.writable();
}

/** The readings of some devices on a day that are not among the known ones, as COPY text. */
export async function readUnknown(
  link: Link,
  { day, done, devices }: { day: string; done: bigint; devices: readonly number[] },
): Promise<CopyText> {
  const wanted = `from telemetry.readings where ${onDay(day)} and batch <= ${done.toString()}
    and device = any('{${devices.join(",")}}'::integer[])
    and not exists (select from known_readings k where k.device = readings.device and k.at = date_trunc('milliseconds', readings.at))`;
  const [row] = await link.unsafe<{ count: string }[]>(`select count(*)::text as count ${wanted}`);
  const rows = Number(row?.count ?? 0);
  if (rows === 0) return { pieces: [], count: 0 };
  return await copyOut(link, { query: `select ${READING_EXPRESSIONS.join(", ")} ${wanted} order by device, at`, rows });
}
