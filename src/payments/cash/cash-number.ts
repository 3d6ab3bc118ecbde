import { checkDigit } from "../../kernel/check-digit.ts";
import { InvalidInput } from "../../kernel/refusal.ts";

declare const brand: unique symbol;
/** The number on an agent's cash receipt, such as "C101-75": agent's code, running number, check digit. */
export type CashReceiptNumber = string & { readonly [brand]: "CashReceiptNumber" };

/** Numbers that one agent can ever be given. */
export const SEQUENCE_MAX = 99_999_999;

/** Writes the n-th number of the agent with this code. */
export function makeCashReceiptNumber({ code, sequence }: { code: number; sequence: number }): CashReceiptNumber {
  if (sequence < 1 || sequence > SEQUENCE_MAX) throw new Error(`Bug: receipt sequence ${sequence} is out of range.`);
  return `C${code}-${sequence}${checkDigit(`${code}${sequence}`)}` as CashReceiptNumber;
}

/**
 * Reads a number as it was printed or typed, in any case and with spaces. Throws `InvalidInput` for another form and for a
 * check digit that does not pass: a slip must not use up another customer's receipt.
 */
export function parseCashReceiptNumber(text: string): { number: CashReceiptNumber; code: number; sequence: number } {
  const plain = text.normalize("NFKC").toUpperCase().replace(/\s/g, "");
  const match = /^C([1-9]\d{0,8})-([1-9]\d{0,7})(\d)$/.exec(plain);
  if (match === null)
    throw new InvalidInput("That is not a receipt number. Expected a form such as C101-15.", "receiptNumber");
  const [code, sequence] = [Number(match[1]), Number(match[2])];
  const number = makeCashReceiptNumber({ code, sequence });
  if (number !== plain)
    throw new InvalidInput("The check digit of this receipt number is wrong. Look for a slip.", "receiptNumber");
  return { number, code, sequence };
}
