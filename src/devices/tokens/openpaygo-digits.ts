/** How token numbers are written for a person to type: decimal digits, or only the digits 1 to 4. */
import { TOKEN_DIGITS } from "./openpaygo-chain.ts";
import type { TokenForm } from "./openpaygo-chain.ts";

/** Length of a token on a keypad that has only the digits 1..4: two bits to the digit. */
export const RESTRICTED_DIGITS: Readonly<Record<TokenForm, number>> = { standard: 15, extended: 20 };

/** A token as typed, understood as a number. */
export type TypedToken = { readonly form: TokenForm; readonly number: number };

/**
 * Writes a token number (below 10^9, extended below 10^12) with the digits 1..4: its 30 (40) bits from the highest,
 * two by two, each pair plus one.
 */
export function toRestrictedDigits(number: number, form: TokenForm): string {
  let text = "";
  let rest = number;
  for (let digit = 0; digit < RESTRICTED_DIGITS[form]; digit++) {
    text = String((rest % 4) + 1) + text;
    rest = Math.floor(rest / 4);
  }
  return text;
}

/** Reads 15 or 20 digits 1..4 back to the number. `undefined` for any other text, or a number that is no token. */
export function parseRestrictedDigits(text: string): TypedToken | undefined {
  if (!/^[1-4]+$/.test(text)) return undefined;
  const form = formOfLength(text.length);
  if (form === undefined) return undefined;
  let number = 0;
  for (const digit of text) number = number * 4 + (Number(digit) - 1);
  return number < 10 ** TOKEN_DIGITS[form] ? { form, number } : undefined;
}

/** Writes a token number with all its leading zeros, in the digits the device's keypad has. */
export function writeToken(number: number, form: TokenForm, restricted: boolean): string {
  return restricted ? toRestrictedDigits(number, form) : String(number).padStart(TOKEN_DIGITS[form], "0");
}

/**
 * Reads what was typed on a device. On a full keypad leading zeros may be missing, since people drop them: up to 9
 * digits are a standard token and 10 to 12 an extended one. On a restricted keypad the length must be exactly 15 or
 * 20. `undefined` when the text cannot be a token.
 */
export function parseTypedToken(text: string, restricted: boolean): TypedToken | undefined {
  if (restricted) return parseRestrictedDigits(text);
  if (!/^[0-9]{1,12}$/.test(text)) return undefined;
  return { form: text.length <= TOKEN_DIGITS.standard ? "standard" : "extended", number: Number(text) };
}

function formOfLength(length: number): TokenForm | undefined {
  if (length === RESTRICTED_DIGITS.standard) return "standard";
  return length === RESTRICTED_DIGITS.extended ? "extended" : undefined;
}
