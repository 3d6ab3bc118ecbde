import { sql } from "drizzle-orm";
import { afterAll, beforeAll } from "vitest";
import { answerHeard } from "../../src/ussd/chats.jobs.ts";
import { sendMessage } from "../../src/messaging/messaging.jobs.ts";
import {
  SIMULATED_ACCOUNTS,
  startChatSimulator,
  type ChatSimulator,
  type Update,
} from "../../simulators/chat/chat-simulator.ts";
import { startSmsGateway, type SmsGatewaySimulator } from "../../simulators/sms-gateway/sms-gateway.ts";
import { startTestApp, TEST_SMS_SECRET, type TestApp } from "./app.ts";
import { makeHousehold, type Household } from "./village.ts";

export const VERIFY_TOKEN = "an-example-verify-token";
export const CHAT_ENV = {
  WASHA_WHATSAPP_PHONE_ID: SIMULATED_ACCOUNTS.phoneId,
  WASHA_WHATSAPP_TOKEN: SIMULATED_ACCOUNTS.whatsappToken,
  WASHA_WHATSAPP_APP_SECRET: SIMULATED_ACCOUNTS.appSecret,
  WASHA_WHATSAPP_VERIFY_TOKEN: VERIFY_TOKEN,
  WASHA_TELEGRAM_TOKEN: SIMULATED_ACCOUNTS.telegramToken,
  WASHA_TELEGRAM_SECRET: SIMULATED_ACCOUNTS.telegramSecret,
};

export type ChatChannel = "sms" | "whatsapp" | "telegram";

/** The program between its real doors and the other side's simulators; jobs run when the test says so. */
export interface ChatPlace extends TestApp {
  readonly chat: ChatSimulator;
  readonly sms: SmsGatewaySimulator;
  /** Posts an update; fails where the door does not answer 200. */
  deliver(update: Update): Promise<string>;
  deliverSms(fields: Readonly<Record<string, string>>): Promise<number>;
  /** Answers all that waits and sends all that was answered, as the jobs would. */
  runJobs(): Promise<void>;
}

/** Gives the test file a program with simulated WhatsApp, Telegram and SMS around it. Read `.current` inside tests. */
export function useChats({ roles = ["api"] as readonly ("api" | "worker")[], tellsDelivery = false } = {}): {
  readonly current: ChatPlace;
} {
  let place: ChatPlace | undefined;
  let drop: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    const chat = await startChatSimulator({
      program: () => place?.url ?? "",
      tellsDelivery,
      now: () => place?.clock.now().getTime() ?? 0,
    });
    const sms = await startSmsGateway();
    const app = await startTestApp({
      roles,
      env: {
        ...CHAT_ENV,
        WASHA_WHATSAPP_BASE_URL: `${chat.url}/v25.0`,
        WASHA_TELEGRAM_BASE_URL: chat.url,
        WASHA_SMS_URL: sms.url,
        WASHA_SMS_KEY: "simulator",
      },
    });
    place = { ...app, chat, sms, ...handsOn(app, chat) };
    drop = async () => {
      await app.drop();
      await chat.stop();
      await sms.stop();
    };
  });
  afterAll(async () => {
    await drop?.();
  });
  return {
    get current() {
      if (place === undefined) throw new Error("The program runs only while tests run.");
      return place;
    },
  };
}

function handsOn({ app, url }: TestApp, chat: ChatSimulator): Pick<ChatPlace, "deliver" | "deliverSms" | "runJobs"> {
  const { db } = app.database;
  return {
    async deliver(update) {
      const { status, text } = await chat.post(update);
      if (status !== 200) throw new Error(`The door answered ${String(status)} ${text}`);
      return text;
    },
    async deliverSms(fields) {
      const body = new URLSearchParams(fields);
      return (await fetch(`${url}/messaging/africastalking/${TEST_SMS_SECRET}/inbound`, { method: "POST", body }))
        .status;
    },
    async runJobs() {
      const heard = await db.execute<{ payload: object }>(
        sql`select payload from platform.outbox where topic = 'ussd.heard' and relayed_at is null order by id`,
      );
      for (const { payload } of heard) await answerHeard(app.chats, { payload });
      // In the order in which they were written, as the relay hands them over; what was lost is followed by another.
      for (;;) {
        const waiting = await db.execute<{ payload: object }>(
          sql`with due as (update platform.outbox set relayed_at = now() where topic = 'messaging.send'
              and (key like 'message:heard:%' or key like 'message:inbox:%') and relayed_at is null returning id, payload)
            select payload from due order by id`,
        );
        if (waiting.length === 0) break;
        for (const { payload } of waiting) await sendMessage(app.messaging, { payload });
      }
      await db.execute(sql`update platform.outbox set relayed_at = now() where relayed_at is null`);
    },
  };
}

let people = 0;
let messages = 0;

/** Somebody with a phone who writes by one channel and reads what comes back. */
export interface Chatter {
  /** Writes and reads the answer; empty where none came. */
  says(text: string): Promise<string>;
  /** Chooses what is listed or shown by its label, by a button or by the number before it. */
  chooses(label: string | RegExp): Promise<string>;
  /** Labels of the buttons below the last answer. */
  buttons(): readonly { readonly id: string; readonly label: string }[];
  taps(id: string): Promise<string>;
  /** Where answers are found at the simulator. */
  readonly address: string;
}

/** At Telegram the person has shared their number already. */
export async function makeChatter(place: ChatPlace, channel: ChatChannel, phone: string): Promise<Chatter> {
  const digits = phone.slice(1);
  people += 1;
  const address = channel === "telegram" ? String(55_500_000 + people) : channel === "whatsapp" ? digits : phone;
  const all = (): readonly { text: string; buttons: readonly { id: string; label: string }[] }[] =>
    channel === "sms"
      ? place.sms.messages(address).map(({ text }) => ({ text, buttons: [] }))
      : place.chat.shown(address);
  const exchange = async (deliver: () => Promise<unknown>): Promise<string> => {
    const before = all().length;
    place.clock.advance(3_000);
    await deliver();
    await place.runJobs();
    const answers = all().slice(before);
    return answers.map(({ text }) => text).join("\n---\n");
  };
  const says = (text: string): Promise<string> =>
    exchange(async () => {
      if (channel !== "sms") return await place.deliver(place.chat[channel].writes(address, text));
      messages += 1;
      const fields = { id: `SmsId_${String(messages)}`, from: phone, to: "40404", text, date: "2026-03-02 09:00:00" };
      return await place.deliverSms({ ...fields, networkCode: "63902", linkId: "x" });
    });
  const buttons = () => all().at(-1)?.buttons ?? [];
  const taps = (id: string): Promise<string> =>
    exchange(
      async () => await place.deliver(place.chat[channel === "telegram" ? "telegram" : "whatsapp"].taps(address, id)),
    );
  if (channel === "telegram")
    await exchange(async () => await place.deliver(place.chat.telegram.shares(address, digits)));
  return {
    address,
    says,
    buttons,
    taps,
    async chooses(label) {
      const fits = (text: string): boolean => (typeof label === "string" ? text === label : label.test(text));
      if (channel !== "sms") {
        const button = buttons().find((one) => fits(one.label));
        if (button === undefined)
          throw new Error(
            `No button ${String(label)} among ${buttons()
              .map((one) => one.label)
              .join(", ")}`,
          );
        return await taps(button.id);
      }
      const listed = (all().at(-1)?.text ?? "").split("\n").map((row) => /^(\d)\. (.*)$/.exec(row) ?? []);
      const found = listed.find(([, , text = ""]) => fits(text));
      if (found === undefined) throw new Error(`${String(label)} is not listed in ${all().at(-1)?.text ?? "nothing"}`);
      return await says(found[1] ?? "");
    },
  };
}

/** Says what a chat saw since it was looked at the last time. */
export function watchChat({ chat }: ChatPlace, address: string): () => string[] {
  let seen = chat.shown(address).length;
  return () => {
    const texts = chat.shown(address).map(({ text }) => text);
    const fresh = texts.slice(seen);
    seen = texts.length;
    return fresh;
  };
}

/** A family that writes by WhatsApp, where numbers have no plus. */
export async function makeWriters(place: ChatPlace): Promise<Household & { readonly digits: string }> {
  const home = await makeHousehold(place);
  return { ...home, digits: home.phone.slice(1) };
}

/** What was kept of a chat, oldest first. */
export async function heardIn({ app }: ChatPlace, chat: string) {
  const rows = await app.database.db.execute<{
    id: string;
    kind: string;
    text: string;
    phone: string | null;
    for_person: boolean;
  }>(
    sql`select id::text as id, kind, text, phone, for_person from ussd.heard where chat = ${chat} order by ussd.heard.id`,
  );
  return [...rows];
}
