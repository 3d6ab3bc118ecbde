import { sql } from "drizzle-orm";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { column, type Database, type Db } from "../../../src/platform/database.ts";
import {
  makeBatteryReckoning,
  type BatteryReckoning,
  type SampleSource,
} from "../../../src/telemetry/battery/battery.jobs.ts";
import type { Sample } from "../../../src/telemetry/battery/samples.ts";
import { START } from "./simulated.ts";

/** One row as ingest writes it; what is undefined is null there. */
export interface StoredReading {
  readonly atMs: number;
  readonly batteryVoltageV?: number | undefined;
  readonly batteryCurrentA?: number | undefined;
  readonly batteryTemperatureC?: number | undefined;
  readonly panelCurrentA?: number | undefined;
  readonly panelPowerW?: number | undefined;
  readonly loadCurrentA?: number | undefined;
  readonly loadPowerW?: number | undefined;
}

/** A device that was seen on the first day of the simulated time. */
export async function storeDevice(
  db: Db,
  { device, model, area = "Kigali" }: { readonly device: number; readonly model: string; readonly area?: string },
): Promise<void> {
  const at = new Date(START).toISOString();
  await db.execute(sql`
    insert into telemetry.states (device, first_seen_at, last_seen_at) values (${device}, ${at}::timestamptz, ${at}::timestamptz)`);
  await db.execute(sql`
    insert into telemetry.places (device, serial, model, life, in_service, area, tokens_issued)
    values (${device}, ${`SN${device}`}, ${model}, 'installed', true, ${area}, 0)`);
}

/** Writes a device's readings, whose days must have partitions. */
export async function storeReadings(db: Db, device: number, readings: readonly StoredReading[]): Promise<void> {
  const numbers = (pick: (reading: StoredReading) => number | undefined) =>
    column(
      readings.map((reading) => pick(reading) ?? null),
      "double precision",
    );
  await db.execute(sql`
    insert into telemetry.readings (at, device, batch, battery_voltage_v, battery_current_a, battery_temperature_c, panel_current_a,
      panel_power_w, load_current_a, load_power_w)
    select at, ${device}, 1, volts, amperes, temperature, panel_a, panel_w, load_a, load_w from unnest(
      ${column(
        readings.map(({ atMs }) => new Date(atMs)),
        "timestamptz",
      )}, ${numbers((one) => one.batteryVoltageV)}, ${numbers((one) => one.batteryCurrentA)},
      ${numbers((one) => one.batteryTemperatureC)}, ${numbers((one) => one.panelCurrentA)}, ${numbers((one) => one.panelPowerW)},
      ${numbers((one) => one.loadCurrentA)}, ${numbers((one) => one.loadPowerW)})
      as told (at, volts, amperes, temperature, panel_a, panel_w, load_a, load_w)`);
}

/** A sample as a device without a tracking charger tells it. */
export function readingOf({ atMs, volts, amperes, temperatureC, panelA, loadA }: Sample): StoredReading {
  return {
    atMs,
    batteryVoltageV: volts,
    batteryCurrentA: amperes,
    batteryTemperatureC: temperatureC,
    panelCurrentA: panelA,
    loadCurrentA: loadA,
  };
}

/** The reckoning as it would run at that instant; a fault of it fails the test. */
export function reckoningAt(database: Database, now: Date, readSamples?: SampleSource): BatteryReckoning {
  return makeBatteryReckoning({
    database,
    clock: makeManualClock(now),
    ...(readSamples === undefined ? {} : { readSamples }),
    onFault: (error) => {
      throw error;
    },
  });
}
