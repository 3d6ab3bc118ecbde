/** Orange takes 30 characters for an order; a UUID has 36, and 32 without its dashes. */
export const ORDER_ID_MAX = 30;
const DIGITS = 25;

/** Our UUID as 25 letters and digits: the same number in base 36, so it can be read back. */
export function orderIdOf(correlation: string): string {
  const hex = correlation.replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new TypeError("A correlation is a UUID.");
  return BigInt(`0x${hex}`).toString(36).padStart(DIGITS, "0");
}
