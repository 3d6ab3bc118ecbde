/** The server's side: turns an order for time into the digits a customer types, and says which count to store. */
import { advance, chainOrigin, maskValue, tokenOf } from "./openpaygo-chain.ts";
import type { TokenChains, TokenForm } from "./openpaygo-chain.ts";
import { COUNT_MAX, TIME_DIVIDER_MAX, isWholeWithin, refuse } from "./openpaygo-device.ts";
import type { Refused, TokenDevice, TokenType } from "./openpaygo-device.ts";
import { writeToken } from "./openpaygo-digits.ts";

/** Most units one token carries. 996 and 997 are reserved, 998 and 999 mean something else. */
export const VALUE_MAX: Readonly<Record<TokenForm, number>> = { standard: 995, extended: 999_999 };
export const DISABLE_VALUE = 998;
export const COUNTER_SYNC_VALUE = 999;

/** What to issue. `count` is the device's count before this token, as the server stored it last. */
export type TokenOrder =
  | {
      readonly type: "ADD_TIME" | "SET_TIME";
      readonly count: number;
      /** Whole units of 1/timeDivider day, 0..995 (extended 0..999999); see `unitsFromDays`. */
      readonly units: number;
      /** Twelve digits whose value the manufacturer gives a meaning. */
      readonly extended?: boolean | undefined;
    }
  | {
      readonly type: "DISABLE_PAYG" | "COUNTER_SYNC";
      readonly count: number;
      readonly extended?: boolean | undefined;
    };

export type IssuedToken = {
  readonly ok: true;
  /** The digits to send, leading zeros included. */
  readonly token: string;
  readonly type: TokenType;
  /** The number inside the token: the units, 998 for a disable, 999 for a counter synchronisation. */
  readonly value: number;
  /** The token's own count. Store it in the same transaction as the token: it is the `count` of the next order. */
  readonly count: number;
};

/**
 * Issues one token. The same order always gives the same token, so a crash between storing and sending repeats it.
 *
 * Cost: one hash (some 60 ns) per count, or fewer with `chains`. Refuses a count outside 0..100000, a value that does
 * not fit or is not whole, and an extended disable or synchronisation, which a device could not tell from the values
 * 998 and 999. A count whose token happens to equal the device's test code is skipped.
 */
export function issueToken(device: TokenDevice, order: TokenOrder, chains?: TokenChains): IssuedToken | Refused {
  const form: TokenForm = order.extended === true ? "extended" : "standard";
  const value = valueOf(order);
  if (value === undefined) {
    return refuse("TYPE_NOT_EXTENDED", `A device cannot recognise ${order.type} in an extended token.`);
  }
  if ("units" in order && !isWholeWithin(order.units, 0, VALUE_MAX[form])) {
    return refuse("VALUE_OUT_OF_RANGE", `A token carries a whole number of units from 0 to ${VALUE_MAX[form]}.`);
  }
  if (!isWholeWithin(order.count, 0, COUNT_MAX)) return countRefused();
  const base = maskValue(device, form, value);
  const start = { device, form, base };
  let count = nextCount(order.type, order.count);
  while (count <= COUNT_MAX) {
    const output = chains === undefined ? advance(start, chainOrigin(start), count) : chains.outputAt(start, count);
    const token = writeToken(tokenOf(form, output, base), form, device.restrictedDigits);
    if (token !== device.testCode) return { ok: true, token, type: order.type, value, count };
    count = nextCount(order.type, count);
  }
  return countRefused();
}

/**
 * The count the next token of a type gets. ADD_TIME lives on even counts and everything else on odd ones, which is
 * how a device tells the types apart.
 */
export function nextCount(type: TokenType, count: number): number {
  const next = count + 1;
  const isEven = next % 2 === 0;
  return isEven === (type === "ADD_TIME") ? next : next + 1;
}

/** A whole number of days, or an exact fraction such as 12 hours: `{ numerator: 12, denominator: 24 }`. */
export type ExactDays = number | { readonly numerator: number; readonly denominator: number };

/**
 * Converts days to token units of 1/timeDivider day. Refuses (DAYS_NOT_EXACT) what is not a whole number of units:
 * rounding a float here would give or take paid time, and the public libraries do not even round the same way.
 * Whether the units fit into one token is for `issueToken` to say.
 */
export function unitsFromDays(
  days: ExactDays,
  timeDivider: number,
): { readonly ok: true; readonly units: number } | Refused {
  if (!isWholeWithin(timeDivider, 1, TIME_DIVIDER_MAX)) {
    return refuse("TIME_DIVIDER_INVALID", "A time divider is a whole number from 1 to 255.");
  }
  const { numerator, denominator } = typeof days === "number" ? { numerator: days, denominator: 1 } : days;
  const scaled = numerator * timeDivider;
  if (!Number.isSafeInteger(numerator) || !Number.isSafeInteger(denominator) || !Number.isSafeInteger(scaled)) {
    return refuse("DAYS_NOT_EXACT", "Days are given as whole numbers or as a fraction of whole numbers.");
  }
  if (numerator < 0 || denominator < 1) return refuse("VALUE_OUT_OF_RANGE", "Days are never negative.");
  if (scaled % denominator !== 0) {
    return refuse("DAYS_NOT_EXACT", `These days are not a whole number of units of 1/${timeDivider} day.`);
  }
  return { ok: true, units: scaled / denominator };
}

/** The number to put into the token, or `undefined` when the form cannot carry the type. */
function valueOf(order: TokenOrder): number | undefined {
  switch (order.type) {
    case "ADD_TIME":
    case "SET_TIME":
      return order.units;
    case "DISABLE_PAYG":
      return order.extended === true ? undefined : DISABLE_VALUE;
    case "COUNTER_SYNC":
      return order.extended === true ? undefined : COUNTER_SYNC_VALUE;
  }
}

function countRefused(): Refused {
  return refuse("COUNT_OUT_OF_RANGE", `A count is a whole number from 0 to ${COUNT_MAX}.`);
}
