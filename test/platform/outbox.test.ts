import { sql } from "drizzle-orm";
import { beforeEach, expect, test } from "vitest";
import { makeManualClock } from "../../src/kernel/time.ts";
import { appendEvents, makeOutboxRelay, releaseEvents, type OutboxEvent } from "../../src/platform/outbox.ts";
import { makeHeldJobs } from "../contract/jobs-fake.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-05-04T10:00:00Z"));
const event = (key: string, topic = "messaging.send"): OutboxEvent => ({ topic, key, payload: { of: key } });

async function append(...events: OutboxEvent[]): Promise<void> {
  await database.current.db.transaction((tx) => appendEvents(tx, events, clock.now()));
}

async function waitingKeys(): Promise<string[]> {
  const rows = await database.current.db.execute<{ key: string }>(
    sql`select key from platform.outbox where relayed_at is null order by id`,
  );
  return rows.map(({ key }) => key);
}

function makeRelay(jobs = makeHeldJobs(), { batchMax = 100, sweepMs = 60_000 } = {}) {
  return { jobs, relay: makeOutboxRelay({ database: database.current, jobs, clock, batchMax, sweepMs }) };
}

beforeEach(async () => {
  await database.current.db.execute(sql`delete from platform.outbox`);
});

test("an event written twice is one event, and the first writing stands", async () => {
  await append(event("a"), event("b"));
  await append(event("b", "another.topic"), event("c"), event("c"));
  const { jobs, relay } = makeRelay();
  expect(await relay.relayOnce()).toBe(3);
  expect(jobs.held).toEqual(["a", "b", "c"].map((id) => ({ topic: "messaging.send", id, payload: { of: id } })));
  expect(await relay.relayOnce()).toBe(0);
});

test("an event of a transaction that did not commit never happens", async () => {
  await database.current.db
    .transaction(async (tx) => {
      await appendEvents(tx, [event("never")], clock.now());
      throw new Error("changed its mind");
    })
    .catch(() => undefined);
  expect(await makeRelay().relay.relayOnce()).toBe(0);
});

test("a relay killed between adding and marking adds the same job ids again, and the queue knows them", async () => {
  await append(event("a"), event("b"));
  const { jobs, relay } = makeRelay();
  jobs.failNextAdd("after");
  await expect(relay.relayOnce()).rejects.toThrow("killed");
  expect(jobs.held).toHaveLength(2);
  expect(await waitingKeys()).toEqual(["a", "b"]);
  expect(await relay.relayOnce()).toBe(2);
  expect(jobs.held.map(({ id }) => id)).toEqual(["a", "b"]);
  expect(await waitingKeys()).toEqual([]);
});

test("two relays at work hand over every event and share none", async () => {
  await append(...Array.from({ length: 40 }, (_, at) => event(`e-${String(at)}`)));
  const jobs = makeHeldJobs();
  const relays = [makeRelay(jobs, { batchMax: 10 }).relay, makeRelay(jobs, { batchMax: 10 }).relay];
  const counts = await Promise.all(relays.flatMap((relay) => [relay.relayOnce(), relay.relayOnce()]));
  expect(counts).toEqual([10, 10, 10, 10]);
  expect(new Set(jobs.held.map(({ id }) => id)).size).toBe(40);
});

test("a commit wakes the relay without waiting for the sweep, and a batch that is full is followed by the next", async () => {
  const { jobs, relay } = makeRelay(makeHeldJobs(), { batchMax: 2 });
  await relay.start();
  await append(event("one"), event("two"), event("three"), event("four"), event("five"));
  await jobs.untilAdded("five");
  await relay.stop();
  expect(await waitingKeys()).toEqual([]);
});

test("a queue that is away for a moment only delays the events", async () => {
  const { jobs, relay } = makeRelay();
  jobs.failNextAdd("before");
  await append(event("late"));
  await relay.start();
  await jobs.untilAdded("late");
  await relay.stop();
  expect(await waitingKeys()).toEqual([]);
});

test("what was handed to a queue that was then erased can be handed over again", async () => {
  await append(event("lost"), event("recent"));
  const { jobs, relay } = makeRelay();
  await relay.relayOnce();
  jobs.erase();
  const release = (relayedBefore: Date): Promise<number> =>
    database.current.db.transaction((tx) => releaseEvents(tx, { keys: ["lost", "unknown"], relayedBefore }));
  expect(await release(clock.now())).toBe(0);
  clock.advance(1_000);
  expect(await release(clock.now())).toBe(1);
  expect(await relay.relayOnce()).toBe(1);
  expect(jobs.held.map(({ id }) => id)).toEqual(["lost"]);
});
