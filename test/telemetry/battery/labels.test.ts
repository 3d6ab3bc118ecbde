import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeBatteryCommands } from "../../../src/telemetry/battery/battery.commands.ts";
import { makeBatteryQueries } from "../../../src/telemetry/battery/battery.queries.ts";
import { readSamples } from "../../../src/telemetry/battery/battery.store.ts";
import { useDatabase } from "../../support/database.ts";
import { CELLS, draw, record, START, WEEK } from "./simulated.ts";
import { readingOf, reckoningAt, storeDevice, storeReadings } from "./stored.ts";

const database = useDatabase();
const WEEKS = 30;
const CORRECTED = 14;
const BY_MODEL = 1;
const BY_DEVICE = 2;
const BY_IMPORT = 3;
const ANY = 4;
const good = draw(8, "li_ion");
const right = { chemistry: "li_ion", ratedAh: good.capacityAh, cells: CELLS.li_ion };
const wrong = { ...right, ratedAh: 0.6 * good.capacityAh };

const after = (weeks: number): Date => new Date(START + weeks * WEEK + 3 * 86_400_000);
const commands = makeBatteryCommands({ clock: makeManualClock(after(WEEKS)) });

beforeAll(async () => {
  const { db } = database.current;
  await db.execute(sql`select telemetry.ensure_days('2024-01-01'::date, '2024-08-31'::date)`);
  const readings = record(good, { weeks: WEEKS, minutes: 60 }).flatMap(({ samples }) => samples.map(readingOf));
  for (const device of [BY_MODEL, BY_DEVICE, BY_IMPORT]) {
    await storeDevice(db, { device, model: `Lamp ${device}` });
    await storeReadings(db, device, readings);
    await db.transaction(async (tx) => {
      await commands.setModelBattery(tx, `Lamp ${device}`, wrong);
      await commands.setBattery(tx, { deviceNumber: device, newOn: "2024-01-01", replaced: false });
    });
  }
});

describe("a label that was wrong and is put right", () => {
  test("does not make a good battery look failing, whoever puts it right", async () => {
    await reckoningAt(database.current, after(CORRECTED)).runDue();
    await database.current.db.transaction(async (tx) => {
      await commands.setModelBattery(tx, `Lamp ${BY_MODEL}`, right);
      await commands.setBattery(tx, { deviceNumber: BY_DEVICE, spec: right, replaced: false });
      await commands.noteImported(tx, [{ deviceNumber: BY_IMPORT, model: `Lamp ${BY_IMPORT}`, spec: right }]);
    });
    const queries = makeBatteryQueries(database.current.db);
    const devices = [BY_MODEL, BY_DEVICE, BY_IMPORT];
    for (let week = CORRECTED + 1; week <= WEEKS; week += 1) {
      await reckoningAt(database.current, after(week)).runDue();
      for (const health of await queries.batteryHealth(devices)) {
        expect(health?.forecast?.within8Weeks ?? 0).toBeLessThan(0.3);
        expect(health?.reasons).toEqual([]);
        expect(health?.evidence.weeks).toBe(week);
      }
    }
    // Sixteen weeks later it is known again, and as healthy as it is.
    const [byModel, ...others] = await queries.batteryHealth(devices);
    expect(byModel?.health?.share).toBeGreaterThan(0.85);
    for (const other of others) expect(other).toEqual({ ...byModel, deviceNumber: other?.deviceNumber });
    const throughput = record(good, { weeks: WEEKS, minutes: 60 })
      .flatMap(({ samples }) => samples)
      .reduce((ah, { amperes }) => ah + Math.max(0, -amperes), 0);
    expect(byModel?.evidence.equivalentCycles).toBeCloseTo(throughput / right.ratedAh, -1);
  });
});

describe("a battery that is replaced while the worker is at it", () => {
  const replace = (newOn: string) =>
    database.current.db.transaction((tx) =>
      commands.setBattery(tx, { deviceNumber: ANY, spec: right, newOn, replaced: true }),
    );
  const stored = () =>
    database.current.db.execute<{ week_on: string; weeks: number }>(sql`
      select week_on::text, (memory #>> '{memory,weeks}')::integer as weeks from telemetry.battery_health where device = ${ANY}`);

  beforeAll(async () => {
    await storeDevice(database.current.db, { device: ANY, model: "Lamp of any kind" });
  });

  test("does not get its predecessor's memory back, neither an old one nor a first one", async () => {
    await replace("2024-01-01");
    const meanwhile = (newOn: string) =>
      reckoningAt(database.current, after(10), async (tx, query) => {
        await replace(newOn);
        return await readSamples(tx, query);
      });
    await reckoningAt(database.current, after(5)).runDue();
    expect(await stored()).toEqual([{ week_on: "2024-01-29", weeks: 5 }]);
    await meanwhile("2024-02-05").once();
    expect(await stored()).toEqual([]);
    await meanwhile("2024-02-12").once();
    expect(await stored()).toEqual([]);
    await reckoningAt(database.current, after(10)).runDue();
    expect(await stored()).toEqual([{ week_on: "2024-03-04", weeks: 4 }]);
    const course = await makeBatteryQueries(database.current.db).batteryCourse(ANY, 100);
    const first = ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-29"];
    const third = ["2024-02-12", "2024-02-19", "2024-02-26", "2024-03-04"];
    expect(course.map(({ weekOn }) => weekOn)).toEqual([...first, ...third]);
  });

  test.each(["a battery that nobody said anything of", "a battery whose first day was known"])(
    "%s keeps nothing of its predecessor, though the office has not committed when the worker writes",
    async (which) => {
      await database.current.db.execute(sql`delete from telemetry.battery_health where device = ${ANY}`);
      await database.current.db.execute(sql`delete from telemetry.batteries where device = ${ANY}`);
      if (which.includes("known")) await replace("2024-01-01");
      else await database.current.db.transaction((tx) => commands.setModelBattery(tx, "Lamp of any kind", right));
      let done = false;
      let office: Promise<void> | undefined;
      const worker = reckoningAt(database.current, after(1), async (tx, query) => {
        await new Promise<void>((said) => {
          office = database.current.db.transaction(async (officeTx) => {
            await commands.setBattery(officeTx, { deviceNumber: ANY, newOn: "2024-06-03", replaced: true });
            said();
            // Commits when the worker waits for it, or is over.
            for (let waiting = false; !waiting && !done;) {
              const [row] = await officeTx.execute<{ waiting: boolean }>(sql`
                select exists (select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))) as waiting`);
              waiting = row?.waiting === true;
            }
          });
        });
        return await readSamples(tx, query);
      });
      await worker.once().finally(() => {
        done = true;
      });
      await office;
      expect(await stored()).toEqual([]);
    },
  );
});
