import { describe, expect, test } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import { useFleetOffice } from "./fleet-office.ts";
import { REFUSAL } from "./office.ts";
import type { Person } from "./graphql-app.ts";

const office = useFleetOffice();
const { graphql, people } = office;

const LIST = `query ($includes: AlertsIncluded, $area: String) { alerts(includes: $includes, area: $area, first: 100) { edges { node { id rule state serial area snoozedUntil } } } }`;
const ONE = `query ($id: ID!) { alert(id: $id) { ... on Alert { id state reason decidedBy device { serial } members { edges { node { id } } } toldTo } ${REFUSAL} } }`;

/** A lamp of Kisumu that was opened, with its alert. */
async function openedLamp(): Promise<{ serial: string; id: string; alertId: string }> {
  const lamp = await office.sellLamp();
  await office.hear(lamp.number, { tampered: true });
  await office.round();
  const alertId = (await listed(people.office)).find(({ serial }) => serial === lamp.serial)?.id ?? "";
  return { serial: lamp.serial, id: lamp.id, alertId };
}

async function listed(
  person: Person,
  variables = {},
): Promise<readonly { id: string; serial: string; state: string }[]> {
  const { data } = await person.ask(LIST, variables);
  const { edges } = data["alerts"] as unknown as { edges: { node: { id: string; serial: string; state: string } }[] };
  return edges.map(({ node }) => node);
}

const decide = (name: string, more = "") => `mutation ($id: ID!) {
  ${name}(id: $id, reason: "I am on my way" ${more}) { ... on Alert { state reason decidedBy snoozedUntil } ${REFUSAL} } }`;

describe("an alert", () => {
  test("is seen and decided by agents of its area; for those of another it does not exist", async () => {
    const { alertId, serial } = await openedLamp();
    expect((await listed(people.kisumu)).map((one) => one.serial)).toContain(serial);
    expect(await listed(people.gulu)).toEqual([]);
    expect(await listed(people.gulu, { area: "Kisumu" })).toEqual([]);
    expect((await people.gulu.ask(ONE, { id: alertId })).data["alert"]).toMatchObject({ __typename: "NotFound" });
    for (const name of ["acknowledgeAlert", "closeAlert"]) {
      const { data } = await people.gulu.ask(decide(name), { id: alertId });
      expect(data[name]).toMatchObject({ __typename: "NotFound" });
    }
    const { data } = await people.kisumu.ask(decide("acknowledgeAlert"), { id: alertId });
    expect(data["acknowledgeAlert"]).toMatchObject({ state: "acknowledged", reason: "I am on my way" });
    expect((await people.kisumu.ask(ONE, { id: alertId })).data["alert"]).toMatchObject({
      state: "acknowledged",
      device: { serial },
      toldTo: null,
    });
    const audit = await graphql.services.access.listAudit({ limit: 5, subject: { kind: "alert", id: alertId } });
    expect(audit).toMatchObject([{ action: "alert.acknowledge", detail: { rule: "tampered", area: "Kisumu" } }]);
  });

  test("that is snoozed is off the list until then; one that is closed is off it until its rule cleared it", async () => {
    const { alertId } = await openedLamp();
    const until = new Date(graphql.clock.now().getTime() + HOUR_MS).toISOString();
    const snoozed = await people.office.ask(decide("snoozeAlert", `, until: "${until}"`), { id: alertId });
    expect(snoozed.data["snoozeAlert"]).toMatchObject({ state: "open", snoozedUntil: until });
    expect((await listed(people.office)).map(({ id }) => id)).not.toContain(alertId);
    graphql.clock.advance(HOUR_MS + MINUTE_MS);
    expect((await listed(people.office)).map(({ id }) => id)).toContain(alertId);
    await people.office.ask(decide("closeAlert"), { id: alertId });
    expect((await listed(people.office)).map(({ id }) => id)).not.toContain(alertId);
    expect((await listed(people.office, { includes: "all" })).map(({ id }) => id)).toContain(alertId);
    const again = await people.office.ask(decide("acknowledgeAlert"), { id: alertId });
    expect(again.data["acknowledgeAlert"]).toMatchObject({ __typename: "NotAllowedNow" });
  });

  test.each(["0", "999999", "x", "-1", "9".repeat(30)])("with the id %j does not exist", async (id) => {
    const { data } = await people.office.ask(ONE, { id });
    expect(data["alert"]).toMatchObject({ __typename: "NotFound" });
  });
});

describe("the rules of alerts", () => {
  const SET = `mutation ($input: AlertRuleInput!) { setAlertRule(input: $input) { ... on AlertRuleSettings { rule model raiseAt changedBy } ${REFUSAL} } }`;
  const input = {
    rule: "battery_low",
    model: "Lamp",
    enabled: true,
    quantity: "percent",
    raiseAt: 25,
    clearAt: 40,
    raiseAfterSeconds: 600,
    clearAfterSeconds: 600,
    urgent: false,
    told: true,
  };

  test("are changed by the office with a trace; thresholds under which an alert would flap are refused", async () => {
    const { data } = await people.office.ask(SET, { input });
    expect(data["setAlertRule"]).toMatchObject({ rule: "battery_low", model: "Lamp", raiseAt: 25 });
    const audit = await graphql.services.access.listAudit({
      limit: 5,
      subject: { kind: "alert_rule", id: "battery_low/Lamp" },
    });
    expect(audit).toMatchObject([{ action: "alert_rule.set" }]);
    const flapping = await people.office.ask(SET, { input: { ...input, clearAt: 25 } });
    expect(flapping.data["setAlertRule"]).toMatchObject({ __typename: "InvalidInput", field: "clearAt" });
    const agent = await people.kisumu.ask(SET, { input });
    expect(agent.data["setAlertRule"]).toMatchObject({ __typename: "Forbidden" });
    const rules = await people.office.ask("{ alertRules { rule model enabled changedBy } }");
    expect(rules.data["alertRules"]).toHaveLength(12);
  });

  test("tell an agent by message what lies in the own area, whatever area was asked for", async () => {
    const me = await people.kisumu.ask("{ me { id } }");
    const staffId = me.data["me"]?.["id"];
    const { data } = await people.office.ask(
      `mutation ($staffId: ID!) { setAlertReader(staffId: $staffId, phone: "+254711000111", area: "Gulu", zone: "Africa/Nairobi") { ... on AlertReader { staffId area messagesADayMax } ${REFUSAL} } }`,
      { staffId },
    );
    expect(data["setAlertReader"]).toMatchObject({ staffId, area: "Kisumu", messagesADayMax: 10 });
    const REMOVE = `mutation ($staffId: ID!) { removeAlertReader(staffId: $staffId) { ... on RemovedAlertReader { staffId } ${REFUSAL} } }`;
    expect((await people.office.ask(REMOVE, { staffId })).data["removeAlertReader"]).toMatchObject({ staffId });
    expect((await people.office.ask(REMOVE, { staffId })).data["removeAlertReader"]).toMatchObject({
      __typename: "NotFound",
    });
  });
});
