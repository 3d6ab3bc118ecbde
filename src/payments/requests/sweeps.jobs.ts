import { createHash } from "node:crypto";
import type { MakeId } from "../../kernel/ids.ts";
import { HOUR_MS, localDateOf, MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import type { Arrival } from "../inbox/arrivals.ts";
import { storeArrivals } from "../inbox/arrivals.store.ts";
import { openExceptions, type NewException } from "../reconciliation/exceptions.store.ts";
import type { OpenRail, OpenRails } from "../open-rails.ts";
import { isAble, type Listing, type ListPage } from "../rails/rail.ts";
import * as store from "./sweeps.store.ts";
import type { Sweep } from "./sweeps.store.ts";

const EVERY_MS = 15 * MINUTE_MS;
const LEASE_MS = 10 * MINUTE_MS;
/** Providers list a payment some time after it happened; each window looks again at the end of the one before. */
const OVERLAP_MS = HOUR_MS;
/** The newest minute is left to the callbacks. */
const BEHIND_MS = MINUTE_MS;
const FAILURE_PAUSE_MAX_MS = HOUR_MS;

export interface Sweeper {
  /** Sweeps each rail that can list and is due, to the end of its window or the first failure. Answers payments found. */
  once(): Promise<number>;
}

/**
 * Looks through providers' own lists for payments whose callbacks never came. Each page is stored in one transaction with
 * the place of the next one, so a sweep that dies goes on where it stopped; a page twice finds nothing twice.
 */
export function makeSweeper({
  database,
  clock,
  makeId,
  rails,
}: {
  database: Database;
  clock: Clock;
  makeId: MakeId;
  rails: OpenRails;
}): Sweeper {
  async function sweepRail(open: OpenRail, listing: Listing): Promise<number> {
    const { name: rail } = open.config;
    const now = clock.now();
    await store.ensureSweep(database.db, { rail, from: new Date(now.getTime() - listing.reachMs / 2), now });
    const claimed = await database.db.transaction((tx) => store.claimSweep(tx, { rail, now, leaseMs: LEASE_MS }));
    if (claimed === undefined) return 0;
    let sweep = claimed;
    let found = 0;
    try {
      for (;;) {
        const next = await sweepPage(open, listing, sweep);
        found += next.foundNow;
        sweep = next;
        if (next.isDone) return found;
      }
    } catch (error) {
      const failures = sweep.failures + 1;
      const pause = Math.min(MINUTE_MS * 2 ** Math.min(failures - 1, 10), FAILURE_PAUSE_MAX_MS);
      await database.db.transaction((tx) =>
        store.saveSweep(tx, {
          ...sweep,
          failures,
          failure: error instanceof Error ? error.message : String(error),
          foundNow: 0,
          nextRunAt: new Date(clock.now().getTime() + pause),
        }),
      );
      return found;
    }
  }

  async function sweepPage(
    open: OpenRail,
    listing: Listing,
    sweep: Sweep,
  ): Promise<Sweep & { foundNow: number; isDone: boolean }> {
    const now = clock.now();
    const window = windowOf(sweep, { now, listing });
    const page = await listing.page({ ...window, cursor: sweep.cursor });
    const isLastPage = page.next === undefined;
    const isDone = isLastPage && window.to.getTime() >= now.getTime() - BEHIND_MS;
    const after: Sweep = {
      ...sweep,
      doneUntil: isLastPage ? window.to : sweep.doneUntil,
      window: isLastPage ? undefined : window,
      cursor: page.next,
      failures: 0,
      failure: null,
      nextRunAt: new Date(now.getTime() + (isDone ? EVERY_MS : LEASE_MS)),
    };
    const foundNow = await database.db.transaction(async (tx) => {
      const outcomes = await storeArrivals(tx, arrivalsOf(open, page, now));
      await store.insertListed(tx, { rail: sweep.rail, reports: page.items.map(({ report }) => report), at: now });
      const conflicts = page.items.filter((_, at) => outcomes[at] === "conflict");
      await openExceptions(tx, { at: now, exceptions: exceptionsOf(open, { page, conflicts, now }) });
      const stored = outcomes.filter((outcome) => outcome === "stored").length;
      await store.saveSweep(tx, { ...after, failure: null, foundNow: stored });
      return stored;
    });
    return { ...after, foundNow, isDone };
  }

  function exceptionsOf(
    { config }: OpenRail,
    { page, conflicts, now }: { page: ListPage; conflicts: ListPage["items"]; now: Date },
  ): readonly NewException[] {
    const zero = { minor: 0n, currency: config.currency };
    return [
      ...conflicts.map(({ report }): NewException => ({
        id: makeId(),
        rail: config.name,
        kind: "line_conflict",
        subject: report.transactionReference ?? "-",
        onDate: localDateOf(report.at ?? now, config.zone),
        amount: report.amount ?? zero,
        detail: "The provider lists this payment with another amount than the one that is booked.",
      })),
      ...page.unreadable.map(({ detail, raw }): NewException => ({
        id: makeId(),
        rail: config.name,
        kind: "unreadable_line",
        subject: createHash("sha256").update(raw).digest("hex").slice(0, 24),
        onDate: localDateOf(now, config.zone),
        amount: zero,
        detail,
      })),
    ];
  }

  return {
    async once() {
      let found = 0;
      for (const open of rails.values()) {
        const { list } = open.rail;
        if (isAble(list)) found += await sweepRail(open, list);
      }
      return found;
    },
  };
}

function windowOf(sweep: Sweep, { now, listing }: { now: Date; listing: Listing }): { from: Date; to: Date } {
  if (sweep.window !== undefined) return sweep.window;
  const from = Math.max(sweep.doneUntil.getTime() - OVERLAP_MS, now.getTime() - listing.reachMs);
  const to = Math.min(now.getTime() - BEHIND_MS, from + listing.windowMaxMs);
  return { from: new Date(from), to: new Date(Math.max(to, from)) };
}

function arrivalsOf({ config }: OpenRail, { items }: ListPage, now: Date): readonly Arrival[] {
  return items.map(({ report, raw }) => ({
    rail: config.name,
    form: "pull",
    source: "pull",
    isEvidence: true,
    report,
    raw,
    sourceAddress: "-",
    receivedAt: now,
  }));
}
