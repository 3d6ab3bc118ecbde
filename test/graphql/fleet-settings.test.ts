import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";

const office = useFleetOffice();
const { graphql, people } = office;

async function auditOf(kind: string, id: string): Promise<readonly string[]> {
  const entries = await graphql.services.access.listAudit({ limit: 50, subject: { kind, id } });
  return entries.map(({ action }) => action);
}

describe("passwords of the factory", () => {
  const PROVISION = `mutation ($serials: [String!]!, $reason: String!) { provisionDevices(serials: $serials, reason: $reason) {
    ... on ProvisionedDevices { devices { serial username password broker publishTopics subscribeTopics } } ${REFUSAL} } }`;
  const reason = "Written in the factory";

  test("are an administrator's to make, shown once, and open the broker; a repeat is refused and changes none", async () => {
    const serials = [await office.importDevice(), await office.importDevice()];
    for (const person of [people.office, people.kisumu])
      expect((await person.ask(PROVISION, { serials, reason })).data["provisionDevices"]).toMatchObject({
        __typename: "Forbidden",
      });
    const { data } = await people.admin.ask(PROVISION, { serials, reason });
    const devices = data["provisionDevices"]?.["devices"] as readonly { serial: string; password: string }[];
    expect(devices.map(({ serial }) => serial).toSorted()).toEqual(serials);
    const { db } = graphql.database;
    for (const { serial, password } of devices)
      expect(await graphql.services.credentials.authenticate(db, serial, password)).toBe(true);
    const again = await people.admin.ask(PROVISION, { serials, reason });
    expect(again.data["provisionDevices"]).toMatchObject({ __typename: "NotAllowedNow" });
    expect(await graphql.services.credentials.authenticate(db, serials[0] ?? "", devices[0]?.password ?? "")).toBe(
      true,
    );
    expect(await auditOf("devices", "credentials")).toContain("device.credentials.provision");
  });

  test("are made for all of the devices or for none, and who asks for nothing is told so", async () => {
    const serial = await office.importDevice();
    const some = await people.admin.ask(PROVISION, { serials: [serial, "NOBODY"], reason });
    expect(some.data["provisionDevices"]).toMatchObject({
      __typename: "NotAllowedNow",
      message: "NOBODY: There is no such device.",
    });
    const status = await people.office.ask(
      `{ device(serial: "${serial}") { ... on Device { credentials { state } } } }`,
    );
    expect(status.data["device"]).toEqual({ credentials: { state: "none" } });
    for (const [variables, field] of [
      [{ serials: [], reason }, "serials"],
      [{ serials: Array.from({ length: 501 }, (_, at) => `S-${String(at)}`), reason }, "serials"],
      [{ serials: [serial], reason: "  " }, "reason"],
    ] as const)
      expect((await people.admin.ask(PROVISION, variables)).data["provisionDevices"]).toMatchObject({
        __typename: "InvalidInput",
        field,
      });
  });
});

describe("where a device is", () => {
  const PLACE = `mutation ($id: ID!, $where: WhereaboutsInput!, $key: String!) { placeDevice(id: $id, whereabouts: $where, reason: "A shop", idempotencyKey: $key) {
    ... on Device { state whereabouts { area place latitude longitude } movements { edges { node { from to reason } } } } ${REFUSAL} } }`;

  test("is said by the office, once however often it is sent, and stays in its history", async () => {
    const serial = await office.importDevice();
    const { id } = await graphql.services.devices.requireBySerial(graphql.database.db, serial);
    const where = { area: "Homa Bay", place: "Kiosk 4", latitude: -0.53, longitude: 34.46 };
    const asked = { id, where, key: randomUUID() };
    for (const answer of [await people.office.ask(PLACE, asked), await people.office.ask(PLACE, asked)])
      expect(answer.data["placeDevice"]).toMatchObject({
        state: "stock",
        whereabouts: where,
        movements: { edges: [{ node: { from: "stock", to: "stock", reason: "A shop" } }] },
      });
    expect(await auditOf("device", id)).toEqual(["device.place"]);
    const other = await people.office.ask(PLACE, { ...asked, where: { area: "Siaya" } });
    expect(other.data["placeDevice"]).toMatchObject({ __typename: "IdempotencyConflict" });
    const same = await people.office.ask(PLACE, { ...asked, key: randomUUID() });
    expect(same.data["placeDevice"]).toMatchObject({ __typename: "InvalidInput", message: /there already/ });
    const agent = await people.kisumu.ask(PLACE, { ...asked, key: randomUUID() });
    expect(agent.data["placeDevice"]).toMatchObject({ __typename: "Forbidden" });
  });

  test.each([
    [{ latitude: 91, longitude: 0 }, /-90 to 90/],
    [{ latitude: 1 }, /a latitude and a longitude/],
    [{ area: "two\nlines" }, /An area has/],
    [{ area: "a\u0000b" }, /An area has/],
  ])("cannot be nowhere: %j", async (where, message) => {
    const { id } = await graphql.services.devices.requireBySerial(graphql.database.db, await office.importDevice());
    const { data } = await people.office.ask(PLACE, { id, where, key: randomUUID() });
    expect(data["placeDevice"]).toMatchObject({
      __typename: "InvalidInput",
      message: expect.stringMatching(message) as string,
    });
  });
});

describe("what a battery is", () => {
  const MODEL = `mutation ($model: String!, $spec: BatterySpecInput!) { setModelBattery(model: $model, spec: $spec) {
    ... on ModelBattery { model devices others chemistry ratedAh cells } ${REFUSAL} } }`;
  const DEVICE = `mutation ($id: ID!, $spec: BatterySpecInput, $newOn: LocalDate, $replaced: Boolean!) { setDeviceBattery(deviceId: $id, spec: $spec, newOn: $newOn, replaced: $replaced) {
    ... on Device { serial battery { share } } ${REFUSAL} } }`;
  const MODELS = "{ modelBatteries { model devices others chemistry ratedAh cells } }";
  const lfp = { chemistry: "lfp", ratedAh: 12, cells: 4 };

  test("is said of a model by the office, with a trace; the latest word counts, and who lacks one is seen", async () => {
    await office.sellLamp();
    await office.round();
    const before = await people.office.ask(MODELS);
    const [lamp] = before.data["modelBatteries"] as unknown as readonly { devices: number }[];
    expect(lamp).toMatchObject({ model: "Lamp", chemistry: null, ratedAh: null, others: 0 });
    expect(lamp?.devices).toBeGreaterThan(0);
    const set = await people.office.ask(MODEL, { model: " Lamp ", spec: { ...lfp, ratedAh: 20 } });
    expect(set.data["setModelBattery"]).toMatchObject({ model: "Lamp", devices: lamp?.devices, ratedAh: 20 });
    await people.office.ask(MODEL, { model: "Lamp", spec: lfp });
    expect((await people.office.ask(MODELS)).data["modelBatteries"]).toMatchObject([{ model: "Lamp", ...lfp }]);
    expect(await auditOf("model", "Lamp")).toEqual(["battery.set_model", "battery.set_model"]);
    expect((await people.kisumu.ask(MODEL, { model: "Lamp", spec: lfp })).data["setModelBattery"]).toMatchObject({
      __typename: "Forbidden",
    });
    expect((await people.kisumu.ask(MODELS)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  });

  test.each([
    ["Lamp", { ...lfp, ratedAh: 0 }, "ratedAh"],
    ["Lamp", { ...lfp, cells: 0 }, "cells"],
    ["  ", lfp, "model"],
    ["La\u0000mp", lfp, "model"],
  ])("that cannot be is refused by field: %j %j", async (model, spec, field) => {
    const { data } = await people.office.ask(MODEL, { model, spec });
    expect(data["setModelBattery"]).toMatchObject({ __typename: "InvalidInput", field });
  });

  test("and when it was new is said of a device; one that was replaced is forgotten, and only the office may say so", async () => {
    const lamp = await office.sellLamp();
    const { db } = graphql.database;
    await db.execute(sql`
      insert into telemetry.battery_health (device, week_on, memory, share, share_least, share_most, of_new, reasons, sizing, evidence)
      values (${lamp.number}, '2026-11-16', '{}', 0.7, 0.65, 0.75, true, '{}', 'fits', '{"weeks": 60, "discharges": 12}')`);
    const SHARE = `{ device(serial: "${lamp.serial}") { ... on Device { battery { share } } } }`;
    const ask = async (variables: object) =>
      (await people.office.ask(DEVICE, { id: lamp.id, ...variables })).data["setDeviceBattery"];
    expect(await ask({ replaced: false, spec: { ...lfp, ratedAh: 30 } })).toMatchObject({ battery: { share: 0.7 } });
    expect(await ask({ replaced: true })).toMatchObject({ __typename: "InvalidInput", field: "newOn" });
    expect(await ask({ replaced: false, newOn: "2199-01-01" })).toMatchObject({
      __typename: "InvalidInput",
      field: "newOn",
    });
    expect((await people.office.ask(SHARE)).data["device"]).toEqual({ battery: { share: 0.7 } });
    const today = graphql.clock.now().toISOString().slice(0, 10);
    for (let times = 0; times < 2; times += 1)
      expect(await ask({ replaced: true, newOn: today })).toMatchObject({ serial: lamp.serial, battery: null });
    const [row] = await db.execute(
      sql`select chemistry, new_on::text as new_on from telemetry.batteries where device = ${lamp.number}`,
    );
    expect(row).toEqual({ chemistry: null, new_on: today });
    expect(await auditOf("device", lamp.id)).toEqual(["battery.set", "battery.set", "battery.set"]);
    const agent = await people.kisumu.ask(DEVICE, { id: lamp.id, replaced: true, newOn: today });
    expect(agent.data["setDeviceBattery"]).toMatchObject({ __typename: "Forbidden" });
    const nobody = await people.office.ask(DEVICE, { id: randomUUID(), replaced: false, newOn: today });
    expect(nobody.data["setDeviceBattery"]).toMatchObject({ __typename: "NotFound" });
  });

  test("is counted over the fleet by filters, for the office alone", async () => {
    const lamps = [await office.sellLamp(), await office.sellLamp(), await office.sellLamp()];
    await office.round();
    const { db } = graphql.database;
    for (const [at, share] of [0.72, 0.95, null].entries())
      await db.execute(sql`
        insert into telemetry.battery_health (device, week_on, memory, share, share_least, share_most, lacking, of_new, within_8, within_26, reasons, sizing, evidence)
        values (${lamps[at]?.number ?? 0}, '2026-11-16', '{}', ${share}, ${share}, ${share}, ${share === null ? "still_learning" : null}, true,
          ${at === 0 ? 0.9 : 0.1}, 0.9, ${at === 0 ? "{worn,hot}" : "{}"}::text[], 'fits', '{"weeks": 60, "discharges": 12}')`);
    const COUNT = `query ($filter: BatteryFilter) { fleetBatteries(filter: $filter) { ... on FleetBatteries {
      batteries withHealth failingSoon ended meanShare byReason { reason batteries } bySizing { sizing batteries } byLacking { lacking batteries } } ${REFUSAL} } }`;
    const count = async (filter: object) => (await people.office.ask(COUNT, { filter })).data["fleetBatteries"];
    const all = await count({ area: "Kisumu", model: "Lamp" });
    expect(all).toMatchObject({ batteries: 3, withHealth: 2, failingSoon: 1, ended: 1 });
    expect(all?.["meanShare"]).toBeCloseTo(0.835);
    expect(all).toMatchObject({
      byReason: [
        { reason: "hot", batteries: 1 },
        { reason: "worn", batteries: 1 },
      ],
      bySizing: [{ sizing: "fits", batteries: 3 }],
      byLacking: [{ lacking: "still_learning", batteries: 1 }],
    });
    expect(await count({ failingSoon: true })).toMatchObject({ batteries: 1, ended: 1, byLacking: [] });
    expect(await count({ shareMax: 0.8 })).toMatchObject({ batteries: 1 });
    expect(await count({ area: "Gulu" })).toMatchObject({ batteries: 0, meanShare: null, byReason: [] });
    const unstorable = await people.office.ask(COUNT, { filter: { area: "Kis\u0000umu" } });
    expect(unstorable.errors?.[0]).toMatchObject({
      message: expect.stringContaining("U+0000") as string,
      extensions: { code: "BAD_USER_INPUT" },
    });
    expect(graphql.faults).toEqual([]);
    expect((await people.kisumu.ask(COUNT)).data["fleetBatteries"]).toMatchObject({ __typename: "Forbidden" });
  });
});

describe("what is expected of a model", () => {
  const EXPECT = `mutation ($model: String!, $interval: Int, $firmware: String) { setModelExpectation(model: $model, intervalSeconds: $interval, firmwareMinimum: $firmware) {
    ... on ModelExpectation { model intervalSeconds firmwareMinimum } ${REFUSAL} } }`;
  const ALL = "{ modelExpectations { model intervalSeconds firmwareMinimum } }";

  test("is the office's word, the latest counts, and what is answered is what is kept", async () => {
    const first = await people.office.ask(EXPECT, { model: " Lamp ", interval: 900, firmware: " 1.4.2 " });
    const kept = { model: "Lamp", intervalSeconds: 900, firmwareMinimum: "1.4.2" };
    expect(first.data["setModelExpectation"]).toMatchObject(kept);
    expect((await people.office.ask(ALL)).data["modelExpectations"]).toEqual([kept]);
    await people.office.ask(EXPECT, { model: "Lamp", interval: 1_800 });
    expect((await people.office.ask(ALL)).data["modelExpectations"]).toEqual([
      { model: "Lamp", intervalSeconds: 1_800, firmwareMinimum: null },
    ]);
    expect(await auditOf("model", "Lamp")).toContain("alert_expectation.set");
    expect((await people.kisumu.ask(EXPECT, { model: "Lamp" })).data["setModelExpectation"]).toMatchObject({
      __typename: "Forbidden",
    });
  });

  test.each([
    [{ model: "Lamp", interval: 59 }, "intervalSeconds"],
    [{ model: "Lamp", interval: 604_801 }, "intervalSeconds"],
    [{ model: "Lamp", firmware: "new" }, "firmwareMinimum"],
    [{ model: "Lamp", firmware: "1\u00002" }, "firmwareMinimum"],
    [{ model: " " }, "model"],
    [{ model: "L\u0000" }, "model"],
    [{ model: "L".repeat(121) }, "model"],
  ])("is refused by field where it makes no sense: %j", async (variables, field) => {
    const { data } = await people.office.ask(EXPECT, variables);
    expect(data["setModelExpectation"]).toMatchObject({ __typename: "InvalidInput", field });
  });
});

test("a device whose clock went back is let in again by the office, with a reason; one that never spoke has no guard", async () => {
  const lamp = await office.sellLamp();
  const RESET = `mutation ($id: ID!, $reason: String!) { resetReplayGuard(deviceId: $id, reason: $reason) { ... on Device { serial } ${REFUSAL} } }`;
  const ask = async (person: typeof people.office, reason = "Its clock was set back") =>
    (await person.ask(RESET, { id: lamp.id, reason })).data["resetReplayGuard"];
  expect(await ask(people.office)).toMatchObject({ __typename: "NotFound" });
  await office.hear(lamp.number, { request_timestamp: 4_000_000_000, request_count: 7 });
  expect(await ask(people.office, " ")).toMatchObject({ __typename: "InvalidInput", field: "reason" });
  expect(await ask(people.kisumu)).toMatchObject({ __typename: "Forbidden" });
  const guard = async () => {
    const [row] = await graphql.database.db.execute<{ request_timestamp: string | null; request_count: string | null }>(
      sql`select request_timestamp, request_count from telemetry.states where device = ${lamp.number}`,
    );
    return [row?.request_timestamp, row?.request_count].map((one) => one && Number(one));
  };
  expect(await guard()).toEqual([4_000_000_000, 7]);
  for (let times = 0; times < 2; times += 1) expect(await ask(people.office)).toMatchObject({ serial: lamp.serial });
  expect(await guard()).toEqual([null, null]);
  expect(await auditOf("device", lamp.id)).toEqual(["device.reset_replay_guard", "device.reset_replay_guard"]);
});
