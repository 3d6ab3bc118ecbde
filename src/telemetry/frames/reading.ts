/**
 * Readings are made here and nowhere else: every one has the same fields in the same order, so that the engine keeps one
 * hidden class for the millions of them, and what reads them stays fast.
 */
import { QUANTITIES } from "./frame.ts";
import type { Reading } from "./frame.ts";
import type { Target } from "./variables.ts";

/** What one row of a device is gathered in; used again for the next row, so that a row allocates its reading alone. */
export interface RowSink {
  readonly values: (number | undefined)[];
  extra: Record<string, string | number | boolean> | undefined;
  extraCount: number;
  /** Unix seconds that the row itself gives. */
  timestamp: number | undefined;
  /** Seconds since the row before it. */
  relativeTime: number | undefined;
  /** Whether any quantity or extra was told. */
  told: boolean;
}

/** More names than any device has in one row; past it somebody tries how much we hold. */
export const EXTRA_NAMES_MAX = 128;
export const NAME_CHARACTERS_MAX = 64;
export const TEXT_CHARACTERS_MAX = 512;

/** Seconds at the end of the year 9999: anything greater was meant as milliseconds, or as nonsense. */
export const UNIX_SECONDS_MAX = 253_402_300_799;

export function makeRowSink(): RowSink {
  return {
    values: QUANTITIES.map(() => undefined),
    extra: undefined,
    extraCount: 0,
    timestamp: undefined,
    relativeTime: undefined,
    told: false,
  };
}

export function clearRowSink(sink: RowSink): void {
  const { values } = sink;
  for (let slot = 0; slot < values.length; slot++) values[slot] = undefined;
  sink.extra = undefined;
  sink.extraCount = 0;
  sink.timestamp = undefined;
  sink.relativeTime = undefined;
  sink.told = false;
}

/** The reading of what a sink holds. `atMs` is rounded to whole milliseconds. */
export function makeReading(atMs: number, { values, extra }: Pick<RowSink, "values" | "extra">): Reading {
  return {
    atMs: Math.round(atMs),
    extra,
    panelVoltageV: values[0],
    panelCurrentA: values[1],
    panelPowerW: values[2],
    batteryVoltageV: values[3],
    batteryCurrentA: values[4],
    batteryChargePercent: values[5],
    batteryTemperatureC: values[6],
    loadCurrentA: values[7],
    loadPowerW: values[8],
    ambientTemperatureC: values[9],
    energyInWh: values[10],
    energyOutWh: values[11],
    signalDbm: values[12],
  };
}

/** Puts one value where its target says. Answers what is wrong with the value, or nothing. Null tells nothing. */
export function putValue(sink: RowSink, target: Target, value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  switch (target.kind) {
    case "quantity":
      return putQuantity(sink, target, value);
    case "extra":
      return putExtra(sink, target.name, typeof value === "number" ? value * target.factor : value);
    case "timestamp":
      return putTimestamp(sink, value);
    case "relative_time":
      if (typeof value !== "number" || !(Math.abs(value) <= UNIX_SECONDS_MAX)) {
        return `relative_time is ${show(value)}; it must be a number of seconds`;
      }
      sink.relativeTime = value;
      return undefined;
    case "place":
      return putPlace(sink, target.name, value);
  }
}

function putQuantity(sink: RowSink, target: Target, value: unknown): string | undefined {
  if (typeof value !== "number") return `${target.name} is ${show(value)}; it must be a number or null`;
  const measured = value * target.factor + target.offset;
  // Written so that NaN fails too.
  if (!(measured >= target.low && measured <= target.high)) {
    if (isAbsentSensor(target, value)) return undefined;
    return (
      `${target.name} is ${show(value)}, which is ${show(measured)} ${target.unit}; possible is ` +
      `${target.low} to ${target.high} ${target.unit} (name its unit or scale_factor in the data format)`
    );
  }
  sink.values[target.slot] = target.whole ? Math.round(measured) : measured;
  sink.told = true;
  return undefined;
}

/**
 * What sensors say when they are not there: -127 by Dallas thermometers, 99 by modems to AT+CSQ. It is no measure, and
 * not worth the row.
 */
function isAbsentSensor(target: Target, value: number): boolean {
  return (target.unit === "°C" && value === -127) || (target.unit === "dBm" && value === 99);
}

/** Puts what no quantity holds. */
export function putExtra(sink: RowSink, name: string, value: unknown): string | undefined {
  const wrongName = nameFault(name);
  if (wrongName !== undefined) return wrongName;
  if (value === null || value === undefined) return undefined;
  const wrong = scalarFault(name, value);
  if (wrong !== undefined) return wrong;
  if (++sink.extraCount > EXTRA_NAMES_MAX) return `has more than ${EXTRA_NAMES_MAX} variables`;
  sink.extra ??= {};
  sink.extra[name] = value as string | number | boolean;
  sink.told = true;
  return undefined;
}

/** Places come as [longitude, latitude]; in a row they are kept under two names. */
function putPlace(sink: RowSink, name: string, value: unknown): string | undefined {
  const place = readPlace(value);
  if (place === undefined) return `${name} is ${show(value)}; a place is [longitude, latitude] in degrees`;
  return putExtra(sink, `${name}_longitude`, place.longitude) ?? putExtra(sink, `${name}_latitude`, place.latitude);
}

/** [longitude, latitude] in degrees, as OpenPAYGO Metrics and GeoJSON order them; undefined when it is no place. */
export function readPlace(value: unknown): { readonly longitude: number; readonly latitude: number } | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [longitude, latitude] = value as readonly unknown[];
  if (typeof longitude !== "number" || typeof latitude !== "number") return undefined;
  if (!(Math.abs(longitude) <= 180) || !(Math.abs(latitude) <= 90)) return undefined;
  return { longitude, latitude };
}

function putTimestamp(sink: RowSink, value: unknown): string | undefined {
  if (typeof value !== "number" || !(value >= 0)) return `timestamp is ${show(value)}; it must be Unix seconds`;
  if (value > UNIX_SECONDS_MAX) return `timestamp is ${show(value)}; it must be Unix seconds, not milliseconds`;
  // Zero is how a device without a clock fills the field.
  if (value > 0) sink.timestamp = value;
  return undefined;
}

/** What is wrong with the name of a variable, or nothing. */
export function nameFault(name: string): string | undefined {
  if (name.length === 0 || name.length > NAME_CHARACTERS_MAX) {
    return `has a variable whose name is ${name.length} characters long; 1 to ${NAME_CHARACTERS_MAX} are possible`;
  }
  if (name === "__proto__" || !isStorable(name)) return `has a variable that may not be named ${show(name)}`;
  return undefined;
}

/** What is wrong with a value that is kept as it is, or nothing. */
export function scalarFault(name: string, value: unknown): string | undefined {
  if (typeof value === "boolean") return undefined;
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : `${name} is ${show(value)}; it must be a finite number or null`;
  }
  if (typeof value !== "string") return `${name} is ${show(value)}; only numbers, texts, true, false and null are kept`;
  if (value.length > TEXT_CHARACTERS_MAX) {
    return `${name} is a text of ${value.length} characters; at most ${TEXT_CHARACTERS_MAX} are kept`;
  }
  return isStorable(value) ? undefined : `${name} is a text with a NUL or half a character pair, which cannot be kept`;
}

/** PostgreSQL holds neither NUL nor unpaired surrogates in text; one such text would fail a whole batch. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

const SHOWN_CHARACTERS_MAX = 40;

/** A value as a complaint shows it: short, on one line, printable. */
export function show(value: unknown): string {
  if (typeof value === "string") return `"${clip(value)}"`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return clip(String(value));
}

function clip(text: string): string {
  const printable = text.slice(0, SHOWN_CHARACTERS_MAX).replace(/[\p{Cc}\u2028\u2029]/gu, "?");
  return text.length > SHOWN_CHARACTERS_MAX ? `${printable.toWellFormed()}…` : printable.toWellFormed();
}
