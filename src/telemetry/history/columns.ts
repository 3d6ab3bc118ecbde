import { QUANTITIES, type Quantity } from "../frames/frame.ts";

/** "batteryVoltageV" is `battery_voltage_v`, in PostgreSQL and in history. */
export function columnOf(quantity: Quantity): string {
  return quantity.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Columns of `readings` in history, in the order in which rows travel there. */
export const READING_COLUMNS: readonly string[] = ["device", "at", "batch", ...QUANTITIES.map(columnOf), "extra"];

/**
 * The same columns out of PostgreSQL. Its COPY text is what ClickHouse calls TabSeparated: same separators, escapes and nulls,
 * so rows pass through this program as bytes. An instant travels as Unix seconds with decimals.
 */
export const READING_EXPRESSIONS: readonly string[] = [
  "device",
  "extract(epoch from at)",
  "batch",
  ...QUANTITIES.map(columnOf),
  "coalesce(extra::text, '')",
];
