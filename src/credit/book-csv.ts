import { parse } from "csv-parse/sync";
import { parseMoney, type Currency } from "../kernel/money.ts";
import { multiply, parseRational, rational } from "../kernel/rational.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { decimalsOf } from "../kernel/money.ts";
import type { Terms } from "./terms.ts";

/** A seller's price group: what Washa calls a plan. */
export interface BookGroup {
  readonly id: string;
  readonly name: string;
  readonly terms: Terms;
}

/** A seller's account: what Washa calls a contract. */
export interface BookAccount {
  readonly id: string;
  readonly groupId: string;
  readonly registeredAt: Date;
  readonly isWrittenOff: boolean;
}

const ROWS_MAX = 1_000_000;

/** Reads a CSV with a header line. Throws InvalidInput naming the file and the columns that are missing. */
export function readTable(
  text: string,
  { file, columns }: { file: string; columns: readonly string[] },
): readonly Record<string, string>[] {
  let rows: Record<string, string>[];
  try {
    rows = parse(text, { bom: true, columns: true, skip_empty_lines: true, trim: true, to: ROWS_MAX });
  } catch (cause) {
    throw new InvalidInput(`${file} is not a CSV file: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const missing = columns.filter((name) => rows[0] !== undefined && !(name in rows[0]));
  if (missing.length > 0) throw new InvalidInput(`${file} lacks the columns ${missing.join(", ")}.`);
  return rows;
}

/** "2019-11-06 05:49:39.571392" in UTC; JavaScript keeps the milliseconds. */
export function parseBookInstant(text: string): Date {
  const at = new Date(`${text.replace(" ", "T").slice(0, 23)}Z`);
  if (Number.isNaN(at.getTime()))
    throw new InvalidInput(`"${text.slice(0, 40)}" is no instant such as 2019-11-06 05:49:39.571392.`);
  return at;
}

/**
 * Reads price groups: the price of an hour exactly as written, time bought from the first payment on, the deposit being a
 * payment like any other. `price_unlock` is the whole price, deposit included.
 */
export function parseGroups(text: string, currency: Currency): readonly BookGroup[] {
  const columns = ["id", "name", "price_upfront", "price_unlock", "price_clock_hour", "minimum_payment"];
  const perMajor = rational(10n ** BigInt(decimalsOf(currency)));
  return readTable(text, { file: "groups.csv", columns }).map((row) => ({
    id: row["id"] ?? "",
    name: row["name"] ?? "",
    terms: {
      currency,
      depositMinor: parseMoney(row["price_upfront"] ?? "", currency).minor,
      depositBuysTime: true,
      totalMinor: parseMoney(row["price_unlock"] ?? "", currency).minor,
      price: multiply(parseRational(row["price_clock_hour"] ?? ""), perMajor),
      priceSeconds: 3600,
      minimumPaymentMinor: parseMoney(row["minimum_payment"] ?? "", currency).minor,
      freeSeconds: 0,
      instalmentDays: 7,
      graceDays: 0,
    },
  }));
}

export function parseAccounts(text: string): readonly BookAccount[] {
  const columns = ["id", "group_id", "registration_date", "is_written_off"];
  return readTable(text, { file: "accounts.csv", columns }).map((row) => ({
    id: row["id"] ?? "",
    groupId: row["group_id"] ?? "",
    registeredAt: parseBookInstant(row["registration_date"] ?? ""),
    isWrittenOff: row["is_written_off"] === "true",
  }));
}
