import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import type { OpenRail } from "../../src/payments/payments.ts";
import { HEADER, KENYA, paymentLine, receiptNumber, SAMPLE } from "../payments/statements/statement-files.ts";
import { useGraphql, type Person } from "./graphql-app.ts";
import { REFUSAL } from "./office.ts";

// The API asks a rail for its channel and currency only.
const rail = { rail: { channel: KENYA }, config: { currency: KENYA.currency } } as unknown as OpenRail;
const graphql = useGraphql({ wrap: (services) => ({ ...services, rails: new Map([[KENYA.name, rail]]) }) });
const people = {} as { office: Person; admin: Person; agent: Person };

const BANK = JSON.stringify({
  columns: { reference: "Ref", time: "When", amount: { signed: "Sum" }, account: "Text" },
  timeFormat: "YYYY-MM-DD",
  decimalMark: ".",
  thousandsMark: "",
  accountPattern: "(PG-\\d+)",
  paymentType: "billpay",
});
const BANK_HEAD = Buffer.from(
  "Ref,When,Sum,Text\nB1,2026-11-01,50.00,for PG-10234\nB2,soon,50.00,x\nB3,2026-11",
).toString("base64");

beforeAll(async () => {
  people.office = await graphql.person("operations");
  people.admin = await graphql.person("admin");
  people.agent = await graphql.person("agent", "Kitui");
});

async function importFile(text: string, fileName: string): Promise<string> {
  graphql.clock.advance(1_000);
  const bytes = async function* () {
    yield await Promise.resolve(Buffer.from(text));
  };
  const order = { channel: KENYA, shortcode: "600966", format: "mpesa", fileName, actor: "staff:1" } as const;
  const running = graphql.services.statementImports.begin(bytes(), order);
  await running.done;
  return running.id;
}

const SAVE = `mutation ($name: String!, $mapping: String!, $key: String!) {
  saveStatementMapping(name: $name, mapping: $mapping, idempotencyKey: $key) { ... on StatementMapping { name mapping savedBy } ${REFUSAL} }
}`;
const PREVIEW = `query ($mapping: String, $mappingName: String, $head: String!, $rail: String = "${KENYA.name}") {
  previewStatement(rail: $rail, mapping: $mapping, mappingName: $mappingName, headBase64: $head) {
    ... on StatementPreview { encoding separator headerLine lines { line raw kind providerId amountMinor at reference reason } } ${REFUSAL}
  }
}`;

test("the office reads what was imported, newest first, and pages through the lines that were refused", async () => {
  await importFile(SAMPLE, "first.csv");
  const broken = Array.from({ length: 3 }, (_, at) => paymentLine(receiptNumber(at), "fifty"));
  const importId = await importFile([HEADER, paymentLine("RKLGOOD001"), ...broken].join("\n"), "second.csv");
  const { data } = await people.office.ask(
    `query ($rail: String, $after: String) { statements(rail: $rail, first: 1, after: $after) { edges { node { id fileName } } pageInfo { hasNextPage endCursor } } }`,
    { rail: KENYA.name },
  );
  const first = data["statements"] as unknown as {
    edges: { node: { id: string } }[];
    pageInfo: { hasNextPage: boolean; endCursor: string };
  };
  expect(first).toMatchObject({ edges: [{ node: { fileName: "second.csv" } }], pageInfo: { hasNextPage: true } });
  const next = await people.office.ask(
    `query ($after: String) { statements(first: 1, after: $after) { edges { node { fileName byKind { kind lines amountMinor } } } pageInfo { hasNextPage } } other: statements(rail: "other") { edges { cursor } } }`,
    { after: first.pageInfo.endCursor },
  );
  expect(next.data).toMatchObject({
    statements: {
      edges: [
        {
          node: {
            fileName: "first.csv",
            byKind: [
              { kind: "payment", lines: 1, amountMinor: "5000" },
              { kind: "reversal", lines: 1, amountMinor: "-5000" },
              { kind: "fee", lines: 1, amountMinor: "-55" },
            ],
          },
        },
      ],
      pageInfo: { hasNextPage: false },
    },
    other: { edges: [] },
  });

  const LINES = `query ($id: ID!, $after: String) { statement(id: $id) { ... on ProviderStatement {
    account currency linesTotal taken refused exceptions
    lines(first: 2, after: $after) { edges { cursor node { line outcome detail raw } } pageInfo { hasNextPage endCursor } }
    all: lines(outcome: null) { edges { node { line } } } } ${REFUSAL} } }`;
  const { id } = first.edges[0]?.node ?? { id: "" };
  const read = (await people.admin.ask(LINES, { id })).data["statement"];
  expect(read).toMatchObject({
    account: "600966",
    currency: "KES",
    linesTotal: 4,
    taken: 1,
    refused: 3,
    exceptions: 3,
    lines: {
      edges: [{ node: { line: 3, outcome: "refused" } }, { node: { line: 4 } }],
      pageInfo: { hasNextPage: true },
    },
    all: { edges: [{ node: { line: 2 } }, {}, {}, {}] },
  });
  const { endCursor } = (read as unknown as { lines: { pageInfo: { endCursor: string } } }).lines.pageInfo;
  expect((await people.office.ask(LINES, { id, after: endCursor })).data["statement"]).toMatchObject({
    lines: { edges: [{ node: { line: 5 } }], pageInfo: { hasNextPage: false } },
  });

  const { data: running } = await people.office.ask(
    `query ($id: ID!) { statementImport(id: $id) { ... on StatementImport { state lines refusal statement { id } } ${REFUSAL} } }`,
    { id: importId },
  );
  expect(running["statementImport"]).toMatchObject({ state: "imported", lines: 4, refusal: null, statement: { id } });
});

test("an import that is refused says why", async () => {
  await expect(importFile("Receipt No.,Money\nA,1\n", "wrong.csv")).rejects.toThrow("Completion Time");
});

test("a mapping is tried, saved once, and tried again by its name", async () => {
  const read = {
    headerLine: 1,
    separator: ",",
    lines: [
      { line: 2, kind: "payment", providerId: "B1", amountMinor: "5000", reference: "PG-10234", reason: null },
      { line: 3, kind: null, reason: expect.any(String) as string },
      { line: 4 },
    ],
  };
  const tried = await people.office.ask(PREVIEW, { mapping: BANK, head: BANK_HEAD });
  expect(tried.data["previewStatement"]).toMatchObject(read);
  const key = randomUUID();
  const saved = await people.office.ask(SAVE, { name: "Bank", mapping: BANK, key });
  expect(saved.data["saveStatementMapping"]).toMatchObject({ name: "Bank" });
  expect(await people.office.ask(SAVE, { name: "Bank", mapping: BANK, key })).toMatchObject({ data: saved.data });
  expect((await people.admin.ask("{ statementMappings { name savedBy } }")).data["statementMappings"]).toHaveLength(1);
  const again = await people.office.ask(PREVIEW, { mappingName: "Bank", head: BANK_HEAD });
  expect(again.data["previewStatement"]).toMatchObject(read);
  const { data } = await people.admin.ask(
    `{ auditLog(subjectKind: "statement_mapping", subjectId: "Bank") { edges { node { action } } } }`,
  );
  expect(data["auditLog"]?.["edges"]).toEqual([{ node: { action: "statement.save_mapping" } }]);
});

test.each([
  ["a mapping that is not JSON", { mapping: "{", head: "" }, { field: "mapping" }],
  ["both a mapping and a name", { mapping: BANK, mappingName: "x", head: "" }, { field: "mapping" }],
  ["a name that nobody saved", { mappingName: "nothing", head: "" }, { code: "NOT_FOUND" }],
  ["a rail that is not ours", { rail: "mars", mapping: BANK, head: "" }, { code: "NOT_FOUND" }],
  ["bytes that are not base64", { mapping: BANK, head: "%%%" }, { field: "headBase64" }],
  ["more than a beginning", { mapping: BANK, head: "A".repeat(90_000) }, { field: "headBase64" }],
  ["an empty file", { mapping: BANK, head: "" }, { field: "file" }],
])("a preview of %s is refused", async (_promise, variables, refusal) => {
  expect((await people.office.ask(PREVIEW, variables)).data["previewStatement"]).toMatchObject(refusal);
});

test("agents and strangers see no statements and save no mappings", async () => {
  for (const ask of [people.agent.ask, graphql.ask]) {
    const { errors } = await ask("{ statements { edges { cursor } } statementMappings { name } }");
    expect(errors).not.toBeUndefined();
    const id = randomUUID();
    for (const query of [
      `{ statement(id: "${id}") { ${REFUSAL} } }`,
      `{ statementImport(id: "${id}") { ${REFUSAL} } }`,
      `{ previewStatement(rail: "x", headBase64: "") { ${REFUSAL} } }`,
      `mutation { saveStatementMapping(name: "x", mapping: "{}", idempotencyKey: "${id}") { ${REFUSAL} } }`,
    ]) {
      const [refused] = Object.values((await ask(query)).data);
      expect(["FORBIDDEN", "NOT_SIGNED_IN"]).toContain(refused?.["code"]);
    }
  }
});
