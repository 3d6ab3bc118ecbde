import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  COUNT_MAX,
  defaultStartingCode,
  issueToken,
  makeTokenChains,
  nextCount,
  parseKey,
  parseRestrictedDigits,
  parseTypedToken,
  prepareDevice,
  toRestrictedDigits,
  unitsFromDays,
} from "../../../src/devices/tokens/openpaygo.ts";
import type { TokenOrder } from "../../../src/devices/tokens/openpaygo.ts";
import { anyDevice, deviceOf, issueAll, issued, KEY_HEX, keyOf, SEEDED } from "./token-devices.ts";

const refusalOf = (answer: { ok: true } | { ok: false; refusal: { code: string } }) =>
  answer.ok ? "none" : answer.refusal.code;

describe("keys and parameters", () => {
  test("a key is 32 hexadecimal digits and nothing else", () => {
    const answer = parseKey(KEY_HEX.toUpperCase());
    expect(answer.ok && Buffer.from(answer.key).toString("hex")).toBe(KEY_HEX);
    for (const wrong of [
      "",
      KEY_HEX.slice(1),
      `${KEY_HEX}0`,
      ` ${KEY_HEX.slice(1)}`,
      `0x${KEY_HEX.slice(2)}`,
      `${KEY_HEX}\n`,
    ]) {
      expect(refusalOf(parseKey(wrong))).toBe("KEY_INVALID");
    }
  });

  test("a device without a starting code gets the one its key gives", () => {
    expect(defaultStartingCode(keyOf(KEY_HEX))).toBe(320_159_953);
    expect(deviceOf({ startingCode: undefined }).startingCode).toBe(320_159_953);
  });

  test("parameters that no device can have are refused", () => {
    const key = keyOf(KEY_HEX);
    expect(refusalOf(prepareDevice({ key: key.subarray(1) }))).toBe("KEY_INVALID");
    for (const startingCode of [-1, 1_000_000_000, 0.5, Number.NaN]) {
      expect(refusalOf(prepareDevice({ key, startingCode }))).toBe("STARTING_CODE_INVALID");
    }
    for (const timeDivider of [0, 256, 1.5]) {
      expect(refusalOf(prepareDevice({ key, timeDivider }))).toBe("TIME_DIVIDER_INVALID");
    }
    expect(refusalOf(prepareDevice({ key, testCode: "12 34" }))).toBe("TEST_CODE_INVALID");
  });

  test("a key changed after the device was prepared changes nothing", () => {
    const key = keyOf(KEY_HEX);
    const device = deviceOf({ key });
    key.fill(0);
    expect(issued(device, { type: "ADD_TIME", units: 30, count: 1 }).token).toBe("972093212");
  });
});

describe("issuing", () => {
  const facts: readonly { order: TokenOrder; count: number; token: string; restricted: string }[] = [
    { order: { type: "ADD_TIME", units: 30, count: 1 }, count: 2, token: "972093212", restricted: "432441144241241" },
    { order: { type: "ADD_TIME", units: 7, count: 2 }, count: 4, token: "962390189", restricted: "432224143313342" },
    { order: { type: "SET_TIME", units: 0, count: 4 }, count: 5, token: "128679182", restricted: "124333424421143" },
    { order: { type: "DISABLE_PAYG", count: 5 }, count: 7, token: "254872180", restricted: "144141211332421" },
    { order: { type: "COUNTER_SYNC", count: 8 }, count: 9, token: "583750181", restricted: "313413422131322" },
    {
      order: { type: "ADD_TIME", units: 123_456, count: 9, extended: true },
      count: 10,
      token: "948817951638",
      restricted: "42414332442144343223",
    },
  ];

  test.each(facts)("the same order always gives the same digits: $order.type $token", ({ order, ...fact }) => {
    expect(issued(deviceOf(), order)).toMatchObject({ token: fact.token, count: fact.count });
    expect(issued(deviceOf({ restrictedDigits: true }), order).token).toBe(fact.restricted);
  });

  test("time is added on even counts and everything else happens on odd ones", () => {
    expect(nextCount("ADD_TIME", 1)).toBe(2);
    expect(nextCount("ADD_TIME", 2)).toBe(4);
    expect(nextCount("SET_TIME", 2)).toBe(3);
    expect(nextCount("DISABLE_PAYG", 3)).toBe(5);
    expect(nextCount("COUNTER_SYNC", 0)).toBe(1);
  });

  test("a value that a token cannot carry is refused, not bent", () => {
    const device = deviceOf();
    for (const units of [-1, 996, 998, 999, 1_000, 0.5, Number.NaN]) {
      expect(refusalOf(issueToken(device, { type: "ADD_TIME", units, count: 1 }))).toBe("VALUE_OUT_OF_RANGE");
    }
    const extended = { type: "SET_TIME", units: 1_000_000, count: 1, extended: true } as const;
    expect(refusalOf(issueToken(device, extended))).toBe("VALUE_OUT_OF_RANGE");
  });

  test("an extended token that a device would misread is refused", () => {
    for (const type of ["DISABLE_PAYG", "COUNTER_SYNC"] as const) {
      expect(refusalOf(issueToken(deviceOf(), { type, count: 1, extended: true }))).toBe("TYPE_NOT_EXTENDED");
    }
  });

  test("a count out of bounds is refused before it costs anything", () => {
    for (const count of [-1, 0.5, Number.NaN, COUNT_MAX, COUNT_MAX + 1, 1e15]) {
      expect(refusalOf(issueToken(deviceOf(), { type: "ADD_TIME", units: 1, count }))).toBe("COUNT_OUT_OF_RANGE");
    }
  });

  test("a token that would equal the factory test code is never issued; the next count is used", () => {
    const order = { type: "ADD_TIME", units: 30, count: 1 } as const;
    const spared = issued(deviceOf({ testCode: "972093212" }), order);
    expect(spared).toEqual(issued(deviceOf(), { ...order, count: 2 }));
  });
});

describe("the memory of chains", () => {
  test("a token is the same with and without the memory, whatever was asked before", () => {
    const asks = fc.array(
      fc.record({ type: fc.constantFrom("ADD_TIME", "SET_TIME"), units: fc.nat(3), count: fc.nat(40) }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(anyDevice, asks, fc.integer({ min: 0, max: 3 }), (device, orders, chainsMax) => {
        const chains = makeTokenChains({ chainsMax });
        for (const order of orders) {
          expect(issued(device, order, chains)).toEqual(issued(device, order));
          expect(chains.size()).toBeLessThanOrEqual(chainsMax);
        }
      }),
      SEEDED,
    );
  });

  test("devices that share a key but not a starting code never share a chain", () => {
    const chains = makeTokenChains({ chainsMax: 10 });
    const order = { type: "ADD_TIME", units: 30, count: 5 } as const;
    for (const startingCode of [182, 1_182, 271_828_182]) {
      const device = deviceOf({ startingCode });
      expect(issued(device, order, chains)).toEqual(issued(device, order));
    }
    expect(chains.size()).toBe(3);
  });
});

describe("days and units", () => {
  test("days become units only when nothing has to be rounded", () => {
    expect(unitsFromDays(30, 1)).toEqual({ ok: true, units: 30 });
    expect(unitsFromDays({ numerator: 1, denominator: 2 }, 24)).toEqual({ ok: true, units: 12 });
    expect(unitsFromDays({ numerator: 36, denominator: 24 }, 2)).toEqual({ ok: true, units: 3 });
    expect(refusalOf(unitsFromDays({ numerator: 39, denominator: 10 }, 255))).toBe("DAYS_NOT_EXACT");
    expect(refusalOf(unitsFromDays(0.5, 2))).toBe("DAYS_NOT_EXACT");
    expect(refusalOf(unitsFromDays(1e15, 255))).toBe("DAYS_NOT_EXACT");
    expect(refusalOf(unitsFromDays(-1, 1))).toBe("VALUE_OUT_OF_RANGE");
    expect(refusalOf(unitsFromDays({ numerator: 1, denominator: 0 }, 1))).toBe("VALUE_OUT_OF_RANGE");
    expect(refusalOf(unitsFromDays(1, 0))).toBe("TIME_DIVIDER_INVALID");
  });
});

describe("digits", () => {
  test("restricted digits give back the number they were written from", () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.nat({ max: 999_999_999_999 }), (nine, twelve) => {
        expect(toRestrictedDigits(nine, "standard")).toMatch(/^[1-4]{15}$/);
        expect(parseRestrictedDigits(toRestrictedDigits(nine, "standard"))).toEqual({ form: "standard", number: nine });
        const extended = toRestrictedDigits(twelve, "extended");
        expect(extended).toMatch(/^[1-4]{20}$/);
        expect(parseRestrictedDigits(extended)).toEqual({ form: "extended", number: twelve });
      }),
    );
  });

  test("text that cannot be a token is not taken for one", () => {
    for (const wrong of [
      "",
      "1",
      "4".repeat(15),
      "4".repeat(20),
      "1".repeat(14),
      "1".repeat(16),
      "0".repeat(15),
      "5".repeat(15),
    ]) {
      expect(parseTypedToken(wrong, true)).toBeUndefined();
    }
    for (const wrong of ["", "-1", "1e3", " 1", "1 2", "1".repeat(13), "١٢٣"]) {
      expect(parseTypedToken(wrong, false)).toBeUndefined();
    }
  });

  test("leading zeros may be dropped on a full keypad", () => {
    expect(parseTypedToken("42", false)).toEqual({ form: "standard", number: 42 });
    expect(parseTypedToken("000000042", false)).toEqual({ form: "standard", number: 42 });
    expect(parseTypedToken("000000000042", false)).toEqual({ form: "extended", number: 42 });
  });

  test("every issued token has its full length", () => {
    fc.assert(
      fc.property(anyDevice, fc.nat(20), (device, count) => {
        const [token] = issueAll(device, count, [{ type: "ADD_TIME", units: 1 }]);
        expect(token?.token).toMatch(device.restrictedDigits ? /^[1-4]{15}$/ : /^[0-9]{9}$/);
      }),
      SEEDED,
    );
  });
});
