import { addDays, instantOf, localDateOf, startOfDay } from "../kernel/time.ts";

/** Wall-clock times such as "21:00"; where `from` is later than `until` they span midnight. */
export interface QuietHours {
  readonly from: string;
  readonly until: string;
}

const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** Reads "09:00". */
export function parseTime(text: string): string {
  if (!TIME.test(text)) throw new Error("a time such as 09:00 is needed.");
  return text;
}

/** Reads "21:00-07:00". */
export function parseQuietHours(text: string): QuietHours {
  const [from = "", until = "", ...more] = text.split("-");
  if (more.length > 0 || !TIME.test(from) || !TIME.test(until) || from === until)
    throw new Error("two different times such as 21:00-07:00 are needed.");
  return { from, until };
}

/**
 * When a message that may wait is allowed to leave: undefined for now. The wall clock of the zone decides, so a night with a clock
 * change is an hour longer or shorter.
 */
export function quietUntil(at: Date, zone: string, { from, until }: QuietHours): Date | undefined {
  const today = localDateOf(at, zone);
  for (const day of [addDays(today, -1), today]) {
    const start = instantOf({ date: day, time: from }, zone);
    const end = instantOf({ date: from < until ? day : addDays(day, 1), time: until }, zone);
    if (start <= at && at < end) return end;
  }
  return undefined;
}

/** The first instant of the next local day on which such a message may leave. */
export function nextMorning(at: Date, zone: string, quiet: QuietHours): Date {
  const tomorrow = startOfDay(addDays(localDateOf(at, zone), 1), zone);
  return quietUntil(tomorrow, zone, quiet) ?? tomorrow;
}
