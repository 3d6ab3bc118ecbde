import { parse } from "csv-parse/sync";
import { InvalidInput } from "../../kernel/refusal.ts";
import { columnKey, type LineReader, type StatementFormat } from "./statement-format.ts";

/** Preambles have been seen with up to a dozen lines; a header further down is none. */
const HEADER_LINE_MAX = 50;
const COLUMNS_SHOWN_MAX = 40;
const SEPARATORS = [",", ";", "\t", "|"] as const;
export type Separator = (typeof SEPARATORS)[number];

export interface Header {
  readonly read: LineReader;
  readonly separator: Separator;
  readonly columns: number;
  /** Counted from 1. */
  readonly line: number;
  /** So many characters of the text come before the first line under the header. */
  readonly endsAt: number;
  /** Our own account as the lines above the header name it. */
  readonly ownAccount: string | undefined;
}

interface Attempt {
  readonly cells: readonly string[];
  readonly missing: readonly string[];
}

/**
 * Finds the header among the first lines of a file: the first line that has all columns of the format, with whichever
 * separator. Throws InvalidInput that names the missing columns and those of the line that came nearest.
 */
export function findHeader(head: string, format: StatementFormat): Header {
  let nearest: Attempt | undefined;
  const above: string[] = [];
  for (const { text, line, endsAt } of firstLines(head)) {
    for (const separator of SEPARATORS) {
      const cells = splitLine(text, separator);
      const opened = format.openHeader(cells);
      if ("read" in opened) {
        const ownAccount =
          format.ownAccountLabel === undefined
            ? undefined
            : findLabelled(
                above.map((text) => splitLine(text, separator)),
                format.ownAccountLabel,
              );
        return { read: opened.read, separator, columns: cells.length, line, endsAt, ownAccount };
      }
      if (isNearer({ cells, missing: opened.missing }, nearest)) nearest = { cells, missing: opened.missing };
    }
    above.push(text);
  }
  throw refusal(format, nearest);
}

function* firstLines(head: string): Generator<{ text: string; line: number; endsAt: number }> {
  const breaks = /\r\n|\n|\r|$/g;
  let from = 0;
  for (let line = 1; line <= HEADER_LINE_MAX && from < head.length; line++) {
    breaks.lastIndex = from;
    const found = breaks.exec(head);
    if (found === null) return;
    const endsAt = found.index + found[0].length;
    yield { text: head.slice(from, found.index), line, endsAt };
    from = Math.max(endsAt, from + 1);
  }
}

/** Cells of a line that stands alone; a line with a broken quote is cut at every separator. */
export function splitLine(text: string, separator: Separator): readonly string[] {
  try {
    const [cells = []] = parse(text, { delimiter: separator, relax_quotes: true, relax_column_count: true });
    return cells;
  } catch {
    return text.split(separator);
  }
}

/** Few missing columns first; of lines that lack the same number, the wider one is likelier to be a header. */
function isNearer(attempt: Attempt, nearest: Attempt | undefined): boolean {
  if (nearest === undefined || attempt.missing.length !== nearest.missing.length)
    return nearest === undefined || attempt.missing.length < nearest.missing.length;
  return attempt.cells.length > nearest.cells.length;
}

/** "Short Code:,600966", "Organization Short Code: 600966", but not "Account Holder:" for "Account". */
function findLabelled(lines: readonly (readonly string[])[], label: string): string | undefined {
  const words = columnKey(label)
    .replace(/:$/, "")
    .replace(/[^\p{L}\p{N} ]/gu, "\\$&");
  const labelled = new RegExp(`(?:^|\\s)${words}\\s*(?::\\s*(.*)|(\\d.*)|)$`, "u");
  for (const cells of lines) {
    for (const [at, cell] of cells.entries()) {
      const match = labelled.exec(columnKey(cell));
      if (match === null) continue;
      const beside = cells.slice(at + 1).find((other) => other.trim() !== "");
      const value = (match[1] ?? match[2] ?? "").trim() || beside?.trim();
      // An account has digits; words beside the label are a title.
      if (value !== undefined && /\d/.test(value)) return value.replace(/^="?|"$/g, "");
    }
  }
  return undefined;
}

function refusal(format: StatementFormat, nearest: Attempt | undefined): InvalidInput {
  const found = (nearest?.cells ?? []).map((cell) => cell.trim().slice(0, 60)).filter((cell) => cell !== "");
  return new InvalidInput(
    `None of the first ${HEADER_LINE_MAX} lines is a header of ${format.name}. Missing columns: ${(
      nearest?.missing ?? []
    ).join(", ")}. The nearest line has: ${found.slice(0, COLUMNS_SHOWN_MAX).join(", ") || "nothing"}.`,
    "file",
  );
}
