import { DAY_MS } from "../../kernel/time.ts";

/** Light until an instant, or for good. */
export type ActiveUntil = Date | "forever";

/** What stands for "for good" in a difference: longer than any contract. */
export const FOREVER_DAYS = 10_000;

/** Days of light left at `now`, never below zero; undefined where nobody knows until when. */
export function daysLeft(until: ActiveUntil | undefined, now: Date): number | undefined {
  if (until === undefined) return undefined;
  if (until === "forever") return FOREVER_DAYS;
  return Math.min(Math.max(0, (until.getTime() - now.getTime()) / DAY_MS), FOREVER_DAYS);
}

/** By how many days the device promises itself more light than the contract gives it; below zero: less. */
export function daysAhead(
  { device, contract }: { device: ActiveUntil | undefined; contract: ActiveUntil | undefined },
  now: Date,
): number | undefined {
  const [told, given] = [daysLeft(device, now), daysLeft(contract, now)];
  return told === undefined || given === undefined ? undefined : told - given;
}
