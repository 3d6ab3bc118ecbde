import { makeTwoAges } from "../../platform/two-ages.ts";

/** How often something may happen, counted by name. */
export interface Rate {
  /** Counts one; answers how many seconds to wait when it is one too many, and undefined when it may be. */
  take(name: string, nowMs: number): number | undefined;
}

interface Bucket {
  left: number;
  at: number;
}

/**
 * A bucket for each name that holds `burst` and fills by `perMinute`: who was quiet may send a handful at once. At most `namesMax`
 * are remembered, so many senders at random cost memory that is bounded, and at worst a limit that starts anew.
 */
export function makeRate({ perMinute, burst, namesMax }: { perMinute: number; burst: number; namesMax: number }): Rate {
  const buckets = makeTwoAges<string, Bucket>(namesMax);
  return {
    take(name, nowMs) {
      const before = buckets.get(name) ?? { left: burst, at: nowMs };
      const left = Math.min(burst, before.left + (Math.max(0, nowMs - before.at) / 60_000) * perMinute);
      const isAllowed = left >= 1;
      buckets.set(name, { left: isAllowed ? left - 1 : left, at: nowMs });
      return isAllowed ? undefined : Math.max(1, Math.ceil(((1 - left) / perMinute) * 60));
    },
  };
}
