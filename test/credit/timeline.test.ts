import fc from "fast-check";
import { expect, test } from "vitest";
import { timeline, type ContractHistory } from "../../src/credit/timeline.ts";

const day = (number: number): Date => new Date(Date.UTC(2026, 2, 1) + number * 86_400_000);
const history = (
  stretches: readonly (readonly [number, number])[],
  more: Partial<ContractHistory> = {},
): ContractHistory => ({
  stretches: stretches.map(([from, until]) => ({ fromAt: day(from), untilAt: day(until) })),
  unlockedAt: undefined,
  writtenOffAt: undefined,
  ...more,
});
const told = (given: ContractHistory, until = day(100)): string[] =>
  timeline(given, until).map(({ at, from, to }) => `${(at.getTime() - day(0).getTime()) / 86_400_000} ${from}>${to}`);

test("a contract that was never paid has no history", () => {
  expect(told(history([]))).toEqual([]);
});

test("light goes on with the first payment and off when its time is over", () => {
  expect(told(history([[0, 3]]))).toEqual(["0 CREATED>ENABLED", "3 ENABLED>DISABLED"]);
});

test("a payment before the end, or in the very moment of it, leaves the light on", () => {
  expect(
    told(
      history([
        [0, 3],
        [3, 5],
      ]),
    ),
  ).toEqual(["0 CREATED>ENABLED", "5 ENABLED>DISABLED"]);
  expect(
    told(
      history([
        [0, 3],
        [4, 5],
      ]),
    ),
  ).toEqual(["0 CREATED>ENABLED", "3 ENABLED>DISABLED", "4 DISABLED>ENABLED", "5 ENABLED>DISABLED"]);
});

test("what lies ahead has not happened yet", () => {
  expect(told(history([[0, 3]]), day(2))).toEqual(["0 CREATED>ENABLED"]);
  expect(told(history([[0, 3]]), day(3))).toEqual(["0 CREATED>ENABLED", "3 ENABLED>DISABLED"]);
  expect(told(history([[5, 8]]), day(2))).toEqual([]);
});

test("an unlocked lamp stays on, whether its time was over or not", () => {
  expect(told(history([[0, 3]], { unlockedAt: day(2) }))).toEqual(["0 CREATED>ENABLED", "2 ENABLED>UNLOCKED"]);
  expect(told(history([[0, 3]], { unlockedAt: day(7) }))).toEqual([
    "0 CREATED>ENABLED",
    "3 ENABLED>DISABLED",
    "7 DISABLED>UNLOCKED",
  ]);
  expect(told(history([], { unlockedAt: day(1) }))).toEqual(["1 CREATED>UNLOCKED"]);
});

test("a written-off contract ends in that state, and nothing follows it", () => {
  expect(
    told(
      history(
        [
          [0, 3],
          [9, 12],
        ],
        { writtenOffAt: day(5) },
      ),
    ),
  ).toEqual(["0 CREATED>ENABLED", "3 ENABLED>DISABLED", "5 DISABLED>WRITTEN_OFF"]);
});

test("every change starts from the state before it, in order of time", () => {
  const stretches = fc
    .array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 20 })), { maxLength: 10 })
    .map((gaps) => {
      let end = 0;
      return gaps.map(([gap, length]) => [end + gap, (end = end + gap + length)] as const);
    });
  fc.assert(
    fc.property(
      stretches,
      fc.option(fc.integer({ min: 0, max: 300 }), { nil: undefined }),
      fc.integer({ min: 0, max: 300 }),
      (given, end, until) => {
        const transitions = timeline(
          history(given, { unlockedAt: end === undefined ? undefined : day(end) }),
          day(until),
        );
        transitions.forEach((transition, at) => {
          expect(transition.from).toBe(at === 0 ? "CREATED" : transitions[at - 1]?.to);
          expect(transition.from).not.toBe(transition.to);
          expect(transition.at >= (transitions[at - 1]?.at ?? day(0)) && transition.at <= day(until)).toBe(true);
        });
      },
    ),
  );
});
