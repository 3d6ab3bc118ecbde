import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidInput } from "../../src/kernel/refusal.ts";
import {
  dictateAccountNumber,
  formatAccountNumber,
  makeAccountNumber,
  parseAccountNumber,
} from "../../src/credit/account-number.ts";

const serials = fc.bigInt({ min: 1_000n, max: 99_999_999n });

describe("typing slips", () => {
  test("every single wrong digit of a thousand numbers is refused", () => {
    for (let serial = 1_000n; serial < 2_000n; serial++) {
      const number = makeAccountNumber(serial);
      for (let at = 0; at < number.length; at++) {
        for (let digit = 0; digit <= 9; digit++) {
          const slip = `${number.slice(0, at)}${digit}${number.slice(at + 1)}`;
          expect(parseAccountNumber(slip)).toBe(slip === number ? number : undefined);
        }
      }
    }
  });

  test("every swap of neighbours is refused", () => {
    fc.assert(
      fc.property(serials, (serial) => {
        const number = makeAccountNumber(serial);
        const places = [...number]
          .map((_digit, at) => at)
          .filter((at) => number[at] !== (number[at + 1] ?? number[at]));
        const swaps = places.map(
          (at) => number.slice(0, at) + (number[at + 1] ?? "") + (number[at] ?? "") + number.slice(at + 2),
        );
        expect(swaps.map(parseAccountNumber)).toEqual(swaps.map(() => undefined));
      }),
    );
  });
});

describe("people's ways of writing one number", () => {
  test("case, spaces, hyphens, the letter O for 0 and I or L for 1 do not matter (case 8)", () => {
    // 1_023 is chosen because its number has both a 1 and a 0, as the letters need.
    const number = makeAccountNumber(1_023n);
    const lettered = number.replace("0", "O").replace("1", "I");
    const small = number.replace("0", "o").replace("1", "l");
    const typed = [
      number,
      `PG-${number}`,
      `pg-${number} `,
      ` pg-${number.replace("0", "O")} `,
      `pg ${lettered}`,
      `Pg${small}`,
      `P G - ${number}`,
      `pg_${lettered}`,
      `PG: ${number}.`,
      [...number].join(" "),
      `\u00a0PG\u200a${number}`,
      [...number].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join(""),
    ];
    for (const text of typed) expect([text, parseAccountNumber(text)]).toEqual([text, number]);
  });

  test("any mixture of those is the same number", () => {
    const spellings: Record<string, readonly string[]> = { "0": ["0", "O", "o"], "1": ["1", "I", "i", "l", "L"] };
    fc.assert(
      fc.property(
        serials,
        fc.constantFrom("", "PG", "pg-", " Pg ", "PG_"),
        fc.infiniteStream(fc.nat()),
        (serial, prefix, choices) => {
          const number = makeAccountNumber(serial);
          const typed = [...number].map((digit) => {
            const ways = spellings[digit] ?? [digit];
            const choice = Number(choices.next().value);
            return (ways[choice % ways.length] ?? digit) + (choice % 5 === 0 ? " " : "");
          });
          expect(parseAccountNumber(prefix + typed.join(""))).toBe(number);
        },
      ),
    );
  });

  test.each([
    "",
    "PG",
    "PG-",
    "123",
    "PG-1234567890",
    "PG-12S45",
    "10234x",
    "XX-10230",
    "½½½½",
    "'; drop table",
    "PG-PG-10230",
    "-10230e1",
  ])("%j names no account", (text) => {
    expect(parseAccountNumber(text)).toBeUndefined();
  });

  test("any text at all is a whole number with its check digit, or nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
        const parsed = parseAccountNumber(text);
        expect(parsed === undefined || (/^\d{4,9}$/.test(parsed) && parseAccountNumber(parsed) === parsed)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

test("what is printed is read back, fits an STK push and can be dictated", () => {
  fc.assert(
    fc.property(serials, (serial) => {
      const number = makeAccountNumber(serial);
      expect(parseAccountNumber(formatAccountNumber(number))).toBe(number);
      expect(formatAccountNumber(number).length).toBeLessThanOrEqual(12);
      expect(parseAccountNumber(dictateAccountNumber(number))).toBe(number);
    }),
  );
  expect(dictateAccountNumber(makeAccountNumber(1_023n))).toMatch(/^PG, \d{2}, \d{3}$/);
});

test("a serial that would make too short or too long a number is refused", () => {
  for (const serial of [-1n, 1n, 99n, 100_000_000n]) expect(() => makeAccountNumber(serial)).toThrow(InvalidInput);
});
