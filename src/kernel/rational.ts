import { InvalidInput } from "./refusal.ts";

/** An exact fraction, in lowest terms, with a denominator above zero. Prices are rationals, never floats. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

function commonDivisor(left: bigint, right: bigint): bigint {
  let [a, b] = [left < 0n ? -left : left, right < 0n ? -right : right];
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 0n) throw new InvalidInput("A rate cannot have a denominator of zero.");
  const divisor = commonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

/** Reads a decimal such as "5.654761905" exactly. Refuses signs, exponents and more than 18 decimals. */
export function parseRational(text: string): Rational {
  const match = /^(\d{1,15})(?:\.(\d{1,18}))?$/.exec(text.trim());
  if (match === null)
    throw new InvalidInput(`"${text.slice(0, 40)}" is not a rate. Expected digits such as 5.654761905.`);
  const fraction = match[2] ?? "";
  return rational(BigInt((match[1] ?? "0") + fraction), 10n ** BigInt(fraction.length));
}

export function multiply(left: Rational, right: Rational): Rational {
  return rational(left.numerator * right.numerator, left.denominator * right.denominator);
}

/** Largest whole number that is not above the fraction (rounds toward minus infinity). */
export function floorOf({ numerator, denominator }: Rational): bigint {
  const quotient = numerator / denominator;
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient;
}

/** Smallest whole number that is not below the fraction. */
export function ceilingOf(value: Rational): bigint {
  return -floorOf({ numerator: -value.numerator, denominator: value.denominator });
}
