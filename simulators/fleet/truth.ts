/** What really happened, so that a test or an acceptance run can hold what the program says against it. */
import { appendFileSync, closeSync, openSync } from "node:fs";
import type { Fault } from "./faults.ts";

/** One device on one day (UTC, by simulated time). Times of readings are Unix seconds of the device's clock, as it told them. */
export interface TrueDay {
  readonly serial: string;
  readonly village: string;
  /** `2026-01-31`. */
  readonly day: string;
  readonly chemistry: string;
  /** At the end of the day: capacity as a share of the rated one, and why it is failing where it is. */
  readonly stateOfHealth: number;
  readonly capacityAh: number;
  readonly resistanceOhm: number;
  readonly cause: string | undefined;
  /** Counted since the fleet began, what goes past the meter included. */
  readonly energyInWh: number;
  readonly energyOutWh: number;
  /** How far the device's clock is ahead of the true time at the end of the day. */
  readonly clockErrorSeconds: number;
  readonly tokenCount: number;
  readonly isDead: boolean;
  /** Frames of measurements composed on this day, by their request count; both 0 when there was none. */
  readonly firstFrame: number;
  readonly lastFrame: number;
  readonly unacknowledgedFrames: readonly number[];
  /** Readings measured on this day. Every one of them is in exactly one of the four lists; each of this one must be found. */
  readonly acknowledged: readonly number[];
  /** Acknowledged, but told by a clock that was wrong by minutes or more: kept at another time, or set aside with a reason. */
  readonly acknowledgedAskew: readonly number[];
  readonly unacknowledged: readonly number[];
  /** Lost because the device's memory was full. */
  readonly overwritten: readonly number[];
  readonly faults: readonly Fault[];
}

export interface TruthSink {
  write(day: TrueDay): void;
  close(): void;
}

const FLUSH_CHARACTERS = 1 << 20;

/** Writes JSON lines into a file, from the beginning. Lines come as days are settled; sort them to compare two runs. */
export function openTruthFile(path: string): TruthSink {
  const file = openSync(path, "w");
  let waiting = "";
  const flush = (): void => {
    appendFileSync(file, waiting);
    waiting = "";
  };
  return {
    write(day) {
      waiting += `${JSON.stringify(day)}\n`;
      if (waiting.length >= FLUSH_CHARACTERS) flush();
    },
    close() {
      flush();
      closeSync(file);
    },
  };
}
