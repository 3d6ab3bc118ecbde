/** Ways of spoiling a frame: its bytes, or its members. */
import type { Chance } from "../../test/crash/chance.ts";

const BYTES = [
  0x00, 0xff, 0x7f, 0x80, 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x3a, 0x30, 0x2d, 0x65, 0x9f, 0xbf, 0xc1, 0xf7,
  0xfb, 0x20, 0x0a,
] as const;
const TEXTS = [
  "null",
  "NaN",
  "-Infinity",
  "1e999",
  "-0",
  "1e308",
  "\\u0000",
  "\\ud800",
  "__proto__",
  '"a":',
  '{"sn":1}',
  "[[[[",
  "é",
  "\u2028",
  "99999999999999999999",
] as const;

/** Spoils bytes in one to four places. */
export function spoilBytes(chance: Chance, bytes: Uint8Array): Uint8Array {
  let spoiled = bytes;
  for (let turn = 1 + chance.below(4); turn > 0; turn--) spoiled = spoilOnce(chance, spoiled);
  return spoiled;
}

function spoilOnce(chance: Chance, bytes: Uint8Array): Uint8Array {
  const at = chance.below(bytes.length + 1);
  const length = Math.min(1 + chance.below(chance.happens(0.2) ? 64 : 4), bytes.length - at);
  const [before, piece, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
  switch (chance.below(8)) {
    case 0: {
      const flipped = Uint8Array.from(bytes);
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << chance.below(8));
      return flipped;
    }
    case 1:
      return Buffer.concat([before, Uint8Array.of(chance.pick(BYTES)), after]);
    case 2:
      return Buffer.concat([before, after]);
    case 3:
      return Buffer.concat([before, piece, piece, after]);
    case 4:
      return before;
    case 5:
      return Buffer.concat([before, Buffer.from(chance.pick(TEXTS)), piece, after]);
    case 6:
      return Buffer.concat([after, before, piece]);
    default:
      return Buffer.concat([before, Uint8Array.from(piece, () => chance.below(256)), after]);
  }
}

/** Stands in for what JSON cannot say of itself; `writeSpoiled` puts the text in its place. */
const RAW = "\u0001raw:";
const AGAIN = "\u0001again:";
const OTHER_SPELLING: Readonly<Record<string, string>> = {
  sn: "serial_number",
  serial_number: "sn",
  ts: "timestamp",
  rc: "request_count",
  d: "data",
  hd: "historical_data",
  a: "auth",
};
/** What stands in one place of a signed text, under whichever name. */
const CONFUSED: Readonly<Record<string, string>> = {
  ts: "rc",
  rc: "ts",
  timestamp: "request_count",
  request_count: "timestamp",
  d: "hd",
  hd: "d",
  data: "historical_data",
  historical_data: "data",
};
const STRANGE: readonly [unknown, ...unknown[]] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  1e15,
  1e308,
  -1e308,
  2 ** 53,
  1_611_583_070_000,
  4_294_967_296,
  `${RAW}NaN`,
  `${RAW}1e999`,
  `${RAW}-0`,
  `${RAW}12.0`,
  "",
  "x",
  "1611583070",
  "a\u0000b",
  "\ud800",
  "__proto__",
  "x".repeat(700),
  [],
  {},
  [[]],
  [{}],
  [1, 2, 3],
  { a: { b: { c: 1 } } },
];

const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "sn",
  "serial_number",
  "ts",
  "timestamp",
  "rc",
  "d",
  "hd",
  "df",
  "dfo",
  "acc",
  "a",
  "0",
  "7",
  "999999999999",
  "",
  "battery_voltage",
  "token_count",
  "x".repeat(100),
  "a\u0000",
] as const;

/** A copy with one to three members replaced, renamed, added or left out, at any depth. */
export function spoilMembers(chance: Chance, value: unknown): unknown {
  let spoiled: unknown = value;
  for (let turn = 1 + chance.below(3); turn > 0; turn--) spoiled = spoilNode(chance, spoiled, 0);
  return spoiled;
}

function spoilNode(chance: Chance, value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return strange(chance, value);
  if (depth > 0 && chance.happens(0.15)) return strange(chance, value);
  if (Array.isArray(value)) return spoilList(chance, value as readonly unknown[], depth);
  const entries = Object.entries(value);
  // Most of what can go wrong is in the data and the rows.
  const deep =
    depth === 0 && chance.happens(0.6)
      ? entries.findIndex(([name]) => /^(?:d|hd|data|historical_data)$/.test(name))
      : -1;
  const at = deep >= 0 ? deep : chance.below(entries.length);
  const [name, member] = entries[at] ?? ["x", 1];
  switch (deep >= 0 ? 5 : chance.below(6)) {
    case 0:
      entries.splice(at, 1);
      break;
    case 1:
      entries.push([chance.pick(NAMES), strange(chance, member)]);
      break;
    case 2:
      entries[at] = [chance.happens(0.3) ? (CONFUSED[name] ?? name) : chance.pick(NAMES), member];
      break;
    case 3:
      // The same again in its other spelling, or with a mark that `writeSpoiled` takes away.
      entries.splice(chance.below(entries.length + 1), 0, [
        OTHER_SPELLING[name] ?? `${AGAIN}${name}`,
        strange(chance, member),
      ]);
      break;
    default:
      entries[at] = [name, spoilNode(chance, member, depth + 1)];
  }
  return objectOf(entries);
}

function spoilList(chance: Chance, list: readonly unknown[], depth: number): unknown {
  const copy = [...list];
  const at = chance.below(copy.length);
  switch (chance.below(5)) {
    case 0:
      copy.splice(at, 1);
      break;
    case 1:
      copy.splice(at, 0, strange(chance, copy[at]));
      break;
    case 2:
      copy.push(...copy.slice(0, 50));
      break;
    default:
      copy[at] = spoilNode(chance, copy[at], depth + 1);
  }
  return copy;
}

function strange(chance: Chance, before: unknown): unknown {
  if (chance.happens(0.02)) return nest(before, 8 + chance.below(300));
  if (typeof before === "number" && chance.happens(0.3)) return before * chance.pick([-1, 10, 1_000, 1e-3]);
  if (typeof before === "string" && /^[stcdr]a[0-9a-f]+$/.test(before)) {
    return `${chance.pick(["sa", "ta", "ca", "da", "ra"])}${before.slice(2)}`;
  }
  return chance.pick(STRANGE);
}

function nest(value: unknown, depth: number): unknown {
  let nested = value;
  for (let level = 0; level < depth; level++) nested = [nested];
  return nested;
}

function objectOf(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [name, value] of entries) {
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return made;
}

/** JSON text of spoiled members, with what stands for raw text put in. */
export function writeSpoiled(value: unknown): string {
  return JSON.stringify(value)
    .replace(/"\\u0001raw:([^"]*)"/g, "$1")
    .replace(/\\u0001again:/g, "");
}
