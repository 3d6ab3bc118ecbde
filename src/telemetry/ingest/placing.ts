import { DAY_MS, MINUTE_MS } from "../../kernel/time.ts";
import type { DeviceFrame, Freshness, FrameRefusal } from "../frames/frame.ts";
import { judgeFreshness } from "../metrics/freshness.ts";

/**
 * When a device's readings were taken, and whether its frame is fresh.
 *
 * A device's clock is believed as long as it can be right: a frame may have waited for days in a device without network, so
 * an old sending time is no wrong clock. It is wrong when it tells a time that has not come yet, or one older than what is
 * kept (a clock that lost its battery begins in 1970 or 2000). Then everything in the frame is shifted by what lies between the
 * sending time and ours. A shift is remembered and used again as long as it is about right: were it computed anew for
 * each frame, a frame sent twice would give every reading twice. Where a frame tells no sending time there is nothing to shift by, and
 * readings that cannot be right are set aside one by one.
 */
export interface Place {
  readonly kind: "placed";
  /** Told and answered before: its readings are there, its news is not new. */
  readonly isRepetition: boolean;
  /** Added to every time of the frame. */
  readonly shiftSeconds: number;
}

export type Placing = Place | { readonly kind: "refused"; readonly refusal: FrameRefusal };

/** What is known of a device before its next frame. */
export interface Known {
  readonly requestTimestamp: number | undefined;
  readonly requestCount: number | undefined;
  readonly shiftSeconds: number;
  /** Of its newest reading; undefined before its first. */
  readonly readingAtMs: number | undefined;
}

/** Networks delay and clocks drift: so far ahead of ours a clock is not called wrong. */
export const AHEAD_MAX_MS = 5 * MINUTE_MS;
/**
 * A remembered shift serves while the one computed anew is later by no more: by so much a frame was sent again. Longer, and a clock that
 * starts anew whenever its device does would put one day's readings upon another's.
 */
const SENT_AGAIN_MAX_SECONDS = 30 * 60;

/** What 32 bits hold, 68 years: no clock is off by more, such a number is of another unit. */
const SHIFT_MAX_SECONDS = 2_147_483_647;

/** Counters as the database holds them; a fraction of a second or a number beyond 2^53 must not differ from what was stored. */
export function wholeFreshness({ requestTimestamp, requestCount }: Freshness): Freshness {
  const whole = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : Math.min(Math.max(Math.floor(value), 0), Number.MAX_SAFE_INTEGER);
  return { requestTimestamp: whole(requestTimestamp), requestCount: whole(requestCount) };
}

/** Decides about one frame by what its device told before. Only what is signed counts against replays. */
export function placeFrame(
  frame: DeviceFrame,
  { known, receivedAtMs, keptDays }: { known: Known; receivedAtMs: number; keptDays: number },
): Placing {
  const judged = judgeFreshness(wholeFreshness(frame.freshness), known);
  if (judged.verdict === "replayed")
    return {
      kind: "refused",
      refusal: {
        reason: "replayed",
        serial: frame.serial,
        detail: `Signed ${judged.detail} A clock or counter that was set back needs its replay guard reset.`,
      },
    };
  const shiftSeconds = shiftOf(frame.sentAtMs, { remembered: known.shiftSeconds, receivedAtMs, keptDays });
  if (!(Math.abs(shiftSeconds) <= SHIFT_MAX_SECONDS))
    return {
      kind: "refused",
      refusal: {
        reason: "clock_off",
        serial: frame.serial,
        detail: `Its sending time, ${String(frame.sentAtMs)} ms since 1970, is more than 68 years from ours: send Unix seconds.`,
      },
    };
  return { kind: "placed", isRepetition: judged.verdict === "same", shiftSeconds };
}

/** Whether a time, already shifted, can be that of a reading: undefined when it can, and otherwise what is wrong. */
export function faultOfTime(
  atMs: number,
  { receivedAtMs, keptDays }: { receivedAtMs: number; keptDays: number },
): "ahead" | "too old" | undefined {
  if (atMs > receivedAtMs + AHEAD_MAX_MS) return "ahead";
  if (!(atMs >= receivedAtMs - keptDays * DAY_MS)) return "too old";
  return undefined;
}

function shiftOf(
  sentAtMs: number | undefined,
  { remembered, receivedAtMs, keptDays }: { remembered: number; receivedAtMs: number; keptDays: number },
): number {
  if (sentAtMs === undefined) return 0;
  if (faultOfTime(sentAtMs, { receivedAtMs, keptDays }) === undefined) return 0;
  const shift = Math.round((receivedAtMs - sentAtMs) / 1000);
  const later = shift - remembered;
  const serves = remembered !== 0 && later >= -AHEAD_MAX_MS / 1000 && later <= SENT_AGAIN_MAX_SECONDS;
  return serves ? remembered : shift;
}
