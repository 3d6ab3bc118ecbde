import { addDays, DAY_MS, HOUR_MS, localDateOf, type Clock } from "../../kernel/time.ts";
import { sqlStateOf, type Db } from "../../platform/database.ts";
import { makeRounds } from "../../platform/rounds.ts";
import { daysWithoutIndex, dropDaysBefore, ensureDays, forgetQuarantine, indexDay } from "./partitions.store.ts";

export interface PartitionKeeper {
  /** One round; answers what it did. Safe to run twice, and in several processes at once. */
  once(): Promise<{ readonly made: number; readonly indexed: number; readonly dropped: number }>;
  start(): void;
  stop(): Promise<void>;
}

/** A gateway makes a day that is missing by itself; this many are there before anybody needs them. */
const DAYS_AHEAD = 3;
/** The day before yesterday gets hardly any reading any more; most that a network held back have come. */
const INDEXED_AFTER_DAYS = 2;
const QUARANTINE_DAYS = 30;
const FORGET_MAX = 10_000;
const ROUND_MS = HOUR_MS;
const LOCK_NOT_AVAILABLE = "55P03";

/** Keeps the days of telemetry.readings: made ahead, indexed when over, dropped when history holds them and they are older than `keptDays`. */
export function makePartitionKeeper({
  db,
  clock,
  keptDays,
  onFault,
}: {
  db: Db;
  clock: Clock;
  keptDays: number;
  onFault: (error: unknown) => void;
}): PartitionKeeper {
  async function indexOver(before: ReturnType<typeof localDateOf>): Promise<number> {
    let indexed = 0;
    for (const day of await daysWithoutIndex(db, before)) {
      try {
        if (await indexDay(db, day)) indexed += 1;
      } catch (error) {
        // Somebody writes or drops this day right now; the next round finds it again.
        if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      }
    }
    return indexed;
  }

  /** A long read holds the readings' lock; three days ahead there is time until the next round. */
  async function makeAhead(today: ReturnType<typeof localDateOf>): Promise<number> {
    try {
      return await ensureDays(db, { from: today, to: addDays(today, DAYS_AHEAD) });
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      return 0;
    }
  }

  async function once(): ReturnType<PartitionKeeper["once"]> {
    const now = clock.now();
    const today = localDateOf(now, "UTC");
    const made = await makeAhead(today);
    const indexed = await indexOver(addDays(today, 1 - INDEXED_AFTER_DAYS));
    // A reading of the last kept day may still come today, hence one more.
    const dropped = await dropDaysBefore(db, addDays(today, -keptDays - 1));
    const before = new Date(now.getTime() - QUARANTINE_DAYS * DAY_MS);
    while ((await forgetQuarantine(db, { before, limit: FORGET_MAX })) === FORGET_MAX);
    return { made, indexed, dropped };
  }

  return { once, ...makeRounds({ everyMs: ROUND_MS, round: once, onFault, beginsAtOnce: true }) };
}
