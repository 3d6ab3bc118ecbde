import { MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { Database, Tx } from "../../platform/database.ts";
import type { PlaceFacts, PlaceSource } from "./fleet-device.ts";
import * as store from "./places.store.ts";

/** A transaction that began before our last look may commit after it: we look back so far each time. */
const OVERLAP_MS = 10 * MINUTE_MS;
const PAGE_MAX = 2_000;
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
  async function changedSince(tx: Tx, since: Date): Promise<PlaceFacts[]> {
    const facts: PlaceFacts[] = [];
    for (let after = 0; ;) {
      const page = await source.changed(tx, { since, after, limit: PAGE_MAX });
      facts.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_MAX) return facts;
      after = last.device;
    }
  }

  async function step(): Promise<{ written: number; isRoundOver: boolean }> {
    return await database.db.transaction(async (tx) => {
      const now = clock.now();
      const mark = await store.claimMark(tx, now);
      if (mark === undefined) return { written: 0, isRoundOver: true };
      const changed = await changedSince(tx, new Date(mark.changedThrough.getTime() - OVERLAP_MS));
      const page = await source.page(tx, { after: mark.fullAfter, limit: FULL_PAGE_MAX });
      const last = page.at(-1);
      const isRoundOver = last === undefined || page.length < FULL_PAGE_MAX;
      const written = (await store.savePlaces(tx, page)) + (await saveInPages(tx, changed));
      await store.saveMark(tx, {
        changedThrough: now,
        fullAfter: isRoundOver ? 0 : last.device,
        fullStartedAt: isRoundOver ? now : mark.fullStartedAt,
      });
      return { written, isRoundOver };
    });
  }

  async function saveInPages(tx: Tx, facts: readonly PlaceFacts[]): Promise<number> {
    let written = 0;
    for (let at = 0; at < facts.length; at += PAGE_MAX)
      written += await store.savePlaces(tx, facts.slice(at, at + PAGE_MAX));
    return written;
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
