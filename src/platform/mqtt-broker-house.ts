import type { IPublishPacket } from "mqtt";
import type { Turn } from "./mqtt-broker-acks.ts";

/** A message of a broker outside. */
export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** MQTT 5's content type, such as "application/cbor". */
  readonly contentType: string | undefined;
}

export interface HouseSettings {
  /** Resolves when the message is committed, be it set aside. It is called again after a rejection. */
  take(message: BrokerMessage): Promise<unknown>;
  /**
   * Whose messages keep their order, by topic: what is rejected is tried again before what the same sender said after it. Each
   * topic is a sender of its own if not told otherwise.
   */
  readonly senderOf?: (topic: string) => string;
  /** Told of what an operator should see; everything is tried again by itself. */
  onFault(error: unknown): void;
  /** What may wait for its commit. Above it the broker keeps the rest, and the socket pauses. */
  readonly messagesMax?: number;
  readonly bytesMax?: number;
  readonly retryPauseMs?: { readonly first: number; readonly most: number };
  /** How long a stop waits for what is under way; the broker brings again what is not committed by then. */
  readonly drainMs?: number;
}

/** Everything that is under way: how much, whether there is room, and who waits for it. */
export interface House {
  readonly inFlight: { readonly messages: number; readonly bytes: number };
  receive(packet: IPublishPacket, turn: Turn): void;
  /** Calls back when there is room for one more. */
  hold(resume: () => void): void;
  /** Takes nothing new and waits a while for what is under way. */
  drain(): Promise<void>;
}

export const MESSAGES_MAX = 20_000;
const DRAIN_MS = 10_000;

/** A message on its way to `take`. */
interface Guest {
  /** In the order in which they came. */
  readonly number: number;
  readonly sender: string;
  readonly message: BrokerMessage;
  readonly turn: Turn;
}

/** One who was refused, or stands behind such a one. */
interface Waiting extends Guest {
  /** It is committed, or the broker will bring it again. */
  done(): void;
}

/**
 * Hands messages to `take` as they come, many at once, and those that it rejects again and again. Of one sender, none is handed
 * on before one that was rejected: a device that signs with a growing count would otherwise have the earlier one refused as a
 * replay. Those that are with `take` at the same time keep their order by its own promise.
 */
export function makeHouse({
  take,
  senderOf = (topic) => topic,
  onFault,
  drainMs = DRAIN_MS,
  messagesMax = MESSAGES_MAX,
  bytesMax = 64 * 1_024 * 1_024,
  retryPauseMs = { first: 100, most: 5_000 },
}: HouseSettings): House {
  const inFlight = { messages: 0, bytes: 0 };
  const pauses = new Set<() => void>();
  const running = new Set<Promise<void>>();
  /** By sender; empty while all goes well. */
  const lines = new Map<string, Waiting[]>();
  let held: (() => void)[] = [];
  let came = 0;
  let isStopping = false;
  let isTroubled = false;

  const hasRoom = (): boolean => inFlight.messages < messagesMax && inFlight.bytes < bytesMax;
  const letIn = (): void => {
    while (held.length > 0 && hasRoom()) held.shift()?.();
  };
  const pause = (millis: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, millis);
      pauses.add(end);
    });

  /** Whether it is committed. */
  async function attempt({ message, turn }: Guest): Promise<boolean> {
    try {
      await take(message);
    } catch (error) {
      // Twenty thousand messages that wait for the database have one thing to tell.
      if (!isTroubled) onFault(error);
      isTroubled = true;
      return false;
    }
    isTroubled = false;
    turn.acknowledge();
    return true;
  }

  /** Until it is committed, or the broker will bring it again anyway. */
  async function bring(guest: Guest): Promise<void> {
    if (!lines.has(guest.sender) && (await attempt(guest))) return;
    await new Promise<void>((done) => standInLine({ ...guest, done }));
  }

  /** The line is short: of one sender, what came since one of them was rejected. */
  function standInLine(waiting: Waiting): void {
    waiting.turn.passOver();
    const line = lines.get(waiting.sender);
    if (line === undefined) {
      const begun = [waiting];
      lines.set(waiting.sender, begun);
      tryInOrder(waiting.sender, begun).catch(onFault);
      return;
    }
    const behind = line.findIndex(({ number }) => number > waiting.number);
    line.splice(behind === -1 ? line.length : behind, 0, waiting);
  }

  async function tryInOrder(sender: string, line: Waiting[]): Promise<void> {
    let pauseMs = retryPauseMs.first;
    if (!isStopping) await pause(pauseMs);
    for (let next = line[0]; next !== undefined; next = line[0]) {
      if (isStopping || !next.turn.isCurrent() || (await attempt(next))) {
        // One that came before it may stand in front of it by now.
        line.splice(line.indexOf(next), 1);
        next.done();
        pauseMs = retryPauseMs.first;
      } else {
        pauseMs = Math.min(pauseMs * 2, retryPauseMs.most);
        if (!isStopping) await pause(pauseMs);
      }
    }
    lines.delete(sender);
  }

  return {
    inFlight,
    receive(packet, turn) {
      // Not acknowledged, so it comes again when we are back.
      if (isStopping) return;
      const message = readPacket(packet);
      inFlight.messages += 1;
      inFlight.bytes += message.payload.length;
      const run = bring({ number: came++, sender: senderOf(message.topic), message, turn }).finally(() => {
        inFlight.messages -= 1;
        inFlight.bytes -= message.payload.length;
        running.delete(run);
        letIn();
      });
      running.add(run);
    },
    hold(resume) {
      if (hasRoom() && held.length === 0) resume();
      else held.push(resume);
    },
    async drain() {
      isStopping = true;
      for (const end of pauses) end();
      for (const resume of held) resume();
      held = [];
      await within(drainMs, Promise.all(running)).catch(() => undefined);
      // The last acknowledgements are written in the next turn of the loop.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    },
  };
}

function readPacket({ topic, payload, properties }: IPublishPacket): BrokerMessage {
  return {
    topic,
    payload: typeof payload === "string" ? Buffer.from(payload) : payload,
    contentType: properties?.contentType,
  };
}

/** Rejects when the work takes longer; it goes on all the same. */
export async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`No end within ${String(timeoutMs)} ms.`)), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
