import type { Mapping } from "../rails/statement-file/mapping.ts";
import type { StatementLine } from "../rails/statement-line.ts";
import type { Encoding } from "./statement-decoding.ts";

export type LineKind = StatementLine["kind"];
/** `known`: the books had it already. `skipped`: a total, a footer or a repeated header, which moves no money. */
export type LineOutcome = "taken" | "known" | "refused" | "skipped";

export interface KindSum {
  readonly lines: number;
  /** In above zero, out below; taken and known lines together. */
  readonly amountMinor: bigint;
}

/** A line of a file with what became of it. */
export interface ImportedLine {
  readonly line: number;
  readonly providerId: string | undefined;
  readonly kind: LineKind | undefined;
  readonly amountMinor: bigint | undefined;
  readonly at: Date | undefined;
  readonly outcome: LineOutcome;
  /** Why it was refused, or what a person should know of it. */
  readonly detail: string | undefined;
  readonly raw: string;
}

/** What an import did. Lines total = taken + known + refused + skipped. */
export interface StatementReport {
  readonly statementId: string;
  readonly rail: string;
  readonly shortcode: string;
  readonly fileName: string;
  readonly format: string;
  readonly encoding: Encoding;
  readonly importedBy: string;
  readonly importedAt: Date;
  /** The first and the last transaction in the file. */
  readonly fromAt: Date | undefined;
  readonly toAt: Date | undefined;
  readonly linesTotal: number;
  readonly taken: number;
  readonly known: number;
  readonly refused: number;
  readonly skipped: number;
  /** Lines of this file that are on the desk. */
  readonly exceptions: number;
  readonly byKind: Readonly<Partial<Record<LineKind, KindSum>>>;
  /** The first of them, with reasons; the rest are read page by page. */
  readonly refusedLines: readonly ImportedLine[];
  /** This very file was imported before: nothing was done, and this is the report of that time. */
  readonly isRepeated: boolean;
}

export interface SavedMapping {
  readonly name: string;
  readonly mapping: Mapping;
  readonly savedBy: string;
  readonly savedAt: Date;
}

/** The figures of an import while it runs. */
export interface Tally {
  linesTotal: number;
  taken: number;
  known: number;
  refused: number;
  skipped: number;
  exceptions: number;
  fromAt: Date | undefined;
  toAt: Date | undefined;
  readonly byKind: Map<LineKind, { lines: number; amountMinor: bigint }>;
}

export const makeTally = (): Tally => ({
  linesTotal: 0,
  taken: 0,
  known: 0,
  refused: 0,
  skipped: 0,
  exceptions: 0,
  fromAt: undefined,
  toAt: undefined,
  byKind: new Map(),
});

/** Counts one line; `times` -1 takes it out again. */
export function count(
  tally: Tally,
  { outcome, kind, amountMinor, at }: Omit<ImportedLine, "raw">,
  times: 1 | -1 = 1,
): void {
  tally.linesTotal += times;
  tally[outcome] += times;
  if (at !== undefined && outcome !== "refused") {
    if (tally.fromAt === undefined || at < tally.fromAt) tally.fromAt = at;
    if (tally.toAt === undefined || at > tally.toAt) tally.toAt = at;
  }
  if (kind === undefined || amountMinor === undefined || outcome === "refused") return;
  const sum = tally.byKind.get(kind) ?? { lines: 0, amountMinor: 0n };
  sum.lines += times;
  sum.amountMinor += BigInt(times) * amountMinor;
  tally.byKind.set(kind, sum);
}
