import fc from "fast-check";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS, makeManualClock } from "../../../src/kernel/time.ts";
import { makeAlertSteps } from "../../../src/telemetry/alerts/alerts.jobs.ts";
import type { FleetFilter, PlaceFacts, PlaceSource } from "../../../src/telemetry/states/fleet-device.ts";
import { makeFleet } from "../../../src/telemetry/states/fleet.queries.ts";
import { expectedIntervalMs, hasFallen, livenessOf } from "../../../src/telemetry/states/liveness.ts";
import { makePlaceSync } from "../../../src/telemetry/states/places.jobs.ts";
import { useDatabase } from "../../support/database.ts";
import { putDevices, type TestDevice } from "../alerts/fleet-of.ts";

const NOW = new Date("2026-03-02T09:30:00Z");
const ago = (millis: number): Date => new Date(NOW.getTime() - millis);
const database = useDatabase();

beforeEach(async () => {
  await database.current.db.execute(
    sql`delete from telemetry.alerts; delete from telemetry.states; delete from telemetry.places; delete from telemetry.rounds; delete from telemetry.fleet_counts; delete from telemetry.firmware_counts; delete from telemetry.tile_rounds; delete from telemetry.tile_counts; delete from telemetry.place_sync;`,
  );
});

function makeScene() {
  const clock = makeManualClock(NOW);
  const steps = makeAlertSteps({ database: database.current, clock, zone: "Africa/Nairobi" });
  return {
    clock,
    fleet: makeFleet({ db: database.current.db, clock }),
    put: (devices: readonly TestDevice[]) => putDevices(database.current, { devices, now: NOW }),
    async count() {
      while (await steps.look());
      await steps.tiles();
    },
  };
}

const someDevice = fc.record({
  agoMs: fc.oneof(fc.nat(3 * HOUR_MS), fc.nat(20 * DAY_MS)),
  never: fc.boolean(),
  inService: fc.constantFrom(true, true, true, false),
  area: fc.constantFrom("kitui", "kisii"),
  state: fc.record({
    interval_seconds: fc.constantFrom(30, 900, 3_600, 86_400, null),
    tampered: fc.constantFrom(true, false, null),
    battery_charge_percent: fc.constantFrom(5, 10, 29, 30, 80, null),
    firmware_version: fc.constantFrom("1.0", "1.1", null),
    token_count: fc.constantFrom(2, 3, null),
  }),
});

/** Devices spread over many ranges, as numbers of a large fleet are. */
function someFleet(): readonly (TestDevice & { lastSeenAt: Date | null })[] {
  return fc.sample(someDevice, { numRuns: 300, seed: 11 }).map(({ agoMs, never, ...one }, at) => ({
    ...one,
    device: 1 + at * 379,
    tokensIssued: 3,
    lastSeenAt: never && at % 5 === 0 ? null : ago(agoMs),
  }));
}

describe("the fleet screen", () => {
  test("calls each device what the rules of liveness call it", async () => {
    const { fleet, put } = makeScene();
    const devices = someFleet();
    await put(devices);
    const shown = await fleet.findMany(devices.map(({ device }) => device));
    for (const { device, lastSeenAt, state } of devices) {
      const told = state?.["interval_seconds"];
      const intervalMs = expectedIntervalMs({ told: typeof told === "number" ? told : undefined, model: undefined });
      expect(shown.get(device)?.liveness).toBe(livenessOf({ lastSeenAt: lastSeenAt ?? undefined, intervalMs }, NOW));
    }
  });

  test("counts the same devices in its summary as its lists show, in every category and area", async () => {
    const { fleet, put, count } = makeScene();
    const devices = someFleet();
    await put(devices);
    await count();
    const summary = await fleet.summary();
    expect(summary.devices).toBe(devices.length);
    expect(summary.countedAt).toEqual(NOW);
    const all = async (filter: FleetFilter): Promise<number> => {
      const found: number[] = [];
      for (let after = 0; ;) {
        const page = await fleet.list({ filter, first: 20, after });
        found.push(...page.map(({ device }) => device));
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.device;
      }
      expect(found).toEqual([...new Set(found)].toSorted((left, right) => left - right));
      return found.length;
    };
    expect(await all({})).toBe(devices.length);
    for (const [liveness, number] of Object.entries(summary.byLiveness))
      expect([liveness, await all({ liveness: liveness as never })]).toEqual([liveness, number]);
    for (const [battery, number] of Object.entries(summary.byBattery))
      expect([battery, await all({ battery: battery as never })]).toEqual([battery, number]);
    expect(await all({ tampered: true })).toBe(summary.tampered);
    expect(await all({ tokenBehind: true })).toBe(summary.tokenBehind);
    for (const { area, devices: number } of summary.byArea) expect(await all({ area })).toBe(number);
    const old = summary.byFirmware.find(({ firmwareVersion }) => firmwareVersion === "1.0");
    expect(await all({ firmwareVersion: "1.0" })).toBe(old?.devices);
    const kitui = await fleet.summary("kitui");
    expect(await all({ area: "kitui", liveness: "silent" })).toBe(kitui.byLiveness.silent);
    const fallen = devices.filter(({ lastSeenAt, state, inService }) => {
      const told = state?.["interval_seconds"];
      const intervalMs = expectedIntervalMs({ told: typeof told === "number" ? told : undefined, model: undefined });
      return inService === true && hasFallen({ lastSeenAt: lastSeenAt ?? undefined, intervalMs }, NOW);
    });
    const [counted] = await database.current.db.execute(
      sql`select sum(fallen)::integer as fallen from telemetry.fleet_counts`,
    );
    expect(counted?.["fallen"]).toBe(fallen.length);
  });

  test("says how far device and contract are apart in days, and how far behind a token is", async () => {
    const { fleet, put } = makeScene();
    await put([
      {
        device: 1,
        tokensIssued: 7,
        activeUntil: new Date(NOW.getTime() + 9 * DAY_MS).toISOString(),
        state: { active_until: new Date(NOW.getTime() + 2 * DAY_MS).toISOString(), token_count: 5 },
      },
      { device: 2, activeUntil: "infinity", state: { active_until: "infinity", token_count: 0 } },
      { device: 3, lastSeenAt: null },
    ]);
    expect(
      (await fleet.list({ first: 10 })).map(({ daysAhead, tokenLag, liveness }) => [daysAhead, tokenLag, liveness]),
    ).toEqual([
      [-7, 2, "alive"],
      [0, 0, "alive"],
      [undefined, undefined, "never"],
    ]);
  });

  test("finds devices by the start of a serial, and takes no wildcard for one", async () => {
    const { fleet, put } = makeScene();
    await put([{ device: 12 }, { device: 123 }]);
    expect(await fleet.list({ filter: { search: "LAMP-00012" }, first: 10 })).toHaveLength(1);
    expect(await fleet.list({ filter: { search: "LAMP-0000" }, first: 10 })).toHaveLength(1);
    expect(await fleet.list({ filter: { search: "LAMP_" }, first: 10 })).toEqual([]);
    await expect(fleet.list({ first: 1_000 })).rejects.toThrow("1 to 101");
  });
});

describe("the map", () => {
  const VIEW = { west: 37, south: -2, east: 39, north: 0 };
  const village = (from: number, at: { latitude: number; longitude: number }): TestDevice[] =>
    Array.from({ length: 40 }, (_, step) => ({
      device: from + step,
      latitude: at.latitude + (step % 7) * 0.001,
      longitude: at.longitude + (step % 5) * 0.001,
      lastSeenAt: step < 10 ? ago(3 * DAY_MS) : NOW,
    }));

  test("holds every device once, from afar and from near, with what is in trouble", async () => {
    const { fleet, put, count } = makeScene();
    await put([...village(1, { latitude: -1.4, longitude: 38 }), ...village(101, { latitude: -0.7, longitude: 37.6 })]);
    await put([{ device: 900 }]);
    await count();
    for (const zoom of [0, 3, 6, 9, 10]) {
      const squares = await fleet.map({ bounds: VIEW, zoom });
      expect([zoom, squares.reduce((sum, { devices }) => sum + devices, 0)]).toEqual([zoom, 80]);
      expect(squares.reduce((sum, { troubled }) => sum + troubled, 0)).toBe(20);
    }
    const near = { west: 37.99, south: -1.41, east: 38.01, north: -1.39 };
    const close = await fleet.map({ bounds: near, zoom: 15 });
    expect(close.reduce((sum, { devices }) => sum + devices, 0)).toBe(40);
    expect(close.length).toBeGreaterThan(1);
    expect(await fleet.map({ bounds: near, zoom: 15, area: "kisii" })).toEqual([]);
  });
});

describe("the copies of what the rest of the house says", () => {
  const facts = (device: number, rest: Partial<PlaceFacts> = {}): PlaceFacts => ({
    device,
    serial: `LAMP-${String(device)}`,
    model: "Home 60",
    life: "installed",
    inService: true,
    area: "kitui",
    place: undefined,
    latitude: -1,
    longitude: 38,
    contractId: undefined,
    activeUntil: "forever",
    tokensIssued: 1,
    ...rest,
  });

  test("follow what changed, and what no change told of comes with the round", async () => {
    const { clock, fleet } = makeScene();
    const house = new Map([1, 2, 3].map((device) => [device, facts(device)]));
    const changed = new Set<number>();
    const source: PlaceSource = {
      page: (_tx, { after, limit }) =>
        Promise.resolve([...house.values()].filter(({ device }) => device > after).slice(0, limit)),
      changed: (_tx, { after, limit }) =>
        Promise.resolve(
          [...house.values()].filter(({ device }) => changed.has(device) && device > after).slice(0, limit),
        ),
    };
    const sync = makePlaceSync({ database: database.current, clock, source });
    expect(await sync.all()).toBe(3);
    expect(await sync.once()).toBe(0);
    house.set(2, facts(2, { area: "kisii", tokensIssued: 9 }));
    changed.add(2);
    expect(await sync.once()).toBe(1);
    expect((await fleet.findMany([2])).get(2)).toMatchObject({
      area: "kisii",
      tokensIssued: 9,
      daysLeftByContract: 10_000,
    });
  });

  test("of many thousands at once are taken over step by step, and what changes meanwhile is not missed", async () => {
    const { clock } = makeScene();
    const house = new Map(Array.from({ length: 24_000 }, (_, at) => [at + 1, facts(at + 1)]));
    const changedAt = new Map<number, Date>();
    let asked = 0;
    const source: PlaceSource = {
      // A round that never comes: what is taken over here was told of.
      page: () => Promise.resolve([]),
      changed: (_tx, { since, after, limit }) => {
        asked += 1;
        return Promise.resolve(
          [...house.values()]
            .filter(({ device }) => device > after && (changedAt.get(device) ?? new Date(0)) >= since)
            .slice(0, limit),
        );
      },
    };
    const step = async () => {
      asked = 0;
      const written = await makePlaceSync({ database: database.current, clock, source }).once();
      clock.advance(15_000);
      return { written, asked };
    };
    await step();
    clock.advance(HOUR_MS);
    for (const device of house.keys()) changedAt.set(device, clock.now());
    expect(await step()).toEqual({ written: 10_000, asked: 5 });
    // One that was taken over already changes again, and time passes.
    house.set(7, facts(7, { area: "kisii" }));
    changedAt.set(7, clock.now());
    clock.advance(HOUR_MS);
    expect(await step()).toEqual({ written: 10_000, asked: 5 });
    expect(await step()).toMatchObject({ written: 4_000 });
    expect(await step()).toMatchObject({ written: 1 });
    // And what is done is not looked at for ever: only as far back as transactions last.
    for (let steps = 0; steps < 3; steps++) await step();
    expect(await step()).toEqual({ written: 0, asked: 1 });
  });

  test("a device that tells where it is, is shown there", async () => {
    const { clock, fleet, put } = makeScene();
    await put([{ device: 1, state: { latitude: -2.5, longitude: 40 } }]);
    const source: PlaceSource = { page: () => Promise.resolve([facts(1)]), changed: () => Promise.resolve([]) };
    await makePlaceSync({ database: database.current, clock, source }).once();
    expect((await fleet.findMany([1])).get(1)).toMatchObject({ latitude: -2.5, longitude: 40 });
  });
});
