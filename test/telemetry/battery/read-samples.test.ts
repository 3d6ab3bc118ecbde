import { sql } from "drizzle-orm";
import { beforeAll, expect, test } from "vitest";
import { readSamples } from "../../../src/telemetry/battery/battery.store.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import { useDatabase } from "../../support/database.ts";
import { houseOf, makeSigningDevice } from "../metrics/device-signer.ts";
import { START } from "./simulated.ts";
import { storeReadings, type StoredReading } from "./stored.ts";

const database = useDatabase();
const MINUTE = 60_000;
const WEEK_ON = "2024-01-01";

beforeAll(async () => {
  await database.current.db.execute(sql`select telemetry.ensure_days('2024-01-01'::date, '2024-01-08'::date)`);
});

async function samplesOf(device: number, readings: readonly StoredReading[]) {
  await storeReadings(database.current.db, device, readings);
  const samples = await database.current.db.transaction((tx) =>
    readSamples(tx, { devices: [device, device + 1], weekOn: WEEK_ON }),
  );
  expect(samples.get(device + 1)).toEqual([]);
  return (samples.get(device) ?? []).toSorted((left, right) => left.atMs - right.atMs);
}

test("a Victron system, which tells each quantity in a message of its own, is seen", async () => {
  const device = makeSigningDevice("SLT30000123", "a29ab82edc5fbbc41ec9530f6dac86b1");
  const reader = makeFrameReader({
    allowSimpleAuth: false,
    signatureOnConnection: "optional",
    victron: { portals: new Map([["c0619ab1cd23", device.serial]]) },
    sparkplug: undefined,
  });
  const house = houseOf([device]);
  const readings = Array.from({ length: 30 }, (_, minute) =>
    Object.entries({
      "system/0/Dc/Battery/Voltage": 12 + minute / 100,
      "system/0/Dc/Battery/Current": -1 - minute / 10,
      "system/0/Dc/Battery/Temperature": 25,
      "system/0/Dc/Pv/Power": 24,
      "solarcharger/3/Pv/I": 0.7,
      "solarcharger/3/Load/I": 3,
      "system/0/Dc/Battery/Soc": 80,
    }).flatMap(([path, value], at) => {
      const outcome = reader.read(
        {
          topic: `N/c0619ab1cd23/${path}`,
          payload: Buffer.from(JSON.stringify({ value })),
          serial: undefined,
          contentType: undefined,
          // As Venus repeats them: one after the other, over some seconds.
          receivedAtMs: START + minute * MINUTE + 5_000 + at * 900,
        },
        house,
      );
      return outcome.ok ? outcome.frames.flatMap((frame) => frame.readings) : [];
    }),
  ).flat();
  expect(readings).toHaveLength(7 * 30);
  const samples = await samplesOf(1, readings);
  expect(samples).toHaveLength(30);
  expect(samples[20]).toMatchObject({
    volts: expect.closeTo(12.2, 4),
    amperes: expect.closeTo(-3, 4),
    temperatureC: 25,
    panelA: expect.closeTo(24 / 12.2, 3),
    loadA: 3,
  });
});

test("a device that tells all at once is read as it told, to the millisecond", async () => {
  const samples = await samplesOf(
    3,
    [0, 10, 20].map((minute) => ({
      atMs: START + minute * MINUTE + 1_234,
      batteryVoltageV: 12.5,
      batteryCurrentA: minute / 8,
    })),
  );
  expect(samples.map(({ atMs, amperes }) => [atMs - START, amperes])).toEqual([
    [1_234, 0],
    [10 * MINUTE + 1_234, 1.25],
    [20 * MINUTE + 1_234, 2.5],
  ]);
  expect(samples[0]?.temperatureC).toBeNaN();
});

test("of a device that tells every second, the last value of each minute counts", async () => {
  const samples = await samplesOf(
    5,
    Array.from({ length: 120 }, (_, second) => ({
      atMs: START + second * 1_000,
      batteryVoltageV: 12 + second / 128,
      batteryCurrentA: second % 60 === 59 ? undefined : second / 8,
    })),
  );
  expect(samples.map(({ volts, amperes }) => [volts, amperes])).toEqual([
    [12 + 59 / 128, 58 / 8],
    [12 + 119 / 128, 118 / 8],
  ]);
});

test("behind a tracking charger, the panel's power and not its amperes is what comes to the battery", async () => {
  const samples = await samplesOf(7, [
    { atMs: START, batteryVoltageV: 12.5, panelCurrentA: 2, panelPowerW: 37.5, loadCurrentA: 1 },
    { atMs: START + 10 * MINUTE, batteryVoltageV: 12.5, panelCurrentA: 2, loadPowerW: 12.5 },
    { atMs: START + 20 * MINUTE, batteryVoltageV: 12.5, panelPowerW: 25 },
    { atMs: START + 30 * MINUTE, batteryCurrentA: 1 },
  ]);
  expect(samples.map(({ panelA, loadA, amperes }) => [panelA, loadA, amperes])).toEqual([
    [3, 1, 2],
    [2, 1, 1],
  ]);
});
