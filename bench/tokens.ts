/**
 * How many OpenPAYGO tokens one core issues: `node bench/tokens.ts [--quick]`.
 *
 * The peer is the algorithm written down plainly with BigInt, as one would port it from its description. Both sides
 * run in this process, turn by turn in short rounds, so that a busy machine slows both; the figure that counts is the
 * median of the rounds' ratios.
 */
import { issueToken, makeTokenChains, nextCount, parseKey, prepareDevice } from "../src/devices/tokens/openpaygo.ts";
import type { TokenChains, TokenDevice } from "../src/devices/tokens/openpaygo.ts";

const BAR_RATIO = 10;
const BAR_COUNT = 3;
const COUNTS = [BAR_COUNT, 100, 1_000, 10_000];
const KEYS = [
  "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
  "00112233445566778899aabbccddeeff",
  "deadbeef0badf00d8badf00dcafebabe",
];
const STARTING_CODE = 314_159_265;

const HELP = `Tokens per second on one core, against a plain BigInt implementation run turn by turn in the same process.

Usage: node bench/tokens.ts [--quick]

  --quick  fewer and shorter rounds
  --help   this text
"count" is the count of the issued token: a token at count n costs n hashes. "memory" repeats a value on the same
device through makeTokenChains, each token two counts after the last, ending at that count.
Bar: at least ${BAR_RATIO} times the plain implementation at count ${BAR_COUNT}. Exit code 1 when it is missed.
`;

const MASK = (1n << 64n) - 1n;

function rotate(word: bigint, bits: bigint): bigint {
  return ((word << bits) | (word >> (64n - bits))) & MASK;
}

/** SipHash-2-4 as its paper states it, on 64-bit words. */
function plainSipHash(key: Uint8Array, message: Uint8Array): bigint {
  const view = new DataView(key.buffer, key.byteOffset, 16);
  const key0 = view.getBigUint64(0, true);
  const key1 = view.getBigUint64(8, true);
  let v0 = key0 ^ 0x736f6d6570736575n;
  let v1 = key1 ^ 0x646f72616e646f6dn;
  let v2 = key0 ^ 0x6c7967656e657261n;
  let v3 = key1 ^ 0x7465646279746573n;
  function rounds(count: number): void {
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) & MASK;
      v1 = rotate(v1, 13n) ^ v0;
      v0 = rotate(v0, 32n);
      v2 = (v2 + v3) & MASK;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = (v0 + v3) & MASK;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = (v2 + v1) & MASK;
      v1 = rotate(v1, 17n) ^ v2;
      v2 = rotate(v2, 32n);
    }
  }
  const padded = new Uint8Array(message.length - (message.length % 8) + 8);
  padded.set(message);
  padded[padded.length - 1] = message.length;
  const blocks = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 8) {
    const word = blocks.getBigUint64(at, true);
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  v2 ^= 0xffn;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

function plainNext(key: Uint8Array, output: number): number {
  const message = new Uint8Array(8);
  const view = new DataView(message.buffer);
  view.setUint32(0, output);
  view.setUint32(4, output);
  const hash = plainSipHash(key, message);
  const folded = Number(((hash >> 32n) ^ (hash & 0xffff_ffffn)) >> 2n);
  return folded > 999_999_999 ? folded - 73_741_825 : folded;
}

function plainToken(key: Uint8Array, value: number, count: number): string {
  const base = ((STARTING_CODE % 1000) + value) % 1000;
  let output = STARTING_CODE - (STARTING_CODE % 1000) + base;
  for (let step = 0; step < count; step++) output = plainNext(key, output);
  return String(output - (output % 1000) + base).padStart(9, "0");
}

type Fleet = readonly { readonly key: Uint8Array; readonly device: TokenDevice }[];

function makeFleet(): Fleet {
  return KEYS.map((hex) => {
    const parsed = parseKey(hex);
    if (!parsed.ok) throw new Error(parsed.refusal.message);
    const prepared = prepareDevice({ key: parsed.key, startingCode: STARTING_CODE });
    if (!prepared.ok) throw new Error(prepared.refusal.message);
    return { key: parsed.key, device: prepared.device };
  });
}

/** Values cycle through 0..995 so that no token of a round repeats the one before it. */
function issueAt(device: TokenDevice, value: number, count: number): string {
  const order =
    count % 2 === 0
      ? ({ type: "ADD_TIME", units: value, count: count - 1 } as const)
      : ({ type: "SET_TIME", units: value, count: count - 1 } as const);
  return tokenOf(issueToken(device, order));
}

function tokenOf(issued: ReturnType<typeof issueToken>): string {
  if (!issued.ok) throw new Error(issued.refusal.message);
  return issued.token;
}

/** Tokens per second of `issue`, called `calls` times. The digits are summed so that no call can be optimised away. */
function rate(calls: number, issue: (call: number) => string): number {
  let sum = 0;
  const startedAt = process.hrtime.bigint();
  for (let call = 0; call < calls; call++) sum += issue(call).length;
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  if (sum === 0) throw new Error("No token was issued.");
  return calls / seconds;
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length];
  if (item === undefined) throw new RangeError("The list is empty.");
  return item;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return at(sorted, Math.floor(sorted.length / 2));
}

type Measured = { readonly count: number; readonly plain: number; readonly ours: number; readonly memory: number };
type Round = Measured & { readonly ratio: number };

/** One round at one count. Each side gets as many calls as fill about `sliceMs` at the speeds expected here. */
function measure(fleet: Fleet, count: number, sliceMs: number): Round {
  const plainCalls = Math.max(1, Math.round((sliceMs * 1e3) / (5 * count)));
  const ourCalls = Math.max(1, Math.round((sliceMs * 1e3) / (0.07 * count + 0.2)));
  const plain = rate(plainCalls, (call) => plainToken(at(fleet, call).key, call % 996, count));
  const ours = rate(ourCalls, (call) => issueAt(at(fleet, call).device, call % 996, count));
  const memory = rateWithMemory(fleet, count, sliceMs);
  return { count, plain, ours, memory, ratio: ours / plain };
}

/**
 * Steady use: a device gets 30 days again and again. The memory is warmed up to 64 tokens below `count` (or to the
 * start) outside the measurement, then the remaining tokens are issued in order.
 */
function rateWithMemory(fleet: Fleet, count: number, sliceMs: number): number {
  const tokens = Math.min(64, Math.max(1, Math.floor(count / 2)));
  const first = Math.max(0, count - 2 * tokens);
  let issued = 0;
  let seconds = 0;
  for (let turn = 0; seconds * 1e3 < sliceMs && turn < 20_000; turn++) {
    const { device } = at(fleet, turn);
    const chains: TokenChains = makeTokenChains({ chainsMax: 16 });
    if (first > 0) tokenOf(issueToken(device, { type: "ADD_TIME", units: 30, count: first - 1 }, chains));
    let before = first;
    const startedAt = process.hrtime.bigint();
    for (let token = 0; token < tokens; token++) {
      tokenOf(issueToken(device, { type: "ADD_TIME", units: 30, count: before }, chains));
      before = nextCount("ADD_TIME", before);
    }
    seconds += Number(process.hrtime.bigint() - startedAt) / 1e9;
    issued += tokens;
  }
  return issued / seconds;
}

/** A fast wrong answer is worth nothing: both sides must agree before either is timed. */
function assertAgreement(fleet: Fleet): void {
  for (const count of [1, 2, BAR_COUNT, 100]) {
    for (let value = 0; value < 30; value++) {
      const { key, device } = at(fleet, value);
      const plain = plainToken(key, value * 33, count);
      const ours = issueAt(device, value * 33, count);
      if (plain !== ours) throw new Error(`At count ${count} the two sides disagree: ${plain} and ${ours}.`);
    }
  }
}

function main(args: readonly string[]): number {
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const isQuick = args.includes("--quick");
  const rounds = isQuick ? 3 : 7;
  const sliceMs = isQuick ? 40 : 150;
  const fleet = makeFleet();
  assertAgreement(fleet);
  for (let warm = 0; warm < 2; warm++) measure(fleet, BAR_COUNT, sliceMs);
  const taken: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const count of COUNTS) taken.push(measure(fleet, count, sliceMs));
    process.stderr.write(`round ${round + 1} of ${rounds} done\n`);
  }
  return print(taken, rounds);
}

function print(taken: readonly Round[], rounds: number): number {
  process.stdout.write(`Tokens per second on one core, medians of ${rounds} rounds\n`);
  process.stdout.write(line(["count", "plain BigInt", "ours", "ours, memory", "ours / plain", "lowest..highest"]));
  let barRatio = 0;
  for (const count of COUNTS) {
    const here = taken.filter((round) => round.count === count);
    const ratios = here.map((round) => round.ratio);
    const ratio = median(ratios);
    if (count === BAR_COUNT) barRatio = ratio;
    process.stdout.write(
      line([
        String(count),
        whole(median(here.map((round) => round.plain))),
        whole(median(here.map((round) => round.ours))),
        whole(median(here.map((round) => round.memory))),
        `${ratio.toFixed(1)} x`,
        `${Math.min(...ratios).toFixed(1)}..${Math.max(...ratios).toFixed(1)} x`,
      ]),
    );
  }
  const passed = barRatio >= BAR_RATIO;
  const verdict = passed ? "PASS" : "FAIL";
  process.stdout.write(`${verdict}: ${barRatio.toFixed(1)} x at count ${BAR_COUNT}; the bar is ${BAR_RATIO} x\n`);
  return passed ? 0 : 1;
}

function line(cells: readonly string[]): string {
  return `${cells.map((cell, index) => cell.padStart(index === 0 ? 7 : 16)).join("")}\n`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

process.exitCode = main(process.argv.slice(2));
