import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { openClient } from "../../../src/platform/database.ts";
import { makeReadings } from "../../../src/telemetry/ingest/readings.queries.ts";
import { useDatabase } from "../../support/database.ts";

/** One connection, whose own statistics can be asked for. */
const database = useDatabase({ connectionsMax: 1 });

test("the last events of one device are found among those of all without reading these", async () => {
  const admin = openClient(database.url, 1);
  await admin`
    insert into telemetry.events (device, at, kind, detail, received_at)
    select 1 + n / 40, '2026-03-02T06:00:00Z'::timestamptz + n * interval '1 s', 'lid_opened', '{}', now()
    from generate_series(0, 39999) n`;
  await admin`analyze telemetry.events`;
  await admin.end();

  const { db } = database.current;
  const { eventsOf } = makeReadings({ db });
  const last = await eventsOf({ deviceNumber: 7, first: 3 });
  expect(last.map(({ deviceNumber }) => deviceNumber)).toEqual([7, 7, 7]);
  const before = await eventsOf({ deviceNumber: 7, first: 100, before: last[2]?.id });
  expect(before).toHaveLength(37);
  expect((await eventsOf({ first: 2 })).map(({ deviceNumber }) => deviceNumber)).toEqual([1_000, 1_000]);

  await db.execute(sql`select pg_stat_force_next_flush()`);
  const scans = await db.execute<{ name: string; rows: number }>(sql`
    select indexrelname as name, idx_tup_read::int as rows
    from pg_stat_user_indexes where relname = 'events' and idx_scan > 0 order by name`);
  expect(scans.map(({ name }) => name)).toEqual(["events_of_device", "events_pkey"]);
  for (const { rows } of scans) expect(rows).toBeLessThan(100);
});
