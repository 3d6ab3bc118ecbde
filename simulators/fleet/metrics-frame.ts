/** What a device of the fleet sends on its `data` topic: OpenPAYGO Metrics v1.0-rc1 in condensed form, signed. */
import { hashHex, sipHash24, type SipKey } from "../../src/devices/tokens/siphash.ts";
import type { Measurement } from "./physics/physics.ts";

/** `da` signs the whole of what was measured, `ra` row by row (for a device whose memory holds one row). */
export type SigningMethod = "da" | "ra";

/** How rows travel: the format with every frame, its number in the program's register, or every value under its name. */
export type FrameStyle = "inline" | "named" | { readonly formatId: number };

/** Columns of a row, in order. The first is when; the others what was measured, in the units of `VARIABLES`. */
export const ROW_COLUMNS = [
  "timestamp",
  "panel_voltage",
  "panel_current",
  "panel_power",
  "battery_voltage",
  "battery_current",
  "battery_charge",
  "battery_temperature",
  "load_current",
  "load_power",
  "energy_in",
  "energy_out",
  "signal",
] as const;

export type RowColumn = (typeof ROW_COLUMNS)[number];
/** One measurement: values in the order of ROW_COLUMNS, the time in whole Unix seconds of the device's clock. */
export type Row = readonly number[];

/** Values in the order of the data format's `data_order`. */
export interface Standing {
  readonly tokenCount: number;
  readonly tampered: boolean;
  readonly firmwareVersion: string;
  /** Unix seconds. */
  readonly activeUntil: number;
  /** For good. */
  readonly isUnlocked: boolean;
  readonly intervalSeconds: number;
  readonly latitude: number;
  readonly longitude: number;
}

const STANDING_COLUMNS = [
  "token_count",
  "tampered",
  "firmware_version",
  "active_until_timestamp",
  "reporting_interval",
  "gps",
  "unlocked",
] as const;

/** The data format of the fleet: what to register at `/data_format` for frames that carry its number only. */
export const DATA_FORMAT = {
  data_order: STANDING_COLUMNS,
  historical_data_order: ROW_COLUMNS,
  variables: {
    panel_voltage: { name: "Panel voltage", type: "float", unit: "V" },
    panel_current: { name: "Panel current", type: "float", unit: "A" },
    panel_power: { name: "Panel power", type: "float", unit: "W" },
    battery_voltage: { name: "Battery voltage", type: "float", unit: "V" },
    battery_current: { name: "Battery current", type: "float", unit: "A", description: "Out of the battery" },
    battery_charge: { name: "Battery charge", type: "float", unit: "%" },
    battery_temperature: { name: "Battery temperature", type: "float", unit: "°C" },
    load_current: { name: "Load current", type: "float", unit: "A" },
    load_power: { name: "Load power", type: "float", unit: "W" },
    energy_in: { name: "Energy into the battery", type: "integer", unit: "Wh" },
    energy_out: { name: "Energy out of the battery", type: "integer", unit: "Wh" },
    signal: { name: "Signal", type: "float", unit: "dBm" },
    gps: { name: "Place", type: "gps" },
  },
} as const;

export interface FrameParts {
  readonly serial: string;
  readonly sip: SipKey;
  readonly method: SigningMethod;
  readonly style: FrameStyle;
  /** Unix seconds of the device's clock; undefined while that is behind what it told before. */
  readonly timestamp: number | undefined;
  /** Grows by one with every frame: the frame's id. */
  readonly requestCount: number;
  readonly standing: Standing;
  /** Oldest first. */
  readonly rows: readonly Row[];
}

/** The bytes of one frame: compact JSON, since the signature covers the texts as they are sent. */
export function metricsFrame(parts: FrameParts): Buffer {
  const { serial, style, timestamp, requestCount } = parts;
  const data = JSON.stringify(style === "named" ? namedStanding(parts.standing) : standingValues(parts.standing));
  const rows = parts.rows.map((row) => JSON.stringify(style === "named" ? namedRow(row) : row));
  const history = `[${rows.join(",")}]`;
  const signature = parts.method + sign(parts, { data, rows, history });
  const format =
    style === "named" ? "" : style === "inline" ? `"dfo":${FORMAT_JSON},` : `"df":${String(style.formatId)},`;
  return Buffer.from(
    `{"sn":${JSON.stringify(serial)},${format}${timestamp === undefined ? "" : `"ts":${String(timestamp)},`}"rc":${String(requestCount)},"d":${data},"hd":${history},"a":"${signature}"}`,
  );
}

/** A measurement as a row; the signal in dBm. */
export function rowOf(seconds: number, told: Measurement, signalDbm: number): Row {
  return [
    seconds,
    told.panelVoltageV,
    told.panelCurrentA,
    told.panelPowerW,
    told.batteryVoltageV,
    // The standard's sign: out of the battery is above zero. Nobody sends a negative zero.
    told.batteryCurrentA === 0 ? 0 : -told.batteryCurrentA,
    told.batteryChargePercent,
    told.batteryTemperatureC,
    told.loadCurrentA,
    told.loadPowerW,
    told.energyInWh,
    told.energyOutWh,
    signalDbm,
  ];
}

/** What travels with every frame is as short as it can be: the names are those of the standard, in its units. */
const FORMAT_JSON = JSON.stringify({ ...DATA_FORMAT, variables: { gps: DATA_FORMAT.variables.gps } });

function standingValues(standing: Standing): readonly unknown[] {
  const { tokenCount, tampered, firmwareVersion, activeUntil, intervalSeconds, longitude, latitude, isUnlocked } =
    standing;
  return [tokenCount, tampered, firmwareVersion, activeUntil, intervalSeconds, [longitude, latitude], isUnlocked];
}

function namedStanding(standing: Standing): Readonly<Record<string, unknown>> {
  const values = standingValues(standing);
  return Object.fromEntries(STANDING_COLUMNS.map((name, at) => [name, values[at]]));
}

function namedRow(row: Row): Readonly<Record<string, unknown>> {
  return Object.fromEntries(ROW_COLUMNS.map((name, at) => [name, row[at]]));
}

/** Over the texts exactly as they are sent; in hexadecimal without leading zeros, as fielded devices print it. */
function sign(
  { serial, sip, method, timestamp, requestCount }: FrameParts,
  { data, rows, history }: { data: string; rows: readonly string[]; history: string },
): string {
  const hash = (text: string): string => hashHex(sipHash24(sip, Buffer.from(text, "utf8"))).replace(/^0+(?=.)/, "");
  const freshness = [timestamp, requestCount].flatMap((part) => (part === undefined ? [] : [String(part)]));
  if (method === "da") return hash([serial, ...freshness, data, rows.length > 0 ? history : ""].join(""));
  return [...freshness, data, ...rows].reduce((signature, text) => hash(signature + text), hash(serial));
}
