import type { CustomerId } from "../kernel/ids.ts";
import { DAY_MS, type Clock } from "../kernel/time.ts";
import type { Tx } from "../platform/database.ts";
import { hashSlowly, SALT_BYTES, verifySlowly, type HashCost } from "../platform/slow-hash.ts";
import * as store from "./pins.store.ts";

export type PinVerdict = "right" | "wrong" | "locked" | "unset";

export interface Pins {
  /** Judges a guess and counts it. After five wrong ones in a row nothing is right for a day. */
  check(tx: Tx, customerId: CustomerId, pin: string): Promise<PinVerdict>;
  set(tx: Tx, customerId: CustomerId, pin: string): Promise<void>;
}

/** Of ten thousand PINs a thief may try five a day. */
const GUESSES_MAX = 5;
const LOCKED_MS = DAY_MS;
/** 16 MiB: four digits fall to any search, so that what counts is the lock; the hash only makes a stolen table dear. */
export const PIN_COST: HashCost = { cost: 16_384, blockSize: 8, parallelism: 1 };

export function makePins({
  clock,
  randomBytes,
  cost = PIN_COST,
}: {
  clock: Clock;
  randomBytes: (count: number) => Uint8Array;
  cost?: HashCost;
}): Pins {
  return {
    async check(tx, customerId, pin) {
      const stored = await store.lockPin(tx, customerId);
      if (stored === undefined) return "unset";
      const now = clock.now();
      if (stored.lockedUntil !== undefined && stored.lockedUntil > now) return "locked";
      if (await verifySlowly(pin, stored.hash)) {
        if (stored.failures > 0) await store.noteGuess(tx, customerId, { failures: 0, lockedUntil: undefined });
        return "right";
      }
      const failures = stored.failures + 1;
      const isLocked = failures >= GUESSES_MAX;
      const lockedUntil = isLocked ? new Date(now.getTime() + LOCKED_MS) : undefined;
      await store.noteGuess(tx, customerId, { failures: isLocked ? 0 : failures, lockedUntil });
      return isLocked ? "locked" : "wrong";
    },
    async set(tx, customerId, pin) {
      const hash = await hashSlowly(pin, randomBytes(SALT_BYTES), cost);
      await store.savePin(tx, customerId, { hash, at: clock.now() });
    },
  };
}
