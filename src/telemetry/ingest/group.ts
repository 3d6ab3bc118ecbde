import type { CommandAnswer, DeviceEvent, DeviceFrame, FrameRefusal, RawFrame, Reading } from "../frames/frame.ts";
import type { Part } from "./block.ts";
import { addFrame, startLatest, type Latest } from "./latest.ts";
import { faultOfTime, placeFrame, type Known } from "./placing.ts";

/** A frame that was read, of a device that is ours. */
export interface ReadFrame {
  /** devices.devices.number */
  readonly device: number;
  readonly frame: DeviceFrame;
}

/** What came in one message: frames, or the reason why there are none. */
export interface Message {
  readonly frames: readonly ReadFrame[];
  readonly refusals: readonly FrameRefusal[];
  readonly raw: Pick<RawFrame, "payload" | "topic" | "receivedAtMs" | "sentBytes">;
  /** The address, or the client's name at the broker. */
  readonly source: string;
  /** Whether its bytes are kept when something of it is refused; undefined until that is asked. */
  isKept: boolean | undefined;
}

/** What became of one frame. */
export interface TakenFrame extends ReadFrame {
  readonly outcome: "stored" | "repeated" | "refused";
  /** Readings that are kept, whether they were there before or not. */
  readonly readings: number;
}

/** What became of a message, once it is committed. */
export interface Taken {
  readonly frames: readonly TakenFrame[];
  /** Of the message, of its parts or of some of its readings. */
  readonly refusals: readonly FrameRefusal[];
}

export interface PlacedEvent {
  readonly device: number;
  readonly event: DeviceEvent;
  readonly receivedAtMs: number;
}

export interface Refused {
  readonly refusal: FrameRefusal;
  readonly message: Message;
}

/** What those who command devices want to know. */
export interface Heard {
  readonly answers: readonly { readonly deviceNumber: number; readonly answer: CommandAnswer }[];
  /** The last count of each device that told one. */
  readonly counts: readonly { readonly deviceNumber: number; readonly tokenCount: number }[];
}

/** Everything that one transaction writes, and what it answers. */
export interface Plan {
  readonly parts: readonly Part[];
  readonly latests: ReadonlyMap<number, Latest>;
  readonly events: readonly PlacedEvent[];
  /** All that is refused, and what of it is kept. */
  readonly refused: readonly Refused[];
  readonly quarantined: readonly Refused[];
  /** Devices of which a frame was refused because it was told before. */
  readonly replayed: readonly number[];
  readonly heard: Heard;
  readonly taken: readonly Taken[];
  readonly readings: number;
}

/**
 * Decides a whole group in the order in which it came: each frame sees what the ones before it did to its device. `known`
 * holds what the database says of the devices in it.
 */
export function planGroup(
  messages: readonly Message[],
  {
    known,
    keptDays,
    keepsRefused,
  }: {
    known: ReadonlyMap<number, Known>;
    keptDays: number;
    /** Whether the bytes of a message are kept of which something is refused; a source that sends nothing else is only counted. */
    keepsRefused(message: Message): boolean;
  },
): Plan {
  const draft: Draft = {
    parts: [],
    latests: new Map(),
    events: [],
    refused: [],
    quarantined: [],
    replayed: [],
    answers: [],
    counts: new Map(),
    readings: 0,
  };
  const taken = messages.map((message): Taken => {
    const refusals = [...message.refusals];
    const frames = message.frames.map((read): TakenFrame => {
      const { device } = read;
      let latest = draft.latests.get(device);
      if (latest === undefined) draft.latests.set(device, (latest = startLatest(device, known.get(device))));
      return planFrame(draft, { read, latest, refusals, message, keptDays });
    });
    for (const refusal of refusals) draft.refused.push({ refusal, message });
    if (refusals.length > 0 && keepsRefused(message))
      for (const refusal of refusals) draft.quarantined.push({ refusal, message });
    return { frames, refusals };
  });
  for (const [device, latest] of draft.latests) if (Number.isNaN(latest.seenAtMs)) draft.latests.delete(device);
  const { answers, counts, ...written } = draft;
  const heard = {
    answers,
    counts: [...counts].map(([deviceNumber, tokenCount]) => ({ deviceNumber, tokenCount })),
  };
  return { ...written, heard, taken };
}

interface Draft {
  readonly parts: Part[];
  readonly latests: Map<number, Latest>;
  readonly events: PlacedEvent[];
  readonly refused: Refused[];
  readonly quarantined: Refused[];
  readonly replayed: number[];
  readonly answers: { deviceNumber: number; answer: CommandAnswer }[];
  readonly counts: Map<number, number>;
  readings: number;
}

function planFrame(
  draft: Draft,
  {
    read,
    latest,
    refusals,
    message,
    keptDays,
  }: {
    read: ReadFrame;
    latest: Latest;
    refusals: FrameRefusal[];
    message: Message;
    keptDays: number;
  },
): TakenFrame {
  const { device, frame } = read;
  const { receivedAtMs } = message.raw;
  const placing = placeFrame(frame, { known: latest.known, receivedAtMs, keptDays });
  if (placing.kind === "refused") {
    refusals.push(placing.refusal);
    if (placing.refusal.reason === "replayed") draft.replayed.push(device);
    return { ...read, outcome: "refused", readings: 0 };
  }
  const { shiftSeconds, isRepetition } = placing;
  // Its readings were committed together with the counter that shows it is one. A device without a right clock would have
  // them stored at other times now, and most ways of signing do not cover them: whoever overheard the frame could change them.
  if (isRepetition) {
    addFrame(latest, frame, { shiftSeconds, isRepetition, readings: [], receivedAtMs });
    return { ...read, outcome: "repeated", readings: 0 };
  }
  const shiftMs = shiftSeconds * 1000;
  const readings = keepPossible(frame.readings, { shiftMs, receivedAtMs, keptDays });
  if (readings.length < frame.readings.length)
    refusals.push(clockOff(frame, { kept: readings.length, shiftMs, receivedAtMs, keptDays }));
  const newestAtMs = latest.known.readingAtMs ?? -Infinity;
  addFrame(latest, frame, { shiftSeconds, isRepetition, readings, receivedAtMs });
  if (readings.length > 0) {
    draft.parts.push({ device, shiftMs, newestAtMs, readings });
    draft.readings += readings.length;
  }
  for (const event of frame.events) {
    const atMs = Math.round(event.atMs + shiftMs);
    const isPossible = faultOfTime(atMs, { receivedAtMs, keptDays }) === undefined;
    draft.events.push({ device, event: { ...event, atMs: isPossible ? atMs : receivedAtMs }, receivedAtMs });
  }
  for (const answer of frame.answers) draft.answers.push({ deviceNumber: device, answer });
  if (frame.standing?.tokenCount !== undefined) draft.counts.set(device, frame.standing.tokenCount);
  return { ...read, outcome: "stored", readings: readings.length };
}

interface Times {
  readonly shiftMs: number;
  readonly receivedAtMs: number;
  readonly keptDays: number;
}

function keepPossible(readings: readonly Reading[], { shiftMs, ...now }: Times): readonly Reading[] {
  const isPossible = (reading: Reading): boolean => faultOfTime(reading.atMs + shiftMs, now) === undefined;
  return readings.every(isPossible) ? readings : readings.filter(isPossible);
}

function clockOff(frame: DeviceFrame, { kept, shiftMs, ...now }: Times & { kept: number }): FrameRefusal {
  const faults = frame.readings.map((reading) => faultOfTime(reading.atMs + shiftMs, now));
  const wrong = frame.readings[faults.findIndex((fault) => fault !== undefined)];
  const count = (fault: "ahead" | "too old"): number => faults.filter((one) => one === fault).length;
  return {
    reason: "clock_off",
    serial: frame.serial,
    detail: `${String(frame.readings.length - kept)} of ${String(frame.readings.length)} readings were set aside: ${String(count("ahead"))} lie ahead of our clock, ${String(count("too old"))} before the ${String(now.keptDays)} days that are kept. The first is of ${isoOf(wrong?.atMs)} by the device's clock; ${frame.sentAtMs === undefined ? "the frame tells no sending time to correct it by" : `the frame was sent at ${isoOf(frame.sentAtMs)} by the same clock`}.`,
  };
}

function isoOf(atMs: number | undefined): string {
  if (atMs === undefined || !(Math.abs(atMs) <= 8.64e15)) return String(atMs);
  return new Date(atMs).toISOString();
}

/** What is known of the plan's devices once it is committed. */
export function knownAfter({ latests }: Plan): [device: number, known: Known][] {
  return [...latests].map(([device, { known }]) => [device, known]);
}
