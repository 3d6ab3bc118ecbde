import { describe, expect, test } from "vitest";
import { makeMemory } from "../../../src/telemetry/ingest/memory.ts";

const KNOWN = { requestTimestamp: 1_700_000_000, requestCount: undefined, shiftSeconds: 0, readingAtMs: 1.5 };

describe("what a lane remembers of its devices", () => {
  test("each device has its own, on pages far apart and side by side, and nothing is known of the others", () => {
    const memory = makeMemory();
    const numbers = [1, 2, 4_095, 4_096, 4_097, 2_000_000];
    for (const device of numbers) memory.set(device, { ...KNOWN, requestCount: device });
    for (const device of numbers) expect(memory.get(device)).toEqual({ ...KNOWN, requestCount: device });
    for (const device of [0, 3, 4_098, 1_999_999, 9_000_000]) expect(memory.get(device)).toBeUndefined();
  });

  test("what is forgotten is asked for again, but a count of tokens that was told on is not told twice", () => {
    const memory = makeMemory();
    memory.set(7, KNOWN);
    memory.setTokenCount(7, 3);
    memory.forget(7);
    expect(memory.get(7)).toBeUndefined();
    expect(memory.tokenCount(7)).toBe(3);
    expect(memory.tokenCount(8)).toBeUndefined();
  });

  test("a count that is told before anything else makes no device known", () => {
    const memory = makeMemory();
    memory.setTokenCount(7, 3);
    expect(memory.get(7)).toBeUndefined();
  });
});
