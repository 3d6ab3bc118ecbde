/** One connection of one device to the broker, and the ways in which a bad network breaks it. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  connectPacket,
  disconnectPacket,
  makePacketReader,
  pingPacket,
  pubackPacket,
  publishPacket,
  subscribePacket,
  type Heard,
  type Message,
} from "./mqtt-wire.ts";

/** Where the broker is. */
export interface BrokerPlace {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

export interface LinkEvents {
  /** Signed in and subscribed: the device may speak. */
  onOpen(): void;
  onMessage(topic: string, payload: Buffer): void;
  onAcknowledged(packetId: number): void;
  /** Once, however it ended. `why` is for a person. */
  onClosed(why: string): void;
}

export interface Link {
  publish(message: Message, order: { packetId: number; isAgain: boolean }): void;
  /** Looks after keep-alive and time limits; called now and then with the machine's milliseconds. */
  tend(nowMs: number): void;
  /** Says good-bye, so that no last will is told. */
  leave(): void;
  /** The connection breaks at once, as when a mast loses power. `isTorn`: in the middle of a packet. */
  cut(options?: { isTorn: boolean }): void;
  /** The radio is gone and nobody is told: the broker sees an open connection that says nothing. */
  freeze(): void;
  readonly isOpen: boolean;
}

/** A broker that does not let a device in within this time is tried again. */
const OPEN_TIMEOUT_MS = 30_000;
/** A broker closes its side when the device has closed its own; one that does not is not waited for longer. */
const LEAVE_TIMEOUT_MS = 2_000;
/** Above every id that a device gives its messages. */
const SUBSCRIBE_ID = 65_535;

const REFUSALS: Readonly<Record<number, string>> = {
  1: "the broker does not speak MQTT 3.1.1",
  2: "the broker refuses the client id",
  3: "the broker is not available",
  4: "wrong serial or password",
  5: "not authorized",
};

/** Parses `mqtt://host:port` or `mqtts://host:port`; undefined when it is neither. */
export function parseBrokerUrl(text: string): BrokerPlace | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "" || (url.protocol !== "mqtt:" && url.protocol !== "mqtts:"))
    return undefined;
  const isSecure = url.protocol === "mqtts:";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: url.port === "" ? (isSecure ? 8883 : 1883) : Number(url.port), isSecure };
}

/** Opens a connection; everything that comes of it is told to `events`. */
export function openLink(
  place: BrokerPlace,
  hello: {
    readonly clientId: string;
    readonly username: string;
    readonly password: string;
    readonly will: Message;
    readonly keepaliveSeconds: number;
    /** The topic to hear. */
    readonly listensTo: string;
    readonly nowMs: number;
  },
  events: LinkEvents,
): Link {
  const socket = dial(place);
  let state: "opening" | "open" | "ending" | "frozen" | "closed" = "opening";
  let spokeAtMs = hello.nowMs;
  let pingedAtMs: number | undefined;
  let why = "the connection broke";
  const openedAtMs = hello.nowMs;

  const write = (bytes: Buffer): void => {
    if (state === "opening" || state === "open") socket.write(bytes);
  };
  const end = (reason: string): void => {
    why = reason;
    socket.destroy();
  };

  function hear(heard: Heard): void {
    switch (heard.kind) {
      case "connack":
        if (heard.returnCode !== 0) end(REFUSALS[heard.returnCode] ?? `the broker answers ${String(heard.returnCode)}`);
        else write(subscribePacket(hello.listensTo, SUBSCRIBE_ID));
        return;
      case "suback":
        if (heard.granted.some((granted) => granted > 2))
          return end(`the broker does not let it read ${hello.listensTo}`);
        state = "open";
        return events.onOpen();
      case "publish":
        // The device owns the command before the broker may forget it: it is handled synchronously, then acknowledged.
        events.onMessage(heard.topic, heard.payload);
        if (heard.qos === 1) write(pubackPacket(heard.packetId));
        return;
      case "puback":
        return events.onAcknowledged(heard.packetId);
      case "pingresp":
        pingedAtMs = undefined;
    }
  }

  const read = makePacketReader(hear);
  socket.on(place.isSecure ? "secureConnect" : "connect", () => write(connectPacket({ ...hello, isClean: true })));
  socket.on("data", (bytes: Buffer) => {
    if (state === "frozen" || state === "closed") return;
    try {
      read(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      end(error.message);
    }
  });
  socket.on("error", (error) => void (why = error.message));
  socket.on("close", () => {
    const wasFrozen = state === "frozen";
    state = "closed";
    // Who froze it has long gone on with another connection.
    if (!wasFrozen) events.onClosed(why);
  });

  return {
    publish(message, order) {
      write(publishPacket(message, order));
    },
    tend(nowMs) {
      if (state === "opening" && nowMs - openedAtMs > OPEN_TIMEOUT_MS) end("the broker does not answer");
      if (state !== "open") return;
      const limitMs = hello.keepaliveSeconds * 1_000;
      if (pingedAtMs !== undefined && nowMs - pingedAtMs > limitMs) return end("the broker does not answer pings");
      if (nowMs - spokeAtMs < limitMs / 2) return;
      spokeAtMs = nowMs;
      pingedAtMs ??= nowMs;
      write(pingPacket());
    },
    leave() {
      if (state === "closed") return;
      why = "left";
      if (state !== "open") return void socket.destroy();
      state = "ending";
      socket.end(disconnectPacket());
      socket.setTimeout(LEAVE_TIMEOUT_MS, () => socket.destroy());
    },
    cut(options) {
      if (state === "closed") return;
      why = "cut";
      // The first bytes of a publish packet that never ends.
      if (options?.isTorn !== true || state !== "open") return void socket.destroy();
      state = "ending";
      socket.end(Buffer.from([0x32, 0xff, 0x07, 0, 4, 0x70, 0x61]));
      socket.setTimeout(LEAVE_TIMEOUT_MS, () => socket.destroy());
    },
    freeze() {
      if (state === "closed") return;
      state = "frozen";
      socket.pause();
    },
    get isOpen() {
      return state === "open";
    },
  };
}

function dial({ host, port, isSecure }: BrokerPlace): Socket {
  const socket = isSecure
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
    : connectTcp({ host, port });
  socket.setNoDelay(true);
  return socket;
}
