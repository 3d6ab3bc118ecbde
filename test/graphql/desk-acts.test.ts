import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { makeHousehold, type Household } from "../support/village.ts";
import { useDesk } from "../payments/desk/desk-world.ts";

const office = useDesk({ approvalAbove: "KES:10000" });
const { program, db, stray } = office;
const REFUSAL = "__typename ... on Refusal { code message field }";
const PROPOSAL = "... on DeskProposal { message approval { id state words amount { amountMinor } proposedBy } }";

type Answer = Record<string, Record<string, unknown>>;
const people = {} as Record<"first" | "second" | "agent", (query: string, variables?: object) => Promise<Answer>>;

/** Signs somebody in and asks the program's own GraphQL door. */
async function person(role: "operations" | "agent", email: string) {
  const { access } = program.current.app;
  const passwordHash = await access.hashPassword("seven quiet lamps");
  const area = role === "agent" ? "kitui" : null;
  await db().transaction((tx) =>
    access.createStaff(tx, { email, name: email, role, area, language: "en", passwordHash, actor: "system:test" }),
  );
  const { token } = await access.login({ email, password: "seven quiet lamps", sourceAddress: "192.0.2.1" });
  return async (query: string, variables: object = {}): Promise<Answer> => {
    const response = await fetch(`${program.current.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data?: Answer; errors?: object[] };
    if (errors !== undefined || data === undefined) throw new Error(JSON.stringify(errors));
    return data;
  };
}

beforeAll(async () => {
  people.first = await person("operations", "first@example.org");
  people.second = await person("operations", "second@example.org");
  people.agent = await person("agent", "agent@example.org");
});

const home = (): Promise<Household> => makeHousehold(program.current);

const MATCH = `mutation ($receiptId: ID!, $contractId: ID, $parts: [MatchPart!], $key: String!) {
  matchSuspense(receiptId: $receiptId, contractId: $contractId, parts: $parts, resolution: "She rang", idempotencyKey: $key) {
    ... on MatchedReceipt { receipt { tokens { units } } contract { id } contracts { id received { amountMinor } } } ${PROPOSAL} ${REFUSAL}
  }
}`;

describe("at the desk the office", () => {
  test("splits a payment over several contracts, once however often it is sent", async () => {
    const [a, b] = [await home(), await home()];
    const receiptId = await stray("100");
    const parts = [a, b].map(({ contract }) => ({ contractId: contract.id, amountMinor: "5000" }));
    const order = { receiptId, parts, key: randomUUID() };
    const first = await people.first(MATCH, order);
    expect(first["matchSuspense"]).toMatchObject({
      __typename: "MatchedReceipt",
      receipt: { tokens: [{ units: 1 }, { units: 1 }] },
      contracts: [{ received: { amountMinor: "5000" } }, { received: { amountMinor: "5000" } }],
    });
    expect(await people.first(MATCH, order)).toEqual(first);
    expect(await a.tokens()).toHaveLength(1);
    const both = { receiptId, contractId: a.contract.id, parts, key: randomUUID() };
    expect((await people.first(MATCH, both))["matchSuspense"]).toMatchObject({ __typename: "InvalidInput" });
  });

  test("gets a proposal above the limit, which another person approves; the audit keeps both", async () => {
    const { contract } = await home();
    const receiptId = await stray("150");
    const order = { receiptId, contractId: contract.id, key: randomUUID() };
    const answer = (await people.first(MATCH, order))["matchSuspense"];
    expect(answer).toMatchObject({
      __typename: "DeskProposal",
      approval: { state: "proposed", words: "match KES 150" },
    });
    expect((await people.first(MATCH, order))["matchSuspense"]).toEqual(answer);
    const { id } = (answer as { approval: { id: string } }).approval;
    const approve = `mutation ($id: ID!, $key: String!) { approveDeskAct(id: $id, idempotencyKey: $key) { ... on DeskApproval { state decidedBy } ${REFUSAL} } }`;
    expect((await people.first(approve, { id, key: randomUUID() }))["approveDeskAct"]).toMatchObject({
      __typename: "OtherRefusal",
      code: "SECOND_PERSON_NEEDED",
    });
    const listed = await people.second(
      `{ approvals(state: proposed) { edges { node { id receiptId contractIds } } } }`,
    );
    expect(JSON.stringify(listed)).toContain(id);
    const key = randomUUID();
    const approved = await people.second(approve, { id, key });
    expect(approved["approveDeskAct"]).toMatchObject({ __typename: "DeskApproval", state: "approved" });
    expect(await people.second(approve, { id, key })).toEqual(approved);
    const history = await people.second(
      `query ($receiptId: ID!) { receiptHistory(receiptId: $receiptId) { ... on ReceiptHistory {
        callbackText receipt { id } deviceReport { text } events { at kind text detail } } } }`,
      { receiptId },
    );
    const story = JSON.stringify(history["receiptHistory"]);
    for (const said of ["desk.propose", "desk.approve", "proposed to match KES 150", "Token number"])
      expect(story).toContain(said);
    expect(history["receiptHistory"]).toMatchObject({ receipt: { id: receiptId }, deviceReport: null });
  });

  test("declines a proposal with a reason", async () => {
    const { contract } = await home();
    const adjusted = await people.first(
      `mutation ($id: ID!) { adjustContract(contractId: $id, amountMinor: "10001", reason: "Gift", idempotencyKey: "${randomUUID()}") { ${PROPOSAL} ${REFUSAL} } }`,
      { id: contract.id },
    );
    const { id } = (adjusted["adjustContract"] as { approval: { id: string } }).approval;
    const declined = await people.second(
      `mutation ($id: ID!) { declineDeskAct(id: $id, reason: "No gifts", idempotencyKey: "${randomUUID()}") { ... on DeskApproval { state decision } ${REFUSAL} } }`,
      { id },
    );
    expect(declined["declineDeskAct"]).toMatchObject({ state: "declined", decision: "No gifts" });
  });

  test("unlinks, refunds, and writes, each with its reason in the audit", async () => {
    const family = await home();
    const receiptId = await office.receive({ account: family.accountNumber, amount: "50", msisdn: "254712000011" });
    const key = (): string => `idempotencyKey: "${randomUUID()}"`;
    const acts = `
      unlinkReceipt(receiptId: "${receiptId}", contractId: "${family.contract.id}", reason: "Typed the neighbour's", ${key()}) {
        ... on UnlinkedReceipt { contract { debt { amountMinor } } } ${REFUSAL} }
      writeToPayer(receiptId: "${receiptId}", template: refund_coming, ${key()}) { ... on WrittenLetter { phone } ${REFUSAL} }
      refundSuspense(receiptId: "${receiptId}", amountMinor: "2000", reason: "Asked for it", ${key()}) {
        ... on Payout { state phone amount { amountMinor } } ${REFUSAL} }
      refundContract(contractId: "${family.contract.id}", reason: "None there", ${key()}) { ... on Payout { id } ${REFUSAL} }`;
    expect(await people.first(`mutation { ${acts} }`)).toMatchObject({
      unlinkReceipt: { contract: { debt: { amountMinor: "5000" } } },
      writeToPayer: { phone: "+254712000011" },
      refundSuspense: { state: "created", phone: "+254712000011", amount: { amountMinor: "2000" } },
      refundContract: { code: "NOT_ALLOWED_NOW" },
    });
    const audit = await program.current.app.access.listAudit({
      limit: 10,
      subject: { kind: "receipt", id: receiptId },
    });
    expect(audit.map(({ action }) => action)).toEqual(["suspense.refund", "receipt.write", "receipt.unlink"]);
    expect(JSON.stringify(audit.at(-1)?.detail)).toContain("Typed the neighbour's");
    const suspense = await people.first(
      `{ suspense(first: 100) { edges { node { open { amountMinor } receipt { id } } } } }`,
    );
    expect(suspense["suspense"]).toMatchObject({
      edges: expect.arrayContaining([
        { node: { open: { amountMinor: "3000" }, receipt: { id: receiptId } } },
      ]) as unknown,
    });
  });

  test("is shown whose money it may be", async () => {
    const family = await home();
    const receiptId = await stray("50", { msisdn: family.phone.slice(1) });
    const found = await people.first(
      `query ($receiptId: ID!) { suspenseSuggestions(receiptId: $receiptId) { ... on SuspenseSuggestions { suggestions { score contract { id } reasons { code words } } } ${REFUSAL} } }`,
      { receiptId },
    );
    expect(found["suspenseSuggestions"]).toMatchObject({
      suggestions: [{ contract: { id: family.contract.id }, reasons: [{ code: "payer_is_customer" }] }],
    });
  });

  test("explains an exception of a rail once", async () => {
    const id = program.current.app.makeId();
    await db().execute(sql`
      insert into payments.exceptions (id, rail, kind, subject, on_date, amount_minor, currency, detail, opened_at)
      values (${id}, 'mpesa', 'listed_not_booked', 'QX1', '2026-03-02', 5000, 'KES', 'On the statement only.', now())`);
    const listed = await people.first(`{ exceptions(rail: "mpesa") { edges { node { id subject onDate } } } }`);
    expect(JSON.stringify(listed)).toContain(`"subject":"QX1","onDate":"2026-03-02"`);
    const resolve = (): Promise<Answer> =>
      people.first(
        `mutation { resolveException(id: "${id}", resolution: "Another company's", idempotencyKey: "${randomUUID()}") { ... on ReconciliationException { resolution } ${REFUSAL} } }`,
      );
    expect((await resolve())["resolveException"]).toMatchObject({ resolution: "Another company's" });
    expect((await resolve())["resolveException"]).toMatchObject({ code: "NOT_ALLOWED_NOW" });
    expect(JSON.stringify(await people.first(`{ exceptions(rail: "mpesa") { edges { node { id } } } }`))).not.toContain(
      id,
    );
  });
});

test("an agent reaches nothing of the desk", async () => {
  const receiptId = await stray("50");
  const key = randomUUID();
  const { contract } = await home();
  expect(await people.agent(MATCH, { receiptId, contractId: contract.id, key })).toMatchObject({
    matchSuspense: { __typename: "Forbidden" },
  });
  const query = `{ suspenseSuggestions(receiptId: "${receiptId}") { ${REFUSAL} } receiptHistory(receiptId: "${receiptId}") { ${REFUSAL} } }`;
  expect(await people.agent(query)).toMatchObject({
    suspenseSuggestions: { code: "FORBIDDEN" },
    receiptHistory: { code: "FORBIDDEN" },
  });
  await expect(people.agent(`{ approvals { edges { node { id } } } }`)).rejects.toThrow(
    "Your role does not allow this",
  );
});
