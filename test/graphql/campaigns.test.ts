import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { REFUSAL, useOffice } from "./office.ts";

const office = useOffice();
const PREVIEW = `query ($areas: [String!], $states: [String!]) {
  campaignPreview(segment: { areas: $areas, states: $states }, texts: { sw: "Habari {name}" }) {
    ... on CampaignPreview { people languages { language people parts sample } skipped { reason people } cost { amount } } ${REFUSAL}
  }
}`;
const CREATE = `mutation ($area: String!, $key: String!) {
  createCampaign(name: "Lamps", segment: { areas: [$area], languages: [sw] }, texts: { sw: "Habari {name}" }, idempotencyKey: $key) {
    ... on Campaign { id state segment createdBy texts { language text } } ${REFUSAL}
  }
}`;
const act = (mutation: string): string => `mutation ($id: ID!, $key: String!) {
  ${mutation}(id: $id, idempotencyKey: $key) { ... on Campaign { id state progress { people left sent skipped { reason people } cost { amount } } } ${REFUSAL} }
}`;
const FIGURES = `query ($from: DateTime!, $to: DateTime!) {
  messageFigures(from: $from, to: $to) {
    ... on QueryMessageFiguresSuccess { data { onDay state template channel category messages cost { amount currency } } } ${REFUSAL}
  }
}`;

test("the office previews a campaign, starts it once, follows it and stops it; the audit knows who did", async () => {
  const { people, graphql } = office;
  await office.register(people.kisumu, "Kisumu");
  const { data: seen } = await people.office.ask(PREVIEW, { areas: ["Kisumu"] });
  expect(seen["campaignPreview"]).toMatchObject({
    people: 1,
    skipped: [{ reason: "no_consent", people: 1 }],
    languages: [],
    cost: null,
  });
  const made = { area: "Kisumu", key: randomUUID() };
  const { data: created } = await people.office.ask(CREATE, made);
  const id = created["createCampaign"]?.["id"];
  expect(created["createCampaign"]).toMatchObject({
    state: "draft",
    segment: '{"areas":["Kisumu"],"languages":["sw"]}',
    texts: [{ language: "sw", text: "Habari {name}" }],
  });
  expect((await people.office.ask(CREATE, made)).data["createCampaign"]?.["id"]).toBe(id);
  const started = await people.admin.ask(act("startCampaign"), { id, key: randomUUID() });
  expect(started.data["startCampaign"]).toMatchObject({ state: "running", progress: { people: 1, left: 1 } });
  await graphql.services.messaging.campaigns.step();
  const stopped = await people.office.ask(act("stopCampaign"), { id, key: randomUUID() });
  expect(stopped.data["stopCampaign"]).toMatchObject({
    state: "stopped",
    progress: { people: 1, left: 0, sent: 0, skipped: [{ reason: "no_consent", people: 1 }], cost: [] },
  });
  const audit = await graphql.services.access.listAudit({ limit: 10, subject: { kind: "campaign", id: String(id) } });
  expect(audit.map(({ action }) => action)).toEqual(["campaign.stop", "campaign.start", "campaign.create"]);
  const { data: listed } = await people.office.ask("{ campaigns { edges { node { id state } } } }");
  expect(listed["campaigns"]?.["edges"]).toContainEqual({ node: { id, state: "stopped" } });
});

test("agents neither see campaigns and figures nor make any", async () => {
  const { people } = office;
  const { data } = await people.kisumu.ask(CREATE, { area: "Kisumu", key: randomUUID() });
  expect(data["createCampaign"]).toMatchObject({ code: "FORBIDDEN" });
  expect((await people.kisumu.ask(PREVIEW, { areas: ["Kisumu"] })).data["campaignPreview"]).toMatchObject({
    code: "FORBIDDEN",
  });
  expect((await people.kisumu.ask("{ campaigns { edges { node { id } } } }")).errors?.[0]?.extensions.code).toBe(
    "FORBIDDEN",
  );
});

test("what cannot be meant is refused: a state that no contract has, a campaign that is not there, a year of figures", async () => {
  const { people } = office;
  expect((await people.office.ask(PREVIEW, { states: ["sold"] })).data["campaignPreview"]).toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("states") as string,
  });
  for (const id of ["nonsense", randomUUID()])
    expect(
      (await people.office.ask(act("startCampaign"), { id, key: randomUUID() })).data["startCampaign"],
    ).toMatchObject({ code: "NOT_FOUND" });
  const year = { from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z" };
  expect((await people.office.ask(FIGURES, year)).data["messageFigures"]).toMatchObject({ code: "INVALID_INPUT" });
});

test("the office sees what became of messages by day, with their cost", async () => {
  const { people, graphql } = office;
  const { db } = graphql.database;
  const { messaging } = graphql.services;
  await db.transaction((tx) =>
    messaging.append(tx, [
      { key: "a", toPhone: "+254711000111", language: "en", template: "refund_coming", values: { amount: "KES 50" } },
    ]),
  );
  const [message] = (await messaging.list(db, { first: 1 })).messages;
  await messaging.send(message?.id ?? "");
  const span = { from: "2026-11-20T00:00:00Z", to: "2026-11-21T00:00:00Z" };
  expect((await people.office.ask(FIGURES, span)).data["messageFigures"]).toMatchObject({
    data: [
      {
        onDay: "2026-11-20",
        state: "queued",
        template: "refund_coming",
        channel: "sms",
        category: "service",
        messages: 1,
        cost: { amount: "0.8000", currency: "KES" },
      },
    ],
  });
});
