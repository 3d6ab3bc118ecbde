import type { E164 } from "../customers/customers.ts";
import { HOUR_MS, MINUTE_MS, type Clock } from "../kernel/time.ts";

/** Whether the SIM card of a number is a new one: a thief's first step towards somebody's money. */
export type SimSwap = "recent" | "none" | "unknown";

/** Asks the network; a network that does not answer leaves it unknown. Never called inside a transaction. */
export type CheckSimSwap = (phone: E164) => Promise<SimSwap>;

export interface SimSwaps {
  /** What is known of a number. Inside `askingFirst` only: where nobody asked yet, the work stops, the network is asked, and it begins again. */
  of(phone: E164): SimSwap;
  /**
   * Does work, a transaction of its own, that may need to know. Hardly any does, and those that do pay for a second run instead of every
   * hop paying for a question.
   */
  askingFirst<Outcome>(work: () => Promise<Outcome>): Promise<Outcome>;
}

/** The transaction rolls back by it; nobody but `askingFirst` sees it. */
class NotAskedYet extends Error {
  readonly phone: E164;
  constructor(phone: E164) {
    super("The network was not asked about this SIM card yet.");
    this.phone = phone;
  }
}

/** A card that is not new now is not new for a while. */
const KNOWN_MS = 2 * HOUR_MS;
const UNKNOWN_MS = MINUTE_MS;
const REMEMBERED_MAX = 10_000;
/** One work knows of one number; more would be a mistake. */
const QUESTIONS_MAX = 3;

/** `check` left out: no network is connected, and nothing is known. */
export function makeSimSwaps({ clock, check }: { clock: Clock; check?: CheckSimSwap | undefined }): SimSwaps {
  const remembered = new Map<E164, { readonly swap: SimSwap; readonly untilMs: number }>();

  async function ask(phone: E164, checking: CheckSimSwap): Promise<void> {
    const swap = await checking(phone);
    // The oldest goes: a Map keeps the order in which its entries came.
    for (const oldest of remembered.keys()) {
      if (remembered.size < REMEMBERED_MAX) break;
      remembered.delete(oldest);
    }
    remembered.delete(phone);
    remembered.set(phone, { swap, untilMs: clock.now().getTime() + (swap === "unknown" ? UNKNOWN_MS : KNOWN_MS) });
  }

  return {
    of(phone) {
      if (check === undefined) return "unknown";
      const known = remembered.get(phone);
      if (known === undefined || known.untilMs <= clock.now().getTime()) throw new NotAskedYet(phone);
      return known.swap;
    },
    async askingFirst(work) {
      for (let asked = 0; ; asked++) {
        try {
          return await work();
        } catch (error) {
          if (!(error instanceof NotAskedYet) || check === undefined || asked === QUESTIONS_MAX) throw error;
          await ask(error.phone, check);
        }
      }
    },
  };
}
