import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidInput } from "../../src/kernel/refusal.ts";
import {
  DAY_MS,
  addDays,
  daysBetween,
  formatInstant,
  instantOf,
  localDateOf,
  makeManualClock,
  parseLocalDate,
  parseZone,
  startOfDay,
} from "../../src/kernel/time.ts";

const NAIROBI = "Africa/Nairobi";
/** Egypt changes its clocks at midnight: on 24 April 2026 the day begins at one o'clock. */
const CAIRO = "Africa/Cairo";

test("a manual clock moves only when told, and cannot be moved through a date it gave out", () => {
  const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
  clock.now().setFullYear(1999);
  expect(clock.now().toISOString()).toBe("2026-03-02T06:00:00.000Z");
  clock.advance(DAY_MS);
  expect(clock.now().toISOString()).toBe("2026-03-03T06:00:00.000Z");
  clock.moveTo(new Date(0));
  expect(clock.now().getTime()).toBe(0);
});

describe("zones and local days", () => {
  test("a zone is known by its name and nothing else", () => {
    expect(parseZone(NAIROBI)).toBe(NAIROBI);
    for (const zone of ["", "Nairobi", "Africa/Atlantis", "../etc/passwd"])
      expect(() => parseZone(zone)).toThrow(/Africa\/Nairobi/);
  });

  test("a payment after nine in the evening UTC is of the next day in Nairobi", () => {
    expect(localDateOf(new Date("2026-03-02T20:59:59Z"), NAIROBI)).toBe("2026-03-02");
    expect(localDateOf(new Date("2026-03-02T21:00:00Z"), NAIROBI)).toBe("2026-03-03");
  });

  test("a local day begins at midnight, or at the first hour that exists", () => {
    expect(startOfDay(parseLocalDate("2026-03-02"), NAIROBI).toISOString()).toBe("2026-03-01T21:00:00.000Z");
    const changed = parseLocalDate("2026-04-24");
    expect(startOfDay(changed, CAIRO).toISOString()).toBe("2026-04-23T22:00:00.000Z");
    expect(localDateOf(startOfDay(changed, CAIRO), CAIRO)).toBe(changed);
    expect(startOfDay(addDays(changed, 1), CAIRO).getTime() - startOfDay(changed, CAIRO).getTime()).toBe(
      DAY_MS - 3_600_000,
    );
  });

  test("a wall clock's hour that is shown twice means its first showing", () => {
    expect(instantOf({ date: "2026-10-25", time: "01:30:00" }, "Europe/London").toISOString()).toBe(
      "2026-10-25T00:30:00.000Z",
    );
    expect(instantOf({ date: "2023-11-21", time: "12:13:25" }, NAIROBI).toISOString()).toBe("2023-11-21T09:13:25.000Z");
    expect(() => instantOf({ date: "2026-02-30", time: "12:00:00" }, NAIROBI)).toThrow(RangeError);
    expect(() => instantOf({ date: "2026-02-28", time: "24:00:00" }, NAIROBI)).toThrow(RangeError);
  });

  test("days are counted on the calendar, also across a change of clocks", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -4_000, max: 4_000 }), (start, days) => {
        const from = addDays(parseLocalDate("1990-01-01"), start);
        const to = addDays(from, days);
        expect(daysBetween(from, to)).toBe(days);
        expect(localDateOf(startOfDay(to, CAIRO), CAIRO)).toBe(to);
        expect(localDateOf(new Date(startOfDay(to, CAIRO).getTime() - 1), CAIRO)).toBe(addDays(to, -1));
      }),
      { numRuns: 60 },
    );
  });
});

test.each([
  "",
  "today",
  "2026-2-3",
  "2026-02-30",
  "20261120",
  "2026-11-20T10:00",
  "2026-11-20[u-ca=hebrew]",
  "-000001-01-01",
  "+012026-01-01",
])("%j is no date", (text) => {
  expect(() => parseLocalDate(text)).toThrow(InvalidInput);
});

test("a person reads an instant in the operator's zone", () => {
  expect(formatInstant(new Date("2026-11-20T18:15:00Z"), NAIROBI)).toMatch(/^20 Nov 2026,? 21:15$/);
});
