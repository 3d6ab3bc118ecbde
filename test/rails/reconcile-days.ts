import type { App } from "../../src/app.ts";
import { addDays, localDateOf } from "../../src/kernel/time.ts";
import { DAY_FROM } from "./program.ts";

/** What the program itself says of a rail when all lists are in. Plain data. */
export interface Reconciled {
  readonly rail: string;
  /** Days that did not agree, with why. */
  readonly disagreeing: readonly string[];
  /** What of the clearing account's balance nothing explains; zero, or a bug. */
  readonly restMinor: bigint;
  /** Parts of the balance that no exception names. */
  readonly unnamed: readonly string[];
}

const NAMED = new Set(["booked_not_listed", "listed_not_booked", "amount_differs"]);

/** Reconciles every day of every rail, as the program does by itself each night, and asks what each balance is made of. */
export async function reconcileDays(app: App): Promise<readonly Reconciled[]> {
  const { database, rails, reconciliations, clock } = app;
  const reconciled: Reconciled[] = [];
  for (const [rail, { config }] of rails) {
    const disagreeing: string[] = [];
    const last = localDateOf(clock.now(), config.zone);
    for (let on = localDateOf(DAY_FROM, config.zone); on <= last; on = addDays(on, 1)) {
      const day = on;
      const results = await database.db.transaction((tx) => reconciliations.reconcileDay(tx, { rail, on: day }));
      for (const { state, exceptions, listed, booked, clearing } of results)
        // A rail that tells no times may list on one day what was booked on the next: then their sums differ, and nothing is wrong.
        if (state === "exceptions" || booked.minor !== clearing.minor)
          disagreeing.push(
            `${rail} on ${on}: ${state}, ${exceptions} exceptions, ${listed.minor} listed, ${booked.minor} booked, ${clearing.minor} in the account`,
          );
    }
    const { rest, parts } = await reconciliations.explainClearing(database.db, { rail });
    const unnamed = parts
      .filter(({ name, count, named }) => (NAMED.has(name) ? named < count : true))
      .map(({ name, count, amount, named }) => `${rail}: ${count} ${name} of ${amount.minor}, ${named} named`);
    reconciled.push({ rail, disagreeing, restMinor: rest.minor, unnamed });
  }
  return reconciled;
}
