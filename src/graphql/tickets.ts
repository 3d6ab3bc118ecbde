import { sightOf } from "../access/access.ts";
import type { Ticket, TicketNote } from "../ussd/ussd.ts";
import { pageArguments, type Builder } from "./builder.ts";
import { actOnVisible, type Command } from "./commands.ts";
import { cursorId, parsePage, toConnection } from "./connections.ts";
import { requireActor, type GraphqlContext } from "./context.ts";

/** What people asked for by phone: faults, calls, friends, newcomers. Agents see those of their own area. */
export function defineTickets(builder: Builder): void {
  const kind = builder.enumType("TicketKind", { values: ["fault", "call", "friend", "lead"] as const });
  const state = builder.enumType("TicketState", { values: ["open", "in_work", "done"] as const });
  const note = builder.objectRef<TicketNote>("TicketNote").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      note: t.exposeString("note"),
      by: t.exposeString("by"),
      at: t.expose("at", { type: "DateTime" }),
    }),
  });
  const ticket = builder.objectRef<Ticket>("Ticket").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      number: t.exposeString("number", { description: "As told to whoever asked." }),
      kind: t.field({ type: kind, resolve: (one) => one.kind }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      phone: t.exposeString("phone"),
      category: t.string({ nullable: true, resolve: (one) => one.category }),
      detail: t.string({ description: "What was said, as JSON.", resolve: (one) => JSON.stringify(one.detail) }),
      readings: t.string({
        nullable: true,
        description: "What the device told last when the fault was reported, as JSON.",
        resolve: (one) => (one.readings === undefined ? null : JSON.stringify(one.readings)),
      }),
      area: t.exposeString("area", { description: "Empty where nobody knows: the office sees it." }),
      openedAt: t.expose("openedAt", { type: "DateTime" }),
      stateAt: t.expose("stateAt", { type: "DateTime" }),
      stateBy: t.string({ nullable: true, resolve: (one) => one.stateBy }),
      customer: t.field({
        type: "Customer",
        nullable: true,
        resolve: ({ customerId }, _args, { services, db }) =>
          customerId === undefined ? undefined : services.customers.find(db, customerId),
      }),
      contract: t.field({
        type: "Contract",
        nullable: true,
        resolve: ({ contractId }, _args, { services, db }) =>
          contractId === undefined ? undefined : services.credit.find(db, contractId),
      }),
      notes: t.field({
        type: [note],
        resolve: async ({ id }, _args, { services, db }) => [...(await services.tickets.notesOf(db, id))],
      }),
    }),
  });
  const connection = builder.connectionObject({ name: "TicketConnection", type: ticket }, { name: "TicketEdge" });
  builder.queryField("tickets", (t) =>
    t.field({
      type: connection,
      description: "Newest first.",
      args: {
        ...pageArguments(builder),
        kind: t.arg({ type: kind }),
        state: t.arg({ type: state }),
        area: t.arg.string(),
      },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "tickets");
        const sight = sightOf(requireActor(context));
        // An agent's list stays in the agent's own area, whatever area was asked for.
        const area = sight.kind === "area" ? sight.area : (args.area ?? undefined);
        const filter = { kind: args.kind ?? undefined, state: args.state ?? undefined, area };
        const rows = await context.services.tickets.list(context.db, filter, {
          first: page.limit,
          after: cursorId<"Wish">(page),
        });
        return toConnection(rows, { page, kind: "tickets", keysOf: ({ id }) => [id] });
      },
    }),
  );
  const acts = [
    { name: "takeTicket", action: "ticket.take", description: "You work on it now; whoever reported a fault is told." },
    { name: "settleTicket", action: "ticket.settle", description: "It is done; whoever reported a fault is told." },
  ] as const;
  for (const { name, action, description } of acts)
    builder.mutationField(name, (t) =>
      t.field({
        type: ticket,
        errors: {},
        description,
        args: { id: t.arg.id({ required: true }), idempotencyKey: t.arg.string({ required: true }) },
        resolve: (_root, { idempotencyKey: key, ...input }, context) =>
          workOn(context, { mutation: name, action, key, input }, ({ tx, actor: by }, id) => {
            const { tickets } = context.services;
            return name === "takeTicket" ? tickets.take(tx, { id, by }) : tickets.settle(tx, { id, by });
          }),
      }),
    );
  builder.mutationField("noteTicket", (t) =>
    t.field({
      type: ticket,
      errors: {},
      description: "Writes down what was found out or agreed. Only those see it who work here.",
      args: {
        id: t.arg.id({ required: true }),
        note: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        workOn(context, { mutation: "noteTicket", action: "ticket.note", key, input }, ({ tx, actor: by }, id) =>
          context.services.tickets.note(tx, { id, note: input.note, by }),
        ),
    }),
  );
}

function workOn(
  context: GraphqlContext,
  act: { mutation: string; action: string; key: string; input: { readonly id: string } },
  work: (command: Command, id: Ticket["id"]) => Promise<Ticket>,
): Promise<Ticket> {
  const { find } = context.services.tickets;
  return actOnVisible(context, { ...act, what: "ticket", find, detailOf: ({ number }) => ({ number }) }, work);
}
