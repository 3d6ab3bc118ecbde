import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { advance, chainOrigin, maskValue, tokenOf } from "../../../src/devices/tokens/openpaygo-chain.ts";
import { writeToken } from "../../../src/devices/tokens/openpaygo-digits.ts";
import {
  acceptToken,
  isUnlocked,
  JUMP_MAX,
  newDeviceState,
  OLDER_WINDOW,
  remainingMs,
  SYNC_JUMP_MAX,
} from "../../../src/devices/tokens/openpaygo.ts";
import type { DeviceState, TokenDecision, TokenDevice } from "../../../src/devices/tokens/openpaygo.ts";
import { anyDevice, anyWish, DAY_MS, deviceOf, issueAll, issued, NOW_AT, SEEDED } from "./token-devices.ts";

const device = deviceOf();

function enter(state: DeviceState, token: string, on: TokenDevice = device): TokenDecision {
  return acceptToken(on, state, { token, nowAt: NOW_AT });
}

/** Enters tokens one after the other and answers the outcomes and the last state. */
function enterAll(from: DeviceState, tokens: readonly string[], on: TokenDevice = device) {
  let state = from;
  const outcomes = tokens.map((token) => {
    const decision = enter(state, token, on);
    state = decision.state;
    return decision.outcome;
  });
  return { state, outcomes };
}

/** A token that the issuing side refuses to make, as a careless server would have made it. */
function unissuable(value: number, count: number): string {
  const base = maskValue(device, "standard", value);
  const start = { device, form: "standard", base } as const;
  return writeToken(tokenOf("standard", advance(start, chainOrigin(start), count), base), "standard", false);
}

const anyStart = fc.tuple(anyDevice, fc.integer({ min: 0, max: 60 }));
const wishes = fc.array(anyWish, { minLength: 1, maxLength: 12 });

describe("what a token does", () => {
  test("time is added to what is left, and starts now when nothing is left", () => {
    const add = issued(device, { type: "ADD_TIME", units: 30, count: 1 });
    const fresh = enter(newDeviceState(), add.token);
    expect(fresh).toMatchObject({ outcome: "VALID", type: "ADD_TIME", value: 30, count: 2 });
    expect(fresh.state).toEqual({ count: 2, usedCounts: [2], paygEnabled: true, expiresAt: NOW_AT + 30 * DAY_MS });
    const early = { ...newDeviceState(), expiresAt: NOW_AT + DAY_MS };
    expect(enter(early, add.token).state.expiresAt).toBe(NOW_AT + 31 * DAY_MS);
    const late = { ...newDeviceState(), expiresAt: NOW_AT - 99 * DAY_MS };
    expect(enter(late, add.token).state.expiresAt).toBe(NOW_AT + 30 * DAY_MS);
  });

  test("set time replaces what is left, so days can be taken away", () => {
    const state = { ...newDeviceState(4), expiresAt: NOW_AT + 90 * DAY_MS };
    const locked = enter(state, issued(device, { type: "SET_TIME", units: 0, count: 4 }).token).state;
    expect(isUnlocked(locked, NOW_AT)).toBe(false);
    expect(isUnlocked(state, NOW_AT)).toBe(true);
  });

  test("a time divider makes a unit a part of a day and never takes a moment from the customer", () => {
    const hours = deviceOf({ timeDivider: 24 });
    const half = issued(hours, { type: "ADD_TIME", units: 12, count: 1 });
    expect(remainingMs(enter(newDeviceState(), half.token, hours).state, NOW_AT)).toBe(DAY_MS / 2);
    const sevenths = deviceOf({ timeDivider: 7 });
    const one = issued(sevenths, { type: "ADD_TIME", units: 1, count: 1 });
    expect(remainingMs(enter(newDeviceState(), one.token, sevenths).state, NOW_AT)).toBe(Math.ceil(DAY_MS / 7));
  });

  test("an extended token moves the count and leaves its meaning to the manufacturer", () => {
    const token = issued(device, { type: "ADD_TIME", units: 998, count: 1, extended: true }).token;
    const first = enter(newDeviceState(), token);
    expect(first).toMatchObject({ outcome: "VALID", type: "EXTENDED", value: 998, count: 2 });
    expect(first.state).toEqual({ ...newDeviceState(), count: 2 });
    expect(enter(first.state, token).outcome).toBe("ALREADY_USED");
  });

  test("the printed starting code never works as a token", () => {
    const printed = String(device.startingCode);
    for (const count of [0, 1, 20]) expect(enter(newDeviceState(count), printed).outcome).not.toBe("VALID");
  });

  test("the reserved values use up their count and change nothing else", () => {
    for (const [value, count] of [
      [996, 2],
      [997, 3],
    ] as const) {
      const decision = enter({ ...newDeviceState(), expiresAt: NOW_AT + DAY_MS }, unissuable(value, count));
      expect(decision).toMatchObject({ outcome: "VALID", value, count });
      expect(decision.state).toMatchObject({ count, paygEnabled: true, expiresAt: NOW_AT + DAY_MS });
    }
  });

  test("a top-up on a lamp that is unlocked for good leaves even the hidden expiry alone", () => {
    const unlocked = { ...newDeviceState(3), paygEnabled: false, expiresAt: NOW_AT + DAY_MS };
    const { state } = enter(unlocked, issued(device, { type: "ADD_TIME", units: 30, count: 3 }).token);
    expect(state).toEqual({ ...unlocked, count: 4, usedCounts: [4] });
  });

  test("a paid token is accepted although it looks like one of long ago", () => {
    const old = issued(device, { type: "ADD_TIME", units: 260, count: 40 });
    const paid = issued(device, { type: "ADD_TIME", units: 260, count: 78 });
    expect([old.token, paid.token]).toEqual(["982253442", "982253442"]);
    expect(enter(newDeviceState(70), paid.token)).toMatchObject({ outcome: "VALID", count: paid.count });
  });

  test("a state that cannot be a device's is a bug and stops at once", () => {
    expect(() => enter(newDeviceState(-1), "1")).toThrow(RangeError);
    expect(() => enter(newDeviceState(1e12), "1")).toThrow(RangeError);
  });
});

describe("how far a device looks", () => {
  test("a token may be up to 64 counts ahead, and a synchronisation up to 100", () => {
    const near = issued(device, { type: "SET_TIME", units: 3, count: JUMP_MAX });
    expect(near.count).toBe(1 + JUMP_MAX);
    expect(enter(newDeviceState(), near.token).outcome).toBe("VALID");
    expect(enter(newDeviceState(0), near.token).outcome).toBe("INVALID");
    const sync = issued(device, { type: "COUNTER_SYNC", count: SYNC_JUMP_MAX });
    expect(enter(newDeviceState(1), sync.token).state.count).toBe(1 + SYNC_JUMP_MAX);
    expect(enter(newDeviceState(0), sync.token).outcome).toBe("INVALID");
  });

  test("a top-up may come late by 14 counts but not by 16", () => {
    const newest = enter(newDeviceState(), issued(device, { type: "ADD_TIME", units: 1, count: 16 }).token).state;
    expect(newest.count).toBe(18);
    const late = issued(device, { type: "ADD_TIME", units: 1, count: 2 });
    const tooLate = issued(device, { type: "ADD_TIME", units: 1, count: 1 });
    expect(enter(newest, late.token)).toMatchObject({ outcome: "VALID", count: 4 });
    expect(enter(newest, late.token).state.usedCounts).toEqual([4, 18]);
    expect(enter(newest, tooLate.token).outcome).toBe("ALREADY_USED");
  });

  test("a synchronisation may lower the count by less than 64", () => {
    const sync = issued(device, { type: "COUNTER_SYNC", count: 60 });
    expect(sync.count).toBe(61);
    expect(enter(newDeviceState(124), sync.token).state.count).toBe(61);
    expect(enter(newDeviceState(125), sync.token).outcome).toBe("ALREADY_USED");
  });

  test("after a synchronisation lowered the count, no token can be used twice", () => {
    const before = issueAll(
      device,
      80,
      Array.from({ length: 8 }, () => ({ type: "ADD_TIME", units: 1 })),
    );
    const used = enterAll(
      newDeviceState(80),
      before.map(({ token }) => token),
    ).state;
    const synced = enter(used, issued(device, { type: "COUNTER_SYNC", count: 60 }).token).state;
    const after = issueAll(
      device,
      61,
      Array.from({ length: 8 }, () => ({ type: "ADD_TIME", units: 2 })),
    );
    const tokens = after.map(({ token }) => token);
    const once = enterAll(synced, tokens);
    expect(once.outcomes).toEqual(tokens.map(() => "VALID"));
    expect(enterAll(once.state, tokens).outcomes).toEqual(tokens.map(() => "ALREADY_USED"));
    const older = issued(device, { type: "ADD_TIME", units: 5, count: 59 });
    expect(enter(synced, older.token).outcome).toBe("ALREADY_USED");
  });
});

describe("promises for every device", () => {
  test("every issued token is accepted once and only once by a device in sync", () => {
    fc.assert(
      fc.property(anyStart, wishes, ([any, count], ordered) => {
        const tokens = issueAll(any, count, ordered);
        let state = newDeviceState(count);
        for (const { token, type, value, count: tokenCount } of tokens) {
          const decision = enter(state, token, any);
          expect(decision).toMatchObject({ outcome: "VALID", type, value, count: tokenCount });
          state = decision.state;
          expect(enter(state, token, any)).toEqual({ outcome: "ALREADY_USED", state });
        }
        for (const { token } of tokens) expect(enter(state, token, any)).toEqual({ outcome: "ALREADY_USED", state });
      }),
      SEEDED,
    );
  });

  test("the count never falls, in whatever order tokens are entered", () => {
    fc.assert(
      fc.property(anyStart, wishes, fc.infiniteStream(fc.nat()), ([any, count], ordered, picks) => {
        const tokens = issueAll(any, count, ordered);
        let state = newDeviceState(count);
        for (const pick of picks.take(20)) {
          const next = enter(state, tokens[pick % tokens.length]?.token ?? "", any).state;
          expect(next.count).toBeGreaterThanOrEqual(state.count);
          expect(next.usedCounts.every((used) => used <= next.count && used >= next.count - OLDER_WINDOW)).toBe(true);
          state = next;
        }
      }),
      SEEDED,
    );
  });

  test("eight top-ups sent while the phone was off work in any order, once each, and lose no day", () => {
    const days = fc.array(fc.nat(120), { minLength: 8, maxLength: 8 });
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 });
    fc.assert(
      fc.property(anyStart, days, order, ([any, count], units, shuffled) => {
        const tokens = issueAll(
          any,
          count,
          units.map((each) => ({ type: "ADD_TIME", units: each })),
        );
        const entered = shuffled.map((index) => tokens[index]?.token ?? "");
        const { state, outcomes } = enterAll(newDeviceState(count), entered, any);
        expect(outcomes).toEqual(entered.map(() => "VALID"));
        expect(enterAll(state, entered, any).outcomes).toEqual(entered.map(() => "ALREADY_USED"));
        const paid = units.reduce((sum, each) => sum + Math.ceil((each * DAY_MS) / any.timeDivider), 0);
        expect(remainingMs(state, NOW_AT)).toBe(paid);
      }),
      SEEDED,
    );
  });

  test("a lamp that was unlocked for good is not locked again by any top-up or older token", () => {
    fc.assert(
      fc.property(anyStart, wishes, fc.array(fc.nat(995), { maxLength: 8 }), ([any, count], earlier, later) => {
        const before = issueAll(any, count, earlier);
        const unlock = issued(any, { type: "DISABLE_PAYG", count: before.at(-1)?.count ?? count });
        const topUps = issueAll(
          any,
          unlock.count,
          later.map((units) => ({ type: "ADD_TIME", units })),
        );
        const unlocked = enter(newDeviceState(count), unlock.token, any).state;
        const rest = [...before, unlock, ...topUps].map(({ token }) => token);
        const { state } = enterAll(unlocked, rest, any);
        expect(state.paygEnabled).toBe(false);
        expect(isUnlocked(state, NOW_AT + 9_999 * DAY_MS)).toBe(true);
        const relock = issued(any, { type: "SET_TIME", units: 2, count: state.count });
        expect(enter(state, relock.token, any).state.paygEnabled).toBe(true);
      }),
      SEEDED,
    );
  });

  test("once time was set, nothing issued before can be used, not even after newer top-ups", () => {
    fc.assert(
      fc.property(anyStart, wishes, fc.integer({ min: 0, max: 6 }), ([any, count], earlier, newer) => {
        const before = issueAll(any, count, earlier);
        const set = issued(any, { type: "SET_TIME", units: 3, count: before.at(-1)?.count ?? count });
        const after = issueAll(
          any,
          set.count,
          Array.from({ length: newer }, () => ({ type: "ADD_TIME", units: 1 })),
        );
        const { state } = enterAll(
          newDeviceState(count),
          [set, ...after].map(({ token }) => token),
          any,
        );
        for (const { token } of before) expect(enter(state, token, any)).toEqual({ outcome: "ALREADY_USED", state });
      }),
      SEEDED,
    );
  });

  test("a wrong token changes nothing", () => {
    fc.assert(
      fc.property(
        anyStart,
        fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{9}$|^[1-4]{15}$/)),
        ([any, count], text) => {
          const state = newDeviceState(count);
          const decision = enter(state, text, any);
          expect(decision.outcome).toBe("INVALID");
          expect(decision.state).toBe(state);
        },
      ),
      SEEDED,
    );
  });
});
