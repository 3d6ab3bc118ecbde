import { InvalidInput } from "./refusal.ts";

/** ISO 4217 codes of the currencies that off-grid sellers are paid in, with the decimals their rails really use. */
const DECIMALS = {
  KES: 2,
  UGX: 0,
  TZS: 2,
  RWF: 0,
  NGN: 2,
  GHS: 2,
  ZMW: 2,
  MWK: 2,
  ETB: 2,
  XOF: 0,
  XAF: 0,
  SLE: 2,
  MZN: 2,
  CDF: 2,
  BIF: 0,
  USD: 2,
  EUR: 2,
} as const;

export type Currency = keyof typeof DECIMALS;

/** An amount in whole minor units (cents, or whole shillings where a currency has no decimals). Never a float. */
export interface Money {
  readonly minor: bigint;
  readonly currency: Currency;
}

/** No rail moves more than this in one go; a larger figure is a parsing mistake or an attack. */
export const AMOUNT_MINOR_MAX = 100_000_000_000n;

export const CURRENCIES: readonly Currency[] = Object.keys(DECIMALS).filter(isCurrency);

export function isCurrency(code: string): code is Currency {
  return Object.hasOwn(DECIMALS, code);
}

export function parseCurrency(code: string): Currency {
  if (!isCurrency(code))
    throw new InvalidInput(`Unknown currency "${code}". Known: ${Object.keys(DECIMALS).join(", ")}.`);
  return code;
}

/** How many decimals the currency is written with. */
export function decimalsOf(currency: Currency): number {
  return DECIMALS[currency];
}

export function money(minor: bigint, currency: Currency): Money {
  return { minor, currency };
}

export function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

/**
 * Reads a plain decimal such as "50", "50.5" or "50.00" exactly. More decimals than the currency has are accepted only
 * when they are zeros. Signs, exponents, separators and empty text are refused: a rail that sends them means trouble.
 */
export function parseMoney(text: string, currency: Currency): Money {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null)
    throw new InvalidInput(`"${text.slice(0, 40)}" is not an amount. Expected digits such as 50 or 50.00.`);
  const decimals = DECIMALS[currency];
  const fraction = match[2] ?? "";
  if (/[1-9]/.test(fraction.slice(decimals))) {
    throw new InvalidInput(`"${text}" has more than ${decimals} decimals, which ${currency} does not have.`);
  }
  const minor = BigInt((match[1] ?? "0") + fraction.slice(0, decimals).padEnd(decimals, "0"));
  return { minor, currency };
}

/** Writes an amount as a plain decimal for a provider or a file: 5000n KES becomes "50.00". */
export function formatDecimal({ minor, currency }: Money): string {
  const decimals = DECIMALS[currency];
  const sign = minor < 0n ? "-" : "";
  const digits = (minor < 0n ? -minor : minor).toString().padStart(decimals + 1, "0");
  return decimals === 0 ? sign + digits : `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** Writes an amount for a person's screen: "KES 1,250" or "KES 1,250.50"; whole amounts lose their zeros. */
export function formatMoney(amount: Money): string {
  const [whole = "0", fraction] = formatDecimal(amount).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${amount.currency} ${grouped}${fraction === undefined || /^0+$/.test(fraction) ? "" : `.${fraction}`}`;
}
