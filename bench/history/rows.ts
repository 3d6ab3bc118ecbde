import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { History } from "../../src/platform/history/history.ts";
import { quote } from "../../src/platform/history/request.ts";
import { showProgress } from "./progress.ts";

export const START = "2026-01-01 00:00:00";
/** A quarter of an hour between readings, so ten thousand of a device are 104 days. */
export const READINGS_A_DEVICE = 10_000;
export const READINGS_A_DAY = 96;
/** A file of this many rows is what a follower would bring in some minutes of a large fleet. */
const ROWS_A_FILE = 2_500_000;

/**
 * Readings of solar homes as a function of nothing but device and step: sun by the hour, clouds by the day, loads in the
 * evening, decimals rounded as devices round them, clocks that are not exact. In order of time, as readings arrive.
 */
function rowsSql(devices: number, { from, count }: { from: number; count: number }): string {
  const noise = (salt: number): string => `((sipHash64(device, step, ${String(salt)}) % 10000) / 10000)`;
  return `select toUInt32(device) as device, at, toUInt64(1000 + intDiv(number, 2000)) as batch,
    toFloat32(round(sun * 18 + ${noise(1)} * 0.6, 2)) as panel_voltage_v,
    toFloat32(round(sun * cloud * 2.5, 2)) as panel_current_a,
    toFloat32(round(panel_voltage_v * panel_current_a, 1)) as panel_power_w,
    toFloat32(round(12 + charge / 100 * 1.6 + ${noise(2)} * 0.05, 2)) as battery_voltage_v,
    toFloat32(round(panel_current_a - load_current_a, 2)) as battery_current_a,
    toFloat32(round(charge)) as battery_charge_percent,
    toFloat32(round(20 + 8 * sun + ${noise(3)}, 1)) as battery_temperature_c,
    toFloat32(round(evening * (0.3 + ${noise(4)} * 0.2), 2)) as load_current_a,
    toFloat32(round(load_current_a * battery_voltage_v, 1)) as load_power_w,
    cast(null as Nullable(Float32)) as ambient_temperature_c,
    toInt64(day * 200 + intDiv(toUInt32(hour * 8 * cloud), 1) + device % 50) as energy_in_wh,
    toInt64(day * 110 + toUInt32(hour * 4) + device % 30) as energy_out_wh,
    toFloat32(-60 - toInt32(sipHash64(device, step, 7) % 40)) as signal_dbm, '' as extra
  from (
    select number, number % ${String(devices)} + 1 as device, intDiv(number, ${String(devices)}) as step,
      toDateTime64('${START}', 3, 'UTC') + step * 900 + device % 870 + sipHash64(number) % 20 as at,
      intDiv(step, ${String(READINGS_A_DAY)}) as day, (step % ${String(READINGS_A_DAY)}) / 4 as hour,
      greatest(0, sin((hour - 6) / 12 * pi())) as sun, 0.4 + 0.6 * (sipHash64(device, day) % 1000) / 1000 as cloud,
      50 + 40 * sin((hour - 9) / 24 * 2 * pi()) as charge, if(hour >= 18 and hour < 23, 1, 0.1) as evening
    from numbers(${String(from)}, ${String(count)}))`;
}

/** Writes the rows as Parquet files, once: every engine loads the same ones. Answers their paths in order of time. */
export async function writeFiles(
  history: History,
  { rows, folder }: { rows: number; folder: string },
): Promise<readonly string[]> {
  const devices = rows / READINGS_A_DEVICE;
  mkdirSync(folder, { recursive: true });
  const files: string[] = [];
  for (let from = 0; from < rows; from += ROWS_A_FILE) {
    const path = join(folder, `rows-${String(rows)}-${String(files.length).padStart(3, "0")}.parquet`);
    files.push(path);
    if (existsSync(path)) continue;
    showProgress("rows made", { done: from, of: rows });
    const select = rowsSql(devices, { from, count: Math.min(ROWS_A_FILE, rows - from) });
    await history.use((client) =>
      client.command({
        query: `insert into function file(${quote(path)}, 'Parquet') ${select} settings engine_file_truncate_on_insert = 1`,
      }),
    );
  }
  showProgress("rows made", { done: rows, of: rows });
  return files;
}
