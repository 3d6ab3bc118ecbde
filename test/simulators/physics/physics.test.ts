import { describe, expect, test } from "vitest";
import {
  drawSystem,
  makeSystem,
  type Chemistry,
  type Measurement,
  type SystemOptions,
} from "../../../simulators/fleet/physics/physics.ts";
import { clearSkyIrradiance, cosineOfZenith } from "../../../simulators/fleet/physics/sun.ts";
import { WEEKLY_SHAPES } from "../../../simulators/fleet/physics/weekly-shapes.ts";

const KIGALI = { latitude: -1.95, longitude: 30.06, timezone: "Africa/Kigali" };
const START = Date.UTC(2024, 0, 1);
const HOUR = 3_600_000;

function draw(seed: number, chemistry: Chemistry = "li_ion"): SystemOptions {
  return drawSystem({ seed, place: KIGALI, chemistry, startMs: START, faultYears: undefined });
}

function live(
  options: SystemOptions,
  days: number,
): { told: Measurement[]; truth: ReturnType<ReturnType<typeof makeSystem>["truth"]> } {
  const system = makeSystem(options);
  const told = Array.from({ length: days * 24 }, (_, hour) => system.advance(START + (hour + 1) * HOUR));
  return { told, truth: system.truth() };
}

describe("the sun", () => {
  test("stands highest at noon, is gone at midnight, and its light never passes that of space", () => {
    const noon = cosineOfZenith(KIGALI, Date.UTC(2024, 2, 21, 10, 0));
    const midnight = cosineOfZenith(KIGALI, Date.UTC(2024, 2, 21, 22, 0));
    expect(noon).toBeGreaterThan(0.99);
    expect(midnight).toBeLessThan(-0.9);
    expect(clearSkyIrradiance(noon)).toBeGreaterThan(950);
    expect(clearSkyIrradiance(1)).toBeLessThan(1_100);
    expect(clearSkyIrradiance(-0.2)).toBe(0);
  });

  test("shines longer in a northern June than in a northern December", () => {
    const north = { latitude: 24, longitude: 90, timezone: "Asia/Dhaka" };
    const day = (month: number) =>
      Array.from({ length: 48 }, (_, half) =>
        cosineOfZenith(north, Date.UTC(2024, month, 21) + half * 30 * 60_000),
      ).filter((cosine) => cosine > 0).length;
    expect(day(5)).toBeGreaterThan(day(11) + 4);
  });
});

describe("a solar home system", () => {
  test("lives the same life again with the same seed, and another with another", () => {
    expect(live(draw(7), 20)).toEqual(live(draw(7), 20));
    expect(live(draw(7), 20).told).not.toEqual(live(draw(8), 20).told);
  });

  test.each(["lead_acid", "lfp", "li_ion"] as const)(
    "of %s charges by day, discharges by night and loses capacity for good",
    (chemistry) => {
      const { told, truth } = live(draw(3, chemistry), 120);
      const at = (hours: readonly number[]) =>
        told
          .filter(({ atMs }) => hours.includes(new Date(atMs).getUTCHours()))
          .map(({ batteryCurrentA }) => batteryCurrentA);
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean(at([7, 8, 9]))).toBeGreaterThan(0);
      expect(mean(at([18, 19, 20]))).toBeLessThan(0);
      expect(truth.stateOfHealth).toBeLessThan(draw(3, chemistry).ageing.capacityShareNew);
      expect(truth.stateOfHealth).toBeGreaterThan(0.5);
      expect(told.every((row) => Object.values(row).every(Number.isFinite))).toBe(true);
    },
  );

  test("counts energy that only grows, and takes no more out than the sun brought in and the battery held", () => {
    const options = draw(5);
    const { told } = live(options, 60);
    for (const [index, row] of told.entries()) {
      expect(row.energyInWh).toBeGreaterThanOrEqual(told[index - 1]?.energyInWh ?? 0);
      expect(row.energyOutWh).toBeGreaterThanOrEqual(told[index - 1]?.energyOutWh ?? 0);
    }
    const last = told.at(-1);
    expect(last?.energyOutWh ?? 0).toBeLessThan((last?.energyInWh ?? 0) + options.capacityAh * 12.6 * 1.1);
  });

  test("in the shade it sinks to its cut-off and sits in the dark", () => {
    const options: SystemOptions = { ...draw(11), fault: { kind: "shaded", atMs: START, keptShare: 0.15 } };
    const system = makeSystem(options);
    let dark = 0;
    for (let hour = 1; hour <= 24 * 30; hour += 1) {
      system.advance(START + hour * HOUR);
      if (system.truth().disconnected) dark += 1;
    }
    expect(dark).toBeGreaterThan(100);
    expect(system.truth().cause).toBe("shaded");
  });

  test.each([
    ["lead_acid", 11],
    ["lfp", 12],
    ["li_ion", 11],
  ] as const)(
    "of %s that runs empty at night gives nothing more, since there is no sun to make up for it",
    (chemistry, seed) => {
      const options: SystemOptions = {
        ...draw(seed, chemistry),
        meter: {
          ...draw(seed, chemistry).meter,
          currentGain: 0,
          currentOffsetA: 0,
          currentStepA: 0.001,
          averages: true,
        },
        fault: { kind: "shaded", atMs: START, keptShare: 0.05 },
      };
      const { told } = live(options, 40);
      const deepNight = told.filter(({ atMs }) => [20, 21, 22, 23, 0, 1].includes(new Date(atMs).getUTCHours()));
      expect(Math.max(...deepNight.map(({ panelCurrentA }) => panelCurrentA))).toBeLessThan(0.01);
      // What comes in and what the battery held when new is all there is.
      const last = told.at(-1);
      expect(last?.energyOutWh ?? 0).toBeLessThan((last?.energyInWh ?? 0) + options.capacityAh * 13 * 1.1);
    },
  );

  test("with a tracking charger, the panel's own power and not its amperes is what comes to the battery", () => {
    const ratios = Array.from({ length: 12 }, (_, seed) => {
      const { told } = live(draw(seed), 20);
      const day = told.filter(({ atMs, panelCurrentA }) => new Date(atMs).getUTCHours() === 9 && panelCurrentA > 0.2);
      const sum = (pick: (row: Measurement) => number) => day.reduce((total, row) => total + pick(row), 0);
      const into = sum((row) => row.batteryCurrentA + row.loadCurrentA);
      return {
        byPower: sum((row) => row.panelPowerW / row.batteryVoltageV) / into,
        byCurrent: sum((row) => row.panelCurrentA) / into,
      };
    });
    // The charger's own losses are a twentieth.
    expect(ratios.every(({ byPower }) => byPower > 0.9 && byPower < 1.15)).toBe(true);
    expect(ratios.some(({ byCurrent }) => byCurrent < 0.85)).toBe(true);
    expect(ratios.some(({ byCurrent }) => byCurrent > 0.95)).toBe(true);
  });

  test("locked, it gives nothing and the battery fills", () => {
    const system = makeSystem(draw(5));
    for (let hour = 1; hour <= 48; hour += 1) system.advance(START + hour * HOUR);
    const before = system.advance(START + 49 * HOUR).energyOutWh;
    system.setLocked(true);
    for (let hour = 50; hour <= 200; hour += 1) system.advance(START + hour * HOUR);
    expect(system.advance(START + 201 * HOUR).energyOutWh).toBeLessThanOrEqual(before + 1);
    expect(system.truth().charge).toBeGreaterThan(0.8);
  });

  test("hot batteries age faster than the same ones in the cool", () => {
    const cool = draw(9);
    const hot: SystemOptions = { ...cool, fault: { kind: "hot", atMs: START, aboveC: 15 } };
    expect(live(hot, 365).truth.stateOfHealth).toBeLessThan(live(cool, 365).truth.stateOfHealth - 0.01);
  });

  test("the real weekly shapes are whole weeks with their mean at one and their peak in the evening", () => {
    expect(WEEKLY_SHAPES).toHaveLength(4);
    for (const shape of WEEKLY_SHAPES) {
      expect(shape).toHaveLength(168);
      expect(shape.reduce((sum, value) => sum + value, 0) / 168).toBeCloseTo(1, 1);
      const evening = Math.max(...shape.filter((_, hour) => [18, 19, 20].includes(hour % 24)));
      const night = Math.max(...shape.filter((_, hour) => [1, 2, 3].includes(hour % 24)));
      expect(evening).toBeGreaterThan(night);
    }
  });
});
