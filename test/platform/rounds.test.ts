import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeRounds } from "../../src/platform/rounds.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ignored = (): void => undefined;

test("a round that is still under way when the next is due is not done twice at once", async () => {
  const ends: (() => void)[] = [];
  const round = () => new Promise<void>((resolve) => void ends.push(resolve));
  const rounds = makeRounds({ everyMs: 1_000, round, onFault: ignored });
  rounds.start();
  rounds.start();
  await vi.advanceTimersByTimeAsync(3_500);
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ends).toHaveLength(2);
});

test("a round that fails is told, and the next comes all the same", async () => {
  const faults: unknown[] = [];
  const round = () => Promise.reject(new Error("away"));
  const rounds = makeRounds({ everyMs: 1_000, round, onFault: (error) => void faults.push(error), beginsAtOnce: true });
  rounds.start();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(faults).toEqual([new Error("away"), new Error("away")]);
  await rounds.stop();
});

test("stopping waits for the round that is under way, and none comes after it", async () => {
  let begun = 0;
  let end = ignored;
  const round = () => {
    begun += 1;
    return new Promise<void>((resolve) => (end = resolve));
  };
  const rounds = makeRounds({ everyMs: 1_000, round, onFault: ignored, beginsAtOnce: true });
  rounds.start();
  let isStopped = false;
  const stopped = rounds.stop().then(() => (isStopped = true));
  await vi.advanceTimersByTimeAsync(5_000);
  expect([begun, isStopped]).toEqual([1, false]);
  end();
  await stopped;
  expect(begun).toBe(1);
});
