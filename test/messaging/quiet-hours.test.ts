import fc from "fast-check";
import { expect, test } from "vitest";
import { DAY_MS, localTimeOf } from "../../src/kernel/time.ts";
import { nextMorning, parseQuietHours, quietUntil } from "../../src/messaging/quiet-hours.ts";

const NIGHT = parseQuietHours("21:00-07:00");
const until = (at: string, zone: string, quiet = NIGHT): string | undefined =>
  quietUntil(new Date(at), zone, quiet)?.toISOString();

test("what may wait leaves by day, and waits for seven in the morning at night, on both sides of midnight", () => {
  const zone = "Africa/Nairobi";
  expect(until("2026-03-02T17:59:59Z", zone)).toBeUndefined();
  expect(until("2026-03-02T18:00:00Z", zone)).toBe("2026-03-03T04:00:00.000Z");
  expect(until("2026-03-02T23:30:00Z", zone)).toBe("2026-03-03T04:00:00.000Z");
  expect(until("2026-03-03T03:59:59Z", zone)).toBe("2026-03-03T04:00:00.000Z");
  expect(until("2026-03-03T04:00:00Z", zone)).toBeUndefined();
});

test("quiet hours within one day are those of that day", () => {
  const noon = parseQuietHours("12:00-14:00");
  expect(until("2026-03-02T08:59:00Z", "Africa/Nairobi", noon)).toBeUndefined();
  expect(until("2026-03-02T09:00:00Z", "Africa/Nairobi", noon)).toBe("2026-03-02T11:00:00.000Z");
  expect(until("2026-03-02T11:00:00Z", "Africa/Nairobi", noon)).toBeUndefined();
});

test("in a night with a clock change the wall clock decides: Paris loses an hour in March and gains one in October", () => {
  expect(until("2026-03-28T20:00:00Z", "Europe/Paris")).toBe("2026-03-29T05:00:00.000Z");
  expect(until("2026-10-24T19:00:00Z", "Europe/Paris")).toBe("2026-10-25T06:00:00.000Z");
  // Half past two comes twice: at its second showing the quiet hours that end then are over.
  const early = parseQuietHours("21:00-02:30");
  expect(until("2026-10-25T00:10:00Z", "Europe/Paris", early)).toBe("2026-10-25T00:30:00.000Z");
  expect(until("2026-10-25T01:10:00Z", "Europe/Paris", early)).toBeUndefined();
});

test("in Casablanca, whose clocks go back when Ramadan begins, nobody is woken an hour early", () => {
  expect(until("2026-02-14T21:00:00Z", "Africa/Casablanca")).toBe("2026-02-15T07:00:00.000Z");
  expect(until("2026-02-16T21:00:00Z", "Africa/Casablanca")).toBe("2026-02-17T07:00:00.000Z");
});

test("whatever the hour and the zone, what waits leaves within a day and an hour, at an hour that is not quiet", () => {
  const zones = fc.constantFrom(
    "Africa/Nairobi",
    "Africa/Casablanca",
    "Europe/Paris",
    "Africa/Lagos",
    "America/New_York",
  );
  const instants = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) });
  fc.assert(
    fc.property(zones, instants, (zone, millis) => {
      const at = new Date(millis);
      const leaves = quietUntil(at, zone, NIGHT) ?? at;
      expect(leaves.getTime() - millis).toBeLessThanOrEqual(DAY_MS / 24 + DAY_MS);
      expect(quietUntil(leaves, zone, NIGHT)).toBeUndefined();
      const time = localTimeOf(leaves, zone);
      expect(time >= "07:00" && time < "21:00").toBe(true);
      const morning = nextMorning(at, zone, NIGHT);
      expect(morning > at && localTimeOf(morning, zone) === "07:00").toBe(true);
    }),
  );
});

test.each(["21:00", "21:00-21:00", "25:00-07:00", "9-17", "21:00-07:00-08:00"])(
  "%s is no span of quiet hours",
  (text) => {
    expect(() => parseQuietHours(text)).toThrow("21:00-07:00");
  },
);
