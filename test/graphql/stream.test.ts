import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import express from "express";
import { createClient } from "graphql-sse";
import { buildSchema, GraphQLError } from "graphql";
import { afterEach, describe, expect, test } from "vitest";
import { NotFound } from "../../src/kernel/refusal.ts";
import { makeManualClock, MINUTE_MS } from "../../src/kernel/time.ts";
import type { GraphqlContext } from "../../src/graphql/context.ts";
import { eventStream } from "../../src/graphql/event-stream.ts";
import { makeStreamDoor, makeStreams } from "../../src/graphql/stream.http.ts";

const SIGNED_IN = "the-token-of-a-signed-in-person";
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A bell that rings when it is told to, and whoever listens hears its number. */
async function openDoor({ streamsMax = 2 } = {}) {
  const clock = makeManualClock(new Date("2026-11-20T06:00:00Z"));
  const faults: unknown[] = [];
  const listeners = new Set<(event: unknown) => void>();
  const state = { isAlive: true, listening: () => listeners.size };
  const schema = buildSchema(`
    type Bell { number: Int!, other: [Bell!]! }
    type Query { bell: Bell! }
    type Subscription { rings: Bell! broken: Bell! }
  `);
  const fields = schema.getSubscriptionType()?.getFields() ?? {};
  const iterate = () =>
    eventStream<unknown>((hear) => {
      listeners.add(hear);
      return () => listeners.delete(hear);
    });
  if (fields["rings"]) fields["rings"].subscribe = iterate;
  if (fields["broken"])
    fields["broken"].subscribe = () => {
      throw new NotFound("bell");
    };
  const app = express();
  const door = makeStreamDoor({
    schema,
    validationRules: [],
    tokensMax: 100,
    contextOf: (request) =>
      Promise.resolve({
        clock,
        requestId: "r1",
        actor: request.get("authorization") === `Bearer ${SIGNED_IN}` ? { id: "asha" } : null,
      } as unknown as GraphqlContext),
    isSessionAlive: () => Promise.resolve(state.isAlive),
    reportFault: (fault) => faults.push(fault),
    streams: makeStreams(streamsMax),
  });
  app.post("/stream", express.json(), door.handler);
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    door.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/stream`;
  const listen = (query = "subscription { rings { number } }", headers = { authorization: `Bearer ${SIGNED_IN}` }) => {
    const client = createClient({ url, headers, retryAttempts: 0 });
    closers.push(async () => client.dispose());
    return client.iterate({ query });
  };
  const post = async (query: string, headers: Record<string, string> = { authorization: `Bearer ${SIGNED_IN}` }) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
      body: JSON.stringify({ query }),
    });
    return { status: answer.status, text: answer.status === 200 ? "" : await answer.text() };
  };
  const ring = (number: unknown): void => listeners.forEach((hear) => hear({ rings: { number } }));
  const untilListening = async (count: number): Promise<void> => {
    while (listeners.size !== count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, faults, state, listen, post, ring, untilListening, checkSessions: door.checkSessions };
}

describe("a subscription", () => {
  test("hears every event after it began, and nobody hears after it was left", async () => {
    const { listen, ring, untilListening } = await openDoor();
    const events = listen();
    const first = events.next();
    await untilListening(1);
    ring(1);
    ring(2);
    expect((await first).value).toEqual({ data: { rings: { number: 1 } } });
    expect((await events.next()).value).toEqual({ data: { rings: { number: 2 } } });
    await events.return?.();
    await untilListening(0);
  });

  test("needs a session", async () => {
    const { post } = await openDoor();
    const answer = await post("subscription { rings { number } }", {});
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.text)).toMatchObject({ errors: [{ extensions: { code: "NOT_SIGNED_IN" } }] });
  });

  test("ends when its session does, at the first event a minute later", async () => {
    const { clock, state, listen, ring, untilListening } = await openDoor();
    const events = listen();
    const first = events.next();
    await untilListening(1);
    ring(1);
    await first;
    state.isAlive = false;
    clock.advance(MINUTE_MS);
    const next = events.next().then(
      ({ done }) => done,
      () => true,
    );
    ring(2);
    expect(await next).toBe(true);
    await untilListening(0);
  });

  test("ends with its session also while nothing happens on it, and goes on while the session does", async () => {
    const { state, listen, ring, untilListening, checkSessions } = await openDoor();
    const events = listen();
    const first = events.next();
    await untilListening(1);
    await checkSessions();
    ring(1);
    expect((await first).value).toEqual({ data: { rings: { number: 1 } } });
    const next = events.next().then(
      ({ done }) => done,
      () => true,
    );
    state.isAlive = false;
    await checkSessions();
    expect(await next).toBe(true);
    await untilListening(0);
  });

  test("is refused when one person holds too many already", async () => {
    const { listen, post, untilListening } = await openDoor({ streamsMax: 1 });
    const events = listen();
    const first = events.next();
    await untilListening(1);
    const refused = await post("subscription { rings { number } }");
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.text).toContain("TOO_MANY_REQUESTS");
    await events.return?.();
    await first.catch(() => undefined);
    await untilListening(0);
    const again = listen();
    const next = again.next();
    await untilListening(1);
    await again.return?.();
    await next.catch(() => undefined);
  });

  test.each([
    ["a query", "{ bell { number } }", "Only subscriptions"],
    ["a document with a mistake", "subscription { rings { colour } }", "colour"],
    ["text that is no GraphQL", "subscription {", "Syntax Error"],
    [
      "a document that costs too much",
      `subscription { rings ${"{ other ".repeat(5)} { number } ${"}".repeat(5)} }`,
      "limit",
    ],
  ])("%s is refused with its reason", async (_what, query, reason) => {
    const { post, faults } = await openDoor();
    const answer = await post(query);
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.text).toContain(reason);
    expect(faults).toEqual([]);
  });

  test("that is refused by its field says why; a fault is hidden and reported", async () => {
    const { listen, ring, untilListening, faults } = await openDoor();
    const refused = (await listen("subscription { broken { number } }").next()).value;
    expect(refused).toMatchObject({
      errors: [{ message: "There is no such bell.", extensions: { code: "NOT_FOUND" } }],
    });
    const events = listen();
    const first = events.next();
    await untilListening(1);
    ring(() => {
      throw new GraphQLError("inner", { originalError: new Error("secret table") });
    });
    const { value } = await first;
    expect(JSON.stringify(value)).not.toContain("secret");
    expect(value).toMatchObject({ errors: [{ extensions: { code: "INTERNAL" } }] });
    expect(faults).toHaveLength(1);
  });
});
