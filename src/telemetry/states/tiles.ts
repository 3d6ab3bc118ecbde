import { InvalidInput } from "../../kernel/refusal.ts";

/** A part of the map in degrees. West is at most east: a view across the 180th meridian is asked for as two. */
export interface Bounds {
  readonly west: number;
  readonly south: number;
  readonly east: number;
  readonly north: number;
}

/** Mercator squares of one zoom, both ends included. */
export interface TileRange {
  readonly zoom: number;
  readonly xMin: number;
  readonly xMax: number;
  readonly yMin: number;
  readonly yMax: number;
}

/** Web maps end here. */
export const LATITUDE_MAX = 85;
export const ZOOM_MAX = 20;
/** A square of the grid is 64 screen points wide: a tile of 256 split in four each way. */
const GRID_LEVELS = 2;
/** Four screens of 2,000 by 2,000 points; more would be neither read nor drawn. */
export const SQUARES_MAX = 4_096;

/** The square of a place at a zoom, by the web's Mercator projection (EPSG:3857, counted from the north-west). */
export function tileOf({ latitude, longitude }: { latitude: number; longitude: number }, zoom: number) {
  const side = 2 ** zoom;
  const radians = (Math.min(Math.max(latitude, -LATITUDE_MAX), LATITUDE_MAX) * Math.PI) / 180;
  const x = Math.floor(((longitude + 180) / 360) * side);
  const y = Math.floor(((1 - Math.log(Math.tan(radians) + 1 / Math.cos(radians)) / Math.PI) / 2) * side);
  return { x: Math.min(Math.max(x, 0), side - 1), y: Math.min(Math.max(y, 0), side - 1) };
}

/**
 * The squares in which devices are put together for a view: those of the view's zoom + 2. Throws `InvalidInput` for bounds
 * that are none, a zoom that is none, and a view that would need more than 4,096 squares.
 */
export function gridOf(bounds: Bounds, viewZoom: number): TileRange {
  const { west, south, east, north } = bounds;
  if (!Number.isInteger(viewZoom) || viewZoom < 0 || viewZoom > ZOOM_MAX)
    throw new InvalidInput(`A zoom is a whole number from 0 to ${ZOOM_MAX}.`, "zoom");
  if (![west, south, east, north].every(Number.isFinite) || Math.abs(south) > 90 || Math.abs(north) > 90)
    throw new InvalidInput("Bounds are degrees: latitudes from -90 to 90, longitudes from -180 to 180.", "bounds");
  if (Math.abs(west) > 180 || Math.abs(east) > 180 || west > east || south > north)
    throw new InvalidInput(
      "Bounds go from west to east and from south to north, within -180 and 180 degrees. Ask for a view across the 180th meridian in two parts.",
      "bounds",
    );
  const zoom = viewZoom + GRID_LEVELS;
  const first = tileOf({ latitude: north, longitude: west }, zoom);
  const last = tileOf({ latitude: south, longitude: east }, zoom);
  if ((last.x - first.x + 1) * (last.y - first.y + 1) > SQUARES_MAX)
    throw new InvalidInput("These bounds are too large for this zoom: zoom out, or ask for a smaller part.", "bounds");
  return { zoom, xMin: first.x, xMax: last.x, yMin: first.y, yMax: last.y };
}

/** The same part of the map in squares of another zoom: wider where that is lower. */
export function atZoom(range: TileRange, zoom: number): TileRange {
  const factor = 2 ** (zoom - range.zoom);
  return {
    zoom,
    xMin: Math.floor(range.xMin * factor),
    xMax: Math.ceil((range.xMax + 1) * factor) - 1,
    yMin: Math.floor(range.yMin * factor),
    yMax: Math.ceil((range.yMax + 1) * factor) - 1,
  };
}
