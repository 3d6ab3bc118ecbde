import express from "express";
import fc from "fast-check";
import supertest from "supertest";
import { expect, test } from "vitest";
import { NotFound, TooMany } from "../../src/kernel/refusal.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeHttp, sourceAddressOf, type FaultReport } from "../../src/platform/http.ts";

const clock = makeManualClock(new Date("2026-11-20T09:00:00Z"));

test.each([
  ["without a trusted proxy the header is the sender's own word", 0, "203.0.113.9", "198.51.100.7"],
  ["one proxy: the last entry is what it saw", 1, "203.0.113.9, 192.0.2.1", "192.0.2.1"],
  ["two proxies: the entry before the last", 2, "1.1.1.1, 203.0.113.9, 192.0.2.1", "203.0.113.9"],
  ["a header shorter than the proxies make it came another way", 2, "203.0.113.9", "198.51.100.7"],
  ["an entry that is no address is not believed", 1, "evil", "198.51.100.7"],
  ["a port is not part of an address", 1, "203.0.113.9:4711", "203.0.113.9"],
  ["nor are brackets", 1, "[2001:DB8::1]:4711", "2001:db8::1"],
  ["an IPv4 address in IPv6 clothes is the IPv4 address", 1, "::ffff:203.0.113.9", "203.0.113.9"],
])("%s", (_promise, trustedProxyHops, forwardedFor, expected) => {
  expect(sourceAddressOf({ remoteAddress: "::ffff:198.51.100.7", forwardedFor, trustedProxyHops })).toBe(expected);
});

test("whatever a sender writes in front, the address that our proxy saw decides", () => {
  const forged = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { maxLength: 5 });
  fc.assert(
    fc.property(forged, fc.ipV4(), (entries, seen) => {
      const forwardedFor = [...entries, seen].join(", ");
      expect(sourceAddressOf({ remoteAddress: "10.0.0.1", forwardedFor, trustedProxyHops: 1 })).toBe(seen);
    }),
  );
});

test("refusals, unreadable bodies and faults each get their own plain answer, and a fault tells nothing", async () => {
  const faults: FaultReport[] = [];
  const http = makeHttp({ trustedProxyHops: 0, clock, reportFault: (report) => faults.push(report) });
  http.routes.get("/missing", () => {
    throw new NotFound("lamp");
  });
  http.routes.get("/often", () => {
    throw new TooMany("Wait.", new Date("2026-11-20T09:00:30Z"));
  });
  http.routes.post("/secret/:key", express.json({ limit: 20 }), () => {
    throw new Error("password=hunter2");
  });
  const { app } = http;

  const missing = await supertest(app).get("/missing").expect(404);
  expect(missing.body).toMatchObject({ error: { code: "NOT_FOUND", message: "There is no such lamp." } });
  expect((await supertest(app).get("/often").expect(429)).headers["retry-after"]).toBe("30");
  await supertest(app).get("/nowhere").expect(404);
  expect(
    (
      await supertest(app)
        .post("/secret/abc")
        .send({ long: "x".repeat(50) })
        .expect(413)
    ).body.error.code,
  ).toBe("BODY_TOO_LARGE");
  const malformed = await supertest(app).post("/secret/abc").type("json").send("{oops").expect(400);
  expect(malformed.body.error.code).toBe("MALFORMED_REQUEST");
  expect(JSON.stringify(malformed.body)).not.toContain("oops");
  await supertest(app).post("/secret/%E0%A4%A").expect(400);

  const broken = await supertest(app).post("/secret/abc").send({}).expect(500);
  expect(JSON.stringify(broken.body)).not.toContain("hunter2");
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatchObject({ method: "POST", route: "/secret/:key", requestId: broken.headers["x-request-id"] });
  expect(broken.body.error.requestId).toBe(broken.headers["x-request-id"]);
});

test("every answer carries strict headers and names no software", async () => {
  const { headers } = await supertest(makeHttp({ trustedProxyHops: 0, clock }).app)
    .get("/healthz")
    .expect(200);
  expect(headers["x-powered-by"]).toBeUndefined();
  expect(headers["content-security-policy"]).toContain("default-src 'none'");
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
  });
});

test("the process is ready only when all it needs answers", async () => {
  let broken = true;
  const database = () => (broken ? Promise.reject(new Error("away")) : Promise.resolve());
  const { app } = makeHttp({ trustedProxyHops: 0, clock, checks: { database } });
  expect((await supertest(app).get("/readyz").expect(503)).body.checks).toEqual({ database: "failed" });
  broken = false;
  await supertest(app).get("/readyz").expect(200);
});

test("metrics count by pattern, so a secret in a path is not among them", async () => {
  const http = makeHttp({ trustedProxyHops: 0, clock });
  http.routes.get("/hook/:secret", (_request, response) => {
    response.json({});
  });
  await supertest(http.app).get("/hook/s3cret").expect(200);
  const { text } = await supertest(http.app).get("/metrics").expect(200);
  expect(text).toContain('route="/hook/:secret"');
  expect(text).not.toContain("s3cret");
});

test("a server that closes ends what runs and then takes nothing more", async () => {
  const http = makeHttp({ trustedProxyHops: 0, clock });
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  http.routes.get("/slow", async (_request, response) => {
    arrive();
    await released;
    response.json({ done: true });
  });
  const { port } = await http.listen({ port: 0, host: "127.0.0.1" });
  const slow = fetch(`http://127.0.0.1:${port}/slow`);
  await arrived;
  const closed = http.close();
  release();
  expect(await (await slow).json()).toEqual({ done: true });
  await closed;
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow("fetch failed");
});

test("a taken port is told as it is", async () => {
  const [first, second] = [makeHttp({ trustedProxyHops: 0, clock }), makeHttp({ trustedProxyHops: 0, clock })];
  const { port } = await first.listen({ port: 0, host: "127.0.0.1" });
  await expect(second.listen({ port, host: "127.0.0.1" })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await first.close();
});

test("a request that comes in too slowly is ended, except where a door allows it more time", async () => {
  const http = makeHttp({ trustedProxyHops: 0, clock, receivingTimeoutMs: 50 });
  const read = async (request: express.Request): Promise<number> => {
    let bytes = 0;
    for await (const piece of request) bytes += (piece as Uint8Array).length;
    return bytes;
  };
  http.routes.post("/usual", async (request, response) => {
    response.json({ bytes: await read(request) });
  });
  http.routes.post("/large", async (request, response) => {
    http.allowSlow(request, 60_000);
    response.json({ bytes: await read(request) });
  });
  const { port } = await http.listen({ port: 0, host: "127.0.0.1" });
  /** Sends half, and the rest when `ready` says so. */
  const post = async (path: string, ready: Promise<unknown>): Promise<Response> => {
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from("half"));
        await ready;
        controller.enqueue(Buffer.from("half"));
        controller.close();
      },
    });
    return await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body, duplex: "half" } as RequestInit);
  };
  const usual = post("/usual", new Promise(() => undefined));
  const large = post("/large", usual);
  expect((await usual).status).toBe(408);
  expect(await (await large).json()).toEqual({ bytes: 8 });
  await http.close();
});
