import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { printedSchema } from "../../src/graphql/schema.ts";
import { KEY_HEX, MATCH, REFUSAL, RESEND, SELL, useOffice } from "./office.ts";

const { graphql, people, importDevice, register, sell, paySuspense } = useOffice();

test("an agent serves the own area, and for another area's agent its people and contracts do not exist", async () => {
  const { id, accountNumber, serial, deviceId, customerId } = await sell();
  const queries = [
    [`query ($id: ID!) { customer(id: $id) { ... on Customer { name } ${REFUSAL} } }`, { id: customerId }],
    [`query ($id: ID!) { contract(id: $id) { ... on Contract { area } ${REFUSAL} } }`, { id }],
    [
      `query ($id: String!) { contract(accountNumber: $id) { ... on Contract { area } ${REFUSAL} } }`,
      { id: accountNumber },
    ],
    [`query ($id: ID!) { device(id: $id) { ... on Device { serial } ${REFUSAL} } }`, { id: deviceId }],
    [`query ($id: String!) { device(serial: $id) { ... on Device { serial } ${REFUSAL} } }`, { id: serial }],
  ] as const;
  for (const [query, variables] of queries) {
    const hidden = (await people.gulu.ask(query, variables)).data;
    const shown = (await people.kisumu.ask(query, variables)).data;
    expect(Object.values(hidden)[0]).toMatchObject({ __typename: "NotFound", code: "NOT_FOUND" });
    expect(Object.values(shown)[0]?.__typename).not.toBe("NotFound");
  }
  const lists =
    '{ customers(search: "Achieng") { edges { node { id } } } contracts(area: "Kisumu") { edges { node { id } } } }';
  expect((await people.gulu.ask(lists)).data).toEqual({ customers: { edges: [] }, contracts: { edges: [] } });
  expect((await people.gulu.ask(`{ customers(search: "${accountNumber}") { edges { node { id } } } }`)).data).toEqual({
    customers: { edges: [] },
  });
  expect((await people.gulu.ask(RESEND, { contractId: id, key: randomUUID() })).data["resendToken"]).toMatchObject({
    __typename: "NotFound",
  });
  const sale = await people.gulu.ask(SELL, { customerId, serial: await importDevice(), key: randomUUID() });
  expect(sale.data["sellDevice"]).toMatchObject({ __typename: "NotFound" });
  expect(await register(people.gulu, "Kisumu")).toMatchObject({ __typename: "Forbidden" });
});

test("an agent sees neither suspense nor books, and moves no money", async () => {
  const { id } = await sell();
  for (const query of [
    "{ suspense { edges { cursor } } }",
    "{ receipts { edges { cursor } } }",
    "{ trialBalance { code } }",
    "{ quarantine { edges { cursor } } }",
    "{ auditLog { edges { cursor } } }",
    "{ staff { edges { cursor } } }",
  ]) {
    expect((await people.kisumu.ask(query)).errors?.[0]?.extensions.code, query).toBe("FORBIDDEN");
  }
  const receiptId = await paySuspense(1_000n);
  expect(
    (await people.kisumu.ask(MATCH, { receiptId, contractId: id, key: randomUUID() })).data["matchSuspense"],
  ).toMatchObject({ __typename: "Forbidden" });
  for (const mutation of [
    `writeOffContract(contractId: "${id}", reason: "gone", idempotencyKey: "12345678")`,
    `payOffContract(contractId: "${id}", reason: "gift", idempotencyKey: "12345678")`,
    `adjustContract(contractId: "${id}", amountMinor: "5", reason: "gift", idempotencyKey: "12345678")`,
    `swapDevice(contractId: "${id}", serial: "X", reason: "broken", idempotencyKey: "12345678")`,
    `changePlanPrice(code: "home-60", priceMinor: "1", effectiveAt: "2027-01-01T00:00:00Z")`,
    `importDevices(csv: "")`,
  ]) {
    const { data } = await people.kisumu.ask(`mutation { ${mutation} { __typename } }`);
    expect(Object.values(data)[0], mutation).toEqual({ __typename: "Forbidden" });
  }
  const { data } = await people.kisumu.ask(
    `{ contract(id: "${id}") { ... on Contract { statement { memo } device { tokens { digits } } tokens { digits } } } }`,
  );
  expect(data["contract"]).toEqual({ statement: null, device: { tokens: null }, tokens: [] });
});

test("people are found by the start of a name, a phone in any spelling, or an account number", async () => {
  const { accountNumber, customerId } = await sell();
  const named = await register(people.office, "Gulu", "Zawadi Okello");
  const find = async (search: string) => {
    const { data } = await people.office.ask(
      "query ($search: String) { customers(search: $search, first: 100) { edges { node { id } } } }",
      { search },
    );
    return (data["customers"] as unknown as { edges: { node: { id: string } }[] }).edges.map(({ node }) => node.id);
  };
  expect(await find("zawadi")).toEqual([named["id"]]);
  expect(await find("+254712345678")).toContain(customerId);
  expect(await find(accountNumber.toLowerCase())).toEqual([customerId]);
  expect(await find("nobody here")).toEqual([]);
});

test("lists keep their order while people are added, and forged cursors are refused", async () => {
  for (const name of ["A", "B", "C", "D", "E"]) await register(people.office, "Paged", name);
  const query = `query ($after: String) { customers(area: "Paged", first: 2, after: $after) { edges { node { name } } pageInfo { endCursor hasNextPage } } }`;
  const names: string[] = [];
  for (let after: string | null = null; ;) {
    const { data } = await people.office.ask(query, { after });
    const page = data["customers"] as unknown as {
      edges: { node: { name: string } }[];
      pageInfo: { endCursor: string; hasNextPage: boolean };
    };
    names.push(...page.edges.map(({ node }) => node.name));
    if (after === null) await register(people.office, "Paged", "F");
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  expect(names.toSorted()).toEqual(["A", "B", "C", "D", "E", "F"]);
  for (const forged of [["customers", "x"], ["receipts", "1", "x"], ["customers", "1", "2"], "text", null]) {
    const after = Buffer.from(JSON.stringify(forged)).toString("base64url");
    for (const list of ["customers", "receipts", "suspense", "devices", "contracts", "quarantine"]) {
      const { errors } = await people.office.ask(
        `query ($after: String) { ${list}(after: $after) { edges { cursor } } }`,
        {
          after,
        },
      );
      expect(errors?.[0]?.extensions.code, `${list} ${JSON.stringify(forged)}`).toBe("INVALID_INPUT");
    }
  }
});

test("ids and texts that make no sense are refused, never a fault", async () => {
  const faults = graphql.faults.length;
  for (const query of [
    `{ r: customer(id: "1") { ${REFUSAL} } }`,
    `{ r: contract(accountNumber: "PG-10235") { ${REFUSAL} } }`,
    `{ r: contract { ${REFUSAL} } }`,
    `{ r: device(serial: "none") { ${REFUSAL} } }`,
    `{ r: receipt(id: "'; drop table") { ${REFUSAL} } }`,
    `mutation { r: importDevices(csv: "not,a,device,file") { ${REFUSAL} } }`,
  ]) {
    const { data, errors } = await people.office.ask(query);
    expect(errors, query).toBeUndefined();
    expect(["NOT_FOUND", "INVALID_INPUT"], query).toContain(data["r"]?.["code"]);
  }
  expect(graphql.faults).toHaveLength(faults);
});

test("no question about a device can be answered with its key or its starting code", async () => {
  const device = /^type Device \{[^]*?^\}/m.exec(printedSchema())?.[0] ?? "";
  expect(device).toContain("serial:");
  expect(device).not.toMatch(/\w*(?:key|starting|secret|sealed)\w*[:(]/i);
  const serial = await importDevice();
  const { data } = await people.admin.ask(
    `{ device(serial: "${serial}") { ... on Device { id serial model hardwareVersion state tokenCount timeDivider restrictedDigits } } auditLog(first: 100) { edges { node { detail } } } }`,
  );
  expect(JSON.stringify(data)).not.toMatch(new RegExp(`${KEY_HEX}|123456789`, "i"));
});
