import { Temporal } from "temporal-polyfill";
import type { Chance } from "./chance.ts";
import { WEEKLY_SHAPES } from "./weekly-shapes.ts";

/** How a home uses its system. */
export interface LoadHabit {
  /** Which of the four real weekly shapes, 0 to 3. */
  readonly cluster: number;
  /** What the home would draw on a usual day, if the battery gave it. */
  readonly dailyWh: number;
  /** Change of use in a year, as a share: 0.1 is ten percent more. */
  readonly yearlyGrowth: number;
  /** The share of days on which nobody is at home. */
  readonly awayShare: number;
}

/** The load of one home over time. */
export interface Load {
  /** Mean watts around the instant; asked in time order. */
  wattsAt(atMs: number): number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** What is left on when nobody is at home. */
const AWAY_LEVEL = 0.15;

/**
 * The shape of the cluster, with days that differ (log-normal), evenings that differ within the day, absences of one to
 * five days, and a slow change over the years. How far a home's days scatter is drawn, since homes differ in that too.
 */
export function makeLoad(habit: LoadHabit, timezone: string, chance: Chance): Load {
  const shape = WEEKLY_SHAPES[habit.cluster];
  if (shape === undefined) throw new RangeError(`There is no cluster ${habit.cluster}. Expected 0 to 3.`);
  const meanW = habit.dailyWh / 24;
  const dayScatter = chance.between(0.08, 0.3);
  const hourScatter = chance.between(0.1, 0.45);
  const shiftHours = chance.between(-0.7, 0.7);
  let firstMs = Number.NaN;
  let day = Number.NaN;
  let dayLevel = 1;
  let awayDays = 0;
  let offsetMs = 0;
  let hour = Number.NaN;
  let hourLevel = 1;
  const beginDay = (atMs: number): void => {
    // Asked once a day: reading the zone's rules at every step would cost more than all the physics. The middle of an odd step
    // is no whole millisecond, and a calendar knows no others.
    const instant = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs));
    offsetMs = instant.toZonedDateTimeISO(timezone).offsetNanoseconds / 1e6;
    if (awayDays > 0) awayDays -= 1;
    else if (chance.happens(habit.awayShare / 3)) awayDays = Math.ceil(chance.between(0, 5));
    dayLevel = (awayDays > 0 ? AWAY_LEVEL : 1) * Math.exp(dayScatter * chance.normal() - (dayScatter * dayScatter) / 2);
  };
  return {
    wattsAt(atMs) {
      if (Number.isNaN(firstMs)) firstMs = atMs;
      const today = Math.floor(atMs / DAY_MS);
      if (today !== day) {
        day = today;
        beginDay(atMs);
      }
      const localHours = (atMs + offsetMs) / HOUR_MS + shiftHours;
      const now = Math.floor(localHours);
      if (now !== hour) {
        hour = now;
        hourLevel = Math.exp(hourScatter * chance.normal() - (hourScatter * hourScatter) / 2);
      }
      // The first of January 1970 was a Thursday; the shapes begin with a Monday.
      const share = shape[(((now + 72) % 168) + 168) % 168] ?? 1;
      const years = (atMs - firstMs) / (365 * DAY_MS);
      return meanW * share * dayLevel * hourLevel * Math.max(0.3, 1 + habit.yearlyGrowth * years);
    },
  };
}
