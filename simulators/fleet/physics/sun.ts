import type { Chance } from "./chance.ts";

/** Where a system stands. Degrees, north and east above zero; `timezone` is an IANA name. */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
  readonly timezone: string;
}

const DAY_MS = 86_400_000;
const YEAR_DAYS = 365.2422;
const RADIANS = Math.PI / 180;

/** Days since the first of January 2000, with the time of day as a fraction (UTC). */
function daysSince2000(atMs: number): number {
  return (atMs - 946_684_800_000) / DAY_MS;
}

/**
 * The cosine of the sun's angle from the zenith; below zero at night.
 * Declination by Cooper (1969, Solar Energy 12, 333); the equation of time by the short form in use everywhere (9.87, 7.53, 1.5),
 * right to a minute or so.
 */
export function cosineOfZenith(place: Place, atMs: number): number {
  const days = daysSince2000(atMs);
  const dayOfYear = (((days % YEAR_DAYS) + YEAR_DAYS) % YEAR_DAYS) + 1;
  const declination = 23.45 * RADIANS * Math.sin((2 * Math.PI * (284 + dayOfYear)) / 365);
  const turn = (2 * Math.PI * (dayOfYear - 81)) / 364;
  const equationMinutes = 9.87 * Math.sin(2 * turn) - 7.53 * Math.cos(turn) - 1.5 * Math.sin(turn);
  const solarHours = (days - Math.floor(days)) * 24 + place.longitude / 15 + equationMinutes / 60;
  const hourAngle = (solarHours - 12) * 15 * RADIANS;
  const latitude = place.latitude * RADIANS;
  return Math.sin(latitude) * Math.sin(declination) + Math.cos(latitude) * Math.cos(declination) * Math.cos(hourAngle);
}

/** Global irradiance of a cloudless sky on level ground in W/m²: Haurwitz (1945, Journal of Meteorology 2, 154). */
export function clearSkyIrradiance(cosine: number): number {
  return cosine <= 0.01 ? 0 : 1_098 * cosine * Math.exp(-0.057 / cosine);
}

/** What of the clear sky's light reaches the ground on each kind of day. */
const KINDS_OF_DAY = [
  { name: "clear", clearness: 0.97, unrest: 0.03 },
  { name: "mixed", clearness: 0.68, unrest: 0.2 },
  { name: "dull", clearness: 0.33, unrest: 0.12 },
] as const;

/** Chances of tomorrow's kind of day, by today's: in the dry half of the year, and in the wet one. */
const TOMORROW = {
  dry: [
    [0.72, 0.23, 0.05],
    [0.45, 0.45, 0.1],
    [0.3, 0.45, 0.25],
  ],
  wet: [
    [0.42, 0.42, 0.16],
    [0.22, 0.5, 0.28],
    [0.12, 0.43, 0.45],
  ],
} as const;

/** The weather over one system: how much of a clear sky's light comes through, and the air's temperature. */
export interface Weather {
  /** Moves to the instant; asked in time order. `clearness` 0 to 1, `airC` in degrees Celsius. */
  at(atMs: number): { readonly clearness: number; readonly airC: number };
}

/**
 * Days follow each other as a Markov chain of three kinds (the usual model of daily clearness: Aguiar, Collares-Pereira
 * and Conde 1988, Solar Energy 40, 269), with a wet and a dry half of the year; within the day clouds pass as a
 * first-order autoregression of half an hour. The chances are round figures for the tropics, not a fit to one station.
 *
 * The air: a yearly wave that grows with latitude, a daily wave with its peak at three in the afternoon, damped by clouds,
 * and warm and cool spells of some days.
 */
export function makeWeather(place: Place, chance: Chance): Weather {
  const wetFrom = chance.unit();
  const highlandC = chance.between(0, 9);
  const meanC = 29 - highlandC - 0.25 * Math.max(0, Math.abs(place.latitude) - 12);
  const seasonC = 0.5 + 0.3 * Math.abs(place.latitude);
  let day = Number.NaN;
  let kind: 0 | 1 | 2 = chance.happens(0.6) ? 0 : 1;
  let spellC = 0;
  let cloud = 0;
  let cloudAtMs = Number.NaN;
  const nextDay = (to: number): void => {
    // After a long silence the chain has forgotten where it stood: a month of steps is as good as all of them.
    for (let left = Number.isNaN(day) ? 1 : Math.min(30, to - day); left > 0; left -= 1) {
      const phase = (((to / YEAR_DAYS + wetFrom) % 1) + 1) % 1;
      const chances = TOMORROW[phase < 0.5 ? "wet" : "dry"][kind];
      const draw = chance.unit();
      kind = draw < chances[0] ? 0 : draw < chances[0] + chances[1] ? 1 : 2;
      spellC = 0.8 * spellC + 0.9 * chance.normal();
    }
    day = to;
  };
  return {
    at(atMs) {
      const localDays = daysSince2000(atMs) + place.longitude / 360;
      const today = Math.floor(localDays);
      if (today !== day) nextDay(today);
      const { clearness, unrest } = KINDS_OF_DAY[kind];
      const minutes = Number.isNaN(cloudAtMs) ? 1_000 : (atMs - cloudAtMs) / 60_000;
      if (minutes > 0) {
        const kept = Math.exp(-minutes / 30);
        cloud = kept * cloud + Math.sqrt(1 - kept * kept) * chance.normal();
        cloudAtMs = atMs;
      }
      const dayOfYear = ((localDays % YEAR_DAYS) + YEAR_DAYS) % YEAR_DAYS;
      const warmest = place.latitude >= 0 ? 200 : 20;
      const season = seasonC * Math.cos((2 * Math.PI * (dayOfYear - warmest)) / YEAR_DAYS);
      const swingC = 3 + 3.5 * clearness;
      const hour = (localDays - today) * 24;
      return {
        clearness: Math.min(1, Math.max(0.05, clearness + unrest * cloud)),
        airC: meanC + season + spellC + swingC * Math.cos((2 * Math.PI * (hour - 15)) / 24),
      };
    },
  };
}
