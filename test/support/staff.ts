import { randomUUID } from "node:crypto";
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
