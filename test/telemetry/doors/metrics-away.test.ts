import { once } from "node:events";
import { createServer, type Server } from "node:http";
import express from "express";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NotSignedIn } from "../../../src/access/access.ts";
import { openDatabase, type Database } from "../../../src/platform/database.ts";
import { makeMetricsDoor } from "../../../src/telemetry/doors/metrics.http.ts";
import { makeReadings } from "../../../src/telemetry/ingest/readings.queries.ts";
import { makeIngestWorld, signed } from "../ingest/ingest-world.ts";

let away: Database;
let world: ReturnType<typeof makeIngestWorld>;
let server: Server;
let url: string;

beforeAll(async () => {
  // Nobody listens on the discard port.
  away = openDatabase({ url: "postgres://washa@127.0.0.1:9/washa" });
  world = makeIngestWorld(away);
  const routes = express().use(
    makeMetricsDoor({
      clock: world.clock,
      ingest: world.ingest,
      dataFormats: world.dataFormats,
      readings: makeReadings({ db: away.db }),
      findSpeaker: (serial) => world.speakers.find(serial),
      pendingTokens: () => Promise.resolve([]),
      activeUntil: () => Promise.resolve(undefined),
      serialsOf: () => Promise.resolve(new Map()),
      authorize: (request) =>
        request.get("authorization") === undefined ? Promise.reject(new NotSignedIn()) : Promise.resolve(),
      sourceAddress: () => "192.0.2.1",
      commitTimeoutMs: 100,
    }),
  );
  server = createServer((request, response) => void routes(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  url = `http://127.0.0.1:${String(typeof address === "object" ? address?.port : 0)}`;
});
afterAll(async () => {
  server.close();
  await world.ingest.close();
  await away.close();
});

const json = { "content-type": "application/json" };

test.each([
  [
    "a device that nobody remembers",
    "/dd",
    { method: "POST", headers: json, body: JSON.stringify(signed({ sn: "HTTP-1", rc: 1, d: { tc: 1 } })) },
  ],
  ["a maker with a format", "/data_format", { method: "POST", headers: json, body: '{"data_order": ["token_count"]}' }],
  [
    "the office",
    "/dd?from_datetime=2026-03-02T00:00:00Z&to_datetime=2026-03-03T00:00:00Z",
    { headers: { authorization: "Bearer any" } },
  ],
])("while PostgreSQL is away %s is told when to ask again, and it is nobody's fault", async (_who, path, init) => {
  const response = await fetch(`${url}${path}`, init);
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("30");
  expect(await response.json()).toMatchObject({ error: { code: "BUSY" } });
});
