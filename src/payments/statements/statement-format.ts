import type { RefusedLine, StatementLine } from "../rails/statement-line.ts";

/** Reads the cells of one line under a header. `not_a_transaction`: a total, a footer, a header that is repeated. */
export type LineReader = (cells: readonly string[]) => StatementLine | RefusedLine | "not_a_transaction";

/**
 * A kind of statement file. It recognises its header among the first lines of a file, whatever stands above, and reads
 * the lines under it.
 */
export interface StatementFormat {
  /** As the report calls it. */
  readonly name: string;
  /**
   * Names how the lines are read. The same file read in another way is another import, so that a person who corrects a
   * mapping can give the same file again.
   */
  readonly reading: string;
  /** Words before our own account number in the lines above the header; undefined where files do not tell it. */
  readonly ownAccountLabel: string | undefined;
  /** A reader for the lines under these cells, or which columns are not among them. */
  openHeader(cells: readonly string[]): { readonly read: LineReader } | { readonly missing: readonly string[] };
}

/** Column names are written with more or fewer spaces, capitals and invisible characters from one export to the next. */
export function columnKey(name: string): string {
  return name
    .replace(/[\s\u00a0\u200b\ufeff]+/g, " ")
    .trim()
    .toLowerCase();
}

/** Where each column stands under a header; of two columns with one name the first counts. */
export function placesOf(cells: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  cells.forEach((cell, at) => {
    const key = columnKey(cell);
    if (key !== "" && !places.has(key)) places.set(key, at);
  });
  return places;
}

const FOOTER =
  /^(grand |sub ?)?(totals?|sum|summary|opening|closing|balance|page|end of|printed|generated|count|number of|disclaimer|note|solde|fin)\b/i;

/**
 * Lines that stand for the file and not for money: neither a transaction's name nor its time, but nothing there, or words
 * such as "Total" or "Printed on".
 */
export function isFooter(cells: { reference: string; time: string }): boolean {
  return [cells.reference, cells.time].every((cell) => cell.trim() === "" || FOOTER.test(cell.trim()));
}
