import fc from "fast-check";
import { expect, test } from "vitest";
import { splitUnits } from "../../src/devices/token-issuer.ts";

test("time is split into tokens of at most 995 units that sum to all of it", () => {
  expect(splitUnits(0)).toEqual([]);
  expect(splitUnits(995)).toEqual([995]);
  expect(splitUnits(996)).toEqual([995, 1]);
  expect(splitUnits(2_500)).toEqual([995, 995, 510]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200_000 }), (units) => {
      const parts = splitUnits(units);
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(units);
      expect(parts.every((part) => part >= 1 && part <= 995)).toBe(true);
      expect(parts).toHaveLength(Math.ceil(units / 995));
    }),
  );
});

test("an amount of time that no keypad could ever be given is refused at once, not computed for hours", () => {
  expect(() => splitUnits(2_000_000_000_000)).toThrow(/tokens/);
});
