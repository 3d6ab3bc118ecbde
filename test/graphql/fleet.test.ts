import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";

const office = useFleetOffice();
const { graphql, people } = office;

describe("the fleet", () => {
  test("is listed page by page with filters, for an agent that of the own area", async () => {
    const lamps = [await office.sellLamp(), await office.sellLamp(), await office.sellLamp()];
    for (const { number } of lamps.slice(0, 2)) await office.hear(number, { battery_charge_percent: 5 });
    await office.round();
    const LIST = `query ($after: String, $filter: FleetFilter) { fleet(first: 2, after: $after, filter: $filter) {
      edges { node { serial liveness device { id serial } } } pageInfo { hasNextPage endCursor } } }`;
    const first = await people.kisumu.ask(LIST);
    expect(first.data["fleet"]).toMatchObject({
      edges: lamps.slice(0, 2).map(({ serial, id }) => ({ node: { serial, liveness: "alive", device: { id } } })),
      pageInfo: { hasNextPage: true },
    });
    const after = (first.data["fleet"] as unknown as { pageInfo: { endCursor: string } }).pageInfo.endCursor;
    expect((await people.kisumu.ask(LIST, { after })).data["fleet"]).toMatchObject({
      edges: [{ node: { serial: lamps[2]?.serial, liveness: "never" } }],
      pageInfo: { hasNextPage: false },
    });
    const never = await people.office.ask(LIST, { filter: { liveness: "never" } });
    expect(never.data["fleet"]).toMatchObject({ edges: [{ node: { serial: lamps[2]?.serial } }] });
    expect((await people.gulu.ask(LIST)).data["fleet"]).toMatchObject({ edges: [] });
    expect((await people.gulu.ask(LIST, { filter: { area: "Kisumu" } })).data["fleet"]).toMatchObject({ edges: [] });
  });

  test("is counted, and an agent's count is of the own area alone", async () => {
    await office.round();
    const SUMMARY = `query ($area: String) { fleetSummary(area: $area) { ... on FleetSummary { devices inService byLiveness { alive never } byBattery { empty } byArea { area } } ${REFUSAL} } }`;
    const all = await people.office.ask(SUMMARY);
    expect(all.data["fleetSummary"]).toMatchObject({
      inService: 3,
      byLiveness: { alive: 2, never: 1 },
      byBattery: { empty: 2 },
    });
    expect((await people.kisumu.ask(SUMMARY)).data["fleetSummary"]).toMatchObject({ byArea: [{ area: "Kisumu" }] });
    expect((await people.gulu.ask(SUMMARY)).data["fleetSummary"]).toMatchObject({ devices: 0, byArea: [] });
    expect((await people.gulu.ask(SUMMARY, { area: "Kisumu" })).data["fleetSummary"]).toMatchObject({
      __typename: "Forbidden",
    });
  });

  test("is on the map where devices say they are; a view that is too large is refused", async () => {
    const lamp = await office.sellLamp();
    await office.hear(lamp.number, { latitude: -0.09, longitude: 34.76 });
    await office.round();
    const MAP = `query ($bounds: MapBounds!, $zoom: Int!) { fleetMap(bounds: $bounds, zoom: $zoom) { ... on FleetMap { squares { devices device { serial } } } ${REFUSAL} } }`;
    const near = { bounds: { west: 34.7, south: -0.15, east: 34.8, north: -0.05 }, zoom: 13 };
    const shown = await people.kisumu.ask(MAP, near);
    expect(shown.data["fleetMap"]).toMatchObject({ squares: [{ devices: 1, device: { serial: lamp.serial } }] });
    expect((await people.gulu.ask(MAP, near)).data["fleetMap"]).toMatchObject({ squares: [] });
    const world = { bounds: { west: -180, south: -80, east: 180, north: 80 }, zoom: 18 };
    expect((await people.office.ask(MAP, world)).data["fleetMap"]).toMatchObject({
      __typename: "InvalidInput",
      field: "bounds",
    });
  });
});

test("the report tells shares, days that agree, batteries, commands and frames set aside, to the office alone", async () => {
  const REPORT = `{ fleetReport { connectedShare silentShare neverHeardShare daysLeft { compared agreeing ahead behind share }
    batteries { least most batteries } commands { kind asked done ended share } quarantined { reason frames } } }`;
  const { db } = graphql.database;
  const days = (count: number) => new Date(graphql.clock.now().getTime() + count * DAY_MS).toISOString();
  const lamps = [await office.sellLamp(), await office.sellLamp(), await office.sellLamp()];
  for (const [at, { number }] of lamps.entries()) {
    await office.hear(number, { active_until: days(5 + (at === 2 ? 3 : 0)) });
    await office.round();
  }
  await db.execute(
    sql`update telemetry.places set active_until = ${days(5)}::timestamptz where device in ${lamps.map(({ number }) => number)}`,
  );
  await db.execute(sql`
    insert into telemetry.battery_health (device, week_on, memory, share, share_least, share_most, lacking, of_new, reasons, sizing, evidence)
    values (1, '2026-11-16', '{}', 0.75, 0.7, 0.8, null, true, '{}', 'fits', '{}'), (2, '2026-11-16', '{}', null, null, null, 'never_full', true, '{}', 'fits', '{}')`);
  await db.execute(sql`
    insert into telemetry.quarantine (serial, topic, reason, detail, source, bytes, raw, received_at)
    values ('WL-9', 'data', 'not_signed', 'No signature.', '192.0.2.7', 3, '\\x616263', ${graphql.clock.now().toISOString()}::timestamptz),
      ('WL-9', 'data', 'replayed', 'Old.', '192.0.2.7', 3, '\\x616263', ${days(-30)}::timestamptz)`);
  const SEND = `mutation ($id: ID!, $key: String!) { sendDeviceCommand(deviceId: $id, request: { kind: fetch_data }, reason: "Look", idempotencyKey: $key) { ... on DeviceCommand { id } } }`;
  for (const { id } of lamps) await people.office.ask(SEND, { id, key: randomUUID() });
  await db.execute(
    sql`update devices.commands set state = case device when ${lamps[0]?.number} then 'done' else 'failed' end where device in ${lamps.slice(0, 2).map(({ number }) => number)}`,
  );
  graphql.clock.advance(HOUR_MS / 30);
  const { data } = await people.office.ask(REPORT);
  const report = data["fleetReport"];
  expect(report).toMatchObject({
    silentShare: 0,
    daysLeft: { compared: 3, agreeing: 2, ahead: 1, behind: 0 },
    commands: [{ kind: "fetch_data", asked: 3, done: 1, ended: 2, share: 0.5 }],
    quarantined: [{ reason: "not_signed", frames: 1 }],
  });
  expect(Number(report?.["connectedShare"]) + Number(report?.["neverHeardShare"])).toBeCloseTo(1);
  expect(report?.["batteries"]).toContainEqual({ least: 0.7, most: 0.8, batteries: 1 });
  expect(report?.["batteries"]).toContainEqual({ least: null, most: null, batteries: 1 });
  // The same for a minute, with all that is in it.
  await people.office.ask(SEND, { id: (await office.sellLamp()).id, key: randomUUID() });
  await office.round();
  expect((await people.office.ask(REPORT)).data["fleetReport"]).toEqual(report);
  graphql.clock.advance(MINUTE_MS);
  expect((await people.office.ask(REPORT)).data["fleetReport"]).toMatchObject({ commands: [{ asked: 4 }] });
  const agent = await people.kisumu.ask(REPORT);
  expect(agent.errors?.[0]).toMatchObject({ extensions: { code: "FORBIDDEN" } });
});

test("frames that were set aside are read by the office with their bytes and reason, and by no agent", async () => {
  const LIST = `query ($reason: QuarantineReason) { quarantinedFrames(reason: $reason) { edges { node { id serial reason detail source bytes } } } }`;
  const { data } = await people.office.ask(LIST, { reason: "not_signed" });
  const { edges } = data["quarantinedFrames"] as unknown as { edges: { node: { id: string } }[] };
  expect(edges).toMatchObject([{ node: { serial: "WL-9", detail: "No signature.", source: "192.0.2.7", bytes: 3 } }]);
  const bytes = await people.office.ask(
    `query ($id: ID!) { quarantinedBytes(id: $id) { ... on FrameBytes { base64 } ${REFUSAL} } }`,
    { id: edges[0]?.node.id },
  );
  expect(bytes.data["quarantinedBytes"]).toMatchObject({ base64: Buffer.from("abc").toString("base64") });
  expect((await people.kisumu.ask(LIST)).errors?.[0]).toMatchObject({ extensions: { code: "FORBIDDEN" } });
});
