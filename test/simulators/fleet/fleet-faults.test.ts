import { expect, test } from "vitest";
import {
  badFaults,
  DAY_MS,
  faultKinds,
  faultsOfDay,
  noFaults,
  requireShares,
  usualFaults,
  type Fault,
  type FaultKind,
  type FaultShares,
} from "../../../simulators/fleet/faults.ts";

const FIRST_DAY = 20_500;

/** Counts what befalls some devices of some villages over some days. */
function lives(shares: FaultShares, { villages = 40, devices = 10, days = 50, seed = 3 } = {}) {
  const counts: Record<FaultKind, number> = { ...noFaults };
  const all: Fault[] = [];
  for (let village = 0; village < villages; village++) {
    for (let device = 0; device < devices; device++) {
      for (let day = FIRST_DAY; day < FIRST_DAY + days; day++) {
        const who = { seed, serial: `D${village}-${device}`, village: `V${village}`, day };
        for (const fault of faultsOfDay(shares, who)) {
          counts[fault.kind] += 1;
          all.push(fault);
        }
      }
    }
  }
  return { counts, all, deviceDays: villages * devices * days, villageDays: villages * days };
}

test("every fault strikes as often as its share says", () => {
  for (const shares of [usualFaults, badFaults]) {
    const { counts, deviceDays, villageDays } = lives(shares);
    for (const kind of faultKinds) {
      const isOfVillage = kind.startsWith("village_");
      // All ten devices of a village meet what its village meets.
      const [draws, each] = isOfVillage ? [villageDays, 10] : [deviceDays, 1];
      const expected = draws * shares[kind];
      const deviation = Math.sqrt(draws * shares[kind] * (1 - shares[kind]));
      expect(Math.abs(counts[kind] / each - expected), kind).toBeLessThanOrEqual(4 * deviation + 1e-9);
    }
  }
});

test("a share of zero never strikes and a share of one strikes every day", () => {
  expect(lives(noFaults, { villages: 3 }).all).toEqual([]);
  const { counts, deviceDays } = lives({ ...noFaults, drop: 1 }, { villages: 3 });
  expect(counts.drop).toBe(deviceDays);
});

test("a changed share leaves what the other kinds do as it was", () => {
  const others = (shares: FaultShares): readonly Fault[] =>
    lives(shares, { villages: 5 }).all.filter(({ kind }) => kind !== "gap");
  expect(others({ ...usualFaults, gap: 0.9 })).toEqual(others(usualFaults));
  expect(lives(usualFaults, { villages: 5, seed: 4 }).all).not.toEqual(lives(usualFaults, { villages: 5 }).all);
});

test("faults begin on their day and last as long as their page says", () => {
  const { all } = lives(badFaults, { villages: 5 });
  for (const { atMs, untilMs } of all) {
    expect(untilMs).toBeGreaterThanOrEqual(atMs);
    expect(untilMs - atMs).toBeLessThanOrEqual(5 * DAY_MS);
    expect(atMs).toBeGreaterThanOrEqual(FIRST_DAY * DAY_MS);
  }
  const gaps = all.filter(({ kind }) => kind === "gap").map(({ atMs, untilMs }) => (untilMs - atMs) / 60_000);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(20);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(540);
});

test("a share that is no share is refused by its name", () => {
  expect(() => requireShares({ ...noFaults, gap: 1.2 })).toThrow("The share of gap is a number from 0 to 1.");
  expect(() => requireShares({ ...noFaults, dead: Number.NaN })).toThrow(/dead/);
});
