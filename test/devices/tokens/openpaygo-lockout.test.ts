import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isLockedOut,
  LOCKOUT_POLICIES,
  lockoutAfter,
  lockoutMinutes,
  NO_LOCKOUT,
} from "../../../src/devices/tokens/openpaygo.ts";
import { NOW_AT } from "./token-devices.ts";

const wrong = { outcome: "INVALID", reason: "NO_MATCH" } as const;
const first = (length: number, minutes: (streak: number) => number) =>
  Array.from({ length }, (_, index) => minutes(index + 1));

describe("waiting after wrong tokens", () => {
  test("the documented wait doubles from one minute and stays at 512", () => {
    expect(first(11, (streak) => lockoutMinutes("docs", streak))).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]);
  });

  test("the firmware forgives two wrong tokens, then doubles from two minutes", () => {
    const minutes = first(12, (streak) => lockoutMinutes("c_firmware", streak));
    expect(minutes).toEqual([0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]);
  });

  test("the simulator's wait doubles from two minutes without end, and no instant becomes impossible", () => {
    expect(first(4, (streak) => lockoutMinutes("python_simulator", streak))).toEqual([2, 4, 8, 16]);
    const after = lockoutAfter(
      "python_simulator",
      { invalidStreak: 2_000, lockedUntil: null },
      { decision: wrong, nowAt: NOW_AT },
    );
    expect(Number.isNaN(new Date(after.lockedUntil ?? 0).getTime())).toBe(false);
  });

  test("without a policy nobody ever waits", () => {
    const after = lockoutAfter("none", NO_LOCKOUT, { decision: wrong, nowAt: NOW_AT });
    expect(after).toEqual({ invalidStreak: 1, lockedUntil: null });
    expect(isLockedOut(after, NOW_AT)).toBe(false);
  });

  test("the keypad opens again at the very end of the wait", () => {
    const after = lockoutAfter("docs", NO_LOCKOUT, { decision: wrong, nowAt: NOW_AT });
    expect(isLockedOut(after, NOW_AT + 59_999)).toBe(true);
    expect(isLockedOut(after, NOW_AT + 60_000)).toBe(false);
  });

  test("a valid token forgives everything; a used or unreadable one forgives and costs nothing", () => {
    fc.assert(
      fc.property(fc.constantFrom(...LOCKOUT_POLICIES), fc.integer({ min: 1, max: 50 }), (policy, invalidStreak) => {
        const state = { invalidStreak, lockedUntil: NOW_AT };
        expect(lockoutAfter(policy, state, { decision: { outcome: "VALID" }, nowAt: NOW_AT })).toEqual(NO_LOCKOUT);
        expect(lockoutAfter(policy, state, { decision: { outcome: "ALREADY_USED" }, nowAt: NOW_AT })).toEqual(state);
        const unreadable = { outcome: "INVALID", reason: "MALFORMED" } as const;
        expect(lockoutAfter(policy, state, { decision: unreadable, nowAt: NOW_AT })).toEqual(state);
      }),
    );
  });
});
