import { sightOf } from "../access/access.ts";
import type { Conversation, ConversationMessage, ConversationState } from "../ussd/ussd.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { actOnVisible, type Command } from "./commands.ts";
import { cursorId, cursorInstant, cursorNumber, parsePage, toConnection, type Page } from "./connections.ts";
import { requireActor, type GraphqlContext } from "./context.ts";

const STATES = ["waiting", "answered", "closed"] as const satisfies readonly ConversationState[];
const SEEN = "The conversation's heardAt as you saw it: refused when the person has written since.";
const MESSAGES_DEFAULT = 20;
const MESSAGES_MAX = 100;

/** People who wrote what no machine answers, and what they are told. Agents see those of their own area. */
export function defineInbox(builder: Builder): void {
  const state = builder.enumType("ConversationState", { values: STATES });
  const side = builder.enumType("ConversationSide", { values: ["person", "staff", "washa"] as const });
  const kind = builder.enumType("HeardKind", { values: ["text", "choice", "contact", "other"] as const });
  const message = builder.objectRef<ConversationMessage>("ConversationMessage").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      from: t.field({ type: side, resolve: ({ from }) => from }),
      kind: t.field({ type: kind, description: "other: voice, pictures.", resolve: (one) => one.kind }),
      text: t.string({
        nullable: true,
        description: "Null where nothing was typed, or where a PIN may have been in it.",
        resolve: ({ text }) => text,
      }),
      at: t.expose("at", { type: "DateTime" }),
      channel: t.exposeString("channel", { description: "An answer may follow a person by sms." }),
      isForPerson: t.exposeBoolean("isForPerson", { description: "One of us should read it." }),
      state: t.string({
        nullable: true,
        description: "How far one of ours came: waiting, queued, sent, delivered, read, failed, refused and so on.",
        resolve: (one) => one.state,
      }),
      failure: t.string({ nullable: true, resolve: ({ failure }) => failure }),
      by: t.string({ nullable: true, description: "Who of us wrote it.", resolve: ({ by }) => by }),
    }),
  });
  const conversation = builder.objectRef<Conversation>("Conversation").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      channel: t.exposeString("channel", { description: "sms, whatsapp or telegram." }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      phone: t.string({ nullable: true, resolve: ({ phone }) => phone }),
      area: t.exposeString("area", { description: "Empty where nobody knows: the office sees it." }),
      openedAt: t.expose("openedAt", { type: "DateTime" }),
      heardAt: t.expose("heardAt", {
        type: "DateTime",
        description: "When the latest message came that is for a person.",
      }),
      waitsSince: t.field({
        type: "DateTime",
        nullable: true,
        description: "When the oldest came that nobody answered.",
        resolve: ({ waitsSince }) => waitsSince,
      }),
      freeTextUntil: t.field({
        type: "DateTime",
        nullable: true,
        description: "Until when the channel takes our words; null where it always does.",
        resolve: (one, _args, { services, db }) => services.inbox.freeTextUntil(db, one),
      }),
      closedAt: t.field({ type: "DateTime", nullable: true, resolve: ({ closedAt }) => closedAt }),
      closedBy: t.string({ nullable: true, resolve: ({ closedBy }) => closedBy }),
      customer: t.field({
        type: "Customer",
        nullable: true,
        resolve: ({ customerId }, _args, { services, db }) =>
          customerId === undefined ? undefined : services.customers.find(db, customerId),
      }),
      messages: t.field({
        type: [message],
        description: `The last ones both ways, the newest last; ${MESSAGES_MAX} at most.`,
        args: { limit: t.arg.int({ defaultValue: MESSAGES_DEFAULT }) },
        resolve: async (one, { limit }, { services, db }) => {
          const most = Math.min(Math.max(limit ?? MESSAGES_DEFAULT, 1), MESSAGES_MAX);
          return [...(await services.inbox.messagesOf(db, one, most))];
        },
      }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "ConversationConnection", type: conversation },
    { name: "ConversationEdge" },
  );
  builder.queryField("conversations", (t) =>
    t.field({
      type: connection,
      description:
        "Whoever waits first, then those that are answered, then closed ones; of each the newest message last.",
      args: { ...pageArguments(builder), state: t.arg({ type: state }), area: t.arg.string() },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "conversations", 3);
        const sight = sightOf(requireActor(context));
        // An agent's list stays in the agent's own area, whatever area was asked for.
        const area = sight.kind === "area" ? sight.area : (args.area ?? undefined);
        const rows = await context.services.inbox.list(
          context.db,
          { state: args.state ?? undefined, area },
          { first: page.limit, after: lastOf(page) },
        );
        const keysOf = (one: Conversation): readonly string[] => [
          String(STATES.indexOf(one.state)),
          String(one.heardAt.getTime()),
          one.id,
        ];
        return toConnection(rows, { page, kind: "conversations", keysOf });
      },
    }),
  );
  builder.mutationField("replyToPerson", (t) =>
    t.field({
      type: conversation,
      errors: {},
      description:
        "Answers on the same channel. A day after the person last wrote on WhatsApp it goes by SMS where they agreed to messages, and is refused (WINDOW_SHUT) elsewhere.",
      args: {
        id: t.arg.id({ required: true }),
        text: t.arg.string({ required: true }),
        seenAt: t.arg({ type: "DateTime", description: SEEN }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        workOn(
          context,
          { mutation: "replyToPerson", action: "conversation.reply", key, input },
          ({ tx, actor: by }, id) =>
            context.services.inbox.reply(tx, { id, text: input.text, by, seenAt: input.seenAt ?? undefined }),
        ),
    }),
  );
  builder.mutationField("closeConversation", (t) =>
    t.field({
      type: conversation,
      errors: {},
      description: "Nobody needs to look at it until the person writes to a person again.",
      args: {
        id: t.arg.id({ required: true }),
        seenAt: t.arg({ type: "DateTime", description: SEEN }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        workOn(
          context,
          { mutation: "closeConversation", action: "conversation.close", key, input },
          ({ tx, actor: by }, id) => context.services.inbox.close(tx, { id, by, seenAt: input.seenAt ?? undefined }),
        ),
    }),
  );
}

function lastOf(page: Page): Pick<Conversation, "state" | "heardAt" | "id"> | undefined {
  const [rank, heardAt, id] = [cursorNumber(page, 0), cursorInstant(page, 1), cursorId<"Conversation">(page, 2)];
  const state = STATES[Number(rank)];
  return state === undefined || heardAt === undefined || id === undefined ? undefined : { state, heardAt, id };
}

function workOn(
  context: GraphqlContext,
  act: { mutation: string; action: string; key: string; input: { readonly id: string } },
  work: (command: Command, id: Conversation["id"]) => Promise<void>,
): Promise<Conversation> {
  const { find } = context.services.inbox;
  return actOnVisible(context, { ...act, what: "conversation", find, detailOf: ({ channel }) => ({ channel }) }, work);
}
