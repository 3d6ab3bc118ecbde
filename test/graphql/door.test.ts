import supertest from "supertest";
import { describe, expect, test } from "vitest";
import { findSchemaDrift } from "../../src/graphql/schema.ts";
import { MINUTE_MS } from "../../src/kernel/time.ts";
import { PASSWORD, useGraphql } from "./graphql-app.ts";

const BROKEN_TOKEN = "a-token-whose-lookup-fails";
const graphql = useGraphql({
  // One face breaks on purpose, with a secret in its message.
  wrap: (services) => ({
    ...services,
    access: {
      ...services.access,
      listAudit: () => Promise.reject(new Error("connection to db:5432 password=hunter2 failed")),
      findActor: (token) =>
        token === BROKEN_TOKEN ? Promise.reject(new Error("password=hunter2")) : services.access.findActor(token),
    },
  }),
});
const LOGIN = `mutation ($email: String!, $password: String!) {
  login(email: $email, password: $password) {
    __typename
    ... on Session { token staff { email role } }
    ... on Refusal { code message field }
    ... on TooMany { retryAt }
  }
}`;

test("signing in gives a token that names its owner, until signing out", async () => {
  const { email } = await graphql.person("operations");
  const { data } = await graphql.ask(LOGIN, { email, password: PASSWORD });
  expect(data["login"]).toMatchObject({ __typename: "Session", staff: { email, role: "operations" } });
  const token = String(data["login"]?.["token"]);
  const me = () => graphql.send({ query: "{ me { email } }" }, { token });
  expect((await me()).data["me"]).toEqual({ email });
  await graphql.send({ query: "mutation { logout { __typename } }" }, { token });
  expect((await me()).data["me"]).toBeNull();
});

test("a wrong password is a typed refusal, and guessing by aliases is counted guess by guess", async () => {
  const { email } = await graphql.person("admin");
  const retryAt = new Date(graphql.clock.now().getTime() + 15 * MINUTE_MS).toISOString();
  const aliases = Array.from(
    { length: 7 },
    (_, n) => `g${n}: login(email: $email, password: "guess ${n}") { ... on Refusal { code } }`,
  );
  const { data } = await graphql.ask(`mutation ($email: String!) { ${aliases.join(" ")} }`, { email });
  const codes = Object.values(data).map(({ code }) => code);
  expect(codes).toEqual([...Array<string>(5).fill("WRONG_CREDENTIALS"), "TOO_MANY_REQUESTS", "TOO_MANY_REQUESTS"]);
  const right = await graphql.ask(LOGIN, { email, password: PASSWORD });
  expect(right.data["login"]).toMatchObject({ __typename: "TooMany", retryAt });
});

test("without a session only signing in is possible; with one, the role decides", async () => {
  const staffQuery = "{ staff { edges { node { email } } } }";
  const create = `mutation ($role: Role!, $area: String, $email: String!) {
    createStaff(email: $email, name: "Juma", role: $role, area: $area, language: sw, password: "${PASSWORD}") {
      __typename ... on Staff { email role area } ... on Refusal { code field }
    }
  }`;
  const agent = { role: "agent", area: "Kisumu", email: "juma@example.org" };
  expect((await graphql.ask(staffQuery)).errors?.[0]?.extensions.code).toBe("NOT_SIGNED_IN");
  expect((await graphql.ask(create, agent)).data["createStaff"]).toEqual({
    __typename: "NotSignedIn",
    code: "NOT_SIGNED_IN",
    field: null,
  });
  const operations = await graphql.person("operations");
  expect((await operations.ask(create, agent)).data["createStaff"]).toMatchObject({ __typename: "Forbidden" });
  expect((await operations.ask(staffQuery)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");

  const admin = await graphql.person("admin");
  expect((await admin.ask(create, agent)).data["createStaff"]).toEqual({
    __typename: "Staff",
    email: "juma@example.org",
    role: "agent",
    area: "Kisumu",
  });
  expect((await admin.ask(create, agent)).data["createStaff"]).toEqual({
    __typename: "InvalidInput",
    code: "INVALID_INPUT",
    field: "email",
  });
});

test("pages follow each other without gap or repeat, also when rows arrive meanwhile", async () => {
  const admin = await graphql.person("admin");
  for (let n = 0; n < 4; n++) await graphql.person("operations");
  const query =
    "query ($after: String) { staff(first: 2, after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } }";
  const seen: string[] = [];
  let after: unknown = null;
  for (let page = 0; page < 50; page++) {
    const { data } = await admin.ask(query, { after });
    const { edges, pageInfo } = data["staff"] as unknown as {
      edges: { node: { id: string } }[];
      pageInfo: { endCursor: string; hasNextPage: boolean };
    };
    seen.push(...edges.map(({ node }) => node.id));
    if (page === 0) await graphql.person("operations");
    if (!pageInfo.hasNextPage) break;
    after = pageInfo.endCursor;
  }
  const everybody = await graphql.services.access.listStaff({ limit: 100 });
  expect(seen).toEqual(everybody.map(({ id }) => id));
  const foreign = Buffer.from(JSON.stringify(["audit", "1"])).toString("base64url");
  for (const cursor of ["nonsense", foreign]) {
    expect((await admin.ask(query, { after: cursor })).errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
  }
  expect((await admin.ask("{ staff(first: 101) { edges { cursor } } }")).errors?.[0]?.extensions.code).toBe(
    "INVALID_INPUT",
  );
});

test("a fault tells the client its request id and nothing else", async () => {
  const admin = await graphql.person("admin");
  const { errors, requestId } = await admin.ask("{ auditLog { edges { cursor } } }");
  expect(errors).toHaveLength(1);
  expect(errors?.[0]?.message).toBe("Something went wrong on our side. The request id names it in our log.");
  expect(errors?.[0]?.extensions).toEqual({ code: "INTERNAL", requestId });
  expect(JSON.stringify(errors)).not.toContain("hunter2");
  expect(graphql.faults.filter((fault) => fault.requestId === requestId)).toHaveLength(1);
});

test("a session that cannot be looked up is a fault that tells nothing, not a stranger", async () => {
  const { status, errors, requestId } = await graphql.send({ query: "{ me { id } }" }, { token: BROKEN_TOKEN });
  expect(status).toBe(500);
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["INTERNAL"]);
  expect(JSON.stringify(errors)).not.toContain("hunter2");
  expect(graphql.faults.filter((fault) => fault.requestId === requestId)).toHaveLength(1);
});

describe("a request that asks for too much is refused before it is done:", () => {
  test.each([
    ["aliases", `{ ${Array.from({ length: 9 }, (_, n) => `a${n}: me { id }`).join(" ")} }`, /Aliases limit of 8/],
    [
      "depth",
      `{ contracts { edges { node ${"{ customer { contracts ".repeat(7)} { id } ${"} } ".repeat(7)} } } }`,
      /depth limit of 14/,
    ],
    ["tokens", `{ ${"me { id } ".repeat(500)} }`, /more that 1500 tokens/],
    ["directives", `{ me { id ${"@include(if: true) ".repeat(11)} } }`, /Directives limit of 10/],
    [
      "cost",
      "{ contracts(first: 100) { edges { node { allocations { receipt { amount { currency } } } } } } }",
      /limit is 5000/,
    ],
  ])("%s", async (_limit, query, message) => {
    const { status, errors, data } = await graphql.ask(query);
    expect(status).toBe(400);
    expect(errors?.map((error) => error.message).join()).toMatch(message);
    expect(data).toEqual({});
  });

  test("cost, also when the size of the page comes by a variable, by default or in a fragment", async () => {
    const page = "edges { node { allocations { receipt { amount { currency } } } } }";
    const byVariable = `query ($n: Int = 100) { contracts(first: $n) { ${page} } }`;
    const inFragment = `query ($n: Int) { ...F } fragment F on Query { contracts(first: $n) { ${page} } }`;
    const agent = await graphql.person("agent", "Kisumu");
    expect((await agent.ask(byVariable)).errors?.[0]?.extensions.code).toBe("COST_LIMIT");
    expect((await agent.ask(inFragment, { n: 100 })).errors?.[0]?.extensions.code).toBe("COST_LIMIT");
    expect((await agent.ask(inFragment, { n: 20 })).errors).toBeUndefined();
    expect((await agent.ask(`{ contracts { ${page} } }`)).errors).toBeUndefined();
  });

  test("body", async () => {
    const { status } = await graphql.send({ query: "{ me { id } }", variables: { text: "x".repeat(1_100_000) } });
    expect(status).toBe(413);
  });

  test("many operations in one body", async () => {
    const { status } = await graphql.send([{ query: "{ me { id } }" }, { query: "{ me { id } }" }]);
    expect(status).toBe(400);
  });
});

test("a mistyped field gets no list of our names", async () => {
  const { errors } = await graphql.ask("{ stafff { id } }");
  expect(errors?.[0]?.message).toContain("stafff");
  expect(errors?.[0]?.message).not.toContain('"staff"');
});

test("another site's form cannot make a browser act for its visitor", async () => {
  const simple = supertest(graphql.app)
    .post("/graphql")
    .type("text/plain")
    .send(JSON.stringify({ query: "mutation { logout { __typename } }" }));
  expect((await simple).status).toBe(400);
  expect((await supertest(graphql.app).get("/graphql?query={me{id}}")).status).toBe(404);
});

test("the explorer asks nothing of any other host, and its scripts may only be ours", async () => {
  const { text, headers } = await supertest(graphql.app).get("/graphql/explorer").expect(200);
  expect(text.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}/gi) ?? []).toEqual([]);
  const policy = String(headers["content-security-policy"]);
  expect(policy).toContain("connect-src 'self'");
  expect(policy).not.toMatch(/https?:|script-src[^;]*unsafe/);
  const assets = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = ""]) => address);
  expect(assets.length).toBeGreaterThan(1);
  for (const asset of assets) {
    const { status, headers: described } = await supertest(graphql.app).get(asset);
    expect([asset, status]).toEqual([asset, 200]);
    expect(String(described["content-type"])).toMatch(/javascript|css/);
  }
  await supertest(graphql.app).get("/graphql/explorer/assets/..%2fpackage.json").expect(404);
});

test("the committed schema is the one the code serves", async () => {
  expect(await findSchemaDrift()).toBeUndefined();
});

const INTROSPECTION = { query: "{ __schema { queryType { name } } }" };
test("outside production everybody may read the schema", async () => {
  expect((await graphql.ask(INTROSPECTION.query)).data["__schema"]).toEqual({ queryType: { name: "Query" } });
});

describe("in production", () => {
  const production = useGraphql({ isProduction: true });
  test("only those who are signed in may read the schema, also when asked through a fragment", async () => {
    const hidden = 'query { ...F } fragment F on Query { __type(name: "Query") { name } }';
    for (const query of [INTROSPECTION.query, hidden]) {
      const { status, errors } = await production.ask(query);
      expect([status, errors?.[0]?.extensions.code]).toEqual([400, "INTROSPECTION_NOT_ALLOWED"]);
    }
    const agent = await production.person("agent", "Kisumu");
    expect((await agent.ask(INTROSPECTION.query)).data["__schema"]).toEqual({ queryType: { name: "Query" } });
  });
});
