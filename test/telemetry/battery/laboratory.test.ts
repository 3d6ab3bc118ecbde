import { describe, expect, test } from "vitest";
import { readCells } from "../../../bench/battery/cells.ts";
import { judgeCells } from "../../../bench/battery/laboratory.ts";
import { makeChance } from "../../../simulators/fleet/physics/physics.ts";
import { forecastEndOfLife } from "../../../src/telemetry/battery/forecast.ts";
import {
  endOfLifeCycle,
  firstCycles,
  trainForecaster,
  type LaboratoryCell,
} from "../../../src/telemetry/battery/laboratory.ts";

/** Cells that lose capacity by a power of their cycles, with noise. */
function makeCell(name: string, life: number, { power = 1.2, family = "made" } = {}): LaboratoryCell {
  const chance = makeChance(life, name);
  const capacitiesAh = Array.from(
    { length: Math.round(life * 1.3) },
    (_, cycle) => 2 - 0.6 * (cycle / life) ** power + 0.004 * chance.normal(),
  );
  return { name, family, endAh: 1.4, capacitiesAh };
}

const FLEET = [400, 450, 380, 520, 470].map((life, at) => makeCell(`made${at}`, life));

describe("the reference method", () => {
  test("finds the end of made cells from half their life better than the mean of their kin does", () => {
    const judged = judgeCells(FLEET, undefined).filter(({ seenShare }) => seenShare === 0.5);
    const mean = (errors: readonly number[]) => errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
    expect(judged).toHaveLength(5);
    expect(mean(judged.map(({ error }) => error))).toBeLessThan(0.1);
    expect(mean(judged.map(({ error }) => error))).toBeLessThan(mean(judged.map(({ kinError }) => kinError)));
    expect(judged.every(({ covered }) => covered)).toBe(true);
  });

  test("does not learn that a life is twice what was seen", () => {
    const forecaster = trainForecaster(FLEET.slice(1), 0.875);
    const [cell] = FLEET;
    const lives = [0.35, 0.5, 0.65].map(
      (share) => forecaster.forecast(firstCycles(cell ?? makeCell("none", 400), Math.floor(400 * share))).cycles,
    );
    for (const life of lives) expect(Math.abs(life / 400 - 1)).toBeLessThan(0.15);
  });

  test("takes a life to have ended when the median of five cycles has, not one bad reading", () => {
    const capacitiesAh = [2, 2, 1.2, 2, 2, 1.9, 1.39, 1.38, 1.37, 1.36, 1.35];
    expect(endOfLifeCycle({ name: "x", family: "y", endAh: 1.4, capacitiesAh })).toBe(7);
    expect(endOfLifeCycle({ name: "x", family: "y", endAh: 1, capacitiesAh })).toBeUndefined();
  });

  test("refuses to learn from fewer than three ended cells", () => {
    expect(() => trainForecaster(FLEET.slice(0, 2), 0.875)).toThrow("At least 3 cells");
  });

  test("reads NASA's cells and forecasts each from the other and made ones", () => {
    const cells = readCells("test/telemetry/battery/fixtures");
    expect(cells.map(({ name, family }) => [name, family])).toEqual([
      ["B0005", "NASA"],
      ["B0006", "NASA"],
    ]);
    expect(cells.map((cell) => endOfLifeCycle(cell))).toEqual([125, 109]);
    for (const { error } of judgeCells([...cells, ...FLEET], cells).filter(({ seenShare }) => seenShare === 0.5))
      expect(Math.abs(error)).toBeLessThan(0.25);
  });

  test("a folder without cells is told what was expected", () => {
    expect(() => readCells("docs/adr")).toThrow("Expected one with the columns");
    expect(() => readCells("no/such/folder")).toThrow("does not exist");
  });
});

describe("the field's forecast", () => {
  const state = { level: 0.9, slope: -0.002, levelVariance: 0.02 ** 2, slopeVariance: 0.0003 ** 2, covariance: 0 };

  test("says when the trend comes to its end, with earlier and later bounds", () => {
    const { weeks10, weeks50, weeks90, within8Weeks, within26Weeks } = forecastEndOfLife(state);
    expect(weeks50).toBe(50);
    expect(weeks10 ?? 99).toBeLessThan(50);
    expect(weeks90 ?? 999).toBeGreaterThan(50);
    expect(within8Weeks).toBeLessThan(within26Weeks);
  });

  test("is wider for a trend that is less known", () => {
    const vague = forecastEndOfLife({ ...state, slopeVariance: 0.001 ** 2 });
    const sharp = forecastEndOfLife(state);
    expect(vague.weeks10 ?? 0).toBeLessThan(sharp.weeks10 ?? 0);
  });

  test("of a battery that does not fade lies beyond the horizon", () => {
    expect(forecastEndOfLife({ ...state, level: 0.99, slope: 0 }).weeks50).toBeUndefined();
  });
});
