import type { Socket } from "node:net";

/**
 * Ends connections that announce a packet larger than they may send. The parser collects a packet of up to 256 MB before
 * anybody sees it, from a stranger too; this looks at the announced lengths only. The first packet is that of signing in, and has a limit of its own.
 */
export function limitPackets(
  socket: Socket,
  { firstBytesMax, bytesMax, onTooLarge }: { firstBytesMax: number; bytesMax: number; onTooLarge(bytes: number): void },
): void {
  const see = makePacketCounter({
    firstBytesMax,
    bytesMax,
    onTooLarge(bytes) {
      onTooLarge(bytes);
      socket.destroy();
    },
  });
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  Object.defineProperty(socket, "read", {
    value(size?: number): Buffer | null {
      const bytes = size === undefined ? read() : read(size);
      if (bytes === null) return null;
      return see(bytes) ? bytes : null;
    },
  });
}

/** Follows the packets of a stream, whatever pieces it comes in; answers false from the first that is too large. */
export function makePacketCounter({
  firstBytesMax,
  bytesMax,
  onTooLarge,
}: {
  firstBytesMax: number;
  bytesMax: number;
  onTooLarge(bytes: number): void;
}): (bytes: Uint8Array) => boolean {
  let limit = firstBytesMax;
  /** Bytes of the packet that are still to come. */
  let left = 0;
  /** Within the one to four bytes of the length: the weight of the next one; 0 before the packet's first byte. */
  let weight = 0;
  let length = 0;
  let isFine = true;
  return (bytes) => {
    let at = 0;
    while (isFine && at < bytes.length) {
      if (left > 0) {
        const step = Math.min(left, bytes.length - at);
        left -= step;
        at += step;
      } else if (weight === 0) {
        weight = 1;
        length = 0;
        at += 1;
      } else {
        const byte = bytes[at] ?? 0;
        at += 1;
        length += (byte & 127) * weight;
        weight *= 128;
        if (byte >= 128 && weight <= 128 ** 3) continue;
        isFine = length <= limit;
        if (!isFine) onTooLarge(length);
        left = length;
        weight = 0;
        limit = bytesMax;
      }
    }
    return isFine;
  };
}
