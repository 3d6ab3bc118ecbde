import { Temporal } from "temporal-polyfill";
import { InvalidInput } from "./refusal.ts";

/** Where the present comes from. Nobody else reads the machine's clock. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };

/** A clock that stands still until it is moved: for tests, replays of a book and simulators. */
export function makeManualClock(start: Date): Clock & { moveTo(at: Date): void; advance(millis: number): void } {
  let current = start.getTime();
  return {
    now: () => new Date(current),
    moveTo: (at) => {
      current = at.getTime();
    },
    advance: (millis) => {
      current += millis;
    },
  };
}

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** A day on the wall calendar of some zone, as "2026-11-20". */
export type LocalDate = string & { readonly localDate: true };

export function parseZone(zone: string): string {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return zone;
  } catch (cause) {
    throw new InvalidInput(`"${zone}" is not a time zone. Expected a name such as Africa/Nairobi. (${String(cause)})`);
  }
}

/** Reads "2026-11-20" and no other ISO form: a time or a compact date in a date's place is somebody's mistake. */
export function parseLocalDate(text: string): LocalDate {
  try {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) throw new RangeError("another form");
    return Temporal.PlainDate.from(text, { overflow: "reject" }).toString() as LocalDate;
  } catch {
    throw new InvalidInput(`"${text.slice(0, 40)}" is not a date. Expected year-month-day such as 2026-11-20.`);
  }
}

/** The calendar day that people in the zone call it at this instant. */
export function localDateOf(at: Date, zone: string): LocalDate {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime())
    .toZonedDateTimeISO(zone)
    .toPlainDate()
    .toString() as LocalDate;
}

/** What clocks on the wall of the zone show at this instant, as "21:05". */
export function localTimeOf(at: Date, zone: string): string {
  const wall = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone);
  return wall.toPlainTime().toString({ smallestUnit: "minute" });
}

/** The Monday of the week that a day lies in. */
export function mondayOf(on: LocalDate): LocalDate {
  return addDays(on, 1 - Temporal.PlainDate.from(on).dayOfWeek);
}

export function addDays(on: LocalDate, days: number): LocalDate {
  return Temporal.PlainDate.from(on).add({ days }).toString() as LocalDate;
}

export function daysBetween(from: LocalDate, to: LocalDate): number {
  return Temporal.PlainDate.from(from).until(Temporal.PlainDate.from(to), { largestUnit: "days" }).days;
}

/** The first instant of a local day; where a clock change skips midnight, the first instant that exists. */
export function startOfDay(on: LocalDate, zone: string): Date {
  return new Date(Temporal.PlainDate.from(on).toZonedDateTime(zone).epochMilliseconds);
}

/** The instant that a wall clock in the zone shows; where a clock change repeats an hour, its first showing. */
export function instantOf(local: { date: string; time: string }, zone: string): Date {
  const wall = Temporal.PlainDateTime.from(`${local.date}T${local.time}`, { overflow: "reject" });
  return new Date(wall.toZonedDateTime(zone, { disambiguation: "earlier" }).epochMilliseconds);
}

/** "20 Nov 2026 21:15" in the zone, for people's screens. */
export function formatInstant(at: Date, zone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  }).format(at);
}
