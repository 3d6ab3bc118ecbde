/** Where the devices of a simulated fleet are. */
import { makeStream } from "../rail/chance.ts";

/** A region with one climate; its villages lie within about 30 km of its middle. */
export interface Area {
  readonly name: string;
  /** Degrees, north and east positive. */
  readonly latitude: number;
  readonly longitude: number;
  /** IANA name: habits follow the clock on the wall. */
  readonly timezone: string;
}

export interface Place {
  readonly area: string;
  readonly village: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly timezone: string;
}

/** Places on both sides of the equator, dry and wet, by their towns. */
export const AREAS: readonly Area[] = [
  { name: "Kitui", latitude: -1.37, longitude: 38.01, timezone: "Africa/Nairobi" },
  { name: "Homa Bay", latitude: -0.53, longitude: 34.46, timezone: "Africa/Nairobi" },
  { name: "Lodwar", latitude: 3.12, longitude: 35.6, timezone: "Africa/Nairobi" },
  { name: "Gulu", latitude: 2.77, longitude: 32.3, timezone: "Africa/Kampala" },
  { name: "Mwanza", latitude: -2.52, longitude: 32.9, timezone: "Africa/Dar_es_Salaam" },
  { name: "Chipata", latitude: -13.64, longitude: 32.65, timezone: "Africa/Lusaka" },
  { name: "Salima", latitude: -13.78, longitude: 34.46, timezone: "Africa/Blantyre" },
  { name: "Bo", latitude: 7.96, longitude: -11.74, timezone: "Africa/Freetown" },
  { name: "Tamale", latitude: 9.4, longitude: -0.84, timezone: "Africa/Accra" },
  { name: "Maradi", latitude: 13.5, longitude: 7.1, timezone: "Africa/Niamey" },
];

/** Devices that one village has; the last one of a fleet may have fewer. */
export const VILLAGE_DEVICES = 120;
const VILLAGE_SPREAD_DEGREES = 0.27;
const DEVICE_SPREAD_DEGREES = 0.015;

/** Parses `NAME=LATITUDE,LONGITUDE`; undefined when it is none, or not on Earth. */
export function parseArea(text: string): Area | undefined {
  const match = /^([\p{L}\p{N} .'-]{1,40})=(-?\d{1,2}(?:\.\d+)?),(-?\d{1,3}(?:\.\d+)?)$/u.exec(text.trim());
  if (match === null) return undefined;
  const [, name = "", latitude, longitude] = match;
  // Nobody keeps the sun's own hour, but the zone of the longitude is near enough for habits.
  const hours = Math.round(Number(longitude) / 15);
  const timezone = `Etc/GMT${hours > 0 ? "-" : "+"}${String(Math.abs(hours))}`;
  const area = { name: name.trim(), latitude: Number(latitude), longitude: Number(longitude), timezone };
  return Math.abs(area.latitude) <= 90 && Math.abs(area.longitude) <= 180 ? area : undefined;
}

/** Where the device of this number lives. A larger fleet has the same places first. */
export function placeOf(device: number, { seed, areas }: { seed: number; areas: readonly Area[] }): Place {
  const number = Math.floor(device / VILLAGE_DEVICES);
  const area = areas[number % areas.length];
  if (area === undefined) throw new RangeError("A fleet needs one area at least.");
  const village = `${area.name} ${String(Math.floor(number / areas.length) + 1)}`;
  const around = (middle: number, spread: number, chance: () => number): number => middle + (chance() * 2 - 1) * spread;
  const ofVillage = makeStream(seed, village, "place");
  const ofDevice = makeStream(seed, village, device, "place");
  const degrees = (value: number): number => Math.round(value * 1e5) / 1e5;
  const latitude = around(around(area.latitude, VILLAGE_SPREAD_DEGREES, ofVillage), DEVICE_SPREAD_DEGREES, ofDevice);
  const longitude = around(around(area.longitude, VILLAGE_SPREAD_DEGREES, ofVillage), DEVICE_SPREAD_DEGREES, ofDevice);
  const { timezone } = area;
  return { area: area.name, village, timezone, latitude: degrees(latitude), longitude: degrees(longitude) };
}
