import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { HOUR_MS, makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import { makeAlertQueries } from "../../../src/telemetry/alerts/alerts.queries.ts";
import type { Tx } from "../../../src/platform/database.ts";
import { useDatabase } from "../../support/database.ts";
import { hear, putDevices, range } from "./fleet-of.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-03-02T09:30:00Z"));

test("a village that returns while its devices are looked at makes neither wait for the other for ever", async () => {
  const { current } = database;
  const steps = makeAlertSteps({ database: current, clock, zone: "Africa/Nairobi" });
  const queries = makeAlertQueries({ database: current, clock });
  const put = (devices: readonly number[], silentMs: number) =>
    putDevices(current, {
      now: clock.now(),
      devices: devices.map((device) => ({
        device,
        place: "Mutomo",
        lastSeenAt: new Date(clock.now().getTime() - silentMs),
      })),
    });
  // The last devices fell first, so that the order of alerts is not that of devices.
  await put(range(9, 10), 4 * HOUR_MS);
  await steps.look();
  clock.advance(2 * MINUTE_MS);
  await put(range(1, 8), 4 * HOUR_MS);
  await steps.look();
  await steps.group();
  expect(await queries.list({ first: 10 })).toMatchObject([{ scope: "place", members: 10 }]);
  clock.advance(2 * MINUTE_MS);
  await hear(current, range(2, 8), clock.now());
  await steps.look();

  const lock = (tx: Tx, device: number) =>
    tx.execute(
      sql`select from telemetry.alerts where device = ${device} and rule = 'silent' and state <> 'cleared' for update`,
    );
  let grouping: Promise<number> | undefined;
  // A look in the middle of its range: it has the first device, and will want the ninth.
  await current.db.transaction(async (tx) => {
    await lock(tx, 1);
    grouping = steps.group();
    grouping.catch(() => undefined);
    await expect
      .poll(
        async () => {
          const [row] = await current.db.execute<{ waiting: number }>(sql`
            select count(*)::integer as waiting from pg_locks
            where not granted and pid in (select pid from pg_stat_activity where datname = current_database())`);
          return row?.waiting;
        },
        { timeout: 20_000 },
      )
      .toBe(1);
    await lock(tx, 9);
  });
  await grouping;
  expect((await queries.list({ first: 10 })).map(({ scope, device }) => `${scope} ${String(device)}`)).toEqual([
    "device 1",
    "device 10",
    "device 9",
  ]);
});
