import { AMOUNT_MINOR_MAX, parseMoney, type Currency } from "../../../kernel/money.ts";
import { InvalidInput } from "../../../kernel/refusal.ts";

/** How a file writes numbers: "10,000.00", "1.234,56" and "1 234,56" are all in use. `""`: no thousands mark. */
export interface NumberMarks {
  readonly decimalMark: "." | ",";
  readonly thousandsMark: "" | "," | "." | " " | "'";
}

// Non-breaking and narrow spaces and typographic signs come from spreadsheets of other languages.
const SPACES = /[\u00a0\u2007\u2009\u202f]/g;
const MINUS_SIGNS = /[\u2212\u2013]/g;

/**
 * Reads an amount with its sign; undefined for an empty cell or a lone dash. Accepts "-50", "50-", "(50)", "50 DR" and
 * the currency's code beside the figure. A thousands mark must stand before groups of three, so that a file whose marks
 * were mistaken is refused instead of booked a hundredfold. Throws InvalidInput.
 */
export function parseAmount(
  text: string,
  { currency, ...marks }: NumberMarks & { currency: Currency },
): bigint | undefined {
  let rest = text.replace(SPACES, " ").replace(MINUS_SIGNS, "-").trim();
  if (rest === "" || rest === "-") return undefined;
  const refused = new InvalidInput(
    `"${text.trim().slice(0, 40)}" is not an amount with "${marks.decimalMark}" before the decimals and ${
      marks.thousandsMark === "" ? "no mark" : `"${marks.thousandsMark}"`
    } between thousands.`,
  );
  let isNegative = false;
  const take = (pattern: RegExp, negates: boolean): void => {
    const match = pattern.exec(rest);
    if (match?.[1] === undefined) return;
    rest = match[1].trim();
    if (negates) isNegative = !isNegative;
  };
  take(/^(.*\d.*?)\s*CR\.?$/i, false);
  take(/^(.*\d.*?)\s*DR\.?$/i, true);
  take(/^\((.*)\)$/, true);
  take(new RegExp(`^${currency}\\s*(.*)$`, "i"), false);
  take(new RegExp(`^(.*?)\\s*${currency}$`, "i"), false);
  take(/^-(.*)$/, true);
  take(/^(.*)-$/, true);
  take(/^\+(.*)$/, false);
  const parts = rest.split(marks.decimalMark);
  const whole = wholePart(parts[0] ?? "", marks.thousandsMark);
  if (whole === undefined || parts.length > 2 || (parts.length === 2 && !/^\d+$/.test(parts[1] ?? ""))) throw refused;
  const { minor } = parseMoney(parts.length === 2 ? `${whole}.${parts[1]}` : whole, currency);
  if (minor > AMOUNT_MINOR_MAX)
    throw new InvalidInput(`"${text.trim().slice(0, 40)}" is more than any rail moves at once.`);
  return isNegative ? -minor : minor;
}

function wholePart(text: string, mark: NumberMarks["thousandsMark"]): string | undefined {
  if (/^\d+$/.test(text)) return text;
  const groups = mark === "" ? [] : text.split(mark);
  const [first = "", ...others] = groups;
  if (others.length === 0 || !/^\d{1,3}$/.test(first) || !others.every((group) => /^\d{3}$/.test(group)))
    return undefined;
  return groups.join("");
}
