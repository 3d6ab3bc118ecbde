/**
 * The simple form: every short name long, every list named, every row with its time. Readings are written in it for `GET /dd`
 * (`writeReadings`), which has no requests to expand, since readings are what is kept; requests are (`expandRequest`) to hold what we
 * understand of them against the reference program's expansion: `npm run accept:vectors`.
 */
import type { Reading } from "../frames/frame.ts";
import { QUANTITIES } from "../frames/frame.ts";
import { metricsNameOf } from "../frames/variables.ts";
import type { DataFormat } from "./data-format.ts";
import { findRequestName, longVariableName } from "./names.ts";
import { isPosition } from "./rows.ts";

type Named = Readonly<Record<string, unknown>>;

/**
 * The simple form of a request, as the specification's reference program expands it: without its auth, variables that a
 * list of `data` cut short as null, accessories as they were. `receivedAt` in Unix seconds stands in for a missing time.
 * The request must have been read before; of one that was refused, what cannot be named is left out.
 */
export function expandRequest(
  request: Named,
  { format, receivedAt }: { format: DataFormat | undefined; receivedAt: number },
): Record<string, unknown> {
  const simple: Record<string, unknown> = {};
  for (const [written, value] of Object.entries(request)) {
    const name = findRequestName(written);
    if (name !== "auth") setOwn(simple, name ?? written, value);
  }
  const base = numberOr(simple.data_collection_timestamp) ?? numberOr(simple.timestamp) ?? receivedAt;
  simple.data = expandData(simple.data, format?.dataOrder ?? []);
  simple.historical_data = expandRows(simple.historical_data, { format, base });
  return simple;
}

function expandData(data: unknown, order: readonly string[]): Record<string, unknown> {
  const simple: Record<string, unknown> = {};
  if (Array.isArray(data)) {
    if (data.length === 0) return simple;
    for (const [at, name] of order.entries()) setOwn(simple, name, (data as readonly unknown[])[at] ?? null);
    return simple;
  }
  for (const [key, value] of Object.entries((data ?? {}) as Named)) {
    setOwn(simple, isPosition(key) ? (order[Number(key)] ?? key) : longVariableName(key), value);
  }
  return simple;
}

function expandRows(rows: unknown, { format, base }: { format: DataFormat | undefined; base: number }): Named[] {
  let seconds = base;
  return ((rows ?? []) as readonly unknown[]).map((row, at) => {
    const simple = nameRow(row, format?.rowOrder ?? []);
    const relative = numberOr(simple.relative_time) ?? (simple.relative_time === 0 ? 0 : undefined);
    const own = numberOr(simple.timestamp);
    if (relative !== undefined) seconds += relative;
    else if (own !== undefined) seconds = own;
    else if (at > 0) seconds += format?.intervalSeconds ?? 0;
    delete simple.relative_time;
    simple.timestamp = seconds;
    return simple;
  });
}

function nameRow(row: unknown, order: readonly string[]): Record<string, unknown> {
  const simple: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row as Named)) {
    setOwn(simple, isPosition(key) ? (order[Number(key)] ?? key) : key, value);
  }
  return simple;
}

/** Names come from outside: `__proto__` must become a member and not the prototype. */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function numberOr(value: unknown): number | undefined {
  return typeof value === "number" && value !== 0 ? value : undefined;
}

/** Readings as a device request in the simple form, which is what `GET /device_data` answers. Times in Unix seconds. */
export function writeReadings(serial: string, readings: readonly Reading[]): Record<string, unknown> {
  return {
    serial_number: serial,
    historical_data: readings.map((reading) => {
      const row: Record<string, unknown> = { timestamp: reading.atMs / 1_000 };
      for (const quantity of QUANTITIES) {
        const value = reading[quantity];
        const { name, sign } = metricsNameOf(quantity);
        // 0 - value, so that a turned 0 is no -0.
        if (value !== undefined) row[name] = sign === 1 ? value : 0 - value;
      }
      return { ...row, ...reading.extra };
    }),
  };
}
