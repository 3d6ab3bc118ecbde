import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeBatteryCommands } from "../../../src/telemetry/battery/battery.commands.ts";
import { lastReadableWeek, makeBatteryReckoning } from "../../../src/telemetry/battery/battery.jobs.ts";
import { makeBatteryQueries } from "../../../src/telemetry/battery/battery.queries.ts";
import { useDatabase } from "../../support/database.ts";
import { CELLS, draw, record, START, WEEK } from "./simulated.ts";
import { readingOf, reckoningAt, storeDevice, storeReadings } from "./stored.ts";

const database = useDatabase();
const WEEKS = 26;
const GOOD = 1;
const QUIET = 2;
const UNKNOWN = 3;
const good = draw(8, "li_ion");

const after = (weeks: number): Date => new Date(START + weeks * WEEK + 3 * 86_400_000);
const reckoning = (now: Date) => reckoningAt(database.current, now);
const commands = makeBatteryCommands({ clock: makeManualClock(after(WEEKS)) });

beforeAll(async () => {
  const { db } = database.current;
  const samples = record(good, { weeks: WEEKS, minutes: 60 }).flatMap((week) => week.samples);
  await db.execute(sql`select telemetry.ensure_days('2024-01-01'::date, '2024-07-31'::date)`);
  await storeReadings(db, GOOD, samples.map(readingOf));
  await storeDevice(db, { device: GOOD, model: "Lamp 40" });
  await storeDevice(db, { device: QUIET, model: "Lamp 40", area: "Huye" });
  await storeDevice(db, { device: UNKNOWN, model: "A model nobody described", area: "Huye" });
  await db.transaction(async (tx) => {
    await commands.setModelBattery(tx, "Lamp 40", {
      chemistry: "li_ion",
      ratedAh: good.capacityAh,
      cells: CELLS.li_ion,
    });
    await commands.setBattery(tx, { deviceNumber: GOOD, newOn: "2024-01-01", replaced: false });
  });
});

describe("the weekly reckoning", () => {
  test("reads a week when it is over and its late readings have had two days", () => {
    expect(lastReadableWeek(new Date("2024-01-08T12:00:00Z"))).toBe("2023-12-25");
    expect(lastReadableWeek(new Date("2024-01-10T00:00:00Z"))).toBe("2024-01-01");
  });

  test("knows each battery after the weeks that were told, whether it ran every week or once at the end, and once is enough", async () => {
    const queries = makeBatteryQueries(database.current.db);
    for (const weeks of [1, 2, 3, 10]) await reckoning(after(weeks)).runDue();
    expect((await queries.batteryHealth([GOOD]))[0]?.weekOn).toBe("2024-03-04");
    expect(await reckoning(after(WEEKS)).runDue()).toBe(2 * 16);
    const [stepwise, quiet, unknown] = await queries.batteryHealth([GOOD, QUIET, UNKNOWN]);
    expect(stepwise?.health?.share).toBeGreaterThan(0.8);
    expect(stepwise?.ofNew).toBe(true);
    expect(stepwise?.evidence.equivalentCycles).toBeGreaterThan(10);
    expect(stepwise?.forecast?.within8Weeks).toBeLessThan(0.5);
    expect(quiet).toMatchObject({ health: undefined, lacking: "no_readings" });
    expect(unknown).toBeUndefined();
    expect(await reckoning(after(WEEKS)).runDue()).toBe(0);
    const course = await queries.batteryCourse(GOOD, 520);
    expect(course).toHaveLength(WEEKS);

    await database.current.db.execute(sql`delete from telemetry.battery_health`);
    await reckoning(after(WEEKS)).runDue();
    expect((await queries.batteryHealth([GOOD]))[0]).toEqual(stepwise);
    expect(await queries.batteryCourse(GOOD, 520)).toEqual(course);
  });

  test("a run that dies leaves its batch due, and the next one does it", async () => {
    const queries = makeBatteryQueries(database.current.db);
    await database.current.db.execute(sql`delete from telemetry.battery_health`);
    const broken = makeBatteryReckoning({
      database: database.current,
      clock: makeManualClock(after(2)),
      readSamples: () => Promise.reject(new Error("The disk is gone.")),
      onFault: () => undefined,
    });
    await expect(broken.runDue()).rejects.toThrow("The disk is gone.");
    expect(await queries.batteryHealth([GOOD])).toEqual([undefined]);
    expect(await reckoning(after(2)).runDue()).toBe(4);
  });

  test("two processes take turns and nothing is read twice", async () => {
    await database.current.db.execute(sql`delete from telemetry.battery_health`);
    const done = await Promise.all([reckoning(after(6)).runDue(), reckoning(after(6)).runDue()]);
    const rest = await reckoning(after(6)).runDue();
    expect(done.reduce((sum, count) => sum + count, rest)).toBe(12);
  });

  test("the fleet's figures and lists follow their filters", async () => {
    await reckoning(after(WEEKS)).runDue();
    const queries = makeBatteryQueries(database.current.db);
    expect(await queries.fleetHealth({})).toMatchObject({
      batteries: 2,
      withHealth: 1,
      failingSoon: 0,
      byLacking: [{ lacking: "no_readings", batteries: 1 }],
    });
    expect((await queries.fleetHealth({ area: "Huye" })).batteries).toBe(1);
    expect(
      (await queries.listBatteries({ area: "Kigali" }, { first: 10 })).map(({ deviceNumber }) => deviceNumber),
    ).toEqual([GOOD]);
    expect(await queries.listBatteries({ failingSoon: true }, { first: 10 })).toEqual([]);
    expect(await queries.listBatteries({ reason: "worn" }, { first: 10 })).toEqual([]);
  });

  test("a battery that was replaced begins anew with its first whole week, and the old one's weeks stay until then", async () => {
    await database.current.db.transaction((tx) =>
      commands.setBattery(tx, { deviceNumber: GOOD, newOn: "2024-06-05", replaced: true }),
    );
    await reckoning(after(WEEKS)).runDue();
    const queries = makeBatteryQueries(database.current.db);
    const [fresh] = await queries.batteryHealth([GOOD]);
    expect(fresh).toMatchObject({ lacking: "still_learning", ofNew: true });
    expect(fresh?.evidence.weeks).toBe(3);
    const course = (await queries.batteryCourse(GOOD, 5)).map(({ weekOn, share }) => [weekOn, share === undefined]);
    expect(course).toEqual([
      ["2024-05-20", false],
      ["2024-05-27", false],
      ["2024-06-10", true],
      ["2024-06-17", true],
      ["2024-06-24", true],
    ]);
  });

  test.each([
    [{ chemistry: "nickel", ratedAh: 12, cells: 6 }, "Expected lead_acid, lfp, li_ion"],
    [{ chemistry: "lfp", ratedAh: Number.NaN, cells: 4 }, "Expected ampere-hours"],
    [{ chemistry: "lfp", ratedAh: 12, cells: 2.5 }, "cells in series cannot be"],
  ])("a battery that cannot be is refused with what would be right: %o", async (spec, message) => {
    await expect(
      database.current.db.transaction((tx) => commands.setModelBattery(tx, "Lamp 40", spec)),
    ).rejects.toThrow(message);
  });

  test("a first day that is none, or is missing for a replaced battery, is refused", async () => {
    const set = (order: { newOn?: string; replaced: boolean }) =>
      database.current.db.transaction((tx) => commands.setBattery(tx, { deviceNumber: GOOD, ...order }));
    await expect(set({ newOn: "June", replaced: false })).rejects.toThrow("is not a day");
    await expect(set({ newOn: "2024-06-31", replaced: false })).rejects.toThrow("is not a day");
    await expect(set({ newOn: "2042-06-30", replaced: false })).rejects.toThrow("still to come");
    await expect(set({ replaced: true })).rejects.toThrow("needs its first day");
  });
});
