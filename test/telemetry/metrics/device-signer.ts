/**
 * A device's side of OpenPAYGO Metrics, written from the specification and knowing nothing of the program's: what it
 * signs, the program must verify.
 */
import { encode } from "cborg";
import { prepareSipKey, sipHash24 } from "../../../src/devices/tokens/siphash.ts";
import type { FrameContext } from "../../../src/telemetry/frames/frame.ts";

export const METHODS = ["sa", "ta", "ca", "da", "ra"] as const;
export type Method = (typeof METHODS)[number];

export interface SigningDevice {
  readonly serial: string;
  hash(bytes: Uint8Array): bigint;
}

/** What a device wants to say; what it does not say is left out. */
export interface RequestParts {
  readonly timestamp?: number | undefined;
  readonly requestCount?: number | undefined;
  readonly data?: unknown;
  readonly history?: readonly unknown[] | undefined;
  /** Members that nobody signs: formats, accessories, the intermediary's time. */
  readonly unsigned?: Readonly<Record<string, unknown>>;
}

export interface Writing {
  readonly method: Method | undefined;
  readonly form: "simple" | "condensed";
  readonly isPadded?: boolean;
}

export function makeSigningDevice(serial: string, keyHex: string): SigningDevice {
  const key = prepareSipKey(Buffer.from(keyHex, "hex"));
  return {
    serial,
    hash(bytes) {
      const { high, low } = sipHash24(key, bytes);
      return (BigInt(high) << 32n) | BigInt(low);
    },
  };
}

/** A house that knows these devices and formats. */
export function houseOf(
  devices: readonly SigningDevice[],
  formats: Readonly<Record<number, unknown>> = {},
): FrameContext {
  const bySerial = new Map(devices.map((device) => [device.serial, device]));
  return {
    hash: (serial, bytes) => bySerial.get(serial)?.hash(bytes),
    dataFormat: (id) => (Object.hasOwn(formats, id) ? formats[id] : undefined),
  };
}

/** The request as JSON text: compact, signed over the texts it holds. */
export function writeJson(device: SigningDevice, parts: RequestParts, writing: Writing): string {
  return JSON.stringify(signedRequest(device, parts, writing));
}

/** The request in CBOR, its maps in the order of their members. */
export function writeCbor(device: SigningDevice, parts: RequestParts, writing: Writing): Uint8Array {
  return encode(signedRequest(device, parts, writing), { mapSorter: () => 0 });
}

const SHORT: Readonly<Record<string, string>> = {
  serial_number: "sn",
  timestamp: "ts",
  request_count: "rc",
  data: "d",
  historical_data: "hd",
  auth: "a",
};

export function signedRequest(device: SigningDevice, parts: RequestParts, writing: Writing): Record<string, unknown> {
  const members: readonly [string, unknown][] = [
    ["serial_number", device.serial],
    ...Object.entries(parts.unsigned ?? {}),
    ["timestamp", parts.timestamp],
    ["request_count", parts.requestCount],
    ["data", parts.data],
    ["historical_data", parts.history],
    ["auth", writing.method === undefined ? undefined : signature(device, parts, writing)],
  ];
  const told = members.filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    told.map(([name, value]) => [writing.form === "condensed" ? (SHORT[name] ?? name) : name, value]),
  );
}

function signature(device: SigningDevice, parts: RequestParts, { method = "sa", isPadded = false }: Writing): string {
  const text = (hash: bigint): string => (isPadded ? hash.toString(16).padStart(16, "0") : hash.toString(16));
  const hash = (words: string): string => text(device.hash(Buffer.from(words, "utf8")));
  const timestamp = parts.timestamp ? String(parts.timestamp) : "";
  const count = parts.requestCount ? String(parts.requestCount) : "";
  const { serial } = device;
  switch (method) {
    case "sa":
      return `sa${hash(serial)}`;
    case "ta":
      return `ta${hash(serial + timestamp)}`;
    case "ca":
      return `ca${hash(serial + count)}`;
    case "da":
      return `da${hash(serial + timestamp + count + fullJson(parts.data) + fullJson(parts.history))}`;
    case "ra": {
      let last = hash(serial);
      if (timestamp !== "") last = hash(last + timestamp);
      if (count !== "") last = hash(last + count);
      last = hash(last + (JSON.stringify(parts.data) ?? "[]"));
      for (const row of parts.history ?? []) last = hash(last + JSON.stringify(row));
      return `ra${last}`;
    }
  }
}

function fullJson(value: unknown): string {
  return value === undefined || value === null || Object.keys(value).length === 0 ? "" : JSON.stringify(value);
}
