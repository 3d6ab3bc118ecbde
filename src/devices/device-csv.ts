import { parse } from "csv-parse/sync";
import { InvalidInput } from "../kernel/refusal.ts";
import { isSerial, SERIAL_RULE } from "../kernel/serial.ts";
import { parseBatteryLabel, type BatteryLabel } from "./battery-label.ts";
import { defaultStartingCode, parseKey } from "./tokens/openpaygo.ts";

/** One line of the standard device exchange file, checked. */
export interface DeviceLine {
  readonly serial: string;
  readonly key: Uint8Array;
  readonly startingCode: number;
  readonly count: number;
  readonly timeDivider: number;
  readonly restrictedDigits: boolean;
  readonly model: string;
  readonly hardwareVersion: string | undefined;
  readonly testCode: string | undefined;
  readonly battery: BatteryLabel | undefined;
}

export interface LineRefusal {
  /** Line of the file, the header being line 1. */
  readonly line: number;
  readonly reason: string;
}

/** Files of this size are read in a moment; a larger one is split by its sender. */
export const DEVICE_LINES_MAX = 100_000;

const truths = new Map([
  ["0", false],
  ["false", false],
  ["no", false],
  ["", false],
  ["1", true],
  ["true", true],
  ["yes", true],
]);

/**
 * Reads the device exchange CSV of the OpenPAYGO ecosystem (Serial Number, Starting Code, Key, Count, Time Divider, Restricted Digit
 * Mode, Hardware Model, Version, Test Code) in any column order, and three columns of our own: Battery Chemistry, Battery Ah,
 * Battery Cells. Throws InvalidInput when it is no such file; single bad lines are returned as refusals, and the caller decides
 * whether the rest is taken. Keys never appear in a refusal. `refuseBattery` tells why a battery cannot be.
 */
export function parseDeviceCsv(
  text: string,
  refuseBattery: (label: BatteryLabel) => string | undefined = () => undefined,
): {
  readonly devices: readonly DeviceLine[];
  readonly refused: readonly LineRefusal[];
} {
  const [header, ...records] = readRecords(text);
  if (header === undefined || records.length === 0) throw new InvalidInput("The file has no devices.", "csv");
  if (records.length > DEVICE_LINES_MAX)
    throw new InvalidInput(`At most ${DEVICE_LINES_MAX} devices fit into one file.`, "csv");
  const names = header.fields.map((name) => name.toLowerCase().replace(/[\s_-]+/g, " "));
  for (const needed of ["serial number", "key"]) {
    if (!names.includes(needed)) throw new InvalidInput(`The column "${needed}" is missing.`, "csv");
  }
  const devices: DeviceLine[] = [];
  const refused: LineRefusal[] = [];
  const seen = new Set<string>();
  for (const { fields, line } of records) {
    const surplus = fields.slice(names.length).some((field) => field !== "");
    const outcome = surplus
      ? "The line has more fields than the header."
      : parseLine(Object.fromEntries(names.map((name, at) => [name, fields[at] ?? ""])), refuseBattery);
    if (typeof outcome === "string") refused.push({ line, reason: outcome });
    else if (seen.has(outcome.serial))
      refused.push({ line, reason: `The serial ${outcome.serial} stands in the file twice.` });
    else {
      seen.add(outcome.serial);
      devices.push(outcome);
    }
  }
  return { devices, refused };
}

/** All records with the line of the file that each ends on. The header decides what separates fields: models have commas. */
function readRecords(text: string): readonly { fields: readonly string[]; line: number }[] {
  const [firstLine = ""] = text.split(/\r?\n/, 1);
  const delimiter = [",", ";", "\t"].reduce((best, next) =>
    firstLine.split(next).length > firstLine.split(best).length ? next : best,
  );
  const lines: number[] = [];
  try {
    const records = parse(text, {
      bom: true,
      delimiter,
      skip_empty_lines: true,
      trim: true,
      relax_column_count: true,
      to: DEVICE_LINES_MAX + 2,
      on_record: (record: string[], { lines: line }) => {
        lines.push(line);
        return record;
      },
    });
    return records.map((fields, at) => ({ fields, line: lines[at] ?? 0 }));
  } catch (cause) {
    throw new InvalidInput(`This is not a CSV file: ${cause instanceof Error ? cause.message : String(cause)}`, "csv");
  }
}

function parseLine(
  record: Record<string, string>,
  refuseBattery: (label: BatteryLabel) => string | undefined,
): DeviceLine | string {
  const field = (...names: string[]): string =>
    names.map((name) => record[name]).find((value) => value !== undefined) ?? "";
  const serial = field("serial number");
  if (!isSerial(serial)) return SERIAL_RULE;
  const key = parseKey(field("key"));
  if (!key.ok) return "The key is not 32 hexadecimal digits.";
  const whole = (text: string, fallback: number): number =>
    text === "" ? fallback : /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  const startingCode = whole(field("starting code"), defaultStartingCode(key.key));
  const count = whole(field("count"), 1);
  const timeDivider = whole(field("time divider"), 1);
  if (Number.isNaN(startingCode)) return "The starting code is not a number of at most nine digits.";
  if (Number.isNaN(count) || count > 100_000) return "The count is not a whole number up to 100000.";
  if (Number.isNaN(timeDivider) || timeDivider < 1 || timeDivider > 255)
    return "The time divider is not a whole number from 1 to 255.";
  const restrictedDigits = truths.get(field("restricted digit mode", "restricted digit set").toLowerCase());
  if (restrictedDigits === undefined) return "The restricted digit mode is neither 0 nor 1.";
  const testCode = field("test code");
  if (testCode !== "" && !/^\d{1,20}$/.test(testCode)) return "The test code is not a number.";
  const battery = parseBatteryLabel(field);
  if (typeof battery === "string") return battery;
  const wrong = battery === undefined ? undefined : refuseBattery(battery);
  if (wrong !== undefined) return wrong;
  return {
    serial,
    key: key.key,
    startingCode,
    count,
    timeDivider,
    restrictedDigits,
    model: field("hardware model", "model") || "unknown",
    hardwareVersion: field("version") || undefined,
    testCode: testCode || undefined,
    battery,
  };
}
