import fc from "fast-check";
import { expect, test } from "vitest";
import { decode, encodingOf, type Encoding } from "../../../src/payments/statements/statement-decoding.ts";
import { readRecords, type FileRecord } from "../../../src/payments/statements/statement-records.ts";

const COLUMNS = 4;
const cell = fc.string({
  unit: fc.constantFrom("a", "É", "’", "😀", " ", "7", ",", ";", '"', "\n", "\r\n", "x"),
  maxLength: 12,
});
const row = fc.array(cell, { minLength: COLUMNS, maxLength: COLUMNS });
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const newlines = (text: string): number => text.split("\n").length - 1;

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield await Promise.resolve(bytes.subarray(at, at + length));
}

async function read(text: AsyncIterable<string>, separator: "," | ";"): Promise<readonly FileRecord[]> {
  const records: FileRecord[] = [];
  const header = { separator, columns: COLUMNS, line: 1, endsAt: "h\n".length };
  for await (const record of readRecords(text, { ...header, ownAccount: undefined, read: () => "not_a_transaction" }))
    records.push(record);
  return records;
}

test("every cell of every line comes back as it was written, with the number of its line, however the file is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 8 }),
      fc.constantFrom("\n", "\r\n"),
      fc.constantFrom<"," | ";">(",", ";"),
      fc.constantFrom<Encoding>("utf-8", "utf-16le", "utf-16be"),
      fc.integer({ min: 1, max: 40 }),
      async (rows, lineEnd, separator, encoding, length) => {
        const lines = rows.map((cells) => cells.map(quoted).join(separator));
        const text = `\ufeffh\n${lines.map((line) => line + lineEnd).join("")}`;
        const bytes = Buffer.from(text, encoding === "utf-8" ? "utf8" : "utf16le");
        if (encoding === "utf-16be") bytes.swap16();
        expect(encodingOf(bytes, encoding === "utf-8")).toBe(encoding);
        const found = await read(decode(pieces(bytes, length), encoding), separator);
        let line = 2;
        const expected = rows.flatMap((cells, at) => {
          const here = { line, cells, raw: lines[at] };
          line += 1 + newlines(lines[at] ?? "");
          return cells.every((text) => text.trim() === "") ? [] : [here];
        });
        // A cell that begins with a quote and holds a line break looks like a torn one; its lines are then read alone.
        if (rows.flat().some((text) => text.startsWith('"') && /[\r\n]/.test(text))) return;
        expect(found.map(({ line: at, cells, raw }) => ({ line: at, cells, raw }))).toEqual(expected);
        expect(found.every(({ problem }) => problem === undefined)).toBe(true);
      },
    ),
  );
});

test("no line vanishes behind a quote that was opened by mistake", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 8 }), async (torn, distance) => {
      const closing = Math.min(torn + distance, 9);
      const lines = Array.from({ length: 10 }, (_, at) =>
        at === torn ? `${at},"b,c,d` : at === closing ? `${at},b,"1,050.00",d` : `${at},b,c,d`,
      );
      if (torn === closing) return;
      const found = await read(decode(pieces(Buffer.from(`h\n${lines.join("\n")}\n`), 7), "utf-8"), ",");
      expect(found.map(({ line, raw }) => [line, raw])).toEqual(lines.map((line, at) => [at + 2, line]));
      expect(found.filter(({ problem }) => problem !== undefined).map(({ line }) => line)).toEqual([torn + 2]);
    }),
  );
});
