import { connect, type IClientOptions, type IConnackPacket, type MqttClient } from "mqtt";
import { deferAcknowledgements } from "./mqtt-broker-acks.ts";
import { filtersOf, makeFilterMatch } from "./mqtt-broker-filters.ts";
import { makeHouse, MESSAGES_MAX, within, type HouseSettings } from "./mqtt-broker-house.ts";

export type { BrokerMessage } from "./mqtt-broker-house.ts";

export interface BrokerLink {
  /** Resolves as soon as the subscriptions stand: what is told from then on is kept for us. Rejects when stopped. */
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

export interface BrokerSettings extends HouseSettings {
  /** mqtt://user:password@host:1883; mqtts:, ws: and wss: too. */
  readonly url: string;
  /** The name of this process at the broker: the same after every start, and no other process's. */
  readonly name: string;
  /**
   * Whether processes of one group divide the messages among them, where the broker can; otherwise this one takes all, by a plain
   * subscription. Most brokers deal them out in turn, whoever sent them, so that nobody keeps the order of a sender who does not wait.
   */
  readonly isShared: boolean;
  /** The name of the group; needed to leave a shared subscription too. */
  readonly group: string;
  readonly filters: readonly string[];
  /** MQTT 3.1.1 for a broker that knows nothing newer: no sharing, no expiry. */
  readonly protocolVersion?: 4 | 5;
  readonly reconnectMs?: number;
}

/** As long as a broker keeps our place and what comes for us while we are away. Mosquitto's example here says the same. */
export const SESSION_EXPIRY_SECONDS = 14 * 86_400;
const RECEIVE_MAXIMUM_MOST = 65_535;
const PUBLISH_TIMEOUT_MS = 10_000;
/** Reason code of DISCONNECT in MQTT 5. */
const SESSION_TAKEN_OVER = 142;
const RESUBSCRIBE_MS = 10_000;
const LEAVE_PAUSE_MS = 1_000;

/**
 * Takes messages from a broker outside and acknowledges each after `take` resolved, so the broker keeps what we have not
 * committed. What the device was told is another matter: its acknowledgement is the broker's own (docs/brokers.md).
 * A broker that is away, now or later, is tried again for ever; `onFault` tells.
 *
 * There is one connection: MQTT keeps an order within a connection and nowhere else, and a device that signs its frames with a
 * growing count would lose those that a second connection brings late.
 */
export function startBrokerLink(settings: BrokerSettings): BrokerLink {
  const house = makeHouse(settings);
  const client = makeClient(settings);
  const readiness = makeReadiness();
  const leave = makeLeaving(client, settings);
  deferAcknowledgements(client, {
    hold: house.hold,
    receive(packet, turn) {
      leave.hear(packet.topic);
      house.receive(packet, turn);
    },
  });
  subscribeAlways(client, { settings, readiness, leave });
  client.connect();
  let stopping: Promise<void> | undefined;
  return {
    whenReady: readiness.when,
    inFlight: house.inFlight,
    publish: (topic, payload, options = {}) => publish(client, { topic, payload, ...options }),
    stop() {
      stopping ??= (async () => {
        readiness.end();
        await house.drain();
        await client.endAsync();
      })();
      return stopping;
    },
  };
}

function makeClient({
  url,
  name,
  protocolVersion = 5,
  messagesMax = MESSAGES_MAX,
  onFault,
  reconnectMs = 1_000,
}: BrokerSettings): MqttClient {
  const options: IClientOptions = {
    clientId: name,
    protocolVersion,
    // The session outlives the connection: what comes while we are away waits for us, and what we did not acknowledge
    // comes again.
    clean: false,
    ...(protocolVersion === 5
      ? {
          properties: {
            sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
            receiveMaximum: Math.min(messagesMax, RECEIVE_MAXIMUM_MOST),
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
  // The same again every second would be a log of nothing else.
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

/** Whether the subscriptions stand, and who waits until they do. */
interface Readiness {
  set(isReady: boolean): void;
  when(): Promise<void>;
  end(): void;
}

function makeReadiness(): Readiness {
  let isReady = false;
  let ready = Promise.withResolvers<void>();
  // Nobody need wait for it.
  ready.promise.catch(() => undefined);
  return {
    set(isNow) {
      if (isNow) ready.resolve();
      else if (isReady) {
        ready = Promise.withResolvers();
        ready.promise.catch(() => undefined);
      }
      isReady = isNow;
    },
    when: () => ready.promise,
    end: () => ready.reject(new Error("The link to the broker was stopped.")),
  };
}

/** Subscribes whenever the client connects. */
function subscribeAlways(
  client: MqttClient,
  { settings, readiness, leave }: { settings: BrokerSettings; readiness: Readiness; leave: Leaving },
): void {
  const { filters, group, protocolVersion = 5, onFault } = settings;
  // MQTT 3.1.1 knows no sharing.
  const isShared = protocolVersion === 5 && settings.isShared;
  const subscribe = async (connack: IConnackPacket): Promise<void> => {
    // A broker without sharing says so.
    const shares = isShared && connack.properties?.sharedSubscriptionAvailable !== false;
    const names = shares ? filters.map((filter) => sharedName(group, filter)) : [...filters];
    // Retained statuses come once, with a new subscription, and not again at every reconnection.
    await client.subscribeAsync(names, { qos: 1, ...(protocolVersion === 5 ? { rh: 1 } : {}) });
    leave.connected(connack, shares);
  };
  client.on("close", () => readiness.set(false));
  client.on("connect", (connack) => {
    subscribe(connack).then(
      () => readiness.set(client.connected),
      (error: unknown) => {
        // A connection that ended meanwhile: the next one subscribes.
        if (!client.connected) return;
        onFault(
          new Error(
            `The broker refuses the subscription to ${filters.join(", ")}: allow it to the user of MQTT_URL${isShared ? `, with the prefix ${sharedName(group, "")} too` : ""}.`,
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

function sharedName(group: string, filter: string): string {
  return `$share/${group}/${filter}`;
}

/** Leaves what a session still asks for and the settings do not. */
interface Leaving {
  /** After the subscriptions of now stand. */
  connected(connack: IConnackPacket, isShared: boolean): void;
  /** With each message. */
  hear(topic: string): void;
}

/**
 * A session that lasts keeps the subscriptions of earlier settings: plain ones beside shared ones would bring everything twice, and
 * those of a bridge that was taken out would bring its messages for ever. The session itself is kept, since messages wait in it that
 * devices have forgotten. MQTT does not list what a session asks for, but what brought a message is among the filters that match it.
 */
function makeLeaving(client: MqttClient, { filters, group, protocolVersion = 5, onFault }: BrokerSettings): Leaving {
  const isAskedFor = makeFilterMatch(filters);
  let canShare = false;
  let isBusy = false;
  const withShared = (names: readonly string[]): string[] =>
    canShare ? names.flatMap((name) => [name, sharedName(group, name)]) : [...names];
  const unsubscribe = (names: string[]): void => {
    // A connection that ended meanwhile: the next message, or the next connection, tries again.
    client.unsubscribeAsync(names).catch((error: unknown) => void (client.connected && onFault(error)));
  };
  return {
    connected({ sessionPresent, properties }, isShared) {
      canShare = protocolVersion === 5 && properties?.sharedSubscriptionAvailable !== false;
      if (!sessionPresent) return;
      if (isShared) unsubscribe([...filters]);
      else if (canShare) unsubscribe(filters.map((filter) => sharedName(group, filter)));
    },
    hear(topic) {
      // What waited in the session comes all the same, and need not be answered by a thousand names each.
      if (isBusy || isAskedFor(topic)) return;
      isBusy = true;
      setTimeout(() => (isBusy = false), LEAVE_PAUSE_MS).unref();
      unsubscribe(withShared(filtersOf(topic)));
    },
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
