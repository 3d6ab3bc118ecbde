import fc from "fast-check";
import { expect, test } from "vitest";
import type { StaffId } from "../../../src/kernel/ids.ts";
import { rational } from "../../../src/kernel/rational.ts";
import {
  earn,
  requireCommissionTerms,
  ruleInForce,
  type CommissionRule,
} from "../../../src/payments/cash/commission.ts";

const acts = fc.array(fc.record({ baseMinor: fc.bigInt(1n, 100_000_000_000n), isTakenBack: fc.boolean() }), {
  maxLength: 40,
});
const ratios = fc
  .tuple(fc.bigInt(0n, 1_000_000n), fc.bigInt(1n, 1_000_000n))
  .map(([left, right]) => (left < right ? rational(left, right) : rational(right, left === 0n ? 1n : left)));

test("many small commissions, some of them taken back, sum to the exact ratio rounded down once, and the fixed parts", () => {
  fc.assert(
    fc.property(acts, ratios, fc.bigInt(0n, 500n), (given, ratio, fixedMinor) => {
      let carriedFraction = 0n;
      let paid = 0n;
      let base = 0n;
      let kept = 0n;
      const step = (baseMinor: bigint, sign: 1n | -1n) => {
        const earned = earn({ ratio, fixedMinor }, { baseMinor, carriedFraction, sign });
        carriedFraction = earned.carriedFraction;
        paid += earned.amountMinor;
        base += sign * baseMinor;
        kept += sign;
        expect(carriedFraction >= 0n && carriedFraction < ratio.denominator).toBe(true);
        expect(paid).toBe((base * ratio.numerator) / ratio.denominator + kept * fixedMinor);
      };
      for (const { baseMinor } of given) step(baseMinor, 1n);
      for (const { baseMinor, isTakenBack } of given.toReversed()) if (isTakenBack) step(baseMinor, -1n);
    }),
  );
});

const [asha, at] = ["00000000-0000-7000-8000-000000000001" as StaffId, new Date("2026-03-02T06:00:00Z")];
const later = (hours: number) => new Date(at.getTime() + hours * 3_600_000);
const rule = (id: string, agentId: StaffId | null, effectiveAt: Date, setAt = at): CommissionRule => ({
  id,
  kind: "collection",
  agentId,
  currency: "KES",
  ratio: rational(1n, 40n),
  fixedMinor: 0n,
  effectiveAt,
  setAt,
});

test("an agent's own newest rule counts, else the newest for everybody, and none before its day", () => {
  const [old, fresh] = [rule("old", null, at), rule("fresh", null, later(10))];
  const [own, corrected] = [rule("own", asha, later(5)), rule("corrected", asha, later(5), later(1))];
  expect(ruleInForce([old, fresh], later(-1))).toBeUndefined();
  expect(ruleInForce([fresh, old], later(9))).toBe(old);
  expect(ruleInForce([fresh, old], later(10))).toBe(fresh);
  expect(ruleInForce([fresh, own, old], later(4))).toBe(old);
  expect(ruleInForce([fresh, own, old], later(20))).toBe(own);
  expect(ruleInForce([corrected, own], later(20))).toBe(corrected);
});

test("a commission of more than everything, or less than nothing, is refused", () => {
  const terms = rule("any", null, at);
  for (const wrong of [
    { ratio: rational(3n, 2n) },
    { ratio: rational(-1n, 2n) },
    { ratio: rational(1n, 10n ** 13n) },
    { fixedMinor: -1n },
  ])
    expect(() => requireCommissionTerms({ ...terms, ...wrong })).toThrow(/commission|ratio/i);
  expect(() => requireCommissionTerms({ ...terms, ratio: rational(1n) })).not.toThrow();
});
