/** A device's own account of its days: what it measured, what became of it, what befell it. */
import type { Fault } from "./faults.ts";
import type { TrueDay } from "./truth.ts";

/** What is known of a day when it is over. */
export type DayEnd = Pick<
  TrueDay,
  | "stateOfHealth"
  | "capacityAh"
  | "resistanceOhm"
  | "cause"
  | "energyInWh"
  | "energyOutWh"
  | "clockErrorSeconds"
  | "tokenCount"
  | "isDead"
>;

/** A day that may still change: something measured on it waits for its acknowledgement. */
export interface OpenDay {
  readonly day: number;
  /** Unix seconds of the readings that wait. */
  readonly pending: Set<number>;
  readonly acknowledged: number[];
  readonly acknowledgedAskew: number[];
  readonly overwritten: number[];
  readonly frames: Set<number>;
  readonly faults: Fault[];
  firstFrame: number;
  lastFrame: number;
  end: DayEnd | undefined;
}

export interface DayBook {
  readonly today: OpenDay;
  /** The day is over; the next one begins. */
  turn(end: DayEnd, nextDay: number): void;
  framed(frame: number): OpenDay;
  acknowledge(from: { readonly frameDay: OpenDay; readonly frame: number; readonly rows: readonly Noted[] }): void;
  overwrite(row: Noted): void;
  /** Writes every day that is still open, as it stands. */
  close(end: DayEnd): void;
}

/** A reading by its day; a reading sent again on request belongs to none. */
export interface Noted {
  readonly seconds: number;
  readonly isAskew: boolean;
  readonly day: OpenDay | undefined;
}

const DAY_MS = 86_400_000;

export function makeDayBook(
  who: { readonly serial: string; readonly village: string; readonly chemistry: string },
  { firstDay, write }: { firstDay: number; write(day: TrueDay): void },
): DayBook {
  const past = new Set<OpenDay>();
  let today = openDay(firstDay);

  function settle(open: OpenDay): void {
    if (open.end === undefined || open.pending.size > 0 || open.frames.size > 0) return;
    past.delete(open);
    write(recordOf(open, open.end));
  }

  const recordOf = (open: OpenDay, end: DayEnd): TrueDay => ({
    ...who,
    day: new Date(open.day * DAY_MS).toISOString().slice(0, 10),
    ...end,
    firstFrame: open.firstFrame,
    lastFrame: open.lastFrame,
    unacknowledgedFrames: [...open.frames],
    acknowledged: open.acknowledged.toSorted((left, right) => left - right),
    acknowledgedAskew: open.acknowledgedAskew.toSorted((left, right) => left - right),
    unacknowledged: [...open.pending],
    overwritten: open.overwritten,
    faults: open.faults,
  });

  return {
    get today() {
      return today;
    },
    turn(end, nextDay) {
      today.end = end;
      past.add(today);
      settle(today);
      today = openDay(nextDay);
    },
    framed(frame) {
      today.firstFrame ||= frame;
      today.lastFrame = frame;
      today.frames.add(frame);
      return today;
    },
    acknowledge({ frameDay, frame, rows }) {
      frameDay.frames.delete(frame);
      const touched = new Set([frameDay]);
      for (const { seconds, isAskew, day } of rows) {
        if (day === undefined || !day.pending.delete(seconds)) continue;
        (isAskew ? day.acknowledgedAskew : day.acknowledged).push(seconds);
        touched.add(day);
      }
      for (const day of touched) settle(day);
    },
    overwrite({ seconds, day }) {
      if (day === undefined || !day.pending.delete(seconds)) return;
      day.overwritten.push(seconds);
      settle(day);
    },
    close(end) {
      for (const open of past) write(recordOf(open, open.end ?? end));
      past.clear();
      write(recordOf(today, end));
    },
  };
}

function openDay(day: number): OpenDay {
  return {
    day,
    pending: new Set(),
    acknowledged: [],
    acknowledgedAskew: [],
    overwritten: [],
    frames: new Set(),
    faults: [],
    firstFrame: 0,
    lastFrame: 0,
    end: undefined,
  };
}
