import type { IPublishPacket, MqttClient } from "mqtt";

/** A message's place among those of its connection. */
export interface Turn {
  /** The message is committed: the broker may forget it. Nothing is sent when its connection is gone. */
  acknowledge(): void;
  /** It will take long: those behind it are acknowledged before it. */
  passOver(): void;
  /** Whether the connection that it came by still stands; where not, the broker brings it again. */
  isCurrent(): boolean;
}

/** mqtt.js sends no PUBACK for a message whose handler reports an error, and goes on with the next one. */
const ACKNOWLEDGED_LATER = new Error("This message is acknowledged when it is committed.");

/**
 * Makes an mqtt.js client acknowledge later, without holding the next message. Call it before `connect()`.
 *
 * mqtt.js handles one packet after the other, and both places it offers for a later acknowledgement (`handleMessage` and
 * `customHandleAcks`) hold the next packet until their callback is called, so at most one message would be under way. We
 * therefore end `handleMessage` at once, with an error, upon which mqtt.js leaves the PUBACK out, and write the PUBACK
 * ourselves when the time has come: four bytes on the connection that the message came by, never on a later one, where the
 * same number may mean another message. Acknowledgements leave in the order of the messages, as MQTT asks
 * [MQTT-4.6.0-2], but for those that were passed over. `hold` is given what lets the next packet in, and calls it when
 * there is room: that is how a full house pauses the connection. A test holds all of this against the installed library.
 */
export function deferAcknowledgements(
  client: MqttClient,
  {
    receive,
    hold,
  }: {
    receive(packet: IPublishPacket, turn: Turn): void;
    hold(resume: () => void): void;
  },
): void {
  const lines = new WeakMap<object, Line>();
  client.handleMessage = (packet, next) => {
    const { stream } = client;
    const isCurrent = (): boolean => client.connected && client.stream === stream && !stream.destroyed;
    if (packet.qos === 0) {
      receive(packet, { acknowledge: () => undefined, passOver: () => undefined, isCurrent });
      hold(() => next());
      return;
    }
    const line = lines.get(stream) ?? makeLine((bytes) => void (isCurrent() && stream.write(bytes)));
    lines.set(stream, line);
    const place = line.add(packet.messageId ?? 0);
    receive(packet, {
      acknowledge: () => line.commit(place),
      passOver: () => line.passOver(place),
      isCurrent,
    });
    hold(() => next(ACKNOWLEDGED_LATER));
  };
}

interface Place {
  readonly messageId: number;
  state: "waiting" | "committed" | "passed over";
}

interface Line {
  add(messageId: number): Place;
  commit(place: Place): void;
  passOver(place: Place): void;
}

/** The messages of one connection, in the order in which they came. */
function makeLine(write: (bytes: Uint8Array) => void): Line {
  const places: Place[] = [];
  let ready: number[] = [];
  let isScheduled = false;
  const flush = (): void => {
    isScheduled = false;
    const firstWaiting = places.findIndex(({ state }) => state === "waiting");
    const done = places.splice(0, firstWaiting === -1 ? places.length : firstWaiting);
    for (const place of done) {
      if (place.state === "committed") ready.push(place.messageId);
    }
    if (ready.length > 0) write(pubacks(ready));
    ready = [];
  };
  // A commit answers many at once: their acknowledgements leave in one piece.
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(flush);
  };
  return {
    add(messageId) {
      const place: Place = { messageId, state: "waiting" };
      places.push(place);
      return place;
    },
    commit(place) {
      if (place.state === "passed over") ready.push(place.messageId);
      else place.state = "committed";
      schedule();
    },
    passOver(place) {
      place.state = "passed over";
      schedule();
    },
  };
}

/** PUBACK of MQTT 3.1.1 and 5 alike: a number, and no reason, which means success. */
function pubacks(messageIds: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(messageIds.length * 4);
  messageIds.forEach((messageId, at) => {
    bytes.writeUInt16BE(0x4002, at * 4);
    bytes.writeUInt16BE(messageId, at * 4 + 2);
  });
  return bytes;
}
