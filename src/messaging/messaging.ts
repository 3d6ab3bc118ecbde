import type { MakeId, MessageId } from "../kernel/ids.ts";
import { DAY_MS, MINUTE_MS, addDays, localDateOf, type Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { releaseEvents } from "../platform/outbox.ts";
import { makeCampaigns, type Audience, type Campaigns } from "./campaigns.commands.ts";
import { chooseAddress, windowEnd, type Ways } from "./channel-choice.ts";
import type { Cost } from "./costs.ts";
import type { DeliveryReport, DeliveryState } from "./delivery.ts";
import { findFigures, type FigureLine } from "./figures.queries.ts";
import type { Button, Gateways, MessageChannel } from "./gateway.ts";
import { forgetTurns, spendingOf, takeUntoldCaps, type Spending } from "./limits.store.ts";
import { USUAL_SETTINGS, type MessageSettings } from "./message-settings.ts";
import * as store from "./messaging.store.ts";
import type { Language } from "../kernel/language.ts";
import { makeSending, type SendOutcome } from "./sending.commands.ts";
import { categoryOf, type Category, type Template } from "./texts.ts";
import { forgetWindows, heardAt, windowsOf } from "./ways.store.ts";
import { appendJobs, messageEventKey, plainRow, writeMessages } from "./writing.store.ts";

export { keyBefore } from "./messaging.store.ts";
export { parseSegment, type Segment } from "./segment.ts";
export type {
  Audience,
  Campaign,
  CampaignPreview,
  CampaignProgress,
  Campaigns,
  NewCampaign,
  Person,
} from "./campaigns.commands.ts";
export type { Cost } from "./costs.ts";
export type { FigureLine } from "./figures.queries.ts";
export type { DeliveryReport } from "./delivery.ts";
export type { Button, Gateway, MessageChannel } from "./gateway.ts";
export { MessageNotTaken, SendUnderWay, type SendOutcome } from "./sending.commands.ts";
export { makeReminders, type DueReminder, type Reminders } from "./reminders.jobs.ts";
export type { Category } from "./texts.ts";
export { ticketMessage } from "./ticket-messages.ts";
export { MESSAGE_TOPIC, messageEventKey } from "./writing.store.ts";

/** A message to be sent. The key names the event it tells of: one key, one message. */
export interface NewMessage {
  readonly key: string;
  /** E.164. */
  readonly toPhone: string;
  readonly language: Language;
  readonly template: Template;
  /** What `TEMPLATE_VALUES` lists for the template; amounts already written for a person. */
  readonly values: Readonly<Record<string, string>>;
  /** The customer's consent decides over what is marketing or a reminder. */
  readonly about?: { readonly contractId?: string; readonly receiptId?: string; readonly customerId?: string };
  /** It may wait, and leaves then at the earliest. */
  readonly notBefore?: Date | undefined;
}

/** What answers somebody who wrote: text and buttons go as they are given, on the channel that it is given for. */
export interface NewReply {
  /** Names what it answers: one key, one reply. */
  readonly key: string;
  readonly channel: MessageChannel;
  /** E.164; for Telegram the number of the chat. */
  readonly to: string;
  /** E.164, where it is known. */
  readonly phone: string | undefined;
  readonly language: Language;
  readonly text: string;
  readonly buttons: readonly Button[];
  /** Shows the button by which a person tells their own number; its label is that of the first button. */
  readonly asksContact?: boolean;
  /** Whose consent lets it follow by SMS where the chat loses it; without, it stays there. */
  readonly customerId?: string | undefined;
}

export interface Message {
  readonly id: MessageId;
  readonly key: string;
  /** E.164; the address on the channel for a reply to somebody whose phone is unknown. */
  readonly toPhone: string;
  readonly language: Language;
  readonly template: string;
  readonly values: Readonly<Record<string, string>>;
  readonly contractId: string | null;
  readonly receiptId: string | null;
  readonly state: DeliveryState;
  /** As the phone shows it; null before the first attempt. */
  readonly text: string | null;
  readonly providerId: string | null;
  readonly costText: string | null;
  /** Why the last attempt or the delivery failed, in the gateway's words. */
  readonly failure: string | null;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly sentAt: Date | null;
  readonly stateAt: Date;
  readonly channel: MessageChannel;
  /** On the channel; null: the phone itself. */
  readonly address: string | null;
  readonly buttons: readonly Button[];
  readonly asksContact: boolean;
  readonly category: Category;
  readonly customerId: string | null;
  readonly campaignId: string | null;
  /** The message of another channel that did not arrive. */
  readonly fallbackOf: MessageId | null;
  /** A plain decimal in whole units of `costCurrency`; both null where the gateway named no price. */
  readonly cost: string | null;
  readonly costCurrency: string | null;
  readonly notBefore: Date | null;
}

export interface MessageFilter {
  readonly contractId?: string;
  readonly receiptId?: string;
  readonly toPhone?: string;
  readonly state?: DeliveryState;
  /** What went to one chat, and the messages of these keys with what followed them by SMS. Give the phone with it. */
  readonly chat?: { readonly channel: MessageChannel; readonly address: string; readonly keys: readonly string[] };
}

/** What messaging asks of the house before it writes to somebody who does not wait for it. */
export interface Manners {
  /** The operator's zone: a day's costs are those of its day. */
  readonly zone: string;
  /** Where a phone is at home. */
  zoneOf(phone: string): string;
  /** What some customers agreed to hear; nobody else has agreed to anything. */
  consents(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, { service: boolean; marketing: boolean }>>;
  /** Telegram chats that were linked to some phones. */
  chatsOf(tx: Tx, phones: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

export interface Messaging {
  /** Writes messages and their outbox events in the caller's transaction: two statements, however many messages. */
  append(tx: Tx, messages: readonly NewMessage[]): Promise<void>;
  /** The same for answers to people who wrote. */
  reply(tx: Tx, replies: readonly NewReply[]): Promise<void>;
  /**
   * Sends one message; the job of the outbox event. At least once: it is sent again, with the identical text, only when
   * the record of an earlier send was lost. Throws `MessageNotTaken` or `SendUnderWay` where it should be tried again.
   */
  send(messageId: string): Promise<SendOutcome>;
  /**
   * Keeps a delivery report and moves its message forward, never back; repeating it changes nothing. A message of a chat that did
   * not arrive is followed by an SMS, written in the same transaction.
   */
  receiveReport(report: DeliveryReport): Promise<store.ReportOutcome>;
  /** Hands messages to the relay again whose jobs must have been lost, as when Redis was erased. Returns how many. */
  releaseOverdue(): Promise<number>;
  /** Hands over what had to wait and may leave now. Returns how many. */
  releaseDeferred(): Promise<number>;
  find(reader: store.Reader, id: string): Promise<Message | undefined>;
  /** Newest first; at most 100 a page, `after` being the last one of the page before. */
  list(
    reader: store.Reader,
    page: { filter?: MessageFilter; first: number; after?: MessageId },
  ): Promise<{ messages: Message[]; hasMore: boolean }>;
  /** Until when a chat takes free text; undefined where it always does. Long past for whoever never wrote. */
  freeTextUntil(db: Db | Tx, chat: { channel: MessageChannel; address: string }): Promise<Date | undefined>;
  /** For a metric: reports of messages that nobody here sent. */
  countUnknownReports(reader: store.Reader): Promise<number>;
  /** Messages written from an instant until before another, by day of the operator's zone, state, template, channel and category. */
  figures(db: Db | Tx, span: { from: Date; to: Date }): Promise<readonly FigureLine[]>;
  /** What messages cost today, with what is counted for those under way; a line for each currency. */
  costToday(db: Db | Tx): Promise<readonly Cost[]>;
  /** Days whose cap made something wait and that were not told yet; each is answered once. */
  takeUntoldCaps(): Promise<readonly Spending[]>;
  /** Forgets what limits no longer need. */
  forgetOld(): Promise<void>;
  readonly campaigns: Campaigns;
}

export const PAGE_MAX = 100;
/** Longer than any gateway call. After this a worker that took a message is taken for dead. */
const CLAIM_MS = 30_000;
/** The relay hands over within seconds; a job still unsent after this long was tried several times, or lost. */
const OVERDUE_MS = 15 * MINUTE_MS;
const RELEASE_MAX = 500;
/** A week is the longest window that is counted. */
const TURNS_KEPT_DAYS = 30;

export interface MessagingDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly gateways: Gateways;
  readonly settings?: MessageSettings;
  readonly manners: Manners;
  /** Whom campaigns may be for. */
  readonly audience: Audience;
  readonly claimMs?: number;
}

/** Messages to customers: written with the payment, sent after it. `db` is used for the jobs; `append` never touches it. */
export function makeMessaging(deps: MessagingDeps): Messaging {
  const { db, clock, makeId, manners, settings = USUAL_SETTINGS, claimMs = CLAIM_MS } = deps;
  const enabled = settings.channels.filter((channel) => deps.gateways[channel] !== undefined);
  const sending = makeSending({ ...deps, settings, claimMs });

  /** No question is asked where everything goes by SMS anyway. */
  async function waysOf(tx: Tx, phones: readonly string[]): Promise<ReadonlyMap<string, Ways>> {
    if (enabled.every((channel) => channel === "sms")) return new Map();
    const heard = await windowsOf(tx, "whatsapp", phones);
    const chats = await manners.chatsOf(tx, phones);
    return new Map(phones.map((phone) => [phone, { telegram: chats.get(phone), whatsappHeardAt: heard.get(phone) }]));
  }

  async function addressesOf(tx: Tx, messages: readonly { readonly toPhone: string; readonly template: string }[]) {
    const ways = await waysOf(tx, [...new Set(messages.map(({ toPhone }) => toPhone))]);
    const terms = { enabled, approved: settings.approvedTexts, now: clock.now() };
    return messages.map(({ toPhone, template }) => chooseAddress(template, ways.get(toPhone), terms));
  }

  return {
    async append(tx, messages) {
      if (messages.length === 0) return;
      const addresses = await addressesOf(tx, messages);
      const rows = messages.map((message, at) => ({
        ...plainRow(makeId()),
        ...message,
        ...message.about,
        ...addresses[at],
        category: categoryOf(message.template),
        notBefore: message.notBefore,
      }));
      await writeMessages(tx, rows, clock.now());
    },
    async reply(tx, replies) {
      const rows = replies.map(({ to, phone, ...reply }): store.NewRow => ({
        ...plainRow(makeId()),
        ...reply,
        address: to,
        toPhone: phone ?? to,
        template: "reply",
        category: "reply",
      }));
      await writeMessages(tx, rows, clock.now());
    },
    ...sending,
    releaseOverdue: () =>
      db.transaction(async (tx) => {
        const now = clock.now();
        const before = new Date(now.getTime() - OVERDUE_MS);
        const overdue = await store.listOverdue(tx, { before, now, listMax: RELEASE_MAX });
        const keys = overdue.map(({ key, notBefore }) => messageEventKey(key, notBefore));
        return releaseEvents(tx, { keys, relayedBefore: before });
      }),
    async releaseDeferred() {
      for (let released = 0; ;) {
        const taken = await db.transaction(async (tx) => {
          const now = clock.now();
          const jobs = await store.takeDeferred(tx, now, RELEASE_MAX);
          await appendJobs(tx, jobs, now);
          return jobs.length;
        });
        released += taken;
        if (taken < RELEASE_MAX) return released;
      }
    },
    find: store.findKnown,
    async list(reader, { filter = {}, first, after }) {
      const limit = Math.min(Math.max(first, 0), PAGE_MAX);
      const found = await store.listMessages(reader, { filter, first: limit + 1, after });
      return { messages: found.slice(0, limit), hasMore: found.length > limit };
    },
    async freeTextUntil(reader, { channel, address }) {
      return channel === "whatsapp" ? windowEnd(await heardAt(reader, channel, address)) : undefined;
    },
    countUnknownReports: store.countUnknownReports,
    figures: (reader, span) => findFigures(reader, { ...span, zone: manners.zone }),
    costToday: (reader) => spendingOf(reader, localDateOf(clock.now(), manners.zone)),
    takeUntoldCaps: () => takeUntoldCaps(db, clock.now()),
    async forgetOld() {
      await forgetTurns(db, addDays(localDateOf(clock.now(), manners.zone), -TURNS_KEPT_DAYS));
      await forgetWindows(db, new Date(clock.now().getTime() - settings.heardKeptDays * DAY_MS));
    },
    campaigns: makeCampaigns({ ...deps, settings, addressesOf }),
  };
}
