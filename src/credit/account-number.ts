import { checkDigit } from "../kernel/check-digit.ts";
import { InvalidInput } from "../kernel/refusal.ts";

declare const brand: unique symbol;
/** Digits only, the last of them a check digit. Printed and dictated as "PG-10234". */
export type AccountNumber = string & { readonly [brand]: "AccountNumber" };

export const ACCOUNT_PREFIX = "PG";
const DIGITS_MIN = 4;
/** M-Pesa's STK push takes an account of at most twelve characters, prefix and hyphen included. */
const DIGITS_MAX = 9;

/** Makes the account number of the n-th contract by appending its check digit. */
export function makeAccountNumber(serial: bigint): AccountNumber {
  const digits = serial.toString();
  if (serial < 0n || digits.length + 1 < DIGITS_MIN || digits.length + 1 > DIGITS_MAX)
    throw new InvalidInput(`Account serial ${serial} is out of range.`);
  return `${digits}${checkDigit(digits)}` as AccountNumber;
}

/**
 * Reads an account number as people type it: any case, with or without the prefix, spaces or hyphens, the letter O for 0
 * and I or L for 1. Anything else, and anything whose check digit does not pass, is undefined: money is never matched by
 * likeness.
 */
export function parseAccountNumber(text: string): AccountNumber | undefined {
  const plain = text
    .normalize("NFKC")
    .toUpperCase()
    .replace(/[\s\-_.,#:/]/g, "");
  const digits = (plain.startsWith(ACCOUNT_PREFIX) ? plain.slice(ACCOUNT_PREFIX.length) : plain)
    .replace(/O/g, "0")
    .replace(/[IL]/g, "1");
  if (!/^\d+$/.test(digits) || digits.length < DIGITS_MIN || digits.length > DIGITS_MAX) return undefined;
  return checkDigit(digits) === 0 ? (digits as AccountNumber) : undefined;
}

/** How it is printed on the contract and in messages: "PG-10234". */
export function formatAccountNumber(number: AccountNumber): string {
  return `${ACCOUNT_PREFIX}-${number}`;
}

/** How it is dictated over the phone: the prefix, then groups of at most three digits: "PG, 10, 234". */
export function dictateAccountNumber(number: AccountNumber): string {
  return [ACCOUNT_PREFIX, ...number.replace(/\B(?=(\d{3})+$)/g, " ").split(" ")].join(", ");
}
