/**
 * Finds where the members of a JSON object and the elements of a JSON array lie in the received bytes. Signatures of
 * OpenPAYGO Metrics cover texts as they were sent (`12.0` is not `12`, `\u00e9` is not `é`), so they are checked over
 * these ranges and never over something written anew.
 *
 * This is no validator: `JSON.parse` has the last word. For whatever that accepts, the ranges are exact.
 */

import { REQUEST_SPELLINGS } from "./names.ts";

/** One member of an object: its name, decoded, and where its value lies in the bytes, from `start` up to `end`. */
export interface Member {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A request nests five deep (accessories, rows, a data format's variables); what goes deeper is an attack. */
export const DEPTH_MAX = 16;
/** Outer members of one object; a request has ten. */
export const MEMBERS_MAX = 64;

export type Scan<T> =
  { readonly ok: true; readonly found: readonly T[] } | { readonly ok: false; readonly detail: string };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** The members of the object that lies in `range`, in the order sent. Refuses a name that comes twice. */
export function scanMembers(bytes: Uint8Array, range: Range): Scan<Member> {
  const { end } = range;
  let at = skipSpace(bytes, range.start, end);
  if (bytes[at] !== OPEN_OBJECT) return { ok: false, detail: "The frame is JSON, but not an object." };
  const found: Member[] = [];
  at = skipSpace(bytes, at + 1, end);
  while (at < end && bytes[at] !== CLOSE_OBJECT) {
    if (bytes[at] !== QUOTE) return broken(at);
    const nameEnd = skipString(bytes, at, end);
    if (nameEnd < 0) return broken(at);
    const name = decodeName(bytes, at, nameEnd);
    if (name === undefined) return broken(at);
    at = skipSpace(bytes, nameEnd, end);
    if (bytes[at] !== COLON) return broken(at);
    const start = skipSpace(bytes, at + 1, end);
    const valueEnd = skipValue(bytes, start, end);
    if (valueEnd < 0) return valueEnd === TOO_DEEP ? tooDeep : broken(start);
    for (const other of found) {
      if (other.name === name) return { ok: false, detail: `The member "${name}" comes twice; only one can be meant.` };
    }
    if (found.push({ name, start, end: valueEnd }) > MEMBERS_MAX) {
      return { ok: false, detail: `The frame has more than ${MEMBERS_MAX} outer members.` };
    }
    at = skipSpace(bytes, valueEnd, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, end);
    else if (bytes[at] !== CLOSE_OBJECT) return broken(at);
  }
  return at < end ? { ok: true, found } : broken(at);
}

/** The elements of the array that lies in `range`. */
export function scanElements(bytes: Uint8Array, range: Range): Scan<Range> {
  const { end } = range;
  let at = skipSpace(bytes, range.start, end);
  if (bytes[at] !== OPEN_ARRAY) return broken(at);
  const found: Range[] = [];
  at = skipSpace(bytes, at + 1, end);
  while (at < end && bytes[at] !== CLOSE_ARRAY) {
    const valueEnd = skipValue(bytes, at, end);
    if (valueEnd < 0) return valueEnd === TOO_DEEP ? tooDeep : broken(at);
    found.push({ start: at, end: valueEnd });
    at = skipSpace(bytes, valueEnd, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, end);
    else if (bytes[at] !== CLOSE_ARRAY) return broken(at);
  }
  return at < end ? { ok: true, found } : broken(at);
}

/**
 * The bytes of a range without the white space between tokens. Devices sign the compact form; a frame that somebody
 * indented on its way holds the same texts. The bytes themselves when there is nothing to leave out.
 */
export function compactSlice(bytes: Uint8Array, { start, end }: Range): Uint8Array {
  const slice = bytes.subarray(start, end);
  if (!slice.some(isSpace)) return slice;
  const compact = new Uint8Array(slice.length);
  let length = 0;
  let inString = false;
  for (let at = 0; at < slice.length; at++) {
    const byte = slice[at] ?? 0;
    if (!inString && isSpace(byte)) continue;
    compact[length++] = byte;
    if (byte === QUOTE) inString = !inString;
    else if (inString && byte === BACKSLASH) compact[length++] = slice[++at] ?? 0;
  }
  return compact.subarray(0, length);
}

const TOO_DEEP = -2;
const tooDeep = { ok: false, detail: `The frame nests deeper than ${DEPTH_MAX} levels.` } as const;

function broken(at: number): { readonly ok: false; readonly detail: string } {
  return { ok: false, detail: `The JSON breaks off or goes wrong at byte ${at}.` };
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(bytes[at] ?? 0)) at++;
  return at;
}

/** Just past the string that opens at `from`; -1 when it never closes. */
function skipString(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from + 1; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}

/** Just past the value that begins at `from`; negative when it never ends, or nests too deep. */
function skipValue(bytes: Uint8Array, from: number, end: number): number {
  const first = bytes[from];
  if (first === QUOTE) return skipString(bytes, from, end);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return skipWord(bytes, from, end);
  let depth = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at, end) - 1;
      if (at < 0) return -1;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > DEPTH_MAX) return TOO_DEEP;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth === 0) return at + 1;
    }
  }
  return -1;
}

function skipWord(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = bytes[at] ?? 0;
    if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || isSpace(byte)) break;
    at++;
  }
  return at === from ? -1 : at;
}

/** Names longer than this are nobody's. */
const NAME_BYTES_MAX = 256;

/** Names that nearly every frame has, with their quotes, by their length: recognised, they need not be decoded. */
const USUAL: readonly (readonly { readonly name: string; readonly quoted: Uint8Array }[])[] = ((): {
  name: string;
  quoted: Uint8Array;
}[][] => {
  const byLength: { name: string; quoted: Uint8Array }[][] = [];
  for (const name of REQUEST_SPELLINGS) {
    const quoted = Buffer.from(`"${name}"`);
    (byLength[quoted.length] ??= []).push({ name, quoted });
  }
  return byLength;
})();

function usualName(bytes: Uint8Array, start: number, end: number): string | undefined {
  const candidates = USUAL[end - start];
  if (candidates === undefined) return undefined;
  for (const { name, quoted } of candidates) {
    let at = 1;
    while (at < quoted.length && bytes[start + at] === quoted[at]) at++;
    if (at === quoted.length) return name;
  }
  return undefined;
}

function decodeName(bytes: Uint8Array, start: number, end: number): string | undefined {
  const usual = usualName(bytes, start, end);
  if (usual !== undefined) return usual;
  if (end - start > NAME_BYTES_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
  if (!text.includes("\\")) return text.slice(1, -1);
  // The same name may be written with escapes; only decoded names can be compared.
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * The same JSON with everything past ASCII as `\u` escapes, the way Python writes it: a device may sign that and send the
 * letters. The bytes themselves when they are all ASCII.
 */
export function escapeSlice(bytes: Uint8Array): Uint8Array {
  if (!needsEscapes(bytes)) return bytes;
  return Buffer.from(escapeText(Buffer.from(bytes).toString("utf8")), "latin1");
}

/** Whether there is a byte that `escapeSlice` would write in another way: past ASCII, or DEL. */
export function needsEscapes(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte >= 0x7f);
}

/** JSON text in ASCII. */
export function escapeText(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
