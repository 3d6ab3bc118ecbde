import { and, asc, count, desc, eq, inArray, isNull, lt, lte, not, notExists, or, sql } from "drizzle-orm";
import { looksLikeId, type MessageId } from "../kernel/ids.ts";
import { rowsTable, type Db, type Tx } from "../platform/database.ts";
import { parseCost, type Cost } from "./costs.ts";
import { advance, type DeliveryReport, type DeliveryState } from "./delivery.ts";
import type { Button, MessageChannel } from "./gateway.ts";
import type { Message, MessageFilter } from "./messaging.ts";
import { messages, reports } from "./messaging.tables.ts";
import type { Language } from "../kernel/language.ts";
import type { Category } from "./texts.ts";

/** Reading needs no transaction, and may happen inside one. */
export type Reader = Pick<Db, "select">;

/** A message as it is first written down. Its text is given here where no template holds it. */
export interface NewRow {
  readonly id: MessageId;
  readonly key: string;
  readonly channel: MessageChannel;
  readonly address: string | undefined;
  readonly toPhone: string;
  readonly language: Language;
  readonly template: string;
  readonly values: Readonly<Record<string, string>>;
  readonly text: string | undefined;
  readonly buttons: readonly Button[];
  readonly asksContact: boolean;
  readonly category: Category;
  readonly contractId: string | undefined;
  readonly receiptId: string | undefined;
  readonly customerId: string | undefined;
  readonly campaignId: string | undefined;
  readonly fallbackOf: MessageId | undefined;
  readonly notBefore: Date | undefined;
}

/** Writes the messages whose key is new, with one statement; returns those. */
export async function insertMessages(tx: Tx, rows: readonly NewRow[], now: Date): Promise<{ id: MessageId }[]> {
  const { names, table } = rowsTable<NewRow>(rows, {
    id: ["uuid", ({ id }) => id],
    key: ["text", ({ key }) => key],
    channel: ["text", ({ channel }) => channel],
    address: ["text", ({ address }) => address],
    to_phone: ["text", ({ toPhone }) => toPhone],
    language: ["text", ({ language }) => language],
    template: ["text", ({ template }) => template],
    template_values: ["jsonb", ({ values }) => values],
    text: ["text", ({ text }) => text],
    buttons: ["jsonb", ({ buttons }) => buttons],
    asks_contact: ["boolean", ({ asksContact }) => asksContact],
    category: ["text", ({ category }) => category],
    contract_id: ["uuid", ({ contractId }) => contractId],
    receipt_id: ["uuid", ({ receiptId }) => receiptId],
    customer_id: ["uuid", ({ customerId }) => customerId],
    campaign_id: ["uuid", ({ campaignId }) => campaignId],
    fallback_of: ["uuid", ({ fallbackOf }) => fallbackOf],
    not_before: ["timestamptz", ({ notBefore }) => notBefore],
  });
  const inserted = await tx.execute<{ id: MessageId }>(sql`
    insert into messaging.messages (${names}, is_deferred, created_at, state_at)
    select ${names}, not_before is not null, at, at
    from ${table} as message (${names}), (values (${now.toISOString()}::timestamptz)) as present (at)
    on conflict (key) do nothing
    returning id`);
  return [...inserted];
}

/**
 * Takes a waiting message for one attempt, whose text it fixes: an earlier attempt's text stays. Undefined where
 * another worker has it, or where it waits no more.
 */
export async function claimMessage(
  db: Db | Tx,
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

/**
 * Records that the gateway took it, and what the gateway may have reported of it before this was written. Answers the state that
 * it has reached, and what it costs where the gateway said so.
 */
export async function recordAccepted(
  tx: Tx,
  { id, providerId, costText, now }: { id: MessageId; providerId: string; costText?: string; now: Date },
): Promise<{ readonly state: DeliveryState; readonly cost: Cost | undefined }> {
  await lockProviderId(tx, providerId);
  const early = await tx
    .select({ status: reports.status, failure: reports.failure })
    .from(reports)
    .where(eq(reports.providerId, providerId))
    .orderBy(asc(reports.id));
  const state = early.reduce((reached, { status }) => advance(reached, status), advance("waiting", "Queued"));
  const cost = costText === undefined ? undefined : parseCost(costText);
  await tx
    .update(messages)
    .set({
      state,
      providerId,
      costText: costText ?? null,
      cost: cost?.amount ?? null,
      costCurrency: cost?.currency ?? null,
      failure: early.find(({ failure }) => failure !== null)?.failure ?? null,
      claimedUntil: null,
      sentAt: now,
      stateAt: now,
    })
    .where(and(eq(messages.id, id), eq(messages.state, "waiting")));
  return { state, cost };
}

/** Puts a message off that may wait: until then no job knows of it, and the attempt was none. */
export async function deferMessage(
  tx: Tx,
  { id, notBefore, why }: { id: MessageId; notBefore: Date; why: string },
): Promise<void> {
  await tx
    .update(messages)
    .set({
      notBefore,
      isDeferred: true,
      failure: why,
      claimedUntil: null,
      attempts: sql`${messages.attempts} - 1`,
    })
    .where(and(eq(messages.id, id), eq(messages.state, "waiting")));
}

/** Takes those whose time has come, the oldest first; they are jobs again from now on. */
export async function takeDeferred(tx: Tx, now: Date, limit: number): Promise<MessageJob[]> {
  const due = tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(messages.isDeferred, lte(messages.notBefore, now)))
    .orderBy(asc(messages.notBefore))
    .limit(limit)
    .for("update", { skipLocked: true });
  return tx.update(messages).set({ isDeferred: false }).where(inArray(messages.id, due)).returning(job);
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

/**
 * Keeps a report and moves its message forward; answers where that has come to. A report of a message we do not know (yet) is kept
 * all the same.
 */
export async function recordReport(
  tx: Tx,
  report: DeliveryReport,
  now: Date,
): Promise<{ readonly outcome: ReportOutcome; readonly moved?: { id: MessageId; state: DeliveryState } }> {
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
  if (kept === undefined) return { outcome: "duplicate" };
  const [message] = await tx
    .select({ id: sql<MessageId>`${messages.id}`, state: messages.state })
    .from(messages)
    .where(eq(messages.providerId, report.providerId))
    .for("update");
  if (message === undefined) return { outcome: "unknown_message" };
  const state = advance(message.state, report.status);
  if (state === message.state) return { outcome: "unchanged" };
  await tx
    .update(messages)
    .set({ state, stateAt: now, ...(report.failure === undefined ? {} : { failure: report.failure }) })
    .where(eq(messages.id, message.id));
  return { outcome: "moved", moved: { id: message.id, state } };
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
  channel: messages.channel,
  address: messages.address,
  buttons: messages.buttons,
  asksContact: messages.asksContact,
  category: messages.category,
  customerId: messages.customerId,
  campaignId: messages.campaignId,
  fallbackOf: sql<MessageId | null>`${messages.fallbackOf}`,
  cost: messages.cost,
  costCurrency: messages.costCurrency,
  notBefore: messages.notBefore,
};

/** What the outbox needs of a message. */
export interface MessageJob {
  readonly id: MessageId;
  readonly key: string;
  readonly notBefore: Date | null;
}

const job = { id: shown.id, key: messages.key, notBefore: messages.notBefore };

export async function findMessage(reader: Reader, id: MessageId): Promise<Message | undefined> {
  const [message] = await reader.select(shown).from(messages).where(eq(messages.id, id));
  return message;
}

/** The same for an id from outside, which may be none. */
export async function findKnown(reader: Reader, id: string): Promise<Message | undefined> {
  return looksLikeId(id) ? findMessage(reader, id as MessageId) : undefined;
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
        filter.chat === undefined ? undefined : ofChat(filter.chat),
        after === undefined ? undefined : lt(messages.id, after),
      ),
    )
    .orderBy(desc(messages.id))
    .limit(first);
}

function ofChat({ channel, address, keys }: NonNullable<MessageFilter["chat"]>) {
  return or(
    and(eq(messages.channel, channel), eq(sql`coalesce(${messages.address}, ${messages.toPhone})`, address)),
    inArray(
      messages.key,
      keys.flatMap((key) => [key, fallbackKey(key)]),
    ),
  );
}

const BY_SMS = ":sms";

/** Names what goes by SMS for a message of another channel. */
export function fallbackKey(key: string): string {
  return key + BY_SMS;
}

/** Names the message that this one is, or went by SMS for. */
export function keyBefore(key: string): string {
  return key.endsWith(BY_SMS) ? key.slice(0, -BY_SMS.length) : key;
}

/** Messages that should have left long ago and that nobody is trying to send at this moment. Oldest first. */
export async function listOverdue(
  reader: Reader,
  { before, now, listMax }: { before: Date; now: Date; listMax: number },
): Promise<MessageJob[]> {
  return reader
    .select(job)
    .from(messages)
    .where(
      and(
        eq(messages.state, "waiting"),
        lt(messages.createdAt, before),
        not(messages.isDeferred),
        or(isNull(messages.notBefore), lt(messages.notBefore, before)),
        or(isNull(messages.claimedUntil), lte(messages.claimedUntil, now)),
      ),
    )
    .orderBy(asc(messages.createdAt))
    .limit(listMax);
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
