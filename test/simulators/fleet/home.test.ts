import { expect, test } from "vitest";
import { makeLoad } from "../../../simulators/fleet/physics/habit.ts";
import { makeChance } from "../../../simulators/fleet/physics/physics.ts";
import { makeHome } from "../../../simulators/fleet/home.ts";

const START_AT = Date.UTC(2026, 5, 1);
const place = { latitude: -1.37, longitude: 38.01, timezone: "Africa/Nairobi" };
const home = (serial = "SIM-1", ageYears = 0) =>
  makeHome({ seed: 2, serial, place, startMs: START_AT, ageYears, hasFaults: false });

/** Lives some days in quarters of an hour. */
function live(of: ReturnType<typeof home>, days: number, conditions = { mayGiveLight: true, isBypassed: false }) {
  return Array.from({ length: days * 96 }, (_, at) => of.live(START_AT + (at + 1) * 900_000, conditions));
}

test("a locked home charges and gives no light", () => {
  const told = live(home(), 4, { mayGiveLight: false, isBypassed: false });
  expect(told.at(-1)).toMatchObject({ energyOutWh: 0 });
  expect(Math.max(...told.map(({ batteryChargePercent }) => batteryChargePercent))).toBe(100);
  expect(Math.min(...told.slice(-96).map(({ batteryChargePercent }) => batteryChargePercent))).toBeGreaterThan(90);
  expect(live(home(), 4).at(-1)?.energyOutWh).toBeGreaterThan(0);
});

test("a lamp that is wired past the meter empties the battery and is missing from the meter", () => {
  const [honest, bypassed] = [home(), home()];
  const measured = live(honest, 6).at(-1)?.energyOutWh ?? 0;
  const hidden = live(bypassed, 6, { mayGiveLight: false, isBypassed: true }).at(-1)?.energyOutWh ?? 0;
  expect(bypassed.truth().energyOutWh).toBe(honest.truth().energyOutWh);
  expect(hidden).toBeLessThan(measured * 0.3);
});

test("counters only grow, also when somebody puts another battery in", () => {
  const swapped = home();
  const before = live(swapped, 3).at(-1);
  swapped.swapBattery(START_AT + 3 * 86_400_000);
  const health = swapped.truth().stateOfHealth;
  const after = swapped.live(START_AT + 3.5 * 86_400_000, { mayGiveLight: true, isBypassed: false });
  expect(after.energyInWh).toBeGreaterThanOrEqual(before?.energyInWh ?? 0);
  expect(after.energyOutWh).toBeGreaterThanOrEqual(before?.energyOutWh ?? 0);
  expect(health).not.toBe(home().truth().stateOfHealth);
});

test("batteries that have lived before the first day are older, and the meter begins at nothing", () => {
  const olds = Array.from({ length: 12 }, (_, at) => home(`SIM-${String(at)}`, 4));
  const news = Array.from({ length: 12 }, (_, at) => home(`SIM-${String(at)}`));
  const mean = (homes: readonly ReturnType<typeof home>[]): number =>
    homes.reduce((sum, one) => sum + one.truth().stateOfHealth, 0) / homes.length;
  expect(mean(olds)).toBeLessThan(mean(news) - 0.05);
  const [first] = olds;
  expect(first?.truth()).toMatchObject({ energyInWh: 0, energyOutWh: 0 });
});

test("a home uses power at every instant it is asked about, whole milliseconds or not", () => {
  const habit = { cluster: 0, dailyWh: 48, yearlyGrowth: 0, awayShare: 0 };
  const [whole, half] = [0, 0.5].map((part) =>
    makeLoad(habit, "Africa/Nairobi", makeChance(1, "load")).wattsAt(Date.UTC(2026, 2, 2, 18) + part),
  );
  expect(half).toBeGreaterThan(0);
  expect(half).toBeCloseTo(whole ?? Number.NaN, 6);
});
