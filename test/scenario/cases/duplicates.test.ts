import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, expect, test } from "vitest";
import type { OutgoingDelivery } from "../../../simulators/rail/face.ts";
import { useRails } from "../../support/rails.ts";
import { c2bBody, postC2b, type Household } from "../../support/village.ts";
import { auditBooks } from "../books-audit.ts";

const held: { gate: Promise<void>; seen: () => void } = { gate: Promise.resolve(), seen: () => undefined };
/** Stands before M-Pesa and holds its answers back, as a slow network does; what was asked is done all the same. */
const slowLine = await startSlowLine();
const world = useRails({ channels: ["mpesa-ke"], settings: { "mpesa-ke": { baseUrl: slowLine.url } } });

afterEach(() => auditBooks(world.current));
afterAll(() => void slowLine.server.close());

/** A prompt that was paid: its two notices, which M-Pesa has not sent yet. */
async function paidPrompt(home: Household): Promise<{ stk: OutgoingDelivery; copy: OutgoingDelivery }> {
  const { simulator, ask, promptOf, lost } = world.current;
  slowLine.target = simulator.baseUrl("mpesa-ke");
  const intent = await ask(home, { channel: "mpesa-ke", amountMinor: 5_000n });
  simulator.failNext("mpesa-ke", "drop", 2);
  simulator.decide({ channel: "mpesa-ke", id: promptOf(intent).id }, {});
  const [stk, copy] = lost("mpesa-ke").slice(-2);
  if (stk === undefined || copy === undefined) throw new Error("M-Pesa tells of a paid prompt twice.");
  return { stk, copy };
}

test("case 1: the same confirmation twice, at once", async () => {
  const place = world.current;
  const home = await place.household("mpesa-ke");
  const body = c2bBody(place, { account: home.accountNumber, amount: "50" });
  const answers = await Promise.all([postC2b(place, body), postC2b(place, body)]);
  expect(answers).toEqual([STORED, STORED]);
  expect(await place.settle()).toBe(1);
  expect(await postC2b(place, body)).toEqual(STORED);
  expect(await place.settle()).toBe(0);
  await expectPaidOnce(home);
});

test("case 2: STK callback and C2B copy of one payment", async () => {
  const place = world.current;
  for (const order of ["callback first", "copy first", "both at once"] as const) {
    const home = await place.household("mpesa-ke");
    const { stk, copy } = await paidPrompt(home);
    const told = order === "copy first" ? [copy, stk] : [stk, copy];
    const answers: { status: number }[] = [];
    if (order === "both at once") answers.push(...(await Promise.all(told.map((one) => place.post(one)))));
    else
      for (const one of told) {
        answers.push(await place.post(one));
        await place.work();
      }
    await place.work();
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await expectPaidOnce(home);
    const [request, ...others] = await place.app.intents.list(place.app.database.db, {
      reference: home.accountNumber,
      limit: 5,
    });
    expect([order, request?.state, others]).toEqual([order, "completed", []]);
    expect(JSON.parse(copy.body)).toMatchObject({ TransID: request?.providerId });
  }
});

test("case 3: C2B arrives before the STK response is saved", async () => {
  const place = world.current;
  const { simulator, app } = place;
  const home = await place.household("mpesa-ke");
  slowLine.target = simulator.baseUrl("mpesa-ke");
  await place.work();
  const { seen, release } = holdAnswers("/mpesa/stkpush/v1/processrequest");
  const asking = place.ask(home, { channel: "mpesa-ke", amountMinor: 5_000n });
  await seen;
  // The phone has shown the prompt, the payer has paid, and the program does not know yet how M-Pesa calls its request.
  const [prompt] = simulator.prompts("mpesa-ke");
  simulator.failNext("mpesa-ke", "drop", 2);
  simulator.decide({ channel: "mpesa-ke", id: prompt?.id ?? "" }, {});
  const [stk, copy] = place.lost("mpesa-ke").slice(-2);
  if (stk === undefined || copy === undefined) throw new Error("M-Pesa tells of a paid prompt twice.");
  expect(await place.post(copy)).toMatchObject({ status: 200 });
  expect(await place.settle()).toBe(1);
  await expectPaidOnce(home);
  release();
  const intent = await asking;
  expect(intent).toMatchObject({
    state: "completed",
    providerId: prompt?.id,
    providerCorrelation: prompt?.providerCorrelation,
  });
  expect(await place.post(stk)).toMatchObject({ status: 200 });
  await place.work();
  await expectPaidOnce(home);
  expect(await app.intents.list(app.database.db, { reference: home.accountNumber, limit: 5 })).toHaveLength(1);
});

const STORED = { status: 200, answer: { ResultCode: 0, ResultDesc: "Success" } };

/** One posting, one token, one SMS. */
async function expectPaidOnce(home: Household): Promise<void> {
  const place = world.current;
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
  expect(await place.receiptsOf(home)).toMatchObject([{ amount: { minor: 5_000n } }]);
  expect(await home.tokens()).toHaveLength(1);
  expect((await home.messages()).map(({ template }) => template)).toEqual(["token_received"]);
}

/** From now on the answer to this path waits until it is released; `seen` ends when M-Pesa has acted. */
function holdAnswers(path: string): { seen: Promise<void>; release: () => void } {
  let release: () => void = () => undefined;
  slowLine.holding = path;
  held.gate = new Promise((resolve) => {
    release = resolve;
  });
  const seen = new Promise<void>((resolve) => {
    held.seen = resolve;
  });
  return {
    seen,
    release() {
      slowLine.holding = undefined;
      release();
    },
  };
}

async function startSlowLine(): Promise<{
  url: string;
  server: Server;
  target: string;
  holding: string | undefined;
}> {
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url: path = "/", headers } = request;
    const chunks: Buffer[] = [];
    for await (const piece of request) chunks.push(piece as Buffer);
    const passed = Object.entries(headers).filter(([name]) => /^(authorization|content-type)$/.test(name));
    const answer = await fetch(`${line.target}${path}`, {
      method,
      headers: Object.fromEntries(passed.map(([name, value]) => [name, String(value)])),
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    });
    const text = await answer.text();
    if (path === line.holding) {
      held.seen();
      await held.gate;
    }
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
    response.end(text);
  }
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const line = { url, server, target: url, holding: undefined as string | undefined };
  return line;
}
