import type { Clock } from "../kernel/time.ts";
import type { Database, Tx } from "../platform/database.ts";
import { makeRounds } from "../platform/rounds.ts";
import { takeFallbacks } from "./commands.store.ts";

export interface TokenFallback {
  start(): void;
  /** Lets the customers be written whose devices have not confirmed in time; answers how many causes. */
  once(): Promise<number>;
  stop(): Promise<void>;
}

const SWEEP_MS = 10_000;
const TAKE_MAX = 200;

/**
 * Where light comes by air first, the SMS with the token follows when the device has not confirmed it in time. Taking and
 * telling are one transaction, so that a customer is told once, whatever dies.
 */
export function makeTokenFallback({
  database,
  clock,
  tell,
  onFault = () => undefined,
}: {
  database: Database;
  clock: Clock;
  /** Writes the messages with the tokens of these causes, in the transaction. */
  tell(tx: Tx, causes: readonly string[]): Promise<void>;
  onFault?: (error: unknown) => void;
}): TokenFallback {
  async function once(): Promise<number> {
    let taken = 0;
    for (;;) {
      const causes = await database.db.transaction(async (tx) => {
        const found = await takeFallbacks(tx, { now: clock.now(), limit: TAKE_MAX });
        if (found.length > 0) await tell(tx, found);
        return found;
      });
      taken += causes.length;
      if (causes.length < TAKE_MAX) return taken;
    }
  }

  return { once, ...makeRounds({ everyMs: SWEEP_MS, round: once, onFault }) };
}
