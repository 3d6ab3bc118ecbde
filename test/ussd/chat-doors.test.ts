import { readFileSync } from "node:fs";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { MINUTE_MS } from "../../src/kernel/time.ts";
import { sendMessage } from "../../src/messaging/messaging.jobs.ts";
import { hearSms } from "../../src/ussd/channels/hear-sms.ts";
import { hearTelegram } from "../../src/ussd/channels/hear-telegram.ts";
import { hearWhatsapp } from "../../src/ussd/channels/hear-whatsapp.ts";
import { signWhatsapp } from "../../src/ussd/channels/whatsapp.http.ts";
import { answerHeard } from "../../src/ussd/chats.jobs.ts";
import { heardIn, makeWriters, useChats, VERIFY_TOKEN, watchChat } from "../support/chats.ts";

const place = useChats();
const db = () => place.current.app.database.db;
const wa = () => place.current.chat.whatsapp;
const tg = () => place.current.chat.telegram;
const household = () => makeWriters(place.current);
const heard = (chat: string) => heardIn(place.current, chat);
const watch = (address: string) => watchChat(place.current, address);

async function counted(channel: string, outcome: string): Promise<number> {
  const page = await (await fetch(`${place.current.url}/metrics`)).text();
  const found = new RegExp(`^washa_chat_calls_total\\{channel="${channel}",outcome="${outcome}"\\} (\\d+)`, "m").exec(
    page,
  );
  return Number(found?.[1] ?? 0);
}

describe("the doors", () => {
  test("let no forger in, and count them", async () => {
    const home = await household();
    const forged = await counted("whatsapp", "forged");
    const update = wa().writes(home.digits, "menu");
    const post = async (headers: Record<string, string>, body = update.body): Promise<number> =>
      (await place.current.chat.post({ url: update.url, headers, body })).status;
    expect(await post({})).toBe(403);
    expect(await post({ "x-hub-signature-256": "sha256=" })).toBe(403);
    expect(await post({ "x-hub-signature-256": signWhatsapp("another-secret", Buffer.from(update.body)) })).toBe(403);
    expect(await post(update.headers, update.body.replace("menu", "MENU"))).toBe(403);
    expect(await counted("whatsapp", "forged")).toBe(forged + 4);
    const telegram = tg().writes("70000009", "menu");
    const wrong = { ...telegram, headers: { "x-telegram-bot-api-secret-token": "guessed-guessed-guessed" } };
    expect((await place.current.chat.post(wrong)).status).toBe(403);
    expect((await place.current.chat.post({ ...telegram, headers: {} })).status).toBe(403);
    const sms = await fetch(`${place.current.url}/messaging/africastalking/guessed-guessed-guessed/inbound`, {
      method: "POST",
      body: new URLSearchParams({ id: "1", from: home.phone, text: "menu" }),
    });
    expect(sms.status).toBe(404);
    expect(await heard(home.phone)).toEqual([]);
    expect(await heard("70000009")).toEqual([]);
  });

  test("take what is genuine and no news of ours without a word, and what is no JSON not at all", async () => {
    const post = async (body: string): Promise<number> =>
      (
        await place.current.chat.post({
          url: `${place.current.url}/messaging/whatsapp`,
          headers: { "x-hub-signature-256": signWhatsapp(place.current.chat.accounts.appSecret, Buffer.from(body)) },
          body,
        })
      ).status;
    const ignored = await counted("whatsapp", "ignored");
    for (const body of ["{}", "null", "[]", '{"object":"page","entry":[]}']) expect(await post(body)).toBe(200);
    const stranger = wa().update(
      { messages: [{ from: "254711000111", id: "w1", timestamp: "1", type: "text", text: { body: "x" } }] },
      "999",
    );
    await place.current.deliver(stranger);
    const nobody = wa().update({
      messages: [{ from: "1", id: "w2", timestamp: "1", type: "text" }, 7, null, { id: "" }],
    });
    await place.current.deliver(nobody);
    expect(await counted("whatsapp", "ignored")).toBe(ignored + 6);
    for (const body of ["", "{", "\ud800"]) expect(await post(body)).toBe(400);
    expect(await post(`"${"x".repeat(3_200_000)}"`)).toBe(413);
    expect(await place.current.deliverSms({ id: "n", from: "Safaricom", text: "x" })).toBe(200);
    expect(await place.current.deliverSms({ from: "+254711000111", text: "x" })).toBe(400);
  });

  test("a message that cannot be read does not hold up the others of its update", async () => {
    const home = await household();
    const see = watch(home.digits);
    const good = {
      from: home.digits,
      id: `wamid.${home.digits}`,
      timestamp: String(Math.floor(place.current.clock.now().getTime() / 1_000)),
      type: "text",
      text: { body: "menu" },
    };
    await place.current.deliver(wa().update({ messages: [{ broken: true }, good] }));
    await place.current.runJobs();
    expect(see()).toHaveLength(1);
  });

  test("shake hands with Meta alone", async () => {
    const shake = async (query: Record<string, string>) =>
      await fetch(`${place.current.url}/messaging/whatsapp?${new URLSearchParams(query).toString()}`);
    const asked = { "hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444" };
    const answer = await shake(asked);
    expect([answer.status, await answer.text()]).toEqual([200, "1158201444"]);
    expect((await shake({ ...asked, "hub.verify_token": "VT" })).status).toBe(403);
    expect((await shake({ ...asked, "hub.challenge": "<script>" })).status).toBe(403);
    expect((await shake({})).status).toBe(403);
  });

  test("a tapped button is answered in the same breath, as Telegram wants it", async () => {
    const text = await place.current.deliver(tg().taps("70000003", "1.1"));
    expect(JSON.parse(text)).toEqual({ method: "answerCallbackQuery", callback_query_id: expect.stringMatching(/^q/) });
  });

  test("news of a message only move it forward, in whatever order they come", async () => {
    const home = await household();
    await place.current.deliver(wa().writes(home.digits, "menu"));
    await place.current.runJobs();
    const sent = place.current.chat.shown(home.digits).at(-1)?.id ?? "";
    const state = async (): Promise<unknown> =>
      (await db().execute(sql`select state, failure from messaging.messages where provider_id = ${sent}`))[0];
    const news = async (status: string, code?: number): Promise<void> =>
      void (await place.current.deliver(
        wa().reports(home.digits, [{ id: sent, status, ...(code === undefined ? {} : { code }) }]),
      ));
    await news("delivered");
    expect(await state()).toMatchObject({ state: "delivered" });
    await news("read");
    await news("delivered");
    await news("sent");
    await news("failed", 131_047);
    await news("deleted");
    expect(await state()).toMatchObject({ state: "read" });
  });

  test("remember when somebody last wrote, which opens WhatsApp's day for free text", async () => {
    const home = await household();
    await place.current.deliver(wa().writes(home.digits, "menu"));
    const now = place.current.clock.now();
    place.current.clock.advance(-MINUTE_MS);
    await place.current.deliver(wa().writes(home.digits, "menu"));
    place.current.clock.advance(MINUTE_MS);
    const [window] = await db().execute<{ heard_at: string }>(
      sql`select heard_at from messaging.windows where channel = 'whatsapp' and address = ${home.phone}`,
    );
    expect(new Date(window?.heard_at ?? 0).getTime()).toBe(now.getTime() - (now.getTime() % 1_000));
  });
});

describe("answers whose gateway refuses", () => {
  test("outside the day are given up with the reason; a limit is waited for", async () => {
    const home = await household();
    await place.current.deliver(wa().writes(home.digits, "menu"));
    const [row] = await heard(home.phone);
    await answerHeard(place.current.app.chats, { payload: { heardId: row?.id } });
    const [message] = await db().execute<{ id: string }>(
      sql`select id from messaging.messages where address = ${home.phone}`,
    );
    const send = () => sendMessage(place.current.app.messaging, { payload: { messageId: message?.id } });
    place.current.chat.failNext("too_many_requests", "outside_window");
    await expect(send()).rejects.toThrow("130429");
    await send();
    const [kept] = await db().execute(
      sql`select state, failure from messaging.messages where id = ${message?.id ?? ""}::uuid`,
    );
    expect(kept).toEqual({ state: "refused", failure: "outside the 24-hour window" });
  });
});

describe("the samples of providers", () => {
  interface Sample {
    readonly request: {
      readonly body?: object;
      readonly rawBody?: string;
      readonly headers?: Record<string, string>;
      readonly url?: string;
    };
    readonly secret?: string;
  }
  const sample = (name: string): Sample =>
    JSON.parse(readFileSync(new URL(`./samples/${name}.json`, import.meta.url), "utf8")) as Sample;
  const readPhone = (text: string) => place.current.app.customers.parsePhone(text);
  const now = new Date("2026-11-20T10:00:00Z");

  test("an SMS, a list reply and its signature, news out of order, a card and a tap are read as they are meant", () => {
    const sms = sample("at-sms-inbound").request.body;
    expect(hearSms(sms, { readPhone, now })).toMatchObject({
      chat: "+254711000111",
      text: "SALIO",
      messageId: "SmsId_abc123",
    });

    const list = sample("whatsapp-inbound-list-reply");
    const raw = list.request.rawBody ?? "";
    expect(signWhatsapp(list.secret ?? "", Buffer.from(raw))).toBe(list.request.headers?.["X-Hub-Signature-256"]);
    const reading = { phoneId: "106540352242922", readPhone };
    expect(hearWhatsapp(JSON.parse(raw), reading)?.messages).toMatchObject([
      { kind: "choice", text: "menu:balance", chat: "+254711000111", at: new Date(1_795_169_584_000) },
    ]);

    const news = hearWhatsapp(sample("whatsapp-status-out-of-order").request.body, reading);
    expect(news?.reports.map(({ providerId, status, failure }) => [providerId, status, failure])).toEqual([
      ["wamid.OUT1", "Read", undefined],
      ["wamid.OUT1", "Success", undefined],
      ["wamid.OUT2", "Failed", "131047 Re-engagement message"],
    ]);

    expect(hearTelegram(sample("telegram-update-contact").request.body, { readPhone, now })).toMatchObject({
      message: { kind: "contact", phone: "+254711000111", chat: "55512345", messageId: "870000001", language: "sw" },
    });
    expect(hearTelegram(sample("telegram-callback-query").request.body, { readPhone, now })).toMatchObject({
      callbackId: "4382bfdwdsb323b2d9",
      message: { kind: "choice", text: "menu:token", chat: "55512345" },
    });
  });
});
