/**
 * A small world to act in: the village's people with their phones and lamps, and the networks between them and the program. It
 * speaks to the program by its real doors alone, as gateways, providers and devices do.
 */
import { randomUUID } from "node:crypto";
import { makeC2bCaller, makeTransId } from "../c2b/caller.ts";
import type { ChatSimulator } from "../chat/chat-simulator.ts";
import { makeHandset, type Handset } from "../phone/handset.ts";
import { formatAmount } from "../rail/currency.ts";
import type { RailSimulator } from "../rail/rail-simulator.ts";
import type { SmsGatewaySimulator } from "../sms-gateway/sms-gateway.ts";
import type { ApiClient } from "../village/client.ts";
import type { LampsOnline } from "../village/lamps-online.ts";
import type { Household, Village } from "../village/village.ts";
import { makeChatThreads, type Said } from "./chat-threads.ts";
import { lookUnderHood } from "./hood.ts";
import { NotOnStage, type Outcome } from "./outcome.ts";
import type { HoodView, LampView, PhoneView, ScreenView, SmsView, StageView } from "./views.ts";

export interface Stage {
  view(): StageView;
  phone(number: string): PhoneView;
  dial(number: string, code: string): Promise<ScreenView>;
  answer(number: string, input: string): Promise<ScreenView>;
  hangUp(number: string): void;
  /** Sends what a customer wrote to the program's door for messages. */
  sendSms(number: string, text: string): Promise<Outcome>;
  /** Writes on WhatsApp, or presses what stands below a message there. */
  chat(number: string, said: Said): Promise<Outcome>;
  /** Looks at the chat: what came to it is read, and WhatsApp tells the program. */
  readChat(number: string): void;
  /** Pays to the paybill by hand: the provider asks for leave, then tells. `amount` is decimal text. */
  pay(number: string, payment: { account: string; amount: string }): Promise<Outcome>;
  /** Decides a prompt with the PIN typed, or refuses it. */
  decide(number: string, prompt: { id: string; isApproved: boolean }): Outcome;
  lamp(serial: string): LampView;
  /** Presses keys one after the other: digits, `*` clears, `#` enters. */
  press(serial: string, keys: string): LampView;
  /** Moves a lamp's clock forward. */
  advance(serial: string, hours: number): LampView;
  cover(serial: string, isCovered: boolean): LampView;
  underHood(number: string, receiptId?: string): Promise<HoodView>;
}

/** Where the program's doors are, their secrets included. */
export interface Doors {
  readonly ussdUrl: string;
  /** C2B, without `/confirmation`. */
  readonly c2bUrl: string;
  /** Undefined while the program has no door for customers' messages. */
  readonly smsUrl: string | undefined;
}

const SERVICE_CODE = "*384*123#";
const EVENTS_SHOWN = 12;
const SMS_TIMEOUT_MS = 10_000;
const HOUR_MS = 3_600_000;

/** `sender` is the short code that customers write to. */
export function makeStage({
  village,
  doors,
  paybill,
  sms,
  chat,
  rail,
  lampsOnline,
  api,
  clock,
  sender = "WASHA",
}: {
  village: Village;
  doors: Doors;
  paybill: string;
  sms: SmsGatewaySimulator;
  /** Undefined where WhatsApp is the operator's own. */
  chat: ChatSimulator | undefined;
  /** Undefined where prompts go to somebody else. */
  rail: RailSimulator | undefined;
  lampsOnline: LampsOnline;
  api: ApiClient;
  clock: { now(): Date };
  sender?: string;
}): Stage {
  const { households } = village;
  const handsets = new Map<string, Handset>(
    households.map(({ phone }) => [
      phone,
      makeHandset({ number: phone, ussdUrl: doors.ussdUrl, serviceCode: SERVICE_CODE }),
    ]),
  );
  const written = new Map<string, SmsView[]>();
  const threads = chat === undefined ? undefined : makeChatThreads({ chat, clock });
  const caller = makeC2bCaller({ doorUrl: doors.c2bUrl, shortcode: paybill });

  function requireHousehold(number: string): Household {
    const found = households.find(({ phone }) => phone === number);
    if (found === undefined) throw new NotOnStage("phone");
    return found;
  }

  function requireHandset(number: string): Handset {
    const found = handsets.get(number);
    if (found === undefined) throw new NotOnStage("phone");
    return found;
  }

  function requireLamp(serial: string): Household {
    const found = households.find(({ lamp }) => lamp.face().serial === serial);
    if (found === undefined) throw new NotOnStage("lamp");
    return found;
  }

  /** Prompts come to the phone that was asked, whoever's account it is. */
  const promptsOn = (number: string) =>
    (rail?.prompts() ?? []).filter(({ phone }) => phone === number.replace(/\D/g, ""));

  function lampView({ lamp, lampClock }: Household): LampView {
    const face = lamp.face();
    const events = lamp.events().slice(-EVENTS_SHOWN).reverse();
    return { ...face, events, aheadMs: lampClock.aheadMs, isCovered: lampsOnline.isCovered(face.serial) };
  }

  /** What a person did at a lamp outlives the program, and the lamp tells of it where it has a network. */
  function done(household: Household): LampView {
    const view = lampView(household);
    village.save();
    lampsOnline.report(view.serial);
    return view;
  }

  return {
    view: () => ({
      people: households.map(({ name, phone, language, accountNumber, lamp }) => ({
        name,
        phone,
        language,
        account: accountNumber,
        serial: lamp.face().serial,
      })),
      serviceCode: SERVICE_CODE,
      paybill,
      hearsSms: doors.smsUrl !== undefined,
      hasChat: threads !== undefined,
    }),
    phone(number) {
      requireHousehold(number);
      const received = sms
        .messages(number)
        .map(({ id, from, text, at }): SmsView => ({ id, direction: "in", with: from, text, at }));
      const messages = [...received, ...(written.get(number) ?? [])].sort((one, other) =>
        one.at.localeCompare(other.at),
      );
      const prompts = promptsOn(number).map(({ id, requestedMinor, currency, reference }) => ({
        id,
        amount: formatAmount(requestedMinor, currency),
        account: reference,
        paybill,
      }));
      return { messages, chat: threads?.thread(number) ?? [], prompts };
    },
    dial: (number, code) => requireHandset(number).dial(code),
    answer: (number, input) => requireHandset(number).answer(input),
    hangUp: (number) => requireHandset(number).hangUp(),
    async sendSms(number, text) {
      requireHousehold(number);
      if (doors.smsUrl === undefined) return { isDone: false, words: "Nobody reads messages to this number yet." };
      const at = clock.now().toISOString();
      const id = randomUUID();
      const fields = { date: at, from: number, id, linkId: "", text, to: sender, networkCode: "63902" };
      const body = new URLSearchParams(fields);
      const response = await fetch(doors.smsUrl, { method: "POST", body, signal: AbortSignal.timeout(SMS_TIMEOUT_MS) });
      if (!response.ok) return { isDone: false, words: "The message was not sent." };
      const earlier = written.get(number) ?? [];
      written.set(number, [...earlier, { id, direction: "out", with: sender, text, at }]);
      return { isDone: true, words: "Sent." };
    },
    async chat(number, said) {
      requireHousehold(number);
      return (await threads?.say(number, said)) ?? { isDone: false, words: "WhatsApp is not played here." };
    },
    readChat(number) {
      requireHousehold(number);
      threads?.read(number);
    },
    async pay(number, { account, amount }) {
      const { name } = requireHousehold(number);
      const payment = {
        transId: makeTransId(),
        account,
        amount,
        msisdn: number.slice(1),
        paidAt: clock.now(),
        firstName: name.split(" ")[0] ?? "",
      };
      if (!(await caller.validate(payment)).isSuccess)
        return { isDone: false, words: `${paybill} does not take payments for "${account}". Nothing was paid.` };
      const { isSuccess } = await caller.confirm(payment);
      return isSuccess
        ? {
            isDone: true,
            words: `${payment.transId} confirmed. KES ${amount} sent to ${paybill} for account ${account}.`,
          }
        : { isDone: false, words: "The receiver cannot be reached. Nothing was paid." };
    },
    decide(number, { id, isApproved }) {
      const prompt = promptsOn(number).find((one) => one.id === id);
      if (prompt === undefined || rail === undefined) throw new NotOnStage("prompt");
      const isDecided = rail.decide(prompt, isApproved ? {} : { failure: "cancelled" });
      if (!isDecided) return { isDone: false, words: "The request is over already." };
      const amount = formatAmount(prompt.requestedMinor, prompt.currency);
      return isApproved
        ? { isDone: true, words: `${id} confirmed. ${amount} sent to ${paybill} for account ${prompt.reference}.` }
        : { isDone: true, words: "You refused. Nothing was paid." };
    },
    lamp: (serial) => lampView(requireLamp(serial)),
    press(serial, keys) {
      const household = requireLamp(serial);
      const entered = [...keys].map((key) => household.lamp.press(key)).some((event) => event !== undefined);
      return entered ? done(household) : lampView(household);
    },
    advance(serial, hours) {
      const household = requireLamp(serial);
      household.lampClock.advance(hours * HOUR_MS);
      return done(household);
    },
    cover(serial, isCovered) {
      const household = requireLamp(serial);
      lampsOnline.cover(serial, isCovered);
      return lampView(household);
    },
    underHood(number, receiptId) {
      const { accountNumber } = requireHousehold(number);
      return lookUnderHood(api, { account: accountNumber, receiptId });
    },
  };
}
