import { MINUTE_MS } from "../kernel/time.ts";

/** Nobody types faster, and no gateway repeats so often. */
export const HOPS_A_MINUTE = 60;
/** A shop that serves its neighbours by one phone has room; a program that dials on and on has not. */
export const SESSIONS_AN_HOUR = 60;
/** What may be done with one contract in a day, by whoever does it. */
export const CONTRACT_ACTS_A_DAY = 30;

/** Whether a session had more hops than its minutes allow. A started minute counts as one. */
export function isTooFast({ hopCount, ageMs }: { hopCount: number; ageMs: number }): boolean {
  return hopCount >= HOPS_A_MINUTE * (Math.floor(ageMs / MINUTE_MS) + 1);
}
