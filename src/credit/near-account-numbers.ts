import { ACCOUNT_PREFIX, parseAccountNumber, type AccountNumber } from "./account-number.ts";

/** The slip that turns an account number into what was typed. */
export type Slip =
  "one_digit_wrong" | "two_digits_swapped" | "letter_for_digit" | "digit_missing" | "digit_too_many" | "other_words";

export interface NearNumber {
  readonly number: AccountNumber;
  readonly slip: Slip;
}

/** Longer than any account number with some words; the rest of a longer text is not looked at. */
const TEXT_CHARACTERS_MAX = 40;
const RUNS_MAX = 3;
/** Letters that are taken for digits on a screen or a printed contract. O, I and L are read as digits already. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  S: "5",
  B: "8",
  Z: "2",
  G: "6",
  Q: "0",
  D: "0",
  A: "4",
  T: "7",
};
const DIGITS = "0123456789";

/**
 * Account numbers that are one slip away from what somebody typed and whose check digit passes; some dozens at most. They are
 * guesses for a person to judge: the check digit says that a number may exist, not that it was meant.
 */
export function nearAccountNumbers(text: string): readonly NearNumber[] {
  if (parseAccountNumber(text) !== undefined) return [];
  const upper = text.slice(0, TEXT_CHARACTERS_MAX).normalize("NFKC").toUpperCase();
  const plain = upper.replace(/[\s\-_.,#:/]/g, "");
  const body = (plain.startsWith(ACCOUNT_PREFIX) ? plain.slice(ACCOUNT_PREFIX.length) : plain)
    .replace(/O/g, "0")
    .replace(/[IL]/g, "1");
  const guesses = new Map<AccountNumber, Slip>();
  const add = (digits: string, slip: Slip): void => {
    const number = parseAccountNumber(digits);
    if (number !== undefined && !guesses.has(number)) guesses.set(number, slip);
  };
  if (/^\d+$/.test(body)) for (const { digits, slip } of oneSlipAway(body)) add(digits, slip);
  else {
    const letters = body.match(/[A-Z]/g) ?? [];
    const [letter = ""] = letters;
    if (letters.length === 1) add(body.replace(letter, LOOK_ALIKES[letter] ?? letter), "letter_for_digit");
    for (const run of (upper.match(/\d{4,}/g) ?? []).slice(0, RUNS_MAX)) add(run, "other_words");
  }
  return [...guesses].map(([number, slip]) => ({ number, slip }));
}

function* oneSlipAway(digits: string): Generator<{ digits: string; slip: Slip }> {
  for (let at = 0; at + 1 < digits.length; at++)
    yield {
      digits: digits.slice(0, at) + (digits[at + 1] ?? "") + (digits[at] ?? "") + digits.slice(at + 2),
      slip: "two_digits_swapped",
    };
  for (let at = 0; at < digits.length; at++)
    for (const other of DIGITS)
      yield { digits: digits.slice(0, at) + other + digits.slice(at + 1), slip: "one_digit_wrong" };
  for (let at = 0; at <= digits.length; at++)
    for (const other of DIGITS) yield { digits: digits.slice(0, at) + other + digits.slice(at), slip: "digit_missing" };
  for (let at = 0; at < digits.length; at++)
    yield { digits: digits.slice(0, at) + digits.slice(at + 1), slip: "digit_too_many" };
}
