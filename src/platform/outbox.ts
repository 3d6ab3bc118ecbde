import { sql } from "drizzle-orm";
import type { Clock } from "../kernel/time.ts";
import { column, type Database, type Tx } from "./database.ts";
import type { Jobs } from "./jobs.ts";

/** Something that must happen after the commit that writes it. The key names it for ever: one key, one job. */
export interface OutboxEvent {
  readonly topic: string;
  readonly key: string;
  /** Goes through JSON; ids rather than content, since the handler reads the present state. */
  readonly payload: Readonly<Record<string, unknown>>;
}

const CHANNEL = "washa_outbox";

/**
 * Writes events in the caller's transaction, in the given order, with one statement for the whole batch. A key that is
 * already there is left as it is. The relay is woken when (and only if) the transaction commits.
 */
export async function appendEvents(tx: Tx, events: readonly OutboxEvent[], now: Date): Promise<void> {
  if (events.length === 0) return;
  const texts = (pick: (event: OutboxEvent) => string) => column(events.map(pick), "text");
  const payloads = column(
    events.map(({ payload }) => payload),
    "jsonb",
  );
  await tx.execute(sql`
    with appended as (
      insert into platform.outbox (topic, key, payload, created_at)
      select topic, key, payload, ${now.toISOString()}::timestamptz
      from unnest(${texts(({ topic }) => topic)}, ${texts(({ key }) => key)}, ${payloads}) as event (topic, key, payload)
      on conflict (key) do nothing
    )
    select pg_notify('${sql.raw(CHANNEL)}', '')`);
}

/**
 * Lets the relay hand over again those of the keys that it handed over before the given instant: for work whose job was
 * lost with an erased queue. A job that still exists is not doubled, since the job's id is the key. Returns how many.
 */
export async function releaseEvents(
  tx: Tx,
  { keys, relayedBefore }: { keys: readonly string[]; relayedBefore: Date },
): Promise<number> {
  if (keys.length === 0) return 0;
  const released = await tx.execute<{ id: string }>(sql`
    with released as (
      update platform.outbox set relayed_at = null
      where key = any(${column(keys, "text")}) and relayed_at < ${relayedBefore.toISOString()}::timestamptz
      returning id
    )
    select id, pg_notify('${sql.raw(CHANNEL)}', '') from released`);
  return released.length;
}

export interface OutboxRelay {
  /** Begins to listen and to sweep. Resolves when listening, or at once when the database is away: the sweep goes on trying. */
  start(): Promise<void>;
  /** Hands over one batch; the number of events in it. Throws what the database or the queue threw, having marked nothing. */
  relayOnce(): Promise<number>;
  /** Waits for the batch under way and hands over no more. */
  stop(): Promise<void>;
}

const BACK_OFF_FIRST_MS = 100;
/** After a long outage, this is the longest a token waits for the relay to notice. */
const BACK_OFF_MAX_MS = 5_000;

/**
 * Moves committed events to the job queue, in order of writing within a batch. Any number of relays may run: rows are claimed with
 * `skip locked`. The queue is called while the claim is held. This is the one place where a network call happens inside
 * a transaction: nobody waits for these rows, `addAll` is bounded in time, and a crash anywhere in between only adds
 * the same job ids again. `sweepMs` bounds the delay when a notification was lost. Faults go to `onFault` and are
 * tried again with a growing pause, for ever.
 */
export function makeOutboxRelay({
  database,
  jobs,
  clock,
  batchMax,
  sweepMs,
  onFault = () => undefined,
}: {
  database: Database;
  jobs: Pick<Jobs, "addAll">;
  clock: Clock;
  batchMax: number;
  sweepMs: number;
  onFault?: (error: unknown) => void;
}): OutboxRelay {
  let stopped = false;
  let wanted = false;
  let running: Promise<void> | undefined;
  let failuresInARow = 0;
  let sweep: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;
  let listening: Promise<void> | undefined;
  let unlisten: (() => Promise<void>) | undefined;

  function relayOnce(): Promise<number> {
    return database.db.transaction(async (tx) => {
      const rows = await tx.execute<{ id: string; topic: string; key: string; payload: unknown }>(sql`
        select id::text as id, topic, key, payload from platform.outbox
        where relayed_at is null order by platform.outbox.id limit ${batchMax} for update skip locked`);
      if (rows.length === 0) return 0;
      for (const [topic, events] of Map.groupBy(rows, (row) => row.topic)) {
        await jobs.addAll(
          topic,
          events.map(({ key, payload }) => ({ id: key, payload })),
        );
      }
      await tx.execute(sql`
        update platform.outbox set relayed_at = ${clock.now().toISOString()}::timestamptz
        where id = any(${column(
          rows.map(({ id }) => id),
          "bigint",
        )})`);
      return rows.length;
    });
  }

  async function run(): Promise<void> {
    while (wanted && !stopped) {
      wanted = false;
      try {
        while ((await relayOnce()) === batchMax && !stopped);
        failuresInARow = 0;
      } catch (error) {
        onFault(error);
        const pause = Math.min(BACK_OFF_FIRST_MS * 2 ** failuresInARow, BACK_OFF_MAX_MS);
        failuresInARow = Math.min(failuresInARow + 1, 10);
        clearTimeout(retry);
        if (!stopped) retry = setTimeout(wake, pause);
        return;
      }
    }
  }

  function wake(): void {
    wanted = true;
    running ??= run().finally(() => {
      running = undefined;
      // A notification that came between the last look and this line must not wait for the sweep.
      if (wanted && !stopped && failuresInARow === 0) wake();
    });
  }

  async function listen(): Promise<void> {
    try {
      unlisten = await database.listen(CHANNEL, wake);
    } catch (error) {
      onFault(error);
      listening = undefined;
    }
  }

  return {
    relayOnce,
    async start() {
      sweep ??= setInterval(() => {
        wake();
        listening ??= listen();
      }, sweepMs);
      wake();
      listening ??= listen();
      await listening;
    },
    async stop() {
      stopped = true;
      clearInterval(sweep);
      clearTimeout(retry);
      await listening;
      // A database that is gone has forgotten the subscription already.
      await unlisten?.().catch(onFault);
      await running;
    },
  };
}
