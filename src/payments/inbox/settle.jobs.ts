import { MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { MakeId } from "../../kernel/ids.ts";
import { isTransient, type Database, type Tx } from "../../platform/database.ts";
import { SETTLE_CHANNEL } from "./arrivals.store.ts";
import { attachUnnamed } from "../requests/intents.store.ts";
import type { NoticeJobs } from "./notices.jobs.ts";
import type { AllocateReceipts, Destination, Receipt } from "../payments.ts";
import * as store from "./pending.store.ts";
import type { Receipts } from "../receipts/receipts.commands.ts";
import type { Reversals } from "../receipts/reversals.commands.ts";

export interface SettleLoop {
  start(): Promise<void>;
  /** Settles one batch of what is due and says how many payments it booked. */
  settleOnce(): Promise<number>;
  /** Settles until nothing is due. */
  settleAll(): Promise<number>;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
}

export interface SettleObserver {
  settled(count: number): void;
  /** One callback failed alone; `setAside` when it will not be tried again by itself. */
  failed(fault: { callbackId: bigint; error: unknown; setAside: boolean }): void;
  /** The database could not be reached; the loop waits and goes on. */
  waiting(error: unknown): void;
}

/** Waits between attempts at one failing callback; after the last it waits for a person, with an alert. */
const RETRY_AFTER_MS = [1_000, 10_000, MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS] as const;
const RECONNECT_MS = 250;

/**
 * The settle loop: claims stored callbacks in batches (`skip locked`, so any number of loops may run) and, in one
 * transaction a batch, books receipts, postings, allocations, tokens and messages. A batch that fails is tried again one
 * by one, so that a poisoned callback stands alone and the others go through. Woken by NOTIFY; a sweep is the fallback.
 * Measured and lost: one transaction per payment reached about a quarter of the batch's rate on one connection.
 */
export function makeSettleLoop({
  database,
  clock,
  makeId,
  receipts,
  allocate,
  notices,
  reversals,
  observer,
  batchMax,
  sweepMs,
}: {
  database: Database;
  clock: Clock;
  makeId: MakeId;
  receipts: Receipts;
  allocate: AllocateReceipts;
  notices: NoticeJobs;
  reversals: Reversals;
  observer: SettleObserver;
  batchMax: number;
  sweepMs: number;
}): SettleLoop {
  let stopping = false;
  let wake: (() => void) | undefined;
  let woken = false;
  let running: Promise<void> | undefined;
  let unlisten: (() => Promise<void>) | undefined;

  async function book(tx: Tx, callbacks: readonly store.PendingCallback[]): Promise<void> {
    const asked = await attachUnnamed(tx, callbacks.filter((one) => !one.answersRequest).map(unnamed));
    const batch: Receipt[] = callbacks.map(({ answersRequest: _, ...callback }) => ({
      ...callback,
      id: makeId<"Receipt">(),
      reference: callback.reference.trim() === "" ? (asked.get(nameOf(callback)) ?? "") : callback.reference,
    }));
    // What was taken back before it was booked buys nothing: it is booked, and goes out again right behind.
    const goneBack = await reversals.takenBefore(tx, batch);
    const buying = batch.flatMap((receipt) => {
      const reversedMinor = goneBack.get(nameOf(receipt)) ?? 0n;
      const { minor, currency } = receipt.amount;
      return reversedMinor === minor
        ? []
        : [{ ...receipt, amount: { minor: minor - reversedMinor, currency }, reversedMinor }];
    });
    const bought = await allocate(tx, buying);
    const places = new Map(
      buying.map(({ id, reversedMinor }, at): [string, Destination | undefined] => {
        const destination = bought[at];
        return [id, destination?.kind === "contract" ? { ...destination, reversedMinor } : destination];
      }),
    );
    const destinations = batch.map(({ id }): Destination => places.get(id) ?? { kind: "suspense", reason: "reversed" });
    await receipts.book(tx, batch, destinations);
    for (let left = goneBack.size; left > 0;) {
      const applied = await reversals.applyDue(tx, left);
      left -= applied;
      if (applied === 0) break;
    }
    await store.removePending(
      tx,
      callbacks.map(({ callbackId }) => callbackId),
    );
  }

  async function settleAlone(callbackId: bigint): Promise<number> {
    try {
      return await database.db.transaction(async (tx) => {
        const callback = await store.claimOne(tx, callbackId);
        if (callback === undefined) return 0;
        await book(tx, [callback]);
        return 1;
      });
    } catch (error) {
      if (isTransient(error)) throw error;
      await setBack(callbackId, error);
      return 0;
    }
  }

  async function setBack(callbackId: bigint, error: unknown): Promise<void> {
    const setAside = await database.db.transaction(async (tx) => {
      const before = await store.lockAttempts(tx, callbackId);
      if (before === undefined) return undefined;
      const wait = RETRY_AFTER_MS[before];
      await store.postpone(tx, {
        callbackId,
        attempts: before + 1,
        failure: describe(error),
        nextAttemptAt: wait === undefined ? undefined : new Date(clock.now().getTime() + wait),
      });
      return wait === undefined;
    });
    if (setAside !== undefined) observer.failed({ callbackId, error, setAside });
  }

  /** Claimed and booked differ by what failed alone: a batch of nothing but poison must not hide what is due behind it. */
  async function settleBatch(): Promise<{ claimed: number; settled: number }> {
    let claimed: readonly store.PendingCallback[] = [];
    try {
      await database.db.transaction(async (tx) => {
        claimed = await store.claimPending(tx, { now: clock.now(), batchMax });
        if (claimed.length > 0) await book(tx, claimed);
      });
      observer.settled(claimed.length);
      return { claimed: claimed.length, settled: claimed.length };
    } catch (error) {
      // A deadlock or a lost connection says nothing about the callbacks: the same batch is simply due again.
      if (isTransient(error) || claimed.length === 0) throw error;
      let settled = 0;
      for (const { callbackId } of claimed) settled += await settleAlone(callbackId);
      observer.settled(settled);
      return { claimed: claimed.length, settled };
    }
  }

  /** What is due besides payments: notices, and reversals whose payment is booked by now. */
  async function settleRest(): Promise<number> {
    const acted = await notices.once();
    let applied = 0;
    for (;;) {
      const one = await database.db.transaction((tx) => reversals.applyDue(tx, 1));
      if (one === 0) return acted + applied;
      applied += one;
    }
  }

  async function settleAll(): Promise<number> {
    let total = 0;
    for (;;) {
      const { claimed, settled } = await settleBatch();
      const rest = claimed === 0 ? await settleRest() : 0;
      total += settled;
      if (claimed + rest === 0) return total;
    }
  }

  function sleep(millis: number): Promise<void> {
    if (woken) {
      woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(awake, millis);
      function awake(): void {
        clearTimeout(timer);
        wake = undefined;
        resolve();
      }
      wake = awake;
    });
  }

  function rouse(): void {
    woken = true;
    wake?.();
  }

  async function run(): Promise<void> {
    while (!stopping) {
      try {
        woken = false;
        const { claimed } = await settleBatch();
        if (claimed === 0 && (await settleRest()) === 0) await sleep(sweepMs);
      } catch (error) {
        observer.waiting(error);
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    }
  }

  return {
    async start() {
      unlisten = await database.listen(SETTLE_CHANNEL, rouse);
      running = run();
    },
    settleOnce: async () => (await settleBatch()).settled,
    settleAll,
    async stop() {
      stopping = true;
      rouse();
      await running;
      await unlisten?.().catch(() => undefined); // the connection may be gone already, and with it the subscription
    },
  };
}

const nameOf = ({ rail, providerId }: { rail: string; providerId: string }): string => `${rail}/${providerId}`;

const unnamed = (callback: store.PendingCallback) => ({ ...callback, amountMinor: callback.amount.minor });

/** What a person reads beside a failing callback: the error and its cause, without the statement's parameters. */
function describe(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (inner instanceof Error ? `${inner.name}: ${inner.message}` : String(inner)).slice(0, 500);
}
