import type { Known } from "./placing.ts";

/** What one lane remembers of every device that it has heard, so that PostgreSQL need not be asked before each frame. */
export interface Memory {
  get(device: number): Known | undefined;
  set(device: number, known: Known): void;
  /** The next frame of this device asks the database again. */
  forget(device: number): void;
  /** The count of tokens that was last told on; undefined when none was. */
  tokenCount(device: number): number | undefined;
  setTokenCount(device: number, count: number): void;
}

const PAGE_BITS = 12;
const PAGE_DEVICES = 1 << PAGE_BITS;
/** Cells of a device: 40 bytes. NaN is nothing. */
const CELLS = 5;
const [SHIFT, REQUEST_TIMESTAMP, REQUEST_COUNT, READING_AT, TOKEN_COUNT] = [0, 1, 2, 3, 4];

/**
 * Plain numbers in pages, found by the device's number. Those numbers are given out one after the other and belong to devices that
 * exist, so the fleet's size bounds the memory (40 MB a million), nothing need be given up, and the collector has nothing to
 * walk through. A map of objects, bounded at 400,000, made a fleet of a million ask the database for most frames.
 */
export function makeMemory(): Memory {
  const pages: (Float64Array | undefined)[] = [];
  function pageOf(device: number): Float64Array {
    return (pages[device >> PAGE_BITS] ??= new Float64Array(PAGE_DEVICES * CELLS).fill(Number.NaN));
  }
  const cellOf = (device: number): number => (device & (PAGE_DEVICES - 1)) * CELLS;
  return {
    get(device) {
      const page = pages[device >> PAGE_BITS];
      if (page === undefined) return undefined;
      const at = cellOf(device);
      const shiftSeconds = numberIn(page, at + SHIFT);
      if (shiftSeconds === undefined) return undefined;
      return {
        requestTimestamp: numberIn(page, at + REQUEST_TIMESTAMP),
        requestCount: numberIn(page, at + REQUEST_COUNT),
        shiftSeconds,
        readingAtMs: numberIn(page, at + READING_AT),
      };
    },
    set(device, known) {
      const page = pageOf(device);
      const at = cellOf(device);
      page[at + SHIFT] = known.shiftSeconds;
      page[at + REQUEST_TIMESTAMP] = known.requestTimestamp ?? Number.NaN;
      page[at + REQUEST_COUNT] = known.requestCount ?? Number.NaN;
      page[at + READING_AT] = known.readingAtMs ?? Number.NaN;
    },
    forget(device) {
      const page = pages[device >> PAGE_BITS];
      if (page !== undefined) page[cellOf(device) + SHIFT] = Number.NaN;
    },
    tokenCount(device) {
      const page = pages[device >> PAGE_BITS];
      return page === undefined ? undefined : numberIn(page, cellOf(device) + TOKEN_COUNT);
    },
    setTokenCount(device, count) {
      pageOf(device)[cellOf(device) + TOKEN_COUNT] = count;
    },
  };
}

function numberIn(page: Float64Array, at: number): number | undefined {
  const value = page[at];
  return value === undefined || Number.isNaN(value) ? undefined : value;
}
