import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import {
  decideStanding,
  isCalm,
  isTrouble,
  type Standing,
  type Thresholds,
} from "../../../src/telemetry/alerts/hysteresis.ts";
import { checkSettings, DEFINITIONS, RULES, type Direction } from "../../../src/telemetry/alerts/rules.ts";

const START = new Date("2026-03-02T06:00:00Z");
const minute = (at: number): Date => new Date(START.getTime() + at * MINUTE_MS);

const someThresholds = fc
  .record({
    direction: fc.constantFrom<Direction>("above", "below"),
    raiseAt: fc.integer({ min: -50, max: 50 }),
    gap: fc.integer({ min: 1, max: 30 }),
    raiseAfterMs: fc.integer({ min: 0, max: 30 }).map((minutes) => minutes * MINUTE_MS),
    clearAfterMs: fc.integer({ min: 0, max: 30 }).map((minutes) => minutes * MINUTE_MS),
  })
  .map(({ gap, ...rest }): Thresholds => ({
    ...rest,
    clearAt: rest.direction === "above" ? rest.raiseAt - gap : rest.raiseAt + gap,
  }));
const someValues = fc.array(fc.option(fc.integer({ min: -100, max: 100 }), { nil: undefined }), { maxLength: 60 });

/** The standing after each look, one every minute. */
function standings(thresholds: Thresholds, values: readonly (number | undefined)[]): readonly Standing[] {
  let was: Standing = { kind: "calm" };
  return values.map((value, at) => (was = decideStanding(thresholds, { was, value, now: minute(at) })));
}

describe("whatever a device tells", () => {
  test("an alert is raised only by trouble that lasted its time", () => {
    fc.assert(
      fc.property(someThresholds, someValues, (thresholds, values) => {
        standings(thresholds, values).forEach((standing, at, all) => {
          if (standing.kind !== "raised" || all[at - 1]?.kind === "raised") return;
          const since = Math.round((standing.since.getTime() - START.getTime()) / MINUTE_MS);
          expect(at - since).toBeGreaterThanOrEqual(thresholds.raiseAfterMs / MINUTE_MS);
          const between = values.slice(since, at + 1).filter((value) => value !== undefined);
          expect(between.every((value) => isTrouble(thresholds, value))).toBe(true);
        });
      }),
    );
  });

  test("an alert is cleared only by its clear rule, held for its time", () => {
    fc.assert(
      fc.property(someThresholds, someValues, (thresholds, values) => {
        standings(thresholds, values).forEach((standing, at, all) => {
          if (standing.kind !== "calm" || all[at - 1]?.kind !== "raised") return;
          const value = values[at];
          expect(value !== undefined && isCalm(thresholds, value)).toBe(true);
          const minutes = thresholds.clearAfterMs / MINUTE_MS;
          const held = values.slice(Math.max(0, at - minutes), at + 1).filter((one) => one !== undefined);
          expect(held.every((one) => isCalm(thresholds, one))).toBe(true);
        });
      }),
    );
  });

  test("within the band between the thresholds nothing flaps", () => {
    fc.assert(
      fc.property(someThresholds, someValues, (thresholds, values) => {
        const low = Math.min(thresholds.raiseAt, thresholds.clearAt);
        const within = values.map((value) =>
          value === undefined
            ? value
            : low + 0.5 + (Math.abs(value) % 100) * ((Math.abs(thresholds.raiseAt - thresholds.clearAt) - 1) / 100),
        );
        const raised: Standing = { kind: "raised", since: START, calmSince: undefined };
        const risen = { ...thresholds, raiseAfterMs: 0 };
        let was: Standing = raised;
        within.forEach((value, at) => {
          was = decideStanding(risen, { was, value, now: minute(at) });
          expect(was).toEqual(raised);
        });
        expect(standings(risen, within).every(({ kind }) => kind === "calm")).toBe(true);
      }),
    );
  });

  test("the same look twice is one look", () => {
    fc.assert(
      fc.property(someThresholds, someValues, (thresholds, values) => {
        let was: Standing = { kind: "calm" };
        values.forEach((value, at) => {
          const once = decideStanding(thresholds, { was, value, now: minute(at) });
          // Only what a look ended may begin anew by the same value: thresholds that do not overlap forbid that.
          expect(decideStanding(thresholds, { was: once, value, now: minute(at) })).toEqual(once);
          was = once;
        });
      }),
    );
  });

  test("what is unknown neither raises nor clears", () => {
    fc.assert(
      fc.property(someThresholds, someValues, (thresholds, values) => {
        for (const was of standings(thresholds, values))
          expect(decideStanding(thresholds, { was, value: undefined, now: minute(10_000) })).toEqual(was);
      }),
    );
  });
});

test.each(RULES)("the thresholds that %s starts with are ones that staff could set", (rule) => {
  expect(checkSettings(rule, DEFINITIONS[rule].defaults)).toBe(DEFINITIONS[rule].defaults);
});

test("thresholds under which an alert would flap or never end are refused by name", () => {
  const hot = DEFINITIONS.battery_hot.defaults;
  expect(() => checkSettings("battery_hot", { ...hot, clearAt: 50 })).toThrow("below 50");
  expect(() => checkSettings("battery_low", { ...DEFINITIONS.battery_low.defaults, clearAt: 10 })).toThrow("above 20");
  expect(() => checkSettings("battery_hot", { ...hot, raiseAt: NaN })).toThrow("numbers");
  expect(() => checkSettings("battery_hot", { ...hot, raiseAfterMs: -1 })).toThrow("30 days");
  expect(() => checkSettings("battery_hot", { ...hot, quantity: "volts" })).toThrow("no quantity");
  expect(() => checkSettings("battery_low", { ...DEFINITIONS.battery_low.defaults, quantity: undefined })).toThrow(
    "percent or volts",
  );
  expect(() => checkSettings("silent", { ...DEFINITIONS.silent.defaults, raiseAt: 0.7, clearAt: 0.5 })).toThrow("1 (");
});
