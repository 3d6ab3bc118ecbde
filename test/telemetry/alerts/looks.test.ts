import fc from "fast-check";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS, makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAlertCommands } from "../../../src/telemetry/alerts/alerts.commands.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import { makeAlertQueries, newsOf } from "../../../src/telemetry/alerts/alerts.queries.ts";
import type { AlertNews } from "../../../src/telemetry/alerts/alert.ts";
import { decideLook } from "../../../src/telemetry/alerts/look.ts";
import { DEFINITIONS, makeRuleBook } from "../../../src/telemetry/alerts/rules.ts";
import { readSubjects } from "../../../src/telemetry/alerts/subjects.store.ts";
import { useDatabase } from "../../support/database.ts";
import { putDevices, range, type TestDevice } from "./fleet-of.ts";

const NOON = new Date("2026-03-02T09:30:00Z");
const ago = (millis: number): Date => new Date(NOON.getTime() - millis);
const ahead = (millis: number): string => new Date(NOON.getTime() + millis).toISOString();

const database = useDatabase();

beforeEach(async () => {
  await database.current.db.execute(
    sql`delete from telemetry.alerts; delete from telemetry.states; delete from telemetry.places; delete from telemetry.rounds; delete from telemetry.rule_settings; delete from telemetry.expectations;`,
  );
});

function makeScene() {
  const clock = makeManualClock(NOON);
  const audited: string[] = [];
  const commands = makeAlertCommands({
    clock,
    audit: (_tx, { actor, action, subjectId }) => {
      audited.push(`${actor} ${action} ${subjectId}`);
      return Promise.resolve();
    },
  });
  return {
    clock,
    audited,
    commands,
    steps: makeAlertSteps({ database: database.current, clock, zone: "Africa/Nairobi" }),
    queries: makeAlertQueries({ database: database.current, clock }),
    put: (devices: readonly TestDevice[]) => putDevices(database.current, { devices, now: clock.now() }),
    act: <Result>(work: (tx: Parameters<typeof commands.close>[0]) => Promise<Result>): Promise<Result> =>
      database.current.db.transaction(work),
  };
}

describe("each rule", () => {
  test.each<[string, Omit<TestDevice, "device">]>([
    ["silent", { lastSeenAt: ago(4 * HOUR_MS) }],
    ["tampered", { state: { tampered: true } }],
    ["battery_low", { state: { battery_charge_percent: 18 } }],
    ["battery_deep", { state: { battery_charge_percent: 3 } }],
    ["battery_hot", { state: { battery_temperature_c: 61 } }],
    ["panel_dead", { longitude: 38, latitude: -1, state: { panel_power_w: 0, battery_charge_percent: 50 } }],
    ["signal_weak", { state: { signal_dbm: -113 } }],
    ["days_differ", { activeUntil: ahead(9 * DAY_MS), state: { active_until: ahead(DAY_MS) } }],
    ["token_lag", { tokensIssued: 5, state: { token_count: 4 } }],
    ["firmware_old", { state: { firmware_version: "1.2.9" } }],
    ["clock_wrong", { state: { clock_shift_seconds: -7_200 } }],
  ])("%s is raised after its time and cleared when the device is well again", async (rule, device) => {
    const { clock, put, steps, queries, act, commands } = makeScene();
    await act((tx) =>
      commands.setExpectation(tx, {
        model: "Home 60",
        intervalSeconds: undefined,
        firmwareMinimum: "1.2.10",
        actor: "staff:1",
      }),
    );
    const rules = () => queries.list({ first: 10 }).then((shown) => shown.map((one) => one.rule as string));
    const waits = Object.entries(DEFINITIONS).find(([name]) => name === rule)?.[1].defaults.raiseAfterMs ?? 0;
    await put([{ device: 1, ...device }]);
    await steps.look();
    expect((await rules()).includes(rule)).toBe(waits === 0);
    // The device says the same until the time is over; a panel's must be the next day's noon hours.
    for (const passed of [waits / 2, waits / 2]) {
      clock.advance(Math.max(passed, 2 * MINUTE_MS));
      const { lastSeenAt = clock.now() } = device;
      await put([{ device: 1, ...device, lastSeenAt }]);
      await steps.look();
    }
    expect(await rules()).toContain(rule);
    clock.advance(2 * MINUTE_MS);
    const well = {
      device: 1,
      state: {
        firmware_version: "1.3",
        tampered: false,
        panel_power_w: 30,
        signal_dbm: -80,
        battery_temperature_c: 25,
        token_count: 5,
      },
    };
    for (const passed of [0, DEFINITIONS.battery_low.defaults.clearAfterMs, HOUR_MS]) {
      clock.advance(passed);
      await put([
        {
          ...well,
          tokensIssued: 5,
          lastSeenAt: clock.now(),
          activeUntil: ahead(9 * DAY_MS),
          state: { ...well.state, active_until: ahead(9 * DAY_MS) },
        },
      ]);
      clock.advance(2 * MINUTE_MS);
      await steps.look();
    }
    expect(await rules()).toEqual([]);
  });
});

const someDevice = fc.record({
  hours: fc.integer({ min: 0, max: 60 }),
  state: fc.record({
    interval_seconds: fc.constantFrom(900, 3_600, 86_400, null),
    tampered: fc.constantFrom(true, false, null),
    battery_charge_percent: fc.option(fc.float({ min: 0, max: 100, noNaN: true })),
    battery_voltage_v: fc.option(fc.float({ min: 9, max: 14, noNaN: true })),
    battery_temperature_c: fc.option(fc.float({ min: -10, max: 70, noNaN: true })),
    panel_power_w: fc.option(fc.float({ min: 0, max: 2, noNaN: true })),
    panel_voltage_v: fc.option(fc.float({ min: 0, max: 2, noNaN: true })),
    panel_current_a: fc.option(fc.float({ min: 0, max: 1, noNaN: true })),
    signal_dbm: fc.constantFrom(-120, -110, -109.5, -60, null),
    token_count: fc.constantFrom(3, 4, 5, null),
    clock_shift_seconds: fc.constantFrom(0, 3_599, 3_600, -3_601),
    firmware_version: fc.constantFrom("1.2.9", "1.2.10", "1.3", null),
    active_until: fc.constantFrom("infinity", ahead(DAY_MS), ahead(-DAY_MS), ahead(9 * DAY_MS + 1), null),
  }),
  activeUntil: fc.constantFrom("infinity", ahead(7 * DAY_MS), ahead(3 * DAY_MS), null),
  longitude: fc.constantFrom(38, -70, null),
  model: fc.constantFrom("Home 60", "Home 200"),
});

test("whatever a rule would raise, the look at a range reads: the database's conditions miss nothing that the rules see", async () => {
  const { put } = makeScene();
  const book = makeRuleBook([
    {
      rule: "battery_low",
      model: "Home 200",
      settings: { ...DEFINITIONS.battery_low.defaults, quantity: "volts", raiseAt: 11.7, clearAt: 12.4 },
    },
    { rule: "battery_hot", model: "", settings: { ...DEFINITIONS.battery_hot.defaults, raiseAt: 41.3, clearAt: 40 } },
    { rule: "signal_weak", model: "", settings: { ...DEFINITIONS.signal_weak.defaults, enabled: false } },
  ]);
  const context = { now: NOON, zoneOffsetHours: 3, firmwareMinimum: new Map([["Home 60", "1.2.10"]]) };
  const devices = fc
    .sample(someDevice, { numRuns: 2_000, seed: 7 })
    .map(({ hours, activeUntil, longitude, ...one }, at): TestDevice => ({
      ...one,
      device: at + 1,
      tokensIssued: 4,
      lastSeenAt: ago(hours * HOUR_MS),
      ...(activeUntil === null ? {} : { activeUntil }),
      ...(longitude === null ? {} : { longitude, latitude: 1 }),
    }));
  await put(devices);
  await database.current.db.transaction(async (tx) => {
    const read = async (live: readonly number[]) => await readSubjects(tx, { rangeStart: 0, live, book, context });
    const all = await read(range(1, 2_000));
    const suspected = new Set((await read([])).map(({ device }) => device));
    const raising = all.filter((subject) => decideLook({ subject, live: [] }, { book, context }).length > 0);
    expect(all).toHaveLength(2_000);
    expect(raising.filter(({ device }) => !suspected.has(device))).toEqual([]);
    // The conditions are not so wide that they read everything.
    expect(suspected.size - raising.length).toBeLessThan(20);
    expect(raising.length).toBeLessThan(2_000);
  });
});

test("a silent device of a model that reports once a day is waited for, as its model is expected to", async () => {
  const { put, steps, queries, act, commands } = makeScene();
  const quiet = { lastSeenAt: ago(DAY_MS), state: { interval_seconds: null } };
  await act((tx) =>
    commands.setExpectation(tx, {
      model: "Daily",
      intervalSeconds: 86_400,
      firmwareMinimum: undefined,
      actor: "staff:1",
    }),
  );
  await put([
    { device: 1, model: "Daily", ...quiet },
    { device: 2, ...quiet },
  ]);
  await steps.look();
  expect((await queries.list({ first: 10 })).map(({ device }) => device)).toEqual([2]);
});

test("a device that nobody has any more has no alerts, and one in stock gets none", async () => {
  const { clock, put, steps, queries } = makeScene();
  await put([
    { device: 1, state: { tampered: true } },
    { device: 2, inService: false, state: { tampered: true } },
  ]);
  await steps.look();
  expect((await queries.list({ first: 10 })).map(({ device }) => device)).toEqual([1]);
  await put([{ device: 1, inService: false, state: { tampered: true } }]);
  clock.advance(2 * MINUTE_MS);
  await steps.look();
  expect(await queries.list({ first: 10, filter: { includes: "all" } })).toMatchObject([
    { state: "cleared", clearedBy: "left" },
  ]);
});

describe("what people decide", () => {
  async function makeTampered() {
    const scene = makeScene();
    await scene.put([{ device: 1, state: { tampered: true } }]);
    await scene.steps.look();
    const [alert] = await scene.queries.list({ first: 10 });
    const decision = {
      alertId: alert?.id ?? 0n,
      reason: "Seen by Amina, lid is glued",
      actor: "staff:7",
      area: undefined,
    };
    return { ...scene, decision };
  }

  test("a closed alert does not come back while its trouble lasts, and does when it happens again", async () => {
    const { clock, put, steps, queries, act, commands, decision, audited } = await makeTampered();
    await act((tx) => commands.close(tx, decision));
    expect(audited).toEqual([`staff:7 alert.close ${decision.alertId.toString()}`]);
    clock.advance(2 * MINUTE_MS);
    await steps.look();
    expect(await queries.list({ first: 10 })).toEqual([]);
    for (const tampered of [false, true]) {
      await put([{ device: 1, state: { tampered } }]);
      clock.advance(2 * MINUTE_MS);
      await steps.look();
    }
    const shown = await queries.list({ first: 10 });
    expect(shown).toHaveLength(1);
    expect(shown[0]?.id).not.toBe(decision.alertId);
  });

  test("a snoozed alert is away until its time, and says who snoozed it and why", async () => {
    const { clock, queries, act, commands, decision } = await makeTampered();
    await act((tx) => commands.snooze(tx, { ...decision, until: new Date(NOON.getTime() + HOUR_MS) }));
    expect(await queries.list({ first: 10 })).toEqual([]);
    clock.advance(HOUR_MS);
    expect(await queries.list({ first: 10 })).toMatchObject([
      { state: "open", decidedBy: "staff:7", reason: decision.reason },
    ]);
  });

  test("an agent of another area finds no such alert, and nobody decides without a reason", async () => {
    const { act, commands, decision, audited } = await makeTampered();
    await expect(act((tx) => commands.acknowledge(tx, { ...decision, area: "kisii" }))).rejects.toThrow(
      "no such alert",
    );
    await expect(act((tx) => commands.acknowledge(tx, { ...decision, reason: " " }))).rejects.toThrow("reason");
    await expect(act((tx) => commands.snooze(tx, { ...decision, until: NOON }))).rejects.toThrow("30 days");
    expect(audited).toEqual([]);
    expect(await act((tx) => commands.acknowledge(tx, decision))).toMatchObject({ state: "acknowledged" });
  });
});

test("a rule that is changed for a model holds for it alone, and turning a rule off ends its alerts", async () => {
  const { clock, put, steps, queries, act, commands, audited } = makeScene();
  const hot = { ...DEFINITIONS.battery_hot.defaults, raiseAfterMs: 0 };
  const setRule = (model: string, settings: typeof hot) =>
    act((tx) => commands.setRule(tx, { rule: "battery_hot", model, settings, actor: "staff:1" }));
  await setRule("Home 200", { ...hot, raiseAt: 40, clearAt: 35 });
  await put([
    { device: 1, state: { battery_temperature_c: 42 } },
    { device: 2, model: "Home 200", state: { battery_temperature_c: 42 } },
  ]);
  await steps.look();
  expect((await queries.list({ first: 10 })).map(({ device }) => device)).toEqual([2]);
  await setRule("Home 200", { ...hot, enabled: false });
  clock.advance(2 * MINUTE_MS);
  await steps.look();
  expect(await queries.list({ first: 10, filter: { includes: "all" } })).toMatchObject([{ clearedBy: "disabled" }]);
  expect(audited).toEqual([
    "staff:1 alert_rule.set battery_hot/Home 200",
    "staff:1 alert_rule.set battery_hot/Home 200",
  ]);
});

test("two workers share the ranges, and nobody looks twice in one period", async () => {
  const { put, steps, clock } = makeScene();
  await put([1, 10_001, 20_001, 30_001].map((device) => ({ device })));
  const twin = makeAlertSteps({ database: database.current, clock, zone: "Africa/Nairobi" });
  const looks = await Promise.all([steps.look(), twin.look(), steps.look(), twin.look()]);
  expect(looks).toEqual([true, true, true, true]);
  expect(await steps.look()).toBe(false);
});

test("who subscribed hears of an alert once it is committed, and of what may have been missed", async () => {
  const { put, steps, queries } = makeScene();
  const heard: AlertNews[] = [];
  let wake = (): void => undefined;
  const end = await queries.subscribe((news) => {
    heard.push(news);
    wake();
  });
  await put([{ device: 1, area: "kitui", state: { tampered: true } }]);
  const told = new Promise<void>((resolve) => {
    wake = resolve;
  });
  await steps.look();
  await told;
  expect(heard[0]).toEqual({ kind: "missed" });
  expect(heard[1]).toMatchObject({ kind: "changed", alerts: [{ rule: "tampered", area: "kitui", state: "open" }] });
  await end();
  expect(newsOf("[1")).toEqual({ kind: "missed" });
  expect(newsOf('[["1","no_such_rule","open",""]]')).toEqual({ kind: "missed" });
});
