import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../kernel/time.ts";

/** How a device stands with what it promised. `never`: it has not spoken yet. */
export type Liveness = "never" | "alive" | "late" | "silent" | "lost";
export const LIVENESS: readonly Liveness[] = ["never", "alive", "late", "silent", "lost"];

/** For a device that tells no interval, of a model of which none is known. */
export const INTERVAL_DEFAULT_SECONDS = 3_600;
/** An interval that a device tells is believed between these: a wrong one must neither flood nor hide. */
export const INTERVAL_MIN_SECONDS = 60;
export const INTERVAL_MAX_SECONDS = 604_800;

/**
 * The limits, as multiples of the interval and a fixed grace. One report may fail on a bad network without a word (late
 * after one and a half intervals); two in a row and an hour are silence. A device of once a day is late after 36 hours and
 * silent after two and a half days. Between `late` and `silent` lies a whole interval and 45 minutes on purpose: when the
 * first device of a village turns silent, every other that fell with it is at least late, so they can be counted at once.
 */
export const LATE = { intervals: 1.5, graceMs: 15 * MINUTE_MS } as const;
export const SILENT = { intervals: 2.5, graceMs: HOUR_MS } as const;
export const LOST = { intervals: 10, leastMs: 14 * DAY_MS } as const;
/** A device is `fallen` while it is late or silent and spoke until this long before it would have turned silent. */
export const FALLEN_WINDOW_MS = 6 * HOUR_MS;

/** What may be waited for, in milliseconds. `told`: by the device; `model`: for its model; undefined where unknown. */
export function expectedIntervalMs({ told, model }: { told: number | undefined; model: number | undefined }): number {
  const seconds = told ?? model ?? INTERVAL_DEFAULT_SECONDS;
  return Math.min(Math.max(seconds, INTERVAL_MIN_SECONDS), INTERVAL_MAX_SECONDS) * SECOND_MS;
}

export const lateAfterMs = (intervalMs: number): number => LATE.intervals * intervalMs + LATE.graceMs;
export const silentAfterMs = (intervalMs: number): number => SILENT.intervals * intervalMs + SILENT.graceMs;
export const lostAfterMs = (intervalMs: number): number => Math.max(LOST.intervals * intervalMs, LOST.leastMs);

/** How a device stands that was last heard at `lastSeenAt`, by our clock. Heard in the future counts as heard now. */
export function livenessOf(
  { lastSeenAt, intervalMs }: { lastSeenAt: Date | undefined; intervalMs: number },
  now: Date,
): Liveness {
  if (lastSeenAt === undefined) return "never";
  const silenceMs = now.getTime() - lastSeenAt.getTime();
  if (silenceMs < lateAfterMs(intervalMs)) return "alive";
  if (silenceMs < silentAfterMs(intervalMs)) return "late";
  if (silenceMs < lostAfterMs(intervalMs)) return "silent";
  return "lost";
}

/** Whether it is late or silent but spoke not long ago: what falls together with its neighbours looks like this. */
export function hasFallen(
  { lastSeenAt, intervalMs }: { lastSeenAt: Date | undefined; intervalMs: number },
  now: Date,
): boolean {
  if (lastSeenAt === undefined) return false;
  const silenceMs = now.getTime() - lastSeenAt.getTime();
  return silenceMs >= lateAfterMs(intervalMs) && silenceMs < silentAfterMs(intervalMs) + FALLEN_WINDOW_MS;
}
