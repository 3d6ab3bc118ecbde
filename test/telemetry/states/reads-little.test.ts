import { sql } from "drizzle-orm";
import { beforeAll, expect, test } from "vitest";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import { listAlerts } from "../../../src/telemetry/alerts/alerts.store.ts";
import type { FleetFilter } from "../../../src/telemetry/states/fleet-device.ts";
import { makeFleet } from "../../../src/telemetry/states/fleet.queries.ts";
import { useDatabase } from "../../support/database.ts";
import { rowsRead } from "../../support/rows-read.ts";
import { putDevices, range } from "../alerts/fleet-of.ts";

const clock = makeManualClock(new Date("2026-03-02T09:30:00Z"));
const DEVICES = 3_000;
const database = useDatabase();

beforeAll(async () => {
  const { current } = database;
  const devices = range(1, DEVICES).map((device) => ({
    device,
    model: device === 1_500 ? "Home 900" : "Home 60",
    place: device === 1_600 ? "Ikutha" : "Mutomo",
    area: device % 600 === 0 ? "gulu" : "kitui",
    state: { tampered: true },
  }));
  await putDevices(current, { devices, now: clock.now() });
  const steps = makeAlertSteps({ database: current, clock, zone: "Africa/Nairobi" });
  while (await steps.look());
  await current.db.execute(sql`
    update telemetry.alerts set state = 'cleared', cleared_at = raised_at, cleared_by = 'rule'`);
});

const listed = (filter: FleetFilter) => {
  let found: readonly number[] = [];
  return {
    read: rowsRead(database, "telemetry.places", async (tx) => {
      const rows = await makeFleet({ db: tx, clock }).list({ filter, first: 50 });
      found = rows.map(({ device }) => device);
    }),
    found: () => found,
  };
};

test("a model or a place that is rare or mistyped is answered without reading the fleet", async () => {
  const cases: readonly (readonly [FleetFilter, readonly number[]])[] = [
    [{ model: "Home 90" }, []],
    [{ model: "Home 90", liveness: "alive" }, []],
    [{ place: "Ikuta" }, []],
    [{ place: "Ikutha" }, [1_600]],
  ];
  for (const [filter, expected] of cases) {
    const list = listed(filter);
    // The planner itself looks at a row or two.
    expect([filter, (await list.read) < 10, list.found()]).toEqual([filter, true, expected]);
  }
  const rare = listed({ model: "Home 900", liveness: "alive" });
  await rare.read;
  expect(rare.found()).toEqual([1_500]);
});

test("an agent's list of all alerts that ever were reads those of the own area alone", async () => {
  let found = 0;
  const read = await rowsRead(database, "telemetry.alerts", async (tx) => {
    const page = { filter: { area: "gulu", includes: "all" as const }, before: undefined, limit: 50, now: clock.now() };
    found = (await listAlerts(tx, page)).length;
  });
  expect([found, read]).toEqual([5, 5]);
});
