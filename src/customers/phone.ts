import { createHash } from "node:crypto";
import { isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { InvalidInput } from "../kernel/refusal.ts";

/** A phone number as the networks write it: plus, country, number. */
export type E164 = `+${string}`;

/** Reads a number as people and providers write it. `country` is where a number without prefix is from ("KE"). */
export function parsePhone(text: string, country: string): E164 {
  if (!isSupportedCountry(country)) throw new InvalidInput("A country is two capital letters, such as UG.", "country");
  const digitsOnly = /^[1-9]\d{9,14}$/.test(text) ? `+${text}` : text;
  // The whole text is the number or nothing is: a number found inside a sentence may be another one's.
  const options = { defaultCountry: country, extract: false };
  const parsed = parsePhoneNumberFromString(digitsOnly, options);
  const local = parsed?.isValid() === true ? parsed : parsePhoneNumberFromString(text, options);
  if (local === undefined || !local.isValid()) {
    throw new InvalidInput("That is not a phone number. Write it with the country, such as +254712345678.", "phone");
  }
  return local.number as E164;
}

/** The country that a number belongs to, as ISO 3166 alpha-2; undefined where several share the prefix and the number does not tell. */
export function countryOf(phone: E164): string | undefined {
  return parsePhoneNumberFromString(phone, { extract: false })?.country;
}

/** How M-Pesa's version 1 callbacks name a payer: SHA-256 of the digits without plus. Personal data: a fast machine inverts it in minutes. */
export function hashPhone(phone: E164): Uint8Array {
  return createHash("sha256").update(phone.slice(1)).digest();
}
