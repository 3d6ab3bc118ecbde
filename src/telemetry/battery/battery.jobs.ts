import { DAY_MS, HOUR_MS, type Clock } from "../../kernel/time.ts";
import type { Database, Tx } from "../../platform/database.ts";
import { makeRounds } from "../../platform/rounds.ts";
import * as store from "./battery.store.ts";
import { liveWeek } from "./health.ts";
import { takeUp } from "./knowledge.ts";
import { addWeek } from "./life.ts";
import type { Sample } from "./samples.ts";
import { judgeWeek } from "./verdict.ts";
import { equivalentCycles } from "./strain.ts";

/** Where a week's samples come from: PostgreSQL by default; history where a fleet's weeks no longer fit there. */
export type SampleSource = (
  tx: Tx,
  query: { readonly devices: readonly number[]; readonly weekOn: string },
) => Promise<ReadonlyMap<number, readonly Sample[]>>;

/** The weekly reckoning of batteries. Any number of processes may run it; they take turns. */
export interface BatteryReckoning {
  /** Reads one batch of batteries one week further. Answers how many were due; 0 when none is or another process is at it. */
  once(): Promise<number>;
  /** Until nothing is due. */
  runDue(): Promise<number>;
  /** Looks every hour, and once at once. */
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
}

/** A hundred batteries of ten-minute readings are a hundred thousand rows: some tens of megabytes at once. */
const BATCH_MAX = 100;
/** Devices that were out of reach send a week's last days later; what comes after this is not read any more. */
const LATE_DAYS = 2;
/** A battery met for the first time is read from so far back, as far as there are readings. */
const WEEKS_BACK_MAX = 52;

/** The Monday (UTC) of the newest week that is over and whose late readings have come. */
export function lastReadableWeek(now: Date): string {
  const day = Math.floor(now.getTime() / DAY_MS) - LATE_DAYS;
  // The first of January 1970 was a Thursday: day 4 was a Monday.
  const monday = day - ((((day - 4) % 7) + 7) % 7) - 7;
  return new Date(monday * DAY_MS).toISOString().slice(0, 10);
}

/** One battery's week, from what was known before it. */
function reckon(due: store.DueBattery, raw: readonly Sample[]): store.ReckonedWeek {
  const { spec, bornNew } = due;
  const before = takeUp(due.known, spec);
  const week = liveWeek(before.memory, { raw, spec, bornNew });
  const life = addWeek(before.life, week, spec);
  return {
    due,
    knowledge: { spec, memory: week.memory, life },
    cycles: equivalentCycles(week.counted.outAh, spec.ratedAh),
    verdict: judgeWeek(week, life, { spec, bornNew }),
  };
}

/**
 * Reads week after week into each battery's memory, a batch in a transaction: what a run that died had not committed is due
 * again, and a week that is written is never read twice.
 */
export function makeBatteryReckoning({
  database,
  clock,
  readSamples = store.readSamples,
  onFault,
}: {
  database: Database;
  clock: Clock;
  readSamples?: SampleSource;
  onFault: (error: unknown) => void;
}): BatteryReckoning {
  let stopping = false;

  const once = (): Promise<number> =>
    database.db.transaction(async (tx) => {
      if (!(await store.takeTurn(tx))) return 0;
      const lastWeekOn = lastReadableWeek(clock.now());
      const due = await store.findDue(tx, { lastWeekOn, weeksBackMax: WEEKS_BACK_MAX, limit: BATCH_MAX });
      const weekOn = due[0]?.weekOn;
      if (weekOn === undefined) return 0;
      const samples = await readSamples(tx, { devices: due.map(({ device }) => device), weekOn });
      const weeks = due.map((battery) => reckon(battery, samples.get(battery.device) ?? []));
      const first = await store.holdFirst(
        tx,
        due.filter(({ known }) => known === undefined),
      );
      await store.writeWeeks(
        tx,
        weeks.filter((week) => week.due.known !== undefined || first.has(week.due.device)),
      );
      return weeks.length;
    });
  async function runDue(): Promise<number> {
    let total = 0;
    while (!stopping) {
      const done = await once();
      if (done === 0) break;
      total += done;
    }
    return total;
  }

  const rounds = makeRounds({ everyMs: HOUR_MS, round: runDue, onFault, beginsAtOnce: true });
  return {
    once,
    runDue,
    start() {
      stopping = false;
      rounds.start();
    },
    async stop() {
      stopping = true;
      await rounds.stop();
    },
  };
}
