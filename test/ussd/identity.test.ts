import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { sql } from "drizzle-orm";
import { afterAll, describe, expect, test } from "vitest";
import { DAY_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import { CONTRACT_ACTS_A_DAY, HOPS_A_MINUTE, SESSIONS_AN_HOUR } from "../../src/ussd/limits.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, pay } from "../support/village.ts";
import { makeDialler } from "./dial.ts";

/** A mobile network that knows of a few cards that are new, over the HTTP of its SIM Swap API. */
const swapped = new Set<string>();
const asked: { headers: IncomingHttpHeaders; body: { phoneNumber: string; maxAge: number } }[] = [];
let isDown = false;
const network = createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += String(piece)));
  request.on("end", () => {
    const question = JSON.parse(body) as { phoneNumber: string; maxAge: number };
    asked.push({ headers: request.headers, body: question });
    response.statusCode = isDown ? 503 : 200;
    response.end(JSON.stringify({ swapped: swapped.has(question.phoneNumber) }));
  });
}).listen(0, "127.0.0.1");
await once(network, "listening");
afterAll(() => network.close());

const program = useApp({
  env: {
    WASHA_SIM_SWAP_URL: `http://127.0.0.1:${String((network.address() as AddressInfo).port)}/sim-swap/v1/`,
    WASHA_SIM_SWAP_TOKEN: "token-of-the-network",
  },
  outbound: { pauses: { firstMs: 1, longestMs: 5 } },
});
const dial = makeDialler(program);
const db = () => program.current.app.database.db;

const PIN = "2580";
/** From a customer's first screen to the PIN: see more, change settings, change PIN. */
const TO_PIN = ["5", "5", "3"] as const;

async function customerWithPin() {
  const home = await makeHousehold(program.current);
  const call = dial(home.phone);
  await call.open();
  expect(await call.saysAll(...TO_PIN, PIN)).toMatch(/^END Your PIN is set/);
  return home;
}

async function guessFrom(phone: string, account: string, pin: string): Promise<string> {
  const call = dial(phone);
  await call.open();
  return await call.saysAll("2", account, pin);
}

describe("guesses from strange phones", () => {
  test("never lock the owner out of the own phone, however many they are and wherever they come from", async () => {
    const home = await customerWithPin();
    for (let stranger = 0; stranger < 4; stranger++)
      for (let guess = 0; guess < 5; guess++)
        await guessFrom(`+25473300${String(stranger).padStart(4, "0")}`, home.accountNumber, `7${String(guess)}31`);
    // Strangers are shut out until tomorrow, even one who knows it.
    expect(await guessFrom("+254733009999", home.accountNumber, PIN)).toMatch(/^END Too many wrong PINs/);
    const own = dial(home.phone);
    await own.open();
    expect(await own.saysAll(...TO_PIN, PIN)).toMatch(/^CON Choose a PIN/);
    program.current.clock.advance(DAY_MS);
    expect(await guessFrom("+254733009999", home.accountNumber, PIN)).toMatch(/^CON Welcome Asha/);
  });

  test("shut the door for one phone after five, while another that knows the PIN comes in", async () => {
    const home = await customerWithPin();
    for (let guess = 0; guess < 4; guess++)
      expect(await guessFrom("+254733111111", home.accountNumber, `7${String(guess)}31`)).toMatch(
        /^END That PIN is wrong/,
      );
    expect(await guessFrom("+254733111111", home.accountNumber, "7431")).toMatch(/^END Too many/);
    expect(await guessFrom("+254733111111", home.accountNumber, PIN)).toMatch(/^END Too many/);
    expect(await guessFrom("+254733222222", home.accountNumber, PIN)).toMatch(/^CON Welcome Asha/);
  });

  test("find locked what the owner's own phone has locked", async () => {
    const home = await customerWithPin();
    const call = dial(home.phone);
    await call.open();
    await call.saysAll(...TO_PIN, "7031", "7131", "7231", "7331", "7431");
    expect(await guessFrom("+254733333333", home.accountNumber, PIN)).toMatch(/^END Too many/);
  });
});

describe("a SIM card that is new", () => {
  test("chooses no PIN: the caller is told kindly, and somebody rings up", async () => {
    const home = await makeHousehold(program.current);
    swapped.add(home.phone);
    const call = dial(home.phone);
    await call.open();
    const told = await call.saysAll(...TO_PIN, PIN);
    expect(told).toMatch(/^END The SIM card of this number is new/);
    expect(await call.hop(call.text)).toBe(told);
    const wishes = await db().execute(sql`select kind, category, area from ussd.wishes where phone = ${home.phone}`);
    expect([...wishes]).toEqual([{ kind: "call", category: "sim_swap", area: "kitui" }]);
    const next = dial(home.phone);
    await next.open();
    expect(await next.saysAll(...TO_PIN)).toMatch(/^CON Choose a PIN/);
  });

  test("is asked for where it matters alone, with the network's token, and once in a while", async () => {
    const home = await makeHousehold(program.current);
    const before = asked.length;
    const call = dial(home.phone);
    await call.open();
    await call.saysAll(...TO_PIN);
    expect(asked).toHaveLength(before);
    expect(await call.says(PIN)).toMatch(/^END Your PIN is set/);
    expect(asked).toHaveLength(before + 1);
    expect(asked.at(-1)).toMatchObject({
      headers: { authorization: "Bearer token-of-the-network" },
      body: { phoneNumber: home.phone },
    });
    const changing = dial(home.phone);
    await changing.open();
    expect(await changing.saysAll(...TO_PIN, PIN, "3691")).toMatch(/^END Your PIN is set/);
    expect(asked).toHaveLength(before + 1);
  });

  test("stays unknown while the network does not answer, and nobody waits for it", async () => {
    const home = await makeHousehold(program.current);
    isDown = true;
    const call = dial(home.phone);
    await call.open();
    expect(await call.saysAll(...TO_PIN, PIN)).toMatch(/^END Your PIN is set/);
    isDown = false;
  });
});

describe("who goes too far is told kindly, and others are not disturbed", () => {
  test("a session of more hops than anybody types in a minute ends", async () => {
    const home = await makeHousehold(program.current);
    const call = dial(home.phone);
    let screen = await call.open();
    let text = "";
    for (let hop = 1; hop < HOPS_A_MINUTE + 1; hop++) {
      text = text === "" ? "8" : `${text}*8`;
      screen = await call.hop(text);
    }
    expect(screen).toMatch(/^END That was often enough for now/);
    expect(await dial(home.phone).open()).toMatch(/^CON Welcome Asha/);
  });

  test("a number that dials on and on hears so until the hour is over", async () => {
    const home = await makeHousehold(program.current);
    for (let call = 0; call < SESSIONS_AN_HOUR; call++) expect(await dial(home.phone).open()).toMatch(/^CON/);
    expect(await dial(home.phone).open()).toMatch(/^END That was often enough for now/);
    program.current.clock.advance(60 * MINUTE_MS);
    expect(await dial(home.phone).open()).toMatch(/^CON/);
  });

  test("so much is done with one contract in a day, whoever does it", async () => {
    const home = await makeHousehold(program.current);
    const quote = async () => await dial(home.phone, { tail: "5*2" }).open();
    for (let act = 0; act < CONTRACT_ACTS_A_DAY; act++) expect(await quote()).toMatch(/^CON Pay KES/);
    expect(await quote()).toMatch(/^END That was often enough for now/);
  });
});

describe("all at once", () => {
  test("what is quoted is kept, and paid in time it is the final unlock", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "150" });
    const quote = async () => await dial(home.phone, { tail: "5*2" }).open();
    const first = await quote();
    expect(first).toMatch(/^CON Pay KES 4,850 until Mar \d+ and PG-\d+ is yours for ever/);
    program.current.clock.advance(60 * MINUTE_MS);
    expect(await quote()).toBe(first);
    const kept = await db().execute<{ amount: string }>(sql`
      select amount_minor as amount from ussd.pay_off_quotes where contract_id = ${home.contract.id}::uuid`);
    expect([...kept]).toEqual([{ amount: "485000" }]);
    await pay(program.current, { account: home.accountNumber, amount: "4850" });
    expect(await home.refreshed()).toMatchObject({ state: "paid_off" });
    for (const token of await home.tokens()) home.lamp.enter(token);
    expect((await home.messages()).at(-1)?.template).toBe("unlocked");
    expect(await quote()).toMatch(/^END There is nothing left to pay/);
    expect(home.lamp.face().daysLeft).toBe("unlimited");
  });

  test("a quote that ran out is said to have run out, and another is given", async () => {
    const home = await makeHousehold(program.current);
    const quote = async () => await dial(home.phone, { tail: "5*2" }).open();
    expect(await quote()).toMatch(/^CON Pay KES 5,000 until/);
    program.current.clock.advance(2 * DAY_MS);
    expect(await quote()).toMatch(/^CON Your last quote has run out\.\nPay KES 5,000 until/);
    expect(await quote()).toMatch(/^CON Pay KES 5,000 until/);
  });
});
