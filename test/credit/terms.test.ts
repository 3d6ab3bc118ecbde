import fc from "fast-check";
import { expect, test } from "vitest";
import { checkTerms, dayPriceMinor, millisBought, unitPrice, type Terms } from "../../src/credit/terms.ts";
import { parseRational, rational } from "../../src/kernel/rational.ts";
import { InvalidInput } from "../../src/kernel/refusal.ts";
import { HOURLY, RENT } from "./standing.ts";

test("a unit is the day's price divided by the lamp's time divider, exactly", () => {
  expect(unitPrice(RENT, 1)).toEqual(rational(5_000n));
  expect(unitPrice(RENT, 24)).toEqual(rational(5_000n, 24n));
  expect(unitPrice({ ...RENT, priceSeconds: 3_600 }, 24)).toEqual(rational(5_000n));
  expect(dayPriceMinor(HOURLY)).toBe(13_572n);
});

test("money buys time to the millisecond, and never more than it pays", () => {
  expect(millisBought(RENT, 5_000n)).toBe(86_400_000);
  expect(millisBought(HOURLY, 565n)).toBe(3_596_968);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10_000_000n }), (minor) => {
      const bought = BigInt(millisBought(HOURLY, minor));
      const { numerator, denominator } = HOURLY.price;
      expect(bought * numerator <= minor * denominator * 3_600_000n).toBe(true);
      expect((bought + 1n) * numerator > minor * denominator * 3_600_000n).toBe(true);
    }),
  );
});

test.each<[string, Partial<Terms>, string]>([
  ["a price of zero", { price: rational(0n) }, "price"],
  ["a negative price", { price: rational(-1n) }, "price"],
  ["a price finer than the database keeps", { price: parseRational("999999999999999.123456789012345678") }, "price"],
  ["a negative deposit", { depositMinor: -1n }, "deposit"],
  ["a total of zero", { totalMinor: 0n }, "total"],
  ["a total below its deposit", { totalMinor: 10n, depositMinor: 11n }, "total"],
  ["a negative minimum", { minimumPaymentMinor: -1n }, "minimumPayment"],
  ["negative free time", { freeSeconds: -1 }, "freeTime"],
  ["half a second of free time", { freeSeconds: 0.5 }, "freeTime"],
  ["free time for two years", { freeSeconds: 2 * 366 * 86_400 }, "freeTime"],
  ["instalments every zero days", { instalmentDays: 0 }, "instalmentDays"],
  ["instalments every NaN days", { instalmentDays: Number.NaN }, "instalmentDays"],
  ["negative grace", { graceDays: -1 }, "graceDays"],
])("terms with %s are refused, and the field is named", (_name, change, field) => {
  checkTerms(RENT);
  let refusal: unknown;
  try {
    checkTerms({ ...RENT, ...change });
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(InvalidInput);
  expect(refusal).toMatchObject({ field });
});
