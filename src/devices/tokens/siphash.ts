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

/** SipHash-2-4 of a message of any length. The state and the result are its only allocations. */
export function sipHash24(key: SipKey, message: Uint8Array): Hash64 {
  const state: State = {
    v0: { low: key.low0, high: key.high0 },
    v1: { low: key.low1, high: key.high1 },
    v2: { low: key.low2, high: key.high2 },
    v3: { low: key.low3, high: key.high3 },
  };
  const whole = message.length - (message.length % 8);
  for (let at = 0; at < whole; at += 8) {
    compress(state, readWord(message, at), readWord(message, at + 4));
  }
  // The last block carries the 0..7 remaining bytes and, in its top byte, the message length modulo 256.
  let low = 0;
  let high = message.length << 24;
  for (let at = whole; at < message.length; at++) {
    const shift = 8 * (at - whole);
    const byte = message[at] ?? 0;
    if (shift < 32) low |= byte << shift;
    else high |= byte << (shift - 32);
  }
  compress(state, low, high);
  state.v2.low ^= 0xff;
  rounds(state, 4);
  const { v0, v1, v2, v3 } = state;
  return {
    low: (v0.low ^ v1.low ^ v2.low ^ v3.low) >>> 0,
    high: (v0.high ^ v1.high ^ v2.high ^ v3.high) >>> 0,
  };
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

type Lane = { low: number; high: number };
type State = { readonly v0: Lane; readonly v1: Lane; readonly v2: Lane; readonly v3: Lane };

function compress(state: State, low: number, high: number): void {
  state.v3.low ^= low;
  state.v3.high ^= high;
  rounds(state, 2);
  state.v0.low ^= low;
  state.v0.high ^= high;
}

/** The rounds of `sipHashWord`, lane by lane: long messages are rarer than tokens, so here clarity comes first. */
function rounds({ v0, v1, v2, v3 }: State, count: number): void {
  for (let round = 0; round < count; round++) {
    add(v0, v1);
    turnInto(v1, 13, v0);
    swap(v0);
    add(v2, v3);
    turnInto(v3, 16, v2);
    add(v0, v3);
    turnInto(v3, 21, v0);
    add(v2, v1);
    turnInto(v1, 17, v2);
    swap(v2);
  }
}

function add(lane: Lane, other: Lane): void {
  const sum = (lane.low + other.low) | 0;
  const carry = ((lane.low & other.low) | ((lane.low | other.low) & ~sum)) >>> 31;
  lane.high = (lane.high + other.high + carry) | 0;
  lane.low = sum;
}

/** Rotates `lane` left by `bits` (1..31), then mixes `other` into it. */
function turnInto(lane: Lane, bits: number, other: Lane): void {
  const low = (lane.low << bits) | (lane.high >>> (32 - bits));
  const high = (lane.high << bits) | (lane.low >>> (32 - bits));
  lane.low = low ^ other.low;
  lane.high = high ^ other.high;
}

/** Rotates `lane` by 32 bits, which JavaScript's shifts (modulo 32) cannot express. */
function swap(lane: Lane): void {
  const low = lane.low;
  lane.low = lane.high;
  lane.high = low;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}
