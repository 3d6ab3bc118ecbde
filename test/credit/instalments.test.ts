import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrears, instalments } from "../../src/credit/instalments.ts";
import type { Terms } from "../../src/credit/terms.ts";
import { addDays, parseLocalDate } from "../../src/kernel/time.ts";
import { HOURLY, RENT } from "./standing.ts";

const NAIROBI = "Africa/Nairobi";
const SALE: Terms = { ...RENT, totalMinor: 100_000n };
const on = parseLocalDate;
const rows = (terms: Terms, more: { startedAt?: Date; zone?: string; through?: string } = {}): string[] =>
  instalments(terms, {
    startedAt: more.startedAt ?? new Date("2026-03-02T06:00:00Z"),
    zone: more.zone ?? NAIROBI,
    through: on(more.through ?? "2026-12-31"),
  }).map(({ dueOn, amountMinor, cumulativeMinor }) => `${dueOn} ${amountMinor} ${cumulativeMinor}`);

describe("the calendar", () => {
  test("asks for each week's price on the day the week begins, and for no more than the total", () => {
    expect(rows(SALE)).toEqual(["2026-03-02 35000 35000", "2026-03-09 35000 70000", "2026-03-16 30000 100000"]);
  });

  test("begins on the local day of the sale, which may be tomorrow in UTC's eyes", () => {
    expect(rows({ ...SALE, totalMinor: 35_000n }, { startedAt: new Date("2026-03-02T22:00:00Z") })).toEqual([
      "2026-03-03 35000 35000",
    ]);
  });

  test("asks for the deposit first, and gives the free days and the days the deposit bought before the next sum", () => {
    expect(rows({ ...SALE, depositMinor: 20_000n, depositBuysTime: false, freeSeconds: 3 * 86_400 })).toEqual([
      "2026-03-02 20000 20000",
      "2026-03-05 35000 55000",
      "2026-03-12 35000 90000",
      "2026-03-19 10000 100000",
    ]);
    expect(rows({ ...SALE, depositMinor: 20_000n })[1]).toBe("2026-03-06 35000 55000");
  });

  test("keeps its weekday through a change of clocks", () => {
    // Egypt put its clocks forward on 24 April 2026 at midnight: weeks of 168 hours would slip to the day before.
    const dates = rows(
      { ...SALE, totalMinor: 200_000n },
      { startedAt: new Date("2026-04-16T22:30:00Z"), zone: "Africa/Cairo" },
    ).map((row) => row.slice(0, 10));
    expect(dates).toEqual(["2026-04-17", "2026-04-24", "2026-05-01", "2026-05-08", "2026-05-15", "2026-05-22"]);
    expect(
      rows({ ...SALE, totalMinor: 70_000n }, { startedAt: new Date("2026-10-29T20:30:00Z"), zone: "Africa/Cairo" }),
    ).toEqual(["2026-10-29 35000 35000", "2026-11-05 35000 70000"]);
  });

  test("of a rent goes on until the day asked for", () => {
    expect(rows(RENT, { through: "2026-03-20" })).toHaveLength(3);
    expect(rows(RENT, { through: "2026-03-01" })).toEqual([]);
  });

  test("rounds a fractional price up once, not once a week", () => {
    const calendar = instalments(HOURLY, {
      startedAt: new Date("2026-03-02T06:00:00Z"),
      zone: NAIROBI,
      through: on("2027-03-01"),
    });
    // 52 weeks of 168 hours at 565.4761905 cents: 4,940,000.0002 cents.
    expect(calendar).toHaveLength(53);
    expect(calendar[51]?.cumulativeMinor).toBe(4_940_001n);
  });

  test("sums up to the total, rises with every line and never runs backwards", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 300_000n }),
        fc.bigInt({ min: 0n, max: 50_000n }),
        fc.integer({ min: 1, max: 31 }),
        fc.boolean(),
        (totalRest, depositMinor, instalmentDays, depositBuysTime) => {
          const terms = {
            ...RENT,
            depositMinor,
            depositBuysTime,
            instalmentDays,
            totalMinor: depositMinor + totalRest,
          };
          const calendar = instalments(terms, {
            startedAt: new Date("2026-03-02T06:00:00Z"),
            zone: NAIROBI,
            through: on("2030-01-01"),
          });
          expect(calendar.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)).toBe(terms.totalMinor);
          calendar.forEach(({ amountMinor, cumulativeMinor, dueOn }, at) => {
            expect(
              amountMinor > 0n && cumulativeMinor === (calendar[at - 1]?.cumulativeMinor ?? 0n) + amountMinor,
            ).toBe(true);
            expect(dueOn >= (calendar[at - 1]?.dueOn ?? "")).toBe(true);
          });
        },
      ),
    );
  });
});

describe("arrears", () => {
  const calendar = instalments(SALE, {
    startedAt: new Date("2026-03-02T06:00:00Z"),
    zone: NAIROBI,
    through: on("2026-12-31"),
  });
  const late = (paidMinor: bigint, day: string, graceDays = 0) =>
    arrears(calendar, { paidMinor, on: on(day), graceDays });

  test("nothing is late before the first day, nor when everything due is paid", () => {
    expect(late(0n, "2026-03-01")).toEqual({ dueMinor: 0n, arrearsMinor: 0n, days: 0 });
    expect(late(35_000n, "2026-03-08")).toEqual({ dueMinor: 35_000n, arrearsMinor: 0n, days: 0 });
    expect(late(1_000_000n, "2026-12-01")).toEqual({ dueMinor: 100_000n, arrearsMinor: 0n, days: 0 });
  });

  test("days are counted from the oldest sum that is not fully paid, after the grace", () => {
    expect(late(34_999n, "2026-03-12")).toEqual({ dueMinor: 70_000n, arrearsMinor: 35_001n, days: 10 });
    expect(late(35_000n, "2026-03-12")).toEqual({ dueMinor: 70_000n, arrearsMinor: 35_000n, days: 3 });
    expect(late(35_000n, "2026-03-12", 3).days).toBe(0);
    expect(late(35_000n, "2026-03-13", 3).days).toBe(1);
  });

  test("a day more is never less late, and a payment never makes it later", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 100_000n }),
        fc.bigInt({ min: 0n, max: 10_000n }),
        fc.integer({ min: 0, max: 60 }),
        (paid, more, offset) => {
          const day = addDays(on("2026-03-01"), offset);
          const now = arrears(calendar, { paidMinor: paid, on: day, graceDays: 2 });
          expect(
            arrears(calendar, { paidMinor: paid, on: addDays(day, 1), graceDays: 2 }).arrearsMinor >= now.arrearsMinor,
          ).toBe(true);
          expect(arrears(calendar, { paidMinor: paid + more, on: day, graceDays: 2 }).days <= now.days).toBe(true);
        },
      ),
    );
  });
});
