import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  combineEvidence,
  filterTrend,
  fitLine,
  fitThroughOrigin,
  mean,
  median,
  normalCdf,
  normalQuantile,
  quantile,
  studentQuantile,
  type TrendState,
} from "../../src/learning/learning.ts";

describe("quantiles", () => {
  test("agree with the printed tables", () => {
    expect(normalCdf(1.96)).toBeCloseTo(0.975, 4);
    expect(normalQuantile(0.95)).toBeCloseTo(1.6449, 3);
    expect(studentQuantile(0.975, 5)).toBeCloseTo(2.571, 2);
    expect(studentQuantile(0.95, 10)).toBeCloseTo(1.812, 2);
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(median([9, 1, 5])).toBe(5);
    expect(mean([1, 2, 6])).toBe(3);
  });

  test("a share that is none is refused", () => {
    expect(() => normalQuantile(1)).toThrow(RangeError);
  });

  test("a quantile and its share lead back to each other", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (share) => {
        expect(normalCdf(normalQuantile(share))).toBeCloseTo(share, 5);
      }),
    );
  });
});

describe("lines", () => {
  test("points on a line give that line back, whatever their weights", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 3, maxLength: 20 }),
        (slope, level, weights) => {
          const x = [...weights.keys()];
          const line = fitLine(
            x,
            x.map((at) => level + slope * at),
            weights,
          );
          expect(line?.slope).toBeCloseTo(slope, 6);
          expect(line?.level).toBeCloseTo(level, 5);
        },
      ),
    );
  });

  test("points above each other have no line", () => {
    expect(fitLine([2, 2, 2], [1, 2, 3])).toBeUndefined();
    expect(fitThroughOrigin([0, 0], [1, 2])).toBeUndefined();
  });
});

describe("evidence", () => {
  test("more opinions never make a number less certain, and it stays between them", () => {
    const opinions = fc.array(
      fc.record({
        value: fc.double({ min: -10, max: 10, noNaN: true }),
        variance: fc.double({ min: 0.01, max: 100, noNaN: true }),
      }),
      { minLength: 2, maxLength: 8 },
    );
    fc.assert(
      fc.property(opinions, (heard) => {
        const fewer = combineEvidence(heard.slice(1));
        const all = combineEvidence(heard);
        expect(all?.variance).toBeLessThanOrEqual(fewer?.variance ?? 0);
        expect(all?.value).toBeGreaterThanOrEqual(Math.min(...heard.map(({ value }) => value)) - 1e-9);
        expect(all?.value).toBeLessThanOrEqual(Math.max(...heard.map(({ value }) => value)) + 1e-9);
      }),
    );
  });

  test("nobody's opinion is none", () => {
    expect(combineEvidence([])).toBeUndefined();
  });
});

describe("a trend", () => {
  const unknown: TrendState = { level: 1, slope: 0, levelVariance: 1, slopeVariance: 0.01, covariance: 0 };
  const wander = { level: 1e-6, slope: 1e-8 };

  test("finds the level and slope of what is observed", () => {
    let state = unknown;
    for (let step = 1; step <= 60; step += 1)
      state = filterTrend(state, { value: 2 - 0.01 * step, variance: 1e-4 }, wander);
    expect(state.level).toBeCloseTo(1.4, 2);
    expect(state.slope).toBeCloseTo(-0.01, 3);
  });

  test("grows less certain while nothing is observed, and more certain when something is", () => {
    const silent = filterTrend(unknown, undefined, wander);
    const observed = filterTrend(unknown, { value: 1, variance: 0.1 }, wander);
    expect(silent.levelVariance).toBeGreaterThan(unknown.levelVariance);
    expect(observed.levelVariance).toBeLessThan(silent.levelVariance);
  });

  test("one absurd observation hardly moves it", () => {
    let state = unknown;
    for (let step = 0; step < 30; step += 1) state = filterTrend(state, { value: 1, variance: 1e-4 }, wander);
    const after = filterTrend(state, { value: -40, variance: 1e-4 }, wander);
    expect(after.level).toBeGreaterThan(0.97);
  });
});
