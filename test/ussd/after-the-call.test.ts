import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { DAY_MS, MINUTE_MS, parseLocalDate } from "../../src/kernel/time.ts";
import { makeTalkSweep } from "../../src/ussd/talk.jobs.ts";
import { TEST_USSD_SECRET, useApp } from "../support/app.ts";
import { makeHousehold, pay } from "../support/village.ts";

const program = useApp();
const db = () => program.current.app.database.db;
const today = parseLocalDate("2026-03-02");

let sessions = 0;

async function post(path: string, fields: Record<string, string>): Promise<Response> {
  return await fetch(`${program.current.url}/ussd/africastalking/${TEST_USSD_SECRET}${path}`, {
    method: "POST",
    body: new URLSearchParams(fields),
  });
}

/** Somebody calls; answers what the phone shows after each hop, the texts given as a gateway joins them. */
function call(phoneNumber: string) {
  const sessionId = `ATUid_after_${String((sessions += 1))}`;
  return {
    sessionId,
    async hop(text: string): Promise<string> {
      const response = await post("", { sessionId, phoneNumber, text });
      program.current.clock.advance(3_000);
      return await response.text();
    },
    end: (status: string, more: Record<string, string> = {}) =>
      post("/end", { sessionId, phoneNumber, status, durationInMillis: "31230", ...more }),
  };
}

const sweep = () =>
  makeTalkSweep({
    database: program.current.app.database,
    clock: program.current.clock,
    zone: "Africa/Nairobi",
    heardKeptDays: 180,
  });

async function sessionRow(sessionId: string) {
  const [row] = await db().execute<{ outcome: string | null; gateway_status: string | null; duration_ms: number }>(
    sql`select outcome, gateway_status, duration_ms from ussd.sessions where key = ${sessionId}`,
  );
  return row;
}

describe("a call that died", () => {
  test("is offered to be gone on with, and goes on where it was", async () => {
    const { phone, accountNumber } = await makeHousehold(program.current);
    const first = call(phone);
    await first.hop("");
    await first.hop("1");
    const confirm = await first.hop("1*50");
    const second = call(phone);
    expect(await second.hop("")).toBe(
      "CON You were in the middle of something.\n1. Go on with paying\n2. Start anew\n0 Back",
    );
    expect(await second.hop("1")).toBe(confirm);
    expect(confirm).toContain(accountNumber);
  });

  test("is not offered to whoever dials by heart, begins anew, calls after a quarter of an hour, or calls from another phone", async () => {
    const { phone } = await makeHousehold(program.current);
    const neighbour = await makeHousehold(program.current);
    const leave = async (): Promise<void> => {
      const dying = call(phone);
      await dying.hop("");
      await dying.hop("4");
    };
    await leave();
    expect(await call(phone).hop("5")).toMatch(/^CON More\n/);
    expect(await call(neighbour.phone).hop("")).toMatch(/^CON Welcome Asha/);
    const anew = call(phone);
    expect(await anew.hop("")).toContain("Start anew");
    expect(await anew.hop("2")).toMatch(/^CON Welcome Asha/);
    await leave();
    program.current.clock.advance(15 * MINUTE_MS);
    expect(await call(phone).hop("")).toMatch(/^CON Welcome Asha/);
  });

  test("carries no proof over: whoever stood before a loan chooses it and gives the PIN again", async () => {
    const home = await makeHousehold(program.current);
    for (let paid = 0; paid < 3; paid++) await pay(program.current, { account: home.accountNumber, amount: "50" });
    program.current.clock.advance(3 * DAY_MS);
    const dying = call(home.phone);
    await dying.hop("");
    await dying.hop("5");
    await dying.hop("5*1");
    await dying.hop("5*1*1");
    expect(await dying.hop("5*1*1*2580")).toMatch(/^CON Borrow 1 day for KES 50\?/);
    const next = call(home.phone);
    expect(await next.hop("")).toContain("1. Go on with borrowing");
    expect(await next.hop("1")).toMatch(/^CON Borrow days/);
    expect(await next.hop("1*1")).toBe("CON Type your PIN of 4 digits.\n0 Back  00 Home");
  });
});

describe("the gateway's word on how a session ended", () => {
  test("counts once, ends what still ran, and nothing that was typed is kept", async () => {
    const { phone } = await makeHousehold(program.current);
    const dying = call(phone);
    await dying.hop("");
    const last = await dying.hop("4");
    const told = { input: "4*1*2580", lastAppResponse: "CON 123 456 789" };
    expect((await dying.end("Incomplete", told)).status).toBe(200);
    expect((await dying.end("Failed", told)).status).toBe(200);
    expect(await sessionRow(dying.sessionId)).toEqual({
      outcome: "abandoned",
      gateway_status: "incomplete",
      duration_ms: 31_230,
    });
    const [row] = await db().execute<{ text: string }>(
      sql`select s::text as text from ussd.sessions s where key = ${dying.sessionId}`,
    );
    expect(row?.text).not.toMatch(/2580|123 456/);
    // A hop that the network held back changes nothing any more.
    expect(await dying.hop("4*3")).toBe(last);
  });

  test("changes nothing of a conversation that came to its end", async () => {
    const { phone } = await makeHousehold(program.current);
    const done = call(phone);
    await done.hop("");
    await done.hop("2");
    await done.end("Success");
    expect(await sessionRow(done.sessionId)).toMatchObject({ outcome: "told", gateway_status: "success" });
  });

  test("of a session that nobody knows, in words that nobody knows, or without the secret is no trouble", async () => {
    const { phone } = await makeHousehold(program.current);
    expect((await call(phone).end("Success")).status).toBe(200);
    expect((await call(phone).end("Exploded")).status).toBe(400);
    expect((await call("nobody").end("Success")).status).toBe(400);
    const guessed = await fetch(`${program.current.url}/ussd/africastalking/guessed-guessed-guessed/end`, {
      method: "POST",
      body: new URLSearchParams({ sessionId: "a", phoneNumber: phone, status: "Success" }),
    });
    expect(guessed.status).toBe(404);
  });
});

describe("what is left of conversations", () => {
  test("is counted once by day, screen and outcome", async () => {
    await db().execute(sql`delete from ussd.sessions`);
    await db().execute(sql`delete from ussd.figures`);
    program.current.clock.moveTo(new Date("2026-03-02T06:00:00Z"));
    const { phone } = await makeHousehold(program.current);
    const told = call(phone);
    await told.hop("");
    await told.hop("2");
    await told.hop("2"); // the gateway again: nothing to count
    const left = call(phone);
    await left.hop("");
    await left.hop("4");
    await left.hop("4*3");
    program.current.clock.advance(5 * MINUTE_MS);
    const open = call(phone);
    await open.hop("4");
    await sweep().once();
    await sweep().once();
    const figures = await program.current.app.talkFigures.figures({ from: today, to: today });
    expect(figures).toMatchObject({
      sessions: 2,
      outcomes: expect.arrayContaining([
        { outcome: "told", sessions: 1 },
        { outcome: "abandoned", sessions: 1 },
      ]) as unknown,
      endings: expect.arrayContaining([
        { screen: "home", outcome: "told", sessions: 1 },
        { screen: "person", outcome: "abandoned", sessions: 1 },
      ]) as unknown,
      screens: expect.arrayContaining([
        { screen: "home", shown: 2, left: 0, completed: 1 },
        { screen: "help", shown: 1, left: 0, completed: 0 },
        { screen: "person", shown: 1, left: 1, completed: 0 },
      ]) as unknown,
      hops: [
        { hops: 2, sessions: 1 },
        { hops: 3, sessions: 1 },
      ],
      hopsMean: 2.5,
    });
    // Three hops came three seconds after the screen before them; of ours there are five.
    expect(figures.turns.filter(({ hops }) => hops > 0)).toEqual([{ belowMs: 5_000, hops: 3 }]);
    expect(figures.ours.reduce((sum, { hops }) => sum + hops, 0)).toBe(5);
    const chats = await program.current.app.talkFigures.figures({ from: today, to: today, channel: "sms" });
    expect(chats.sessions).toBe(0);
  });

  test("is forgotten after thirty days, and its figures stay", async () => {
    const { phone } = await makeHousehold(program.current);
    await call(phone).hop("2");
    await sweep().once();
    program.current.clock.advance(31 * DAY_MS);
    await sweep().once();
    const [row] = await db().execute<{ sessions: number; counts: number; figures: number }>(sql`
      select (select count(*) from ussd.sessions)::int as sessions, (select count(*) from ussd.counts)::int as counts,
        (select sum(sessions) from ussd.figures where measure = 'outcome')::int as figures`);
    expect(row).toMatchObject({ sessions: 0, counts: 0 });
    expect(row?.figures).toBeGreaterThan(0);
  });
});
