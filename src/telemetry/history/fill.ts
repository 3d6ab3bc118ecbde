import type { DeviceDay } from "./fill.store.ts";

/**
 * Devices whose readings here and there are not the same. History may hold more than PostgreSQL does (a dump is older than what
 * was copied since) and yet miss some, so only equal figures are left alone.
 */
export function devicesThatDiffer(here: readonly DeviceDay[], there: readonly DeviceDay[]): readonly DeviceDay[] {
  const known = new Map(there.map((one) => [one.device, one]));
  return here.filter((one) => {
    const other = known.get(one.device);
    return other === undefined || other.rows !== one.rows || other.instants !== one.instants;
  });
}

/** Devices in groups of at most so many rows; a device with more is a group of its own. */
export function slicesOf(devices: readonly DeviceDay[], rowsMax: number): readonly (readonly number[])[] {
  const slices: number[][] = [];
  let room = 0;
  for (const { device, rows } of devices) {
    const last = slices.at(-1);
    if (last === undefined || rows > room || last.length >= DEVICES_MAX) {
      slices.push([device]);
      room = rowsMax - rows;
    } else {
      last.push(device);
      room -= rows;
    }
  }
  return slices;
}

/** They stand in a query, whose text servers bound at 256 KB. */
const DEVICES_MAX = 5_000;
