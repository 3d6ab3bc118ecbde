import { DAY_MS, type Clock } from "../kernel/time.ts";
import type { Database, Tx } from "../platform/database.ts";
import { makeRounds } from "../platform/rounds.ts";
import { forgetCounts } from "./counts.store.ts";
import { countEnded } from "./figures.store.ts";
import { forgetHeard } from "./inbox.store.ts";
import { abandonExpired, forgetEnded } from "./sessions/sessions.store.ts";

/** What is done with conversations when they are over; any number of processes may do it. */
export interface TalkSweep {
  start(): void;
  /** Gives up, counts and forgets all that is due. */
  once(): Promise<void>;
  /** Ends after what is under way. */
  stop(): Promise<void>;
}

const SWEEP_MS = 30_000;
const BATCH_MAX = 1_000;
const SESSIONS_KEPT_MS = 30 * DAY_MS;
/** The longest window is a day. */
const COUNTS_KEPT_MS = 3 * DAY_MS;

export function makeTalkSweep({
  database,
  clock,
  zone,
  heardKeptDays,
  onAbandoned = () => undefined,
  onFault = () => undefined,
}: {
  database: Database;
  clock: Clock;
  /** Whose days the figures are told by. */
  zone: string;
  /** How long messages of people are kept, in days. */
  heardKeptDays: number;
  onAbandoned?: (sessions: number) => void;
  onFault?: (error: unknown) => void;
}): TalkSweep {
  let stopping = false;

  /** Each batch is a transaction of its own: a long one would hold up the hops of its sessions. */
  async function inBatches(step: (tx: Tx) => Promise<number>): Promise<number> {
    let total = 0;
    for (;;) {
      const done = await database.db.transaction(step);
      total += done;
      if (done < BATCH_MAX || stopping) return total;
    }
  }

  async function once(): Promise<void> {
    const now = clock.now();
    const abandoned = await inBatches((tx) => abandonExpired(tx, { now, limit: BATCH_MAX }));
    if (abandoned > 0) onAbandoned(abandoned);
    await inBatches((tx) => countEnded(tx, { now, zone, limit: BATCH_MAX }));
    const before = new Date(now.getTime() - SESSIONS_KEPT_MS);
    await inBatches((tx) => forgetEnded(tx, { before, limit: BATCH_MAX }));
    const heardBefore = new Date(now.getTime() - heardKeptDays * DAY_MS);
    await inBatches((tx) => forgetHeard(tx, { before: heardBefore, limit: BATCH_MAX }));
    await database.db.transaction((tx) => forgetCounts(tx, new Date(now.getTime() - COUNTS_KEPT_MS)));
  }

  const rounds = makeRounds({ everyMs: SWEEP_MS, round: once, onFault });
  return {
    once,
    start: rounds.start,
    async stop() {
      stopping = true;
      await rounds.stop();
    },
  };
}
