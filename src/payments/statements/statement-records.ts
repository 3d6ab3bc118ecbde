import { pipeline, Readable } from "node:stream";
import { CsvError, parse, type Options } from "csv-parse";
import { parse as parseText } from "csv-parse/sync";
import { InvalidInput } from "../../kernel/refusal.ts";
import type { Header } from "./statement-header.ts";

/** A quote that is never closed would swallow the rest of a file; no real line is as long as this. */
const RECORD_CHARACTERS_MAX = 65_536;

/** One line under the header as it came; a quoted cell may spread it over several. */
export interface FileRecord {
  /** Where it begins in the file, counted from 1. */
  readonly line: number;
  readonly cells: readonly string[];
  readonly raw: string;
  /** Why the cells cannot be trusted, in a sentence. */
  readonly problem: string | undefined;
}

const options = (separator: string): Options => ({
  delimiter: separator,
  // All three, because files that went through several programs mix them.
  record_delimiter: ["\r\n", "\n", "\r"],
  relax_quotes: true,
  relax_column_count: true,
  max_record_size: RECORD_CHARACTERS_MAX,
  raw: true,
});

interface Parsed {
  readonly record: string[];
  readonly raw: string;
}

/** The records under a header, in order, without the empty lines. Throws InvalidInput where a quote is never closed. */
export async function* readRecords(
  text: AsyncIterable<string>,
  { separator, columns, line: headerLine, endsAt }: Header,
): AsyncGenerator<FileRecord> {
  let line = headerLine + 1;
  const parser = parse(options(separator));
  // Whatever goes wrong on the way ends the parser with that error, which the loop below meets.
  pipeline(Readable.from(asBytes(skip(text, endsAt))), parser, () => undefined);
  try {
    for await (const { record, raw: ended } of parser as AsyncIterable<Parsed>) {
      const raw = ended.replace(/[\r\n]+$/, "");
      const physical = raw.includes("\n") || raw.includes("\r") ? raw.split(/\r\n|\n|\r/) : [raw];
      if (physical.length > 1 && isTorn(record, columns)) {
        // A quote that was opened by mistake has drawn the next lines in: each is read on its own.
        for (const [at, text] of physical.entries())
          if (text.trim() !== "") yield standingAlone({ text, line: line + at, separator, columns });
      } else if (!record.every((cell) => cell.trim() === "")) {
        yield { line, cells: record, raw, problem: tooWide(record, columns) };
      }
      line += physical.length;
    }
  } catch (error) {
    if (error instanceof CsvError)
      throw new InvalidInput(
        `Line ${line} cannot be read as CSV, nor can what follows it: a quote may not be closed.`,
        "file",
      );
    throw error;
  }
}

/** Whether a record of several lines is no honest quoted cell: other columns than the header's, or a stray quote inside. */
function isTorn(record: readonly string[], columns: number): boolean {
  return record.length !== columns || record.some((cell) => cell.startsWith('"') && /[\r\n]/.test(cell));
}

function standingAlone({
  text,
  line,
  separator,
  columns,
}: {
  text: string;
  line: number;
  separator: string;
  columns: number;
}): FileRecord {
  try {
    const [parsed] = parseText(text, options(separator)) as unknown as Parsed[];
    const cells = parsed?.record ?? [];
    return { line, cells, raw: text, problem: tooWide(cells, columns) };
  } catch {
    return { line, cells: [], raw: text, problem: "A quote in it is not closed." };
  }
}

/** A separator inside a cell without quotes moves every later cell, the amount too. */
function tooWide(cells: readonly string[], columns: number): string | undefined {
  return cells.length > columns && cells.slice(columns).some((cell) => cell.trim() !== "")
    ? `It has ${cells.length} cells, and the header has ${columns}.`
    : undefined;
}

async function* skip(text: AsyncIterable<string>, characters: number): AsyncGenerator<string> {
  let left = characters;
  for await (const piece of text) {
    if (left >= piece.length) {
      left -= piece.length;
    } else {
      yield left === 0 ? piece : piece.slice(left);
      left = 0;
    }
  }
}

async function* asBytes(text: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const piece of text) yield Buffer.from(piece, "utf8");
}
