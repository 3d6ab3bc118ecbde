/**
 * A device's modem: keeps a connection, sends what waits one message after the other, and forgets a message only when the
 * broker has acknowledged it. It lives by the machine's time; what it sends was decided by simulated time.
 */
import type { Chance } from "../rail/chance.ts";
import { openLink, type BrokerPlace, type Link } from "./link.ts";
import type { Message } from "./mqtt-wire.ts";

/** A message that waits until it is acknowledged. */
export interface Parcel {
  readonly message: Message;
  /** Once, when the broker acknowledged it. */
  onAcknowledged?(): void;
  /** Faults that strike this one: it goes out twice, its first acknowledgement does not arrive. */
  readonly isSentTwice?: boolean;
  readonly losesAcknowledgement?: boolean;
}

export interface RadioTiming {
  readonly keepaliveSeconds: number;
  /** Without an answer for so long the connection is given up and made again. */
  readonly answerTimeoutMs: number;
  /** Pauses between attempts to connect: from the first on doubled up to the longest, less a random part of up to half. */
  readonly reconnectFirstMs: number;
  readonly reconnectLongestMs: number;
}

export const usualTiming: RadioTiming = {
  keepaliveSeconds: 60,
  answerTimeoutMs: 30_000,
  reconnectFirstMs: 500,
  reconnectLongestMs: 30_000,
};

/** What all radios of a fleet count together. */
export interface RadioCounts {
  connected: number;
  /** Connections that were begun and are not signed in yet. */
  opening: number;
  connects: number;
  connectionsLost: number;
  refusals: number;
  sent: number;
  resent: number;
  acknowledged: number;
  inFlight: number;
  waiting: number;
  /** Why connections ended, for a person: the newest reason first seen wins a line. */
  readonly reasons: Map<string, number>;
}

export interface Radio {
  /** Commands' answers, states and events go before measurements. */
  send(lane: Lane, parcel: Parcel): void;
  /** Opens the connection when there is coverage, it is time and `mayConnect` allows; looks after time limits. */
  tend(nowMs: number, mayConnect: () => boolean): void;
  /** Without coverage the connection breaks, and none is made until there is coverage again. */
  cover(isCovered: boolean): void;
  drop(options?: { isTorn: boolean }): void;
  /** The connection goes silent; the device notices after `noticesAfterMs`. */
  fallSilent(noticesAfterMs: number): void;
  /** Sends `last` if it can, says good-bye and is over. */
  leave(last?: Message): void;
  /** Measurements that wait for their acknowledgement, those in flight included. */
  readonly waitingData: number;
  readonly waitingUrgent: number;
  readonly isOpen: boolean;
  /** Resolves when, after `leave`, no connection is left. */
  readonly gone: Promise<void>;
}

export type Lane = "urgent" | "data";

interface Sent {
  readonly parcel: Parcel;
  packetId: number;
  atMs: number;
  timesLeftToLose: number;
}

interface Queue {
  readonly waiting: Parcel[];
  flying: Sent | undefined;
  /** The first of the queue has been on the air before. */
  wasTried: boolean;
}

/** Ids go round below the one the link keeps for its subscription. */
const PACKET_IDS = 65_000;
const SILENT_LINK_LIVES_MS = 120_000;

export function makeRadio({
  place,
  identity,
  timing,
  chance,
  counts,
  now,
  onCommand,
  statusOf,
}: {
  place: BrokerPlace;
  identity: { serial: string; password: string };
  timing: RadioTiming;
  chance: Chance;
  counts: RadioCounts;
  /** The machine's milliseconds. */
  now: () => number;
  onCommand(payload: Buffer): void;
  /** The retained message that says whether the device is there: the first one of each connection, and its last will. */
  statusOf(presence: "online" | "offline"): Message;
}): Radio {
  const queues: Readonly<Record<Lane, Queue>> = {
    urgent: { waiting: [], flying: undefined, wasTried: false },
    data: { waiting: [], flying: undefined, wasTried: false },
  };
  let link: Link | undefined;
  let silentLink: { readonly link: Link; readonly endsAtMs: number } | undefined;
  let nextPacketId = 1;
  let attempts = 0;
  let connectAtMs = 0;
  let isCovered = true;
  let isOver = false;
  let status: Parcel | undefined;
  const parting = Promise.withResolvers<void>();

  const count = (why: string): void => void counts.reasons.set(why, (counts.reasons.get(why) ?? 0) + 1);

  function putBack(queue: Queue): void {
    if (queue.flying === undefined) return;
    counts.inFlight -= 1;
    queue.waiting.unshift(queue.flying.parcel);
    queue.wasTried = true;
    queue.flying = undefined;
  }

  /** Nothing that flew is known to have arrived; a status of an old connection is worth nothing on the next. */
  function lose(why: string): void {
    if (link === undefined) return;
    const wasOpen = status !== undefined;
    if (wasOpen) {
      counts.connected -= 1;
      counts.connectionsLost += 1;
    } else {
      counts.opening -= 1;
      counts.refusals += 1;
    }
    link = undefined;
    count(why);
    forgetStatus();
    putBack(queues.urgent);
    putBack(queues.data);
    const pause = Math.min(timing.reconnectLongestMs, timing.reconnectFirstMs * 2 ** Math.min(attempts, 16));
    connectAtMs = now() + pause * (1 - chance() / 2);
    attempts += 1;
  }

  function forgetStatus(): void {
    const { urgent } = queues;
    if (urgent.flying?.parcel === status && urgent.flying !== undefined) {
      urgent.flying = undefined;
      counts.inFlight -= 1;
      counts.waiting -= 1;
    } else if (status !== undefined) {
      const at = urgent.waiting.indexOf(status);
      if (at >= 0) {
        urgent.waiting.splice(at, 1);
        counts.waiting -= 1;
      }
    }
    status = undefined;
  }

  function push(queue: Queue): void {
    if (link?.isOpen !== true || queue.flying !== undefined) return;
    const parcel = queue.waiting.shift();
    if (parcel === undefined) return;
    const isAgain = queue.wasTried;
    queue.wasTried = false;
    const timesLeftToLose = parcel.losesAcknowledgement === true && !isAgain ? 1 : 0;
    const flying: Sent = { parcel, packetId: nextPacketId, atMs: now(), timesLeftToLose };
    nextPacketId = (nextPacketId % PACKET_IDS) + 1;
    queue.flying = flying;
    counts.inFlight += 1;
    counts.sent += 1;
    if (isAgain) counts.resent += 1;
    link.publish(parcel.message, { packetId: flying.packetId, isAgain });
    if (parcel.isSentTwice !== true || isAgain) return;
    // The same bytes as a message of its own, whose acknowledgement nobody waits for.
    link.publish(parcel.message, { packetId: nextPacketId, isAgain: false });
    nextPacketId = (nextPacketId % PACKET_IDS) + 1;
    counts.sent += 1;
  }

  function acknowledge(packetId: number): void {
    for (const queue of [queues.urgent, queues.data]) {
      const { flying } = queue;
      if (flying?.packetId !== packetId) continue;
      if (flying.timesLeftToLose > 0) {
        link?.cut();
        return;
      }
      queue.flying = undefined;
      counts.inFlight -= 1;
      counts.waiting -= 1;
      counts.acknowledged += 1;
      flying.parcel.onAcknowledged?.();
      push(queue);
      return;
    }
  }

  function connect(nowMs: number): void {
    counts.connects += 1;
    counts.opening += 1;
    const will = statusOf("offline");
    const { serial, password } = identity;
    const made: Link = openLink(
      place,
      {
        clientId: serial,
        username: serial,
        password,
        will,
        keepaliveSeconds: timing.keepaliveSeconds,
        listensTo: `paygo/v1/${serial}/cmd`,
        nowMs,
      },
      {
        onOpen() {
          attempts = 0;
          counts.opening -= 1;
          counts.connected += 1;
          counts.waiting += 1;
          status = { message: statusOf("online") };
          queues.urgent.waiting.unshift(status);
          queues.urgent.wasTried = false;
          push(queues.urgent);
          push(queues.data);
        },
        onMessage: (_topic, payload) => onCommand(payload),
        onAcknowledged: acknowledge,
        onClosed(why) {
          if (link === made) lose(why);
          if (isOver) parting.resolve();
        },
      },
    );
    link = made;
  }

  function tendLimits(nowMs: number): void {
    link?.tend(nowMs);
    for (const queue of [queues.urgent, queues.data]) {
      if (queue.flying !== undefined && nowMs - queue.flying.atMs > timing.answerTimeoutMs) link?.cut();
    }
    if (silentLink !== undefined && nowMs >= silentLink.endsAtMs) {
      silentLink.link.cut();
      silentLink = undefined;
    }
  }

  return {
    send(lane, parcel) {
      queues[lane].waiting.push(parcel);
      counts.waiting += 1;
      push(queues[lane]);
    },
    tend(nowMs, mayConnect) {
      if (isOver) return;
      tendLimits(nowMs);
      if (link === undefined && isCovered && nowMs >= connectAtMs && mayConnect()) connect(nowMs);
    },
    cover(nowCovered) {
      if (isCovered === nowCovered) return;
      isCovered = nowCovered;
      if (isCovered) {
        attempts = 0;
        connectAtMs = 0;
      } else link?.cut();
    },
    drop: (options) => link?.cut(options),
    fallSilent(noticesAfterMs) {
      if (link?.isOpen !== true) return;
      silentLink?.link.cut();
      const frozen = link;
      frozen.freeze();
      silentLink = { link: frozen, endsAtMs: now() + SILENT_LINK_LIVES_MS };
      lose("half open");
      attempts = 0;
      connectAtMs = now() + noticesAfterMs;
    },
    leave(last) {
      isOver = true;
      silentLink?.link.cut();
      if (link?.isOpen === true && last !== undefined) link.publish(last, { packetId: nextPacketId, isAgain: false });
      if (link === undefined) parting.resolve();
      else link.leave();
    },
    gone: parting.promise,
    get waitingData() {
      return queues.data.waiting.length + (queues.data.flying === undefined ? 0 : 1);
    },
    get waitingUrgent() {
      return queues.urgent.waiting.length + (queues.urgent.flying === undefined ? 0 : 1);
    },
    get isOpen() {
      return link?.isOpen === true;
    },
  };
}

export function newRadioCounts(): RadioCounts {
  return {
    connected: 0,
    opening: 0,
    connects: 0,
    connectionsLost: 0,
    refusals: 0,
    sent: 0,
    resent: 0,
    acknowledged: 0,
    inFlight: 0,
    waiting: 0,
    reasons: new Map(),
  };
}
