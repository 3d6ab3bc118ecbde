/**
 * The one-way chain that tokens are read from. It starts at the starting code with the token's value masked in, and
 * each step hashes the whole previous number; the token of count n is the n-th number with the value masked in again.
 * Because the start depends on the value, every value has a chain of its own.
 */
import { sipHashWord } from "./siphash.ts";
import type { SipKey } from "./siphash.ts";
import type { TokenDevice } from "./openpaygo-device.ts";

/** Standard tokens have 9 digits, the last 3 holding the value; extended ones have 12, the last 6. */
export type TokenForm = "standard" | "extended";

export const VALUE_SPAN: Readonly<Record<TokenForm, number>> = { standard: 1_000, extended: 1_000_000 };
export const TOKEN_DIGITS: Readonly<Record<TokenForm, number>> = { standard: 9, extended: 12 };

/** Names one chain: whose it is, of which form, and the masked value it starts with (see `maskValue`). */
export type ChainStart = { readonly device: TokenDevice; readonly form: TokenForm; readonly base: number };

/** Hides a value behind the starting code: the number that stands in the last digits of every token of that value. */
export function maskValue(device: TokenDevice, form: TokenForm, value: number): number {
  const span = VALUE_SPAN[form];
  return ((device.startingCode % span) + value) % span;
}

/** Recovers the value from the last digits of a token: the inverse of `maskValue`. */
export function unmaskValue(device: TokenDevice, form: TokenForm, base: number): number {
  const span = VALUE_SPAN[form];
  return (base - (device.startingCode % span) + span) % span;
}

/** The number at position 0 of a chain, before any hashing. */
export function chainOrigin({ device, form, base }: ChainStart): number {
  return device.startingCode - (device.startingCode % VALUE_SPAN[form]) + base;
}

/** The token that a chain number stands for: the number with its last digits replaced by the masked value. */
export function tokenOf(form: TokenForm, output: number, base: number): number {
  return output - (output % VALUE_SPAN[form]) + base;
}

/** One step of a chain. `output` is below 10^9 for the standard form and below 10^12 for the extended one. */
export function nextOutput(key: SipKey, form: TokenForm, output: number): number {
  return form === "standard" ? nextStandard(key, output) : nextExtended(key, output);
}

/** Takes `steps` steps from `output`, at one hash each. */
export function advance(start: ChainStart, output: number, steps: number): number {
  const key = start.device.sip;
  let reached = output;
  for (let step = 0; step < steps; step++) reached = nextOutput(key, start.form, reached);
  return reached;
}

/**
 * Reduces a hash to nine digits: both halves folded together, the two lowest bits dropped, and the rest brought under
 * 10^9 by a fixed subtraction. (Some texts say that the two highest bits are dropped; every device drops the lowest.)
 */
export function reduceToStandard(low: number, high: number): number {
  const folded = (low ^ high) >>> 2;
  return folded > 999_999_999 ? folded - 73_741_825 : folded;
}

// One block for the whole thread is safe: it is filled and read again within one synchronous call.
const block = new Uint32Array(2);

/** The message is the number as four big-endian bytes, twice. */
function nextStandard(key: SipKey, output: number): number {
  const word = swapBytes(output);
  block[0] = word;
  block[1] = word;
  sipHashWord(key, block);
  return reduceToStandard(block[0], block[1]);
}

/** The message is the number as eight big-endian bytes; the highest 40 bits of the hash are kept. */
function nextExtended(key: SipKey, output: number): number {
  block[0] = swapBytes(Math.floor(output / 0x1_0000_0000));
  block[1] = swapBytes(output);
  sipHashWord(key, block);
  const kept = (block[1] ?? 0) * 0x100 + ((block[0] ?? 0) >>> 24);
  return kept > 999_999_999_999 ? kept - 99_511_627_777 : kept;
}

function swapBytes(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
}

/**
 * Remembers how far chains have been followed, so that the next token of the same value on the same device costs the
 * distance from the last one instead of the whole count.
 */
export type TokenChains = {
  /** The chain number at `count`. Costs `count` hashes, or `count - remembered` when a lower one is remembered. */
  outputAt(start: ChainStart, count: number): number;
  /** How many chains are remembered now, at most `chainsMax`. */
  size(): number;
};

/**
 * Makes a bounded memory of chains, to be shared by any number of devices.
 *
 * Cost of a token at count n whose chain is remembered at m: n - m hashes when m <= n (in steady use 2 to a few),
 * otherwise n hashes, exactly as without the memory; a token asked for again costs none. Space: at most `chainsMax`
 * entries of about 150 bytes; the least recently used one is forgotten first. Forgetting costs time, never correctness.
 * The memory holds key material, so it must live and die inside the process that holds the keys.
 */
export function makeTokenChains({ chainsMax }: { chainsMax: number }): TokenChains {
  const remembered = new Map<string, { readonly count: number; readonly output: number }>();

  function outputAt(start: ChainStart, count: number): number {
    const name = `${start.device.identity}/${start.form}/${start.base}`;
    const known = remembered.get(name);
    if (known !== undefined && known.count > count) return advance(start, chainOrigin(start), count);
    const output =
      known === undefined
        ? advance(start, chainOrigin(start), count)
        : advance(start, known.output, count - known.count);
    // Deleting first moves the entry to the end: a Map remembers the order of insertion, which makes it the queue too.
    remembered.delete(name);
    remembered.set(name, { count, output });
    if (remembered.size > chainsMax) forgetOldest();
    return output;
  }

  function forgetOldest(): void {
    for (const name of remembered.keys()) {
      remembered.delete(name);
      return;
    }
  }

  return { outputAt, size: () => remembered.size };
}
