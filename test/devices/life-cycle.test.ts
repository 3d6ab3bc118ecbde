import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideMove, DEVICE_STATES, maySpeak, pathsFrom, type DeviceState } from "../../src/devices/life-cycle.ts";
import { mayPublish, maySubscribe, topicRights } from "../../src/devices/topic-rights.ts";

const anyState = fc.constantFrom(...DEVICE_STATES);

describe("where a device may go", () => {
  test("no sequence of decisions leads over a path that does not exist, nor out of retirement", () => {
    const wishes = fc.array(fc.record({ to: anyState, hasContract: fc.boolean() }), { maxLength: 30 });
    fc.assert(
      fc.property(wishes, (moves) => {
        let state: DeviceState = "stock";
        for (const { to, hasContract } of moves) {
          const decision = decideMove({ from: state, to, hasContract });
          if (!decision.ok) continue;
          expect(pathsFrom(state)).toContain(to);
          expect(state).not.toBe("retired");
          state = to;
        }
      }),
    );
  });

  test("a family's device goes to the workshop and comes back to it, and nowhere else by hand", () => {
    fc.assert(
      fc.property(anyState, anyState, (from, to) => {
        const decision = decideMove({ from, to, hasContract: true });
        expect(!decision.ok || to === "installed" || `${from}-${to}` === "installed-repair").toBe(true);
      }),
    );
    expect(decideMove({ from: "installed", to: "repair", hasContract: true })).toEqual({ ok: true });
    expect(decideMove({ from: "repair", to: "installed", hasContract: true })).toEqual({ ok: true });
  });

  test.each([
    [{ from: "stock", to: "installed", hasContract: false }, /Sell it/],
    [{ from: "installed", to: "stock", hasContract: true }, /Swap the contract/],
    [{ from: "retired", to: "stock", hasContract: false }, /retired/],
    [{ from: "swapped", to: "installed", hasContract: false }, /only go to: repair, stock, retired/],
    [{ from: "stock", to: "stock", hasContract: false }, /already/],
  ] as const)("a refusal says what to do instead: %o", (request, words) => {
    const decision = decideMove(request);
    expect(decision.ok ? "" : decision.reason).toMatch(words);
  });

  test("every state but retirement has a way on, and only homes and shops have devices that speak", () => {
    for (const state of DEVICE_STATES) expect(pathsFrom(state).length > 0).toBe(state !== "retired");
    expect(DEVICE_STATES.filter(maySpeak)).toEqual(["stock", "installed"]);
  });
});

describe("topics of a device", () => {
  const serials = fc.stringMatching(/^[\w.:/-]{1,64}$/);

  test("no two devices share one, whatever slashes their serials have", () => {
    fc.assert(
      fc.property(serials, serials, (left, right) => {
        fc.pre(left !== right);
        const [a, b] = [topicRights(left), topicRights(right)];
        const all = [...a.publish, ...a.subscribe];
        expect([...b.publish, ...b.subscribe].filter((topic) => all.includes(topic))).toEqual([]);
      }),
    );
  });

  test("it writes what it tells and reads what it is told, never with wildcards", () => {
    expect(topicRights("SHS-1")).toEqual({
      publish: ["status", "data", "event", "ack"].map((name) => `paygo/v1/SHS-1/${name}`),
      subscribe: ["paygo/v1/SHS-1/cmd"],
    });
    for (const topic of ["paygo/v1/SHS-1/cmd", "paygo/v1/SHS-2/data", "paygo/v1/SHS-1/data/x", "$SYS/x"])
      expect(mayPublish("SHS-1", topic)).toBe(false);
    for (const filter of ["#", "paygo/v1/+/cmd", "paygo/v1/SHS-1/#", "paygo/v1/SHS-1/+", "paygo/v1/SHS-2/cmd"])
      expect(maySubscribe("SHS-1", filter)).toBe(false);
    for (const serial of ["", "+", "#", "a b", "x".repeat(65), "a\n"])
      expect(topicRights(serial)).toEqual({ publish: [], subscribe: [] });
  });
});
