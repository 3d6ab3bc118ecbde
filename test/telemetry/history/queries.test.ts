import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS, makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { isChdbInstalled } from "../../../src/platform/history/chdb-engine.ts";
import { HistoryAway, openHistory } from "../../../src/platform/history/history.ts";
import { rowsOf } from "../../../src/telemetry/history/copy.client.ts";
import {
  bucketMs,
  largestTriangles,
  lowestAndHighest,
  type Point,
} from "../../../src/telemetry/history/down-sample.ts";
import { askForDays } from "../../../src/telemetry/history/fill.store.ts";
import { makeFollower } from "../../../src/telemetry/history/follower.jobs.ts";
import { connectLink } from "../../../src/telemetry/history/link.store.ts";
import { makeRollupQueries } from "../../../src/telemetry/history/rollup.queries.ts";
import { makeSeriesQueries } from "../../../src/telemetry/history/series.queries.ts";
import { useDatabase } from "../../support/database.ts";
import { followAll, useHistory } from "./engine.ts";

const START = Date.parse("2026-01-30T00:00:00Z");
const VOLTS = (step: number): number => Math.round((12 + Math.sin(step / 20) + ((step * 7_919) % 13) / 20) * 4) / 4;

describe.skipIf(!isChdbInstalled())("history's answers (need the optional package chdb)", () => {
  const database = useDatabase();
  const history = useHistory();
  const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));

  async function follow(): Promise<void> {
    const one = makeFollower({
      connect: () => connectLink(database.url),
      history: history.current,
      clock,
      makeToken: randomUUID,
    });
    try {
      await followAll(one, database.current);
    } finally {
      await one.stop();
    }
  }

  /** Four days of a device, every ten minutes; its counter begins anew on the third. */
  async function writeDevice(device: number): Promise<readonly Point[]> {
    const points = Array.from({ length: 4 * 144 }, (_, step) => ({
      atMs: START + step * 10 * MINUTE_MS,
      value: VOLTS(step),
    }));
    await database.current.db.transaction(async (tx) => {
      await tx.execute(sql`select telemetry.ensure_days('2026-01-29', '2026-02-04')`);
      for (const [step, { atMs, value }] of points.entries())
        await tx.execute(sql`
          insert into telemetry.readings (at, device, batch, battery_voltage_v, energy_in_wh)
          values (to_timestamp(${atMs / 1000}), ${device}, pg_current_xact_id()::text::bigint, ${value}, ${step < 288 ? step * 2 : (step - 288) * 3})`);
    });
    return points;
  }

  const count = async (table: string): Promise<number> => {
    const [row] = await history.current.use((client) =>
      rowsOf<{ n: string }>(client, {
        query: `select toString(${table === "readings" ? "count()" : "sum(readings)"}) as n from washa.${table}`,
      }),
    );
    return Number(row?.n);
  };
  const dropDays = (first: string): Promise<unknown> =>
    database.current.db.execute(sql`select telemetry.drop_followed_days(${first}::date) as dropped`);

  test("a series has the same points whichever store answers, and a range over both is put together", async () => {
    const points = await writeDevice(1);
    const { series } = makeSeriesQueries({ db: database.current.db, history: history.current });
    const ask = {
      device: 1,
      quantity: "batteryVoltageV",
      fromMs: START,
      toMs: START + 4 * DAY_MS,
      pointsMax: 100,
    } as const;
    const recent = {
      shape: await series({ ...ask, sampling: "shape" }),
      extremes: await series({ ...ask, sampling: "extremes" }),
    };
    expect(recent.shape.points).toEqual(largestTriangles(points, 100));
    expect(recent.extremes.points).toEqual(lowestAndHighest(points, { fromMs: START, bucketMs: bucketMs(ask, 100) }));
    await follow();
    await dropDays("2026-02-01");
    const both = await series({ ...ask, sampling: "shape" });
    expect(both.points.length).toBeGreaterThan(90);
    expect(both.points.length).toBeLessThanOrEqual(101);
    expect(both.points.at(0)).toEqual(points.at(0));
    expect(both.points.at(-1)).toEqual(points.at(-1));
    await dropDays("2026-03-01");
    expect((await series({ ...ask, sampling: "shape" })).points).toEqual(recent.shape.points);
    expect((await series({ ...ask, sampling: "extremes" })).points).toEqual(recent.extremes.points);
  });

  test("while history is away, recent days are shown and it is said what is missing; older ones are refused", async () => {
    const away = openHistory({ folder: "nowhere", owns: false });
    const { series } = makeSeriesQueries({ db: database.current.db, history: away });
    await database.current.db.execute(sql`select telemetry.ensure_days('2026-02-10', '2026-02-11')`);
    const keptFrom = Date.parse("2026-02-10T00:00:00Z");
    const ask = { device: 1, quantity: "batteryVoltageV", pointsMax: 10, sampling: "shape" } as const;
    expect(await series({ ...ask, fromMs: keptFrom - DAY_MS, toMs: keptFrom + DAY_MS })).toEqual({
      points: [],
      missingBeforeMs: keptFrom,
    });
    await expect(series({ ...ask, fromMs: keptFrom - DAY_MS, toMs: keptFrom })).rejects.toThrow(HistoryAway);
    await away.close();
  });

  test("hours and days carry lows, highs, means and last values, and energy since the period before", async () => {
    const { rollups, fleetDays } = makeRollupQueries({ history: history.current });
    const days = await rollups({ device: 1, grain: "day", fromMs: START, toMs: START + 4 * DAY_MS, first: 10 });
    const values = Array.from({ length: 144 }, (_, step) => VOLTS(step));
    expect(days[0]).toMatchObject({ startsAtMs: START, readings: 144, energyInWh: 286 });
    expect(days[0]?.figures.batteryVoltageV.min).toBe(Math.min(...values));
    expect(days[0]?.figures.batteryVoltageV.max).toBe(Math.max(...values));
    expect(days[0]?.figures.batteryVoltageV.last).toBe(values.at(-1));
    expect(days[0]?.figures.batteryVoltageV.mean).toBeCloseTo(values.reduce((sum, value) => sum + value) / 144, 6);
    expect(days[0]?.figures.panelPowerW).toEqual({ max: null, mean: null });
    // The counter began anew on the third day: only what that day saw itself.
    expect(days.map(({ energyInWh }) => energyInWh)).toEqual([286, 288, 429, 432]);
    expect(await fleetDays({ fromMs: START, toMs: START + 4 * DAY_MS })).toEqual(
      days.map(({ startsAtMs, energyInWh }) => ({
        day: new Date(startsAtMs).toISOString().slice(0, 10),
        devices: 1,
        energyInWh,
        energyOutWh: 0,
      })),
    );
    const page = await rollups({
      device: 1,
      grain: "hour",
      fromMs: START,
      toMs: START + DAY_MS,
      first: 3,
      afterMs: START,
    });
    expect(page.map(({ startsAtMs, energyInWh }) => [startsAtMs, energyInWh])).toEqual(
      [1, 2, 3].map((hour) => [START + hour * HOUR_MS, 12]),
    );
  });

  test("energy that flowed over days without a counter is in the next day that has one, wherever a page begins", async () => {
    const at = Date.parse("2026-06-01T00:00:00Z");
    // The counter is told on the first and on the fourth day; on the days between, only that the device lives.
    const rows = ["0, 100", "12, 160", "30, null", "54, null", "80, 400"].map((reading) => {
      const [hours = "", energy = ""] = reading.split(", ");
      return `(14, fromUnixTimestamp64Milli(${String(at + Number(hours) * HOUR_MS)}), 1, ${energy}, '')`;
    });
    await history.current.use((client) =>
      client.command({
        query: `insert into washa.readings (device, at, batch, energy_in_wh, extra) values ${rows.join(", ")}`,
      }),
    );
    const { rollups, fleetDays } = makeRollupQueries({ history: history.current });
    const energy = async (fromMs: number): Promise<readonly (number | null)[]> =>
      (await rollups({ device: 14, grain: "day", fromMs, toMs: at + 4 * DAY_MS, first: 10 })).map(
        ({ energyInWh }) => energyInWh,
      );
    expect(await energy(at)).toEqual([60, null, null, 240]);
    expect(await energy(at + 3 * DAY_MS)).toEqual([240]);
    const fleet = await fleetDays({ fromMs: at, toMs: at + 4 * DAY_MS });
    expect(fleet.map(({ energyInWh }) => energyInWh)).toEqual([60, 0, 0, 240]);
  });

  test("the fleet's load curve is the mean of all readings of an hour of the day, of whole days that were asked for", async () => {
    const { loadCurve } = makeRollupQueries({ history: history.current });
    const at = Date.parse("2026-05-01T00:00:00Z");
    const line = (device: number, hours: number, watts: string): string =>
      `(${String(device)}, fromUnixTimestamp64Milli(${String(at + hours * HOUR_MS)}), 1, ${watts}, '')`;
    // Three readings in the hour of 20 over two days, one of a device without a meter for its load, one on the day after.
    const rows = [
      line(11, 20, "10"),
      line(12, 20.5, "20"),
      line(11, 44, "60"),
      line(13, 3, "null"),
      line(11, 68, "999"),
    ];
    await history.current.use((client) =>
      client.command({
        query: `insert into washa.readings (device, at, batch, load_power_w, extra) values ${rows.join(", ")}`,
      }),
    );
    expect(await loadCurve({ fromMs: at, toMs: at + 2 * DAY_MS })).toEqual([
      { hour: 3, meanW: null },
      { hour: 20, meanW: 30 },
    ]);
    await expect(loadCurve({ fromMs: at, toMs: at })).rejects.toThrow("later");
    await expect(loadCurve({ fromMs: at, toMs: at + 400 * DAY_MS })).rejects.toThrow("366");
  });

  test("questions to the whole fleet are answered from where its days lie together", async () => {
    const plan = await history.current.use((client) =>
      rowsOf<{ explain: string }>(client, {
        query: `explain select toHour(hour), sum(load_power_w_sum) from washa.hours
          where hour >= '2026-01-30 00:00:00' and hour < '2026-01-31 00:00:00' group by 1
          settings optimize_use_projections = 1, force_optimize_projection = 1`,
      }),
    );
    expect(plan.map(({ explain }) => explain).join()).toContain("by_hour");
  });

  test("a day is dropped from PostgreSQL only when history holds it", async () => {
    await writeDevice(2);
    await dropDays("2026-03-01");
    const held = await database.current.db.execute(sql`select 1 from telemetry.readings where device = 2 limit 1`);
    expect(held).toHaveLength(1);
    await follow();
    await dropDays("2026-03-01");
    expect(await database.current.db.execute(sql`select 1 from telemetry.readings limit 1`)).toHaveLength(0);
  });

  test("a day waits some days longer for batteries whose week is not read yet", async () => {
    await writeDevice(5);
    await follow();
    const daysLeft = async (): Promise<number> =>
      (await database.current.db.execute(sql`select distinct at::date from telemetry.readings`)).length;
    // Of the week before that of the 30th of January, which began on the 26th.
    await database.current.db.execute(sql`
      insert into telemetry.battery_health (device, week_on, memory, lacking, of_new, reasons, sizing, evidence)
      values (5, '2026-01-19', '{}', 'weeks', false, '{}', 'unknown', '{}')`);
    await dropDays("2026-01-31");
    expect(await daysLeft()).toBe(4);
    await database.current.db.execute(sql`update telemetry.battery_health set week_on = '2026-01-26'`);
    await dropDays("2026-01-31");
    expect(await daysLeft()).toBe(3);
    // Those of the next week are not read either; after five days nobody waits any more.
    await dropDays("2026-02-07");
    expect(await daysLeft()).toBe(1);
    await dropDays("2026-02-08");
    expect(await daysLeft()).toBe(0);
    await database.current.db.execute(sql`delete from telemetry.battery_health`);
  });

  test("what went missing in history is filled in again, once, rollups included", async () => {
    await writeDevice(3);
    await follow();
    const before = await count("readings");
    await history.current.use((client) =>
      client.command({
        query: "alter table washa.readings delete where device = 3 and toHour(at) < 9",
        clickhouse_settings: { mutations_sync: "2" },
      }),
    );
    const { link, close } = await connectLink(database.url);
    const days = ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"];
    await askForDays(link, { days, at: clock.now() });
    await follow();
    expect(await count("readings")).toBe(before);
    expect(await count("hours")).toBe(before);
    expect(await count("days")).toBe(before);
    await askForDays(link, { days, at: clock.now() });
    await close();
    await follow();
    expect(await count("readings")).toBe(before);
  });
});
