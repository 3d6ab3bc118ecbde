import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bucketMs,
  largestTriangles,
  lowestAndHighest,
  type Point,
} from "../../../src/telemetry/history/down-sample.ts";
import { devicesThatDiffer, slicesOf } from "../../../src/telemetry/history/fill.ts";
import { isTaken, nextWidth, rangeFrom } from "../../../src/telemetry/history/range.ts";
import { energyOf } from "../../../src/telemetry/history/rollup.ts";
import { pointsFor, stretchesOf } from "../../../src/telemetry/history/which-store.ts";
import { whyOtherNumbers } from "../../../src/telemetry/history/numbering.ts";

test("ranges follow each other without gap or overlap, whatever they hold, and end at the last closed transaction", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 300 }), (rowsByTransaction) => {
      const bounds = { rowsMax: 500, widthMax: 64n };
      const final = BigInt(rowsByTransaction.length);
      const countOf = (from: bigint, to: bigint): number =>
        rowsByTransaction.slice(Number(from), Number(to)).reduce((sum, rows) => sum + rows, 0);
      let [done, width, rows, looks] = [0n, 8n, 0, 0];
      for (
        let range = rangeFrom(done, { width, final });
        range !== undefined;
        range = rangeFrom(done, { width, final })
      ) {
        expect(++looks).toBeLessThan(5_000);
        expect(range.from).toBe(done);
        const held = countOf(range.from, range.to);
        width = nextWidth(range, held, bounds);
        if (!isTaken(range, held, bounds)) continue;
        expect(held <= bounds.rowsMax || range.to - range.from === 1n).toBe(true);
        rows += held;
        done = range.to;
      }
      expect(done).toBe(final);
      expect(rows).toBe(countOf(0n, final));
    }),
  );
});

const line = fc
  .array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 1, maxLength: 400 })
  .map((values) => values.map((value, step): Point => ({ atMs: step * 60_000, value })));

test("a thinned line keeps its ends, its order and only points that were measured", () => {
  fc.assert(
    fc.property(line, fc.integer({ min: 3, max: 50 }), (points, pointsMax) => {
      const thinned = largestTriangles(points, pointsMax);
      expect(thinned).toHaveLength(Math.min(points.length, pointsMax));
      expect(thinned.at(0)).toBe(points.at(0));
      expect(thinned.at(-1)).toBe(points.at(-1));
      const places = thinned.map((point) => points.indexOf(point));
      expect(places).toEqual([...new Set(places)].sort((left, right) => left - right));
    }),
  );
});

test("lowest and highest lose no peak, and keep to the number of points", () => {
  fc.assert(
    fc.property(line, fc.integer({ min: 4, max: 50 }), (points, pointsMax) => {
      const toMs = points.length * 60_000;
      const kept = lowestAndHighest(points, { fromMs: 0, bucketMs: bucketMs({ fromMs: 0, toMs }, pointsMax) });
      expect(kept.length).toBeLessThanOrEqual(pointsMax);
      const values = points.map(({ value }) => value);
      expect(Math.max(...kept.map(({ value }) => value))).toBe(Math.max(...values));
      expect(Math.min(...kept.map(({ value }) => value))).toBe(Math.min(...values));
    }),
  );
});

test("every instant asked for is answered by exactly one store", () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(1_000), fc.option(fc.nat(1_000), { nil: undefined }), (a, b, keptFrom) => {
      const [fromMs, toMs] = [Math.min(a, b), Math.max(a, b)];
      const stretches = stretchesOf({ fromMs, toMs }, keptFrom);
      expect(stretches.reduce((sum, stretch) => sum + stretch.toMs - stretch.fromMs, 0)).toBe(toMs - fromMs);
      for (const [index, stretch] of stretches.entries()) {
        expect(stretch.fromMs).toBe(stretches[index - 1]?.toMs ?? fromMs);
        expect(stretch.store).toBe(keptFrom !== undefined && stretch.fromMs >= keptFrom ? "recent" : "history");
        expect(pointsFor(stretch, stretches, 100)).toBeLessThanOrEqual(100);
      }
    }),
  );
});

test("energy is counted since the period before; a counter that began anew counts for what it saw itself", () => {
  expect(energyOf(100, { first: 120, last: 200 })).toBe(100);
  expect(energyOf(null, { first: 120, last: 200 })).toBe(80);
  expect(energyOf(500, { first: 3, last: 40 })).toBe(37);
  expect(energyOf(100, { first: null, last: null })).toBeNull();
});

test("only devices whose readings differ are looked at, in slices that fit", () => {
  const one = (device: number, rows: number, instants = 1n) => ({ device, rows, instants });
  expect(devicesThatDiffer([one(1, 5), one(2, 5), one(3, 5)], [one(1, 5), one(2, 4), one(4, 9)])).toEqual([
    one(2, 5),
    one(3, 5),
  ]);
  expect(devicesThatDiffer([one(1, 5, 7n)], [one(1, 5, 8n)])).toEqual([one(1, 5, 7n)]);
  expect(slicesOf([one(1, 6), one(2, 4), one(3, 1), one(4, 99), one(5, 1)], 10)).toEqual([[1, 2], [3], [4], [5]]);
});

test("numbers of another cluster, timeline, database or table are not ours, and the greatest difference is told", () => {
  const now = "7575/3/16384/16900";
  expect(whyOtherNumbers(now, now)).toBeUndefined();
  expect(whyOtherNumbers("7474/1/5/16384", now)).toContain("into another PostgreSQL cluster");
  expect(whyOtherNumbers("7575/2/16384/16900", now)).toContain("timeline 2 became 3");
  expect(whyOtherNumbers("7575/3/16385/16900", now)).toContain("within its PostgreSQL cluster");
  expect(whyOtherNumbers("7575/3/16384/16901", now)).toContain("within its PostgreSQL cluster");
});
