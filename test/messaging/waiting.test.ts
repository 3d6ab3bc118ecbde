import { sql } from "drizzle-orm";
import { beforeEach, expect, test } from "vitest";
import { makeIds } from "../../src/kernel/ids.ts";
import { HOUR_MS, makeManualClock } from "../../src/kernel/time.ts";
import type { Gateway, MessageChannel, Outgoing } from "../../src/messaging/gateway.ts";
import { USUAL_SETTINGS, type MessageSettings } from "../../src/messaging/message-settings.ts";
import { sendMessage } from "../../src/messaging/messaging.jobs.ts";
import { makeMessaging, type NewMessage, type NewReply } from "../../src/messaging/messaging.ts";
import { makeOutboxRelay } from "../../src/platform/outbox.ts";
import { makeHeldJobs } from "../contract/jobs-fake.ts";
import { useDatabase } from "../support/database.ts";
import { makeFakeGateway } from "./fake-gateway.ts";
import { strangers } from "./strangers.ts";

const database = useDatabase();
const PHONE = "+254711000111";
const DAY = new Date("2026-05-04T10:00:00Z");
const NIGHT = new Date("2026-05-04T20:00:00Z");

beforeEach(async () => {
  for (const table of ["messaging.messages", "messaging.spending", "messaging.windows", "platform.outbox"])
    await database.current.db.execute(sql.raw(`delete from ${table}`));
});

/** A house with a hand-made gateway for each channel, jobs that run when told, and people who agreed to what is said. */
function makeHouse({
  at = DAY,
  settings = {},
  consents = { service: true, marketing: true },
}: { at?: Date; settings?: Partial<MessageSettings>; consents?: { service: boolean; marketing: boolean } } = {}) {
  const { db } = database.current;
  const clock = makeManualClock(at);
  const makeId = makeIds(clock);
  const sms = makeFakeGateway();
  const chat = makeChat();
  const agreed = { ...consents };
  const jobs = makeHeldJobs();
  const messaging = makeMessaging({
    db,
    clock,
    makeId,
    gateways: { sms: sms.gateway, whatsapp: chat.gateway, telegram: chat.gateway },
    settings: { ...USUAL_SETTINGS, ...settings },
    audience: strangers.audience,
    manners: {
      ...strangers.manners,
      consents: (_tx, ids) => Promise.resolve(new Map(ids.map((id) => [id, agreed]))),
      chatsOf: (_tx, phones) =>
        Promise.resolve(new Map(phones.flatMap((phone) => (phone.endsWith("999") ? [[phone, "77"]] : [])))),
    },
  });
  const relay = makeOutboxRelay({ database: database.current, jobs, clock, batchMax: 500, sweepMs: 60_000 });
  const customerId = makeId<"Customer">();
  return {
    db,
    clock,
    messaging,
    sms,
    chat,
    agreed,
    append: (...messages: NewMessage[]) => db.transaction((tx) => messaging.append(tx, messages)),
    reply: (...replies: NewReply[]) => db.transaction((tx) => messaging.reply(tx, replies)),
    reminder: (key: string, toPhone = PHONE): NewMessage => ({
      key,
      toPhone,
      language: "en",
      template: "reminder_low",
      values: { days: "3", account: "PG-10234" },
      about: { customerId },
    }),
    fact: (key: string, toPhone = PHONE): NewMessage => ({
      key,
      toPhone,
      language: "en",
      template: "token_received",
      values: { amount: "KES 50", token: "123 456 789", days: "3", account: "PG-10234" },
      about: { customerId },
    }),
    wrote: (channel: MessageChannel, address: string) =>
      db.execute(
        sql`insert into messaging.windows (channel, address, heard_at) values (${channel}, ${address}, ${clock.now().toISOString()}::timestamptz)`,
      ),
    /** The relay's and the workers' part, until nothing is left to do; jobs that fail stay for the next round. */
    async work() {
      await messaging.releaseDeferred();
      while ((await relay.relayOnce()) > 0);
      return Promise.allSettled(jobs.held.splice(0).map((job) => sendMessage(messaging, job)));
    },
    async all() {
      const { messages } = await messaging.list(db, { first: 100 });
      return messages.toSorted((left, right) => left.key.localeCompare(right.key));
    },
  };
}

let chatted = 0;

/** A gateway of a chat: takes everything until it is told otherwise. */
function makeChat(): { gateway: Gateway; sent: Outgoing[]; fails: { reason: string; permanent: boolean } | undefined } {
  const chat = {
    sent: [] as Outgoing[],
    fails: undefined as { reason: string; permanent: boolean } | undefined,
    gateway: {
      send(message: Outgoing) {
        if (chat.fails !== undefined) return Promise.resolve({ accepted: false as const, ...chat.fails });
        chat.sent.push(message);
        chatted += 1;
        return Promise.resolve({ accepted: true as const, providerId: `chat-${String(chatted)}` });
      },
    },
  };
  return chat;
}

test("at night a payment is told at once and a reminder in the morning, once", async () => {
  const house = makeHouse({ at: NIGHT });
  await house.append(house.fact("paid"), house.reminder("low"));
  await house.work();
  expect(house.sms.sent.map(({ text }) => text.slice(0, 8))).toEqual(["Received"]);
  house.clock.moveTo(new Date("2026-05-05T03:59:00Z"));
  await house.work();
  expect(house.sms.sent).toHaveLength(1);
  house.clock.moveTo(new Date("2026-05-05T04:00:00Z"));
  await house.work();
  await house.work();
  expect(house.sms.sent).toHaveLength(2);
  expect(await house.all()).toMatchObject([{ state: "queued" }, { state: "queued", attempts: 1 }]);
});

test("who withdraws consent while a reminder waits does not get it, and still hears of payments", async () => {
  const house = makeHouse({ at: NIGHT });
  await house.append({ ...house.reminder("low"), notBefore: new Date("2026-05-05T04:00:00Z") });
  house.agreed.service = false;
  house.clock.moveTo(new Date("2026-05-05T05:00:00Z"));
  await house.append(house.fact("paid"));
  await house.work();
  expect(house.sms.sent).toHaveLength(1);
  expect(await house.all()).toMatchObject([
    { key: "low", state: "refused", failure: "consent was withdrawn" },
    { key: "paid", state: "queued" },
  ]);
});

test("fifty reminders at once stay within the day's cost cap, payments go beyond it, and the rest leaves the next morning", async () => {
  const settings = { costCap: { amount: "10", currency: "KES" }, partPrice: { amount: "0.90", currency: "KES" } };
  const house = makeHouse({ settings });
  await house.append(...Array.from({ length: 50 }, (_, at) => house.reminder(`low:${String(at)}`)));
  await house.work();
  // At most 0.90 is reserved for each that costs 0.80 in the end: eleven fit one after the other, twelve when prices come in between.
  const sent = house.sms.sent.length;
  expect(sent).toBeGreaterThanOrEqual(11);
  expect(sent).toBeLessThanOrEqual(12);
  await house.append(house.fact("paid"));
  await house.work();
  expect(house.sms.sent).toHaveLength(sent + 1);
  expect(await house.messaging.costToday(house.db)).toEqual([
    { amount: String(((sent + 1) * 8) / 10), currency: "KES" },
  ]);
  expect(await house.messaging.takeUntoldCaps()).toMatchObject([{ onDay: "2026-05-04", currency: "KES" }]);
  expect(await house.messaging.takeUntoldCaps()).toEqual([]);
  house.clock.moveTo(new Date("2026-05-05T03:00:00Z"));
  await house.work();
  expect(house.sms.sent).toHaveLength(sent + 1);
  house.clock.moveTo(new Date("2026-05-05T04:00:00Z"));
  await house.work();
  expect(house.sms.sent.length).toBeGreaterThanOrEqual(sent + 1 + 11);
});

test("what is counted for a message that no gateway took is given back", async () => {
  const settings = { costCap: { amount: "2", currency: "KES" }, partPrice: { amount: "0.90", currency: "KES" } };
  const house = makeHouse({ settings });
  for (const fault of ["http_500", "refuse_recipient", "http_500"] as const) {
    house.sms.failNext(fault);
    await house.append(house.reminder(`low:${String(Math.trunc(house.clock.now().getTime()))}`));
    await house.work();
    house.clock.advance(1_000);
  }
  expect(await house.messaging.costToday(house.db)).toEqual([{ amount: "0", currency: "KES" }]);
});

test("the cost of a day is the exact sum of what gateways charged, by channel, template and state", async () => {
  const house = makeHouse();
  await house.append(...Array.from({ length: 37 }, (_, at) => house.fact(`paid:${String(at)}`)), house.reminder("low"));
  await house.work();
  const figures = await house.messaging.figures(house.db, {
    from: new Date(DAY.getTime() - HOUR_MS),
    to: new Date(DAY.getTime() + HOUR_MS),
  });
  const line = { onDay: "2026-05-04", state: "queued", channel: "sms", category: "service", currency: "KES" };
  expect(figures).toEqual([
    { ...line, template: "reminder_low", messages: 1, cost: "0.8000" },
    { ...line, template: "token_received", messages: 37, cost: "29.6000" },
  ]);
  expect(await house.messaging.costToday(house.db)).toEqual([{ amount: "30.4", currency: "KES" }]);
});

const CHATS = { channels: ["whatsapp", "telegram", "sms"] as const };

test("who wrote on WhatsApp today hears there; when it fails, the same words come by SMS, once", async () => {
  const house = makeHouse({ settings: CHATS });
  await house.wrote("whatsapp", PHONE);
  await house.append(house.fact("arrives"));
  await house.work();
  expect(house.chat.sent).toMatchObject([{ to: PHONE }]);
  house.chat.fails = { reason: "blocked", permanent: true };
  await house.append(house.fact("refused"));
  await house.work();
  await house.work();
  expect(house.sms.sent).toHaveLength(1);
  expect(house.sms.sent[0]?.text).toBe(house.chat.sent[0]?.text);
  // The one that arrived is reported lost after all, twice, and in the end delivered.
  const providerId = (await house.all()).find(({ key }) => key === "arrives")?.providerId ?? "";
  for (const status of ["failed", "failed", "delivered", "read"])
    await house.messaging.receiveReport({ providerId, status });
  await house.work();
  await house.work();
  expect(house.sms.sent).toHaveLength(2);
  const all = await house.all();
  expect(all.map(({ key, channel, state }) => `${key} ${channel} ${state}`).sort()).toEqual([
    "arrives whatsapp failed",
    "arrives:sms sms queued",
    "refused whatsapp refused",
    "refused:sms sms queued",
  ]);
  expect(all.find(({ key }) => key === "refused:sms")?.fallbackOf).toBe(all.find(({ key }) => key === "refused")?.id);
});

test("an SMS that fails is followed by nothing: no message goes in a circle", async () => {
  const house = makeHouse({ settings: CHATS });
  await house.wrote("whatsapp", PHONE);
  house.chat.fails = { reason: "blocked", permanent: true };
  house.sms.failNext("refuse_recipient");
  await house.append(house.fact("lost"));
  await house.work();
  await house.work();
  expect((await house.all()).map(({ key, state }) => `${key} ${state}`)).toEqual(["lost refused", "lost:sms refused"]);
});

test("a chat that does not answer is given up at the third attempt for an SMS", async () => {
  const house = makeHouse({ settings: CHATS });
  await house.append(house.fact("silent", "+254711000999"));
  const [message] = await house.all();
  expect(message).toMatchObject({ channel: "telegram", address: "77" });
  house.chat.fails = { reason: "HTTP 502", permanent: false };
  const send = () => house.messaging.send(message?.id ?? "");
  await expect(send()).rejects.toThrow("502");
  await expect(send()).rejects.toThrow("502");
  expect(await send()).toBe("refused");
  await house.work();
  expect(house.sms.sent).toMatchObject([{ to: "+254711000999" }]);
});

test("a day after the last word on WhatsApp an approved text goes there, and anything else by SMS", async () => {
  const approvedTexts = new Map([["token_received", "payment_1"]]);
  const house = makeHouse({ settings: { ...CHATS, approvedTexts } });
  await house.wrote("whatsapp", PHONE);
  await house.append(house.reminder("written in time, sent too late"));
  house.clock.advance(24 * HOUR_MS);
  await house.append(house.fact("approved"));
  await house.work();
  await house.work();
  expect(house.chat.sent).toMatchObject([
    { template: { name: "payment_1", language: "en", values: ["KES 50", "123 456 789", "3", "PG-10234"] } },
  ]);
  expect(house.sms.sent.map(({ text }) => text.slice(0, 9))).toEqual(["The light"]);
});

test("an answer goes where it was asked, as it was written, once for each key, and never by another channel", async () => {
  const house = makeHouse();
  const buttons = [{ id: "1.pay", label: "Pay" }];
  const answer: NewReply = {
    key: "heard:1",
    channel: "telegram",
    to: "4711",
    phone: undefined,
    language: "fr",
    text: "Bienvenue à 漢 😀",
    buttons,
    asksContact: true,
  };
  await house.reply(answer, {
    ...answer,
    key: "heard:2",
    channel: "sms",
    to: PHONE,
    phone: PHONE,
    buttons: [],
    asksContact: false,
  });
  await house.reply({ ...answer, text: "Other" });
  await house.work();
  expect(house.chat.sent).toEqual([{ to: "4711", text: "Bienvenue à 漢 😀", buttons, asksContact: true }]);
  expect(house.sms.sent).toEqual([{ to: PHONE, text: "Bienvenue à 漢 😀" }]);
  house.chat.fails = { reason: "blocked", permanent: true };
  await house.reply({ ...answer, key: "heard:3", phone: PHONE });
  await house.work();
  await house.work();
  expect(house.sms.sent).toHaveLength(1);
  expect((await house.all()).map(({ category, toPhone, state }) => `${category} ${toPhone} ${state}`)).toEqual([
    "reply 4711 queued",
    `reply ${PHONE} queued`,
    `reply ${PHONE} refused`,
  ]);
});
