import { and, asc, count, desc, eq, isNull, lt, lte, notExists, or, sql } from "drizzle-orm";
import type { MessageId } from "../kernel/ids.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import { advance, type DeliveryReport } from "./delivery.ts";
import type { Message, MessageFilter, NewMessage } from "./messaging.ts";
import { messages, reports } from "./messaging.tables.ts";

/** Reading needs no transaction, and may happen inside one. */
export type Reader = Pick<Db, "select">;

/** Writes the messages whose key is new, with one statement; returns those. */
export async function insertMessages(
  tx: Tx,
  rows: readonly { readonly id: MessageId; readonly message: NewMessage }[],
  now: Date,
): Promise<{ id: MessageId; key: string }[]> {
  const texts = (pick: (message: NewMessage) => string) =>
    column(
      rows.map(({ message }) => pick(message)),
      "text",
    );
  const uuids = (pick: (row: (typeof rows)[number]) => string | undefined) => column(rows.map(pick), "uuid");
  const values = column(
    rows.map(({ message }) => message.values),
    "jsonb",
  );
  const inserted = await tx.execute<{ id: MessageId; key: string }>(sql`
    insert into messaging.messages
      (id, key, to_phone, language, template, template_values, contract_id, receipt_id, created_at, state_at)
    select id, key, to_phone, language, template, template_values, contract_id, receipt_id, at, at
    from unnest(
      ${uuids(({ id }) => id)}, ${texts(({ key }) => key)}, ${texts(({ toPhone }) => toPhone)},
      ${texts(({ language }) => language)}, ${texts(({ template }) => template)}, ${values},
      ${uuids(({ message }) => message.about?.contractId)}, ${uuids(({ message }) => message.about?.receiptId)}
    ) as message (id, key, to_phone, language, template, template_values, contract_id, receipt_id),
    (values (${now.toISOString()}::timestamptz)) as present (at)
    on conflict (key) do nothing
    returning id, key`);
  return [...inserted];
}

/**
 * Takes a waiting message for one attempt, whose text it fixes: an earlier attempt's text stays. Undefined where
 * another worker has it, or where it waits no more.
 */
export async function claimMessage(
  db: Db,
  { id, text, now, claimMs }: { id: MessageId; text: string; now: Date; claimMs: number },
): Promise<{ text: string } | undefined> {
  const [claimed] = await db
    .update(messages)
    .set({
      text: sql`coalesce(${messages.text}, ${text})`,
      attempts: sql`${messages.attempts} + 1`,
      claimedUntil: new Date(now.getTime() + claimMs),
    })
    .where(
      and(
        eq(messages.id, id),
        eq(messages.state, "waiting"),
        or(isNull(messages.claimedUntil), lte(messages.claimedUntil, now)),
      ),
    )
    .returning({ text: messages.text });
  return claimed === undefined ? undefined : { text: claimed.text ?? text };
}

/** Records that the gateway took it, and what the gateway may have reported of it before this was written. */
export async function recordAccepted(
  tx: Tx,
  { id, providerId, costText, now }: { id: MessageId; providerId: string; costText: string | undefined; now: Date },
): Promise<void> {
  await lockProviderId(tx, providerId);
  const early = await tx
    .select({ status: reports.status, failure: reports.failure })
    .from(reports)
    .where(eq(reports.providerId, providerId))
    .orderBy(asc(reports.id));
  const state = early.reduce((reached, { status }) => advance(reached, status), advance("waiting", "Queued"));
  await tx
    .update(messages)
    .set({
      state,
      providerId,
      costText: costText ?? null,
      failure: early.find(({ failure }) => failure !== null)?.failure ?? null,
      claimedUntil: null,
      sentAt: now,
      stateAt: now,
    })
    .where(and(eq(messages.id, id), eq(messages.state, "waiting")));
}

/** Records a refusal for good, or ends the attempt so that the next may begin at once. */
export async function recordNotAccepted(
  tx: Tx,
  { id, reason, permanent, now }: { id: MessageId; reason: string; permanent: boolean; now: Date },
): Promise<void> {
  await tx
    .update(messages)
    .set({ failure: reason, claimedUntil: null, ...(permanent ? { state: "refused", stateAt: now } : {}) })
    .where(and(eq(messages.id, id), eq(messages.state, "waiting")));
}

export type ReportOutcome = "moved" | "unchanged" | "duplicate" | "unknown_message";

/** Keeps a report and moves its message forward. One of a message we do not know (yet) is kept all the same. */
export async function recordReport(tx: Tx, report: DeliveryReport, now: Date): Promise<ReportOutcome> {
  await lockProviderId(tx, report.providerId);
  const [kept] = await tx
    .insert(reports)
    .values({
      providerId: report.providerId,
      status: report.status,
      toPhone: report.phone ?? null,
      networkCode: report.networkCode ?? null,
      failure: report.failure ?? null,
      receivedAt: now,
    })
    .onConflictDoNothing()
    .returning({ id: reports.id });
  if (kept === undefined) return "duplicate";
  const [message] = await tx
    .select({ id: messages.id, state: messages.state })
    .from(messages)
    .where(eq(messages.providerId, report.providerId))
    .for("update");
  if (message === undefined) return "unknown_message";
  const state = advance(message.state, report.status);
  if (state === message.state) return "unchanged";
  await tx
    .update(messages)
    .set({ state, stateAt: now, ...(report.failure === undefined ? {} : { failure: report.failure }) })
    .where(eq(messages.id, message.id));
  return "moved";
}

/** A report and the record of the send it is about may run at the same moment: one of the two must see the other. */
async function lockProviderId(tx: Tx, providerId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`messaging:${providerId}`}, 0))`);
}

const shown = {
  id: sql<MessageId>`${messages.id}`,
  key: messages.key,
  toPhone: messages.toPhone,
  language: messages.language,
  template: messages.template,
  values: messages.values,
  contractId: messages.contractId,
  receiptId: messages.receiptId,
  state: messages.state,
  text: messages.text,
  providerId: messages.providerId,
  costText: messages.costText,
  failure: messages.failure,
  attempts: messages.attempts,
  createdAt: messages.createdAt,
  sentAt: messages.sentAt,
  stateAt: messages.stateAt,
};

export async function findMessage(reader: Reader, id: MessageId): Promise<Message | undefined> {
  const [message] = await reader.select(shown).from(messages).where(eq(messages.id, id));
  return message;
}

/** Newest first, those before `after`. */
export async function listMessages(
  reader: Reader,
  { filter, first, after }: { filter: MessageFilter; first: number; after: MessageId | undefined },
): Promise<Message[]> {
  return reader
    .select(shown)
    .from(messages)
    .where(
      and(
        filter.contractId === undefined ? undefined : eq(messages.contractId, filter.contractId),
        filter.receiptId === undefined ? undefined : eq(messages.receiptId, filter.receiptId),
        filter.toPhone === undefined ? undefined : eq(messages.toPhone, filter.toPhone),
        filter.state === undefined ? undefined : eq(messages.state, filter.state),
        after === undefined ? undefined : lt(messages.id, after),
      ),
    )
    .orderBy(desc(messages.id))
    .limit(first);
}

/** Keys of messages that should have left long ago and that nobody is trying to send at this moment. Oldest first. */
export async function listOverdueKeys(
  reader: Reader,
  { createdBefore, now, listMax }: { createdBefore: Date; now: Date; listMax: number },
): Promise<string[]> {
  const rows = await reader
    .select({ key: messages.key })
    .from(messages)
    .where(
      and(
        eq(messages.state, "waiting"),
        lt(messages.createdAt, createdBefore),
        or(isNull(messages.claimedUntil), lte(messages.claimedUntil, now)),
      ),
    )
    .orderBy(asc(messages.createdAt))
    .limit(listMax);
  return rows.map(({ key }) => key);
}

/** How many reports are of messages that nobody here sent. */
export async function countUnknownReports(reader: Reader): Promise<number> {
  const known = reader
    .select({ one: sql`1` })
    .from(messages)
    .where(eq(messages.providerId, reports.providerId));
  const [counted] = await reader.select({ reports: count() }).from(reports).where(notExists(known));
  return counted?.reports ?? 0;
}
