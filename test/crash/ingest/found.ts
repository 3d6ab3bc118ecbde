import { openClient } from "../../../src/platform/database.ts";
import type { History } from "../../../src/platform/history/history.ts";
import type { Found, RolledUp, StoredReading } from "./compare.ts";

/** Everything the comparison looks at: PostgreSQL as its owner sees it, history through its own front. */
export async function readFound(url: string, history: History): Promise<Found> {
  const client = openClient(url, 1);
  try {
    const devices = await client<{ number: number; serial: string }[]>`select number, serial from devices.devices`;
    const serials = new Map(devices.map(({ number, serial }) => [number, serial]));
    const nameOf = (device: number): string => serials.get(device) ?? `device ${String(device)}, which nobody knows`;
    const rows = await client<
      { device: number; at_ms: string; batch: string; energy: string; volts: number | null }[]
    >`select device, round(extract(epoch from at) * 1000)::text as at_ms, batch::text, coalesce(energy_in_wh::text, '') as energy,
      battery_voltage_v::float8 as volts from telemetry.readings`;
    return {
      readings: rows.map((row) => ({
        serial: nameOf(row.device),
        atMs: Number(row.at_ms),
        batch: row.batch,
        energyIn: row.energy,
        batteryVoltageV: row.volts,
      })),
      history: await readHistory(history, nameOf),
      hours: await readRollup(history, { table: "hours", start: "toUnixTimestamp(hour)", nameOf }),
      days: await readRollup(history, { table: "days", start: "toUnixTimestamp(toDateTime(day, 'UTC'))", nameOf }),
      behind: await countBehind(url),
    };
  } finally {
    await client.end({ timeout: 5 });
  }
}

/** Readings that are not behind the bookmark, ranges on their way and days that are to be filled: 0 when history is complete. */
export async function countBehind(url: string): Promise<number> {
  const client = openClient(url, 1);
  try {
    const [row] = await client<{ behind: number }[]>`
      select ((select count(*) from telemetry.readings r where r.batch > b.done) + (b.range_to is not null)::int
        + (b.history_id is null)::int
        + (select count(*) from telemetry.history_fills where filled_at is null))::int as behind
      from telemetry.history_bookmark b`;
    return row?.behind ?? 1;
  } finally {
    await client.end({ timeout: 5 });
  }
}

type NameOf = (device: number) => string;

async function readHistory(history: History, nameOf: NameOf): Promise<StoredReading[]> {
  const rows = await askHistory<[number, string, string, string, number | null]>(
    history,
    `select device, toString(toUnixTimestamp64Milli(at)), toString(batch), ifNull(toString(energy_in_wh), ''), toFloat64(battery_voltage_v)
     from ${history.topology.database}.readings`,
  );
  return rows.map(([device, atMs, batch, energyIn, batteryVoltageV]) => ({
    serial: nameOf(device),
    atMs: Number(atMs),
    batch,
    energyIn,
    batteryVoltageV,
  }));
}

async function readRollup(
  history: History,
  { table, start, nameOf }: { table: "hours" | "days"; start: string; nameOf: NameOf },
): Promise<RolledUp[]> {
  const rows = await askHistory<[number, number, string, number]>(
    history,
    `select device, ${start} as starts_at, toString(sum(readings)), sum(battery_voltage_v_sum)
     from ${history.topology.database}.${table} group by device, starts_at having sum(readings) > 0`,
  );
  return rows.map(([device, seconds, readings, batteryVoltageSum]) => ({
    serial: nameOf(device),
    startsAtMs: seconds * 1_000,
    readings: Number(readings),
    batteryVoltageSum,
  }));
}

const askHistory = <Row>(history: History, query: string): Promise<Row[]> =>
  history.use(async (client) => {
    const answer = await client.query({ query, format: "JSONCompactEachRow" });
    return await answer.json<Row>();
  });
