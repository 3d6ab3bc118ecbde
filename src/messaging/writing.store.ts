import type { MessageId } from "../kernel/ids.ts";
import type { Tx } from "../platform/database.ts";
import { appendEvents, type OutboxEvent } from "../platform/outbox.ts";
import type { Message } from "./messaging.ts";
import { fallbackKey, insertMessages, type MessageJob, type NewRow } from "./messaging.store.ts";

/** The outbox topic whose jobs are `{ messageId }`. */
export const MESSAGE_TOPIC = "messaging.send";

/** The outbox key of a message. One that was put off is another event, since the queue may still know the first. */
export function messageEventKey(key: string, notBefore?: Date | null): string {
  return notBefore === undefined || notBefore === null
    ? `message:${key}`
    : `message:${key}@${String(notBefore.getTime())}`;
}

/** Makes messages known to the relay. */
export async function appendJobs(tx: Tx, jobs: readonly MessageJob[], now: Date): Promise<void> {
  const events = jobs.map(({ id, key, notBefore }): OutboxEvent => ({
    topic: MESSAGE_TOPIC,
    key: messageEventKey(key, notBefore),
    payload: { messageId: id },
  }));
  await appendEvents(tx, events, now);
}

/** Writes messages whose key is new, and their events where they need not wait: two statements, however many. */
export async function writeMessages(tx: Tx, rows: readonly NewRow[], now: Date): Promise<void> {
  if (rows.length === 0) return;
  const written = new Set((await insertMessages(tx, rows, now)).map(({ id }) => id));
  const jobs = rows
    .filter(({ id, notBefore }) => written.has(id) && notBefore === undefined)
    .map(({ id, key }): MessageJob => ({ id, key, notBefore: null }));
  await appendJobs(tx, jobs, now);
}

/** What most messages have no use for. */
export function plainRow(id: MessageId) {
  return {
    id,
    channel: "sms" as const,
    address: undefined,
    values: {},
    text: undefined,
    buttons: [],
    asksContact: false,
    contractId: undefined,
    receiptId: undefined,
    customerId: undefined,
    campaignId: undefined,
    fallbackOf: undefined,
    notBefore: undefined,
  };
}

/** The same words by SMS, for a message of a chat that did not arrive. */
export function fallbackRow(message: Message, id: MessageId): NewRow {
  const { toPhone, language, template, values, category } = message;
  return {
    ...plainRow(id),
    key: fallbackKey(message.key),
    toPhone,
    language,
    template,
    values,
    category,
    text: message.text ?? undefined,
    contractId: message.contractId ?? undefined,
    receiptId: message.receiptId ?? undefined,
    customerId: message.customerId ?? undefined,
    campaignId: message.campaignId ?? undefined,
    fallbackOf: message.id,
  };
}
