import type { Socket } from "node:net";

/** What is kept of a frame that is too large: enough to see what it was. */
export const HEAD_BYTES_MAX = 8_192;
/** Of a topic and its packet number within the head; a device's own topics have less than a hundred. */
const NAME_BYTES_MAX = 1_024;
const PUBLISH = 3;
/** So many bytes hold the announced length behind the mark. */
const LENGTH_BYTES = 4;

interface PacketLimits {
  /** Of the first packet, which signs in. */
  readonly firstBytesMax: number;
  readonly bytesMax: number;
  /** Stands in front of what is left of a frame that was cut: bytes that nobody outside can know. */
  readonly mark: Uint8Array;
}

/**
 * Sees to it that no packet is collected that is larger than it may be: the parser takes up to 256 MB before anybody sees it, from a
 * stranger too. MQTT 3.1.1 cannot refuse a PUBLISH, and a device whose connection ends sends the same again for ever. So
 * one that is too large is read to its end without being kept, and only its head goes on, behind the mark; it can
 * be set aside and acknowledged, and what the device says next is heard. Any other packet that is too large ends the connection.
 */
export function limitPackets(
  socket: Socket,
  { onPart, ...limits }: PacketLimits & { /** Bytes came that do not end a packet. */ onPart(): void },
): void {
  const filter = makePacketFilter(limits);
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  Object.defineProperty(socket, "read", {
    value(size?: number): Buffer | null {
      for (;;) {
        const bytes = size === undefined ? read() : read(size);
        if (bytes === null) return null;
        const passed = filter.pass(bytes);
        if (passed === undefined) {
          socket.destroy();
          return null;
        }
        if (filter.isWithin()) onPart();
        if (passed.length > 0) return passed;
      }
    },
  });
}

export interface PacketFilter {
  /** What of these bytes goes on to the parser: they themselves, unless a packet in them is too large. Undefined: the connection has to end. */
  pass(bytes: Buffer): Buffer | undefined;
  /** Whether a packet has begun and not ended. */
  isWithin(): boolean;
}

interface Cut {
  readonly first: number;
  readonly length: number;
  readonly head: Buffer;
  kept: number;
}

/** Follows the packets of a stream, whatever pieces it comes in. */
export function makePacketFilter({ firstBytesMax, bytesMax, mark }: PacketLimits): PacketFilter {
  let limit = firstBytesMax;
  let isFirst = true;
  /** Bytes of the packet that are still to come. */
  let left = 0;
  /** Within the one to four bytes of the length: the weight of the next one; 0 before the packet's first byte. */
  let weight = 0;
  let length = 0;
  let first = 0;
  /** The beginning of a packet whose length is not known yet. */
  let held: Buffer | undefined;
  let cut: Cut | undefined;

  function pass(bytes: Buffer): Buffer | undefined {
    const out: Buffer[] = [];
    /** From where these bytes go on as they are, and where the packet begins whose length is being read. */
    let from = 0;
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      if (left > 0) {
        const step = Math.min(left, bytes.length - at);
        if (cut !== undefined) keep(cut, bytes.subarray(at, at + step));
        left -= step;
        at += step;
        if (cut === undefined) continue;
        from = at;
        if (left > 0) continue;
        const short = writeCut(cut, mark);
        if (short === undefined) return undefined;
        out.push(short);
        cut = undefined;
        continue;
      }
      const byte = bytes[at] ?? 0;
      at += 1;
      if (weight === 0) {
        weight = 1;
        length = 0;
        first = byte;
        start = at - 1;
        continue;
      }
      length += (byte & 127) * weight;
      weight *= 128;
      if (byte >= 128 && weight <= 128 ** 3) continue;
      if (length > limit) {
        if (isFirst || first >> 4 !== PUBLISH) return undefined;
        if (start > from) out.push(bytes.subarray(from, start));
        from = at;
        cut = { first, length, head: Buffer.allocUnsafe(Math.min(length, HEAD_BYTES_MAX)), kept: 0 };
      } else if (held !== undefined) out.push(held);
      held = undefined;
      left = length;
      weight = 0;
      isFirst = false;
      limit = bytesMax;
    }
    // The length goes on in the next piece, which may tell that this packet is too large.
    const end = weight === 0 ? bytes.length : start;
    if (weight !== 0) held = held === undefined ? bytes.subarray(start) : Buffer.concat([held, bytes]);
    if (out.length === 0) return from === 0 && end === bytes.length ? bytes : bytes.subarray(from, Math.max(from, end));
    if (end > from) out.push(bytes.subarray(from, end));
    return out.length === 1 ? out[0] : Buffer.concat(out);
  }

  return { pass, isWithin: () => left > 0 };
}

function keep(cut: Cut, bytes: Buffer): void {
  if (cut.kept < cut.head.length) cut.kept += bytes.copy(cut.head, cut.kept);
}

/** The PUBLISH with the same topic and number, whose payload is the mark, the announced length and the head. */
function writeCut({ first, length, head }: Cut, mark: Uint8Array): Buffer | undefined {
  const hasNumber = (first & 0b110) !== 0;
  const nameBytes = 2 + head.readUInt16BE(0) + (hasNumber ? 2 : 0);
  if (nameBytes > NAME_BYTES_MAX || nameBytes > head.length) return undefined;
  const announced = Buffer.alloc(LENGTH_BYTES);
  announced.writeUInt32BE(length - nameBytes);
  const body = Buffer.concat([head.subarray(0, nameBytes), mark, announced, head.subarray(nameBytes)]);
  const lengthBytes: number[] = [];
  for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
    lengthBytes.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([first, ...lengthBytes]), body]);
}

/** What is left of a frame that was cut, and how many bytes it had; undefined for a frame that came whole. */
export function readCut(
  payload: Buffer,
  mark: Uint8Array,
): { readonly head: Buffer; readonly sentBytes: number } | undefined {
  const from = mark.length + LENGTH_BYTES;
  if (payload.length < from || payload[0] !== mark[0] || payload.compare(mark, 0, mark.length, 0, mark.length) !== 0)
    return undefined;
  return { head: payload.subarray(from), sentBytes: payload.readUInt32BE(mark.length) };
}
