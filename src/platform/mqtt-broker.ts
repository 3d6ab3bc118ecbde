import { connect, type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from "mqtt";
import { deferAcknowledgements, type Turn } from "./mqtt-broker-acks.ts";

/** A message of a broker outside. */
export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** MQTT 5's content type, such as "application/cbor". */
  readonly contentType: string | undefined;
}

export interface BrokerLink {
  /** Resolves as soon as every connection has its subscriptions: what is told from then on is kept for us. Rejects when stopped. */
  whenReady(): Promise<void>;
  /** How many messages wait for their commit, and their bytes. */
  readonly inFlight: { readonly messages: number; readonly bytes: number };
  /** QoS 1 if not told otherwise; resolves when the broker has it. Rejects when it is away, or silent for ten seconds: publish again. */
  publish(
    topic: string,
    payload: string | Uint8Array,
    options?: { expirySeconds?: number; qos?: 0 | 1 },
  ): Promise<void>;
  /** Takes nothing new, waits a while for what is under way, and leaves; the broker keeps what comes meanwhile. */
  stop(): Promise<void>;
}

export interface BrokerSettings {
  /** mqtt://user:password@host:1883; mqtts:, ws: and wss: too. */
  readonly url: string;
  /** The name of this process at the broker: the same after every start, and no other process's. */
  readonly name: string;
  /**
   * Processes of one group share the messages, where the broker can. Undefined: this process takes all, by a plain
   * subscription on one connection.
   */
  readonly group: string | undefined;
  readonly filters: readonly string[];
  /** Resolves when the message is committed, be it set aside. It is called again after a rejection. */
  take(message: BrokerMessage): Promise<unknown>;
  /** Told of what an operator should see; everything is tried again by itself. */
  onFault(error: unknown): void;
  readonly connections?: number;
  /** What may wait for its commit, over all connections. Above it the broker keeps the rest, and sockets pause. */
  readonly messagesMax?: number;
  readonly bytesMax?: number;
  /** MQTT 3.1.1 for a broker that knows nothing newer: no sharing, no expiry. */
  readonly protocolVersion?: 4 | 5;
  readonly retryPauseMs?: { readonly first: number; readonly most: number };
  readonly reconnectMs?: number;
  /** How long a stop waits for what is under way; the broker brings again what is not committed by then. */
  readonly drainMs?: number;
}

/** As long as a broker keeps our place and what comes for us while we are away. Mosquitto's example here says the same. */
export const SESSION_EXPIRY_SECONDS = 14 * 86_400;
const RECEIVE_MAXIMUM_MOST = 65_535;
const PUBLISH_TIMEOUT_MS = 10_000;
const DRAIN_MS = 10_000;
/** Reason code of DISCONNECT in MQTT 5. */
const SESSION_TAKEN_OVER = 142;
const RESUBSCRIBE_MS = 10_000;

/**
 * Takes messages from a broker outside and acknowledges each after `take` resolved, so the broker keeps what we have not
 * committed. What the device was told is another matter: its acknowledgement is the broker's own (docs/brokers.md).
 * A broker that is away, now or later, is tried again for ever; `onFault` tells.
 */
export function startBrokerLink(settings: BrokerSettings): BrokerLink {
  const { connections = 4, protocolVersion = 5, messagesMax = 20_000 } = settings;
  // Without sharing (MQTT 3.1.1 has none) a second connection would bring everything twice.
  const isShared = protocolVersion === 5 && settings.group !== undefined;
  const count = isShared ? connections : 1;
  const house = makeHouse(settings, messagesMax);
  const clients: MqttClient[] = [];
  for (let number = 0; number < count; number++)
    clients.push(makeClient(settings, { number, inFlightMax: Math.ceil(messagesMax / count) }));
  const [first] = clients;
  if (first === undefined) throw new Error("Bug: a link has at least one connection.");
  const readiness = makeReadiness(clients.length);
  for (const [number, client] of clients.entries()) {
    deferAcknowledgements(client, house);
    subscribeAlways(client, { settings, number, isShared, readiness });
    client.connect();
  }
  let stopping: Promise<void> | undefined;
  return {
    whenReady: readiness.when,
    inFlight: house.inFlight,
    publish: (topic, payload, options = {}) => publish(first, { topic, payload, ...options }),
    stop() {
      stopping ??= (async () => {
        readiness.end();
        await house.drain();
        await Promise.all(clients.map((client) => client.endAsync()));
      })();
      return stopping;
    },
  };
}

function makeClient(
  { url, name, protocolVersion = 5, onFault, reconnectMs = 1_000 }: BrokerSettings,
  { number, inFlightMax }: { number: number; inFlightMax: number },
): MqttClient {
  const options: IClientOptions = {
    clientId: `${name}-${String(number)}`,
    protocolVersion,
    // The session outlives the connection: what comes while we are away waits for us, and what we did not acknowledge
    // comes again.
    clean: false,
    ...(protocolVersion === 5
      ? {
          properties: {
            sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
            receiveMaximum: Math.min(inFlightMax, RECEIVE_MAXIMUM_MOST),
          },
        }
      : {}),
    keepalive: 60,
    reconnectPeriod: reconnectMs,
    // A user that is not there yet, or a broker that starts, is no reason to give up.
    reconnectOnConnackError: true,
    // We subscribe at every connection ourselves.
    resubscribe: false,
    queueQoSZero: false,
    manualConnect: true,
  };
  const client = connect(url, options);
  // The same again every second, on every connection, would be a log of nothing else.
  let told = "";
  client.on("connect", () => (told = ""));
  client.on("error", (error) => {
    if (error.message === told) return;
    told = error.message;
    onFault(error);
  });
  client.on("disconnect", ({ reasonCode }) => {
    // Both would come back for ever, each putting the other out.
    if (reasonCode === SESSION_TAKEN_OVER)
      onFault(new Error(`Another process is at the broker as ${name}: give each its own name (WASHA_MQTT_NAME).`));
  });
  return client;
}

/** Who has subscribed, and who waits until all have. */
interface Readiness {
  set(number: number, isReady: boolean): void;
  when(): Promise<void>;
  end(): void;
}

function makeReadiness(count: number): Readiness {
  const ready = new Set<number>();
  let all = Promise.withResolvers<void>();
  // Nobody need wait for it.
  all.promise.catch(() => undefined);
  return {
    set(number, isReady) {
      if (isReady) ready.add(number);
      else if (ready.delete(number) && ready.size === count - 1) {
        all = Promise.withResolvers();
        all.promise.catch(() => undefined);
      }
      if (ready.size === count) all.resolve();
    },
    when: () => all.promise,
    end: () => all.reject(new Error("The link to the broker was stopped.")),
  };
}

/** Subscribes whenever the client connects. */
function subscribeAlways(
  client: MqttClient,
  {
    settings,
    number,
    isShared,
    readiness,
  }: { settings: BrokerSettings; number: number; isShared: boolean; readiness: Readiness },
): void {
  const { filters, group = "", protocolVersion = 5, onFault } = settings;
  const subscribe = async (connack: IConnackPacket): Promise<void> => {
    // A broker without sharing says so; then one connection takes everything and the others rest.
    const shares = isShared && connack.properties?.sharedSubscriptionAvailable !== false;
    if (!shares && number > 0) return;
    const names = filters.map((filter) => (shares ? `$share/${group}/${filter}` : filter));
    // Retained statuses come once, with a new subscription, and not again at every reconnection.
    await client.subscribeAsync(names, { qos: 1, ...(protocolVersion === 5 ? { rh: 1 } : {}) });
  };
  client.on("close", () => readiness.set(number, false));
  client.on("connect", (connack) => {
    subscribe(connack).then(
      () => readiness.set(number, client.connected),
      (error: unknown) => {
        // A connection that ended meanwhile: the next one subscribes.
        if (!client.connected) return;
        onFault(
          new Error(
            `The broker refuses the subscription to ${filters.join(", ")}: allow it to the user of MQTT_URL${isShared ? `, with the prefix $share/${group}/ too` : ""}.`,
            { cause: error },
          ),
        );
        // The right may be granted meanwhile, and a new connection subscribes again.
        const again = setTimeout(() => void (client.disconnecting || client.stream.end()), RESUBSCRIBE_MS);
        client.once("close", () => clearTimeout(again));
      },
    );
  });
}

/** Everything that is under way, over all connections: how much, whether there is room, and who waits for it. */
function makeHouse(
  {
    take,
    onFault,
    drainMs = DRAIN_MS,
    bytesMax = 64 * 1_024 * 1_024,
    retryPauseMs = { first: 100, most: 5_000 },
  }: BrokerSettings,
  messagesMax: number,
): {
  inFlight: { messages: number; bytes: number };
  receive(packet: IPublishPacket, turn: Turn): void;
  hold(resume: () => void): void;
  drain(): Promise<void>;
} {
  const inFlight = { messages: 0, bytes: 0 };
  const pauses = new Set<() => void>();
  const running = new Set<Promise<void>>();
  let held: (() => void)[] = [];
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

  /** Until it is committed, or the broker will bring it again anyway. */
  async function bring(message: BrokerMessage, turn: Turn): Promise<void> {
    for (let pauseMs = retryPauseMs.first; ; pauseMs = Math.min(pauseMs * 2, retryPauseMs.most)) {
      try {
        await take(message);
        isTroubled = false;
        turn.acknowledge();
        return;
      } catch (error) {
        // Twenty thousand messages that wait for the database have one thing to tell.
        if (!isTroubled) onFault(error);
        isTroubled = true;
        turn.passOver();
      }
      if (!isStopping) await pause(pauseMs);
      if (isStopping || !turn.isCurrent()) return;
    }
  }

  return {
    inFlight,
    receive(packet, turn) {
      // Not acknowledged, so it comes again when we are back.
      if (isStopping) return;
      const message = readPacket(packet);
      inFlight.messages += 1;
      inFlight.bytes += message.payload.length;
      const run = bring(message, turn).finally(() => {
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

async function publish(
  client: MqttClient,
  {
    topic,
    payload,
    expirySeconds,
    qos = 1,
  }: { topic: string; payload: string | Uint8Array; expirySeconds?: number; qos?: 0 | 1 },
): Promise<void> {
  // mqtt.js would keep it in memory until the broker is back, and a process that dies would forget it without a word.
  if (!client.connected) throw new Error("The broker is away.");
  const sent = client.publishAsync(topic, typeof payload === "string" ? payload : Buffer.from(payload), {
    qos,
    ...(expirySeconds === undefined || client.options.protocolVersion !== 5
      ? {}
      : { properties: { messageExpiryInterval: Math.max(1, Math.floor(expirySeconds)) } }),
  });
  await within(PUBLISH_TIMEOUT_MS, sent);
}

async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
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
