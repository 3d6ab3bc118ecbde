import { AMOUNT_MINOR_MAX, isCurrency, parseMoney } from "../../kernel/money.ts";
import { InvalidInput } from "../../kernel/refusal.ts";

/** An amount as people type it: "1,000", "Ksh 50", "50/=", "50.50"; undefined where it is none, or none that can be paid. */
export function readAmount(said: string, currency: string): bigint | undefined {
  if (!isCurrency(currency)) return undefined;
  const plain = said
    .replace(/[,\s']/g, "")
    .replace(/^[A-Za-z.]{1,4}(?=\d)/, "")
    .replace(/(\/[=-]|[A-Za-z]{1,4})$/, "");
  try {
    const { minor } = parseMoney(plain, currency);
    return minor > 0n && minor <= AMOUNT_MINOR_MAX ? minor : undefined;
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
