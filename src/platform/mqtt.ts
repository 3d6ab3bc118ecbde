/* oxlint-disable max-params, promise/no-callback-in-promise -- aedes asks its questions by callback, with up to four parameters. */
import { randomBytes } from "node:crypto";
import type { Client, PublishPacket } from "aedes";
import { makeListeners, type Listeners } from "./mqtt-listeners.ts";
import { makeFlow, type FlowLimits, type Pausable } from "./mqtt-flow.ts";
import { limitPackets, readCut } from "./mqtt-packet-limit.ts";
import { makeForgetfulSessions } from "./mqtt-sessions.ts";
import { quietParserTraces } from "./quiet-debug.ts";

/** What a device published. */
export interface GatewayFrame {
  readonly serial: string;
  /** The last level of one of its own topics, such as "data"; a topic that is none of its own as a whole. */
  readonly topic: string;
  readonly payload: Uint8Array;
  /** How many bytes the device sent, where the payload is only the head of them. */
  readonly sentBytes?: number | undefined;
}

/** Why a frame is set aside unread: its topic is not the device's own, or it is larger than a frame may be. */
export interface TopicAbuse {
  readonly reason: "foreign_serial" | "unknown_topic" | "too_large";
  readonly detail: string;
}

export interface MqttGateway {
  /** Once for each port. */
  readonly listen: Listeners["listen"];
  /** Whether this gateway holds the device's connection and the device listens to its commands. */
  isHere(serial: string): boolean;
  /**
   * Sends below the device's own topics. Resolves at its PUBACK, or when written where it subscribed without acknowledgements (QoS 0); rejects when it is
   * not here, goes away, or has too many unanswered.
   */
  send(serial: string, channel: "cmd", payload: Uint8Array): Promise<void>;
  /** Ends the device's connection. Its last will is told, unless it only moved to another gateway. */
  disconnect(serial: string, options?: { movedBefore?: Date }): void;
  /** Ends every connection of now, some hundred a second, so that each device signs in anew: who may speak was perhaps changed unheard. */
  renewAll(): void;
  readonly state: {
    readonly connections: number;
    readonly messages: number;
    readonly bytes: number;
    readonly paused: number;
  };
  /** Takes nothing new, waits a moment for what is being committed, then ends every connection. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  /** Rejecting answers "server unavailable", and the device tries again. `caller` tells whether it still waits for the answer. */
  authenticate(serial: string, password: string, caller: { readonly closed: boolean }): Promise<boolean>;
  /** Resolves after the commit. When it rejects, the connection ends without an acknowledgement and the device keeps the frame. */
  take(frame: GatewayFrame): Promise<unknown>;
  /** Sets aside what was published on a topic that is not the device's own, and the head of what is too large. Resolving acknowledges it. */
  refuse(frame: GatewayFrame, abuse: TopicAbuse): Promise<unknown>;
  /** Which device may publish on a topic that is not below its own, such as a vendor's; undefined: none. Left out: none has such topics. */
  bridgeOwner?(topic: string): string | undefined;
  clock: { now(): Date };
  /** A device signed in; its frames come next. */
  onConnected?(serial: string): void;
  /** It listens to its commands. */
  onHere?(serial: string): void;
  onGone?(serial: string): void;
  limits?: Partial<GatewayLimits>;
}

export interface GatewayLimits extends FlowLimits {
  readonly connectionsMax: number;
  /** Of one packet of a device that signed in: a frame with its topic. */
  readonly packetBytesMax: number;
}

/** A connection that does not sign in within this time is no device. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Signing in: serial, password and a last will. */
const CONNECT_BYTES_MAX = 16_384;
const UNANSWERED_MAX = 20;
/** Then the connection ends: a device that is set up wrong does not mend itself by going on. */
const ABUSES_MAX = 20;
const CLOSE_GRACE_MS = 5_000;
const ROOT = "paygo/v1/";
const UPLINK: ReadonlySet<string> = new Set(["status", "data", "event", "ack"]);

const LIMITS: GatewayLimits = {
  messagesMax: 20_000,
  bytesMax: 48 * 1_048_576,
  messagesOfOneMax: 1_000,
  connectionsMax: 50_000,
  packetBytesMax: 4_096 * 1_024 + 1_024,
};

type Connection = Client & Pausable & { id: string; clean: boolean };

interface Session {
  readonly client: Connection;
  readonly serial: string;
  /** What its topics begin with. */
  readonly own: string;
  readonly since: Date;
  readonly unanswered: Map<number, { resolve(): void; reject(error: Error): void }>;
  packetId: number;
  abuses: number;
  isHere: boolean;
  /** The device is connected again elsewhere: its last will would say that it is gone. */
  moved: boolean;
}

/**
 * The MQTT broker in our own process. A device signs in with its serial as the user name, publishes on `status`, `data`, `event` and
 * `ack` below `paygo/v1/{serial}/` and reads its `cmd` there. The PUBACK (for QoS 2 the PUBREC) waits for `take`, which
 * resolves after the commit; QoS 0 is taken in the same way and promises nothing. aedes sends the PUBACK after `authorizePublish`, before
 * anything else hears of the frame.
 *
 * Nothing is kept for anybody: no retained messages (the last status is in the device's state), no queues (commands wait in the
 * database), no sessions. Whatever name a client gives itself, it is known by its serial, so a second connection of a device
 * ends the first and no device can end another's.
 */
export async function makeMqttGateway(options: GatewayOptions): Promise<MqttGateway> {
  const { onConnected, onHere, onGone } = options;
  const limits = { ...LIMITS, ...options.limits };
  const sessions = new Map<string, Session>();
  const flow = makeFlow<Connection>(limits, function* everyone() {
    for (const { client } of sessions.values()) yield client;
  });
  const byClient = new WeakMap<object, Session>();
  const mark = randomBytes(MARK_BYTES);
  let isClosing = false;

  function signIn(client: Connection, serial: string): void {
    const before = sessions.get(serial);
    if (before !== undefined) before.moved = true;
    client.id = serial;
    client.clean = true;
    const session: Session = {
      client,
      serial,
      own: `${ROOT}${serial}/`,
      since: options.clock.now(),
      unanswered: new Map(),
      packetId: 0,
      abuses: 0,
      isHere: false,
      moved: false,
    };
    byClient.set(client, session);
    sessions.set(serial, session);
    onConnected?.(serial);
  }

  function signOut(session: Session): void {
    flow.forget(session.client);
    for (const { reject } of session.unanswered.values()) reject(new DeviceAway(session.serial));
    session.unanswered.clear();
    if (sessions.get(session.serial) !== session) return;
    sessions.delete(session.serial);
    if (session.isHere) onGone?.(session.serial);
  }

  function publish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const session = client === null ? undefined : byClient.get(client);
    if (session === undefined || isClosing) return done(new Error("Only a device that signed in may publish."));
    if (session.moved && session.client.closed) return done(new Error("The device is connected elsewhere."));
    const whole = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    const cut = readCut(whole, mark);
    const payload = cut?.head ?? whole;
    const { abuse: abuseOfTopic, topic } = readTopic(session, packet.topic, options.bridgeOwner);
    if (abuseOfTopic !== undefined && (session.abuses += 1) > ABUSES_MAX) return done(new Error(abuseOfTopic.detail));
    const abuse = abuseOfTopic ?? (cut === undefined ? undefined : tooLarge(cut.sentBytes, limits.packetBytesMax));
    const frame = { serial: session.serial, topic, payload, sentBytes: cut?.sentBytes };
    flow.begin(session.client, payload.length);
    const taken = abuse === undefined ? options.take(frame) : options.refuse(frame, abuse);
    taken.then(
      () => {
        flow.end(session.client, payload.length);
        done(null);
      },
      (error: unknown) => {
        flow.end(session.client, payload.length);
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  quietParserTraces();
  const { Aedes } = await import("aedes");
  const broker = await Aedes.createBroker({
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxTopicLevels: 20,
    persistence: makeForgetfulSessions({
      onAcknowledged(client, packetId) {
        const session = byClient.get(client);
        session?.unanswered.get(packetId)?.resolve();
        session?.unanswered.delete(packetId);
      },
    }),
    authenticate: (client, username, password, done) => {
      const serial = username ?? "";
      options.authenticate(serial, password?.toString("utf8") ?? "", client).then(
        (known) => {
          if (known && !client.closed) signIn(client as Connection, serial);
          done(null, known);
        },
        (error: unknown) => done(Object.assign(asError(error), { returnCode: SERVER_UNAVAILABLE }), false),
      );
    },
    authorizePublish: publish,
    authorizeSubscribe: (client, subscription, done) => {
      const session = byClient.get(client);
      done(null, session !== undefined && subscription.topic === `${ROOT}${session.serial}/cmd` ? subscription : null);
    },
    // Only `send` forwards anything, and it finds its packet again by this number.
    authorizeForward: (client, packet) => {
      const session = byClient.get(client);
      if (session === undefined) return null;
      packet.messageId = session.packetId;
      return packet;
    },
  });
  // What a device tells goes to `take` and to nobody else: without this aedes looks through every subscription for each frame.
  Object.assign(broker, { publish: forwardNothing });
  broker.on("subscribe", (subscriptions, client) => {
    const session = byClient.get(client);
    if (session === undefined || session.isHere || !subscriptions.some(({ qos }) => Number(qos) !== REFUSED)) return;
    session.isHere = true;
    onHere?.(session.serial);
  });
  broker.on("unsubscribe", (_topics, client) => {
    const session = byClient.get(client);
    if (session !== undefined && !client.closed) session.isHere = false;
  });
  broker.on("clientDisconnect", (client) => {
    const session = byClient.get(client);
    if (session !== undefined) signOut(session);
  });

  async function send(serial: string, channel: "cmd", payload: Uint8Array): Promise<void> {
    const session = sessions.get(serial);
    if (session?.isHere !== true) throw new DeviceAway(serial);
    if (session.unanswered.size >= UNANSWERED_MAX)
      throw new Error(`Device ${serial} has not acknowledged the last ${String(UNANSWERED_MAX)} messages.`);
    const topic = `${ROOT}${serial}/${channel}`;
    do session.packetId = (session.packetId % 65_535) + 1;
    while (session.unanswered.has(session.packetId));
    const { packetId } = session;
    const message = {
      cmd: "publish",
      topic,
      payload: Buffer.from(payload),
      qos: 1,
      retain: false,
      dup: false,
    } as const;
    await new Promise<void>((resolve, reject) => {
      session.unanswered.set(packetId, { resolve, reject });
      const isUnacknowledged = subscribedQos(session.client, topic) === 0;
      session.client.publish(message, (error) => {
        if (error !== undefined && error !== null) session.unanswered.delete(packetId);
        if (error !== undefined && error !== null) reject(error);
        else if (isUnacknowledged && session.unanswered.delete(packetId)) resolve();
      });
    });
  }

  const listeners = makeListeners({
    connectionsMax: limits.connectionsMax,
    onSocket(socket) {
      limitPackets(socket, {
        firstBytesMax: CONNECT_BYTES_MAX,
        bytesMax: limits.packetBytesMax,
        mark,
        // A large frame on a slow network takes longer than the keep-alive that its device promised, and no ping can overtake it.
        onPart: () => client._keepaliveTimer?.refresh(),
      });
      const client = broker.handle(socket) as Client & { _keepaliveTimer?: NodeJS.Timeout | null };
    },
  });

  return {
    listen: listeners.listen,
    isHere: (serial) => sessions.get(serial)?.isHere === true,
    send,
    disconnect(serial, { movedBefore } = {}) {
      const session = sessions.get(serial);
      if (session === undefined || (movedBefore !== undefined && session.since >= movedBefore)) return;
      session.moved = movedBefore !== undefined;
      session.client.close();
    },
    renewAll() {
      const serials = [...sessions.keys()];
      const before = options.clock.now();
      const timer = setInterval(() => {
        for (const serial of serials.splice(-RENEWED_AT_ONCE)) {
          const session = sessions.get(serial);
          if (session !== undefined && session.since <= before) session.client.close();
        }
        if (serials.length === 0 || isClosing) clearInterval(timer);
      }, RENEW_PAUSE_MS);
    },
    get state() {
      return { connections: sessions.size, ...flow.state };
    },
    async close() {
      isClosing = true;
      const closed = listeners.close();
      for (let waited = 0; flow.state.messages > 0 && waited < CLOSE_GRACE_MS; waited += CLOSE_LOOK_MS)
        await new Promise((resolve) => setTimeout(resolve, CLOSE_LOOK_MS));
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      await closed;
    },
  };
}

const MARK_BYTES = 16;

function tooLarge(sentBytes: number, packetBytesMax: number): TopicAbuse {
  const most = Math.floor(packetBytesMax / 1_024);
  return {
    reason: "too_large",
    detail: `The frame has ${String(sentBytes)} bytes; at most ${String(most)} KB are read. It is acknowledged, so that the device does not repeat it for ever: send several.`,
  };
}

const CLOSE_LOOK_MS = 20;
const RENEWED_AT_ONCE = 50;
const RENEW_PAUSE_MS = 100;
/** Return code of CONNACK. */
const SERVER_UNAVAILABLE = 3 as const;
/** Return code of SUBACK. */
const REFUSED = 128;

/** The device is not connected here; what it should be told has to wait. */
export class DeviceAway extends Error {
  constructor(serial: string) {
    super(`Device ${serial} is not connected to this gateway.`);
    this.name = "DeviceAway";
  }
}

/** In place of aedes's own; its callback is the second parameter where the broker itself tells something. */
function forwardNothing(_packet: unknown, client: unknown, done: unknown): void {
  const heard = typeof client === "function" ? client : done;
  if (typeof heard === "function") (heard as () => void)();
}

/** Which of its own topics a device published on. */
function readTopic(
  { serial, own }: Pick<Session, "serial" | "own">,
  topic: string,
  bridgeOwner: GatewayOptions["bridgeOwner"],
): { readonly topic: string; readonly abuse: TopicAbuse | undefined } {
  if (!topic.startsWith(own) && bridgeOwner?.(topic) === serial) return { topic, abuse: undefined };
  if (!topic.startsWith(own))
    return {
      topic,
      abuse: {
        reason: "foreign_serial",
        detail: `Device ${serial} may publish below ${own} only. Set the device to its own serial.`,
      },
    };
  const channel = topic.slice(own.length);
  if (UPLINK.has(channel)) return { topic: channel, abuse: undefined };
  return {
    topic,
    abuse: {
      reason: "unknown_topic",
      detail: `A device tells on ${[...UPLINK].join(", ")} below ${own}, nowhere else.`,
    },
  };
}

function subscribedQos(client: Client, topic: string): number | undefined {
  const { subscriptions } = client as unknown as { subscriptions: Record<string, { qos: number } | undefined> };
  return subscriptions[topic]?.qos;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
