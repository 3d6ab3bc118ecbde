/** Valid frames of every form, drawn by chance: what the fuzz run starts from. */
import type { Chance } from "../../test/crash/chance.ts";
import { METHODS, makeSigningDevice, signedRequest } from "../../test/telemetry/metrics/device-signer.ts";
import type { Method, RequestParts, SigningDevice } from "../../test/telemetry/metrics/device-signer.ts";

/** Now, for every frame of the run. */
export const NOW_SECONDS = 1_790_000_000;

export const DEVICES: readonly [SigningDevice, ...SigningDevice[]] = [
  makeSigningDevice("SLT30000123", "a29ab82edc5fbbc41ec9530f6dac86b1"),
  makeSigningDevice("OP123456789", "bc41ec9530f6dac86b1a29ab82edc5fb"),
  makeSigningDevice("TV-1", "dac86b1a29ab82edc5fbbc41ec9530f6"),
  makeSigningDevice("DEV-中文", "000102030405060708090a0b0c0d0e0f"),
];

const ROW_ORDER = [
  "panel_voltage",
  "battery_voltage",
  "panel_current",
  "battery_current",
  "energy_in",
  "overload_alert",
  "timestamp",
  "relative_time",
];

export const FORMATS: Readonly<Record<number, Record<string, unknown>>> = {
  1: {
    data_order: ["token_count", "tampered", "firmware_version", "gps", "active_until_timestamp_requested"],
    historical_data_order: ROW_ORDER,
    historical_data_interval: -60,
    variables: {
      battery_voltage: { name: "Battery", type: "integer", unit: "mV" },
      panel_voltage: { name: "Panel", type: "float", unit: "V", scale_factor: 0.1 },
      gps: { name: "Place", type: "gps" },
    },
  },
  2: {
    data_order: { 1: "tc", 2: "tampered" },
    historical_data_order: { 0: "battery_voltage", 1: "timestamp" },
    historical_data_interval: 300,
  },
};

/** A request before it is written: its members, decoded, and who signed it how. */
export interface Draft {
  readonly device: SigningDevice;
  readonly method: Method | undefined;
  readonly members: Record<string, unknown>;
}

/** A device request of any form, sometimes with accessories. */
export function drawRequest(chance: Chance, isAccessory = false): Draft {
  const device = isAccessory ? (DEVICES[2] ?? DEVICES[0]) : chance.pick(DEVICES);
  const method = chance.happens(0.1) ? undefined : chance.pick(METHODS);
  const formatId = chance.pick([undefined, 1, 2]);
  const unsigned: Record<string, unknown> = {};
  if (formatId !== undefined) {
    if (chance.happens(0.3)) unsigned.data_format = FORMATS[formatId];
    else unsigned[chance.pick(["df", "data_format_id"])] = formatId;
  }
  if (chance.happens(0.1))
    unsigned[chance.pick(["dct", "dtc", "data_collection_timestamp"])] = NOW_SECONDS - chance.below(90_000);
  if (!isAccessory && chance.happens(0.15)) {
    unsigned[chance.pick(["acc", "accessories"])] = [drawRequest(chance, true).members];
  }
  const parts: RequestParts = {
    timestamp: method === "ta" || chance.happens(0.7) ? NOW_SECONDS - chance.below(100_000) : undefined,
    requestCount: method === "ca" || chance.happens(0.7) ? 1 + chance.below(100_000) : undefined,
    data: chance.happens(0.9) ? drawData(chance, formatId) : undefined,
    history: chance.happens(0.8) ? Array.from({ length: chance.below(8) }, () => drawRow(chance, formatId)) : [],
    unsigned,
  };
  const form = chance.pick(["simple", "condensed"] as const);
  return { device, method, members: signedRequest(device, parts, { method, form, isPadded: chance.happens(0.3) }) };
}

function drawData(chance: Chance, formatId: number | undefined): unknown {
  if (formatId === 1 && chance.happens(0.6)) {
    return [chance.below(2_000), chance.pick([0, 1, true, false]), "1.14.2", [36.8, -1.3], 1].slice(0, chance.below(6));
  }
  if (formatId === 2 && chance.happens(0.6)) return { 0: chance.below(2_000), 1: 0 };
  return {
    [chance.pick(["token_count", "tc"])]: chance.below(2_000),
    firmware_version: chance.pick(["1.2.3", "v1-é", "中文"]),
    battery_voltage: formatId === 1 ? 12_600 : decimal(chance, 11, 14),
    ...(chance.happens(0.5) ? { latitude: -1.28, longitude: 36.82, active_seconds_left: chance.below(90_000) } : {}),
    ...(chance.happens(0.3) ? { note: "ok", usb_load: 1, door: true, gap: null } : {}),
  };
}

function drawRow(chance: Chance, formatId: number | undefined): unknown {
  if (formatId === 1 && chance.happens(0.6)) {
    const values = [
      chance.below(400),
      chance.below(15_000),
      decimal(chance, 0, 5),
      decimal(chance, -5, 5),
      chance.below(1e6),
      0,
    ];
    return values.slice(0, chance.below(values.length + 1));
  }
  if (formatId === 1 && chance.happens(0.5)) return { 6: NOW_SECONDS - chance.below(9_999), 5: 1 };
  if (formatId === 2 && chance.happens(0.6)) return [decimal(chance, 11, 14)];
  const time = chance.happens(0.5)
    ? { timestamp: NOW_SECONDS - chance.below(99_999) }
    : { relative_time: 60 - chance.below(600) };
  return {
    battery_voltage: formatId === 1 ? 12_800 : decimal(chance, 11, 14),
    panel_current: decimal(chance, 0, 4),
    ...time,
  };
}

function decimal(chance: Chance, low: number, high: number): number {
  return Math.round((low + chance.next() * (high - low)) * 100) / 100;
}

/** Messages of the plain topics: topic and content. */
export function drawPlain(chance: Chance): { readonly topic: string; readonly content: unknown } {
  const topic = chance.pick(["status", "event", "ack"]);
  if (topic === "status") {
    return {
      topic,
      content: {
        status: chance.pick(["online", "offline"]),
        firmware_version: "2.0",
        reporting_interval: 900,
        timestamp: NOW_SECONDS,
      },
    };
  }
  if (topic === "ack") {
    const id = "0198c0de-0000-7000-8000-00000000000a";
    return { topic, content: { id, outcome: chance.pick(["done", "refused", "failed"]), detail: "expired" } };
  }
  const event = {
    kind: chance.pick(["lid_opened", "low_battery"]),
    timestamp: NOW_SECONDS - chance.below(999),
    detail: { volts: 11.2, port: "a", on: true },
  };
  return { topic, content: chance.happens(0.3) ? { events: [event, { ...event, kind: "reboot" }] } : event };
}

export const PORTAL = "c0619ab1cd23";
const VICTRON_PATHS = [
  "system/0/Dc/Battery/Voltage",
  "system/0/Dc/Battery/Soc",
  "solarcharger/258/Yield/System",
  "solarcharger/258/Pv/V",
  "battery/256/Info/MaxChargeCurrent",
] as const;

export function drawVictron(chance: Chance): { readonly topic: string; readonly content: unknown } {
  const [first, ...others] = VICTRON_PATHS;
  return {
    topic: `N/${PORTAL}/${chance.pick([first, ...others])}`,
    content: { value: chance.pick([decimal(chance, 0, 60), null]) },
  };
}
