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
}

/**
 * Holds a conversation for this transaction, whether it is there yet or not: two hops of one session never run side by side,
 * not even the first and its repetition. Undefined when it begins now.
 */
export async function lockSession(tx: Tx, { channel, phone, key }: SessionKey): Promise<StoredSession | undefined> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`ussd ${channel} ${phone} ${key}`}, 0))`);
  const [row] = await tx.execute<{
    state: Session;
    hops: HopMemory;
    answer: string;
    screen: string;
    hop_count: number;
    started_at: string;
    touched_at: string;
    expires_at: string;
    outcome: string | null;
  }>(sql`
    select state, hops, encode(answer, 'base64') as answer, screen, hop_count, started_at, touched_at, expires_at, outcome
    from ussd.sessions where channel = ${channel} and phone = ${phone} and key = ${key}`);
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

export async function saveSession(tx: Tx, { channel, phone, key }: SessionKey, session: StoredSession): Promise<void> {
  const { state, hops, answer, screen, hopCount, outcome } = session;
  const at = (when: Date) => sql`${when.toISOString()}::timestamptz`;
  const end = outcome === undefined ? sql`null::timestamptz` : at(session.touchedAt);
  await tx.execute(sql`
    insert into ussd.sessions (channel, phone, key, state, hops, answer, screen, hop_count, started_at, touched_at, expires_at, ended_at, outcome)
    values (${channel}, ${phone}, ${key}, ${JSON.stringify(state)}::jsonb, ${JSON.stringify(hops)}::jsonb,
      decode(${Buffer.from(answer).toString("base64")}, 'base64'), ${screen}, ${hopCount},
      ${at(session.startedAt)}, ${at(session.touchedAt)}, ${at(session.expiresAt)}, ${end}, ${outcome ?? null})
    on conflict (channel, phone, key) do update set state = excluded.state, hops = excluded.hops, answer = excluded.answer,
      screen = excluded.screen, hop_count = excluded.hop_count, started_at = excluded.started_at, touched_at = excluded.touched_at, expires_at = excluded.expires_at,
      ended_at = excluded.ended_at, outcome = excluded.outcome`);
}

/** Gives up conversations that nobody went on with; answers how many. */
export async function abandonExpired(tx: Tx, { now, limit }: { now: Date; limit: number }): Promise<number> {
  const rows = await tx.execute(sql`
    update ussd.sessions s set outcome = 'abandoned', ended_at = s.expires_at
    from (select channel, phone, key from ussd.sessions where outcome is null and expires_at < ${now.toISOString()}::timestamptz
      order by expires_at limit ${limit} for update skip locked) old
    where (s.channel, s.phone, s.key) = (old.channel, old.phone, old.key) returning 1`);
  return rows.length;
}
