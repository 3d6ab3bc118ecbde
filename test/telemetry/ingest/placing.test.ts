import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DeviceFrame } from "../../../src/telemetry/frames/frame.ts";
import { NOTHING_KNOWN } from "../../../src/telemetry/ingest/latest.ts";
import { placeFrame, type Known } from "../../../src/telemetry/ingest/placing.ts";

const NOW = Date.parse("2026-03-02T06:00:00Z");
const DAY_MS = 86_400_000;

function frame(facts: Partial<DeviceFrame>): DeviceFrame {
  return {
    serial: "P-1",
    sentAtMs: undefined,
    readings: [],
    standing: undefined,
    events: [],
    answers: [],
    presence: undefined,
    wishes: { activeUntil: false, activeSecondsLeft: false },
    freshness: { requestTimestamp: undefined, requestCount: undefined },
    ...facts,
  };
}
const place = (facts: Partial<DeviceFrame>, known: Partial<Known> = {}, receivedAtMs = NOW) =>
  placeFrame(frame(facts), { known: { ...NOTHING_KNOWN, ...known }, receivedAtMs, keptDays: 40 });
const shiftOf = (sentAtMs: number, known: Partial<Known> = {}, receivedAtMs = NOW): number | undefined => {
  const placing = place({ sentAtMs }, known, receivedAtMs);
  return placing.kind === "placed" ? placing.shiftSeconds : undefined;
};

describe("a device's clock", () => {
  test("is believed when it may be right: now, some minutes ahead, or days ago in a device that had no network", () => {
    for (const sentAtMs of [NOW, NOW + 4 * 60_000, NOW - 39 * DAY_MS]) expect(shiftOf(sentAtMs)).toBe(0);
  });

  test("is set right when it tells a time that has not come, or one that is older than what is kept", () => {
    expect(shiftOf(NOW + 3_600_000)).toBe(-3_600);
    expect(shiftOf(5_000_000)).toBe((NOW - 5_000_000) / 1_000);
  });

  test("is set right by the same shift when a frame comes again within half an hour, and by another later", () => {
    const first = shiftOf(5_000_000) ?? 0;
    const known = { shiftSeconds: first };
    expect(shiftOf(5_000_000, known, NOW + 20 * 60_000)).toBe(first);
    expect(shiftOf(5_000_000, known, NOW + 40 * 60_000)).toBe(first + 40 * 60);
  });

  test("no shift that is remembered puts a frame more than five minutes ahead of ours", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000_000, max: 2_000_000_000 }),
        fc.integer({ min: 0, max: 3_900_000_000 }),
        (shiftSeconds, sent) => {
          const shift = shiftOf(sent * 1_000, { shiftSeconds });
          expect(shift).toBeDefined();
          expect(sent * 1_000 + (shift ?? 0) * 1_000).toBeLessThanOrEqual(NOW + 5 * 60_000 + 1_000);
        },
      ),
    );
  });

  test("of another unit altogether is refused with what would be right", () => {
    const placing = place({ sentAtMs: NOW * 1_000 });
    expect(placing).toMatchObject({ kind: "refused", refusal: { reason: "clock_off" } });
  });
});

describe("what is signed counts up", () => {
  const counted = (requestTimestamp: number | undefined, requestCount: number | undefined) => ({
    freshness: { requestTimestamp, requestCount },
  });
  test.each([
    ["the first", [undefined, 5], {}, "new"],
    ["a higher count", [undefined, 6], { requestCount: 5 }, "new"],
    ["the same count", [undefined, 5], { requestCount: 5 }, "again"],
    ["a lower count", [undefined, 4], { requestCount: 5 }, "refused"],
    ["the same second with a higher count", [100, 6], { requestTimestamp: 100, requestCount: 5 }, "refused"],
    ["a later time with the same count", [101, 5], { requestTimestamp: 100, requestCount: 5 }, "refused"],
    ["the same second and count", [100, 5], { requestTimestamp: 100, requestCount: 5 }, "again"],
    ["a later time with a lower count", [101, 4], { requestTimestamp: 100, requestCount: 5 }, "refused"],
    ["nothing signed", [undefined, undefined], { requestTimestamp: 100, requestCount: 5 }, "new"],
  ] as const)("%s", (_name, [timestamp, count], known, expected) => {
    const placing = place(counted(timestamp, count), known);
    const found = placing.kind === "refused" ? "refused" : placing.isRepetition ? "again" : "new";
    expect(found).toBe(expected);
  });
});
