import type { CustomerId, Id, MakeId } from "../kernel/ids.ts";
import type { Customer, Customers } from "../customers/customers.ts";
import type { Language } from "../kernel/language.ts";
import { InvalidInput, NotAllowedNow, NotFound, Refusal } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import { keyBefore, type Message, type MessageChannel, type Messaging } from "../messaging/messaging.ts";
import type { Db, Tx } from "../platform/database.ts";
import { isTypable } from "./channels/typable.ts";
import * as store from "./inbox.store.ts";
import type { Conversation, ConversationKey, ConversationState, HeardWords } from "./inbox.store.ts";

export type { Conversation, ConversationState } from "./inbox.store.ts";

/** WhatsApp takes no free text now, and the person did not agree to be written to otherwise. */
export class WindowShut extends Refusal {
  readonly code = "WINDOW_SHUT";
  constructor() {
    super(
      "WhatsApp takes our words for 24 hours after the person's last message, and there is no consent to SMS. Call them, or wait until they write again.",
    );
  }
}

/** One message of a conversation, whoever wrote it. */
export interface ConversationMessage {
  readonly id: string;
  readonly from: "person" | "staff" | "washa";
  readonly kind: HeardWords["kind"];
  /** Undefined where nothing was typed, or where it was not kept because a PIN may have been in it. */
  readonly text: string | undefined;
  readonly at: Date;
  /** The way that it went: an answer may follow the person by SMS. */
  readonly channel: MessageChannel;
  readonly isForPerson: boolean;
  /** How far one of ours came. */
  readonly state: Message["state"] | undefined;
  /** Why it did not arrive, in the gateway's words. */
  readonly failure: string | undefined;
  /** Who of us wrote it. */
  readonly by: string | undefined;
}

/** What somebody of us does about a conversation. */
export interface InboxOrder {
  readonly id: Id<"Conversation">;
  readonly by: string;
  /** The conversation's `heardAt` as they saw it: nothing is done when the person has written since. Undefined: done in any case. */
  readonly seenAt?: Date | undefined;
}

/** People who wait for a person, and what they are told. */
export interface Inbox {
  /** Whoever waits first, then those that are answered, then closed ones; of each the newest message last. */
  list(
    db: Db | Tx,
    filter: { state?: ConversationState | undefined; area?: string | undefined },
    page: { first: number; after?: ConversationKey | undefined },
  ): Promise<readonly Conversation[]>;
  find(db: Db | Tx, id: Id<"Conversation">): Promise<Conversation | undefined>;
  /** The last `limit` messages of the chat both ways, the newest last. */
  messagesOf(db: Db | Tx, conversation: Conversation, limit: number): Promise<readonly ConversationMessage[]>;
  /** Until when free text goes; undefined where it always does. */
  freeTextUntil(db: Db | Tx, conversation: Conversation): Promise<Date | undefined>;
  /**
   * Answers on the same channel; where it takes no free text now, or loses the answer, by SMS to whoever agreed to messages. Throws
   * `NotAllowedNow` for a conversation that is closed or went on unseen, `WindowShut`, and `InvalidInput` for a text without words or with too many.
   */
  reply(tx: Tx, order: InboxOrder & { text: string }): Promise<void>;
  /** Nobody needs to look at it until the person writes again. Closed twice is closed. Throws `NotAllowedNow` where it went on unseen. */
  close(tx: Tx, order: InboxOrder): Promise<void>;
}

/** Three SMS at the most in the letters of a basic phone, and seven in others: what is longer is a matter for a call. */
const TEXT_CHARACTERS_MAX = 459;

export function makeInbox({
  clock,
  makeId,
  language,
  customers,
  messaging,
}: {
  clock: Clock;
  makeId: MakeId;
  /** Of people whom we do not know. */
  language: Language;
  customers: Pick<Customers, "find">;
  messaging: Pick<Messaging, "reply" | "list" | "freeTextUntil">;
}): Inbox {
  async function lock(tx: Tx, { id, seenAt }: InboxOrder): Promise<Conversation> {
    const conversation = await store.findConversation(tx, id, { isLocked: true });
    if (conversation === undefined) throw new NotFound("conversation", "id");
    if (seenAt !== undefined && conversation.heardAt > seenAt)
      throw new NotAllowedNow("The person has written since. Read it first.");
    return conversation;
  }

  const freeTextUntil: Inbox["freeTextUntil"] = (db, { channel, chat: address }) =>
    messaging.freeTextUntil(db, { channel, address });

  async function wayTo(tx: Tx, conversation: Conversation, agreedId: CustomerId | undefined) {
    const { channel, chat, phone } = conversation;
    const until = await freeTextUntil(tx, conversation);
    if (until === undefined || until > clock.now()) return { channel, to: chat };
    if (agreedId === undefined || phone === undefined) throw new WindowShut();
    return { channel: "sms" as const, to: phone };
  }

  return {
    list: store.listConversations,
    find: (db, id) => store.findConversation(db, id),
    freeTextUntil,
    async messagesOf(db, conversation, limit) {
      const { id, channel, chat: address, phone } = conversation;
      const replies = await store.lastReplies(db, id, limit);
      const keys = replies.map((reply) => replyKey(reply.id));
      const { messages } = await messaging.list(db, {
        filter: { toPhone: phone ?? address, chat: { channel, address, keys } },
        first: limit,
      });
      const authors = new Map(replies.map(({ id: replyId, by }) => [replyKey(replyId), by]));
      const heard = await store.lastHeard(db, conversation, limit);
      // Both newest first; of the same instant, what was written earlier stays before.
      return [...messages.map((one) => ourWords(one, authors)), ...heard.map((one) => heardWords(one, channel))]
        .toReversed()
        .toSorted((left, right) => left.at.getTime() - right.at.getTime())
        .slice(-limit);
    },
    async reply(tx, order) {
      const { id, by } = order;
      const words = parseWords(order.text);
      const conversation = await lock(tx, order);
      if (conversation.state === "closed")
        throw new NotAllowedNow("This conversation is closed. It opens again when the person writes.");
      const { customerId, phone } = conversation;
      const customer = customerId === undefined ? undefined : await customers.find(tx, customerId);
      const agreedId = agreesToSms(customer) ? customer?.id : undefined;
      const way = await wayTo(tx, conversation, agreedId);
      const replyId = makeId<"Reply">();
      await store.insertReply(tx, id, { id: replyId, by, at: clock.now() });
      await messaging.reply(tx, [
        {
          key: replyKey(replyId),
          ...way,
          phone,
          language: customer?.language ?? language,
          text: words,
          buttons: [],
          customerId: agreedId,
        },
      ]);
    },
    async close(tx, order) {
      const { id, by } = order;
      if ((await lock(tx, order)).state !== "closed") await store.closeConversation(tx, id, { by, at: clock.now() });
    },
  };
}

const replyKey = (id: Id<"Reply">): string => `inbox:${id}`;

function agreesToSms(customer: Customer | undefined): boolean {
  return customer !== undefined && customer.serviceConsentAt !== null;
}

/** Lines may be broken; what no phone shows is refused, since nobody sees that it was lost. */
function parseWords(text: string): string {
  const words = text.trim().replaceAll("\r\n", "\n");
  const isReadable = words.split("\n").every(isTypable);
  if (words === "" || words.length > TEXT_CHARACTERS_MAX || !isReadable)
    throw new InvalidInput(`An answer has 1 to ${TEXT_CHARACTERS_MAX} characters that a phone can show.`, "text");
  return words;
}

function heardWords({ id, kind, text, heardAt, isForPerson }: HeardWords, channel: MessageChannel) {
  return {
    id: `heard:${id}`,
    from: "person" as const,
    kind,
    text: kind === "text" && text !== "" ? text : undefined,
    at: heardAt,
    channel,
    isForPerson,
    state: undefined,
    failure: undefined,
    by: undefined,
  };
}

function ourWords(message: Message, authors: ReadonlyMap<string, string>) {
  const { id, key, channel, state, failure } = message;
  const by = authors.get(keyBefore(key));
  return {
    id,
    from: by === undefined ? ("washa" as const) : ("staff" as const),
    kind: "text" as const,
    text: message.text ?? undefined,
    at: message.createdAt,
    channel,
    isForPerson: false,
    state,
    failure: failure ?? undefined,
    by,
  };
}
