import type { Speaker, Speakers } from "../../devices/devices.ts";
import type { Clock } from "../../kernel/time.ts";
import { makeTwoAges } from "../../platform/two-ages.ts";
import type { DeviceFrame, FrameContext, FrameOutcome, FrameRefusal, RawFrame } from "../frames/frame.ts";
import type { Heard, Message, ReadFrame, Taken } from "./group.ts";
import { LaneClosed, makeLane, type LaneObserver } from "./lane.jobs.ts";

export type { Heard, Taken, TakenFrame } from "./group.ts";

/** Where frames come in, whatever door they use. */
export interface Ingest {
  /**
   * Reads a frame and stores what it tells; resolves after the commit, so that acknowledging then promises the truth. What is
   * refused is set aside with its reason and resolves too: it is kept, and the device need not send it again. While the database
   * is away it waits. Rejects with `IngestFull` when too much waits already, and when the program stops. Frames of one device, and
   * those of one `source` where the connection is nobody's, are read in the order in which they are handed in.
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
const LOAD_PAUSE_MS = 500;
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
  const told: LaneObserver = {
    ...observer,
    committed(group, seconds) {
      for (const { refusal } of group.refused) observer.setAside(refusal);
      observer.committed(group, seconds);
    },
  };
  const open = Array.from({ length: lanes }, () =>
    makeLane({ url, keptDays, observer: told, now, onHeard, keepsRefused }),
  );
  /** By who sends: the last frame for which something has to be looked up. Those behind it wait, since a device's frames keep their order. */
  const turns = new Map<string, Promise<FrameOutcome>>();
  let isClosed = false;
  /** Messages whose device is being looked up. */
  const reading = { messages: 0, bytes: 0 };
  /** What the adapter asked for in one reading and memory did not hold. */
  const missing = { serials: new Set<string>(), formats: new Set<number>() };
  const context: FrameContext = {
    hash: (serial, message) => speakingOf(peekSpeaker(serial))?.hash(message),
    dataFormat(id) {
      const found = dataFormat.peek(id);
      if (found === undefined) missing.formats.add(id);
      return found ?? undefined;
    },
  };

  function peekSpeaker(serial: string): Speaker | undefined {
    const found = speakers.peek(serial);
    if (found === undefined) missing.serials.add(serial);
    return found ?? undefined;
  }

  /** Counted when first asked of a message, before it is committed: what comes in one group counts too. */
  function keepsRefused(message: Message): boolean {
    message.isKept ??= countRefused(message.source) <= REFUSED_KEPT_A_MINUTE;
    return message.isKept;
  }

  /** Messages of this source in this minute of which something was refused. */
  function countRefused(source: string): number {
    const minute = Math.floor(clock.now().getTime() / MINUTE_MS);
    const seen = refusedKept.get(source);
    const count = seen?.minute === minute ? seen.count + 1 : 1;
    refusedKept.set(source, { minute, count });
    return count;
  }

  /** The outcome, or undefined when something has to be loaded first; `missing` says what. */
  function readOnce(raw: RawFrame): FrameOutcome | undefined {
    const outcome = read(raw, context);
    if (outcome.ok) for (const { serial } of outcome.frames) peekSpeaker(serial);
    return missing.serials.size === 0 && missing.formats.size === 0 ? outcome : undefined;
  }

  /** Loads what was missing and reads again. A frame names its device and its accessories one after another. */
  async function readAgain(raw: RawFrame): Promise<FrameOutcome> {
    for (let attempt = 1; attempt < READINGS_OF_ONE_FRAME_MAX; attempt++) {
      const [serials, formats] = [[...missing.serials], [...missing.formats]];
      missing.serials.clear();
      missing.formats.clear();
      await untilLoaded(() => Promise.all([speakers.load(serials), dataFormat.load(formats)]));
      const outcome = readOnce(raw);
      if (outcome !== undefined) return outcome;
    }
    missing.serials.clear();
    missing.formats.clear();
    const most = String(READINGS_OF_ONE_FRAME_MAX);
    const detail = `One frame may name ${most} devices and data formats at most.`;
    return { ok: false, refusal: { reason: "wrong_schema", serial: raw.serial, detail } };
  }

  /** While the database is away, what asks it waits as what is written does. */
  async function untilLoaded(load: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await load();
        return;
      } catch (error) {
        observer.waiting(error);
        if (isClosed) throw new LaneClosed();
        await new Promise((resolve) => setTimeout(resolve, LOAD_PAUSE_MS));
      }
    }
  }

  /** Reads behind what `before` still looks up, or looks up by itself. */
  function takeInTurn(
    raw: RawFrame,
    before: Promise<unknown> | undefined,
    { source, options }: { source: string; options: TakeOptions | undefined },
  ): Promise<Taken> {
    const sender = senderOf(raw, source);
    reading.messages += 1;
    reading.bytes += raw.payload.length;
    const turn =
      before === undefined
        ? readAgain(raw)
        : before.then(
            () => readOnce(raw) ?? readAgain(raw),
            () => readOnce(raw) ?? readAgain(raw),
          );
    turns.set(sender, turn);
    const ended = (): void => {
      reading.messages -= 1;
      reading.bytes -= raw.payload.length;
      if (turns.get(sender) === turn) turns.delete(sender);
    };
    return turn.then(
      (outcome) => {
        ended();
        return store(raw, outcome, { source, options });
      },
      (error: unknown) => {
        ended();
        throw error;
      },
    );
  }

  /** Joins the next commit. One promise a message: at a hundred thousand a second each more of them is felt. */
  function store(
    raw: RawFrame,
    outcome: FrameOutcome,
    { source, options }: { source: string; options?: TakeOptions | undefined },
  ): Promise<Taken> {
    if (outcome.ok && options?.admit !== undefined) options.admit(outcome.frames);
    const message = messageOf(raw, outcome, source);
    const { frames, refusals } = message;
    if (frames.length === 0 && !keepsRefused(message)) {
      for (const refusal of refusals) observer.setAside(refusal);
      return Promise.resolve({ frames: [], refusals });
    }
    const laneAt = (frames[0]?.device ?? 0) % open.length;
    if (open.length === 1 || frames.every(({ device }) => device % open.length === laneAt))
      return addTo(laneAt, message);
    return storeApart(message);
  }

  function messageOf(raw: RawFrame, outcome: FrameOutcome, source: string): Message {
    if (!outcome.ok) return { frames: [], refusals: [outcome.refusal], raw, source, isKept: undefined };
    const refusals = [...(outcome.setAside ?? [])];
    const frames: ReadFrame[] = [];
    for (const frame of outcome.frames) {
      const speaker = speakingOf(speakers.peek(frame.serial) ?? undefined);
      if (speaker === undefined) refusals.push(unknownDevice(frame.serial));
      else frames.push({ device: speaker.number, frame });
    }
    return { frames, refusals, raw, source, isKept: undefined };
  }

  /** Devices of one message in different lanes: each part is committed by its own. */
  async function storeApart(message: Message): Promise<Taken> {
    const apart = Map.groupBy(message.frames, ({ device }) => device % open.length);
    const parts = await Promise.all(
      [...apart].map(([lane, frames], at) =>
        addTo(lane, { ...message, frames, refusals: at === 0 ? message.refusals : [] }),
      ),
    );
    return { frames: parts.flatMap((part) => part.frames), refusals: parts.flatMap((part) => part.refusals) };
  }

  function addTo(at: number, message: Message): Promise<Taken> {
    const lane = open[at];
    if (lane === undefined) throw new Error(`Bug: there is no lane ${String(at)}.`);
    return lane.add(message);
  }

  function inFlight(): { messages: number; bytes: number } {
    const all = { ...reading };
    for (const { waiting } of open) {
      all.messages += waiting.messages;
      all.bytes += waiting.bytes;
    }
    return all;
  }

  function isFull(raw: RawFrame): boolean {
    const { messages, bytes } = inFlight();
    return messages >= WAITING_MESSAGES_MAX || bytes + raw.payload.length > WAITING_BYTES_MAX;
  }

  /** Turns what is thrown on the way into a rejection, as callers of a promise expect it. */
  function attempt(act: () => Promise<Taken>): Promise<Taken> {
    try {
      return act();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  return {
    take(raw, source, options) {
      if (isFull(raw)) return Promise.reject(new IngestFull());
      return attempt(() => {
        const before = turns.size === 0 ? undefined : turns.get(senderOf(raw, source));
        const outcome = before === undefined ? readOnce(raw) : undefined;
        return outcome === undefined
          ? takeInTurn(raw, before, { source, options })
          : store(raw, outcome, { source, options });
      });
    },
    setAside: (raw, refusal, source) =>
      isFull(raw) ? Promise.reject(new IngestFull()) : attempt(() => store(raw, { ok: false, refusal }, { source })),
    inFlight,
    async close() {
      isClosed = true;
      await Promise.all(open.map((lane) => lane.close()));
    },
  };
}

/** Whose frames keep their order. */
function senderOf({ serial }: RawFrame, source: string): string {
  return serial ?? source;
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
