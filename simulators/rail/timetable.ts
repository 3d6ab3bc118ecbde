/** What happens when. With a virtual clock nothing happens by itself; with the real clock a timer does it. */
export interface Timetable {
  /** While something runs: the instant it was due. */
  now(): Date;
  /** Acts due at the same instant begin in the order they were entered. */
  at(dueAt: Date, act: Act): void;
  after(waitMs: number, act: Act): void;
  /** Runs all that is due up to the instant, also what comes due by it, in order of time, and waits for it. */
  advanceTo(at: Date): Promise<void>;
  /** When the next thing is due. */
  readonly nextAt: Date | undefined;
  /** How many things wait. */
  readonly waiting: number;
  stop(): void;
}

export type Act = () => void | Promise<void>;

export type SimulatorClock =
  | "real"
  /** `moveTo` is called with each instant at which something runs, so that everybody shares one time. */
  | { now(): Date; moveTo?(at: Date): void };

interface Entry {
  readonly due: number;
  readonly act: Act;
}

/** More than the program's pool of connections: what is due at one moment should crowd. */
const TOGETHER_MAX = 20;
/** Node's timers go no further; the timetable looks again then. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * `grainMs`: instants are rounded up to multiples of it, so that what is due within it happens at the same moment.
 * Nothing else orders what is due at the same instant than its entry.
 */
export function makeTimetable({
  clock,
  grainMs = 1,
  onTrouble,
}: {
  clock: SimulatorClock;
  grainMs?: number;
  onTrouble: (trouble: unknown) => void;
}): Timetable {
  /** Sorted by time, latest first, so that the next one is taken from the end. */
  const entries: Entry[] = [];
  let reached = Number.NEGATIVE_INFINITY;
  let running: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let advances: Promise<void> = Promise.resolve();

  const outside = (): number => (clock === "real" ? Date.now() : clock.now().getTime());
  const nowMs = (): number => running ?? Math.max(reached, outside());

  /** After all entries that are due at the same time or earlier. */
  function enter(due: number, act: Act): void {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle]?.due ?? due) > due) low = middle + 1;
      else high = middle;
    }
    entries.splice(low, 0, { due, act });
  }

  function takeNext(until: number): { due: number; acts: Act[] } | undefined {
    const due = entries.at(-1)?.due;
    if (due === undefined || due > until) return undefined;
    const acts: Act[] = [];
    while (entries.at(-1)?.due === due) {
      const entry = entries.pop();
      if (entry !== undefined) acts.push(entry.act);
    }
    return { due, acts };
  }

  async function runTogether(acts: readonly Act[]): Promise<void> {
    const left = acts.values();
    async function work(): Promise<void> {
      for (const act of left) {
        try {
          await act();
        } catch (trouble) {
          onTrouble(trouble);
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(TOGETHER_MAX, acts.length) }, work));
  }

  async function advance(until: number): Promise<void> {
    for (let next = takeNext(until); next !== undefined && !isStopped; next = takeNext(until)) {
      running = Math.max(next.due, reached);
      if (clock !== "real") clock.moveTo?.(new Date(running));
      await runTogether(next.acts);
      reached = running;
    }
    running = undefined;
    reached = Math.max(reached, until);
    if (clock !== "real") clock.moveTo?.(new Date(reached));
  }

  /** In real time nobody waits for another's delivery. */
  function ring(): void {
    timer = undefined;
    for (let next = takeNext(Date.now()); next !== undefined; next = takeNext(Date.now())) {
      runTogether(next.acts).catch(onTrouble);
    }
    setTimer();
  }

  function setTimer(): void {
    if (clock !== "real" || isStopped) return;
    clearTimeout(timer);
    const due = entries.at(-1)?.due;
    timer = due === undefined ? undefined : setTimeout(ring, Math.min(TIMER_MS_MAX, Math.max(0, due - Date.now())));
  }

  function at(dueAt: Date, act: Act): void {
    if (isStopped) return;
    const due = Math.max(dueAt.getTime(), nowMs());
    enter(Math.ceil(due / grainMs) * grainMs, act);
    setTimer();
  }

  return {
    now: () => new Date(nowMs()),
    at,
    after: (waitMs, act) => at(new Date(nowMs() + waitMs), act),
    advanceTo(until) {
      if (clock === "real") throw new Error("The real clock cannot be advanced.");
      advances = advances.then(() => advance(until.getTime()));
      return advances;
    },
    get nextAt() {
      const due = entries.at(-1)?.due;
      return due === undefined ? undefined : new Date(due);
    },
    get waiting() {
      return entries.length;
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
      entries.length = 0;
    },
  };
}
