/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012) on pairs of 32-bit integers.
 *
 * JavaScript has no 64-bit integer that is fast everywhere: BigInt allocates on nearly every operation. Each 64-bit
 * lane is therefore held as a low and a high int32, and the carry of an addition is computed from the sign bits
 * instead of by a comparison, because the carries are random and a branch on them would be mispredicted half the time.
 */

/** A prepared key: the four lanes of the initial state, already mixed with the key. Secret, like the key itself. */
export type SipKey = {
  readonly low0: number;
  readonly high0: number;
  readonly low1: number;
  readonly high1: number;
  readonly low2: number;
  readonly high2: number;
  readonly low3: number;
  readonly high3: number;
};

/** A 64-bit hash as two unsigned 32-bit halves. */
export type Hash64 = { readonly low: number; readonly high: number };

/** Length of a SipHash key, in bytes. */
export const SIP_KEY_BYTES = 16;

/** Prepares a key for hashing. `key` must be exactly 16 raw bytes; any other length is a bug and throws RangeError. */
export function prepareSipKey(key: Uint8Array): SipKey {
  if (key.length !== SIP_KEY_BYTES) throw new RangeError(`A SipHash key is 16 bytes, not ${key.length}.`);
  const key0 = readWord(key, 0);
  const key1 = readWord(key, 4);
  const key2 = readWord(key, 8);
  const key3 = readWord(key, 12);
  // The constants are the ASCII text "somepseudorandomlygeneratedbytes" of the SipHash paper, lane by lane.
  return {
    low0: key0 ^ 0x70736575,
    high0: key1 ^ 0x736f6d65,
    low1: key2 ^ 0x6e646f6d,
    high1: key3 ^ 0x646f7261,
    low2: key0 ^ 0x6e657261,
    high2: key1 ^ 0x6c796765,
    low3: key2 ^ 0x79746573,
    high3: key3 ^ 0x74656462,
  };
}

/** SipHash-2-4 of a message of any length. The result is its only allocation. */
export function sipHash24(key: SipKey, message: Uint8Array): Hash64 {
  let { low0, high0, low1, high1, low2, high2, low3, high3 } = key;
  const whole = message.length - (message.length % 8);
  const tail = lastBlock(message, whole);
  // Each block is absorbed by two rounds; behind the last one, four rounds without a block finish. As in `sipHashWord`, one
  // body keeps the eight halves in registers: with a function for each round a long message took 3.5 times as long.
  for (let at = 0; at <= whole + 8; at += 8) {
    const isEnd = at > whole;
    const low = at < whole ? readWord(message, at) : isEnd ? 0 : tail.low;
    const high = at < whole ? readWord(message, at + 4) : isEnd ? 0 : tail.high;
    if (isEnd) low2 ^= 0xff;
    low3 ^= low;
    high3 ^= high;
    for (let round = isEnd ? 4 : 2; round > 0; round--) {
      let sum = (low0 + low1) | 0;
      high0 = (high0 + high1 + (((low0 & low1) | ((low0 | low1) & ~sum)) >>> 31)) | 0;
      let turned = ((low1 << 13) | (high1 >>> 19)) ^ sum;
      high1 = ((high1 << 13) | (low1 >>> 19)) ^ high0;
      low1 = turned;
      low0 = high0;
      high0 = sum;

      sum = (low2 + low3) | 0;
      high2 = (high2 + high3 + (((low2 & low3) | ((low2 | low3) & ~sum)) >>> 31)) | 0;
      turned = ((low3 << 16) | (high3 >>> 16)) ^ sum;
      high3 = ((high3 << 16) | (low3 >>> 16)) ^ high2;
      low3 = turned;
      low2 = sum;

      sum = (low0 + low3) | 0;
      high0 = (high0 + high3 + (((low0 & low3) | ((low0 | low3) & ~sum)) >>> 31)) | 0;
      turned = ((low3 << 21) | (high3 >>> 11)) ^ sum;
      high3 = ((high3 << 21) | (low3 >>> 11)) ^ high0;
      low3 = turned;
      low0 = sum;

      sum = (low2 + low1) | 0;
      high2 = (high2 + high1 + (((low2 & low1) | ((low2 | low1) & ~sum)) >>> 31)) | 0;
      turned = ((low1 << 17) | (high1 >>> 15)) ^ sum;
      high1 = ((high1 << 17) | (low1 >>> 15)) ^ high2;
      low1 = turned;
      low2 = high2;
      high2 = sum;
    }
    low0 ^= low;
    high0 ^= high;
  }
  return { low: (low0 ^ low1 ^ low2 ^ low3) >>> 0, high: (high0 ^ high1 ^ high2 ^ high3) >>> 0 };
}

/** The 0..7 remaining bytes and, in the top byte, the message length modulo 256. */
function lastBlock(message: Uint8Array, whole: number): Hash64 {
  let low = 0;
  let high = message.length << 24;
  for (let at = whole; at < message.length; at++) {
    const shift = 8 * (at - whole);
    const byte = message[at] ?? 0;
    if (shift < 32) low |= byte << shift;
    else high |= byte << (shift - 32);
  }
  return { low, high };
}

/** The hash as 16 lower-case hexadecimal digits, most significant first. */
export function hashHex(hash: Hash64): string {
  return hash.high.toString(16).padStart(8, "0") + hash.low.toString(16).padStart(8, "0");
}

/**
 * SipHash-2-4 of exactly one 8-byte message (the shape of every OpenPAYGO token step), in place and without allocation.
 * `block` holds the little-endian halves of the message as [low, high] and receives the unsigned halves of the hash in
 * the same order. Equal to `sipHash24` of the same eight bytes.
 */
export function sipHashWord(key: SipKey, block: Uint32Array): void {
  const low = (block[0] ?? 0) | 0;
  const high = (block[1] ?? 0) | 0;
  let { low0, high0, low1, high1, low2, high2 } = key;
  let low3 = key.low3 ^ low;
  let high3 = key.high3 ^ high;
  // Two rounds absorb the message, two absorb the length block (8, in the top byte), four finish. One loop keeps the
  // eight halves in registers, which calling a function for each round would not.
  for (let round = 0; round < 8; round++) {
    if (round === 2) {
      low0 ^= low;
      high0 ^= high;
      high3 ^= 0x08000000;
    } else if (round === 4) {
      high0 ^= 0x08000000;
      low2 ^= 0xff;
    }
    let sum = (low0 + low1) | 0;
    high0 = (high0 + high1 + (((low0 & low1) | ((low0 | low1) & ~sum)) >>> 31)) | 0;
    let turned = ((low1 << 13) | (high1 >>> 19)) ^ sum;
    high1 = ((high1 << 13) | (low1 >>> 19)) ^ high0;
    low1 = turned;
    low0 = high0;
    high0 = sum;

    sum = (low2 + low3) | 0;
    high2 = (high2 + high3 + (((low2 & low3) | ((low2 | low3) & ~sum)) >>> 31)) | 0;
    turned = ((low3 << 16) | (high3 >>> 16)) ^ sum;
    high3 = ((high3 << 16) | (low3 >>> 16)) ^ high2;
    low3 = turned;
    low2 = sum;

    sum = (low0 + low3) | 0;
    high0 = (high0 + high3 + (((low0 & low3) | ((low0 | low3) & ~sum)) >>> 31)) | 0;
    turned = ((low3 << 21) | (high3 >>> 11)) ^ sum;
    high3 = ((high3 << 21) | (low3 >>> 11)) ^ high0;
    low3 = turned;
    low0 = sum;

    sum = (low2 + low1) | 0;
    high2 = (high2 + high1 + (((low2 & low1) | ((low2 | low1) & ~sum)) >>> 31)) | 0;
    turned = ((low1 << 17) | (high1 >>> 15)) ^ sum;
    high1 = ((high1 << 17) | (low1 >>> 15)) ^ high2;
    low1 = turned;
    low2 = high2;
    high2 = sum;
  }
  block[0] = low0 ^ low1 ^ low2 ^ low3;
  block[1] = high0 ^ high1 ^ high2 ^ high3;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}
