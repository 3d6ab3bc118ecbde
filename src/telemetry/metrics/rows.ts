/** Rows of `historical_data`: lists cut short, or values by name or position, each with its time or without. */
import type { Reading } from "../frames/frame.ts";
import { clearRowSink, makeReading, putExtra, putValue, show, UNIX_SECONDS_MAX } from "../frames/reading.ts";
import type { RowSink } from "../frames/reading.ts";
import { findPlainTarget } from "../frames/variables.ts";
import type { DataFormat } from "./data-format.ts";

export type RowsAnswer =
  { readonly ok: true; readonly readings: Reading[] } | { readonly ok: false; readonly detail: string };

/**
 * Readings of the rows, oldest first. `baseSeconds` is when the data were taken: the time of the first row that has none.
 * A row's time is its relative_time since the row before, else its own timestamp, else the format's interval since the
 * row before. Rows that tell nothing but a time give no reading.
 */
export function readRows(
  rows: readonly unknown[],
  { format, baseSeconds, sink }: { format: DataFormat | undefined; baseSeconds: number; sink: RowSink },
): RowsAnswer {
  const readings: Reading[] = [];
  let seconds = baseSeconds;
  let isAscending = true;
  let isDescending = true;
  let lastMs: number | undefined;
  for (let at = 0; at < rows.length; at++) {
    clearRowSink(sink);
    const wrong = putRow(sink, rows[at], format) ?? timeFault(sink, at, format);
    if (wrong !== undefined) return { ok: false, detail: `historical_data row ${at}: ${wrong}.` };
    seconds = nextSeconds(sink, { seconds, at, interval: format?.intervalSeconds ?? 0 });
    if (!(seconds >= 0 && seconds <= UNIX_SECONDS_MAX)) {
      return {
        ok: false,
        detail: `historical_data row ${at}: its time comes to ${show(seconds)}, which is no Unix time.`,
      };
    }
    if (!sink.told) continue;
    const reading = makeReading(seconds * 1_000, sink);
    if (lastMs !== undefined) {
      if (reading.atMs < lastMs) isAscending = false;
      else if (reading.atMs > lastMs) isDescending = false;
    }
    lastMs = reading.atMs;
    readings.push(reading);
  }
  if (isAscending) return { ok: true, readings };
  return {
    ok: true,
    readings: isDescending ? readings.reverse() : readings.sort((one, other) => one.atMs - other.atMs),
  };
}

function timeFault(
  { timestamp, relativeTime }: RowSink,
  at: number,
  format: DataFormat | undefined,
): string | undefined {
  if (at === 0 || timestamp !== undefined || relativeTime !== undefined) return undefined;
  if (format?.intervalSeconds !== undefined) return undefined;
  return "it has neither timestamp nor relative_time, and no data format gives a historical_data_interval";
}

function nextSeconds(
  { timestamp, relativeTime }: RowSink,
  { seconds, at, interval }: { seconds: number; at: number; interval: number },
): number {
  if (relativeTime !== undefined) return seconds + relativeTime;
  if (timestamp !== undefined) return timestamp;
  return at === 0 ? seconds : seconds + interval;
}

function putRow(sink: RowSink, row: unknown, format: DataFormat | undefined): string | undefined {
  if (Array.isArray(row)) return putList(sink, row as readonly unknown[], format);
  if (typeof row !== "object" || row === null) return `it is ${show(row)}; it must be a list or an object`;
  for (const name in row) {
    const wrong = putNamed(sink, { name, value: (row as Record<string, unknown>)[name], format });
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function putList(sink: RowSink, row: readonly unknown[], format: DataFormat | undefined): string | undefined {
  const targets = format?.rowTargets;
  if (targets === undefined || (targets.length === 0 && row.length > 0)) {
    return "it is a list, and no data format with a historical_data_order says what its positions mean";
  }
  if (row.length > targets.length) {
    return `it has ${row.length} values, but the data format's historical_data_order names ${targets.length}`;
  }
  for (let at = 0; at < row.length; at++) {
    const target = targets[at];
    const wrong = target === undefined ? undefined : putValue(sink, target, row[at]);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function putNamed(
  sink: RowSink,
  { name, value, format }: { name: string; value: unknown; format: DataFormat | undefined },
): string | undefined {
  if (isPosition(name)) {
    const target = format?.rowTargets[Number(name)];
    if (target === undefined) {
      return `it has a value at position ${show(name)}, which no historical_data_order names`;
    }
    return putValue(sink, target, value);
  }
  const target = format?.targets.get(name) ?? findPlainTarget(name);
  return target === undefined ? putExtra(sink, name, value) : putValue(sink, target, value);
}

/** Whether a key is a position rather than a name: variables are never named by numbers. */
export function isPosition(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39 && /^[0-9]+$/.test(key);
}
