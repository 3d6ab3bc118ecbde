/**
 * Minor units of one whole unit: 100 for KES, 1 for UGX. Asked of ICU's table and not of the program, so that a mistake
 * in the program's table shows.
 */
export function wholeMinorOf(currency: string): bigint {
  return 10n ** BigInt(decimalsOf(currency));
}

/** Reads a plain amount as a person types it, such as 150 or 150.50. */
export function parseAmount(text: string, currency: string): bigint | undefined {
  const decimals = decimalsOf(currency);
  const [, whole, fraction = ""] = /^(\d{1,12})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  if (whole === undefined || fraction.length > decimals) return undefined;
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

/** "150.00", as providers write it. */
export function formatDecimal(amountMinor: bigint, currency: string): string {
  const decimals = decimalsOf(currency);
  const digits = amountMinor.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  return decimals === 0 ? whole : `${whole}.${digits.slice(-decimals)}`;
}

/** "KES 150.00". */
export const formatAmount = (amountMinor: bigint, currency: string): string =>
  `${currency} ${formatDecimal(amountMinor, currency)}`;

const asked = new Map<string, number>();

function decimalsOf(currency: string): number {
  const known = asked.get(currency);
  if (known !== undefined) return known;
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  const decimals = format.resolvedOptions().maximumFractionDigits ?? 2;
  asked.set(currency, decimals);
  return decimals;
}
