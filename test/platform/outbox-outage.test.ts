import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeManualClock } from "../../src/kernel/time.ts";
import { migrateDatabase, openDatabase } from "../../src/platform/database.ts";
import { requireDatabase, startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";
import { appendEvents, makeOutboxRelay } from "../../src/platform/outbox.ts";
import { makeHeldJobs } from "../contract/jobs-fake.ts";

test("when PostgreSQL goes away and comes back, the relay is still there and hands over what was written since", async () => {
  const folder = mkdtempSync(join(tmpdir(), "washa-outage-"));
  const flags = ["fsync=off", "shared_buffers=16MB"];
  const first = await startEmbeddedPostgres({ folder, flags });
  const url = await requireDatabase(first, "outage");
  await migrateDatabase(url);
  const clock = makeManualClock(new Date("2026-05-04T10:00:00Z"));
  const database = openDatabase({ url, connectionsMax: 3 });
  const jobs = makeHeldJobs();
  const faulty = Promise.withResolvers<unknown>();
  const relay = makeOutboxRelay({ database, jobs, clock, batchMax: 10, sweepMs: 50, onFault: faulty.resolve });
  const append = (key: string): Promise<void> =>
    database.db.transaction((tx) => appendEvents(tx, [{ topic: "t", key, payload: {} }], clock.now()));
  let second: typeof first | undefined;
  try {
    await relay.start();
    await append("before");
    await jobs.untilAdded("before");
    await first.stop();
    await expect(faulty.promise).resolves.toBeInstanceOf(Error);
    second = await startEmbeddedPostgres({ folder, flags, port: Number(new URL(url).port) });
    for (let tried = 0; ; tried++) {
      try {
        await append("after");
        break;
      } catch (error) {
        if (tried === 20) throw error;
      }
    }
    await jobs.untilAdded("after");
    expect(jobs.held.map(({ id }) => id)).toEqual(["before", "after"]);
  } finally {
    await relay.stop();
    await database.close();
    await second?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
