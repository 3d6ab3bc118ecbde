import { looksLikeId, type MakeId, type MessageId } from "../kernel/ids.ts";
import { MINUTE_MS, type Clock } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { appendEvents, releaseEvents } from "../platform/outbox.ts";
import type { DeliveryReport, DeliveryState } from "./delivery.ts";
import type { Gateway } from "./gateway.ts";
import * as store from "./messaging.store.ts";
import type { Language } from "../kernel/language.ts";
import { render, type Template } from "./texts.ts";

/** A message to be sent. The key names the event it tells of: one key, one message. */
export interface NewMessage {
  readonly key: string;
  /** E.164. */
  readonly toPhone: string;
  readonly language: Language;
  readonly template: Template;
  /** What `TEMPLATE_VALUES` lists for the template; amounts already written for a person. */
  readonly values: Readonly<Record<string, string>>;
  readonly about?: { readonly contractId?: string; readonly receiptId?: string };
}

export interface Message {
  readonly id: MessageId;
  readonly key: string;
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
}

export interface MessageFilter {
  readonly contractId?: string;
  readonly receiptId?: string;
  readonly toPhone?: string;
  readonly state?: DeliveryState;
}

/** The outbox topic whose jobs are `{ messageId }`. */
export const MESSAGE_TOPIC = "messaging.send";

/** The outbox key of a message. */
export function messageEventKey(key: string): string {
  return `message:${key}`;
}

/** The gateway did not take the message this time. The job is tried again. */
export class MessageNotTaken extends Error {
  constructor(reason: string) {
    super(`The SMS gateway did not take the message: ${reason}`);
    this.name = "MessageNotTaken";
  }
}

/** Another worker is sending this message, or died while it was. The job is tried again, when that is known. */
export class SendUnderWay extends Error {
  constructor() {
    super("This message is being sent by another worker.");
    this.name = "SendUnderWay";
  }
}

export type SendOutcome = "sent" | "already_sent" | "refused" | "unknown_message";

export interface Messaging {
  /** Writes messages and their outbox events in the caller's transaction: two statements, however many messages. */
  append(tx: Tx, messages: readonly NewMessage[]): Promise<void>;
  /**
   * Sends one message; the job of the outbox event. At least once: it is sent again, with the identical text, only when
   * the record of an earlier send was lost. Throws `MessageNotTaken` or `SendUnderWay` where it should be tried again.
   */
  send(messageId: string): Promise<SendOutcome>;
  /** Keeps a delivery report and moves its message forward, never back; repeating it changes nothing. */
  receiveReport(report: DeliveryReport): Promise<store.ReportOutcome>;
  /** Hands messages to the relay again whose jobs must have been lost, as when Redis was erased. Returns how many. */
  releaseOverdue(): Promise<number>;
  find(reader: store.Reader, id: string): Promise<Message | undefined>;
  /** Newest first; at most 100 a page, `after` being the last one of the page before. */
  list(
    reader: store.Reader,
    page: { filter?: MessageFilter; first: number; after?: MessageId },
  ): Promise<{ messages: Message[]; hasMore: boolean }>;
  /** For a metric: reports of messages that nobody here sent. */
  countUnknownReports(reader: store.Reader): Promise<number>;
}

export const PAGE_MAX = 100;
/** Longer than any gateway call. After this a worker that took a message is taken for dead. */
const CLAIM_MS = 30_000;
/** The relay hands over within seconds; a job still unsent after this long was tried several times, or lost. */
const OVERDUE_MS = 15 * MINUTE_MS;
const OVERDUE_MAX = 500;

/** Messages to customers: written with the payment, sent after it. `db` is used for the jobs; `append` never touches it. */
export function makeMessaging({
  db,
  clock,
  makeId,
  gateway,
  claimMs = CLAIM_MS,
}: {
  db: Db;
  clock: Clock;
  makeId: MakeId;
  gateway: Gateway;
  claimMs?: number;
}): Messaging {
  async function attempt(message: Message): Promise<SendOutcome> {
    const text = message.text ?? render(message);
    const claimed = await store.claimMessage(db, { id: message.id, text, now: clock.now(), claimMs });
    if (claimed === undefined) throw new SendUnderWay();
    const outcome = await gateway.send({ to: message.toPhone, text: claimed.text });
    await db.transaction(async (tx) => {
      const now = clock.now();
      if (outcome.accepted) {
        const { providerId, costText } = outcome;
        await store.recordAccepted(tx, { id: message.id, providerId, costText, now });
      } else {
        await store.recordNotAccepted(tx, { id: message.id, ...outcome, now });
      }
    });
    if (outcome.accepted) return "sent";
    if (outcome.permanent) return "refused";
    throw new MessageNotTaken(outcome.reason);
  }

  return {
    async append(tx, messages) {
      if (messages.length === 0) return;
      const now = clock.now();
      const rows = messages.map((message) => ({ id: makeId<"Message">(), message }));
      const written = await store.insertMessages(tx, rows, now);
      const events = written.map(({ id, key }) => ({
        topic: MESSAGE_TOPIC,
        key: messageEventKey(key),
        payload: { messageId: id },
      }));
      await appendEvents(tx, events, now);
    },
    async send(messageId) {
      const message = await find(db, messageId);
      if (message === undefined) return "unknown_message";
      if (message.state === "refused") return "refused";
      return message.state === "waiting" ? attempt(message) : "already_sent";
    },
    receiveReport: (report) => db.transaction((tx) => store.recordReport(tx, report, clock.now())),
    releaseOverdue: () =>
      db.transaction(async (tx) => {
        const now = clock.now();
        const before = new Date(now.getTime() - OVERDUE_MS);
        const overdue = await store.listOverdueKeys(tx, { createdBefore: before, now, listMax: OVERDUE_MAX });
        return releaseEvents(tx, { keys: overdue.map(messageEventKey), relayedBefore: before });
      }),
    find,
    async list(reader, { filter = {}, first, after }) {
      const limit = Math.min(Math.max(first, 0), PAGE_MAX);
      const found = await store.listMessages(reader, { filter, first: limit + 1, after });
      return { messages: found.slice(0, limit), hasMore: found.length > limit };
    },
    countUnknownReports: store.countUnknownReports,
  };
}

async function find(reader: store.Reader, id: string): Promise<Message | undefined> {
  return looksLikeId(id) ? store.findMessage(reader, id as MessageId) : undefined;
}
