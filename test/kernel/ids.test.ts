import { expect, test } from "vitest";
import { looksLikeId, makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock } from "../../src/kernel/time.ts";

test("ids made later sort later, so that they lie together in an index", () => {
  const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
  const makeId = makeIds(clock);
  const made: string[] = [];
  for (let at = 0; at < 1_000; at++) {
    clock.advance(at % 7 === 0 ? 65_536 : 1);
    made.push(makeId());
  }
  expect([...made].sort()).toEqual(made);
});

test("an id carries its millisecond, version 7 and the variant, and no two are the same", () => {
  const at = new Date("2026-03-02T06:00:00.123Z");
  const makeId = makeIds(makeManualClock(at));
  const made = Array.from({ length: 1_000 }, () => makeId<"Receipt">());
  for (const id of made) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(at.getTime());
  }
  expect(new Set(made).size).toBe(1_000);
});

test("only what could be an id is let through to the database", () => {
  expect(looksLikeId("01890a5d-ac96-774b-bcce-b302099a8057")).toBe(true);
  expect(looksLikeId("01890A5D-AC96-774B-BCCE-B302099A8057")).toBe(true);
  for (const text of [
    "",
    "1",
    "01890a5dac96774bbcceb302099a8057",
    "01890a5d-ac96-774b-bcce-b302099a8057\n",
    "x' or 1=1",
  ]) {
    expect(looksLikeId(text)).toBe(false);
  }
});
