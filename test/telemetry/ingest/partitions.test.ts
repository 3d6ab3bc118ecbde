import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makePartitionKeeper } from "../../../src/telemetry/ingest/partitions.jobs.ts";
import { makeReadings } from "../../../src/telemetry/ingest/readings.queries.ts";
import { useDatabase } from "../../support/database.ts";
import { KEPT_DAYS, makeIngestWorld, START } from "./ingest-world.ts";

const database = useDatabase();
let world: ReturnType<typeof makeIngestWorld>;
beforeAll(() => {
  world = makeIngestWorld(database.current);
});
afterAll(() => world.ingest.close());

const keeper = () =>
  makePartitionKeeper({
    db: database.current.db,
    clock: world.clock,
    keptDays: KEPT_DAYS,
    onFault: (error) => {
      throw error;
    },
  });

async function daysWithIndex(): Promise<Record<string, boolean>> {
  const rows = await database.current.db.execute<{ day: string; indexed: boolean }>(sql`
    select right(c.relname, 8) as day, to_regclass('telemetry.' || c.relname || '_by_device') is not null as indexed
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'telemetry.readings'::regclass order by 1`);
  return Object.fromEntries(rows.map(({ day, indexed }) => [day, indexed]));
}

test("days are made ahead, those that are over are indexed by device, and nothing is dropped that history does not hold", async () => {
  await world.addDevice("PART-1");
  const seconds = START.getTime() / 1_000;
  for (const daysAgo of [39, 2, 1, 0])
    await world.ingest.take(
      world.frame("PART-1", {
        sn: "PART-1",
        ts: seconds,
        hd: [{ timestamp: seconds - daysAgo * 86_400, battery_voltage: 12 }],
      }),
      "test",
    );
  expect(await keeper().once()).toEqual({ made: 3, indexed: 2, dropped: 0 });
  expect(await daysWithIndex()).toEqual({
    "20260122": true,
    "20260228": true,
    "20260301": false,
    "20260302": false,
    "20260303": false,
    "20260304": false,
    "20260305": false,
  });
  expect(await keeper().once()).toEqual({ made: 0, indexed: 0, dropped: 0 });
  world.clock.advance(10 * 86_400_000);
  expect((await keeper().once()).dropped).toBe(0);
  world.clock.moveTo(START);
});

test("one device's readings come in order, page by page, and only those between the instants", async () => {
  await world.addDevice("PART-2");
  const seconds = START.getTime() / 1_000;
  const hd = Array.from({ length: 10 }, (_, row) => ({
    timestamp: seconds - (10 - row) * 60,
    battery_voltage: 12 + row / 10,
    mood: `m${String(row)}`,
  }));
  await world.ingest.take(world.frame("PART-2", { sn: "PART-2", ts: seconds, hd }), "test");
  const readings = makeReadings({ db: database.current.db });
  const deviceNumber = (await world.speakers.find("PART-2"))?.number ?? 0;
  const query = { deviceNumber, from: new Date((seconds - 8 * 60) * 1_000), to: START };
  const first = await readings.readingsOf({ ...query, first: 3 });
  const second = await readings.readingsOf({ ...query, first: 100, after: first.at(-1)?.at });
  expect([...first, ...second].map(({ batteryVoltageV }) => batteryVoltageV?.toFixed(1))).toEqual([
    "12.2",
    "12.3",
    "12.4",
    "12.5",
    "12.6",
    "12.7",
    "12.8",
    "12.9",
  ]);
  expect(first[0]).toMatchObject({ extra: { mood: "m2" }, panelPowerW: null });
});

test("an engineer finds what was set aside, newest first, with its bytes", async () => {
  await world.addDevice("PART-3");
  for (const body of ["first", "second"]) await world.ingest.take(world.frame("PART-3", body), "mqtt PART-3");
  const readings = makeReadings({ db: database.current.db });
  const [newest, older] = await readings.quarantine({ serial: "PART-3", first: 10 });
  expect(newest).toMatchObject({ reason: "not_readable", topic: "data", source: "mqtt PART-3", bytes: 6 });
  expect(Buffer.from((await readings.quarantinedBytes(newest?.id ?? "")) ?? []).toString()).toBe("second");
  expect(await readings.quarantine({ serial: "PART-3", first: 10, before: newest?.id })).toEqual([older]);
  expect(await readings.quarantine({ serial: "PART-3", reason: "replayed", first: 10 })).toEqual([]);
});
