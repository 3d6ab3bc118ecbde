import supertest from "supertest";
import { afterAll, beforeAll } from "vitest";
import { makeAccess, type Role } from "../../src/access/access.ts";
import type { Services } from "../../src/graphql/context.ts";
import { makeGraphql, type GraphqlDoor } from "../../src/graphql/graphql.http.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeHttp, type Http } from "../../src/platform/http.ts";
import { useDatabase } from "../support/database.ts";

export const PASSWORD = "seven quiet lamps";

interface Answer {
  readonly status: number;
  readonly requestId: string;
  // A test reads whatever shape it asked for; the schema has checked it.
  readonly data: Readonly<Record<string, Readonly<Record<string, unknown>> & { readonly __typename?: string }>>;
  readonly errors: readonly { message: string; extensions: { code: string; requestId?: string } }[] | undefined;
}

export interface Person {
  readonly email: string;
  ask(query: string, variables?: Readonly<Record<string, unknown>>): Promise<Answer>;
}

/** The GraphQL server on a database of the test file's own, asked over HTTP. */
export function useGraphql({ isProduction = false, wrap = (services: Services) => services } = {}) {
  const database = useDatabase();
  const clock = makeManualClock(new Date("2026-11-20T09:00:00Z"));
  const faults: { error: unknown; requestId: string }[] = [];
  let http: Http | undefined;
  let door: GraphqlDoor | undefined;
  let services: Services | undefined;
  let people = 0;

  beforeAll(async () => {
    const { db } = database.current;
    const passwordCost = { cost: 1_024, blockSize: 8, parallelism: 1 };
    services = wrap({ access: makeAccess({ db, clock, makeId: makeIds(clock), passwordCost }) });
    http = makeHttp({ trustedProxyHops: 1, clock, reportFault: (report) => faults.push(report) });
    const { sourceAddress, requestId } = http;
    door = await makeGraphql({
      services,
      db,
      clock,
      isProduction,
      sourceAddress,
      requestId,
      reportFault: (report) => faults.push(report),
    });
    http.routes.use("/graphql", door.router);
  });
  afterAll(async () => {
    await door?.stop();
  });

  function required<Thing>(thing: Thing | undefined): Thing {
    if (thing === undefined) throw new Error("The server exists only while tests run.");
    return thing;
  }

  async function send(
    body: object,
    { token, address = "192.0.2.1" }: { token?: string; address?: string } = {},
  ): Promise<Answer> {
    const request = supertest(required(http).app).post("/graphql").set("x-forwarded-for", address);
    const response = await (token === undefined ? request : request.set("authorization", `Bearer ${token}`)).send(body);
    const { data = {}, errors } = response.body as Answer;
    return { status: response.status, requestId: String(response.headers["x-request-id"]), data, errors };
  }

  /** A member of staff who is signed in. */
  async function person(role: Role, area: string | null = null): Promise<Person> {
    const { access } = required(services);
    const email = `person${++people}@example.org`;
    const passwordHash = await access.hashPassword(PASSWORD);
    const name = `${role} ${people}`;
    await database.current.db.transaction((tx) =>
      access.createStaff(tx, { email, name, role, area, language: "en", passwordHash, actor: "system:test" }),
    );
    const { token } = await access.login({ email, password: PASSWORD, sourceAddress: "192.0.2.1" });
    return { email, ask: (query, variables = {}) => send({ query, variables }, { token }) };
  }

  return {
    clock,
    faults,
    person,
    send,
    ask: (query: string, variables: Readonly<Record<string, unknown>> = {}) => send({ query, variables }),
    get app() {
      return required(http).app;
    },
    get database() {
      return database.current;
    },
    get services() {
      return required(services);
    },
  };
}
