/** What a device has measured and not yet got rid of: rows in its memory, and the frames that they become. */
import type { SipKey } from "../../src/devices/tokens/siphash.ts";
import type { DayBook, Noted } from "./day-book.ts";
import type { DeviceClock } from "./device-clock.ts";
import { metricsFrame, type FrameStyle, type Row, type SigningMethod, type Standing } from "./metrics-frame.ts";
import type { Radio } from "./radio.ts";
import { dataMessage } from "./topics.ts";

export interface Kept extends Noted {
  readonly values: Row;
}

export interface Dispatch {
  /** Takes a measurement; overwrites the oldest when the memory is full. */
  keep(row: Kept): void;
  /** Makes frames of the rows. */
  compose(): void;
  /** Sends again what is remembered of a span, in Unix seconds of the device's clock. */
  sendAgain(span: { readonly from: number; readonly to: number }): void;
  /** Until the memory is empty, every row gets a frame of its own. */
  sendSingly(): void;
  sendNextTwice(): void;
  loseNextAcknowledgement(): void;
  readonly rowsKept: number;
}

const ROWS_PER_FRAME_MAX = 100;
/** Frames that wait before a device in real time leaves further measurements in rows, which take less room. */
export const WAITING_FRAMES_MAX = 4;
/** What a device can send again on request, besides what was never acknowledged. */
const MEMORY_ROWS = 48;
/** Frames of one moment get times up to so far ahead. */
const COUNTS_ON_SECONDS = 60;
/** Before 2020 no device of the fleet was made: it knows that its clock is not set. */
const CLOCK_SET_SINCE = Date.UTC(2020, 0, 1) / 1_000;

export function makeDispatch({
  serial,
  sip,
  method,
  style,
  bufferRowsMax,
  isPatient,
  radio,
  book,
  clock,
  now,
  isAskew,
  standing,
  onAcknowledged,
  onOverwritten,
}: {
  serial: string;
  sip: SipKey;
  method: SigningMethod;
  style: FrameStyle;
  bufferRowsMax: number;
  isPatient: boolean;
  radio: Radio;
  book: DayBook;
  clock: DeviceClock;
  /** True simulated time. */
  now(): number;
  isAskew(): boolean;
  standing(): Standing;
  onAcknowledged(rows: readonly Noted[]): void;
  onOverwritten(): void;
}): Dispatch {
  let rows: Kept[] = [];
  const memory: Kept[] = [];
  let requestCount = 0;
  let lastTimestamp = 0;
  let isSingly = false;
  let nextIsSentTwice = false;
  let nextLosesAcknowledgement = false;

  function compose(): void {
    while (rows.length > 0) {
      if (!isPatient && radio.waitingData >= WAITING_FRAMES_MAX) return;
      const part = rows.slice(0, isSingly ? 1 : ROWS_PER_FRAME_MAX);
      rows = rows.slice(part.length);
      sendFrame(part);
    }
    isSingly = false;
  }

  function sendFrame(kept: readonly Kept[]): void {
    // A program that shifts a frame because of its sending time shifts every row of it.
    const part = isAskew() ? kept.map((row) => ({ ...row, isAskew: true })) : kept;
    const frame = ++requestCount;
    const frameDay = book.framed(frame);
    const isSentTwice = nextIsSentTwice;
    const losesAcknowledgement = nextLosesAcknowledgement;
    nextIsSentTwice = false;
    nextLosesAcknowledgement = false;
    const payload = metricsFrame({
      serial,
      sip,
      method,
      style,
      timestamp: nextTimestamp(),
      requestCount,
      standing: standing(),
      rows: part.map(({ values }) => values),
    });
    radio.send("data", {
      message: dataMessage(serial, payload),
      isSentTwice,
      losesAcknowledgement,
      onAcknowledged() {
        book.acknowledge({ frameDay, frame, rows: part });
        onAcknowledged(part);
        if (!isPatient && rows.length >= ROWS_PER_FRAME_MAX) compose();
      },
    });
  }

  /**
   * A time that is behind what the device told before would be taken for a replay. Frames of the same moment count on; a device
   * whose clock was set back tells none until the clock has caught up, and proves by its count that a frame is new.
   */
  function nextTimestamp(): number | undefined {
    const seconds = clock.secondsAt(now());
    if (seconds < CLOCK_SET_SINCE || seconds <= lastTimestamp - COUNTS_ON_SECONDS) return undefined;
    lastTimestamp = Math.max(seconds, lastTimestamp + 1);
    return lastTimestamp;
  }

  return {
    keep(row) {
      rows.push(row);
      memory.push(row);
      if (memory.length > MEMORY_ROWS) memory.shift();
      while (rows.length > bufferRowsMax) {
        const oldest = rows.shift();
        if (oldest === undefined) break;
        book.overwrite(oldest);
        onOverwritten();
      }
    },
    compose,
    sendAgain({ from, to }) {
      compose();
      const asked = memory.filter(({ seconds }) => seconds >= from && seconds <= to);
      if (asked.length > 0) sendFrame(asked.map((row) => ({ ...row, day: undefined })));
    },
    sendSingly: () => void (isSingly = true),
    sendNextTwice: () => void (nextIsSentTwice = true),
    loseNextAcknowledgement: () => void (nextLosesAcknowledgement = true),
    get rowsKept() {
      return rows.length;
    },
  };
}
