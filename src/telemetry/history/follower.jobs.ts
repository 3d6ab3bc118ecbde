import type { Clock } from "../../kernel/time.ts";
import { HistoryAway, type History } from "../../platform/history/history.ts";
import { migrateHistory } from "../../platform/history/migrate.ts";
import { beginBinding, NotOurHistory } from "./binding.client.ts";
import {
  beginFlight,
  beginRepair,
  countRows,
  daysOf,
  endFlight,
  endRepair,
  LockLost,
  passEmpty,
  readBookmark,
  readFinal,
  takeLock,
  type Bookmark,
  type Flight,
  type Link,
} from "./bookmark.store.ts";
import { READING_EXPRESSIONS } from "./columns.ts";
import { copyOut, type CopyText } from "./copy-text.store.ts";
import { isComplete, rebuildRollups, removeRange, sendRows } from "./copy.client.ts";
import { fillNextDay } from "./fill.jobs.ts";
import { isTaken, nextWidth, rangeFrom } from "./range.ts";

/** What a step came to: rows moved, a day compared, nothing to do, or another process follows. */
export type Step =
  { readonly kind: "moved" | "filled"; readonly rows: number } | { readonly kind: "idle" | "elsewhere" };

export interface Follower {
  /** Follows until it is stopped, pausing when there is nothing to do or something is away. */
  start(): void;
  /** One step. Throws HistoryAway, NotOurHistory, and what PostgreSQL throws; then the next begins with a new connection. */
  step(): Promise<Step>;
  /** Ends the step under way and lets go of the lock. */
  stop(): Promise<void>;
}

/** Where a death is thought of: tests end the follower, or the engine, at each of these. */
export const DEATHS = [
  "begun",
  "sent",
  "ended",
  "repair begun",
  "range removed",
  "rollups rebuilt",
  "repair ended",
] as const;
export type Death = (typeof DEATHS)[number];

export interface FollowerOptions {
  /** One connection of its own, with at most one open: what makes it the only follower is that connection's lock. */
  readonly connect: () => Promise<{ readonly link: Link; close(): Promise<void> }>;
  readonly history: History;
  readonly clock: Clock;
  readonly makeToken: () => string;
  /** Of a range; see ROWS_MAX. */
  readonly rowsMax?: number;
  readonly onMoved?: (rows: number) => void;
  readonly onFault?: (error: unknown) => void;
  readonly onRefused?: (refusal: NotOurHistory) => void;
  readonly at?: (death: Death) => Promise<void>;
}

/** A range goes as one block through memory on both sides: some 30 MB of text. */
const ROWS_MAX = 200_000;
const WIDTH_FIRST = 1_024n;
const WIDTH_MAX = 1n << 32n;
/** Nothing to do: readings are in history some seconds after their commit, and each part on its disk is worth having. */
const IDLE_PAUSE_MS = 5_000;
const FAULT_PAUSE_FIRST_MS = 500;
const FAULT_PAUSE_MAX_MS = 30_000;

/**
 * Copies committed readings to history, in the order of their transactions. Ranges of transaction numbers below the oldest
 * running transaction are closed sets. Each is written down before it is sent; sent under a token that history takes once;
 * and passed when it is there. A range whose end is not known (a death, a lost answer) is counted first, sent again under the
 * same token, and when it still does not add up, taken out and made anew (docs/history.md tells why all three).
 */
export function makeFollower(options: FollowerOptions): Follower {
  const {
    history,
    clock,
    makeToken,
    rowsMax = ROWS_MAX,
    onFault = () => undefined,
    at = () => Promise.resolve(),
  } = options;
  let held: { readonly link: Link; readonly pid: number; close(): Promise<void> } | undefined;
  let isBound = false;
  /** Of the flight: begun by this very process and not yet answered, so nothing of it can be there. */
  let isFresh = false;
  let width = WIDTH_FIRST;
  let isStopped = false;
  let loop: Promise<void> | undefined;
  let wake: (() => void) | undefined;

  async function hold(): Promise<{ link: Link; pid: number } | undefined> {
    if (held !== undefined) return held;
    const { link, close } = await options.connect();
    const pid = await takeLock(link);
    if (pid === undefined) {
      await close();
      return undefined;
    }
    isBound = false;
    isFresh = false;
    held = { link, pid, close };
    return held;
  }

  async function letGo(): Promise<void> {
    const old = held;
    held = undefined;
    await old?.close().catch(onFault);
  }

  async function step(): Promise<Step> {
    const absence = history.absence();
    if (absence !== undefined) throw new HistoryAway(absence);
    try {
      const holder = await hold();
      if (holder === undefined) return { kind: "elsewhere" };
      if (!isBound) {
        await history.use((client) => migrateHistory(client, history.topology));
        await beginBinding(holder, { history, clock, makeToken });
        isBound = true;
      }
      const bookmark = await readBookmark(holder.link);
      if (bookmark.flight !== undefined) return await land(holder, { bookmark, flight: bookmark.flight });
      const moved = await moveOn(holder, bookmark);
      if (moved !== undefined) return moved;
      const filled = await fillNextDay(holder.link, { history, clock, makeToken, rowsMax, done: bookmark.done });
      return filled === undefined ? { kind: "idle" } : { kind: "filled", rows: filled };
    } catch (error) {
      // What the connection still believes is unknown; a new one asks for the lock again.
      await letGo();
      throw error;
    }
  }

  /** Finds the next range with readings and sends it; undefined when there is none. */
  async function moveOn({ link, pid }: { link: Link; pid: number }, bookmark: Bookmark): Promise<Step | undefined> {
    const final = await readFinal(link);
    let done = bookmark.done;
    for (
      let range = rangeFrom(done, { width, final });
      range !== undefined;
      range = rangeFrom(done, { width, final })
    ) {
      const rows = await countRows(link, range);
      width = nextWidth(range, rows, { rowsMax, widthMax: WIDTH_MAX });
      if (!isTaken(range, rows, { rowsMax, widthMax: WIDTH_MAX })) continue;
      if (rows > 0) {
        if (done !== bookmark.done) await passEmpty(link, pid, done);
        const flight: Flight = { ...range, rows, token: makeToken(), attempt: 1, isRepairing: false };
        await beginFlight(link, pid, flight);
        isFresh = true;
        await at("begun");
        return await land({ link, pid }, { bookmark, flight });
      }
      done = range.to;
    }
    if (done !== bookmark.done) await passEmpty(link, pid, done);
    return undefined;
  }

  async function land(
    { link, pid }: { link: Link; pid: number },
    { bookmark, flight }: { bookmark: Bookmark; flight: Flight },
  ): Promise<Step> {
    const isCertain = isFresh && !flight.isRepairing;
    isFresh = false;
    let current = flight;
    if (current.isRepairing) current = await repair({ link, pid }, current);
    if (isCertain || !(await isThere(current))) {
      await send(link, current);
      await at("sent");
      if (!isCertain && !(await isThere(current))) {
        await beginRepair(link, pid);
        await at("repair begun");
        await send(link, await repair({ link, pid }, current));
        if (!(await isThere(current)))
          throw new Error(
            `Readings of transactions ${String(flight.from)} to ${String(flight.to)} do not add up in history.`,
          );
      }
    }
    await endFlight(link, pid, { flight: current, rowsCopied: bookmark.rowsCopied + flight.rows, at: clock.now() });
    await at("ended");
    return { kind: "moved", rows: flight.rows };
  }

  const isThere = (flight: Flight): Promise<boolean> =>
    history.use((client) => isComplete(client, history.topology, { range: flight, rows: flight.rows }));

  async function send(link: Link, flight: Flight): Promise<number> {
    // Read first: what goes wrong with PostgreSQL within `use` would be told as history's absence.
    const rows = await readRange(link, flight);
    return await history.use((client) => sendRows(client, history.topology, { rows, token: flight.token }));
  }

  /** Takes out what is there of the range, rollups included, and answers the flight under a new name. */
  async function repair({ link, pid }: { link: Link; pid: number }, flight: Flight): Promise<Flight> {
    const days = await daysOf(link, flight);
    await history.use((client) => removeRange(client, history.topology, flight));
    await at("range removed");
    await history.use((client) => rebuildRollups(client, history.topology, days));
    await at("rollups rebuilt");
    const next = { ...flight, token: makeToken(), attempt: flight.attempt + 1, isRepairing: false };
    await endRepair(link, pid, next);
    await at("repair ended");
    return next;
  }

  async function run(): Promise<void> {
    for (let failures = 0; !isStopped;) {
      let pause = 0;
      try {
        const done = await step();
        failures = 0;
        if ("rows" in done) options.onMoved?.(done.rows);
        else pause = IDLE_PAUSE_MS;
      } catch (error) {
        if (error instanceof NotOurHistory) options.onRefused?.(error);
        else if (!(error instanceof LockLost)) onFault(error);
        pause = Math.min(FAULT_PAUSE_FIRST_MS * 2 ** Math.min(failures++, 10), FAULT_PAUSE_MAX_MS);
      }
      if (pause > 0 && !isStopped) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pause);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  }

  return {
    start() {
      loop ??= run();
    },
    step,
    async stop() {
      isStopped = true;
      wake?.();
      await loop;
      await letGo();
    },
  };
}

/** The range's rows, in history's own order. */
function readRange(link: Link, { from, to, rows }: Flight): Promise<CopyText> {
  return copyOut(link, {
    query: `select ${READING_EXPRESSIONS.join(", ")} from telemetry.readings
      where batch > ${from.toString()} and batch <= ${to.toString()} order by device, at`,
    rows,
  });
}
