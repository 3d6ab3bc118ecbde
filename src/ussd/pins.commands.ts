import { DAY_MS, type Clock } from "../kernel/time.ts";
import type { Tx } from "../platform/database.ts";
import { hashSlowly, SALT_BYTES, verifySlowly, type HashCost } from "../platform/slow-hash.ts";
import { countedSoFar, countOnce } from "./counts.store.ts";
import * as store from "./pins.store.ts";
import type { PinOwner, StoredPin } from "./pins.store.ts";

export type { PinOwner } from "./pins.store.ts";
export type PinVerdict = "right" | "wrong" | "locked" | "unset";

export interface Pins {
  /** Judges a guess at the owner's own phone and counts it. After five wrong ones in a row nothing is right for a day. */
  check(tx: Tx, owner: PinOwner, pin: string): Promise<PinVerdict>;
  /**
   * Judges a guess from another phone. Wrong ones are counted apart, by phone and in all: whoever guesses at random shuts the door for
   * strangers until the day is over, and never the owner's own phone. What is locked at the own phone is locked here too.
   */
  checkFromAfar(tx: Tx, owner: PinOwner, guess: { pin: string; phone: string }): Promise<PinVerdict>;
  set(tx: Tx, owner: PinOwner, pin: string): Promise<void>;
  /** Takes a PIN away: the owner chooses another at the next call. */
  forget(tx: Tx, owner: PinOwner): Promise<void>;
}

/** Of ten thousand PINs a thief may try five a day. */
const GUESSES_MAX = 5;
const LOCKED_MS = DAY_MS;
/** From one strange phone, and from all of them together, in a day. */
const AFAR_GUESSES_MAX = 5;
const AFAR_GUESSES_ALL_MAX = 10;
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
  const isLocked = ({ lockedUntil }: StoredPin): boolean => lockedUntil !== undefined && lockedUntil > clock.now();

  return {
    async check(tx, owner, pin) {
      const stored = await store.lockPin(tx, owner);
      if (stored === undefined) return "unset";
      if (isLocked(stored)) return "locked";
      if (await verifySlowly(pin, stored.hash)) {
        if (stored.failures > 0) await store.noteGuess(tx, owner, { failures: 0, lockedUntil: undefined });
        return "right";
      }
      const failures = stored.failures + 1;
      const isLast = failures >= GUESSES_MAX;
      const lockedUntil = isLast ? new Date(clock.now().getTime() + LOCKED_MS) : undefined;
      await store.noteGuess(tx, owner, { failures: isLast ? 0 : failures, lockedUntil });
      return isLast ? "locked" : "wrong";
    },
    async checkFromAfar(tx, owner, { pin, phone }) {
      // The lock of the PIN's row makes guesses at one moment count each other.
      const stored = await store.lockPin(tx, owner);
      if (stored === undefined) return "unset";
      const inAll = { key: `guess_afar:${owner.kind}:${owner.id}`, now: clock.now(), windowMs: DAY_MS };
      const byPhone = { ...inAll, key: `${inAll.key}:${phone}` };
      const guesses = { byPhone: await countedSoFar(tx, byPhone), inAll: await countedSoFar(tx, inAll) };
      if (isLocked(stored) || guesses.byPhone >= AFAR_GUESSES_MAX || guesses.inAll >= AFAR_GUESSES_ALL_MAX)
        return "locked";
      if (await verifySlowly(pin, stored.hash)) return "right";
      await countOnce(tx, byPhone);
      await countOnce(tx, inAll);
      return guesses.byPhone + 1 >= AFAR_GUESSES_MAX ? "locked" : "wrong";
    },
    async set(tx, owner, pin) {
      const hash = await hashSlowly(pin, randomBytes(SALT_BYTES), cost);
      await store.savePin(tx, owner, { hash, at: clock.now() });
    },
    forget: store.removePin,
  };
}
