import { InvalidInput } from "../../../kernel/refusal.ts";
import { instantOf } from "../../../kernel/time.ts";

/** Day first, month first or year first, with or without a time. Seconds may be missing where hours and minutes stand. */
const FORMATS = {
  "DD-MM-YYYY HH:mm:ss": { order: "dmy", mark: "-", time: true },
  "DD/MM/YYYY HH:mm": { order: "dmy", mark: "/", time: true },
  "DD.MM.YYYY HH:mm": { order: "dmy", mark: ".", time: true },
  "MM/DD/YYYY HH:mm": { order: "mdy", mark: "/", time: true },
  "YYYY-MM-DD HH:mm:ss": { order: "ymd", mark: "-", time: true },
  "DD-MM-YYYY": { order: "dmy", mark: "-", time: false },
  "DD/MM/YYYY": { order: "dmy", mark: "/", time: false },
  "DD.MM.YYYY": { order: "dmy", mark: ".", time: false },
  "MM/DD/YYYY": { order: "mdy", mark: "/", time: false },
  "YYYY-MM-DD": { order: "ymd", mark: "-", time: false },
  /** Such as 2026-11-01T12:13:25+03:00; the offset is required. */
  "ISO 8601": { order: "iso", mark: "-", time: true },
} as const satisfies Record<string, { order: "dmy" | "mdy" | "ymd" | "iso"; mark: "-" | "/" | "."; time: boolean }>;

export type TimeFormat = keyof typeof FORMATS;
export const TIME_FORMATS = Object.keys(FORMATS) as readonly TimeFormat[] as readonly [TimeFormat, ...TimeFormat[]];

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;
const CLOCK = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?:\.\d+)?$/;

/**
 * Makes a reader of one format in one zone; it throws InvalidInput for what is not in that format, or no day of the
 * calendar. A date without a time is the start of that day. It remembers the last minute that it met, because the lines
 * of a statement follow each other and a zone's rules are slow to consult.
 */
export function makeTimeReader(format: TimeFormat, zone: string): (text: string, timeOfDay?: string) => Date {
  const { order, mark, time } = FORMATS[format];
  let lastMinute = "";
  let lastMinuteAt = 0;
  const refuse = (text: string): InvalidInput =>
    new InvalidInput(`"${text.slice(0, 40)}" is not a time in the form ${format}.`);

  return (text, timeOfDay) => {
    const given = text.trim();
    if (order === "iso") {
      const at = Date.parse(given);
      if (!ISO.test(given) || Number.isNaN(at)) throw refuse(given);
      return new Date(at);
    }
    const [day = "", clock = "", ...more] = given.split(/\s+/);
    const parts = day.split(mark);
    const [first = "", second = "", third = ""] = parts;
    const [year, month, dayOfMonth] =
      order === "ymd" ? [first, second, third] : order === "dmy" ? [third, second, first] : [third, first, second];
    const isDay = /^\d{4}$/.test(year) && /^\d{1,2}$/.test(month) && /^\d{1,2}$/.test(dayOfMonth);
    // Spreadsheets like to add "00:00:00" to a date; a real time is never dropped silently, since its column may be mapped.
    const wall = time ? clock : (timeOfDay?.trim() ?? "") === "" ? clock || "00:00" : (timeOfDay ?? "").trim();
    const match = CLOCK.exec(wall);
    if (parts.length !== 3 || more.length > 0 || !isDay || match === null) throw refuse(given);
    const minute = `${year}-${month.padStart(2, "0")}-${dayOfMonth.padStart(2, "0")} ${(match[1] ?? "").padStart(2, "0")}:${match[2] ?? ""}`;
    if (minute !== lastMinute) {
      try {
        lastMinuteAt = instantOf({ date: minute.slice(0, 10), time: minute.slice(11) }, zone).getTime();
      } catch {
        throw refuse(given);
      }
      lastMinute = minute;
    }
    return new Date(lastMinuteAt + Number(match[3] ?? "0") * 1_000);
  };
}
