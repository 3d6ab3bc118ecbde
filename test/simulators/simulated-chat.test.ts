import { PassThrough } from "node:stream";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runPhone } from "../../simulators/phone/terminal.ts";
import { startChatSimulator } from "../../simulators/chat/chat-simulator.ts";
import { makeChatThreads } from "../../simulators/stage/chat-threads.ts";
import { NotOnStage } from "../../simulators/stage/outcome.ts";
import type { ChatMessageView } from "../../simulators/stage/views.ts";
import { openSimulator } from "../../src/simulator-rooms.ts";
import { heardIn, useChats } from "../support/chats.ts";
import { startTestStage, type TestStage } from "../support/stage.ts";

const ASHA = "+254712000101";
const JUMA = "+254712000102";
const WANJIRU = "+254712000103";
const OTIENO = "+254712000105";
const place = useChats({ tellsDelivery: true });
let world: TestStage;

beforeAll(async () => {
  world = await startTestStage(place.current, place.current);
  openSimulator(place.current.app, { stage: world.stage });
});
afterAll(async () => {
  await world.stop();
});

const chatOf = (number: string): readonly ChatMessageView[] => world.stage.phone(number).chat;

/** The program's jobs run, and WhatsApp tells what became of what they sent. */
async function answered(): Promise<void> {
  await place.current.runJobs();
  await place.current.chat.news?.settled();
}

async function writes(number: string, text: string): Promise<ChatMessageView | undefined> {
  expect(await world.stage.chat(number, { text })).toMatchObject({ isDone: true });
  await answered();
  return chatOf(number).at(-1);
}

async function stateAtProgram(providerId = ""): Promise<unknown> {
  const { db } = place.current.app.database;
  const [row] = await db.execute(sql`select state from messaging.messages where provider_id = ${providerId}`);
  return row?.["state"];
}

describe("somebody with WhatsApp on the simulated phone", () => {
  test("writes BALANCE to the program's own door and reads the answer below it", async () => {
    expect(world.stage.view().hasChat).toBe(true);
    expect(chatOf(ASHA)).toEqual([]);
    const answer = await writes(ASHA, "BALANCE");
    expect(chatOf(ASHA)).toMatchObject([
      { direction: "out", text: "BALANCE", state: "delivered" },
      { direction: "in", text: expect.stringMatching(/^PG-/), state: "delivered" },
    ]);
    expect(await stateAtProgram(answer?.id)).toBe("delivered");
    expect(await heardIn(place.current, ASHA)).toMatchObject([{ kind: "text", text: "BALANCE" }]);
  });

  test("presses a row of a list and a button, and the dialogue goes on as if their numbers were typed", async () => {
    const menu = await writes(JUMA, "MENU");
    expect(menu?.list).toBe("Menu");
    const [first] = menu?.buttons ?? [];
    expect(first).toBeDefined();
    await world.stage.chat(JUMA, { messageId: menu?.id ?? "", buttonId: first?.id ?? "" });
    await answered();
    expect(chatOf(JUMA).at(-2)).toMatchObject({ direction: "out", text: first?.label, state: "delivered" });
    const amounts = chatOf(JUMA).at(-1);
    expect(amounts?.text).toContain("Andika kiasi");
    expect(amounts?.list).toBeNull();
    const back = amounts?.buttons.find(({ label }) => label === "Rudi");
    await world.stage.chat(JUMA, { messageId: amounts?.id ?? "", buttonId: back?.id ?? "" });
    await answered();
    expect(
      chatOf(JUMA)
        .at(-1)
        ?.buttons.map(({ label }) => label),
    ).toContain(first?.label);
    expect((await heardIn(place.current, JUMA)).map(({ kind }) => kind)).toEqual(["text", "choice", "choice"]);
  });

  test("reads, and WhatsApp tells the program; news that are told twice change nothing", async () => {
    const unread = await writes(ASHA, "HELP");
    world.stage.readChat(ASHA);
    world.stage.readChat(ASHA);
    await answered();
    expect(chatOf(ASHA).find(({ id }) => id === unread?.id)?.state).toBe("read");
    expect(chatOf(JUMA).at(-1)?.state).toBe("delivered");
  });

  test("writes STOP and is left alone from then on", async () => {
    const { db } = place.current.app.database;
    const isWilling = async (): Promise<unknown> => {
      const [kept] = await db.execute(
        sql`select c.service_consent_at is not null as willing from customers.customers c join customers.phones p on p.customer_id = c.id where p.e164 = ${OTIENO}`,
      );
      return kept?.["willing"];
    };
    await writes(OTIENO, "START");
    expect(await isWilling()).toBe(true);
    expect((await writes(OTIENO, "STOP"))?.text).toContain("no more reminders");
    expect(await isWilling()).toBe(false);
  });

  test("cannot be spoken for by a forger: the door refuses, and the chat stays as it was", async () => {
    const { chat } = place.current;
    const before = chatOf(ASHA);
    const genuine = chat.whatsapp.writes(ASHA.slice(1), "BALANCE");
    const forged = { ...genuine, body: genuine.body.replace("BALANCE", "PAY 100") };
    expect((await chat.post(forged)).status).toBe(403);
    await answered();
    expect(chatOf(ASHA)).toEqual(before);
  });

  test("cannot press what is not there", async () => {
    await expect(world.stage.chat(ASHA, { messageId: "nothing", buttonId: "1.1" })).rejects.toThrow(NotOnStage);
  });
});

test("a program that cannot be reached leaves nothing in the chat", async () => {
  const chat = await startChatSimulator({ program: () => "http://127.0.0.1:9" });
  const threads = makeChatThreads({ chat, clock: place.current.clock });
  expect(await threads.say(ASHA, { text: "BALANCE" })).toMatchObject({ isDone: false });
  expect(threads.thread(ASHA)).toEqual([]);
  await chat.stop();
});

test("two starts of WhatsApp's side never give one number twice: the program would take it for a repetition", async () => {
  const starts = [
    await startChatSimulator({ program: () => place.current.url, tellsDelivery: true }),
    await startChatSimulator({ program: () => place.current.url, tellsDelivery: true }),
  ];
  const before = (await heardIn(place.current, ASHA)).length;
  for (const { post, whatsapp, stop } of starts) {
    expect((await post(whatsapp.writes(ASHA.slice(1), "BALANCE"))).status).toBe(200);
    await stop();
  }
  expect(await heardIn(place.current, ASHA)).toHaveLength(before + 2);
});

test("a terminal is in the chat too: it writes, reads what came, and presses", async () => {
  await writes(WANJIRU, "MENU");
  const input = new PassThrough();
  const output = new PassThrough({ encoding: "utf8" });
  const over = runPhone({ number: WANJIRU, url: place.current.url }, { input, output });
  input.end("tap 9\ntap 1\nwa BALANCE\nquit\n");
  expect(await over).toBe(0);
  const said = String(output.read());
  for (const text of ["WhatsApp", "[1] ", "There is nothing like this to press.", "Sent."])
    expect(said).toContain(text);
  await answered();
  expect(chatOf(WANJIRU).map(({ direction, state }) => `${direction} ${state}`)).toEqual([
    "out delivered",
    "in read",
    "out delivered",
    "out delivered",
    "in delivered",
    "in delivered",
  ]);
});
