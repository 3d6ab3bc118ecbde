import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS } from "../../src/kernel/time.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { TEST_USSD_SECRET, useApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";
import { makeDialler } from "./dial.ts";

const program = useApp();
const db = () => program.current.app.database.db;

const dial = makeDialler(program);

async function swahiliHousehold(): Promise<Household> {
  const home = await makeHousehold(program.current);
  await db().execute(
    sql`update customers.customers set language = 'sw', name = 'Jane Wanjiru' where id = ${home.contract.customerId}::uuid`,
  );
  return home;
}

describe("a customer on a basic phone", () => {
  test("sees the days left in the first screen, in their language, and what is owed two keys later", async () => {
    const home = await swahiliHousehold();
    await pay(program.current, { account: home.accountNumber, amount: "150" });
    const call = dial(home.phone);
    expect(await call.open()).toBe(
      "CON Karibu Jane Wanjiru. Siku 3 zimebaki.\n1. Lipa\n2. Ona salio\n3. Pata tokeni tena\n4. Pata msaada\n5. Ona zaidi",
    );
    expect(await call.says("2")).toBe(
      `END ${home.accountNumber}: siku 3 zimebaki.\nDeni: KES 4,850.\nSiku 1 ni KES 50.`,
    );
  });

  test("gets there by one dialled string too, and never past what binds", async () => {
    const home = await swahiliHousehold();
    expect(await dial(home.phone, { tail: "2" }).open()).toMatch(/^END PG-/);
    const paying = await dial(home.phone, { tail: "1*50*1*1" }).open();
    expect(paying).toMatch(/^CON Lipa KES 50 kwa /);
    expect(await intents(home)).toEqual([]);
  });

  test("borrows a day with a PIN and reads the token, once, however often the gateway asks again", async () => {
    const home = await swahiliHousehold();
    for (let paid = 0; paid < 3; paid++) {
      await pay(program.current, { account: home.accountNumber, amount: "50" });
      home.lamp.enter((await home.tokens()).at(-1) ?? "");
      program.current.clock.advance(DAY_MS);
    }
    const call = dial(home.phone);
    await call.open();
    await call.says("5");
    expect(await call.says("1")).toContain("1. Kopa siku 1");
    expect(await call.says("2")).toMatch(/^CON Chagua PIN/);
    expect(await call.says("1234")).toMatch(/zisifanane/);
    expect(await call.says("2580")).toContain("Kopa siku 2 kwa KES 100?");
    const done = await call.says("1");
    expect(done).toMatch(/^END PG-\d+ imekopeshwa siku 2\. Tokeni: [\d ]+$/);
    expect(await call.hop(call.text)).toBe(done);
    expect(await call.hop("")).toBe(done);
    expect(home.lamp.enter((done.split(": ").at(-1) ?? "").replaceAll(" ", "")).kind).toBe("VALID");
    expect(await home.tokens()).toHaveLength(4);
    expect(await home.refreshed()).toMatchObject({ debtMinor: 10_000n });
    await auditBooks(program.current);
    const [kept] = await db().execute<{ all: string }>(
      sql`select string_agg(concat_ws(' ', state, hops, encode(answer, 'escape')), ' ') as all from ussd.sessions`,
    );
    expect(kept?.all).not.toContain("2580");
    expect(kept?.all).not.toContain((await home.tokens()).at(-1));
  });

  test("reports a fault and follows it in the next call", async () => {
    const home = await swahiliHousehold();
    const call = dial(home.phone);
    await call.open();
    await call.says("4");
    await call.says("1");
    await call.says("1");
    const done = await call.says("Tangu jana usiku 🔦");
    expect(done).toMatch(/^END Asante\. Tumepokea ripoti R-\d+\./);
    const next = dial(home.phone, { tail: "4*2" });
    expect(await next.open()).toContain(/R-\d+/.exec(done)?.[0] ?? "nothing");
  });

  test("types letters that no phone has into a report, and it is kept without them", async () => {
    const home = await swahiliHousehold();
    const call = dial(home.phone, { tail: "4*1*5" });
    await call.open();
    expect(await call.says("taa \u0000 haiwaki \u{1f4a1}")).toMatch(/^END .*R-\d+/s);
    const [wish] = await db().execute<{ note: string }>(
      sql`select detail ->> 'note' as note from ussd.wishes where phone = ${home.phone}`,
    );
    expect(wish?.note).toBe("taa   haiwaki \u{1f4a1}");
  });

  test("changes the language for good", async () => {
    const home = await swahiliHousehold();
    const call = dial(home.phone, { tail: "5*5*1" });
    expect(await call.open()).toContain("3. Francais");
    expect(await call.says("3")).toMatch(/^CON Bonjour Jane/);
    expect(await dial(home.phone).open()).toMatch(/^CON Bonjour Jane/);
  });

  test("is locked out after five wrong PINs, and hears so", async () => {
    const home = await swahiliHousehold();
    const setting = dial(home.phone, { tail: "5*5*3" });
    await setting.open();
    expect(await setting.says("2580")).toMatch(/^END PIN yako imewekwa/);
    const thief = dial(home.phone, { tail: "5*5*3" });
    await thief.open();
    for (let guess = 0; guess < 4; guess++)
      expect(await thief.says(`00${String(guess)}7`)).toMatch(/^CON PIN hiyo si sahihi/);
    expect(await thief.says("0047")).toMatch(/^END PIN imekosewa/);
    const again = dial(home.phone, { tail: "5*5*3" });
    await again.open();
    expect(await again.says("2580")).toMatch(/^END PIN imekosewa/);
  });
});

describe("the door", () => {
  test("shows nobody another caller's screen, though the gateway used a session's name twice", async () => {
    const [one, other] = [await swahiliHousehold(), await makeHousehold(program.current)];
    const call = dial(one.phone);
    const first = await call.open();
    const response = await fetch(`${program.current.url}/ussd/africastalking/${TEST_USSD_SECRET}`, {
      method: "POST",
      body: new URLSearchParams({ sessionId: call.sessionId, phoneNumber: other.phone, text: "" }),
    });
    const second = await response.text();
    expect(first).toContain("Jane");
    expect(second).not.toContain("Jane");
  });

  test("answers a hop and its repetition at the same moment alike, and acts once", async () => {
    const home = await swahiliHousehold();
    const call = dial(home.phone);
    await call.open();
    await call.says("4");
    await call.says("3");
    program.current.clock.advance(3_000);
    const answers = await Promise.all(Array.from({ length: 5 }, () => call.hop("4*3*1")));
    expect(new Set(answers).size).toBe(1);
    const [row] = await db().execute<{ count: number }>(
      sql`select count(*)::int as count from ussd.wishes where phone = ${home.phone}`,
    );
    expect(row?.count).toBe(1);
  });

  test("refuses a wrong secret, what is no hop and a huge body, and goes on", async () => {
    const post = async (secret: string, body: string | URLSearchParams) =>
      (await fetch(`${program.current.url}/ussd/africastalking/${secret}`, { method: "POST", body })).status;
    expect(
      await post("guessed-guessed-guessed", new URLSearchParams({ sessionId: "a", phoneNumber: "+254711000111" })),
    ).toBe(404);
    expect(await post(TEST_USSD_SECRET, new URLSearchParams({ sessionId: "a" }))).toBe(400);
    expect(await post(TEST_USSD_SECRET, new URLSearchParams({ sessionId: "a", phoneNumber: "nobody" }))).toBe(400);
    expect(await post(TEST_USSD_SECRET, "text=".padEnd(10_000, "x"))).toBe(413);
    const emoji = new URLSearchParams({ sessionId: "e", phoneNumber: "+254711000111", text: "مرحبا 🔦\u0000" });
    expect(await post(TEST_USSD_SECRET, emoji)).toBe(200);
  });
});

async function intents(home: Household) {
  return await program.current.app.intents.list(db(), { reference: home.accountNumber, limit: 10 });
}
