import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { LaboratoryCell } from "../../src/telemetry/battery/laboratory.ts";

/** A kind of file, told by its columns, and where its cells' lives end. */
interface CellFormat {
  readonly family: string;
  readonly columns: readonly string[];
  readonly capacityColumn: string;
  readonly endAh: number;
  readonly meaning: string;
}

const FORMATS: readonly CellFormat[] = [
  {
    family: "CALCE",
    columns: ["battery", "cycle", "capacity", "resistance"],
    capacityColumn: "capacity",
    endAh: 0.88,
    meaning: "80 % of the rated 1.1 Ah",
  },
  {
    family: "NASA",
    columns: ["battery", "cycle", "capacity_ah"],
    capacityColumn: "capacity_ah",
    endAh: 1.4,
    meaning: "70 % of the rated 2 Ah",
  },
];

/**
 * Reads every CSV file of a folder that holds cells; files with other columns are passed over.
 *
 * @throws Error saying which folder, file, line and column is wrong, and what would be right
 */
export function readCells(folder: string): readonly LaboratoryCell[] {
  if (!existsSync(folder)) throw new Error(`The folder ${folder} does not exist.`);
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".csv"))
    .toSorted();
  const cells = files.flatMap((file) => readFile(folder, file));
  if (cells.length > 0) return cells;
  const wanted = FORMATS.map(({ columns }) => columns.join(",")).join("; or ");
  throw new Error(`No CSV file of ${folder} holds cells. Expected one with the columns ${wanted}.`);
}

function readFile(folder: string, file: string): readonly LaboratoryCell[] {
  const rows = parse(readFileSync(join(folder, file)), { columns: true, bom: true, skip_empty_lines: true });
  const records = rows as readonly Readonly<Record<string, string>>[];
  const header = Object.keys(records[0] ?? {});
  const format = FORMATS.find(({ columns }) => columns.every((column) => header.includes(column)));
  if (format === undefined) return [];
  const cells = new Map<string, { cycle: number; ah: number }[]>();
  for (const [index, record] of records.entries()) {
    const read = (column: string): number => {
      const value = Number(record[column]);
      if (record[column] !== "" && Number.isFinite(value)) return value;
      throw new Error(`${file}, line ${index + 2}: "${record[column]}" in the column ${column} is not a number.`);
    };
    const name = record["battery"] ?? "";
    const cycles = cells.get(name) ?? [];
    cycles.push({ cycle: read("cycle"), ah: read(format.capacityColumn) });
    cells.set(name, cycles);
  }
  return [...cells].map(([name, cycles]) => ({
    name,
    family: format.family,
    endAh: format.endAh,
    capacitiesAh: fillGaps(cycles),
  }));
}

/** Cycles by number from 1 on; one that is missing has what the one before had. */
function fillGaps(cycles: readonly { readonly cycle: number; readonly ah: number }[]): readonly number[] {
  const sorted = cycles.toSorted((left, right) => left.cycle - right.cycle);
  const filled: number[] = [];
  for (const { cycle, ah } of sorted) {
    while (filled.length < Math.round(cycle) - 1) filled.push(filled.at(-1) ?? ah);
    filled[Math.round(cycle) - 1] = ah;
  }
  return filled;
}

/** What each family's end of life is, for the report. */
export function describeEnds(): readonly string[] {
  return FORMATS.map(({ family, endAh, meaning }) => `${family} ${endAh} Ah (${meaning})`);
}
