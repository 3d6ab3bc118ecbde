import fc from "fast-check";
import { expect, test } from "vitest";
import { makeCashReceiptNumber, parseCashReceiptNumber } from "../../../src/payments/cash/cash-number.ts";

const numbers = fc
  .record({ code: fc.integer({ min: 101, max: 99_999 }), sequence: fc.integer({ min: 1, max: 99_999_999 }) })
  .map((parts) => ({ ...parts, number: makeCashReceiptNumber(parts) }));

test("a receipt number is read back as it was written, in any case and with spaces", () => {
  expect(makeCashReceiptNumber({ code: 101, sequence: 1 })).toMatch(/^C101-1\d$/);
  fc.assert(
    fc.property(numbers, ({ number, code, sequence }) => {
      expect(parseCashReceiptNumber(` ${number.toLowerCase().replace("-", " - ")} `)).toEqual({
        number,
        code,
        sequence,
      });
    }),
  );
});

test("one wrong digit, or two neighbours exchanged, is never another receipt", () => {
  fc.assert(
    fc.property(numbers, fc.nat(), fc.integer({ min: 1, max: 9 }), ({ number }, place, by) => {
      const digits = [...number].flatMap((letter, at) => (/\d/.test(letter) ? [at] : []));
      const at = digits[place % digits.length] ?? 0;
      const wrong = `${number.slice(0, at)}${(Number(number[at]) + by) % 10}${number.slice(at + 1)}`;
      expect(() => parseCashReceiptNumber(wrong)).toThrow(/receipt number/);
      const [left = "", right = ""] = [number[at], number[at + 1]];
      if (left === right || !/^\d$/.test(right)) return;
      const swapped = `${number.slice(0, at)}${right}${left}${number.slice(at + 2)}`;
      expect(() => parseCashReceiptNumber(swapped)).toThrow(/receipt number/);
    }),
  );
});

test.each(["", "C", "101-15", "C101", "C0-15", "C101-05", "C101-1", "D101-15", "C101-15; drop", "C101-1234567890"])(
  "%j is no receipt number",
  (text) => {
    expect(() => parseCashReceiptNumber(text)).toThrow(/receipt number/);
  },
);
