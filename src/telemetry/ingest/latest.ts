import type { BinaryColumn } from "../../platform/binary-rows.ts";
import type { DeviceFrame, Reading } from "../frames/frame.ts";
import { plainText, QUANTITY_COLUMNS } from "./block.ts";
import { wholeFreshness, type Known } from "./placing.ts";

/** What a group of frames makes of one device's row of telemetry.states. Undefined and NaN leave what is there. */
export interface Latest {
  readonly device: number;
  /** What the row must still say when it is written; undefined when there is none yet. */
  readonly before: Known | undefined;
  /** The same after this group. */
  known: Known;
  seenAtMs: number;
  /** By quantity, in the order of QUANTITY_COLUMNS; only readings newer than those before. */
  readonly quantities: Float64Array;
  connection: "online" | "offline" | undefined;
  tokenCount: number;
  tampered: number;
  firmwareVersion: string | undefined;
  activeUntilMs: number;
  latitude: number;
  longitude: number;
  intervalSeconds: number;
}

/** Knows nothing: a device before its first frame. */
export const NOTHING_KNOWN: Known = {
  requestTimestamp: undefined,
  requestCount: undefined,
  shiftSeconds: 0,
  readingAtMs: undefined,
};

export function startLatest(device: number, before: Known | undefined): Latest {
  return {
    device,
    before,
    known: before ?? NOTHING_KNOWN,
    seenAtMs: Number.NaN,
    quantities: new Float64Array(QUANTITY_COLUMNS.length).fill(Number.NaN),
    connection: undefined,
    tokenCount: Number.NaN,
    tampered: Number.NaN,
    firmwareVersion: undefined,
    activeUntilMs: Number.NaN,
    latitude: Number.NaN,
    longitude: Number.NaN,
    intervalSeconds: Number.NaN,
  };
}

/** Adds a placed frame. A repetition says when the device was heard and nothing else. `readings` are those that are kept. */
export function addFrame(
  latest: Latest,
  frame: DeviceFrame,
  place: {
    readonly shiftSeconds: number;
    readonly isRepetition: boolean;
    readonly readings: readonly Reading[];
    readonly receivedAtMs: number;
  },
): void {
  latest.seenAtMs = Number.isNaN(latest.seenAtMs) ? place.receivedAtMs : Math.max(latest.seenAtMs, place.receivedAtMs);
  if (place.isRepetition) return;
  const { requestTimestamp, requestCount } = wholeFreshness(frame.freshness);
  const shiftMs = place.shiftSeconds * 1000;
  // What the newest row does not tell stays as it was: going through thirty older ones for it would cost as much as storing them.
  const newest = newestOf(place.readings);
  const newestAtMs = newest === undefined ? Number.NaN : Math.round(newest.atMs + shiftMs);
  let readingAtMs = latest.known.readingAtMs;
  if (newest !== undefined && newestAtMs >= (readingAtMs ?? -Infinity)) {
    readingAtMs = newestAtMs;
    tellQuantities(latest.quantities, newest);
  }
  latest.known = {
    requestTimestamp: requestTimestamp ?? latest.known.requestTimestamp,
    requestCount: requestCount ?? latest.known.requestCount,
    shiftSeconds: frame.sentAtMs === undefined ? latest.known.shiftSeconds : place.shiftSeconds,
    readingAtMs,
  };
  latest.connection = frame.presence ?? latest.connection;
  if (frame.standing !== undefined) tellStanding(latest, frame.standing, shiftMs);
}

function newestOf(readings: readonly Reading[]): Reading | undefined {
  let newest = readings.at(-1);
  for (const reading of readings) if (newest === undefined || reading.atMs > newest.atMs) newest = reading;
  return newest;
}

function tellQuantities(quantities: Float64Array, reading: Reading): void {
  for (let index = 0; index < QUANTITY_COLUMNS.length; index++) {
    const value = QUANTITY_COLUMNS[index]?.of(reading);
    if (value !== undefined) quantities[index] = value;
  }
}

function tellStanding(latest: Latest, standing: NonNullable<DeviceFrame["standing"]>, shiftMs: number): void {
  const { tokenCount, tampered, firmwareVersion, activeUntilMs, latitude, longitude, intervalSeconds } = standing;
  latest.tokenCount = within(tokenCount, INTEGER_MAX) ?? latest.tokenCount;
  if (tampered !== undefined) latest.tampered = tampered ? 1 : 0;
  if (firmwareVersion !== undefined) latest.firmwareVersion = plainText(firmwareVersion);
  if (activeUntilMs === "forever") latest.activeUntilMs = Infinity;
  else
    latest.activeUntilMs =
      within(activeUntilMs, INSTANT_MAX_MS - Math.abs(shiftMs)) === undefined
        ? latest.activeUntilMs
        : (activeUntilMs ?? 0) + shiftMs;
  latest.latitude = within(latitude, 90) ?? latest.latitude;
  latest.longitude = within(longitude, 180) ?? latest.longitude;
  latest.intervalSeconds = within(intervalSeconds, INTEGER_MAX) ?? latest.intervalSeconds;
}

const INTEGER_MAX = 2_147_483_647;
/** The year 9999; PostgreSQL's clock goes further, JavaScript's and everybody's screens hardly. */
const INSTANT_MAX_MS = 253_370_764_800_000;

/** What a column cannot hold is left out: it would turn back the whole group. */
function within(value: number | undefined, most: number): number | undefined {
  return value !== undefined && Math.abs(value) <= most ? value : undefined;
}

/** Columns that every row gives; what the row must still say begins with `seen_`. */
export function keyColumns(latests: readonly Latest[]): BinaryColumn[] {
  const numbers = (of: (latest: Latest) => number | undefined): Float64Array =>
    Float64Array.from(latests, (latest) => of(latest) ?? Number.NaN);
  return [
    { name: "device", type: "integer", values: numbers((one) => one.device) },
    { name: "seen_request_timestamp", type: "bigint", values: numbers((one) => one.before?.requestTimestamp) },
    { name: "seen_request_count", type: "bigint", values: numbers((one) => one.before?.requestCount) },
    { name: "seen_reading_at", type: "timestamptz", values: numbers((one) => one.before?.readingAtMs) },
    { name: "last_seen_at", type: "timestamptz", values: numbers((one) => one.seenAtMs) },
    { name: "clock_shift_seconds", type: "integer", values: numbers((one) => one.known.shiftSeconds) },
  ];
}

/** Columns of telemetry.states that at least one of the rows tells, without those of `keyColumns`. */
export function toldColumns(latests: readonly Latest[]): BinaryColumn[] {
  const numbers = (of: (latest: Latest) => number | undefined): Float64Array =>
    Float64Array.from(latests, (latest) => of(latest) ?? Number.NaN);
  const columns: BinaryColumn[] = [
    { name: "reading_at", type: "timestamptz", values: numbers((one) => one.known.readingAtMs) },
    { name: "request_timestamp", type: "bigint", values: numbers((one) => one.known.requestTimestamp) },
    { name: "request_count", type: "bigint", values: numbers((one) => one.known.requestCount) },
    { name: "token_count", type: "integer", values: numbers((one) => one.tokenCount) },
    { name: "tampered", type: "boolean", values: numbers((one) => one.tampered) },
    { name: "active_until", type: "timestamptz", values: numbers((one) => one.activeUntilMs) },
    { name: "latitude", type: "double precision", values: numbers((one) => one.latitude) },
    { name: "longitude", type: "double precision", values: numbers((one) => one.longitude) },
    { name: "interval_seconds", type: "integer", values: numbers((one) => one.intervalSeconds) },
    ...QUANTITY_COLUMNS.map(({ name, type }, index) => ({
      name,
      type,
      values: numbers((one) => one.quantities[index]),
    })),
    { name: "connection", type: "text", values: latests.map(({ connection }) => connection) },
    { name: "firmware_version", type: "text", values: latests.map(({ firmwareVersion }) => firmwareVersion) },
  ];
  return columns.filter(({ values }) => isTold(values));
}

function isTold(values: BinaryColumn["values"]): boolean {
  if (values instanceof Float64Array) return values.some((value) => !Number.isNaN(value));
  return values.some((value) => value !== undefined);
}
