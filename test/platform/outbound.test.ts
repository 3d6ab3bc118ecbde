import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSocketServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test, vi } from "vitest";
import { makeManualClock } from "../../src/kernel/time.ts";
import { ANSWER_BYTES_MAX } from "../../src/platform/outbound-exchange.ts";
import { makeOutboundHttp, type OutboundSettings } from "../../src/platform/outbound-http.ts";
import { NoAnswer, NotSent } from "../../src/platform/outbound.ts";

const SHORT_PAUSES = { firstMs: 1, longestMs: 5 };
const safeGet = { method: "GET", url: "/status", repeat: "safe" } as const;
const oncePost = { method: "POST", url: "/pay", repeat: "once", body: "{}" } as const;

async function serve(answer: RequestListener): Promise<{ baseUrl: string; stop: () => void }> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return { baseUrl, stop: () => server.close() };
}

/** Answers in turn; the last one for ever. Counts what came. */
async function serveInTurn(
  ...answers: RequestListener[]
): Promise<{ baseUrl: string; asked: () => number; stop: () => void }> {
  let asked = 0;
  const { baseUrl, stop } = await serve((request, response) => {
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    request.resume();
    answer?.(request, response);
  });
  return { baseUrl, asked: () => asked, stop };
}

/** A port that nobody listens at any more. */
async function deadPort(): Promise<number> {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const saying =
  (status: number, body = "", headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
const hangUp: RequestListener = (request) => request.socket.resetAndDestroy();
const silence: RequestListener = () => undefined;

const outbound = (baseUrl: string, settings: Partial<OutboundSettings> = {}) =>
  makeOutboundHttp({ baseUrl, pauses: SHORT_PAUSES, timeoutMs: 2_000, ...settings });

test("what is sent arrives as it was written, below the base address, and the answer comes back whole", async () => {
  const seen: Record<string, unknown> = {};
  const { baseUrl } = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      Object.assign(seen, { method: request.method, url: request.url, key: request.headers["x-key"] });
      seen["body"] = Buffer.concat(chunks).toString();
      response.writeHead(202, { "X-Answer": "yes", "content-encoding": "gzip" }).end(gzipSync('{"né":1}'));
    });
  });
  const answer = await outbound(`${baseUrl}/v1/`).send({
    method: "PUT",
    url: "/pay?x=1",
    headers: { "X-Key": "k" },
    body: new TextEncoder().encode("é"),
    repeat: "once",
  });
  expect(seen).toEqual({ method: "PUT", url: "/v1/pay?x=1", key: "k", body: "é" });
  expect(answer).toMatchObject({ status: 202, text: '{"né":1}' });
  expect(answer.headers["x-answer"]).toBe("yes");
});

test("an absolute address leaves the base alone", async () => {
  const { baseUrl, asked } = await serveInTurn(saying(200));
  await outbound("http://base.invalid").send({ ...safeGet, url: `${baseUrl}/elsewhere` });
  expect(asked()).toBe(1);
});

test.each([
  ["a refused connection", async () => `http://127.0.0.1:${String(await deadPort())}`],
  ["a name with several addresses that all refuse", async () => `http://localhost:${String(await deadPort())}`],
  ["an unknown host", async () => "http://nobody.invalid"],
])("%s was certainly not sent, after its attempts", async (_promise, findBaseUrl) => {
  const outcomes: string[] = [];
  const http = outbound(await findBaseUrl(), {
    retriesMax: 1,
    observer: { attempted: ({ outcome }) => outcomes.push(outcome) },
  });
  await expect(http.send(oncePost)).rejects.toBeInstanceOf(NotSent);
  expect(outcomes).toEqual(["not_sent", "not_sent"]);
});

test.each<[string, RequestListener]>([
  ["a server that never answers", silence],
  ["a connection reset after the request", hangUp],
  ["a connection closed without an answer", (request) => request.socket.end()],
  ["an answer whose body stops half way", (_request, response) => response.writeHead(200).write("{")],
  [
    "an answer shorter than it promised",
    (_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("{");
      response.destroy();
    },
  ],
  ["an answer that cannot be unpacked", saying(200, "not gzip", { "content-encoding": "gzip" })],
  ["an answer longer than any provider's", saying(200, "x".repeat(ANSWER_BYTES_MAX + 1))],
])("%s leaves open whether it was acted upon, and a payment request is not sent again", async (_promise, answer) => {
  const { baseUrl, asked } = await serveInTurn(answer);
  const sending = outbound(baseUrl, { timeoutMs: 250 }).send(oncePost);
  await expect(sending).rejects.toBeInstanceOf(NoAnswer);
  await expect(sending).rejects.not.toThrow("/pay");
  // Not at all, where the machine is so busy that the time limit passed before.
  expect(asked()).toBeLessThanOrEqual(1);
});

test("a server that speaks something else than HTTP gave no answer", async () => {
  const server = createSocketServer((socket: Socket) => {
    socket.on("error", () => undefined);
    socket.end("SSH-2.0-nobody\r\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  await expect(outbound(baseUrl).send(oncePost)).rejects.toBeInstanceOf(NoAnswer);
});

test.each<[string, RequestListener]>([
  ["no answer", hangUp],
  ["too many requests", saying(429)],
  ["a gateway without its server", saying(502)],
  ["a server that is busy", saying(503, "busy", { "retry-after": "0" })],
  ["a gateway that waited too long", saying(504)],
])("a harmless question is asked again after %s", async (_promise, trouble) => {
  const { baseUrl, asked } = await serveInTurn(trouble, trouble, saying(200, "here"));
  const answer = await outbound(baseUrl, { retriesMax: 2 }).send(safeGet);
  expect([answer.text, asked()]).toEqual(["here", 3]);
});

test("when its attempts are used up the last answer is the caller's", async () => {
  const { baseUrl, asked } = await serveInTurn(saying(503, "still busy"));
  const answer = await outbound(baseUrl, { retriesMax: 2 }).send(safeGet);
  expect([answer.status, answer.text, asked()]).toEqual([503, "still busy", 3]);
});

test.each<[string, RequestListener]>([
  ["an attempt without an answer", hangUp],
  ["an attempt that a gateway answered", saying(502, "", { connection: "close" })],
])("after %s nobody may say that the request was not sent, even if the next attempt is", async (_promise, first) => {
  const { baseUrl, stop } = await serveInTurn((request, response) => {
    stop();
    first(request, response);
  });
  await expect(outbound(baseUrl).send({ ...oncePost, repeat: "safe" })).rejects.toBeInstanceOf(NoAnswer);
});

test("after being told to slow down, and then not reaching anybody, it was certainly not done", async () => {
  const { baseUrl, stop } = await serveInTurn((request, response) => {
    stop();
    saying(429, "", { connection: "close" })(request, response);
  });
  await expect(outbound(baseUrl).send({ ...oncePost, repeat: "safe" })).rejects.toBeInstanceOf(NotSent);
});

test.each([301, 302, 307, 308, 400, 401, 404, 409, 500, 501])(
  "%i is an answer: nobody asks again or follows it",
  async (status) => {
    const { baseUrl, asked } = await serveInTurn(saying(status, "{}", { location: "/elsewhere" }), saying(200));
    const answer = await outbound(baseUrl).send(safeGet);
    expect([answer.status, asked()]).toEqual([status, 1]);
  },
);

test.each([429, 500, 502, 503, 504])("a payment request that was answered %i is not sent again", async (status) => {
  const { baseUrl, asked } = await serveInTurn(saying(status), saying(200));
  expect((await outbound(baseUrl).send(oncePost)).status).toBe(status);
  expect(asked()).toBe(1);
});

test("who is asked to come back much later gets that answer instead of waiting", async () => {
  const clock = makeManualClock(new Date("2026-11-20T09:00:00Z"));
  const { baseUrl, asked } = await serveInTurn(
    saying(429, "", { "retry-after": "3600" }),
    saying(503, "", { "retry-after": "Fri, 20 Nov 2026 10:00:00 GMT" }),
    // Already past: at once.
    saying(503, "", { "retry-after": "Fri, 20 Nov 2026 08:00:00 GMT" }),
    saying(200),
  );
  const http = outbound(baseUrl, { clock });
  expect((await http.send(safeGet)).status).toBe(429);
  expect((await http.send(safeGet)).status).toBe(503);
  expect((await http.send(safeGet)).status).toBe(200);
  expect(asked()).toBe(4);
});

test("a provider that is down is left in peace, probed by one request after a pause, and used again when it is back", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-20T09:00:00Z") });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const states: string[] = [];
  const { baseUrl, asked } = await serveInTurn(saying(503), hangUp, saying(500, "<html>"), hangUp, saying(200));
  const http = outbound(baseUrl, {
    breaker: { failuresMax: 3, pauseMs: 1_000 },
    observer: { circuit: (state) => states.push(state) },
  });
  expect((await http.send(oncePost)).status).toBe(503);
  await expect(http.send(oncePost)).rejects.toBeInstanceOf(NoAnswer);
  expect((await http.send(oncePost)).status).toBe(500);
  await expect(http.send(oncePost)).rejects.toBeInstanceOf(NotSent);
  await expect(http.send(safeGet)).rejects.toBeInstanceOf(NotSent);
  expect(asked()).toBe(3);

  vi.setSystemTime(Date.now() + 1_001);
  const probe = http.send(oncePost);
  const second = http.send(oncePost);
  await expect(probe).rejects.toBeInstanceOf(NoAnswer);
  await expect(second).rejects.toBeInstanceOf(NotSent);
  expect(asked()).toBe(4);

  vi.setSystemTime(Date.now() + 1_001);
  expect((await http.send(oncePost)).status).toBe(200);
  expect((await http.send(oncePost)).status).toBe(200);
  expect(states).toEqual(["open", "half_open", "open", "half_open", "closed"]);
});

test("one provider's open circuit is not another's", async () => {
  const { baseUrl } = await serveInTurn(saying(200));
  const down = outbound(`http://127.0.0.1:${String(await deadPort())}`, { breaker: { failuresMax: 1 }, retriesMax: 0 });
  await expect(down.send(oncePost)).rejects.toBeInstanceOf(NotSent);
  await expect(down.send(oncePost)).rejects.toThrow("circuit");
  expect((await outbound(baseUrl).send(oncePost)).status).toBe(200);
});

test("a provider that says 500 in its own words, again and again, is still asked", async () => {
  const { baseUrl, asked } = await serveInTurn(saying(500, '{"errorCode":"500.001.1001"}'));
  const http = outbound(baseUrl, { breaker: { failuresMax: 1 } });
  for (let time = 0; time < 3; time += 1) expect((await http.send(safeGet)).status).toBe(500);
  expect(asked()).toBe(3);
});

test("above the provider's rate requests wait for their turn, and who would wait too long is not sent", async () => {
  const { baseUrl, asked } = await serveInTurn(saying(200));
  const http = outbound(baseUrl, { rate: { requests: 2, perMs: 60_000, waitMaxMs: 60_000 } });
  // A minute that never passes: the third and the fourth wait in it.
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
  const [first, second, , , fifth] = Array.from({ length: 5 }, () => http.send(safeGet));
  const refused = fifth?.catch((error: unknown) => error);
  expect(await refused).toBeInstanceOf(NotSent);
  vi.useRealTimers();
  await Promise.all([first, second]);
  expect(asked()).toBe(2);
});

test("a request that cannot be written is our mistake, not the provider's trouble", async () => {
  const http = outbound("http://127.0.0.1:1", { breaker: { failuresMax: 1 } });
  const broken = http.send({ ...oncePost, headers: { "x-key": "line\nbreak" } });
  await expect(broken).rejects.toBeInstanceOf(TypeError);
});
