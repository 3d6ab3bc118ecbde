import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate, missingForUnit, type Allocation, type Standing } from "../../src/credit/allocate.ts";
import { unitPrice, type Terms } from "../../src/credit/terms.ts";
import { rational } from "../../src/kernel/rational.ts";
import { DAY, HOURLY, PAID_AT, RENT, freshStanding, later } from "./standing.ts";

const SALE: Terms = { ...RENT, totalMinor: 500_000n };

function pays(
  terms: Terms,
  standing: Standing,
  receivedMinor: bigint,
  more: { timeDivider?: number; at?: Date; bookedAt?: Date } = {},
): Allocation {
  const { timeDivider = 1, at = PAID_AT, bookedAt = at } = more;
  return allocate(terms, standing, { timeDivider, payment: { receivedMinor, paidAt: at, bookedAt } });
}

const partsOf = (allocation: Allocation): bigint =>
  allocation.debtMinor +
  allocation.depositMinor +
  allocation.spentMinor +
  allocation.carriedChangeMinor +
  allocation.refundableMinor;

describe("what one payment buys", () => {
  test("whole days are bought and the rest is carried to the next payment", () => {
    const first = pays(RENT, freshStanding(RENT), 17_500n);
    expect(first).toMatchObject({
      units: 3,
      spentMinor: 15_000n,
      carriedChangeMinor: 2_500n,
      refundableMinor: 0n,
      effect: "add",
    });
    const second = pays(RENT, first.after, 2_500n);
    expect(second).toMatchObject({ units: 1, spentMinor: 5_000n, carriedChangeMinor: -2_500n });
    expect(second.after.carriedMinor).toBe(0n);
  });

  test("less than one unit's price is held and gives nothing yet (case 15)", () => {
    const held = pays(RENT, freshStanding(RENT), 4_999n);
    expect(held).toMatchObject({ units: 0, spentMinor: 0n, carriedChangeMinor: 4_999n, effect: "none" });
    expect(missingForUnit(RENT, held.after, 1)).toBe(1n);
    expect(pays(RENT, held.after, 1n).units).toBe(1);
  });

  test("time follows the time that is left, or starts when the payment was made", () => {
    const first = pays(RENT, freshStanding(RENT), 10_000n);
    expect(first.after).toMatchObject({ startedAt: PAID_AT, paidUntilAt: later(2 * DAY), lampUntilAt: later(2 * DAY) });
    const early = pays(RENT, first.after, 5_000n, { at: later(DAY) });
    expect(early).toMatchObject({ paidFromAt: later(2 * DAY), after: { paidUntilAt: later(3 * DAY) } });
    const late = pays(RENT, first.after, 5_000n, { at: later(5 * DAY) });
    expect(late).toMatchObject({
      paidFromAt: later(5 * DAY),
      after: { startedAt: PAID_AT, paidUntilAt: later(6 * DAY) },
    });
  });

  test("the lamp's time starts when the token was made, the contract's when the money moved", () => {
    const delayed = pays(RENT, freshStanding(RENT), 5_000n, { bookedAt: later(3_600_000) });
    expect(delayed.after).toMatchObject({ paidUntilAt: later(DAY), lampUntilAt: later(DAY + 3_600_000) });
  });

  test("debt is paid before anything is bought, and a payment that only pays debt gives no light", () => {
    const indebted = freshStanding(SALE, { debtMinor: 8_000n });
    const part = pays(SALE, indebted, 5_000n);
    expect(part).toMatchObject({
      debtMinor: 5_000n,
      spentMinor: 0n,
      units: 0,
      effect: "none",
      after: { debtMinor: 3_000n, startedAt: undefined },
    });
    const rest = pays(SALE, part.after, 8_000n);
    expect(rest).toMatchObject({
      debtMinor: 3_000n,
      spentMinor: 5_000n,
      units: 1,
      after: { debtMinor: 0n, outstandingMinor: 495_000n },
    });
  });

  test("debt stands before the price: the last sum of the price does not unlock while money is owed back", () => {
    const nearlyPaid = freshStanding(SALE, { outstandingMinor: 5_000n, debtMinor: 5_000n });
    expect(pays(SALE, nearlyPaid, 5_000n)).toMatchObject({
      debtMinor: 5_000n,
      effect: "none",
      after: { outstandingMinor: 5_000n },
    });
  });

  test("a deposit that buys no time only opens the contract; what exceeds it buys time", () => {
    const terms = { ...SALE, depositMinor: 20_000n, depositBuysTime: false };
    const part = pays(terms, freshStanding(terms), 15_000n);
    expect(part).toMatchObject({ depositMinor: 15_000n, spentMinor: 0n, units: 0, effect: "none" });
    expect(part.after).toMatchObject({
      depositDueMinor: 5_000n,
      outstandingMinor: 485_000n,
      startedAt: PAID_AT,
      paidUntilAt: undefined,
    });
    expect(missingForUnit(terms, part.after, 1)).toBe(10_000n);
    const rest = pays(terms, part.after, 11_000n);
    expect(rest).toMatchObject({ depositMinor: 5_000n, spentMinor: 5_000n, carriedChangeMinor: 1_000n, units: 1 });
    expect(rest.after).toMatchObject({
      depositDueMinor: 0n,
      outstandingMinor: 475_000n,
      paidUntilAt: later(DAY * 1.2),
    });
  });

  test("a deposit that buys time buys it at once and counts as deposit until it is complete", () => {
    const terms = { ...SALE, depositMinor: 20_000n };
    const part = pays(terms, freshStanding(terms), 15_000n);
    expect(part).toMatchObject({ depositMinor: 0n, spentMinor: 15_000n, units: 3, after: { depositDueMinor: 5_000n } });
    expect(pays(terms, part.after, 10_000n).after.depositDueMinor).toBe(0n);
  });

  test("free time is given once: with the completed deposit, or with the first payment where there is none", () => {
    const terms = { ...SALE, depositMinor: 20_000n, depositBuysTime: false, freeSeconds: 2 * 86_400 };
    const part = pays(terms, freshStanding(terms), 19_999n);
    expect(part).toMatchObject({ units: 0, effect: "none" });
    const opened = pays(terms, part.after, 1n);
    expect(opened).toMatchObject({
      depositMinor: 1n,
      spentMinor: 0n,
      units: 2,
      effect: "add",
      after: { paidUntilAt: later(2 * DAY) },
    });
    expect(pays(terms, opened.after, 5_000n).units).toBe(1);
    const without = { ...RENT, freeSeconds: 86_400 };
    const first = pays(without, freshStanding(without), 100n);
    expect(first).toMatchObject({ units: 1, spentMinor: 0n, carriedChangeMinor: 100n, after: { startedAt: PAID_AT } });
    expect(pays(without, first.after, 100n).units).toBe(0);
  });

  test("free time in hours reaches a lamp that counts hours, and is rounded down for one that counts days", () => {
    const terms = { ...RENT, freeSeconds: 36 * 3_600 };
    expect(pays(terms, freshStanding(terms), 5_000n, { timeDivider: 24 }).units).toBe(36 + 24);
    expect(pays(terms, freshStanding(terms), 5_000n, { timeDivider: 1 }).units).toBe(1 + 1);
  });

  test("the whole price unlocks for good, held money counts, and the excess is refundable (case 14)", () => {
    const nearly = freshStanding(SALE, { outstandingMinor: 10_000n, carriedMinor: 4_000n, startedAt: PAID_AT });
    const last = pays(SALE, nearly, 6_001n);
    expect(last).toMatchObject({
      spentMinor: 10_000n,
      carriedChangeMinor: -4_000n,
      refundableMinor: 1n,
      units: 0,
      effect: "unlock",
    });
    expect(last.after).toMatchObject({ outstandingMinor: 0n, carriedMinor: 0n, carriedFraction: 0n });
  });

  test("a price that is the deposit alone is paid off by the deposit", () => {
    const terms = { ...RENT, totalMinor: 20_000n, depositMinor: 20_000n, depositBuysTime: false };
    expect(pays(terms, freshStanding(terms), 21_000n)).toMatchObject({
      depositMinor: 20_000n,
      spentMinor: 0n,
      refundableMinor: 1_000n,
      effect: "unlock",
    });
  });

  test("KES 5.654761905 an hour: a day's worth of hours costs what it says, to the cent", () => {
    expect(unitPrice(HOURLY, 24)).toEqual(rational(1_130_952_381n, 2_000_000n));
    // 24 hours cost 13,571.428572 cents: 13,571 are not enough, 13,572 are and leave 3/7 of a cent to the customer.
    expect(pays(HOURLY, freshStanding(HOURLY), 13_571n, { timeDivider: 24 }).units).toBe(23);
    const day = pays(HOURLY, freshStanding(HOURLY), 13_572n, { timeDivider: 24 });
    expect(day).toMatchObject({ units: 24, spentMinor: 13_571n, carriedChangeMinor: 1n });
    expect(day.after.carriedFraction).toBeGreaterThan(0n);
  });
});

describe("what is still missing for light", () => {
  test("paying exactly what is missing gives light, paying one less does not", () => {
    fc.assert(
      fc.property(
        anyTerms,
        fc.bigInt({ min: 1n, max: 100_000n }),
        fc.bigInt({ min: 0n, max: 9_000n }),
        (terms, first, debtMinor) => {
          const { after, effect } = pays(terms, freshStanding(terms, { debtMinor }), first, { timeDivider: 24 });
          fc.pre(effect !== "unlock");
          const missing = missingForUnit(terms, after, 24);
          expect(pays(terms, after, missing, { timeDivider: 24 }).effect).not.toBe("none");
          // Free light comes with the first payment, however small; without it one unit less than missing gives none.
          const less = pays({ ...terms, freeSeconds: 0 }, after, missing - 1n, { timeDivider: 24 });
          expect(less.effect).toBe("none");
        },
      ),
    );
  });

  test("where less than a unit of the price is left, only that is missing", () => {
    const last = freshStanding(SALE, { outstandingMinor: 2_000n, carriedMinor: 500n });
    expect(missingForUnit(SALE, last, 1)).toBe(1_500n);
    expect(pays(SALE, last, 1_500n).effect).toBe("unlock");
  });
});

const anyTerms: fc.Arbitrary<Terms> = fc
  .record({
    numerator: fc.bigInt({ min: 1n, max: 10_000_000n }),
    denominator: fc.bigInt({ min: 1n, max: 10_000n }),
    perHour: fc.boolean(),
    depositMinor: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 50_000n })),
    depositBuysTime: fc.boolean(),
    restMinor: fc.option(fc.bigInt({ min: 1n, max: 1_000_000n }), { nil: null }),
    freeSeconds: fc.constantFrom(0, 3_600, 86_400),
  })
  .map(({ numerator, denominator, perHour, depositMinor, restMinor, ...rest }) => ({
    ...RENT,
    ...rest,
    // A unit costs at least one minor unit, so that no property asks for millions of tokens.
    price: rational(numerator + 24n * denominator, denominator),
    priceSeconds: perHour ? 3_600 : 86_400,
    depositMinor,
    totalMinor: restMinor === null ? null : depositMinor + restMinor,
  }));

const amounts = fc.array(fc.bigInt({ min: 1n, max: 200_000n }), { minLength: 1, maxLength: 12 });
const dividers = fc.constantFrom(1, 2, 24, 255);

describe("whatever is paid, in whatever parts", () => {
  test("nothing is lost: every payment is the sum of its five parts, and nothing held or owed is below zero", () => {
    fc.assert(
      fc.property(
        anyTerms,
        amounts,
        fc.bigInt({ min: 0n, max: 100_000n }),
        dividers,
        (terms, payments, debtMinor, timeDivider) => {
          let standing = freshStanding(terms, { debtMinor });
          const sums = { received: 0n, debt: 0n, deposit: 0n, spent: 0n };
          for (const received of payments) {
            const allocation = pays(terms, standing, received, { timeDivider });
            expect(partsOf(allocation)).toBe(received);
            expect(
              [allocation.debtMinor, allocation.depositMinor, allocation.spentMinor, allocation.refundableMinor].every(
                (part) => part >= 0n,
              ),
            ).toBe(true);
            standing = allocation.after;
            expect(
              [
                standing.carriedMinor,
                standing.carriedFraction,
                standing.debtMinor,
                standing.depositDueMinor,
                standing.outstandingMinor ?? 0n,
              ].every((left) => left >= 0n),
            ).toBe(true);
            sums.received += received;
            sums.debt += allocation.debtMinor;
            sums.deposit += allocation.depositMinor;
            sums.spent += allocation.spentMinor;
            expect(standing.debtMinor).toBe(debtMinor - sums.debt);
            const left = terms.totalMinor === null ? null : terms.totalMinor - sums.deposit - sums.spent;
            expect(standing.outstandingMinor).toBe(left);
            if (allocation.effect === "unlock") break;
            expect(allocation.refundableMinor).toBe(0n);
            expect(standing.carriedMinor).toBe(sums.received - sums.debt - sums.deposit - sums.spent);
          }
        },
      ),
    );
  });

  test.each([
    ["KES 5.654761905 an hour", HOURLY, 24],
    ["KES 50 a day", RENT, 1],
    ["a third of a cent", { ...RENT, price: rational(1_000n, 3n) }, 24],
  ] as const)(
    "at %s a sum buys the same in one payment or in many, and costs the exact price rounded down once",
    (_name, terms, timeDivider) => {
      fc.assert(
        fc.property(amounts, (payments) => {
          const total = payments.reduce((sum, payment) => sum + payment, 0n);
          let standing = freshStanding(terms);
          let units = 0;
          let spent = 0n;
          for (const received of payments) {
            const allocation = pays(terms, standing, received, { timeDivider });
            standing = allocation.after;
            units += allocation.units;
            spent += allocation.spentMinor;
          }
          const { numerator, denominator } = unitPrice(terms, timeDivider);
          expect(units).toBe(pays(terms, freshStanding(terms), total, { timeDivider }).units);
          expect(BigInt(units)).toBe((total * denominator) / numerator);
          expect(spent).toBe((BigInt(units) * numerator) / denominator);
        }),
        { numRuns: 300 },
      );
    },
  );

  test("no light is given that the money does not pay", () => {
    fc.assert(
      fc.property(anyTerms, amounts, dividers, (terms, payments, timeDivider) => {
        let standing = freshStanding(terms);
        let [units, paid] = [0n, 0n];
        for (const received of payments) {
          const allocation = pays(terms, standing, received, { timeDivider });
          if (allocation.effect === "unlock") break;
          standing = allocation.after;
          units += BigInt(allocation.units);
          paid += received - allocation.depositMinor;
        }
        const free = BigInt(Math.floor((terms.freeSeconds * timeDivider) / 86_400));
        const bought = units > free ? units - free : 0n;
        const { numerator, denominator } = unitPrice(terms, timeDivider);
        expect(bought * numerator <= paid * denominator).toBe(true);
      }),
    );
  });
});
