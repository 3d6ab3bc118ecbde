import { expect, test } from "vitest";
import { HOUR_MS, makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAlertCommands } from "../../../src/telemetry/alerts/alerts.commands.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import { makeAlertQueries } from "../../../src/telemetry/alerts/alerts.queries.ts";
import { DEFINITIONS } from "../../../src/telemetry/alerts/rules.ts";
import { useDatabase } from "../../support/database.ts";
import { putDevices } from "./fleet-of.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-03-02T09:30:00Z"));
const act: typeof database.current.db.transaction = (work) => database.current.db.transaction(work);

test("an alert whose question was taken away ends: no minimum of firmware any more, volts of a battery that tells none", async () => {
  const commands = makeAlertCommands({ clock, audit: () => Promise.resolve() });
  const steps = makeAlertSteps({ database: database.current, clock, zone: "Africa/Nairobi" });
  const queries = makeAlertQueries({ database: database.current, clock });
  const expectFirmware = (firmwareMinimum: string | undefined) =>
    act((tx) =>
      commands.setExpectation(tx, { model: "Home 60", intervalSeconds: undefined, firmwareMinimum, actor: "staff:1" }),
    );
  const setRule = (rule: "battery_low" | "firmware_old", change: object) =>
    act((tx) =>
      commands.setRule(tx, {
        rule,
        model: "",
        settings: { ...DEFINITIONS[rule].defaults, raiseAfterMs: 0, ...change },
        actor: "staff:1",
      }),
    );
  const look = async () => {
    clock.advance(2 * MINUTE_MS);
    await steps.look();
    return (await queries.list({ first: 10 })).map(({ rule, device }) => `${rule} ${String(device)}`).toSorted();
  };
  await expectFirmware("2.0");
  await setRule("firmware_old", {});
  await setRule("battery_low", {});
  const empty = { battery_charge_percent: 12, firmware_version: "1.0" };
  await putDevices(database.current, {
    now: clock.now(),
    devices: [
      { device: 1, state: empty },
      { device: 2, state: { ...empty, battery_voltage_v: 11.9 } },
    ],
  });
  expect(await look()).toEqual(["battery_low 1", "battery_low 2", "firmware_old 1", "firmware_old 2"]);
  // Both fall silent, which ends nothing: the question stands, and nobody knows the answer.
  clock.advance(4 * HOUR_MS);
  expect((await look()).filter((one) => !one.startsWith("silent"))).toHaveLength(4);

  await expectFirmware(undefined);
  await setRule("battery_low", { quantity: "volts", raiseAt: 11.5, clearAt: 12.5 });
  // The second tells volts, which lie between the thresholds: its trouble goes on.
  expect((await look()).filter((one) => !one.startsWith("silent"))).toEqual(["battery_low 2"]);
  const ended = (await queries.list({ first: 10, filter: { includes: "all" } })).filter(
    ({ state }) => state === "cleared",
  );
  expect(ended.map(({ clearedBy }) => clearedBy)).toEqual(["disabled", "disabled", "disabled"]);
});
