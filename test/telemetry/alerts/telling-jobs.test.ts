import { sql } from "drizzle-orm";
import { beforeEach, expect, test } from "vitest";
import { makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAlertCommands } from "../../../src/telemetry/alerts/alerts.commands.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import { DEFINITIONS, type Rule, type RuleSettings } from "../../../src/telemetry/alerts/rules.ts";
import { makeTelling } from "../../../src/telemetry/alerts/telling.jobs.ts";
import type { AlertMessage } from "../../../src/telemetry/alerts/telling.ts";
import { useDatabase } from "../../support/database.ts";
import { putDevices, range, type TestDevice } from "./fleet-of.ts";

const NOON = new Date("2026-03-02T09:30:00Z");
const MIDNIGHT = new Date("2026-03-02T21:00:00Z");
/** One more than the telling reads at once. */
const MANY = 2_001;

const database = useDatabase();

beforeEach(async () => {
  await database.current.db.execute(
    sql`delete from telemetry.alerts; delete from telemetry.states; delete from telemetry.places; delete from telemetry.rounds; delete from telemetry.rule_settings; delete from telemetry.alert_readers; delete from telemetry.alert_messages;`,
  );
});

async function makeScene(now: Date) {
  const clock = makeManualClock(now);
  const { db } = database.current;
  const commands = makeAlertCommands({ clock, audit: () => Promise.resolve() });
  const steps = makeAlertSteps({ database: database.current, clock, zone: "Africa/Nairobi" });
  const broken = new Set<string>();
  const heard: { readonly actor: string; readonly content: AlertMessage["content"] }[] = [];
  const addReader = (actor: string): Promise<void> =>
    db.transaction((tx) =>
      commands.setReader(tx, {
        actor,
        phone: "+254711000111",
        language: "en",
        area: undefined,
        zone: "Africa/Nairobi",
        messagesADayMax: 5,
        changedBy: "staff:admin",
      }),
    );
  await addReader("staff:1");
  return {
    clock,
    heard,
    broken,
    addReader,
    setRule: (rule: Rule, change: Partial<RuleSettings>, model = ""): Promise<void> =>
      db.transaction((tx) =>
        commands.setRule(tx, {
          rule,
          model,
          settings: { ...DEFINITIONS[rule].defaults, raiseAfterMs: 0, ...change },
          actor: "staff:admin",
        }),
      ),
    /** Devices tell something, and are looked at. */
    async happens(devices: readonly TestDevice[]): Promise<void> {
      await putDevices(database.current, { devices, now: clock.now() });
      clock.advance(2 * MINUTE_MS);
      await steps.look();
    },
    tell: makeTelling({
      database: database.current,
      clock,
      mayBeTold: (actors) => Promise.resolve(new Set(actors)),
      send(_tx, reader, messages) {
        if (broken.has(reader.actor)) return Promise.reject(new Error("This number cannot be written to."));
        heard.push(...messages.map(({ content }) => ({ actor: reader.actor, content })));
        return Promise.resolve();
      },
    }),
  };
}

const TAMPERED: TestDevice = { device: MANY + 1, place: "Mutomo", state: { tampered: true } };
const TAMPERED_TOLD = {
  actor: "staff:1",
  content: { kind: "device", rule: "tampered", device: "LAMP-002002", place: "Mutomo" },
};

test("thousands of alerts that are for the screen alone do not keep an opened lamp from its reader", async () => {
  const { setRule, happens, tell, heard } = await makeScene(NOON);
  await setRule("signal_weak", {});
  await setRule("battery_hot", {});
  await setRule("battery_hot", { told: false }, "Home 200");
  const weak = range(1, MANY - 1).map((device) => ({ device, state: { signal_dbm: -113 } }));
  await happens([...weak, { device: MANY, model: "Home 200", state: { battery_temperature_c: 70 } }]);
  expect(await tell()).toBe(0);
  await happens([TAMPERED]);
  expect(await tell()).toBe(1);
  expect(heard).toEqual([TAMPERED_TOLD]);
  // The same rule is told of every other model.
  await happens([{ device: MANY + 2, state: { battery_temperature_c: 70 } }]);
  expect(await tell()).toBe(1);
});

test("thousands of alerts that wait for the morning do not hide an urgent one at night, and are told when it comes", async () => {
  const { clock, setRule, happens, tell, heard } = await makeScene(MIDNIGHT);
  await setRule("battery_low", {});
  await happens(range(1, MANY).map((device) => ({ device, state: { battery_charge_percent: 12 } })));
  expect(await tell()).toBe(0);
  await happens([TAMPERED]);
  expect(await tell()).toBe(1);
  expect(heard).toEqual([TAMPERED_TOLD]);
  clock.advance(10 * 60 * MINUTE_MS);
  expect(await tell()).toBe(1);
  expect(heard[1]?.content).toMatchObject({ kind: "digest", alerts: 2_000 });
});

test("a reader who cannot be written to holds up nobody behind them, and is told when that is mended", async () => {
  const { addReader, broken, happens, tell, heard } = await makeScene(NOON);
  await addReader("staff:2");
  await happens([TAMPERED]);
  broken.add("staff:1");
  await expect(tell()).rejects.toThrow("1 readers of alerts were not told");
  expect(heard.map(({ actor }) => actor)).toEqual(["staff:2"]);
  broken.clear();
  expect(await tell()).toBe(1);
  expect(heard.map(({ actor }) => actor)).toEqual(["staff:2", "staff:1"]);
});
