/** What a person asks of `simulate fleet`, read from the command line. */
import { parseArgs } from "node:util";
import { DEVICES_MAX } from "./credentials.ts";
import {
  badFaults,
  FAULT_KINDS,
  faultKinds,
  isFaultKind,
  noFaults,
  usualFaults,
  type FaultKind,
  type FaultShares,
} from "./faults.ts";
import { parseBrokerUrl, type BrokerPlace } from "./link.ts";
import type { FrameStyle } from "./metrics-frame.ts";
import { AREAS, parseArea, type Area } from "./villages.ts";

export class WrongUse extends Error {}

export interface Asked {
  readonly devices: number;
  readonly broker: BrokerPlace;
  readonly url: string;
  readonly seed: number;
  /** Undefined: the fleet lives now, until it is stopped. */
  readonly days: number | undefined;
  readonly startAtMs: number | undefined;
  readonly speed: number | undefined;
  readonly intervalSeconds: number;
  readonly rowsPerFrame: number;
  readonly bufferRowsMax: number;
  readonly shares: FaultShares;
  readonly areas: readonly Area[];
  readonly style: FrameStyle;
  readonly ageYears: number;
  readonly hasHomeFaults: boolean;
  readonly isLockedFromStart: boolean;
  readonly connectsPerSecond: number;
  readonly credentialsFile: string | undefined;
  readonly truthFile: string | undefined;
  readonly devicesFile: string | undefined;
}

const faultLines = faultKinds.map((kind) => `    ${kind.padEnd(16)} ${FAULT_KINDS[kind]}`).join("\n");

export const HELP = `A fleet of solar home systems that speak nothing but MQTT, with a seed and the truth known.

Usage: washa simulate fleet [options]

  --devices N             how many (default 100)
  --url URL               the gateway or broker, mqtt:// or mqtts:// (default mqtt://127.0.0.1:1883)
  --credentials FILE      CSV with the columns serial and password (and key, for devices that were not made here)
  --write-devices FILE    write the devices of this seed for "washa import devices", and end. The file holds keys
  --seed N                the same seed lives the same lives (default 1)
  --days N                live so many days and end; left out: live now, until interrupted
  --start INSTANT         the first of these days, such as 2026-01-31T00:00:00Z (default: so long ago that they end now)
  --speed N               simulated seconds in a second, or max: as fast as acknowledgements come (default: max with --days,
                          else 1)
  --interval SECONDS      how often a device measures (default 900)
  --rows N                measurements in a frame (default 1)
  --buffer N              measurements that a device keeps while it has no network (default 3000); then the oldest go
  --format FORM           inline (default): the data format in each frame; named: every value under its name; or the number
                          of a registered data format
  --village NAME=LAT,LON  live here instead of in the ten usual places; may be repeated
  --age YEARS             batteries have lived up to so many years before (default 0; a year takes a device some milliseconds)
  --home-faults           shade, lost cells, broken sensors and heat befall homes as the years pass
  --locked                dark until the first token; left out: a device obeys its days from its first token on
  --faults SET            none (default), usual: what a rural fleet lives with, or bad: a bad week in the rains
  --fault KIND=SHARE      the chance of one fault a day, from 0 to 1; may be repeated
  --truth FILE            write there what really happened, a line for each device and day
  --connects N            connections begun in a second (default 1000)
  --help                  this text

Faults, for a device on one day (village_…: for a village):

${faultLines}
`;

const OPTIONS = {
  devices: { type: "string", default: "100" },
  url: { type: "string", default: "mqtt://127.0.0.1:1883" },
  credentials: { type: "string" },
  "write-devices": { type: "string" },
  seed: { type: "string", default: "1" },
  days: { type: "string" },
  start: { type: "string" },
  speed: { type: "string" },
  interval: { type: "string", default: "900" },
  rows: { type: "string", default: "1" },
  buffer: { type: "string", default: "3000" },
  format: { type: "string", default: "inline" },
  village: { type: "string", multiple: true, default: [] as string[] },
  age: { type: "string", default: "0" },
  "home-faults": { type: "boolean", default: false },
  locked: { type: "boolean", default: false },
  faults: { type: "string", default: "none" },
  fault: { type: "string", multiple: true, default: [] as string[] },
  truth: { type: "string" },
  connects: { type: "string", default: "1000" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const YEAR_SECONDS = 365 * 86_400;

/** Undefined when help is asked for. Throws WrongUse with what would be right. */
export function parseAsked(argv: readonly string[]): Asked | undefined {
  const values = parseValues(argv);
  if (values.help) return undefined;
  const broker = parseBrokerUrl(values.url);
  if (broker === undefined)
    throw new WrongUse("--url is an address such as mqtt://127.0.0.1:1883 or mqtts://example.org.");
  const days = values.days === undefined ? undefined : number(values.days, { name: "days", least: 0.01, most: 3_650 });
  const speed = parseSpeed(values.speed);
  const startAtMs = values.start === undefined ? undefined : Date.parse(values.start);
  if (startAtMs !== undefined && Number.isNaN(startAtMs))
    throw new WrongUse("--start is an instant such as 2026-01-31T00:00:00Z.");
  if (days === undefined && (startAtMs !== undefined || (speed ?? 1) !== 1))
    throw new WrongUse(
      "--start and --speed need --days: a fleet that lives on would soon tell of times that have not come yet.",
    );
  return {
    devices: whole(values.devices, { name: "devices", least: 1, most: DEVICES_MAX }),
    broker,
    url: values.url,
    seed: whole(values.seed, { name: "seed", least: 0, most: 999_999_999 }),
    days,
    startAtMs,
    speed,
    intervalSeconds: whole(values.interval, { name: "interval", least: 1, most: 7 * 86_400 }),
    rowsPerFrame: whole(values.rows, { name: "rows", least: 1, most: 100 }),
    bufferRowsMax: whole(values.buffer, { name: "buffer", least: 1, most: YEAR_SECONDS }),
    shares: parseShares(values.faults, values.fault),
    areas: parseAreas(values.village),
    style: parseStyle(values.format),
    ageYears: number(values.age, { name: "age", least: 0, most: 15 }),
    hasHomeFaults: values["home-faults"],
    isLockedFromStart: values.locked,
    connectsPerSecond: whole(values.connects, { name: "connects", least: 1, most: 100_000 }),
    credentialsFile: values.credentials,
    truthFile: values.truth,
    devicesFile: values["write-devices"],
  };
}

function parseValues(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    if (error instanceof TypeError) throw new WrongUse(`${error.message}.`, { cause: error });
    throw error;
  }
}

type Bounds = { readonly name: string; readonly least: number; readonly most: number };

function number(text: string, { name, least, most }: Bounds): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new WrongUse(`--${name} is a number from ${String(least)} to ${String(most)}.`);
  return value;
}

function whole(text: string, { name, least, most }: Bounds): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new WrongUse(`--${name} is a whole number from ${String(least)} to ${String(most)}.`);
  return value;
}

function parseSpeed(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === "max") return Number.POSITIVE_INFINITY;
  return number(text, { name: "speed", least: 0.01, most: 1_000_000 });
}

function parseShares(set: string, single: readonly string[]): FaultShares {
  const sets: ReadonlyMap<string, FaultShares> = new Map([
    ["none", noFaults],
    ["usual", usualFaults],
    ["bad", badFaults],
  ]);
  const chosen = sets.get(set);
  if (chosen === undefined) throw new WrongUse("--faults is none, usual or bad.");
  const shares: Record<FaultKind, number> = { ...chosen };
  for (const text of single) {
    const [kind = "", share = ""] = text.split("=");
    if (!isFaultKind(kind) || !/^(0|1|0?\.\d+)$/.test(share))
      throw new WrongUse(`--fault takes KIND=SHARE such as gap=0.2. Kinds: ${faultKinds.join(", ")}.`);
    shares[kind] = Number(share);
  }
  return shares;
}

function parseAreas(texts: readonly string[]): readonly Area[] {
  if (texts.length === 0) return AREAS;
  return texts.map((text) => {
    const area = parseArea(text);
    if (area === undefined) throw new WrongUse("--village takes NAME=LATITUDE,LONGITUDE such as Kitui=-1.37,38.01.");
    return area;
  });
}

function parseStyle(text: string): FrameStyle {
  if (text === "inline" || text === "named") return text;
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new WrongUse("--format is inline, named or the number of a registered format.");
  return { formatId: Number(text) };
}
