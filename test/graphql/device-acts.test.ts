import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";

const office = useFleetOffice();
const { graphql, people } = office;

const SEND = `mutation ($id: ID!, $request: DeviceCommandInput!, $key: String!) {
  sendDeviceCommand(deviceId: $id, request: $request, reason: "The customer called", idempotencyKey: $key) {
    ... on DeviceCommand { id kind state body tokenCount attempts changes { state } } ${REFUSAL} } }`;
const CANCEL = `mutation ($id: ID!) { cancelDeviceCommand(id: $id, reason: "Not needed any more") { ... on DeviceCommand { id state } ${REFUSAL} } }`;

async function auditOf(subjectId: string): Promise<readonly string[]> {
  const entries = await graphql.services.access.listAudit({ limit: 50, subject: { kind: "device", id: subjectId } });
  return entries.map(({ action }) => action);
}

describe("a command to a device", () => {
  test("is queued once however often it is sent, shows no token, and is audited", async () => {
    const lamp = await office.sellLamp();
    const asked = { id: lamp.id, request: { kind: "set_days", days: 7 }, key: randomUUID() };
    const [first, again] = [await people.office.ask(SEND, asked), await people.office.ask(SEND, asked)];
    expect(first.data["sendDeviceCommand"]).toMatchObject({ kind: "set_days", state: "queued", attempts: 0 });
    expect(again.data["sendDeviceCommand"]).toEqual(first.data["sendDeviceCommand"]);
    expect(JSON.parse(String(first.data["sendDeviceCommand"]?.["body"]))).toEqual({ kind: "set_days", days: 7 });
    expect(await auditOf(lamp.id)).toEqual(["device.command.set_days"]);
    const second = await people.office.ask(SEND, { ...asked, key: randomUUID() });
    expect(second.data["sendDeviceCommand"]).toMatchObject({ __typename: "NotAllowedNow" });
    const cancelled = await people.office.ask(CANCEL, { id: first.data["sendDeviceCommand"]?.["id"] });
    expect(cancelled.data["cancelDeviceCommand"]).toMatchObject({ state: "cancelled" });
  });

  test("is an agent's to give where the device is in a home of the own area, and never one about light", async () => {
    const lamp = await office.sellLamp();
    const ask = { id: lamp.id, request: { kind: "fetch_data" }, key: randomUUID() };
    const own = await people.kisumu.ask(SEND, ask);
    expect(own.data["sendDeviceCommand"]).toMatchObject({ kind: "fetch_data", state: "queued" });
    const id = own.data["sendDeviceCommand"]?.["id"];
    expect((await people.gulu.ask(SEND, ask)).data["sendDeviceCommand"]).toMatchObject({ __typename: "NotFound" });
    expect((await people.gulu.ask(CANCEL, { id })).data["cancelDeviceCommand"]).toMatchObject({
      __typename: "NotFound",
    });
    for (const request of [{ kind: "unlock" }, { kind: "set_days", days: 30 }, { kind: "lock" }]) {
      const { data } = await people.kisumu.ask(SEND, { id: lamp.id, request, key: randomUUID() });
      expect(data["sendDeviceCommand"]).toMatchObject({ __typename: "Forbidden" });
    }
    const serial = await office.importDevice();
    const stock = await graphql.services.devices.requireBySerial(graphql.database.db, serial);
    const { data } = await people.kisumu.ask(SEND, { ...ask, id: stock.id, key: randomUUID() });
    expect(data["sendDeviceCommand"]).toMatchObject({ __typename: "Forbidden" });
  });

  test.each([
    [{ kind: "set_days" }, "days"],
    [{ kind: "lock", seconds: 60 }, "seconds"],
    [{ kind: "fetch_data", from: "2026-11-20T00:00:00Z", to: "2026-11-19T00:00:00Z" }, "to"],
  ])("that is incomplete or contradicts itself is refused by field: %j", async (request, field) => {
    const lamp = await office.sellLamp();
    const { data } = await people.office.ask(SEND, { id: lamp.id, request, key: randomUUID() });
    expect(data["sendDeviceCommand"]).toMatchObject({ __typename: "InvalidInput", field });
  });
});

describe("the life of a device", () => {
  const MOVE = `mutation ($id: ID!, $to: DeviceState!, $key: String!) {
    moveDevice(id: $id, to: $to, reason: "Broken screen", whereabouts: { area: "Workshop" }, idempotencyKey: $key) {
      ... on Device { state whereabouts { area } } ${REFUSAL} } }`;

  test("goes to the workshop by the office, once, with its history; a contract is not left without its device", async () => {
    const lamp = await office.sellLamp();
    const asked = { id: lamp.id, to: "repair", key: randomUUID() };
    for (const answer of [await people.office.ask(MOVE, asked), await people.office.ask(MOVE, asked)])
      expect(answer.data["moveDevice"]).toMatchObject({ state: "repair", whereabouts: { area: "Workshop" } });
    const lost = await people.office.ask(MOVE, { ...asked, to: "retired", key: randomUUID() });
    expect(lost.data["moveDevice"]).toMatchObject({ __typename: "NotAllowedNow" });
    expect(await auditOf(lamp.id)).toEqual(["device.move"]);
    const agent = await people.kisumu.ask(MOVE, { ...asked, to: "installed", key: randomUUID() });
    expect(agent.data["moveDevice"]).toMatchObject({ __typename: "Forbidden" });
  });

  test("is decided for many at once: the dry run says line by line what the act then does, and nothing else", async () => {
    const [good, other] = [await office.importDevice(), await office.importDevice()];
    const lamp = await office.sellLamp();
    const order = { csv: `Serial Number\n${good}\n${lamp.serial}\nNOBODY\n`, act: "move", to: "retired" };
    const preview = await people.office.ask(
      `query ($order: BulkOrderInput!) { previewDeviceBulk(order: $order) { ... on BulkReport { willDo refused digest lines { serial willDo text } } ${REFUSAL} } }`,
      { order },
    );
    expect(preview.data["previewDeviceBulk"]).toMatchObject({
      willDo: 1,
      refused: 2,
      lines: [
        { serial: lamp.serial, willDo: false },
        { serial: "NOBODY", willDo: false },
        { serial: good, willDo: true },
      ],
    });
    const APPLY = `mutation ($order: BulkOrderInput!, $digest: String, $key: String!) {
      applyDeviceBulk(order: $order, digest: $digest, reason: "End of life", idempotencyKey: $key) { ... on BulkOutcome { bulkId done refused } ${REFUSAL} } }`;
    const digest = preview.data["previewDeviceBulk"]?.["digest"];
    const elsewhere = { ...order, csv: `Serial Number\n${other}\n` };
    const changed = await people.office.ask(APPLY, { order: elsewhere, digest, key: randomUUID() });
    expect(changed.data["applyDeviceBulk"]).toMatchObject({ __typename: "NotAllowedNow" });
    const key = randomUUID();
    const [done, again] = [
      await people.office.ask(APPLY, { order, digest, key }),
      await people.office.ask(APPLY, { order, digest, key }),
    ];
    expect(done.data["applyDeviceBulk"]).toMatchObject({ done: 1, refused: 2 });
    expect(again.data["applyDeviceBulk"]).toEqual(done.data["applyDeviceBulk"]);
    const { data } = await people.kisumu.ask(APPLY, { order, key: randomUUID() });
    expect(data["applyDeviceBulk"]).toMatchObject({ __typename: "Forbidden" });
  });
});

test("codes are issued, shown again with a trace, claimed, rotated and revoked; agents see the status and get no code", async () => {
  const lamp = await office.sellLamp();
  const name = { serials: [lamp.serial] };
  const ISSUE = `mutation ($serials: [String!]!) { issueClaimCodes(serials: $serials, reason: "Installation") { ... on IssuedClaimCodes { issued { serial code } refused { serial reason } } ${REFUSAL} } }`;
  expect((await people.kisumu.ask(ISSUE, name)).data["issueClaimCodes"]).toMatchObject({ __typename: "Forbidden" });
  const issued = await people.office.ask(ISSUE, { serials: [lamp.serial, "NOBODY"] });
  expect(issued.data["issueClaimCodes"]).toMatchObject({ refused: [{ serial: "NOBODY" }] });
  const codes = issued.data["issueClaimCodes"]?.["issued"] as readonly { code: string }[] | undefined;
  const code = codes?.[0]?.code ?? "";
  const shown = await people.office.ask(
    `mutation ($serials: [String!]!) { showClaimCodes(serials: $serials) { ... on IssuedClaimCodes { issued { code } } ${REFUSAL} } }`,
    name,
  );
  expect(shown.data["showClaimCodes"]).toMatchObject({ issued: [{ code }] });
  const claim = {
    serial: lamp.serial,
    proof: { kind: "code" as const, code, request: undefined },
    source: "192.0.2.9",
  };
  const { password } = await graphql.services.credentials.claim(claim);
  const { db } = graphql.database;
  expect(await graphql.services.credentials.authenticate(db, lamp.serial, password)).toBe(true);
  const rotated = await people.office.ask(
    `mutation ($serial: String!) { rotateDeviceCredentials(serial: $serial, reason: "Board swapped") { ... on ClaimCode { serial code } ${REFUSAL} } }`,
    { serial: lamp.serial },
  );
  expect(rotated.data["rotateDeviceCredentials"]?.["code"]).not.toBe(code);
  expect(await graphql.services.credentials.authenticate(db, lamp.serial, password)).toBe(false);
  const revoked = await people.office.ask(
    `mutation ($serials: [String!]!) { revokeDeviceCredentials(serials: $serials, reason: "Stolen") { ... on RevokedCredentials { revoked } ${REFUSAL} } }`,
    name,
  );
  expect(revoked.data["revokeDeviceCredentials"]).toEqual({ __typename: "RevokedCredentials", revoked: 1 });
  const STATUS = `{ device(serial: "${lamp.serial}") { ... on Device { credentials { state events { edges { node { kind } } } } } } }`;
  expect((await people.kisumu.ask(STATUS)).data["device"]).toMatchObject({
    credentials: { state: "revoked", events: null },
  });
  expect((await people.office.ask(STATUS)).data["device"]).toMatchObject({
    credentials: { events: { edges: ["revoked", "rotated", "claimed", "issued"].map((kind) => ({ node: { kind } })) } },
  });
});
