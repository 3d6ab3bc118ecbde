import { MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { Database, Tx } from "../../platform/database.ts";
import type { PlaceSource } from "./fleet-device.ts";
import * as store from "./places.store.ts";

/** A transaction that began before our last look may commit after it: we look back so far each time. */
const OVERLAP_MS = 10 * MINUTE_MS;
const PAGE_MAX = 2_000;
/** A bulk act of a hundred thousand devices is taken over in some steps, each a transaction of seconds at most. */
const PAGES_MAX = 5;
/** How much of the round over all devices one run takes, so that a round costs the same every minute and never all at once. */
const FULL_PAGE_MAX = 5_000;

/**
 * Brings the copies of what devices, contracts and customers say up to date: what changed since the last run, and the next
 * part of a round over everything, which mends what any other way was missed. Answers how many rows changed. Workers take
 * turns; a run that dies is done again by the next.
 */
export function makePlaceSync({ database, clock, source }: { database: Database; clock: Clock; source: PlaceSource }): {
  once(): Promise<number>;
  all(): Promise<number>;
} {
  /** Takes over the next pages of what changed; answers where the mark then stands. */
  async function takeChanges(
    tx: Tx,
    mark: store.SyncMark,
    now: Date,
  ): Promise<Pick<store.SyncMark, "changedThrough" | "changedAfter" | "changedStartedAt"> & { written: number }> {
    const since = new Date(mark.changedThrough.getTime() - OVERLAP_MS);
    const startedAt = mark.changedStartedAt ?? now;
    let [written, after] = [0, mark.changedAfter];
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page = await source.changed(tx, { since, after, limit: PAGE_MAX });
      written += await store.savePlaces(tx, page);
      const last = page.at(-1);
      // What changes behind us meanwhile is found by the next one, which looks back to this one's beginning.
      if (last === undefined || page.length < PAGE_MAX)
        return { written, changedThrough: startedAt, changedAfter: 0, changedStartedAt: undefined };
      after = last.device;
    }
    return { written, changedThrough: mark.changedThrough, changedAfter: after, changedStartedAt: startedAt };
  }

  async function step(): Promise<{ written: number; isRoundOver: boolean }> {
    return await database.db.transaction(async (tx) => {
      const now = clock.now();
      const mark = await store.claimMark(tx, now);
      if (mark === undefined) return { written: 0, isRoundOver: true };
      const page = await source.page(tx, { after: mark.fullAfter, limit: FULL_PAGE_MAX });
      const last = page.at(-1);
      const isRoundOver = last === undefined || page.length < FULL_PAGE_MAX;
      const writtenByRound = await store.savePlaces(tx, page);
      const { written, ...changes } = await takeChanges(tx, mark, now);
      await store.saveMark(tx, {
        ...changes,
        fullAfter: isRoundOver ? 0 : last.device,
        fullStartedAt: isRoundOver ? now : mark.fullStartedAt,
      });
      return { written: written + writtenByRound, isRoundOver };
    });
  }

  return {
    async once() {
      return (await step()).written;
    },
    /** Goes on until the round over everything ends: for the first start, and for tests. */
    async all() {
      for (let written = 0; ;) {
        const one = await step();
        written += one.written;
        if (one.isRoundOver) return written;
      }
    },
  };
}
