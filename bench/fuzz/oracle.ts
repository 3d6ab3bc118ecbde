/** What must hold of every outcome, whatever the frame was. */
import { isDeepStrictEqual } from "node:util";
import { decode } from "cborg";
import { QUANTITIES } from "../../src/telemetry/frames/frame.ts";
import type { DeviceFrame, FrameOutcome, FrameRefusal, Reading } from "../../src/telemetry/frames/frame.ts";
import type { FuzzCase } from "./cases.ts";

const REASONS: ReadonlySet<string> = new Set([
  "too_large",
  "not_readable",
  "wrong_schema",
  "unknown_device",
  "foreign_serial",
  "unknown_format",
  "not_signed",
  "signature_invalid",
  "clock_off",
  "too_many_rows",
  "unknown_topic",
] satisfies FrameRefusal["reason"][]);

const READING_FIELDS = ["atMs", "extra", ...QUANTITIES].join();
const YEAR_10000_MS = 253_402_300_800_000;

/** What is wrong with an outcome, or nothing. `mayBeUnsigned` where the connection vouches for its device. */
export function outcomeFault(outcome: FrameOutcome, fuzz: FuzzCase, mayBeUnsigned: boolean): string | undefined {
  if (!outcome.ok) return refusalFault(outcome.refusal);
  for (const refusal of outcome.setAside ?? []) {
    const wrong = refusalFault(refusal);
    if (wrong !== undefined) return wrong;
  }
  for (const frame of outcome.frames) {
    const wrong = frameFault(frame);
    if (wrong !== undefined) return `${frame.serial}: ${wrong}`;
  }
  return fuzz.form.startsWith("metrics") ? trustFault(outcome.frames, fuzz, mayBeUnsigned) : undefined;
}

function refusalFault({ reason, detail, serial }: FrameRefusal): string | undefined {
  if (!REASONS.has(reason)) return `refused for ${reason}, which is no reason`;
  if (detail.length < 10 || detail.length > 600) return `a detail of ${detail.length} characters`;
  if (/\p{Cc}/u.test(detail) || !detail.isWellFormed())
    return `a detail that cannot be stored: ${JSON.stringify(detail)}`;
  return serial !== undefined && (serial.length > 64 || serial.includes("\0"))
    ? `a serial of ${serial.length} characters`
    : undefined;
}

function frameFault({ serial, sentAtMs, readings, standing, events, answers }: DeviceFrame): string | undefined {
  if (!/^[\p{L}\p{N}][^\0/#+]{0,63}$/u.test(serial)) return "a serial that is none";
  if (sentAtMs !== undefined && !isInstant(sentAtMs)) return `sent at ${sentAtMs}`;
  let last = -1;
  for (const reading of readings) {
    const wrong = reading.atMs < last ? "readings out of order" : readingFault(reading);
    if (wrong !== undefined) return wrong;
    last = reading.atMs;
  }
  for (const { atMs, kind, detail } of events) {
    if (!isInstant(atMs) || !/^[a-z][a-z0-9_]*$/.test(kind) || scalarsFault(detail) !== undefined)
      return `event ${kind}`;
  }
  for (const { commandId, detail } of answers) {
    if (commandId.length !== 36 || !isStorable(detail ?? "")) return `answer to ${commandId}`;
  }
  if (standing === undefined) return undefined;
  const { tokenCount, intervalSeconds, activeUntilMs, latitude, longitude, firmwareVersion } = standing;
  if (!isInteger(tokenCount) || !isInteger(intervalSeconds) || !isStorable(firmwareVersion ?? ""))
    return "a standing past its columns";
  if (typeof activeUntilMs === "number" && !isInstant(activeUntilMs)) return `light until ${activeUntilMs}`;
  return Math.abs(latitude ?? 0) > 90 || Math.abs(longitude ?? 0) > 180 ? "a place off the globe" : undefined;
}

function readingFault(reading: Reading): string | undefined {
  if (Object.keys(reading).join() !== READING_FIELDS) return "a reading of another shape";
  if (!isInstant(reading.atMs)) return `a reading at ${reading.atMs}`;
  for (const name of QUANTITIES) {
    const value = reading[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isFinite(value) || Object.is(value, -0)) return `${name} ${String(value)}`;
    if (name.endsWith("Wh") && (!Number.isSafeInteger(value) || value < 0)) return `${name} ${value}`;
  }
  return reading.extra === undefined ? undefined : scalarsFault(reading.extra);
}

function scalarsFault(values: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.getPrototypeOf(values) !== Object.prototype) return "an object with another prototype";
  for (const [name, value] of Object.entries(values)) {
    const isKept =
      typeof value === "boolean" ||
      (typeof value === "number" ? Number.isFinite(value) : typeof value === "string" && isStorable(value));
    if (!isKept || !isStorable(name)) return `a value that cannot be kept: ${name}`;
  }
  return undefined;
}

const isInstant = (atMs: number): boolean => Number.isSafeInteger(atMs) && atMs >= 0 && atMs < YEAR_10000_MS;
const isInteger = (value: number | undefined): boolean =>
  value === undefined || (Number.isInteger(value) && value >= 0 && value < 2 ** 31);
const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed();

/**
 * Whatever a method signs must be, in each frame that was taken, what a device signed. This knows neither the scanner nor
 * the hashes: it decodes the spoiled bytes by the ordinary decoders and compares with what was drawn.
 */
function trustFault(
  frames: readonly DeviceFrame[],
  { raw, signed }: FuzzCase,
  mayBeUnsigned: boolean,
): string | undefined {
  const root = decodeLoosely(raw.payload);
  const accessories = member(root, "accessories", "acc");
  const told = [root, ...(Array.isArray(accessories) ? (accessories as unknown[]).filter(isObject) : [])];
  for (const [at, { serial }] of frames.entries()) {
    const request = at === 0 ? root : told.slice(1).find((other) => serialOf(other) === serial);
    if (request === undefined || serialOf(request) !== serial) return `a frame of ${serial} that nobody sent`;
    const auth = member(request, "auth", "a");
    if (auth === undefined || auth === null) {
      if (!mayBeUnsigned || at > 0 || raw.serial !== serial) return `an unsigned request of ${serial} was taken`;
      continue;
    }
    if (typeof auth !== "string") return `a request of ${serial} was taken with an auth that is no text`;
    const content = signedContent(request);
    if (!signed.some((original) => isDeepStrictEqual(signedContent(original), content))) {
      return `a request of ${serial} was taken that nobody signed (${auth.slice(0, 2)})`;
    }
  }
  return undefined;
}

function decodeLoosely(payload: Uint8Array): Record<string, unknown> {
  const first = payload[0] ?? 0;
  if (first < 0xa0) return JSON.parse(Buffer.from(payload).toString("utf8")) as Record<string, unknown>;
  const marked = first === 0xd9 ? payload.subarray(3) : payload;
  return fromMaps(decode(marked, { useMaps: true })) as Record<string, unknown>;
}

function fromMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromMaps);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...(value as Map<unknown, unknown>)].map(([key, item]) => [String(key), fromMaps(item)]));
}

function member(request: Record<string, unknown>, ...names: readonly string[]): unknown {
  return names.map((name) => request[name]).find((value) => value !== undefined);
}

const serialOf = (request: Record<string, unknown>): unknown => member(request, "serial_number", "sn");

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/**
 * What the auth of a request signs of it, decoded: serial, timestamp, count, data and rows. A `da` without data and rows
 * signs what `ta` and `ca` do, and is the same text: that is the specification's, and no forgery.
 */
function signedContent(request: Record<string, unknown>): readonly unknown[] {
  const method = String(member(request, "auth", "a") as string).slice(0, 2);
  const has = (...methods: readonly string[]): boolean => methods.includes(method);
  const data = member(request, "data", "d") ?? [];
  const rows = member(request, "historical_data", "hd") ?? [];
  const text = (value: unknown): string | undefined =>
    method === "da" && Object.keys(value as object).length === 0 ? undefined : JSON.stringify(value);
  return [
    serialOf(request),
    has("ta", "da", "ra") ? member(request, "timestamp", "ts") || undefined : undefined,
    has("ca", "da", "ra") ? member(request, "request_count", "rc") || undefined : undefined,
    has("da", "ra") ? text(data) : undefined,
    has("da", "ra") ? text(rows) : undefined,
  ];
}
