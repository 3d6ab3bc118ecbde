/**
 * MQTT 3.1.1 (OASIS Standard, 29 October 2014) as a small device speaks it: bytes in, bytes out. A device of the fleet keeps one
 * connection; a client library's stores, timers and streams would cost it thirty times the memory of the device itself.
 */

/** What a device hears. */
export type Heard =
  | { readonly kind: "connack"; readonly returnCode: number; readonly isSessionPresent: boolean }
  | {
      readonly kind: "publish";
      readonly topic: string;
      readonly payload: Buffer;
      readonly qos: number;
      readonly packetId: number;
      readonly isRetained: boolean;
    }
  | { readonly kind: "puback"; readonly packetId: number }
  | { readonly kind: "suback"; readonly packetId: number; readonly granted: readonly number[] }
  | { readonly kind: "pingresp" };

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly isRetained: boolean;
}

/** The memory of a small modem; a server has no reason to send a device more. */
export const HEARD_BYTES_MAX = 256 * 1024;

const KIND = { connect: 0x10, publish: 0x30, puback: 0x40, subscribe: 0x82 } as const;
const PINGREQ = Buffer.from([0xc0, 0]);
const DISCONNECT = Buffer.from([0xe0, 0]);

/** A connection's first packet. The will is published by the broker, retained and at least once, when the device vanishes. */
export function connectPacket(hello: {
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
  readonly will: Message;
  readonly keepaliveSeconds: number;
  readonly isClean: boolean;
}): Buffer {
  const flags = 0x80 | 0x40 | (hello.will.isRetained ? 0x20 : 0) | (1 << 3) | 0x04 | (hello.isClean ? 0x02 : 0);
  const fixed = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, flags, 0, 0]);
  fixed.writeUInt16BE(hello.keepaliveSeconds, 8);
  const strings = [hello.clientId, hello.will.topic, hello.will.payload, hello.username, hello.password].map(lengthed);
  return packet(KIND.connect, [fixed, ...strings]);
}

/** A message at least once (QoS 1). `isAgain` marks what may have arrived before. */
export function publishPacket(message: Message, { packetId, isAgain }: { packetId: number; isAgain: boolean }): Buffer {
  const first = KIND.publish | 0x02 | (isAgain ? 0x08 : 0) | (message.isRetained ? 0x01 : 0);
  return packet(first, [lengthed(message.topic), word(packetId), message.payload]);
}

export function subscribePacket(topic: string, packetId: number): Buffer {
  return packet(KIND.subscribe, [word(packetId), lengthed(topic), Buffer.from([1])]);
}

export const pubackPacket = (packetId: number): Buffer => packet(KIND.puback, [word(packetId)]);
export const pingPacket = (): Buffer => PINGREQ;
export const disconnectPacket = (): Buffer => DISCONNECT;

/**
 * Takes bytes as the network cuts them and gives whole packets in order. Throws when they are not MQTT or a packet is larger
 * than HEARD_BYTES_MAX: the connection is then worth nothing.
 */
export function makePacketReader(hear: (heard: Heard) => void): (bytes: Buffer) => void {
  let kept: Buffer | undefined;
  return (bytes) => {
    let rest = kept === undefined ? bytes : Buffer.concat([kept, bytes]);
    kept = undefined;
    for (;;) {
      const frame = measure(rest);
      if (frame === undefined) break;
      const heard = parse(rest[0] ?? 0, rest.subarray(frame.start, frame.end));
      rest = rest.subarray(frame.end);
      if (heard !== undefined) hear(heard);
    }
    // A copy, so that a waiting byte does not hold the socket's whole buffer.
    if (rest.length > 0) kept = Buffer.from(rest);
  };
}

function measure(bytes: Buffer): { readonly start: number; readonly end: number } | undefined {
  let length = 0;
  for (let at = 1; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    length += (byte & 0x7f) * 128 ** (at - 1);
    if (length > HEARD_BYTES_MAX || at > 4) throw new RangeError("The broker sent a packet no device can hold.");
    if ((byte & 0x80) === 0)
      return bytes.length >= at + 1 + length ? { start: at + 1, end: at + 1 + length } : undefined;
  }
  return undefined;
}

function parse(first: number, body: Buffer): Heard | undefined {
  switch (first >> 4) {
    case 2:
      return { kind: "connack", returnCode: body.readUInt8(1), isSessionPresent: (body.readUInt8(0) & 1) === 1 };
    case 3:
      return parsePublish(first, body);
    case 4:
      return { kind: "puback", packetId: body.readUInt16BE(0) };
    case 9:
      return { kind: "suback", packetId: body.readUInt16BE(0), granted: [...body.subarray(2)] };
    case 13:
      return { kind: "pingresp" };
    default:
      // Packets of exactly-once delivery and the like: a device that never asked for them passes over them.
      return undefined;
  }
}

function parsePublish(first: number, body: Buffer): Heard {
  const topicEnd = 2 + body.readUInt16BE(0);
  const qos = (first >> 1) & 3;
  return {
    kind: "publish",
    topic: body.toString("utf8", 2, topicEnd),
    payload: Buffer.from(body.subarray(qos === 0 ? topicEnd : topicEnd + 2)),
    qos,
    packetId: qos === 0 ? 0 : body.readUInt16BE(topicEnd),
    isRetained: (first & 1) === 1,
  };
}

function packet(first: number, parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const head = [first];
  let left = length;
  do {
    head.push(left >= 128 ? (left & 0x7f) | 0x80 : left);
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), ...parts]);
}

function lengthed(text: string | Uint8Array): Buffer {
  const bytes = typeof text === "string" ? Buffer.from(text, "utf8") : text;
  return Buffer.concat([word(bytes.length), bytes]);
}

const word = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
