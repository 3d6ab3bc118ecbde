import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { REFUSAL, useOffice } from "./office.ts";
import type { Person } from "./graphql-app.ts";

const { graphql, people, sell } = useOffice();
let kisumuId = "";
let guluId = "";

const COLLECT = `mutation ($account: String!, $minor: String!, $at: DateTime!, $number: String, $currency: Currency!, $key: String!) {
  collectCash(accountNumber: $account, amountMinor: $minor, currency: $currency, takenAt: $at, receiptNumber: $number, idempotencyKey: $key) {
    ... on CashReceipt { number state reason explanation agentId accountNumber amount { amountMinor currency } } ${REFUSAL}
  }
}`;
const LIMIT = `mutation ($agent: ID, $minor: String!, $key: String!) {
  setCashLimit(agentId: $agent, currency: KES, limitMinor: $minor, idempotencyKey: $key) { ... on CashLimitSet { released { number state } } ${REFUSAL} }
}`;
const OFFER = `mutation ($minor: String!, $key: String!) {
  handOverCash(amountMinor: $minor, currency: KES, idempotencyKey: $key) { ... on CashHandOver { id state offered { amountMinor } } ${REFUSAL} }
}`;
const ACCEPT = `mutation ($id: ID!, $minor: String!, $key: String!) {
  acceptHandOver(handOverId: $id, countedMinor: $minor, idempotencyKey: $key) { ... on CashHandOver { state decidedBy counted { amountMinor } } ${REFUSAL} }
}`;
const STANDING = `query ($agent: ID) { agentCash(agentId: $agent) { ... on AgentCash {
  agent { id } provisional { number } standings { currency held { amountMinor } room { amountMinor } limit { amountMinor } commission { amountMinor } }
} ${REFUSAL} } }`;

const idOf = async (person: Person) => String((await person.ask("{ me { id } }")).data["me"]?.["id"]);
const ask = async (person: Person, query: string, variables: object) => {
  const { data, errors } = await person.ask(query, { key: randomUUID(), ...variables });
  expect(errors).toBeUndefined();
  return Object.values(data)[0] ?? {};
};
const collect = (person: Person, account: string, minor: string, more: object = {}) =>
  ask(person, COLLECT, { account, minor, at: graphql.clock.now().toISOString(), currency: "KES", ...more });

beforeAll(async () => {
  [kisumuId, guluId] = [await idOf(people.kisumu), await idOf(people.gulu)];
  await ask(people.office, LIMIT, { agent: kisumuId, minor: "10000" });
});
beforeEach(() => graphql.clock.advance(1_000));

test("a phone that sends one collection ten times has paid once, and every answer is the same", async () => {
  const { accountNumber } = await sell();
  const more = { key: randomUUID(), at: graphql.clock.now().toISOString() };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => collect(people.kisumu, accountNumber, "2500", more)),
  );
  expect(answers[0]).toMatchObject({ __typename: "CashReceipt", state: "booked", agentId: kisumuId, accountNumber });
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  const rows = await graphql.database.db.execute(
    sql`select 1 from payments.callbacks where provider_id = ${String(answers[0]?.["number"])}`,
  );
  expect(rows).toHaveLength(1);
  expect(await collect(people.kisumu, accountNumber, "2501", more)).toMatchObject({
    __typename: "IdempotencyConflict",
  });
});

test("what is above the limit is kept and said plainly; a counted hand-over lets it through", async () => {
  const { accountNumber } = await sell();
  const over = await collect(people.kisumu, accountNumber, "9000");
  expect(over).toMatchObject({ state: "provisional", reason: "over_limit" });
  expect(String(over["explanation"])).toMatch(/Hand some over/);
  const held = BigInt(
    ((await ask(people.kisumu, STANDING, {}))["standings"] as { held: { amountMinor: string } }[])[0]?.held
      .amountMinor ?? "0",
  );
  expect(await ask(people.kisumu, OFFER, { minor: String(held + 1n) })).toMatchObject({ __typename: "NotAllowedNow" });
  const offer = await ask(people.kisumu, OFFER, { minor: "4000" });
  expect(await ask(people.kisumu, ACCEPT, { id: offer["id"], minor: "4000" })).toMatchObject({
    __typename: "Forbidden",
  });
  expect(await ask(people.office, ACCEPT, { id: offer["id"], minor: "4001" })).toMatchObject({
    __typename: "InvalidInput",
  });
  const key = randomUUID();
  const accepted = await ask(people.office, ACCEPT, { id: offer["id"], minor: "4000", key });
  expect(accepted).toMatchObject({ state: "accepted", counted: { amountMinor: "4000" } });
  expect(await ask(people.office, ACCEPT, { id: offer["id"], minor: "4000", key })).toEqual(accepted);
  expect(await ask(people.office, STANDING, { agent: kisumuId })).toMatchObject({
    agent: { id: kisumuId },
    provisional: [],
    standings: [{ currency: "KES", held: { amountMinor: String(held - 4_000n) } }],
  });
  const { data } = await people.office.ask(
    "{ cashHandOvers(state: accepted) { edges { node { id agentId } } } provisionalCash { number } }",
  );
  expect(JSON.stringify(data)).toContain(String(offer["id"]));
});

test("an agent sees and moves the own cash alone, and collects in the own area alone", async () => {
  const { accountNumber } = await sell();
  expect(await collect(people.gulu, accountNumber, "100")).toMatchObject({ __typename: "NotFound" });
  expect(await collect(people.office, accountNumber, "100")).toMatchObject({ __typename: "Forbidden" });
  expect(await ask(people.gulu, STANDING, { agent: kisumuId })).toMatchObject({ __typename: "NotFound" });
  expect(await ask(people.gulu, STANDING, { agent: guluId })).toMatchObject({ agent: { id: guluId } });
  expect(await ask(people.office, STANDING, { agent: await idOf(people.office) })).toMatchObject({
    __typename: "NotFound",
  });
  const { data } = await people.gulu.ask("{ cashHandOvers { edges { node { id } } } }");
  expect(data).toEqual({ cashHandOvers: { edges: [] } });
  expect((await people.gulu.ask("{ provisionalCash { number } }")).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
  for (const mutation of [
    `setCashLimit(currency: KES, limitMinor: "999999", idempotencyKey: "12345678")`,
    `releaseCash(receiptNumber: "C101-15", reason: "mine", idempotencyKey: "12345678")`,
    `cancelCash(receiptNumber: "C101-15", reason: "mine", idempotencyKey: "12345678")`,
    `setCommissionRule(kind: sale, currency: KES, ratio: "1", idempotencyKey: "12345678")`,
    `payCommission(agentId: "${guluId}", amountMinor: "1", currency: KES, idempotencyKey: "12345678")`,
    `rejectHandOver(handOverId: "${randomUUID()}", reason: "mine", idempotencyKey: "12345678")`,
  ]) {
    const answer = await people.gulu.ask(`mutation { ${mutation} { __typename } }`);
    expect(Object.values(answer.data)[0], mutation).toEqual({ __typename: "Forbidden" });
  }
});

test("receipts written offline carry numbers that were taken before, and a wrong body is refused by field", async () => {
  const { accountNumber } = await sell();
  const take = (key: string) =>
    ask(
      people.kisumu,
      `mutation ($key: String!) { takeReceiptNumbers(count: 2, idempotencyKey: $key) { ... on TakenReceiptNumbers { numbers } ${REFUSAL} } }`,
      { key },
    );
  const key = randomUUID();
  const taken = await take(key);
  expect(await take(key)).toEqual(taken);
  const [number] = taken["numbers"] as string[];
  expect(await collect(people.kisumu, accountNumber, "10", { number })).toMatchObject({ number });
  for (const [more, minor, field] of [
    [{ number }, "10", "receiptNumber"],
    [{ currency: "UGX" }, "10", "currency"],
    [{}, "0", "amountMinor"],
    [{}, "-5", "amountMinor"],
    [{}, "999999999999999", "amountMinor"],
    [{ at: "2027-01-01T00:00:00Z" }, "10", "takenAt"],
  ] as const)
    expect(await collect(people.kisumu, accountNumber, minor, more)).toMatchObject({
      __typename: "InvalidInput",
      field,
    });
  expect(await collect(people.kisumu, "PG-10235", "10")).toMatchObject({ __typename: "NotFound" });
});

test("commission is set, earned and paid; the statement lists it; every act is in the audit", async () => {
  const { accountNumber } = await sell();
  const rule = await ask(
    people.office,
    `mutation ($agent: ID, $key: String!) { setCommissionRule(kind: collection, agentId: $agent, currency: KES, ratio: "0.025", idempotencyKey: $key) {
      ... on CommissionRule { ratio agentId fixed { amountMinor } } ${REFUSAL} } }`,
    { agent: kisumuId },
  );
  expect(rule).toEqual({ __typename: "CommissionRule", ratio: "1/40", agentId: kisumuId, fixed: { amountMinor: "0" } });
  graphql.clock.advance(1_000);
  const from = graphql.clock.now().toISOString();
  const waiting = await collect(people.kisumu, accountNumber, "20000");
  const released = await ask(
    people.office,
    `mutation ($number: String!, $key: String!) { releaseCash(receiptNumber: $number, reason: "She drives in today", idempotencyKey: $key) {
      ... on CashReceipt { state releasedBy } ${REFUSAL} } }`,
    { number: waiting["number"] },
  );
  expect(released).toMatchObject({ state: "booked" });
  graphql.clock.advance(1_000);
  const cancelled = await ask(
    people.office,
    `mutation ($number: String!, $key: String!) { cancelCash(receiptNumber: $number, reason: "Typed twice", idempotencyKey: $key) {
      ... on CashReceipt { state explanation } ${REFUSAL} } }`,
    { number: (await collect(people.kisumu, accountNumber, "1"))["number"] },
  );
  expect(cancelled).toMatchObject({ state: "cancelled", explanation: expect.stringMatching(/Nobody took this cash/) });
  const pay = (minor: string) =>
    ask(
      people.office,
      `mutation ($agent: ID!, $minor: String!, $key: String!) { payCommission(agentId: $agent, amountMinor: $minor, currency: KES, idempotencyKey: $key) {
        ... on CashStanding { commission { amountMinor } } ${REFUSAL} } }`,
      { agent: kisumuId, minor },
    );
  expect(await pay("501")).toMatchObject({ __typename: "NotAllowedNow" });
  expect(await pay("400")).toMatchObject({ commission: { amountMinor: "100" } });
  graphql.clock.advance(1_000);
  const statement = await ask(
    people.kisumu,
    `query ($from: DateTime!, $to: DateTime!) { agentStatement(currency: KES, from: $from, to: $to) { ... on AgentStatement {
      commissionOpening { amountMinor } commissionEarned { amountMinor } commissionPaid { amountMinor } commissionClosing { amountMinor }
      lines(limit: 10) { account kind amount { amountMinor } } standing { limit { amountMinor } } } ${REFUSAL} } }`,
    { from, to: graphql.clock.now().toISOString() },
  );
  expect(statement).toMatchObject({
    commissionEarned: { amountMinor: "500" },
    commissionPaid: { amountMinor: "400" },
    commissionClosing: { amountMinor: "100" },
    lines: [
      { account: "commission", kind: "commission", amount: { amountMinor: "500" } },
      { account: "commission", kind: "commission_paid", amount: { amountMinor: "-400" } },
    ],
    standing: { limit: { amountMinor: "10000" } },
  });
  const rows = await graphql.database.db.execute<{ action: string }>(
    sql`select distinct action from access.audit where action ~ '^(cash|commission)[.]' order by 1`,
  );
  expect(rows.map(({ action }) => action)).toEqual([
    "cash.accept",
    "cash.cancel",
    "cash.collect",
    "cash.offer",
    "cash.release",
    "cash.set_limit",
    "cash.take_numbers",
    "commission.pay",
    "commission.set_rule",
  ]);
  expect(graphql.faults).toEqual([]);
});
