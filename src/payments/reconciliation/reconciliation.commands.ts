import type { MakeId } from "../../kernel/ids.ts";
import { InvalidInput, NotFound } from "../../kernel/refusal.ts";
import { addDays, localDateOf, startOfDay, type Clock, type LocalDate } from "../../kernel/time.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type { Exception } from "./exceptions.store.ts";
import type { OpenRail, OpenRails } from "../open-rails.ts";
import { decideState, explain, type ClearingExplanation, type Reconciliation } from "./reconciliation.ts";
import { listDayExceptions, listReconciliations, saveReconciliation } from "./reconciliation-results.store.ts";
import * as clearing from "./reconciliation-clearing.store.ts";
import * as store from "./reconciliation.store.ts";

export interface Reconciliations {
  /**
   * Compares a local day of the channel from three sides and keeps the result, one row a currency, the channel's own first.
   * Differences become named exceptions; those that have been explained since an earlier run are closed. Refuses a day to come.
   */
  reconcileDay(tx: Tx, day: { rail: string; on: LocalDate }): Promise<readonly Reconciliation[]>;
  /** Results, newest day first. */
  list(
    db: Db | Tx,
    query: { rail?: string | undefined; from: LocalDate; to: LocalDate; limit: number },
  ): Promise<readonly Reconciliation[]>;
  /** Of one day, whoever opened them: the open ones first. */
  exceptionsOf(db: Db | Tx, query: { rail: string; on: LocalDate; limit: number }): Promise<readonly Exception[]>;
  /** What the rail's clearing accounts held before the instant (default: with all that is now), and what that is made of. */
  explainClearing(db: Db | Tx, query: { rail: string; until?: Date | undefined }): Promise<ClearingExplanation>;
}

/** Daily reconciliation: the provider's list, our books and the ledger's clearing account must say the same. */
export function makeReconciliation({
  clock,
  makeId,
  rails,
}: {
  clock: Clock;
  makeId: MakeId;
  rails: OpenRails;
}): Reconciliations {
  function requireRail(name: string): OpenRail {
    const open = rails.get(name);
    if (open === undefined) throw new NotFound("rail", "rail");
    return open;
  }

  async function reconcileCurrency(
    tx: Tx,
    span: { rail: string; currency: Reconciliation["currency"]; from: Date; to: Date; on: LocalDate },
  ): Promise<Reconciliation> {
    const { rail, currency, on } = span;
    const now = clock.now();
    const { differences, unlisted } = await store.findDifferences(tx, span);
    const day = { rail, on, currency, differences, now };
    await store.openDifferences(tx, { ...day, makeId });
    await store.closeExplained(tx, day);
    const openExceptions = await store.countOpen(tx, day);
    const totals = await store.readTotals(tx, span);
    const result: Reconciliation = {
      rail,
      on,
      currency,
      listed: { minor: totals.listedMinor, currency },
      booked: { minor: totals.bookedMinor, currency },
      clearing: { minor: totals.clearingMinor, currency },
      exceptions: openExceptions,
      state: decideState({ hasList: await store.hasList(tx, span), unlisted, openExceptions }),
      madeAt: now,
    };
    await saveReconciliation(tx, result, totals);
    return result;
  }

  async function reconcileDay(tx: Tx, { rail, on }: { rail: string; on: LocalDate }): Promise<Reconciliation[]> {
    const { config } = requireRail(rail);
    if (on > localDateOf(clock.now(), config.zone)) throw new InvalidInput("That day has not come yet.", "day");
    await store.lockRail(tx, rail);
    const day = { rail, from: startOfDay(on, config.zone), to: startOfDay(addDays(on, 1), config.zone) };
    // Before the new results are there: how far the rail was looked through is told by its newest one.
    await clearing.markChangedDays(tx, { rail, zone: config.zone });
    const currencies = new Set([config.currency, ...(await store.currenciesOf(tx, day))]);
    const results: Reconciliation[] = [];
    for (const currency of currencies) results.push(await reconcileCurrency(tx, { ...day, currency, on }));
    return results;
  }

  return {
    reconcileDay,
    list: listReconciliations,
    exceptionsOf: listDayExceptions,
    async explainClearing(db, { rail, until = new Date(clock.now().getTime() + 1) }) {
      const { currency, zone } = requireRail(rail).config;
      const of = { rail, currency, until };
      const told = explain({
        ...of,
        ...(await clearing.readClearing(db, {
          ...of,
          days: await clearing.findEvenDays(db, { rail, currency, zone }),
        })),
      });
      // A day that was even is taken as it was read then. Should that not add up, the whole history is read: no rest may come from here.
      return told.rest.minor === 0n
        ? told
        : explain({ ...of, ...(await clearing.readClearing(db, { ...of, days: [] })) });
    },
  };
}
