import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decimalsOf, formatDecimal, formatMoney, money, parseCurrency, parseMoney } from "../../src/kernel/money.ts";
import type { Currency } from "../../src/kernel/money.ts";
import { InvalidInput } from "../../src/kernel/refusal.ts";

const CURRENCIES = ["KES", "UGX", "TZS", "RWF", "NGN", "GHS", "ZMW", "XOF", "XAF", "USD"] as const;
const currencies = fc.constantFrom<Currency>(...CURRENCIES);

describe("reading amounts", () => {
  test("a whole number, one decimal and two decimals are the same money where a currency has cents", () => {
    for (const text of ["50", "50.0", "50.00", "050", "50.000000000"]) {
      expect(parseMoney(text, "KES")).toEqual({ minor: 5_000n, currency: "KES" });
    }
    expect(parseMoney("50.5", "KES").minor).toBe(5_050n);
    expect(parseMoney("0.01", "NGN").minor).toBe(1n);
  });

  test("a currency without cents takes only zeros behind the point", () => {
    expect(parseMoney("2500", "UGX").minor).toBe(2_500n);
    expect(parseMoney("2500.00", "RWF").minor).toBe(2_500n);
    expect(() => parseMoney("2500.50", "XOF")).toThrow(InvalidInput);
    expect([decimalsOf("UGX"), decimalsOf("XOF"), decimalsOf("RWF"), decimalsOf("KES"), decimalsOf("ZMW")]).toEqual([
      0, 0, 0, 2, 2,
    ]);
  });

  test("three decimals are refused rather than rounded", () => {
    expect(() => parseMoney("50.005", "KES")).toThrow(/more than 2 decimals/);
  });

  test.each([
    "",
    " ",
    "-1",
    "+1",
    "1e3",
    "1E3",
    "0x10",
    "1,000",
    "1 000",
    ".5",
    "5.",
    "1.2.3",
    "NaN",
    "Infinity",
    "50 KES",
    "٥٠",
    "５０",
    "5\n",
    "1".repeat(16),
    `1.${"0".repeat(10)}`,
  ])("%j is no amount", (text) => {
    expect(() => parseMoney(text, "KES")).toThrow(InvalidInput);
  });

  test("an unknown currency is refused with the known ones", () => {
    expect(parseCurrency("KES")).toBe("KES");
    for (const code of ["kes", "ZZZ", "toString", "__proto__", ""])
      expect(() => parseCurrency(code)).toThrow(/Known: KES/);
  });
});

describe("writing amounts", () => {
  test("a provider reads a plain decimal, a person a grouped one without needless zeros", () => {
    expect(formatDecimal(money(5n, "KES"))).toBe("0.05");
    expect(formatDecimal(money(-5_000n, "KES"))).toBe("-50.00");
    expect(formatDecimal(money(2_500n, "UGX"))).toBe("2500");
    expect(formatMoney(money(125_000n, "KES"))).toBe("KES 1,250");
    expect(formatMoney(money(125_050n, "KES"))).toBe("KES 1,250.50");
    expect(formatMoney(money(1_234_567n, "UGX"))).toBe("UGX 1,234,567");
    expect(formatMoney(money(0n, "KES"))).toBe("KES 0");
  });

  test("what is written is read back as the same money, in every currency", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n - 1n }), currencies, (minor, currency) => {
        expect(parseMoney(formatDecimal({ minor, currency }), currency)).toEqual({ minor, currency });
      }),
    );
  });

  test("whatever text is read, it is exact or refused: writing it again changes only zeros", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\d{1,9}(\.\d{1,4})?$/), currencies, (text, currency) => {
        const lost = (text.split(".")[1] ?? "").slice(decimalsOf(currency));
        fc.pre(!/[1-9]/.test(lost));
        expect(Number(formatDecimal(parseMoney(text, currency)))).toBe(Number(text));
      }),
    );
  });
});
