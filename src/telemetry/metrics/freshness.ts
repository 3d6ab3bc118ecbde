import type { Freshness } from "../frames/frame.ts";

/**
 * Whether a frame is new. "same": all that it signed, its device has told before, so it is the last frame once more and needs
 * its answer again. "replayed": anything else; `detail` says why, of both.
 */
export type FreshnessVerdict =
  { readonly verdict: "newer" } | { readonly verdict: "same" | "replayed"; readonly detail: string };

const NEWER = { verdict: "newer" } as const;

/**
 * The replay rule of OpenPAYGO Metrics, the only one: everything that a frame signed must be strictly greater than the last. The
 * specification's text allows an equal count, but its reference program does not, and a repetition has its own answer here. A
 * count that grew does not make up for a time that stood still, nor the other way round. What the device has not sent before
 * does not count against it.
 */
export function judgeFreshness(frame: Freshness, last: Freshness): FreshnessVerdict {
  const byCount = compare(frame.requestCount, last.requestCount);
  const byTime = compare(frame.requestTimestamp, last.requestTimestamp);
  if (byCount !== "below" && byTime !== "below" && byCount !== "equal" && byTime !== "equal") return NEWER;
  const isSame = (byCount === "equal" || byCount === "untold") && (byTime === "equal" || byTime === "untold");
  const detail =
    byCount === "below" || (byCount === "equal" && byTime !== "below")
      ? `request_count is ${frame.requestCount}, and ${last.requestCount} was there before; each request needs a greater one.`
      : `timestamp is ${frame.requestTimestamp}, and ${last.requestTimestamp} was there before; each request needs a later one.`;
  return { verdict: isSame ? "same" : "replayed", detail };
}

function compare(told: number | undefined, last: number | undefined): "untold" | "first" | "above" | "equal" | "below" {
  if (told === undefined) return "untold";
  if (last === undefined) return "first";
  return told === last ? "equal" : told > last ? "above" : "below";
}
