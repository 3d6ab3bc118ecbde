import fc from "fast-check";
import { expect, test } from "vitest";
import { ceilingOf, floorOf, multiply, parseRational, rational } from "../../src/kernel/rational.ts";
import { InvalidInput } from "../../src/kernel/refusal.ts";

const whole = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
const nonZero = whole.filter((value) => value !== 0n);

test("a rate with nine decimals is kept exactly", () => {
  expect(parseRational("5.654761905")).toEqual({ numerator: 1_130_952_381n, denominator: 200_000_000n });
  expect(parseRational(" 50 ")).toEqual({ numerator: 50n, denominator: 1n });
  expect(parseRational("0.5")).toEqual({ numerator: 1n, denominator: 2n });
});

test.each(["", "-1", "1e3", ".5", "1/2", "1,5", "Infinity", "0.1234567890123456789"])("%j is no rate", (text) => {
  expect(() => parseRational(text)).toThrow(InvalidInput);
});

test("a denominator of zero is refused", () => {
  expect(() => rational(1n, 0n)).toThrow(InvalidInput);
});

test("a fraction stands in lowest terms with a denominator above zero", () => {
  expect(rational(6n, -4n)).toEqual({ numerator: -3n, denominator: 2n });
  expect(rational(0n, 7n)).toEqual({ numerator: 0n, denominator: 1n });
  fc.assert(
    fc.property(whole, nonZero, nonZero, (numerator, denominator, factor) => {
      const value = rational(numerator, denominator);
      expect(rational(numerator * factor, denominator * factor)).toEqual(value);
      expect(value.denominator > 0n).toBe(true);
      expect(value.numerator * denominator).toBe(numerator * value.denominator);
    }),
  );
});

test("floor and ceiling enclose the fraction, also below zero", () => {
  expect([floorOf(rational(-7n, 2n)), ceilingOf(rational(-7n, 2n))]).toEqual([-4n, -3n]);
  expect([floorOf(rational(6n, 2n)), ceilingOf(rational(6n, 2n))]).toEqual([3n, 3n]);
  fc.assert(
    fc.property(whole, nonZero, (numerator, denominator) => {
      const value = rational(numerator, denominator);
      const [below, above] = [floorOf(value), ceilingOf(value)];
      expect(below * value.denominator <= value.numerator && value.numerator <= above * value.denominator).toBe(true);
      expect(above - below).toBe(value.denominator === 1n ? 0n : 1n);
    }),
  );
});

test("the order of a product does not matter", () => {
  fc.assert(
    fc.property(whole, nonZero, whole, nonZero, (a, b, c, d) => {
      expect(multiply(rational(a, b), rational(c, d))).toEqual(multiply(rational(c, d), rational(a, b)));
    }),
  );
});
