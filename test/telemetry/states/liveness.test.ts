import fc from "fast-check";
import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../src/kernel/time.ts";
import { daysAhead, daysLeft, FOREVER_DAYS } from "../../../src/telemetry/states/days-left.ts";
import {
  expectedIntervalMs,
  hasFallen,
  lateAfterMs,
  LIVENESS,
  livenessOf,
  silentAfterMs,
} from "../../../src/telemetry/states/liveness.ts";

const NOW = new Date("2026-03-02T12:00:00Z");
const heard = (agoMs: number, intervalMs: number) =>
  livenessOf({ lastSeenAt: new Date(NOW.getTime() - agoMs), intervalMs }, NOW);

test("a lamp that reports every quarter of an hour is late after 38 minutes and silent after 98", () => {
  const interval = 15 * MINUTE_MS;
  expect(heard(37 * MINUTE_MS, interval)).toBe("alive");
  expect(heard(38 * MINUTE_MS, interval)).toBe("late");
  expect(heard(98 * MINUTE_MS, interval)).toBe("silent");
  expect(heard(13 * DAY_MS, interval)).toBe("silent");
  expect(heard(14 * DAY_MS, interval)).toBe("lost");
});

test("a lamp that reports once a day may miss its hour, and a day, before anybody calls it silent", () => {
  expect(heard(DAY_MS + 12 * HOUR_MS, DAY_MS)).toBe("alive");
  expect(heard(2 * DAY_MS, DAY_MS)).toBe("late");
  expect(heard(2.5 * DAY_MS, DAY_MS)).toBe("late");
  expect(heard(2.5 * DAY_MS + HOUR_MS, DAY_MS)).toBe("silent");
});

test("a device that never spoke is not silent, and one heard in the future is alive", () => {
  expect(livenessOf({ lastSeenAt: undefined, intervalMs: HOUR_MS }, NOW)).toBe("never");
  expect(heard(-DAY_MS, HOUR_MS)).toBe("alive");
});

test("an interval told by the device goes before its model's, and neither may be absurd", () => {
  expect(expectedIntervalMs({ told: 900, model: 60 })).toBe(900_000);
  expect(expectedIntervalMs({ told: undefined, model: 86_400 })).toBe(DAY_MS);
  expect(expectedIntervalMs({ told: undefined, model: undefined })).toBe(HOUR_MS);
  expect(expectedIntervalMs({ told: 0, model: undefined })).toBe(MINUTE_MS);
  expect(expectedIntervalMs({ told: 2_000_000_000, model: undefined })).toBe(7 * DAY_MS);
});

const anInterval = fc.integer({ min: 60, max: 604_800 }).map((seconds) => seconds * 1_000);

test("the longer the silence, the worse it is called, whatever the interval", () => {
  fc.assert(
    fc.property(anInterval, fc.nat(40 * DAY_MS), fc.nat(40 * DAY_MS), (interval, left, right) => {
      const [shorter, longer] = [Math.min(left, right), Math.max(left, right)];
      expect(LIVENESS.indexOf(heard(longer, interval))).toBeGreaterThanOrEqual(
        LIVENESS.indexOf(heard(shorter, interval)),
      );
    }),
  );
});

test("when the first of a village turns silent, every neighbour that fell in the same interval can be counted", () => {
  fc.assert(
    fc.property(anInterval, fc.double({ min: 0, max: 1, noNaN: true }), (interval, phase) => {
      const lastSeenAt = new Date(NOW.getTime() - silentAfterMs(interval) + Math.floor(phase * interval));
      expect(hasFallen({ lastSeenAt, intervalMs: interval }, NOW)).toBe(true);
      expect(lateAfterMs(interval)).toBeLessThan(silentAfterMs(interval) - interval);
    }),
  );
});

test("days left are never below zero, and light for good is longer than any contract", () => {
  expect(daysLeft(new Date(NOW.getTime() - DAY_MS), NOW)).toBe(0);
  expect(daysLeft(new Date(NOW.getTime() + 1.5 * DAY_MS), NOW)).toBe(1.5);
  expect(daysLeft("forever", NOW)).toBe(FOREVER_DAYS);
  expect(daysAhead({ device: undefined, contract: NOW }, NOW)).toBeUndefined();
  expect(daysAhead({ device: "forever", contract: "forever" }, NOW)).toBe(0);
});
