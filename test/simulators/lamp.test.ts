import { describe, expect, test } from "vitest";
import { EVENTS_MAX, makeLamp, makeMovableClock, restoreLamp, TYPED_MAX } from "../../simulators/lamp/lamp.ts";
import type { Lamp, LampSettings } from "../../simulators/lamp/lamp.ts";
import { parseLampSnapshot } from "../../simulators/lamp/lamp-state.ts";
import { issueToken, parseKey, prepareDevice } from "../../src/devices/tokens/openpaygo.ts";
import type { TokenOrder } from "../../src/devices/tokens/openpaygo.ts";

const DAY_MS = 86_400_000;
const START_AT = Date.UTC(2026, 0, 31, 18);
const KEY_HEX = "c0ffee00112233445566778899aabbcc";

function standLamp(settings: Partial<LampSettings> = {}) {
  const clock = makeMovableClock(START_AT);
  const all = { serial: "LAMP-1", keyHex: KEY_HEX, ...settings };
  return { clock, lamp: makeLamp({ ...all, clock }), issue: (order: TokenOrder) => tokenFor(all, order) };
}

function tokenFor({ keyHex, startingCode, timeDivider, restrictedDigits }: LampSettings, order: TokenOrder): string {
  const key = parseKey(keyHex);
  if (!key.ok) throw new Error(key.refusal.message);
  const prepared = prepareDevice({ key: key.key, startingCode, timeDivider, restrictedDigits });
  if (!prepared.ok) throw new Error(prepared.refusal.message);
  const issued = issueToken(prepared.device, order);
  if (!issued.ok) throw new Error(issued.refusal.message);
  return issued.token;
}

function pressAll(lamp: Lamp, keys: string) {
  return Array.from(keys)
    .map((key) => lamp.press(key))
    .at(-1);
}

describe("the lamp", () => {
  test("a lamp from the factory is dark until a token is typed, and dark again when the days are over", () => {
    const { lamp, clock, issue } = standLamp();
    expect(lamp.face()).toMatchObject({ relayOn: false, led: "red", daysLeft: 0, count: 1 });
    const event = pressAll(lamp, `${issue({ type: "ADD_TIME", units: 2, count: 1 })}#`);
    expect(event).toMatchObject({ kind: "VALID", type: "ADD_TIME", value: 2, count: 2 });
    expect(lamp.face()).toMatchObject({ relayOn: true, led: "green", daysLeft: 2 });
    clock.advance(1.5 * DAY_MS);
    expect(lamp.face()).toMatchObject({ relayOn: true, led: "amber", daysLeft: 0.5 });
    clock.advance(5 * DAY_MS);
    expect(lamp.face()).toMatchObject({ relayOn: false, led: "red", daysLeft: 0 });
    expect(lamp.events().map(({ kind, happenedAt }) => [kind, (happenedAt - START_AT) / DAY_MS])).toEqual([
      ["VALID", 0],
      ["LIGHT_ON", 0],
      ["LIGHT_OFF", 2],
    ]);
  });

  test("the star key forgives a slip of the finger", () => {
    const { lamp, issue } = standLamp();
    const token = issue({ type: "ADD_TIME", units: 1, count: 1 });
    expect(pressAll(lamp, `123*${token}#`)).toMatchObject({ kind: "VALID" });
    expect(lamp.face()).toMatchObject({ typed: "", invalidStreak: 0 });
  });

  test("a keypad with four digits has no other digits, and takes its own tokens", () => {
    const { lamp, issue } = standLamp({ restrictedDigits: true });
    pressAll(lamp, "0579a1");
    expect(lamp.face().typed).toBe("1");
    const token = issue({ type: "SET_TIME", units: 7, count: 1 });
    expect(pressAll(lamp, `*${token}#`)).toMatchObject({ kind: "VALID", type: "SET_TIME" });
    expect(lamp.face().daysLeft).toBe(7);
  });

  test("a keypad forgets to listen after its longest token", () => {
    const { lamp } = standLamp();
    pressAll(lamp, "1".repeat(TYPED_MAX + 5));
    expect(lamp.face().typed).toHaveLength(TYPED_MAX);
    expect(lamp.press("#")).toMatchObject({ kind: "MALFORMED" });
    expect(lamp.face().invalidStreak).toBe(0);
  });

  test("after a wrong token the keypad waits, and even a good token is not looked at until the wait is over", () => {
    const { lamp, clock, issue } = standLamp();
    const good = issue({ type: "ADD_TIME", units: 1, count: 1 });
    expect(lamp.enter("123456789").kind).toBe("INVALID");
    expect(lamp.face()).toMatchObject({ led: "red-blinking", lockedUntil: START_AT + 60_000 });
    expect(lamp.enter(good).kind).toBe("LOCKED_OUT");
    clock.advance(60_000);
    expect(lamp.enter(good).kind).toBe("VALID");
    expect(lamp.enter(good).kind).toBe("ALREADY_USED");
    expect(lamp.face().invalidStreak).toBe(0);
  });

  test("a lamp that is paid off shines blue for good", () => {
    const { lamp, clock, issue } = standLamp({ lockoutPolicy: "none" });
    lamp.enter(issue({ type: "DISABLE_PAYG", count: 1 }));
    clock.advance(5_000 * DAY_MS);
    expect(lamp.face()).toMatchObject({ relayOn: true, led: "blue", daysLeft: "unlimited" });
  });

  test("a lamp restored from its saved text goes on exactly where it was", () => {
    const { lamp, clock, issue } = standLamp({ startingCode: 42, timeDivider: 24 });
    const token = issue({ type: "ADD_TIME", units: 36, count: 1 });
    lamp.enter(token);
    lamp.enter("111111111");
    pressAll(lamp, "77");
    const snapshot = parseLampSnapshot(JSON.stringify(lamp.snapshot()));
    if (snapshot === undefined) throw new Error("The snapshot was not understood.");
    const restored = restoreLamp({ snapshot, clock });
    expect(restored.face()).toEqual(lamp.face());
    expect(restored.state()).toEqual(lamp.state());
    expect(restored.events()).toEqual(lamp.events());
    clock.advance(60_000);
    expect(restored.enter(token).kind).toBe("ALREADY_USED");
  });

  test("a lamp that was switched off in a drawer notices that its days have passed", () => {
    const { lamp, clock, issue } = standLamp();
    lamp.enter(issue({ type: "ADD_TIME", units: 3, count: 1 }));
    const snapshot = lamp.snapshot();
    clock.advance(10 * DAY_MS);
    const last = restoreLamp({ snapshot, clock }).events().at(-1);
    expect(last).toEqual({ kind: "LIGHT_OFF", happenedAt: START_AT + 3 * DAY_MS });
  });

  test("text that is not a lamp is not taken for one", () => {
    const good = standLamp().lamp.snapshot();
    const damaged = [
      {},
      { ...good, version: 2 },
      { ...good, device: { ...good.device, count: -1 } },
      { ...good, device: { ...good.device, usedCounts: ["2"] } },
      { ...good, lockout: null },
      { ...good, settings: { ...good.settings, lockoutPolicy: "never" } },
      { ...good, events: [null] },
    ];
    for (const content of damaged) expect(parseLampSnapshot(JSON.stringify(content))).toBeUndefined();
    expect(parseLampSnapshot("{")).toBeUndefined();
  });

  test("settings that no lamp can have stop the simulator at once", () => {
    expect(() => standLamp({ keyHex: "00" })).toThrow(RangeError);
    expect(() => standLamp({ timeDivider: 0 })).toThrow(RangeError);
    expect(() => standLamp({ count: -1 })).toThrow(RangeError);
    expect(() => makeMovableClock(0).advance(-1)).toThrow(RangeError);
  });

  test("the log stays short however long somebody presses keys", () => {
    const { lamp } = standLamp();
    for (let press = 0; press < EVENTS_MAX + 50; press++) lamp.press("#");
    expect(lamp.events()).toHaveLength(EVENTS_MAX);
  });
});
