import type { Speaker, Speakers } from "../../devices/devices.ts";
import type { Clock } from "../../kernel/time.ts";
import { makeTwoAges } from "../../platform/two-ages.ts";
import type { DeviceFrame, FrameContext, FrameOutcome, FrameRefusal, RawFrame } from "../frames/frame.ts";
import type { Heard, Message, ReadFrame, Taken } from "./group.ts";
import { makeLane, type LaneObserver } from "./lane.jobs.ts";

export type { Heard, Taken, TakenFrame } from "./group.ts";

/** Where frames come in, whatever door they use. */
export interface Ingest {
  /**
   * Reads a frame and stores what it tells; resolves after the commit, so that acknowledging then promises the truth. What is
   * refused is set aside with its reason and resolves too: it is kept, and the device need not send it again. While the database
   * is away it waits. Rejects with `IngestFull` when too much waits already, and when the program stops.
   */
  take(raw: RawFrame, source: string, options?: TakeOptions): Promise<Taken>;
  /** Keeps a frame that its door already refused, for an engineer to read. */
  setAside(raw: RawFrame, refusal: FrameRefusal, source: string): Promise<Taken>;
  /** Messages and their bytes that are not committed yet. */
  inFlight(): { readonly messages: number; readonly bytes: number };
  /** Ends what is being written. What waits behind it rejects. */
  close(): Promise<void>;
}

export interface TakeOptions {
  /** Looks at what was read before any of it is stored; what it throws, `take` rejects with. */
  admit?(frames: readonly DeviceFrame[]): void;
}

export interface IngestObserver extends LaneObserver {
  /** A part of a message that was refused, whether or not its bytes are kept. */
  setAside(refusal: FrameRefusal): void;
}

/** The database cannot keep up or is away, and the waiting room is full; the sender keeps what it has and tries again. */
export class IngestFull extends Error {
  constructor() {
    super("Too many frames wait for the database; send this one again later.");
    this.name = "IngestFull";
  }
}

/** What may wait in memory: enough for seconds of a full load, far less than a process has. */
const WAITING_MESSAGES_MAX = 100_000;
const WAITING_BYTES_MAX = 128 * 1_048_576;
/** A frame names its device and its accessories one after another; each unknown one is looked up before it is read again. */
const READINGS_OF_ONE_FRAME_MAX = 40;
/** Of one source in one minute: then its refused frames are counted and no longer kept, so that nobody fills the disk. */
const REFUSED_KEPT_A_MINUTE = 60;
const SOURCES_MAX = 50_000;
const MINUTE_MS = 60_000;

export function makeIngest({
  url,
  clock,
  speakers,
  read,
  dataFormat,
  onHeard,
  observer,
  keptDays,
  lanes = 1,
  now = () => performance.now(),
}: {
  /** Of the database; ingest has connections of its own, which speak binary. */
  url: string;
  clock: Clock;
  speakers: Pick<Speakers, "peek" | "load">;
  /** Reads one frame by the adapter that claims its topic. */
  read(raw: RawFrame, context: FrameContext): FrameOutcome;
  /** Registered data formats, from memory: undefined when it has to be loaded first, null when there is none. */
  dataFormat: { peek(id: number): unknown; load(ids: readonly number[]): Promise<void> };
  /** What devices answered and count; runs after the readings' commit and before the frame is acknowledged. May run twice. */
  onHeard(heard: Heard): Promise<void>;
  observer: IngestObserver;
  /** Readings older than this are set aside; their day may be gone. */
  keptDays: number;
  /** Connections that write side by side; a device always takes the same. */
  lanes?: number;
  now?: () => number;
}): Ingest {
  const refusedKept = makeTwoAges<string, { minute: number; count: number }>(SOURCES_MAX);
  const open = Array.from({ length: lanes }, () => makeLane({ url, keptDays, observer, now, onHeard }));
  let messages = 0;
  let bytes = 0;

  const minuteNow = (): number => Math.floor(clock.now().getTime() / MINUTE_MS);

  function keepsRefused(source: string): boolean {
    const seen = refusedKept.get(source);
    return seen === undefined || seen.minute !== minuteNow() || seen.count < REFUSED_KEPT_A_MINUTE;
  }

  function countRefused(source: string): void {
    const minute = minuteNow();
    const seen = refusedKept.get(source);
    refusedKept.set(source, { minute, count: seen?.minute === minute ? seen.count + 1 : 1 });
  }

  /** Reads a frame, loading what the adapter asks for and memory does not hold, and reading again. */
  async function readWhole(raw: RawFrame): Promise<FrameOutcome> {
    for (let attempt = 1; ; attempt++) {
      const { outcome, serials, formats } = readOnce(raw);
      if (serials.size === 0 && formats.size === 0) return outcome;
      if (attempt === READINGS_OF_ONE_FRAME_MAX)
        return {
          ok: false,
          refusal: {
            reason: "wrong_schema",
            serial: raw.serial,
            detail: `One frame may name ${String(READINGS_OF_ONE_FRAME_MAX)} devices and data formats at most.`,
          },
        };
      await Promise.all([speakers.load([...serials]), dataFormat.load([...formats])]);
    }
  }

  async function readAdmitted(raw: RawFrame, options: TakeOptions | undefined): Promise<FrameOutcome> {
    const outcome = await readWhole(raw);
    if (outcome.ok) options?.admit?.(outcome.frames);
    return outcome;
  }

  function readOnce(raw: RawFrame): { outcome: FrameOutcome; serials: Set<string>; formats: Set<number> } {
    const serials = new Set<string>();
    const formats = new Set<number>();
    const peek = (serial: string): Speaker | undefined => {
      const found = speakers.peek(serial);
      if (found === undefined) serials.add(serial);
      return found ?? undefined;
    };
    const outcome = read(raw, {
      hash: (serial, message) => speakingOf(peek(serial))?.hash(message),
      dataFormat(id) {
        const found = dataFormat.peek(id);
        if (found === undefined) formats.add(id);
        return found ?? undefined;
      },
    });
    if (outcome.ok) for (const { serial } of outcome.frames) peek(serial);
    return { outcome, serials, formats };
  }

  function messageOf(raw: RawFrame, { outcome, source }: { outcome: FrameOutcome; source: string }): Message {
    const frames: ReadFrame[] = [];
    const refusals: FrameRefusal[] = outcome.ok ? [...(outcome.setAside ?? [])] : [outcome.refusal];
    if (outcome.ok) {
      for (const frame of outcome.frames) {
        const speaker = speakingOf(speakers.peek(frame.serial) ?? undefined);
        if (speaker === undefined) refusals.push(unknownDevice(frame.serial));
        else frames.push({ device: speaker.number, frame });
      }
    }
    return { frames, refusals, raw, source, keepsRefused: keepsRefused(source) };
  }

  async function store(message: Message): Promise<Taken> {
    if (message.refusals.length > 0 && message.frames.length === 0 && !message.keepsRefused)
      return { frames: [], refusals: message.refusals };
    const [first] = message.frames;
    const laneOf = (device: number): number => device % open.length;
    // The devices of one message mostly share a lane; where they do not, each part is committed by its own.
    const apart = new Map<number, ReadFrame[]>();
    for (const one of message.frames) {
      const lane = laneOf(one.device);
      apart.set(lane, [...(apart.get(lane) ?? []), one]);
    }
    if (apart.size <= 1) return await addTo(first === undefined ? 0 : laneOf(first.device), message);
    const parts = await Promise.all(
      [...apart].map(([lane, frames], at) =>
        addTo(lane, { ...message, frames, refusals: at === 0 ? message.refusals : [] }),
      ),
    );
    return { frames: parts.flatMap((part) => part.frames), refusals: parts.flatMap((part) => part.refusals) };
  }

  function addTo(lane: number, message: Message): Promise<Taken> {
    const place = open[lane];
    if (place === undefined) throw new Error(`Bug: there is no lane ${String(lane)}.`);
    return place.add(message);
  }

  async function within(raw: RawFrame, source: string, look: () => Promise<FrameOutcome>): Promise<Taken> {
    if (messages >= WAITING_MESSAGES_MAX || bytes + raw.payload.length > WAITING_BYTES_MAX) throw new IngestFull();
    messages += 1;
    bytes += raw.payload.length;
    try {
      const outcome = await look();
      const taken = await store(messageOf(raw, { outcome, source }));
      if (taken.refusals.length > 0) {
        countRefused(source);
        for (const refusal of taken.refusals) observer.setAside(refusal);
      }
      return taken;
    } finally {
      messages -= 1;
      bytes -= raw.payload.length;
    }
  }

  return {
    take: (raw, source, options) => within(raw, source, () => readAdmitted(raw, options)),
    setAside: (raw, refusal, source) => within(raw, source, () => Promise.resolve({ ok: false, refusal })),
    inFlight: () => ({ messages, bytes }),
    async close() {
      await Promise.all(open.map((lane) => lane.close()));
    },
  };
}

/** A device that was taken out of service is nobody any more. */
function speakingOf(speaker: Speaker | undefined): Speaker | undefined {
  return speaker?.state === "retired" ? undefined : speaker;
}

function unknownDevice(serial: string): FrameRefusal {
  return {
    reason: "unknown_device",
    serial,
    detail: "There is no device of this serial in service. Import it, or correct the serial in the device.",
  };
}
