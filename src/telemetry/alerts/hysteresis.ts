import type { Direction } from "./rules.ts";

/** When a value is trouble and when it is none again. Between the two thresholds everything stays as it is. */
export interface Thresholds {
  readonly direction: Direction;
  readonly raiseAt: number;
  readonly clearAt: number;
  /** How long trouble must last before it is raised, by our looks, in milliseconds. */
  readonly raiseAfterMs: number;
  /** How long calm must last before it is cleared. */
  readonly clearAfterMs: number;
}

/** Where one rule stands for one device. */
export type Standing =
  | { readonly kind: "calm" }
  /** Seen, but not for long enough. */
  | { readonly kind: "rising"; readonly since: Date }
  /** `calmSince`: past the clear threshold since then. */
  | { readonly kind: "raised"; readonly since: Date; readonly calmSince: Date | undefined };

/** Whether the value lies at the threshold or beyond it, in the direction of trouble. */
export function isTrouble({ direction, raiseAt }: Thresholds, value: number): boolean {
  return direction === "above" ? value >= raiseAt : value <= raiseAt;
}

/** Whether the value lies at the clear threshold or beyond it, in the direction of calm. */
export function isCalm({ direction, clearAt }: Thresholds, value: number): boolean {
  return direction === "above" ? value <= clearAt : value >= clearAt;
}

/**
 * The next standing after a look. An undefined value (the device is silent, or the question makes no sense now) changes
 * nothing: what is unknown neither raises nor clears. Rising ends at the first value that is no trouble; what was raised
 * ends only by calm that lasted. The same look twice gives the same standing.
 */
export function decideStanding(
  thresholds: Thresholds,
  { was, value, now }: { was: Standing; value: number | undefined; now: Date },
): Standing {
  if (value === undefined) return was;
  switch (was.kind) {
    case "calm":
      return isTrouble(thresholds, value) ? raisedWhenDue(thresholds, now, now) : was;
    case "rising":
      return isTrouble(thresholds, value) ? raisedWhenDue(thresholds, was.since, now) : { kind: "calm" };
    case "raised": {
      if (!isCalm(thresholds, value)) return was.calmSince === undefined ? was : { ...was, calmSince: undefined };
      const calmSince = was.calmSince ?? now;
      return now.getTime() - calmSince.getTime() >= thresholds.clearAfterMs ? { kind: "calm" } : { ...was, calmSince };
    }
  }
}

function raisedWhenDue({ raiseAfterMs }: Thresholds, since: Date, now: Date): Standing {
  return now.getTime() - since.getTime() >= raiseAfterMs
    ? { kind: "raised", since, calmSince: undefined }
    : { kind: "rising", since };
}
