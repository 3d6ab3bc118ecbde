import type { Freshness } from "../frames/frame.ts";

/**
 * Why a frame is a replay, or nothing when it is new. Everything that it signed must be strictly greater than the last:
 * the specification's text allows an equal count, but its reference program does not, and an equal one is the same frame.
 * What the device has not sent before does not count against it.
 */
export function replayFault(frame: Freshness, last: Freshness): string | undefined {
  const { requestTimestamp, requestCount } = frame;
  if (requestCount !== undefined && last.requestCount !== undefined && requestCount <= last.requestCount) {
    return `request_count is ${requestCount}, and ${last.requestCount} was there before; each request needs a greater one.`;
  }
  if (
    requestTimestamp !== undefined &&
    last.requestTimestamp !== undefined &&
    requestTimestamp <= last.requestTimestamp
  ) {
    return `timestamp is ${requestTimestamp}, and ${last.requestTimestamp} was there before; each request needs a later one.`;
  }
  return undefined;
}
