import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import type { Role } from "../../src/access/access.ts";
import { localDateOf, MINUTE_MS } from "../../src/kernel/time.ts";
import { useRails } from "../support/rails.ts";
import { KEY_HEX, REFUSAL } from "./office.ts";

const world = useRails({
  channels: ["mtn-ug", "wave-sn", "pawapay-rw", "gsma-tz"],
  env: { WASHA_COUNTRIES: "UG:UGX:Africa/Kampala,SN:XOF:Africa/Dakar,RW:RWF:Africa/Kigali" },
});
type Row = Readonly<Record<string, unknown>> & { readonly __typename?: string };
type Ask = (query: string, variables?: Readonly<Record<string, unknown>>) => Promise<Readonly<Record<string, Row>>>;
const people = {} as { office: Ask; gulu: Ask; kisumu: Ask };

async function person(role: Role, area: string | null): Promise<Ask> {
  const { app, url } = world.current;
  const [email, password] = [`${role}-${area ?? "all"}@example.org`, "seven quiet lamps"];
  const passwordHash = await app.access.hashPassword(password);
  await app.database.db.transaction((tx) =>
    app.access.createStaff(tx, { email, name: email, role, area, language: "en", passwordHash, actor: "system:test" }),
  );
  const { token } = await app.access.login({ email, password, sourceAddress: "192.0.2.1" });
  return async (query, variables = {}) => {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as {
      data?: Readonly<Record<string, Row>>;
      errors?: { extensions: { code: string } }[];
    };
    return errors === undefined ? (data ?? {}) : { error: { code: errors[0]?.extensions.code } };
  };
}

beforeAll(async () => {
  people.office = await person("admin", null);
  people.gulu = await person("agent", "Gulu");
  people.kisumu = await person("agent", "Kisumu");
});

const REQUEST = `mutation ($contractId: ID!, $amount: String!, $phone: String, $rail: String, $key: String!) {
  requestPayment(contractId: $contractId, amountMinor: $amount, phone: $phone, rail: $rail, idempotencyKey: $key) {
    ... on RequestedPayment { isNew intent { id rail reference phone state askedThrough amount { amountMinor currency } } } ${REFUSAL}
  }
}`;

const intentIdOf = (requested: Row | undefined): string => String((requested?.["intent"] as Row | undefined)?.["id"]);

/** A family of Gulu, sold a lamp in whole Ugandan shillings by GraphQL alone. */
async function sellInUganda({ currency = "UGX", phone = "0772 000 123", country = "UG" } = {}) {
  const { office, gulu } = people;
  const code = `home-${randomUUID().slice(0, 8)}`;
  const serial = `UG-${randomUUID().slice(0, 8)}`;
  await office(`mutation { createPlan(input: {
    code: "${code}", name: "Home", currency: ${currency}, depositMinor: "0", depositBuysTime: true, totalMinor: "365000", priceMinor: "1000",
    pricePer: day, minimumPaymentMinor: "500", freeSeconds: 0, instalmentDays: 7, graceDays: 2 }) { __typename } }`);
  await office(`mutation ($csv: String!) { importDevices(csv: $csv) { __typename } }`, {
    csv: `Serial Number,Starting Code,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model\n${serial},123456789,${KEY_HEX},1,1,0,Lamp\n`,
  });
  const { registerCustomer: customer } = await gulu(
    `mutation ($key: String!, $phone: String!) { registerCustomer(idempotencyKey: $key, input: {
      name: "Akello", language: en, area: "Gulu", phones: [$phone], country: "${country}", serviceConsent: true, marketingConsent: false
    }) { ... on Customer { id phones } ${REFUSAL} } }`,
    { key: randomUUID(), phone },
  );
  const { sellDevice: contract } = await gulu(
    `mutation ($customerId: ID!, $key: String!) { sellDevice(customerId: $customerId, serial: "${serial}", planCode: "${code}", idempotencyKey: $key) {
      ... on Contract { id accountNumber } ${REFUSAL} } }`,
    { customerId: customer?.["id"], key: randomUUID() },
  );
  return { customer, id: String(contract?.["id"]), accountNumber: String(contract?.["accountNumber"]) };
}

test("a contract in Ugandan shillings is asked for, paid by a Ugandan rail and buys its days, without a decimal anywhere", async () => {
  const { simulator, pass } = world.current;
  const { customer, id, accountNumber } = await sellInUganda();
  expect(customer).toMatchObject({ phones: ["+256772000123"] });
  const { requestPayment } = await people.gulu(REQUEST, { contractId: id, amount: "3500", key: randomUUID() });
  expect(requestPayment).toMatchObject({
    isNew: true,
    intent: {
      rail: "mtn-ug",
      phone: "+256772000123",
      reference: accountNumber,
      state: "created",
      askedThrough: "agent",
      amount: { amountMinor: "3500", currency: "UGX" },
    },
  });
  await world.current.work();
  const [prompt] = simulator.prompts("mtn-ug");
  simulator.decide({ channel: "mtn-ug", id: prompt?.id ?? "" }, {});
  await pass(MINUTE_MS);
  const { contract } = await people.gulu(`{ contract(id: "${id}") { ... on Contract {
    lockState received { amountMinor currency } carried { amountMinor } outstanding { amountMinor } tokens { units }
  } } }`);
  expect(contract).toEqual({
    lockState: "ENABLED",
    received: { amountMinor: "3500", currency: "UGX" },
    carried: { amountMinor: "500" },
    outstanding: { amountMinor: "362000" },
    tokens: [{ units: 3 }],
  });
  const { intents } = await people.gulu(
    `{ intents(reference: "${accountNumber.toLowerCase()}") { edges { node { state providerId } } } }`,
  );
  expect(intents).toMatchObject({
    edges: [{ node: { state: "completed", providerId: expect.any(String) as string } }],
  });
});

test.each([
  ["XOF", "SN", "77 123 45 67", "wave-sn"],
  ["RWF", "RW", "0788 123 456", "pawapay-rw"],
])("money without decimals in %s is asked for by the rail of %s", async (currency, country, phone, rail) => {
  const { id } = await sellInUganda({ currency, country, phone });
  const { requestPayment } = await people.office(REQUEST, { contractId: id, amount: "2000", key: randomUUID() });
  expect(requestPayment).toMatchObject({
    isNew: true,
    intent: { rail, askedThrough: "api", amount: { amountMinor: "2000", currency } },
  });
});

test("asked twice, a phone is prompted once: by the same key, and by another person's", async () => {
  const { id } = await sellInUganda({ phone: "0772 000 200" });
  const order = { contractId: id, amount: "1000", key: randomUUID() };
  const first = await people.gulu(REQUEST, order);
  expect(await people.gulu(REQUEST, order)).toEqual(first);
  const second = await people.office(REQUEST, { ...order, key: randomUUID() });
  expect(second["requestPayment"]).toMatchObject({
    isNew: false,
    intent: { id: intentIdOf(first["requestPayment"]) },
  });
  expect((await people.gulu(REQUEST, { ...order, amount: "2000" }))["requestPayment"]).toMatchObject({
    __typename: "IdempotencyConflict",
  });
});

test("another number, another country and another rail are taken or refused with a sentence", async () => {
  const { id } = await sellInUganda({ phone: "0772 000 300" });
  const ask = async (order: object) =>
    (await people.office(REQUEST, { contractId: id, amount: "1000", key: randomUUID(), ...order }))["requestPayment"];
  expect(await ask({ phone: "0772 000 301" })).toMatchObject({ intent: { phone: "+256772000301" } });
  expect(await ask({ phone: "+254711000000" })).toMatchObject({ __typename: "NotAllowedNow" });
  expect(await ask({ phone: "12" })).toMatchObject({ __typename: "InvalidInput", field: "phone" });
  expect(await ask({ rail: "wave-sn" })).toMatchObject({ __typename: "NotAllowedNow" });
  expect(await ask({ rail: "nobody" })).toMatchObject({ __typename: "NotFound" });
  expect(await ask({ amount: "0" })).toMatchObject({ __typename: "InvalidInput", field: "amountMinor" });
  expect(await ask({ amount: "1.5" })).toMatchObject({ __typename: "InvalidInput", field: "amountMinor" });
});

test("for another area's agent a contract's requests do not exist, and rails are the office's", async () => {
  const { id, accountNumber } = await sellInUganda({ phone: "0772 000 400" });
  const { requestPayment } = await people.gulu(REQUEST, { contractId: id, amount: "1000", key: randomUUID() });
  const intentId = intentIdOf(requestPayment);
  const hidden = { __typename: "NotFound" };
  expect(
    (await people.kisumu(REQUEST, { contractId: id, amount: "1000", key: randomUUID() }))["requestPayment"],
  ).toMatchObject(hidden);
  const READ = `{ intent(id: "${intentId}") { ... on PaymentIntent { id } ${REFUSAL} } }`;
  expect((await people.kisumu(READ))["intent"]).toMatchObject(hidden);
  expect((await people.gulu(READ))["intent"]).toMatchObject({ id: intentId });
  const list = (search: string) => `{ intents${search} { edges { node { id } } } }`;
  expect((await people.kisumu(list(`(reference: "${accountNumber}")`)))["error"]).toMatchObject({ code: "NOT_FOUND" });
  expect((await people.gulu(list("")))["error"]).toMatchObject({ code: "NOT_FOUND" });
  expect((await people.office(list("(first: 100, state: created)")))["error"]).toBeUndefined();
  for (const query of [
    "{ rails { name } }",
    "{ sweeps { rail } }",
    "{ payouts { edges { cursor } } }",
    '{ reconciliations(from: "2026-01-01", to: "2026-01-02") { state } }',
    '{ reconciliation(rail: "mtn-ug", day: "2026-01-01") { state } }',
  ])
    expect((await people.gulu(query))["error"], query).toMatchObject({ code: "FORBIDDEN" });
});

test("operations sees what each rail can do, and why not where it cannot", async () => {
  const { rails } = await people.office(
    "{ rails { name adapter title country currency zone confirmsByEnquiry pendingRequests abilities { name isAble cannot } sweep { rail failures } } }",
  );
  const rows = rails as unknown as {
    name: string;
    abilities: { name: string; isAble: boolean; cannot: string | null }[];
  }[];
  const mtn = rows.find(({ name }) => name === "mtn-ug");
  expect(mtn).toMatchObject({ adapter: "mtn-momo", country: "UG", currency: "UGX", zone: "Africa/Kampala" });
  expect(mtn?.abilities.find(({ name }) => name === "list")).toMatchObject({
    isAble: false,
    cannot: /MTN MoMo has no list/,
  });
  expect(mtn?.abilities.find(({ name }) => name === "requestPayment")).toEqual({
    name: "requestPayment",
    isAble: true,
    cannot: null,
  });
});

test("operations sweeps a rail and reconciles a day by hand, and the audit keeps who did", async () => {
  const { work, clock } = world.current;
  await work();
  const sweep = async (rail: string) =>
    (
      await people.office(
        `mutation ($key: String!, $from: DateTime) { sweepRail(rail: "${rail}", from: $from, idempotencyKey: $key) { ... on Sweep { rail nextRunAt doneUntil } ${REFUSAL} } }`,
        { key: randomUUID(), from: new Date(clock.now().getTime() - 60 * MINUTE_MS).toISOString() },
      )
    )["sweepRail"];
  expect(await sweep("wave-sn")).toMatchObject({ rail: "wave-sn", nextRunAt: clock.now().toISOString() });
  expect(await sweep("mtn-ug")).toMatchObject({ __typename: "NotAllowedNow", message: /no list/ });
  expect(await sweep("nobody")).toMatchObject({ __typename: "NotFound" });
  const day = localDateOf(clock.now(), "Africa/Kampala");
  const { reconcileDay } = await people.office(
    `mutation ($key: String!) { reconcileDay(rail: "mtn-ug", day: "${day}", idempotencyKey: $key) {
      ... on ReconciledDay { results { rail day currency state booked { amountMinor } clearing { amountMinor } difference { amountMinor } exceptions { kind } } } ${REFUSAL} } }`,
    { key: randomUUID() },
  );
  expect(reconcileDay).toMatchObject({
    results: [
      {
        rail: "mtn-ug",
        day,
        currency: "UGX",
        state: "no_list",
        booked: { amountMinor: "3500" },
        clearing: { amountMinor: "3500" },
        exceptions: [],
      },
    ],
  });
  const { reconciliation } = await people.office(
    `{ reconciliation(rail: "mtn-ug", day: "${day}") { state madeAt openExceptions } }`,
  );
  expect(reconciliation).toMatchObject([{ state: "no_list", openExceptions: 0 }]);
  const { explainClearing } = await people.office(
    '{ explainClearing(rail: "mtn-ug") { ... on ClearingExplanation { balance { amountMinor } listed { amountMinor } parts { name count amount { amountMinor } } rest { amountMinor } } } }',
  );
  expect(explainClearing).toEqual({
    balance: { amountMinor: "3500" },
    listed: { amountMinor: "0" },
    parts: [{ name: "booked_not_listed", count: 1, amount: { amountMinor: "3500" } }],
    rest: { amountMinor: "0" },
  });
  const { auditLog } = await people.office("{ auditLog(first: 50) { edges { node { action } } } }");
  const actions = JSON.stringify(auditLog);
  for (const action of ["payment.request", "rail.sweep", "rail.reconcile"]) expect(actions).toContain(action);
});
