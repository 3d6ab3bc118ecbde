import { afterAll, beforeAll, expect, test } from "vitest";
import { everyChannel } from "../../simulators/rail/channels.ts";
import { noFaults } from "../../simulators/rail/faults.ts";
import { startRailSimulator, type RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import { doorUrlsBelow, railsFileOf, type RailsFile } from "../../simulators/rail/rails-file.ts";
import { parseCurrency } from "../../src/kernel/money.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { ADAPTERS } from "../../src/payments/rails/registry.ts";

const SEED = 11;
let simulator: RailSimulator;
let file: RailsFile;

beforeAll(async () => {
  simulator = await startRailSimulator({
    channels: everyChannel,
    doorUrlOf: doorUrlsBelow("http://127.0.0.1:4000/", SEED),
    seed: SEED,
    faults: noFaults,
    clock: makeManualClock(new Date("2026-11-20T06:00:00Z")),
  });
  file = railsFileOf(simulator, SEED);
});
afterAll(() => simulator.stop());

test("every kind of rail that the program knows has a simulated provider", () => {
  expect(file.channels.map(({ adapter }) => adapter).sort()).toEqual(ADAPTERS.map(({ name }) => name).sort());
});

test.each(everyChannel.map(({ name }) => name))(
  "the program takes the settings that the simulator gives for %s",
  (name) => {
    const channel = file.channels.find((one) => one.name === name);
    const adapter = ADAPTERS.find((one) => one.name === channel?.adapter);
    expect(() => adapter?.parseSettings(channel?.settings)).not.toThrow();
    expect(parseCurrency(channel?.currency ?? "")).toBe(channel?.currency);
    expect(channel?.settings["baseUrl"]).toBe(simulator.baseUrl(name));
  },
);

test("addresses of M-Pesa's doors hold none of the words that Safaricom refuses", () => {
  const url = doorUrlsBelow("https://pay.seller.example", SEED)("mpesa-ke", "confirmation", undefined);
  expect(url).not.toMatch(/mpesa|safaricom|exe|cmd|sql|query/i);
});
