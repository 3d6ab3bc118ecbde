import { sql } from "drizzle-orm";
import type { Tx } from "../../platform/database.ts";
import type { HopMemory } from "../channels/ussd-hop.ts";
import type { Session } from "../dialogue/place.ts";

export type Channel = "ussd" | "sms" | "whatsapp" | "telegram";

export interface SessionKey {
  readonly channel: Channel;
  readonly phone: string;
  readonly key: string;
}

interface Row extends Record<string, unknown> {
  state: Session;
  hops: HopMemory;
  answer: string;
  screen: string;
  hop_count: number;
  started_at: string;
  touched_at: string;
  expires_at: string;
  outcome: string | null;
}

export interface StoredSession {
  readonly state: Session;
  readonly hops: HopMemory;
  readonly answer: Uint8Array;
  readonly screen: string;
  readonly hopCount: number;
  readonly startedAt: Date;
  readonly touchedAt: Date;
  readonly expiresAt: Date;
  readonly outcome: string | undefined;
  /** How long we took for this hop; undefined where nobody measured. */
  readonly oursMs?: number;
}

/** Longer conversations are followed no further in the figures: an endless one would write all of its screens at each hop. */
const SCREENS_KEPT_MAX = 100;

/**
 * Holds a conversation for this transaction, whether it is there yet or not: two hops of one session never run side by side,
 * not even the first and its repetition. Undefined when it begins now.
 */
export async function lockSession(tx: Tx, { channel, phone, key }: SessionKey): Promise<StoredSession | undefined> {
  // Two statements, since one would read what stood before it waited; they travel together.
  const [, [row]] = await Promise.all([
    tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`ussd ${channel} ${phone} ${key}`}, 0))`),
    tx.execute<Row>(sql`
      select state, hops, encode(answer, 'base64') as answer, screen, hop_count, started_at, touched_at, expires_at, outcome
      from ussd.sessions where channel = ${channel} and phone = ${phone} and key = ${key}`),
  ]);
  if (row === undefined) return undefined;
  return {
    state: row.state,
    hops: row.hops,
    answer: Buffer.from(row.answer, "base64"),
    screen: row.screen,
    hopCount: row.hop_count,
    startedAt: new Date(row.started_at),
    touchedAt: new Date(row.touched_at),
    expiresAt: new Date(row.expires_at),
    outcome: row.outcome ?? undefined,
  };
}

/**
 * Keeps where a conversation stands. The screen of a new hop, and the time since the one before, join what is kept for the figures; a
 * conversation that goes on after its end begins them anew.
 */
export async function saveSession(tx: Tx, { channel, phone, key }: SessionKey, session: StoredSession): Promise<void> {
  const { state, hops, answer, screen, hopCount, outcome, oursMs } = session;
  const at = (when: Date) => sql`${when.toISOString()}::timestamptz`;
  const end = outcome === undefined ? sql`null::timestamptz` : at(session.touchedAt);
  const isNew = sql`(s.outcome is not null or excluded.started_at <> s.started_at)`;
  const hasRoom = sql`cardinality(s.screens) < ${SCREENS_KEPT_MAX}`;
  const ours = oursMs === undefined ? "{}" : `{${String(Math.round(oursMs))}}`;
  await tx.execute(sql`
    insert into ussd.sessions as s (channel, phone, key, state, hops, answer, screen, hop_count, started_at, touched_at, expires_at, ended_at, outcome, screens, ours_ms)
    values (${channel}, ${phone}, ${key}, ${JSON.stringify(state)}::jsonb, ${JSON.stringify(hops)}::jsonb,
      decode(${Buffer.from(answer).toString("base64")}, 'base64'), ${screen}, ${hopCount},
      ${at(session.startedAt)}, ${at(session.touchedAt)}, ${at(session.expiresAt)}, ${end}, ${outcome ?? null}, array[${screen}], ${ours}::integer[])
    on conflict (channel, phone, key) do update set state = excluded.state, hops = excluded.hops, answer = excluded.answer,
      screen = excluded.screen, hop_count = excluded.hop_count, started_at = excluded.started_at, touched_at = excluded.touched_at, expires_at = excluded.expires_at,
      ended_at = excluded.ended_at, outcome = excluded.outcome,
      screens = case when ${isNew} then excluded.screens when ${hasRoom} then s.screens || excluded.screens else s.screens end,
      ours_ms = case when ${isNew} then excluded.ours_ms when ${hasRoom} then s.ours_ms || excluded.ours_ms else s.ours_ms end,
      turns_ms = case when ${isNew} then '{}' when ${hasRoom}
        then s.turns_ms || least(extract(epoch from excluded.touched_at - s.touched_at) * 1000, 86400000)::integer else s.turns_ms end,
      counted_at = case when ${isNew} then null else s.counted_at end`);
}

/**
 * Notes that a hop came again, and when: a gateway that repeats itself twice at one moment is not somebody who typed the same twice.
 * Nothing else of the conversation changes.
 */
export async function saveRepetition(
  tx: Tx,
  { channel, phone, key }: SessionKey,
  { hops, now }: { hops: HopMemory; now: Date },
): Promise<void> {
  await tx.execute(sql`
    update ussd.sessions set hops = ${JSON.stringify(hops)}::jsonb,
      touched_at = case when outcome is null then ${now.toISOString()}::timestamptz else touched_at end
    where channel = ${channel} and phone = ${phone} and key = ${key}`);
}

/** Where a number left off, on any channel: its latest conversation since an instant, where that was not led to an end. */
export async function findUnfinished(
  tx: Tx,
  { phone, since }: { phone: string; since: Date },
): Promise<Session | undefined> {
  const [row] = await tx.execute<{ state: Session; is_open: boolean }>(sql`
    select state, outcome is null or outcome in ('abandoned', 'failed') as is_open from ussd.sessions
    where phone = ${phone} and touched_at > ${since.toISOString()}::timestamptz
    order by touched_at desc limit 1`);
  return row?.is_open === true ? row.state : undefined;
}

/** How the gateway says a session ended. */
export interface GatewayEnd {
  readonly status: "success" | "incomplete" | "failed";
  readonly durationMs: number | undefined;
}

/** Writes a gateway's end down, the first that it tells; a conversation that still ran was left, or failed. Answers whether it was news. */
export async function noteGatewayEnd(
  tx: Tx,
  { channel, phone, key }: SessionKey,
  { status, durationMs, now }: GatewayEnd & { now: Date },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update ussd.sessions set gateway_status = ${status}, duration_ms = ${durationMs ?? null}::integer,
      ended_at = coalesce(ended_at, ${now.toISOString()}::timestamptz),
      outcome = coalesce(outcome, ${status === "failed" ? "failed" : "abandoned"})
    where channel = ${channel} and phone = ${phone} and key = ${key} and gateway_status is null returning 1`);
  return rows.length > 0;
}

/** Gives up conversations that nobody went on with; answers how many. */
export async function abandonExpired(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<number> {
  const rows = await tx.execute(sql`
    update ussd.sessions s set outcome = 'abandoned', ended_at = s.expires_at
    from (select channel, phone, key from ussd.sessions where outcome is null and expires_at < ${now.toISOString()}::timestamptz
      order by started_at limit ${limit} for update skip locked) old
    where (s.channel, s.phone, s.key) = (old.channel, old.phone, old.key) returning 1`);
  return rows.length;
}

/** Forgets conversations that ended before an instant and are in the figures; answers how many. */
export async function forgetEnded(tx: Tx, { before, limit }: { before: Date; limit: number }): Promise<number> {
  const rows = await tx.execute(sql`
    delete from ussd.sessions s
    using (select channel, phone, key from ussd.sessions where outcome is not null and ended_at < ${before.toISOString()}::timestamptz
      and counted_at is not null order by ended_at limit ${limit} for update skip locked) old
    where (s.channel, s.phone, s.key) = (old.channel, old.phone, old.key) returning 1`);
  return rows.length;
}
