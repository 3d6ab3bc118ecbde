import { sql } from "drizzle-orm";
import type { E164 } from "../customers/customers.ts";
import type { CustomerId, Id } from "../kernel/ids.ts";
import type { MessageChannel } from "../messaging/messaging.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { HeardMessage } from "./channels/heard.ts";
import type { ChatKey, HeardId } from "./chats.store.ts";

/** A chat in which somebody has something to say to a person. */
export interface Conversation {
  readonly id: Id<"Conversation">;
  readonly channel: MessageChannel;
  /** Where answers go: a number, or Telegram's number of the chat. */
  readonly chat: string;
  readonly phone: E164 | undefined;
  readonly customerId: CustomerId | undefined;
  /** Which agents see it; empty: the office only. */
  readonly area: string;
  readonly state: ConversationState;
  readonly openedAt: Date;
  /** When the latest message came that is for a person. */
  readonly heardAt: Date;
  /** When the oldest came that nobody answered. */
  readonly waitsSince: Date | undefined;
  readonly closedAt: Date | undefined;
  readonly closedBy: string | undefined;
}

export type ConversationState = "waiting" | "answered" | "closed";

/** In the order of the list: whoever waits comes first. */
const STATES: readonly ConversationState[] = ["waiting", "answered", "closed"];
/** The same in the words of the index. */
const RANK = sql`(case when waits_since is not null then 0 when closed_at is null then 1 else 2 end)`;

interface Row extends Record<string, unknown> {
  id: Id<"Conversation">;
  channel: MessageChannel;
  chat: string;
  phone: E164 | null;
  customer_id: CustomerId | null;
  area: string | null;
  rank: number;
  opened_at: string;
  heard_at: string;
  waits_since: string | null;
  closed_at: string | null;
  closed_by: string | null;
}

const COLUMNS = sql`id, channel, chat, phone, customer_id, area, ${RANK} as rank, opened_at, heard_at, waits_since, closed_at, closed_by`;

function conversationOf(row: Row): Conversation {
  return {
    id: row.id,
    channel: row.channel,
    chat: row.chat,
    phone: row.phone ?? undefined,
    customerId: row.customer_id ?? undefined,
    area: row.area ?? "",
    state: STATES[row.rank] ?? "closed",
    openedAt: new Date(row.opened_at),
    heardAt: new Date(row.heard_at),
    waitsSince: row.waits_since === null ? undefined : new Date(row.waits_since),
    closedAt: row.closed_at === null ? undefined : new Date(row.closed_at),
    closedBy: row.closed_by ?? undefined,
  };
}

/** The last row of the page before. */
export type ConversationKey = Pick<Conversation, "state" | "heardAt" | "id">;

/** Whoever waits first, then those that are answered, then closed ones; of each the newest message last. */
export async function listConversations(
  db: Db | Tx,
  { state, area }: { state?: ConversationState | undefined; area?: string | undefined },
  { first, after }: { first: number; after?: ConversationKey | undefined },
): Promise<readonly Conversation[]> {
  const conditions = [
    ...(state === undefined ? [] : [sql`${RANK} = ${STATES.indexOf(state)}::integer`]),
    ...(area === undefined ? [] : [sql`area = ${area}`]),
    ...(after === undefined
      ? []
      : [
          sql`(${RANK}, heard_at, id) > (${STATES.indexOf(after.state)}::integer, ${after.heardAt.toISOString()}::timestamptz, ${after.id}::uuid)`,
        ]),
  ];
  const where = conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
  const rows = await db.execute<Row>(
    sql`select ${COLUMNS} from ussd.conversations where ${where} order by ${RANK}, heard_at, id limit ${first}`,
  );
  return rows.map(conversationOf);
}

export async function findConversation(
  db: Db | Tx,
  id: Id<"Conversation">,
  { isLocked = false }: { isLocked?: boolean } = {},
): Promise<Conversation | undefined> {
  const [row] = await db.execute<Row>(
    sql`select ${COLUMNS} from ussd.conversations where id = ${id}::uuid ${isLocked ? sql`for update` : sql``}`,
  );
  return row === undefined ? undefined : conversationOf(row);
}

/**
 * Lays a kept message before a person: its chat's conversation is open from now on and waits. `owner`: whose phone it is, `null` for
 * nobody that we know, undefined where nobody looked.
 */
export async function openConversation(
  tx: Tx,
  {
    id,
    heardId,
    owner,
  }: { id: Id<"Conversation">; heardId: HeardId; owner: { id: CustomerId; area: string } | null | undefined },
): Promise<void> {
  const isLookedUp = owner !== undefined;
  await tx.execute(sql`
    insert into ussd.conversations as c (id, channel, chat, phone, customer_id, area, opened_at, heard_at, waits_since)
    select ${id}::uuid, channel, chat, phone, ${owner?.id ?? null}::uuid, ${owner?.area ?? null}, heard_at, heard_at, heard_at
    from ussd.heard where id = ${heardId}::bigint
    on conflict (channel, chat) do update set phone = coalesce(excluded.phone, c.phone),
      customer_id = case when ${isLookedUp} then excluded.customer_id else c.customer_id end,
      area = case when ${isLookedUp} then excluded.area else c.area end,
      opened_at = case when c.closed_at is null then c.opened_at else excluded.opened_at end,
      heard_at = excluded.heard_at, waits_since = coalesce(c.waits_since, excluded.waits_since),
      replied_at = case when c.closed_at is null then c.replied_at end, closed_at = null, closed_by = null`);
}

/** Writes down who answered; nobody is waited for any more. */
export async function insertReply(
  tx: Tx,
  conversationId: Id<"Conversation">,
  { id, by, at }: { id: Id<"Reply">; by: string; at: Date },
): Promise<void> {
  const now = sql`${at.toISOString()}::timestamptz`;
  await tx.execute(sql`
    insert into ussd.replies (id, conversation_id, replied_by, replied_at)
    values (${id}::uuid, ${conversationId}::uuid, ${by}, ${now})`);
  await tx.execute(
    sql`update ussd.conversations set replied_at = ${now}, waits_since = null where id = ${conversationId}::uuid`,
  );
}

export async function closeConversation(
  tx: Tx,
  id: Id<"Conversation">,
  { by, at }: { by: string; at: Date },
): Promise<void> {
  await tx.execute(sql`
    update ussd.conversations set closed_at = ${at.toISOString()}::timestamptz, closed_by = ${by}, waits_since = null
    where id = ${id}::uuid`);
}

/** Who wrote the last answers, newest first. */
export async function lastReplies(
  db: Db | Tx,
  conversationId: Id<"Conversation">,
  limit: number,
): Promise<readonly { readonly id: Id<"Reply">; readonly by: string }[]> {
  return await db.execute<{ id: Id<"Reply">; by: string }>(sql`
    select id, replied_by as by from ussd.replies where conversation_id = ${conversationId}::uuid order by id desc limit ${limit}`);
}

/** What a person wrote, as it is kept. */
export interface HeardWords extends Pick<HeardMessage, "kind" | "text"> {
  readonly id: HeardId;
  readonly heardAt: Date;
  readonly isForPerson: boolean;
}

/** The last messages of the person whose chat it is now, newest first. One that is not answered yet may hold a PIN: nobody reads it. */
export async function lastHeard(
  db: Db | Tx,
  { channel, chat, phone }: Pick<Conversation, "channel" | "chat" | "phone">,
  limit: number,
): Promise<readonly HeardWords[]> {
  const rows = await db.execute<{
    id: HeardId;
    kind: HeardWords["kind"];
    text: string;
    heard_at: string;
    for_person: boolean;
  }>(sql`
    select id::text as id, kind, text, heard_at, for_person from ussd.heard
    where channel = ${channel} and chat = ${chat} and answered_at is not null and (phone is null or phone = ${phone ?? null})
    order by ussd.heard.id desc limit ${limit}`);
  return rows.map(({ id, kind, text, heard_at, for_person }) => ({
    id,
    kind,
    text,
    heardAt: new Date(heard_at),
    isForPerson: for_person,
  }));
}

/** What people expect of us in a chat. */
export interface Expected {
  /** They asked for a call and have not had it, or one of us talks with them: what they write now is for a person. */
  readonly isAwaited: boolean;
  /** Somebody reads along, or did lately: what no keyword answers is for them at once. */
  readonly isKnown: boolean;
}

export async function findExpected(
  tx: Tx,
  { channel, chat }: ChatKey,
  { phone, closedSince }: { phone: E164; closedSince: Date },
): Promise<Expected> {
  const [row] = await tx.execute<{ called: boolean; talks: boolean | null; known: boolean | null }>(sql`
    select exists (select 1 from ussd.wishes where phone = ${phone} and kind = 'call' and state <> 'done') as called,
      c.closed_at is null and c.replied_at is not null as talks,
      c.id is not null and coalesce(c.closed_at > ${closedSince.toISOString()}::timestamptz, true) as known
    from (values (1)) one left join ussd.conversations c on c.channel = ${channel} and c.chat = ${chat}`);
  return { isAwaited: row?.called === true || row?.talks === true, isKnown: row?.known === true };
}

/**
 * Forgets messages that came before an instant, a batch at a time; answers how many. One for a person is kept until its conversation
 * was closed before that instant too.
 */
export async function forgetHeard(tx: Tx, { before, limit }: { before: Date; limit: number }): Promise<number> {
  const instant = sql`${before.toISOString()}::timestamptz`;
  const rows = await tx.execute(sql`
    delete from ussd.heard where id in (
      select id from ussd.heard h where heard_at < ${instant} and answered_at is not null and (not for_person or exists (
        select 1 from ussd.conversations c where (c.channel, c.chat) = (h.channel, h.chat) and c.closed_at < ${instant}))
      order by heard_at limit ${limit} for update skip locked) returning 1`);
  return rows.length;
}
