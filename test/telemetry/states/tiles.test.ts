import fc from "fast-check";
import { expect, test } from "vitest";
import { InvalidInput } from "../../../src/kernel/refusal.ts";
import { atZoom, gridOf, SQUARES_MAX, tileOf } from "../../../src/telemetry/states/tiles.ts";

const aPlace = fc.record({
  latitude: fc.double({ min: -84, max: 84, noNaN: true }),
  longitude: fc.double({ min: -179, max: 179, noNaN: true }),
});

test("a place lies in the same square as web maps draw it", () => {
  // Nairobi at zoom 10, as a web map names its tile.
  expect(tileOf({ latitude: -1.2864, longitude: 36.8172 }, 10)).toEqual({ x: 616, y: 515 });
});

test("every place of a view lies in the view's squares, at each zoom they are read at", () => {
  fc.assert(
    fc.property(aPlace, fc.integer({ min: 0, max: 18 }), (place, zoom) => {
      const half = 90 / 2 ** zoom;
      const bounds = {
        west: Math.max(-180, place.longitude - half),
        east: Math.min(180, place.longitude + half),
        south: Math.max(-90, place.latitude - half / 4),
        north: Math.min(90, place.latitude + half / 4),
      };
      const grid = gridOf(bounds, zoom);
      expect((grid.xMax - grid.xMin + 1) * (grid.yMax - grid.yMin + 1)).toBeLessThanOrEqual(SQUARES_MAX);
      for (const at of [grid.zoom, Math.max(grid.zoom - 1, 0), 12]) {
        const [range, tile] = [atZoom(grid, at), tileOf(place, at)];
        expect(tile.x >= range.xMin && tile.x <= range.xMax && tile.y >= range.yMin && tile.y <= range.yMax).toBe(true);
      }
    }),
  );
});

test.each([
  ["a zoom that is none", { west: 0, south: 0, east: 1, north: 1 }, 1.5, "zoom"],
  ["a view that is not a number", { west: NaN, south: 0, east: 1, north: 1 }, 5, "bounds"],
  ["a view from east to west", { west: 10, south: 0, east: 1, north: 1 }, 5, "bounds"],
  ["the whole world seen closely", { west: -180, south: -80, east: 180, north: 80 }, 12, "bounds"],
])("%s is refused", (_what, bounds, zoom, field) => {
  expect(() => gridOf(bounds, zoom)).toThrow(InvalidInput);
  expect(() => gridOf(bounds, zoom)).toThrow(expect.objectContaining({ field }));
});
