import { isIP } from "node:net";
import { isSupportedCountry } from "libphonenumber-js/max";
import { parseCurrency, type Currency } from "./kernel/money.ts";

/** How single values of the environment are read: each throws what is wrong with its own. */

export function parseYes(text: string): boolean {
  if (text !== "yes" && text !== "no") throw new Error("yes or no is needed.");
  return text === "yes";
}

export function parseLimit(text: string): [Currency, bigint] {
  const [currency = "", minor = ""] = text.split(":");
  if (!/^\d{1,15}$/.test(minor)) throw new Error(`"${text}" is not a currency and an amount such as KES:500000.`);
  return [parseCurrency(currency), BigInt(minor)];
}

export function checkUrl(value: string, protocols: readonly string[]): string {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined || !protocols.includes(parsed.protocol))
    throw new Error(`a URL starting with ${protocols.map((protocol) => `${protocol}//`).join(" or ")} is needed.`);
  return value;
}

export function checkCountry(value: string): string {
  if (!isSupportedCountry(value)) throw new Error("a country's two capital letters are needed, such as KE.");
  return value;
}

export function parseSealingKey(value: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(value))
    throw new Error("64 hexadecimal digits are needed, such as from: openssl rand -hex 32");
  return Buffer.from(value, "hex");
}

export function checkShortcode(value: string): string {
  if (!/^\d{4,12}$/.test(value)) throw new Error(`"${value}" is not a paybill or till number of 4 to 12 digits.`);
  return value;
}

export function checkSource(value: string): string {
  const [, address = "", prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(value) ?? [];
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : -1;
  // A prefix that was left empty must not be read as 0, which is every address there is.
  if (bits < 0 || Number(prefix ?? 0) > bits)
    throw new Error(`"${value}" is not an address or a range such as 196.201.214.0/24.`);
  return value;
}

export function checkLevel(value: string): string {
  if (!["fatal", "error", "warn", "info", "debug", "silent"].includes(value))
    throw new Error("one of fatal, error, warn, info, debug, silent is needed.");
  return value;
}
