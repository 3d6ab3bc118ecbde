/** How the characters of a file are written. Exports of banks and spreadsheets come in all four. */
export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";

/** So many first bytes are looked at. */
export const LOOK_BYTES = 4_096;

/**
 * The encoding of a file by its first bytes and whether all of it is valid UTF-8. A file without a byte order mark whose
 * every other byte is zero is UTF-16; what is not valid UTF-8 is Windows-1252, the usual one of old spreadsheets.
 */
export function encodingOf(head: Uint8Array, isUtf8: boolean): Encoding {
  return utf16Of(head) ?? (isUtf8 ? "utf-8" : "windows-1252");
}

function utf16Of(head: Uint8Array): Encoding | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  const [even, odd] = zeros(head);
  const half = Math.min(head.length, LOOK_BYTES) / 2;
  if (odd > half * 0.4 && even < half * 0.1) return "utf-16le";
  if (even > half * 0.4 && odd < half * 0.1) return "utf-16be";
  return undefined;
}

function zeros(head: Uint8Array): readonly [even: number, odd: number] {
  let [even, odd] = [0, 0];
  for (let at = 0; at < Math.min(head.length, LOOK_BYTES); at++)
    if (head[at] === 0) {
      if (at % 2 === 0) even++;
      else odd++;
    }
  return [even, odd];
}

const SIGNATURES: readonly (readonly [readonly number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], "an Excel workbook or another zip file; save it as CSV first"],
  [[0xd0, 0xcf, 0x11, 0xe0], "an old Excel workbook; save it as CSV first"],
  [[0x25, 0x50, 0x44, 0x46], "a PDF; ask the provider for the CSV form"],
  [[0x1f, 0x8b], "compressed; unpack it first"],
];

/** What a file is that is no text, in words that end the sentence "This file is …"; undefined for text. */
export function binaryKindOf(head: Uint8Array): string | undefined {
  const known = SIGNATURES.find(([bytes]) => bytes.every((byte, at) => head[at] === byte));
  if (known !== undefined) return known[1];
  if (utf16Of(head) !== undefined) return undefined;
  return zeros(head).some((count) => count > 0) ? "not text, but binary data" : undefined;
}

/**
 * Decodes the pieces of a file, wherever they were cut. A byte order mark is left out; a character that PostgreSQL
 * cannot keep (U+0000) becomes the replacement character.
 */
export async function* decode(pieces: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding);
  const clean = (text: string): string => (text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text);
  for await (const piece of pieces) {
    const text = decoder.decode(piece, { stream: true });
    if (text !== "") yield clean(text);
  }
  const rest = decoder.decode();
  if (rest !== "") yield clean(rest);
}
