/** Who the devices of a fleet are: derived from the seed, or read from a file. */
import { createHash } from "node:crypto";
import { batteryOf } from "./home.ts";

export interface Credentials {
  readonly serial: string;
  /** 32 hexadecimal digits: signs frames and accepts tokens. */
  readonly keyHex: string;
  /** What the device signs in to the broker with, its serial being the user name. */
  readonly password: string;
}

/** More sockets than one process may open on any machine; whoever wants more devices starts more processes. */
export const DEVICES_MAX = 200_000;
const SERIAL = /^[\w.:-]{1,64}$/;
const KEY = /^[0-9a-fA-F]{32}$/;
const HEADER_NAMES = { serial: ["serial number", "serial"], key: ["key"], password: ["password", "mqtt password"] };

/**
 * The device of this number in the fleet of this seed. Its key follows from the seed, so anybody knows it: such devices are
 * for trying things out, and no real one may ever carry these keys.
 */
export function deriveCredentials(seed: number, device: number): Credentials {
  const serial = `SIM${String(seed)}-${String(device + 1).padStart(6, "0")}`;
  return { serial, keyHex: deriveKey(serial), password: deriveSecret("password", serial).toString("base64url", 0, 24) };
}

const deriveKey = (serial: string): string => deriveSecret("key", serial).toString("hex", 0, 16);

const deriveSecret = (purpose: string, serial: string): Buffer =>
  createHash("sha256").update(`washa simulated fleet/${purpose}/${serial}`).digest();

/**
 * The device exchange CSV of a fleet, as `washa import devices` takes it. It holds keys. Batteries are those of the fleet with this
 * seed; without one, none are named.
 */
export function fleetDevicesCsv(
  devices: readonly Credentials[],
  { model = "Fleet Home", seed }: { readonly model?: string; readonly seed?: number } = {},
): string {
  const lines = devices.map(({ serial, keyHex }) => {
    const battery = seed === undefined ? undefined : batteryOf({ seed, serial });
    const label =
      battery === undefined ? ",," : `${battery.chemistry},${String(battery.ratedAh)},${String(battery.cells)}`;
    return `${serial},${keyHex},1,1,0,${model},${label}`;
  });
  return [
    "Serial Number,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model,Battery Chemistry,Battery Ah,Battery Cells",
    ...lines,
    "",
  ].join("\n");
}

/**
 * Reads a CSV with a header: `Serial`, `Password` and, for devices that this simulator did not make, `Key`, in any order;
 * further columns are ignored. Throws RangeError with the line that is wrong; keys and passwords never stand in its text.
 */
export function parseCredentials(text: string): readonly Credentials[] {
  const [header = "", ...lines] = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const names = header.split(",").map((name) =>
    name
      .trim()
      .toLowerCase()
      .replace(/[\s_-]+/g, " "),
  );
  const columnOf = (known: readonly string[]): number => names.findIndex((name) => known.includes(name));
  const columns = {
    serial: columnOf(HEADER_NAMES.serial),
    key: columnOf(HEADER_NAMES.key),
    password: columnOf(HEADER_NAMES.password),
  };
  if (columns.serial < 0 || columns.password < 0)
    throw new RangeError("The first line names the columns serial and password, and key for devices of others.");
  const seen = new Set<string>();
  const devices = lines.flatMap((line, at) => {
    if (line.trim() === "") return [];
    const fields = line.split(",").map((field) => field.trim());
    const device = {
      serial: fields[columns.serial] ?? "",
      keyHex: columns.key < 0 ? deriveKey(fields[columns.serial] ?? "") : (fields[columns.key] ?? "").toLowerCase(),
      password: fields[columns.password] ?? "",
    };
    const where = `Line ${String(at + 2)}:`;
    if (!SERIAL.test(device.serial)) throw new RangeError(`${where} a serial has 1 to 64 letters, digits or . : - _`);
    if (!KEY.test(device.keyHex))
      throw new RangeError(`${where} the key of ${device.serial} is not 32 hexadecimal digits.`);
    if (device.password === "") throw new RangeError(`${where} ${device.serial} has no password.`);
    if (seen.has(device.serial)) throw new RangeError(`${where} ${device.serial} stands there twice.`);
    seen.add(device.serial);
    return [device];
  });
  if (devices.length === 0) throw new RangeError("The file has no devices.");
  if (devices.length > DEVICES_MAX) throw new RangeError(`One process plays at most ${String(DEVICES_MAX)} devices.`);
  return devices;
}
