/** Finds where things lie in CBOR (RFC 8949), of which requests use a part: numbers, texts, lists, maps, true, false, null. */
import {
  LIST_ELEMENTS_MAX,
  OBJECT_MEMBERS_MAX,
  tooManyElements,
  tooManyMembers,
  tooManyValues,
  VALUES_MAX,
} from "./bounds.ts";
import type { BoundsFault } from "./bounds.ts";
import { DEPTH_MAX, MEMBERS_MAX } from "./json-scan.ts";
import type { Member, Range, Scan } from "./json-scan.ts";

/** A place in the bytes, moved on by what is read. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  depth: number;
  /** Elements and members that were gone through. */
  values: number;
}

/** The head of an item: what it is, and its number or how many bytes, elements or pairs follow. */
export interface Head {
  readonly major: number;
  readonly info: number;
  /** Infinity for a list or map that ends with a break. Past 2^53 inexact. */
  readonly argument: number;
}

export const MAJOR = { unsigned: 0, negative: 1, text: 3, list: 4, map: 5, simple: 7 } as const;

const INDEFINITE = 31;
const BREAK = 0xff;

/** Thrown inside, caught where a scan begins. */
export class UnreadableCbor extends Error {}

/** The same, for what is readable and too much. */
class TooMuch extends Error {
  readonly fault: BoundsFault;
  constructor(fault: BoundsFault) {
    super(fault.detail);
    this.fault = fault;
  }
}

/**
 * What is wrong with the bytes as one CBOR item, or nothing. Run first: it bounds for all that follows how deep they nest
 * and how much they hold.
 */
export function cborFault(bytes: Uint8Array): BoundsFault | undefined {
  try {
    const detail = attempt(() => {
      const cursor = cursorAt(bytes, 0);
      skipItem(cursor);
      if (cursor.at < bytes.length) throw new UnreadableCbor(`${bytes.length - cursor.at} bytes follow its end`);
    });
    return detail === undefined ? undefined : { reason: "not_readable", detail };
  } catch (error) {
    if (error instanceof TooMuch) return error.fault;
    throw error;
  }
}

export function cursorAt(bytes: Uint8Array, at: number): Cursor {
  return { bytes, at, depth: 0, values: 0 };
}

/** The pairs of the map that lies in `range`. Refuses a key that comes twice. */
export function scanCborMembers(bytes: Uint8Array, range: Range): Scan<Member> {
  const found: Member[] = [];
  const detail = attempt(() => {
    const cursor = cursorAt(bytes, range.start);
    forEachPair(cursor, (name) => {
      const start = cursor.at;
      skipItem(cursor);
      if (found.some((other) => other.name === name)) {
        throw new UnreadableCbor(`the member "${name}" comes twice; only one can be meant`);
      }
      if (found.push({ name, start, end: cursor.at }) > MEMBERS_MAX) {
        throw new UnreadableCbor(`it has more than ${MEMBERS_MAX} outer members`);
      }
    });
  });
  return detail === undefined ? { ok: true, found } : { ok: false, detail };
}

/** The elements of the list that lies in `range`. */
export function scanCborElements(bytes: Uint8Array, range: Range): Scan<Range> {
  const found: Range[] = [];
  const detail = attempt(() => {
    const cursor = cursorAt(bytes, range.start);
    forEachElement(cursor, () => {
      const start = cursor.at;
      skipItem(cursor);
      found.push({ start, end: cursor.at });
    });
  });
  return detail === undefined ? { ok: true, found } : { ok: false, detail };
}

function attempt(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof UnreadableCbor) return `The CBOR is not readable: ${error.message}.`;
    throw error;
  }
}

/** Reads a head and stands behind it. */
export function readHead(cursor: Cursor): Head {
  const { bytes, at } = cursor;
  const first = bytes[at];
  if (first === undefined) throw new UnreadableCbor(`it breaks off at byte ${at}`);
  const major = first >> 5;
  const info = first & 31;
  cursor.at = at + 1;
  if (info < 24) return { major, info, argument: info };
  if (info === INDEFINITE) return { major, info, argument: Infinity };
  if (info > 27) throw new UnreadableCbor(`byte ${at} begins no item`);
  const end = at + 1 + (1 << (info - 24));
  if (end > bytes.length) throw new UnreadableCbor(`it breaks off at byte ${at}`);
  let argument = 0;
  while (cursor.at < end) argument = argument * 256 + (bytes[cursor.at++] ?? 0);
  return { major, info, argument };
}

function skipItem(cursor: Cursor): void {
  const start = cursor.at;
  const { major } = peekHead(cursor);
  if (major === MAJOR.list) forEachElement(cursor, () => skipItem(cursor));
  else if (major === MAJOR.map) {
    forEachPair(cursor, () => skipItem(cursor));
  } else if (major === MAJOR.text) skipText(cursor);
  else {
    const { info } = readHead(cursor);
    const isNumber = (major === MAJOR.unsigned || major === MAJOR.negative) && info !== INDEFINITE;
    const isSimple = major === MAJOR.simple && ((info >= 20 && info <= 22) || (info >= 25 && info <= 27));
    if (!isNumber && !isSimple) {
      throw new UnreadableCbor(
        `byte ${start} begins what requests do not use (they hold numbers, texts, lists, maps, true, false and null)`,
      );
    }
  }
}

function peekHead(cursor: Cursor): Head {
  const { at } = cursor;
  const head = readHead(cursor);
  cursor.at = at;
  return head;
}

function skipText(cursor: Cursor): void {
  const start = cursor.at;
  const { argument } = readHead(cursor);
  if (argument === Infinity) throw new UnreadableCbor(`the text at byte ${start} comes in pieces; send it whole`);
  if (cursor.at + argument > cursor.bytes.length) throw new UnreadableCbor(`the text at byte ${start} breaks off`);
  cursor.at += argument;
}

/** Reads the text on which the cursor stands. Bytes that are no UTF-8 are refused by the decoder before. */
export function readText(cursor: Cursor): string {
  const start = cursor.at;
  skipText(cursor);
  const from = start + headLength(cursor.bytes[start] ?? 0);
  const { buffer, byteOffset } = cursor.bytes;
  return Buffer.from(buffer, byteOffset + from, cursor.at - from).toString("utf8");
}

function headLength(first: number): number {
  const info = first & 31;
  return info < 24 ? 1 : 1 + (1 << (info - 24));
}

/** Visits the elements of a list; `visit` must read exactly one item. */
export function forEachElement(cursor: Cursor, visit: (index: number) => void): void {
  inside(cursor, MAJOR.list, visit);
}

/** Visits the pairs of a map by their key; `visit` must read exactly the value. */
export function forEachPair(cursor: Cursor, visit: (key: string, index: number) => void): void {
  inside(cursor, MAJOR.map, (index) => visit(readKey(cursor), index));
}

function inside(cursor: Cursor, major: number, visit: (index: number) => void): void {
  const start = cursor.at;
  const head = readHead(cursor);
  if (head.major !== major) {
    throw new UnreadableCbor(`byte ${start} begins no ${major === MAJOR.list ? "list" : "map"}`);
  }
  if (++cursor.depth > DEPTH_MAX) throw new UnreadableCbor(`it nests deeper than ${DEPTH_MAX} levels`);
  for (let index = 0; index < head.argument; index++) {
    if (head.argument === Infinity && cursor.bytes[cursor.at] === BREAK) {
      cursor.at++;
      break;
    }
    if (++cursor.values > VALUES_MAX) throw new TooMuch(tooManyValues);
    if (major === MAJOR.list && index >= LIST_ELEMENTS_MAX) throw new TooMuch(tooManyElements);
    if (major === MAJOR.map && index >= OBJECT_MEMBERS_MAX) throw new TooMuch(tooManyMembers);
    visit(index);
  }
  cursor.depth--;
}

/** Keys are texts or, for positions, whole numbers. */
function readKey(cursor: Cursor): string {
  const start = cursor.at;
  const { major, argument } = peekHead(cursor);
  if (major === MAJOR.text) return readText(cursor);
  if (major !== MAJOR.unsigned || !Number.isSafeInteger(argument)) {
    throw new UnreadableCbor(`the key at byte ${start} is neither a text nor a position`);
  }
  readHead(cursor);
  return String(argument);
}
