import type { BinaryColumn } from "../../platform/binary-rows.ts";
import type { Quantity, Reading } from "../frames/frame.ts";

/** The columns of telemetry.readings and telemetry.states, in the order of QUANTITIES. */
export const QUANTITY_COLUMNS: readonly {
  readonly quantity: Quantity;
  readonly name: string;
  readonly type: "real" | "bigint";
  /** A place of its own for each quantity: one that takes the name as a variable is several times slower. */
  readonly of: (reading: Reading) => number | undefined;
}[] = [
  { quantity: "panelVoltageV", name: "panel_voltage_v", type: "real", of: (one) => one.panelVoltageV },
  { quantity: "panelCurrentA", name: "panel_current_a", type: "real", of: (one) => one.panelCurrentA },
  { quantity: "panelPowerW", name: "panel_power_w", type: "real", of: (one) => one.panelPowerW },
  { quantity: "batteryVoltageV", name: "battery_voltage_v", type: "real", of: (one) => one.batteryVoltageV },
  { quantity: "batteryCurrentA", name: "battery_current_a", type: "real", of: (one) => one.batteryCurrentA },
  {
    quantity: "batteryChargePercent",
    name: "battery_charge_percent",
    type: "real",
    of: (one) => one.batteryChargePercent,
  },
  {
    quantity: "batteryTemperatureC",
    name: "battery_temperature_c",
    type: "real",
    of: (one) => one.batteryTemperatureC,
  },
  { quantity: "loadCurrentA", name: "load_current_a", type: "real", of: (one) => one.loadCurrentA },
  { quantity: "loadPowerW", name: "load_power_w", type: "real", of: (one) => one.loadPowerW },
  {
    quantity: "ambientTemperatureC",
    name: "ambient_temperature_c",
    type: "real",
    of: (one) => one.ambientTemperatureC,
  },
  { quantity: "energyInWh", name: "energy_in_wh", type: "bigint", of: (one) => wholeWh(one.energyInWh) },
  { quantity: "energyOutWh", name: "energy_out_wh", type: "bigint", of: (one) => wholeWh(one.energyOutWh) },
  { quantity: "signalDbm", name: "signal_dbm", type: "real", of: (one) => one.signalDbm },
];

/** A counter is whole; what no float holds exactly is none. */
function wholeWh(energyWh: number | undefined): number | undefined {
  if (energyWh === undefined) return undefined;
  const whole = Math.round(energyWh);
  return Number.isSafeInteger(whole) ? whole : undefined;
}

/** Rows of many devices, column by column; a quantity that no row tells has no column. */
export interface Block {
  readonly count: number;
  readonly columns: readonly BinaryColumn[];
  /** Rows that no other can be in the way of, sorted by time and device. */
  readonly fresh: Uint32Array;
  /** Rows that may be there already, sorted in the same way. */
  readonly doubtful: Uint32Array;
  /** UTC days of the rows, as whole days since 1970. */
  readonly days: ReadonlySet<number>;
}

/** Readings of one device with what is added to their times; those not newer than `newestAtMs` may be there already. */
export interface Part {
  readonly device: number;
  readonly shiftMs: number;
  readonly newestAtMs: number;
  readonly readings: readonly Reading[];
}

const DAY_MS = 86_400_000;

/** Puts the parts of a group together. The same device at the same time twice in one group is one row, the first. */
export function buildBlock(parts: readonly Part[], { allDoubtful }: { allDoubtful: boolean }): Block {
  let count = 0;
  for (const { readings } of parts) count += readings.length;
  const at = new Float64Array(count);
  const device = new Float64Array(count);
  const isDoubtful = new Uint8Array(count);
  const extra: (string | undefined)[] = [];
  const quantities: (Float64Array | undefined)[] = QUANTITY_COLUMNS.map(() => undefined);
  let row = 0;
  for (const part of parts) {
    for (const reading of part.readings) {
      const atMs = Math.round(reading.atMs + part.shiftMs);
      at[row] = atMs;
      device[row] = part.device;
      if (allDoubtful || atMs <= part.newestAtMs) isDoubtful[row] = 1;
      fillQuantities(reading, { quantities, row, count });
      if (reading.extra !== undefined) extra[row] = jsonbText(reading.extra);
      row += 1;
    }
  }
  const order = sortRows(at, device);
  const columns: BinaryColumn[] = [
    { name: "at", type: "timestamptz", values: at },
    { name: "device", type: "integer", values: device },
  ];
  quantities.forEach((values, index) => {
    const column = QUANTITY_COLUMNS[index];
    if (values !== undefined && column !== undefined) columns.push({ name: column.name, type: column.type, values });
  });
  if (extra.length > 0) columns.push({ name: "extra", type: "jsonb", values: extra });
  return {
    count,
    columns,
    fresh: order.filter((index) => isDoubtful[index] === 0),
    doubtful: order.filter((index) => isDoubtful[index] === 1),
    days: daysOf(at),
  };
}

function fillQuantities(
  reading: Reading,
  { quantities, row, count }: { quantities: (Float64Array | undefined)[]; row: number; count: number },
): void {
  for (let index = 0; index < QUANTITY_COLUMNS.length; index++) {
    const value = QUANTITY_COLUMNS[index]?.of(reading);
    if (value === undefined) continue;
    const values = (quantities[index] ??= new Float64Array(count).fill(Number.NaN));
    values[row] = value;
  }
}

/** By time, then device: rows that arrive together lie together in the key. Each pair once. */
function sortRows(at: Float64Array, device: Float64Array): Uint32Array {
  const order = Uint32Array.from(at, (_, row) => row);
  order.sort(
    (left, right) => (at[left] ?? 0) - (at[right] ?? 0) || (device[left] ?? 0) - (device[right] ?? 0) || left - right,
  );
  return order.filter((row, place) => {
    const before = order[place - 1];
    return before === undefined || at[before] !== at[row] || device[before] !== device[row];
  });
}

function daysOf(at: Float64Array): ReadonlySet<number> {
  const days = new Set<number>();
  let last = Number.NaN;
  for (const atMs of at) {
    const day = Math.floor(atMs / DAY_MS);
    if (day !== last) days.add((last = day));
  }
  return days;
}

/** PostgreSQL holds neither the character 0 nor half a surrogate pair; a device that sends one loses that character, not its frame. */
export function plainText(text: string): string {
  return text.replaceAll("\0", "").toWellFormed();
}

/** A flat record as the text of a jsonb. */
export function jsonbText(record: Readonly<Record<string, string | number | boolean>>): string {
  const text = JSON.stringify(record);
  if (!text.includes("\\u")) return text;
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(record).map(([name, value]) => [
        plainText(name),
        typeof value === "string" ? plainText(value) : value,
      ]),
    ),
  );
}
