import { countSeptets } from "../kernel/gsm7.ts";

/** What a message costs, exactly: gateways charge parts of a cent, so it is no `Money`. */
export interface Cost {
  /** A plain decimal in whole units of the currency, such as "0.8000". */
  readonly amount: string;
  /** ISO 4217; a gateway may charge in one that no customer pays in. */
  readonly currency: string;
}

/** Reads what a gateway writes, such as "KES 0.8000"; undefined where it is something else, which is kept as text only. */
export function parseCost(text: string): Cost | undefined {
  const [, currency, amount] = /^([A-Z]{3}) ?(\d{1,12}(?:\.\d{1,8})?)$/.exec(text.trim()) ?? [];
  return currency === undefined || amount === undefined ? undefined : { amount, currency };
}

/** A decimal as a fraction of ten to the eighth, which holds every amount that `parseCost` reads. */
function scaled(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.padEnd(SCALE, "0"));
}

const SCALE = 8;

/** The cost of so many at the price of one; zeros at the end are not written. */
export function times({ amount, currency }: Cost, count: number): Cost {
  const digits = (scaled(amount) * BigInt(count)).toString().padStart(SCALE + 1, "0");
  const fraction = digits.slice(-SCALE).replace(/0+$/, "");
  return { amount: digits.slice(0, -SCALE) + (fraction === "" ? "" : `.${fraction}`), currency };
}

const SEPTETS = { alone: 160, part: 153 };
const LETTERS = { alone: 70, part: 67 };

/** How many parts of an SMS a text takes. A part of several is shorter, since it carries its number. */
export function countParts(text: string): number {
  const septets = countSeptets(text);
  const { alone, part } = septets === undefined ? LETTERS : SEPTETS;
  const length = septets ?? text.length;
  return length <= alone ? 1 : Math.ceil(length / part);
}
