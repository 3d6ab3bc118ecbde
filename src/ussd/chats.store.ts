import type { Language } from "../kernel/language.ts";
import { sql } from "drizzle-orm";
import type { E164 } from "../customers/customers.ts";
import type { MessageChannel } from "../messaging/messaging.ts";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { Id } from "../kernel/ids.ts";
import { mayHoldPin, type HeardMessage } from "./channels/heard.ts";
import { openConversation } from "./inbox.store.ts";

/** A chat of a channel. */
export interface ChatKey {
  readonly channel: MessageChannel;
  readonly chat: string;
}

/** Names a message that was kept: the number of its row. */
export type HeardId = string;

export interface StoredMessage extends Pick<HeardMessage, "kind" | "text" | "phone" | "language"> {
  readonly id: HeardId;
}

export interface StoredChat {
  /** Whose it is; undefined until they shared it. */
  readonly phone: E164 | undefined;
  /** Messages in a row that were not understood. */
  readonly misses: number;
}

/** Keeps messages that were not kept before, with one statement; answers those. */
export async function insertHeard(tx: Tx, messages: readonly HeardMessage[], now: Date): Promise<readonly HeardId[]> {
  const texts = (pick: (message: HeardMessage) => string | undefined) => column(messages.map(pick), "text");
  const rows = await tx.execute<{ id: HeardId }>(sql`
    insert into ussd.heard (channel, message_id, chat, phone, kind, text, language, said_at, heard_at)
    select channel, message_id, chat, phone, kind, text, language, said_at, ${now.toISOString()}::timestamptz
    from unnest(
      ${texts(({ channel }) => channel)}, ${texts(({ messageId }) => messageId)}, ${texts(({ chat }) => chat)},
      ${texts(({ phone }) => phone)}, ${texts(({ kind }) => kind)}, ${texts(({ text }) => text)},
      ${texts(({ language }) => language)},
      ${column(
        messages.map(({ at }) => at.toISOString()),
        "timestamptz",
      )}
    ) as message (channel, message_id, chat, phone, kind, text, language, said_at)
    on conflict (channel, message_id) do nothing returning id::text as id`);
  return rows.map(({ id }) => id);
}

/** Remembers when somebody last wrote: messaging reads it, since WhatsApp takes free text for a day after it. */
export async function openWindows(tx: Tx, messages: readonly HeardMessage[], now: Date): Promise<void> {
  const latest = new Map<string, { readonly channel: string; readonly address: string; readonly atMs: number }>();
  for (const { channel, chat: address, at } of messages) {
    const key = `${channel} ${address}`;
    // A clock that is ahead of ours opens no window that is not there.
    const atMs = Math.min(at.getTime(), now.getTime());
    if (atMs > (latest.get(key)?.atMs ?? -Infinity)) latest.set(key, { channel, address, atMs });
  }
  // In one order, so that two updates at once never wait for each other in a circle.
  const windows = [...latest].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, one]) => one);
  await tx.execute(sql`
    insert into messaging.windows (channel, address, heard_at)
    select channel, address, heard_at from unnest(
      ${column(
        windows.map(({ channel }) => channel),
        "text",
      )},
      ${column(
        windows.map(({ address }) => address),
        "text",
      )},
      ${column(
        windows.map(({ atMs }) => new Date(atMs).toISOString()),
        "timestamptz",
      )}
    ) as opened (channel, address, heard_at)
    on conflict (channel, address) do update set heard_at = greatest(messaging.windows.heard_at, excluded.heard_at)`);
}

export async function findChatOf(db: Db | Tx, id: HeardId): Promise<ChatKey | undefined> {
  const [row] = await db.execute<{ channel: MessageChannel; chat: string }>(
    sql`select channel, chat from ussd.heard where id = ${id}::bigint`,
  );
  return row;
}

/** Holds a chat until the transaction ends, whether it was there before or not. */
export async function lockChat(tx: Tx, { channel, chat }: ChatKey, now: Date): Promise<StoredChat> {
  await tx.execute(sql`
    insert into ussd.chats (channel, chat, opened_at) values (${channel}, ${chat}, ${now.toISOString()}::timestamptz)
    on conflict (channel, chat) do nothing`);
  const [row] = await tx.execute<{ phone: E164 | null; misses: number }>(
    sql`select phone, misses from ussd.chats where channel = ${channel} and chat = ${chat} for update`,
  );
  return { phone: row?.phone ?? undefined, misses: row?.misses ?? 0 };
}

/** The message that a chat waits longest for an answer to. */
export async function oldestWaiting(tx: Tx, { channel, chat }: ChatKey): Promise<StoredMessage | undefined> {
  const [row] = await tx.execute<{
    id: HeardId;
    kind: StoredMessage["kind"];
    text: string;
    phone: E164 | null;
    language: string | null;
  }>(sql`
    select id::text as id, kind, text, phone, language from ussd.heard
    where channel = ${channel} and chat = ${chat} and answered_at is null order by ussd.heard.id limit 1`);
  return row === undefined ? undefined : { ...row, phone: row.phone ?? undefined, language: row.language ?? undefined };
}

/** Ends the waiting of a message. `isSecret`: what was typed is not kept. */
export async function recordAnswered(
  tx: Tx,
  id: HeardId,
  {
    phone,
    isForPerson,
    isSecret,
    now,
  }: { phone: E164 | undefined; isForPerson: boolean; isSecret: boolean; now: Date },
): Promise<void> {
  await tx.execute(sql`
    update ussd.heard set answered_at = ${now.toISOString()}::timestamptz, for_person = ${isForPerson},
      phone = coalesce(phone, ${phone ?? null}), text = case when ${isSecret} then '' else text end
    where id = ${id}::bigint`);
}

export async function saveMisses(tx: Tx, { channel, chat }: ChatKey, misses: number): Promise<void> {
  await tx.execute(
    sql`update ussd.chats set misses = ${misses} where channel = ${channel} and chat = ${chat} and misses <> ${misses}`,
  );
}

/** Makes a chat that of a phone, and answers which chat had been it. */
export async function linkChat(
  tx: Tx,
  { channel, chat }: ChatKey,
  { phone, now }: { phone: E164; now: Date },
): Promise<string | undefined> {
  const [moved] = await tx.execute<{ chat: string }>(sql`
    update ussd.chats set phone = null where channel = ${channel} and phone = ${phone} and chat <> ${chat} returning chat`);
  await tx.execute(sql`
    update ussd.chats set phone = ${phone}, linked_at = ${now.toISOString()}::timestamptz
    where channel = ${channel} and chat = ${chat}`);
  return moved?.chat;
}

/** The language of a stranger, where none was chosen yet. */
export async function suggestLanguage(
  tx: Tx,
  { phone, language, now }: { phone: E164; language: Language; now: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into ussd.callers (phone, language, changed_at) values (${phone}, ${language}, ${now.toISOString()}::timestamptz)
    on conflict (phone) do nothing`);
}

/**
 * Counts that the oldest waiting message of a chat could not be answered; the `attemptsMax`-th time it is laid before a person
 * and holds up nobody any more. Answers whether it was laid aside.
 */
export async function recordFailure(
  tx: Tx,
  key: ChatKey,
  { attemptsMax, conversationId, now }: { attemptsMax: number; conversationId: Id<"Conversation">; now: Date },
): Promise<boolean> {
  const { phone } = await lockChat(tx, key, now);
  const message = await oldestWaiting(tx, key);
  if (message === undefined) return false;
  const [row] = await tx.execute<{ attempts: number }>(
    sql`update ussd.heard set attempts = attempts + 1 where id = ${message.id}::bigint returning attempts`,
  );
  if ((row?.attempts ?? 0) < attemptsMax) return false;
  await recordAnswered(tx, message.id, { phone, isForPerson: true, isSecret: mayHoldPin(message.text), now });
  // Nobody is looked up: that may be what failed.
  await openConversation(tx, { id: conversationId, heardId: message.id, owner: undefined });
  return true;
}

/** Messages that should have been answered long ago, oldest first: their jobs were lost. */
export async function listOverdue(
  tx: Tx,
  { heardBefore, listMax }: { heardBefore: Date; listMax: number },
): Promise<readonly HeardId[]> {
  const rows = await tx.execute<{ id: HeardId }>(sql`
    select id::text as id from ussd.heard where answered_at is null and heard_at < ${heardBefore.toISOString()}::timestamptz
    order by ussd.heard.id limit ${listMax}`);
  return rows.map(({ id }) => id);
}

/** Telegram's number of the chat of each of these phones that has one. */
export async function telegramChatsOf(tx: Tx, phones: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (phones.length === 0) return new Map();
  const rows = await tx.execute<{ phone: string; chat: string }>(sql`
    select phone, chat from ussd.chats where channel = 'telegram' and phone = any(${column(phones, "text")})`);
  return new Map(rows.map(({ phone, chat }) => [phone, chat]));
}
