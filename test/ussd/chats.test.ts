import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { MINUTE_MS } from "../../src/kernel/time.ts";
import { answerHeard } from "../../src/ussd/chats.jobs.ts";
import { TEST_USSD_SECRET } from "../support/app.ts";
import { heardIn, makeChatter, makeWriters, useChats, watchChat } from "../support/chats.ts";

const place = useChats();
const db = () => place.current.app.database.db;
const wa = () => place.current.chat.whatsapp;
const tg = () => place.current.chat.telegram;
const household = () => makeWriters(place.current);
const heard = (chat: string) => heardIn(place.current, chat);
const watch = (address: string) => watchChat(place.current, address);

describe("a message", () => {
  test("that comes again is answered once, by whatever channel, also while its job runs twice at the same moment", async () => {
    const home = await household();
    const see = watch(home.digits);
    const update = wa().writes(home.digits, "menu");
    await Promise.all([place.current.deliver(update), place.current.deliver(update)]);
    await place.current.deliver(update);
    const [row] = await heard(home.phone);
    const job = { payload: { heardId: row?.id } };
    await Promise.all([answerHeard(place.current.app.chats, job), answerHeard(place.current.app.chats, job)]);
    await answerHeard(place.current.app.chats, job);
    await place.current.runJobs();
    expect(see()).toHaveLength(1);

    const fields = { id: `SmsId_${home.digits}`, from: home.phone, to: "40404", text: "SALIO" };
    expect(await place.current.deliverSms(fields)).toBe(200);
    expect(await place.current.deliverSms({ ...fields, text: "LIPA" })).toBe(200);
    await place.current.runJobs();
    expect(place.current.sms.messages(home.phone)).toHaveLength(1);
  });

  test("and the next, sent at once, are answered in the order in which they came", async () => {
    const home = await household();
    const see = watch(home.digits);
    const updates = [wa().writes(home.digits, "pay"), wa().writes(home.digits, "120")];
    for (const update of updates) await place.current.deliver(update);
    const rows = await db().execute<{ id: string }>(
      sql`select id::text as id from ussd.heard where chat = ${home.phone} order by id desc`,
    );
    // The later one's job comes first.
    await Promise.all(rows.map(({ id }) => answerHeard(place.current.app.chats, { payload: { heardId: id } })));
    await place.current.runJobs();
    const answers = see();
    expect(answers[0]).toContain("Type the amount");
    expect(answers[1]).toContain("Pay KES 120");
  });

  test("with a PIN in it is blanked when it was answered, right, wrong or too late", async () => {
    const home = await household();
    const chatter = await makeChatter(place.current, "whatsapp", home.phone);
    await chatter.says("pin");
    expect(await chatter.chooses("Change PIN")).toContain("Delete your message");
    await chatter.says("1234");
    await chatter.says("2580");
    place.current.clock.advance(31 * MINUTE_MS);
    await chatter.says("my PIN is 2580");
    const kept = await heard(home.phone);
    expect(kept.map(({ text }) => text)).toEqual(["pin", expect.stringMatching(/^\d+\.\d$/), "", "", ""]);
    const [sessions] = await db().execute<{ all: string }>(
      sql`select string_agg(concat(state, hops, screen), ' ') as all from ussd.sessions where phone = ${home.phone}`,
    );
    expect(sessions?.all).not.toContain("2580");
  });

  test("half an hour later begins at the first screen again, and an old button is not taken for a new one", async () => {
    const home = await household();
    const chatter = await makeChatter(place.current, "whatsapp", home.phone);
    await chatter.says("pay 100");
    const [yes] = chatter.buttons();
    place.current.clock.advance(31 * MINUTE_MS);
    const late = await chatter.taps(yes?.id ?? "");
    expect(late).toContain("That was an older message");
    expect(late).toContain("Welcome");
    expect(await place.current.app.intents.list(db(), { reference: home.accountNumber, limit: 5 })).toEqual([]);
  });

  test("tapped twice acts once", async () => {
    const home = await household();
    const chatter = await makeChatter(place.current, "telegram", home.phone);
    await chatter.says("agent");
    const see = watch(chatter.address);
    await chatter.says("Please call");
    expect(see()[0]).toContain("We will call you");
    await chatter.says("menu");
    const [pay] = chatter.buttons();
    await chatter.taps(pay?.id ?? "");
    expect(await chatter.taps(pay?.id ?? "")).toContain("That was an older message");
    const [wishes] = await db().execute<{ count: number }>(
      sql`select count(*)::int as count from ussd.wishes where phone = ${home.phone}`,
    );
    expect(wishes?.count).toBe(1);
  });

  test("that always fails holds up no later one: it is laid before a person", async () => {
    const home = await household();
    await place.current.deliver(wa().writes(home.digits, "menu"));
    const [row] = await heard(home.phone);
    const broken = place.current.app.customers.findByPhone;
    const { customers } = place.current.app as { customers: { findByPhone: unknown } };
    customers.findByPhone = () => Promise.reject(new Error("a bug of ours"));
    try {
      for (let attempt = 0; attempt < 5; attempt++)
        await expect(answerHeard(place.current.app.chats, { payload: { heardId: row?.id } })).rejects.toThrow("a bug");
    } finally {
      customers.findByPhone = broken;
    }
    expect(await heard(home.phone)).toMatchObject([{ for_person: true }]);
    const see = watch(home.digits);
    await place.current.deliver(wa().writes(home.digits, "salio"));
    await place.current.runJobs();
    expect(see()).toHaveLength(1);
  });
});

describe("a person who changes the channel", () => {
  test("greets in a chat and is asked whether to go on with what they left by phone or in another chat", async () => {
    const home = await household();
    const answer = await fetch(`${place.current.url}/ussd/africastalking/${TEST_USSD_SECRET}`, {
      method: "POST",
      body: new URLSearchParams({ sessionId: "ATUid_left", phoneNumber: home.phone, text: "1*50" }),
    });
    const confirm = await answer.text();
    expect(confirm).toContain("KES 50");
    place.current.clock.advance(MINUTE_MS);
    const whatsapp = await makeChatter(place.current, "whatsapp", home.phone);
    expect(await whatsapp.says("habari, niko hapa")).toContain("in the middle of something");
    expect(await whatsapp.chooses(/^Go on/)).toContain(`Pay KES 50 for ${home.accountNumber}`);
    place.current.clock.advance(MINUTE_MS);
    const sms = await makeChatter(place.current, "sms", home.phone);
    expect(await sms.says("yes hello")).toContain("in the middle of something");
    expect(await sms.chooses(/^Go on/)).toContain(`Pay KES 50 for ${home.accountNumber}`);
  });

  test("gets what a word asks for at once, and is not asked after a quarter of an hour or in the name of another", async () => {
    const home = await household();
    const neighbour = await household();
    const whatsapp = await makeChatter(place.current, "whatsapp", home.phone);
    await whatsapp.says("pay 50");
    const sms = await makeChatter(place.current, "sms", home.phone);
    expect(await sms.says("HELP")).not.toContain("in the middle");
    await whatsapp.says("pay 50");
    const other = await makeChatter(place.current, "sms", neighbour.phone);
    expect(await other.says("good morning")).not.toContain("in the middle");
    place.current.clock.advance(31 * MINUTE_MS);
    expect(await sms.says("good morning")).not.toContain("in the middle");
  });
});

describe("what cannot be understood", () => {
  test("twice in a row, and all that is said while a person is awaited, is for people to read", async () => {
    const home = await household();
    const chatter = await makeChatter(place.current, "whatsapp", home.phone);
    await chatter.says("menu");
    expect(await chatter.says("مرحبا 🔦")).toContain("did not understand");
    expect(await chatter.says("blah blah blah")).toContain("One of us will read it");
    await chatter.says("menu");
    await chatter.says("call me");
    await chatter.says("about my panel");
    expect(await chatter.says("are you there, I wonder")).toBe("");
    expect(await chatter.says("balance")).toContain(home.accountNumber);
    expect((await heard(home.phone)).map(({ for_person: isForPerson }) => isForPerson)).toEqual([
      false,
      false,
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
  });

  test("a voice note gets a kind answer", async () => {
    const home = await household();
    const see = watch(home.digits);
    await place.current.deliver(wa().speaks(home.digits));
    await place.current.runJobs();
    expect(see()[0]).toContain("We can only read words");
  });

  test("ten thousand letters are cut, controls and halves of letters fall, and the program goes on", async () => {
    const home = await household();
    const chatter = await makeChatter(place.current, "telegram", home.phone);
    expect(await chatter.says("x".repeat(10_000))).toContain("did not understand");
    await chatter.says(`taa \u0000 haiwaki \ud83d ${"ب".repeat(3_000)}`);
    const kept = await heard(chatter.address);
    expect(kept.map(({ text }) => text.length).slice(1)).toEqual([1_000, 1_000]);
    expect(await place.current.deliverSms({ id: "long", from: home.phone, text: "x".repeat(10_000) })).toBe(413);
    expect(await chatter.says("salio")).toContain(home.accountNumber);
  });

  test("a machine that answers us for ever is told once that it is enough", async () => {
    const home = await household();
    for (let written = 0; written < 104; written++) await place.current.deliver(wa().writes(home.digits, "menu"));
    await place.current.runJobs();
    const answers = place.current.chat.shown(home.digits);
    expect(answers).toHaveLength(101);
    expect(answers.at(-1)?.text).toContain("in an hour");
  });
});

describe("who is who", () => {
  test("at Telegram nobody is served before they shared their own number; another's card is refused", async () => {
    const home = await household();
    const from = "70000001";
    const see = watch(from);
    await place.current.deliver(tg().writes(from, "balance"));
    await place.current.runJobs();
    expect(place.current.chat.shown(from).at(-1)).toMatchObject({
      asksContact: true,
      text: expect.stringContaining("Karibu Washa"),
      buttons: [{ label: "Toa namba yangu" }],
    });
    await place.current.deliver(tg().shares(from, home.digits, 12_345));
    await place.current.runJobs();
    expect(see().at(-1)).toContain("Kadi hiyo si yako");
    expect((await heard(from)).map(({ phone }) => phone)).toEqual([null, null]);
    await place.current.deliver(tg().writes(from, "balance"));
    await place.current.deliver(tg().shares(from, home.digits));
    await place.current.runJobs();
    const answers = see();
    expect(answers[0]).toContain("Karibu Washa");
    expect(answers[1]).toContain("Thank you. We know you by");
    expect(answers[1]).toContain("Asha");
  });

  test("a phone that comes with a new chat leaves the old one, which hears so and is served no more", async () => {
    const home = await household();
    const first = await makeChatter(place.current, "telegram", home.phone);
    const see = watch(first.address);
    const second = await makeChatter(place.current, "telegram", home.phone);
    expect(see()).toEqual(["Your number is used in another chat now. We write to you there."]);
    expect(await second.says("balance")).toContain(home.accountNumber);
    expect(await first.says("balance")).toContain("Karibu Washa");
  });

  test("whoever says stop is left alone, also before we know them", async () => {
    const from = "70000002";
    const see = watch(from);
    await place.current.deliver(tg().writes(from, "ACHA"));
    await place.current.runJobs();
    expect(see()[0]).toContain("Hutapata tena");
  });

  test("nothing is answered in a group, to a bot, to an edit, or to a heart", async () => {
    const before = await db().execute(sql`select count(*)::int as count from ussd.heard`);
    const person = { id: 7, is_bot: false };
    const message = { message_id: 1, date: 1, text: "menu" };
    const privately = { id: 7, type: "private" };
    for (const update of [
      tg().update({ message: { ...message, from: person, chat: { id: -100, type: "group" } } }),
      tg().update({ message: { ...message, from: { ...person, is_bot: true }, chat: privately } }),
      tg().update({ edited_message: { ...message, from: person, chat: privately } }),
      tg().update({ message: { from: "nobody" } }),
      wa().update({ messages: [{ from: "254711000111", id: "r", timestamp: "1", type: "reaction", reaction: {} }] }),
    ])
      await place.current.deliver(update);
    expect(await db().execute(sql`select count(*)::int as count from ussd.heard`)).toEqual(before);
  });
});
