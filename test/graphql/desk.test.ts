import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { HOUR_MS } from "../../src/kernel/time.ts";
import { MATCH, PLAN, REFUSAL, RESEND, SELL, useOffice } from "./office.ts";

const { graphql, people, importDevice, register, sell, paySuspense, payContract } = useOffice();

test("a plan is made once, and terms that cannot be sold are refused by field", async () => {
  const create = async (plan: string) => {
    const { data } = await people.office.ask(
      `mutation { createPlan(${plan}) { ... on PlanVersion { version dayPrice { amountMinor currency } } ${REFUSAL} } }`,
    );
    return data["createPlan"];
  };
  expect(await create(PLAN)).toMatchObject({ __typename: "InvalidInput", field: "code" });
  expect(await create(PLAN.replace("home-60", "home-0").replace('"600000"', '"-5"'))).toMatchObject({
    field: "totalMinor",
  });
  expect(
    await create(PLAN.replace("home-60", "home-1").replace("instalmentDays: 7", "instalmentDays: 0")),
  ).toMatchObject({
    field: "instalmentDays",
  });
  expect(
    await create(PLAN.replace("home-60", "home-61").replace('priceMinor: "5000"', 'priceMinor: "5654.761905"')),
  ).toMatchObject({
    version: 1,
    dayPrice: { amountMinor: "5655", currency: "KES" },
  });
});

test("a registration or a sale sent twice happens once, and a key is not for two requests", async () => {
  const key = randomUUID();
  const first = await register(people.kisumu, "Kisumu", "Wanjiru", key);
  expect(await register(people.kisumu, "Kisumu", "Wanjiru", key)).toEqual(first);
  expect(await register(people.kisumu, "Kisumu", "Wanjiku", key)).toMatchObject({
    __typename: "IdempotencyConflict",
    field: "idempotencyKey",
  });
  const sale = { customerId: first["id"], serial: await importDevice(), key: randomUUID() };
  const sold = await Promise.all([people.kisumu.ask(SELL, sale), people.kisumu.ask(SELL, sale)]);
  expect(sold[0]?.data["sellDevice"]).toMatchObject({
    __typename: "Contract",
    lockState: "CREATED",
    outstanding: { amountMinor: "600000" },
    device: { serial: sale.serial, state: "installed" },
    customer: { id: first["id"] },
    plan: { code: "home-60" },
  });
  expect(sold[1]?.data).toEqual(sold[0]?.data);
  expect((await people.kisumu.ask(SELL, { ...sale, key: randomUUID() })).data["sellDevice"]).toMatchObject({
    __typename: "NotAllowedNow",
  });
});

test("a matched payment buys light once, leaves the desk, and the books stay balanced", async () => {
  const { id } = await sell();
  const receiptId = await paySuspense(15_000n);
  const desk = "{ suspense(first: 100) { edges { node { reason receipt { id amount { amountMinor } } } } } }";
  expect(JSON.stringify((await people.office.ask(desk)).data)).toContain(receiptId);
  const match = { receiptId, contractId: id, key: randomUUID() };
  const { data } = await people.office.ask(MATCH, match);
  expect(data["matchSuspense"]).toMatchObject({
    receipt: { tokens: [{ units: 3 }] },
    contract: { lockState: "ENABLED", received: { amountMinor: "15000" }, outstanding: { amountMinor: "585000" } },
  });
  expect((await people.office.ask(MATCH, match)).data).toEqual(data);
  expect((await people.office.ask(MATCH, { ...match, key: randomUUID() })).data["matchSuspense"]).toMatchObject({
    __typename: "NotAllowedNow",
  });
  expect(JSON.stringify((await people.office.ask(desk)).data)).not.toContain(receiptId);

  const { data: balances } = await people.office.ask("{ trialBalance { balance { amountMinor currency } } }");
  const rows = balances["trialBalance"] as unknown as { balance: { amountMinor: string } }[];
  expect(rows.length).toBeGreaterThan(2);
  expect(rows.reduce((sum, { balance }) => sum + BigInt(balance.amountMinor), 0n)).toBe(0n);
});

test("a contract tells its whole story: light, allocations with their receipts, tokens, calendar, statement", async () => {
  const { id } = await sell();
  await payContract(id, 10_000n);
  const { data, errors } = await people.office.ask(`{ contract(id: "${id}") { ... on Contract {
    customer { name contracts { id } } accountNumberSpoken paidUntil lampUntil
    timeline { from to } tokens { kind units digits } statement { memo amount { amountMinor } }
    allocations { received { amountMinor } spent { amountMinor } effect receipt { id providerId payerName } }
    instalments { arrearsDays due { amountMinor } entries(from: "2026-11-20", limit: 2) { dueOn amount { amountMinor } } }
    carried { amountMinor } refundable { amountMinor } debt { amountMinor currency }
  } } }`);
  expect(errors).toBeUndefined();
  expect(data["contract"]).toMatchObject({
    customer: { contracts: [{ id }] },
    paidUntil: new Date(graphql.clock.now().getTime() + 48 * HOUR_MS).toISOString(),
    timeline: [{ from: "CREATED", to: "ENABLED" }],
    tokens: [{ kind: "add", units: 2 }],
    allocations: [
      {
        received: { amountMinor: "10000" },
        spent: { amountMinor: "10000" },
        effect: "add",
        receipt: { payerName: "ACHIENG" },
      },
    ],
    instalments: { entries: [{ dueOn: "2026-11-20", amount: { amountMinor: "35000" } }, { dueOn: "2026-11-27" }] },
    debt: { amountMinor: "0", currency: "KES" },
  });
});

test("tokens are sent again at most three times an hour, each time audited, and not for a finished contract", async () => {
  const { id } = await sell();
  const resend = (key: string = randomUUID()) => people.kisumu.ask(RESEND, { contractId: id, key });
  expect((await resend()).data["resendToken"]).toMatchObject({ __typename: "NotAllowedNow" });
  await payContract(id, 5_000n);
  const told = graphql.news.length;
  const key = randomUUID();
  const first = (await resend(key)).data["resendToken"];
  expect(first).toMatchObject({ contract: { id }, tokens: [{}] });
  expect((await resend(key)).data["resendToken"]).toEqual(first);
  await resend();
  await resend();
  expect((await resend()).data["resendToken"]).toMatchObject({ __typename: "TooMany" });
  expect(graphql.news.slice(told).map(({ event }) => event.kind)).toEqual([
    "token_again",
    "token_again",
    "token_again",
  ]);
  const { data } = await people.admin.ask(
    `{ auditLog(subjectKind: "contract", subjectId: "${id}") { edges { node { action actor } } } }`,
  );
  const edges = (data["auditLog"] as unknown as { edges: { node: { action: string } }[] }).edges;
  expect(edges.map(({ node }) => node.action)).toEqual([
    "token.resend",
    "token.resend",
    "token.resend",
    "contract.sell",
  ]);

  graphql.clock.advance(HOUR_MS);
  await people.office.ask(
    `mutation { writeOffContract(contractId: "${id}", reason: "moved away", idempotencyKey: "${randomUUID()}") { __typename } }`,
  );
  expect((await resend()).data["resendToken"]).toMatchObject({ __typename: "NotAllowedNow" });
});

test("the office corrects, swaps, waives and writes off, each with a reason that stays in the audit", async () => {
  const { id } = await sell();
  const act = async (mutation: string) => {
    const { data } = await people.office.ask(
      `mutation { done: ${mutation} { ... on Contract { state lockState debt { amountMinor } received { amountMinor } device { serial } } ${REFUSAL} } }`,
    );
    return data["done"];
  };
  const rest = (reason: string) => `contractId: "${id}", reason: "${reason}", idempotencyKey: "${randomUUID()}"`;
  expect(await act(`adjustContract(amountMinor: "5000", ${rest("broken in transit")})`)).toMatchObject({
    lockState: "ENABLED",
  });
  expect(await act(`adjustContract(amountMinor: "-2000", ${rest("given twice")})`)).toMatchObject({
    debt: { amountMinor: "2000" },
  });
  expect(await act(`adjustContract(amountMinor: "0.5", ${rest("typo")})`)).toMatchObject({
    __typename: "InvalidInput",
    field: "amountMinor",
  });
  expect(await act(`adjustContract(amountMinor: "5000", ${rest(" ")})`)).toMatchObject({
    __typename: "InvalidInput",
    field: "reason",
  });
  const serial = await importDevice();
  expect(await act(`swapDevice(serial: "${serial}", ${rest("panel cracked")})`)).toMatchObject({ device: { serial } });
  expect(await act(`payOffContract(${rest("apology")})`)).toMatchObject({ __typename: "NotAllowedNow" });
  expect(await act(`adjustContract(amountMinor: "2000", ${rest("debt settled in cash")})`)).toMatchObject({
    debt: { amountMinor: "0" },
  });
  expect(await act(`payOffContract(${rest("apology")})`)).toMatchObject({ state: "paid_off", lockState: "UNLOCKED" });
  expect(await act(`writeOffContract(${rest("lost")})`)).toMatchObject({ __typename: "NotAllowedNow" });
  const { data } = await people.admin.ask(
    `{ auditLog(subjectKind: "contract", subjectId: "${id}") { edges { node { action detail } } } }`,
  );
  const edges = (data["auditLog"] as unknown as { edges: { node: { action: string; detail: string } }[] }).edges;
  expect(edges.map(({ node }) => node.action)).toEqual([
    "contract.pay_off",
    "contract.adjust",
    "contract.swap_device",
    "contract.adjust",
    "contract.adjust",
    "contract.sell",
  ]);
  expect(edges[2]?.node.detail).toContain("panel cracked");
});

test("a new price is for new sales, from its time on", async () => {
  const change = (effectiveAt: string) =>
    people.office.ask(
      `mutation { changePlanPrice(code: "home-60", priceMinor: "6000.5", effectiveAt: "${effectiveAt}") { ... on PlanVersion { version priceMinor total { amountMinor } } ${REFUSAL} } }`,
    );
  expect((await change("2027-01-01T00:00:00Z")).data["changePlanPrice"]).toMatchObject({
    version: 2,
    priceMinor: "12001/2",
    total: { amountMinor: "600000" },
  });
  expect((await change("2026-12-01T00:00:00Z")).data["changePlanPrice"]).toMatchObject({
    __typename: "InvalidInput",
    field: "effectiveAt",
  });
  const { data } = await people.kisumu.ask("{ plans { code inForce { version } versions { version } } }");
  const plans = data["plans"] as unknown as { code: string }[];
  expect(plans.filter(({ code }) => code === "home-60")).toEqual([
    { code: "home-60", inForce: { version: 1 }, versions: [{ version: 1 }, { version: 2 }] },
  ]);
});
