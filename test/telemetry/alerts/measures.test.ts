import { describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS } from "../../../src/kernel/time.ts";
import {
  isOlder,
  measure,
  solarHour,
  type MeasureContext,
  type Subject,
} from "../../../src/telemetry/alerts/measures.ts";
import { DEFINITIONS, type Rule } from "../../../src/telemetry/alerts/rules.ts";

/** Noon by the sun in Kitui, at 38 degrees east. */
const NOON = new Date("2026-03-02T09:28:00Z");
const LAMP: Subject = {
  device: 1,
  model: "Home 60",
  lastSeenAt: NOON,
  readingAt: NOON,
  intervalMs: HOUR_MS,
  tampered: undefined,
  chargePercent: undefined,
  batteryVoltageV: undefined,
  batteryTemperatureC: undefined,
  panelPowerW: undefined,
  panelVoltageV: undefined,
  panelCurrentA: undefined,
  signalDbm: undefined,
  longitude: 38,
  activeUntil: undefined,
  contractActiveUntil: undefined,
  tokenCount: undefined,
  tokensIssued: 0,
  firmwareVersion: undefined,
  clockShiftSeconds: 0,
};
const CONTEXT: MeasureContext = { now: NOON, zoneOffsetHours: 3, firmwareMinimum: new Map([["Home 60", "2.10"]]) };
const value = (rule: Rule, subject: Partial<Subject>, context: Partial<MeasureContext> = {}) =>
  measure(rule, {
    subject: { ...LAMP, ...subject },
    settings: DEFINITIONS[rule].defaults,
    context: { ...CONTEXT, ...context },
  });

describe("a panel that gives nothing", () => {
  test("is noticed at noon while the battery is not full", () => {
    expect(value("panel_dead", { panelPowerW: 0, chargePercent: 60 })).toBe(0);
    expect(value("panel_dead", { panelVoltageV: 18, panelCurrentA: 0, chargePercent: 60 })).toBe(0);
  });

  test("is no question at night, with a full battery, or with a battery of unknown charge", () => {
    const midnight = new Date(NOON.getTime() + 12 * HOUR_MS);
    const dark = { panelPowerW: 0, chargePercent: 60, lastSeenAt: midnight, readingAt: midnight };
    expect(value("panel_dead", dark, { now: midnight })).toBeUndefined();
    expect(value("panel_dead", { panelPowerW: 0, chargePercent: 98 })).toBeUndefined();
    expect(value("panel_dead", { panelPowerW: 0 })).toBeUndefined();
  });

  test("works as soon as it gives something, at any hour", () => {
    const morning = new Date(NOON.getTime() - 4 * HOUR_MS);
    expect(value("panel_dead", { panelPowerW: 7, lastSeenAt: morning, readingAt: morning }, { now: morning })).toBe(7);
  });
});

test("noon is where the sun says, not where the zone does", () => {
  expect(solarHour(NOON, 38)).toBeCloseTo(12, 1);
  expect(solarHour(new Date("2026-03-02T00:30:00Z"), -70)).toBeCloseTo(19.83, 1);
});

test("days that differ because a token was not taken yet are the token's business", () => {
  const days = {
    activeUntil: new Date(NOON.getTime() + DAY_MS),
    contractActiveUntil: new Date(NOON.getTime() + 8 * DAY_MS),
  };
  expect(value("days_differ", { ...days, tokenCount: 4, tokensIssued: 4 })).toBe(7);
  expect(value("days_differ", { ...days, tokenCount: 3, tokensIssued: 4 })).toBeUndefined();
  expect(value("token_lag", { tokenCount: 3, tokensIssued: 4 })).toBe(1);
  expect(value("days_differ", { activeUntil: new Date(0), contractActiveUntil: "forever" })).toBe(10_000);
});

test("a device that fell silent with a low battery keeps its alert, whatever was the last it said", () => {
  const later = { now: new Date(NOON.getTime() + 5 * HOUR_MS) };
  expect(value("battery_low", { chargePercent: 12 })).toBe(12);
  expect(value("battery_low", { chargePercent: 12 }, later)).toBeUndefined();
  expect(value("silent", {}, later)).toBeGreaterThan(1);
});

test("versions are compared by their numbers", () => {
  expect(isOlder("2.9", "2.10")).toBe(true);
  expect(isOlder("v2.10.0", "2.10")).toBe(false);
  expect(isOlder("2.10.1", "2.10")).toBe(false);
  expect(isOlder("unknown", "2.10")).toBe(false);
  expect(value("firmware_old", { firmwareVersion: "2.9.9" })).toBe(1);
  expect(value("firmware_old", { firmwareVersion: "2.9.9", model: "Home 200" })).toBeUndefined();
});
