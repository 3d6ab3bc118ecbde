import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { gzipSync } from "node:zlib";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runPhone } from "../../simulators/phone/terminal.ts";
import { startSmsGateway, type SmsGatewaySimulator } from "../../simulators/sms-gateway/sms-gateway.ts";
import type { Stage } from "../../simulators/stage/stage.ts";
import { ConfigRefused } from "../../src/config.ts";
import { openSimulator } from "../../src/simulator-rooms.ts";
import { TEST_SHORTCODE, useApp } from "../support/app.ts";
import { startTestStage, type TestStage } from "../support/stage.ts";

const ASHA = "+254712000101";
/** Has not called before: nothing is offered to go on with. */
const OTIENO = "+254712000105";
const program = useApp();
let folder = "";
let sms: SmsGatewaySimulator;
let world: TestStage;
let stage: Stage;

beforeAll(async () => {
  sms = await startSmsGateway();
  world = await startTestStage(program.current, { sms });
  ({ stage, folder } = world);
  const page = "<!doctype html><title>A page</title>";
  writeFileSync(join(folder, "index.html"), page);
  writeFileSync(join(folder, "index.html.gz"), gzipSync(page));
  openSimulator(program.current.app, { stage, pageFolder: folder });
});
afterAll(async () => {
  await world.stop();
  await sms.stop();
});

const api = (path: string): string => `${program.current.url}/simulator/api/${path}`;

async function look(path: string): Promise<unknown> {
  const response = await fetch(api(path));
  expect(response.status).toBe(200);
  return await response.json();
}

async function act(path: string, body: unknown): Promise<{ status: number; answer: unknown }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(api(path), { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, answer: await response.json() };
}

async function lastToken(): Promise<string> {
  const rows = await program.current.app.database.db.execute<{ digits: string }>(
    sql`select digits from devices.tokens order by issued_at desc, count desc limit 1`,
  );
  return rows[0]?.digits ?? "";
}

describe("somebody with a simulated phone", () => {
  test("is told who lives in the village, what to dial and where to pay", async () => {
    expect(await look("stage")).toMatchObject({
      serviceCode: "*384*123#",
      paybill: TEST_SHORTCODE,
      hearsSms: false,
      hasChat: false,
    });
    expect((await look("stage")) as object).toHaveProperty("people.0.phone", ASHA);
  });

  test("dials the program's own USSD door, goes on from screen to screen, and hangs up", async () => {
    const dialled = await act(`phones/${ASHA}/call`, { dial: "*384*123#" });
    expect(dialled.answer).toMatchObject({ isOpen: true, text: expect.stringMatching(/^Welcome Asha Mwende/) });
    expect((await act(`phones/${ASHA}/call`, { answer: "1" })).answer).toMatchObject({
      text: expect.stringContaining("Type the amount"),
    });
    expect((await act(`phones/${ASHA}/call`, { hangUp: true })).answer).toEqual({ text: "", isOpen: false });
    expect((await act(`phones/${ASHA}/call`, { answer: "1" })).answer).toMatchObject({ isOpen: false });
    expect((await act(`phones/${ASHA}/call`, { dial: "*384*123*2#" })).answer).toMatchObject({
      text: expect.stringMatching(/^PG-/),
    });
    expect((await act(`phones/${ASHA}/call`, { dial: "*100#" })).answer).toMatchObject({
      text: "Connection problem or invalid MMI code.",
    });
  });

  test("pays by hand, types the token, and the lamp lights; the story is told with postings that sum to zero", async () => {
    const [{ account, serial } = { account: "", serial: "" }] = stage.view().people;
    const wrong = await act(`phones/${ASHA}/payment`, { account: "PG-1", amount: "150" });
    expect(wrong.answer).toMatchObject({ isDone: false });
    expect((await act(`phones/${ASHA}/payment`, { account, amount: "150" })).answer).toMatchObject({ isDone: true });
    await program.current.settle();
    expect(await look(`lamps/${serial}`)).toMatchObject({ relayOn: false, isCovered: false });
    const keys = `*${await lastToken()}#`;
    expect((await act(`lamps/${serial}/keys`, { keys })).answer).toMatchObject({ relayOn: true, daysLeft: 3 });
    const hood = await stage.underHood(ASHA);
    expect(hood.payments).toMatchObject([{ amount: "KES 150.00" }]);
    expect(hood.story?.steps.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["callback", "receipt", "posting", "allocation", "token", "message"]),
    );
    expect(hood.device.tokenCount).toBe(stage.lamp(serial).count);
    expect((await act(`lamps/${serial}/clock`, { hours: 73 })).answer).toMatchObject({ relayOn: false, led: "red" });
    // The next start of the demonstration finds the lamp where it was left, its own time included.
    const [again] = (await world.settle()).households;
    expect([again?.lampClock.aheadMs, again?.lamp.face().relayOn]).toEqual([73 * 3_600_000, false]);
  });

  test("reads messages as the gateway has them, and cannot write while nobody reads", async () => {
    const body = new URLSearchParams({ username: "u", to: ASHA, message: "Karibu", from: "WASHA" });
    await fetch(`${sms.url}/version1/messaging`, { method: "POST", headers: { apikey: "simulator" }, body });
    expect(await look(`phones/${ASHA}`)).toMatchObject({
      messages: [{ direction: "in", with: "WASHA", text: "Karibu" }],
      prompts: [],
      chat: [],
    });
    expect((await act(`phones/${ASHA}/sms`, { text: "BALANCE" })).answer).toMatchObject({ isDone: false });
    expect((await act(`phones/${ASHA}/chat`, { text: "BALANCE" })).answer).toMatchObject({ isDone: false });
  });

  test.each([
    ["phones/+254700000000", undefined, 404],
    ["lamps/NOWHERE", undefined, 404],
    [`phones/${ASHA}/prompts/X`, { pin: "1234" }, 404],
    [`phones/${ASHA}/prompts/X`, { pin: "12" }, 400],
    [`phones/${ASHA}/call`, { dial: "" }, 400],
    [`phones/${ASHA}/call`, [], 400],
    [`phones/${ASHA}/payment`, { account: "PG-1", amount: "-5" }, 400],
    ["phones/+254700000000/chat", { text: "MENU" }, 404],
    ["phones/+254700000000/chat/read", {}, 404],
    [`phones/${ASHA}/chat`, { text: "" }, 400],
    [`phones/${ASHA}/chat`, { messageId: "X" }, 400],
    ["lamps/H60-100001/keys", { keys: "12a" }, 400],
    ["lamps/H60-100001/clock", { hours: -1 }, 400],
  ])("is refused kindly at %s with %j", async (path, body, status) => {
    const answered = body === undefined ? await fetch(api(path)) : await act(path, body);
    expect(answered.status).toBe(status);
  });

  test("opens a page that asks nothing of other hosts", async () => {
    const page = await fetch(`${program.current.url}/simulator`, { headers: { "accept-encoding": "identity" } });
    expect(await page.text()).toContain("<title>A page</title>");
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(page.headers.get("content-security-policy")).not.toMatch(/unsafe|http/);
    const packed = await fetch(`${program.current.url}/simulator`, { headers: { "accept-encoding": "gzip" } });
    expect([packed.headers.get("content-encoding"), await packed.text()]).toEqual([
      "gzip",
      expect.stringContaining("A page"),
    ]);
  });
});

test("a terminal is a phone too: it shows what came, dials, pays and works the lamp", async () => {
  const input = new PassThrough();
  const output = new PassThrough({ encoding: "utf8" });
  const over = runPhone({ number: OTIENO, url: program.current.url }, { input, output });
  input.end("*384*123#\n2\npay 50\nlamp 12345\nwait 1\nhang up\nsms BALANCE\nquit\n");
  expect(await over).toBe(0);
  const said = String(output.read());
  for (const text of [
    "Welcome Otieno Ochieng",
    "The call has ended.",
    "confirmed. KES 50",
    "Last: INVALID",
    "Nobody reads",
  ])
    expect(said).toContain(text);
});

test("a terminal says so when nothing runs, and when nobody has the number", async () => {
  const output = new PassThrough({ encoding: "utf8" });
  const terminal = { input: new PassThrough(), output };
  expect(await runPhone({ number: ASHA, url: "http://127.0.0.1:9" }, terminal)).toBe(1);
  expect(await runPhone({ number: "+254700000000", url: program.current.url }, terminal)).toBe(1);
  expect(String(output.read())).toMatch(/npm start[^]*Nobody there has \+254700000000/);
});

describe("where customers are real", () => {
  const production = useApp({ env: { NODE_ENV: "production" } });

  test("there is no simulated phone, and none can be opened", async () => {
    expect(() => openSimulator(production.current.app, { stage })).toThrow(ConfigRefused);
    for (const path of ["/simulator", "/simulator/api/stage", `/simulator/api/phones/${ASHA}`])
      expect((await fetch(`${production.current.url}${path}`)).status).toBe(404);
  });
});

describe("a program that only serves", () => {
  const serving = useApp();

  test("has no simulated phone outside production either", async () => {
    expect((await fetch(`${serving.current.url}/simulator`)).status).toBe(404);
  });

  test("says how to build the page where it was not built", async () => {
    openSimulator(serving.current.app, { stage, pageFolder: join(folder, "nothing") });
    const answer = await fetch(`${serving.current.url}/simulator`);
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("npm run build:web")]);
    expect((await fetch(`${serving.current.url}/healthz`)).status).toBe(200);
  });
});
