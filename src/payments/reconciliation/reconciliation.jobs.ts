import { addDays, DAY_MS, HOUR_MS, localDateOf, MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import type { OpenRail, OpenRails } from "../open-rails.ts";
import type { Reconciliations } from "./reconciliation.commands.ts";
import { findDueDays } from "./reconciliation-results.store.ts";
import { tryLockRail } from "./reconciliation.store.ts";

/** Late callbacks and the sweep of the last hours come first; then the day is as whole as it will be by itself. */
const READY_AFTER_MS = 3 * HOUR_MS;
/** A day that did not agree is looked at again every day for so long: its statement may come, or its exception be explained. */
const LOOKED_AT_AGAIN_DAYS = 35;
/** Nothing becomes due within a minute that could not wait for the next one. */
const LOOK_EVERY_MS = MINUTE_MS;

/**
 * Reconciles each rail's days that are over: which are done stands in the results themselves, so nothing is forgotten over a
 * restart, and a lock on the rail keeps two processes from the same day. Answers how many days were done; at most one a rail and call.
 */
export function makeReconciliationSteps({
  database,
  clock,
  rails,
  reconciliations,
}: {
  database: Database;
  clock: Clock;
  rails: OpenRails;
  reconciliations: Reconciliations;
}): () => Promise<number> {
  let nextLookAt = 0;

  async function reconcileNext({ config }: OpenRail): Promise<number> {
    const { name: rail, currency, zone } = config;
    const now = clock.now();
    const yesterday = addDays(localDateOf(new Date(now.getTime() - READY_AFTER_MS), zone), -1);
    const due = {
      rail,
      currency,
      zone,
      yesterday,
      earliest: addDays(yesterday, 1 - LOOKED_AT_AGAIN_DAYS),
      readyAfterMs: READY_AFTER_MS,
      again: new Date(now.getTime() - DAY_MS),
    };
    if ((await findDueDays(database.db, due)).length === 0) return 0;
    return await database.db.transaction(async (tx) => {
      if (!(await tryLockRail(tx, rail))) return 0;
      const [on] = await findDueDays(tx, due);
      if (on === undefined) return 0;
      await reconciliations.reconcileDay(tx, { rail, on });
      return 1;
    });
  }

  return async () => {
    if (clock.now().getTime() < nextLookAt) return 0;
    let done = 0;
    for (const open of rails.values()) done += await reconcileNext(open);
    if (done === 0) nextLookAt = clock.now().getTime() + LOOK_EVERY_MS;
    return done;
  };
}
