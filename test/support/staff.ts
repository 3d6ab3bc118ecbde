import { randomUUID } from "node:crypto";
import { beforeAll } from "vitest";
import type { Role, Staff } from "../../src/access/access.ts";
import type { TestApp } from "./app.ts";

export const REFUSAL = "__typename ... on Refusal { code message }";
const PASSWORD = "seven quiet lamps";

/** Somebody who works here, asking over HTTP; signed in, and again when the day is over. */
export interface Colleague {
  readonly staff: Staff;
  // A test reads whatever shape it asked for; the schema has checked it.
  ask(
    query: string,
    variables?: object,
  ): Promise<{
    data: Readonly<Record<string, never>>;
    errors?: readonly { extensions: { code: string } }[];
  }>;
}

export async function makeColleague(
  { app, clock, url }: TestApp,
  role: Role,
  area: string | null = null,
): Promise<Colleague> {
  const { access } = app;
  const email = `${randomUUID()}@example.org`;
  const passwordHash = await access.hashPassword(PASSWORD);
  const staff = await app.database.db.transaction((tx) =>
    access.createStaff(tx, { email, name: role, role, area, language: "en", passwordHash, actor: "system:test" }),
  );
  const signIn = () => access.login({ email, password: PASSWORD, sourceAddress: "192.0.2.1" });
  let session = await signIn();
  return {
    staff,
    async ask(query, variables = {}) {
      if (session.expiresAt <= clock.now()) session = await signIn();
      const { token } = session;
      const response = await fetch(`${url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as Awaited<ReturnType<Colleague["ask"]>>;
    },
  };
}

/** Whoever may ask in a test: the office sees everything, the agents of Kitui and Gulu their own area. Call it while tests run. */
export function useColleagues(place: () => TestApp): (name: "admin" | "office" | "kitui" | "gulu") => Colleague {
  const people = new Map<string, Colleague>();
  beforeAll(async () => {
    people.set("admin", await makeColleague(place(), "admin"));
    people.set("office", await makeColleague(place(), "operations"));
    people.set("kitui", await makeColleague(place(), "agent", "kitui"));
    people.set("gulu", await makeColleague(place(), "agent", "gulu"));
  });
  return (name) => {
    const found = people.get(name);
    if (found === undefined) throw new Error("Nobody is signed in yet.");
    return found;
  };
}
