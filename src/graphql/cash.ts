import type { EnumRef } from "@pothos/core";
import type { Staff } from "../access/access.ts";
import { money, type Currency } from "../kernel/money.ts";
import type { CashLine, CashStatement } from "../payments/payments.ts";
import { pageArguments, type Builder, type BuilderTypes } from "./builder.ts";
import { defineCashCommands } from "./cash-commands.ts";
import { cashOf, defineCashTypes, requireAgent, type CashTypes } from "./cash-types.ts";
import { cursorId, cursorInstant, parsePage, ROWS_MAX, toConnection } from "./connections.ts";
import { requireActor } from "./context.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
const LINES_DEFAULT = 100;

/** Agents' cash: what they hold, hand over and earn. An agent sees the own cash and nobody else's. */
export function defineCash(builder: Builder, { currency }: { currency: EnumRef<BuilderTypes, Currency> }): void {
  const types = defineCashTypes(builder, currency);
  defineAgentCash(builder, types);
  defineLists(builder, types);
  defineStatement(builder, types);
  defineCashCommands(builder, types);
}

function defineAgentCash(builder: Builder, { receipt, standing }: CashTypes): void {
  const agentCash = builder.objectRef<Staff>("AgentCash").implement({
    fields: (t) => ({
      agent: t.field({ type: "Staff", resolve: (agent) => agent }),
      standings: t.field({
        type: [standing],
        description: "By currency.",
        resolve: async ({ id }, _args, context) => [...(await cashOf(context).standingsOf(context.db, id))],
      }),
      provisional: t.field({
        type: [receipt],
        description: `What waits, in the order in which it will be booked; at most ${ROWS_MAX}.`,
        resolve: async ({ id: agentId }, _args, context) => [
          ...(await cashOf(context).provisional(context.db, { agentId, limit: ROWS_MAX })),
        ],
      }),
    }),
  });
  builder.queryField("agentCash", (t) =>
    t.field({
      type: agentCash,
      errors: {},
      args: { agentId: t.arg.id({ description: "An agent may leave it out." }) },
      resolve: (_root, { agentId }, context) => requireAgent(context, agentId),
    }),
  );
}

function defineLists(builder: Builder, { receipt, handOver, handOverState, rule }: CashTypes): void {
  const connection = builder.connectionObject(
    { name: "CashHandOverConnection", type: handOver },
    { name: "CashHandOverEdge" },
  );
  builder.queryField("cashHandOvers", (t) =>
    t.field({
      type: connection,
      description: "Newest first. An agent sees the own ones.",
      args: { ...pageArguments(builder), state: t.arg({ type: handOverState }) },
      resolve: async (_root, args, context) => {
        const staff = requireActor(context);
        const page = parsePage(args, "cashHandOvers", 2);
        const [offeredAt, id] = [cursorInstant(page, 0), cursorId<"HandOver">(page, 1)];
        const rows = await cashOf(context).handOvers(context.db, {
          agentId: staff.role === "agent" ? staff.id : undefined,
          state: args.state ?? undefined,
          first: page.limit,
          after: offeredAt === undefined || id === undefined ? undefined : { offeredAt, id },
        });
        return toConnection(rows, {
          page,
          kind: "cashHandOvers",
          keysOf: (row) => [String(row.offeredAt.getTime()), row.id],
        });
      },
    }),
  );
  builder.queryField("provisionalCash", (t) =>
    t.field({
      type: [receipt],
      authScopes: OFFICE,
      description: `Receipts of all agents that wait for room; at most ${ROWS_MAX}.`,
      resolve: async (_root, _args, context) => [
        ...(await cashOf(context).provisional(context.db, { limit: ROWS_MAX })),
      ],
    }),
  );
  builder.queryField("commissionRules", (t) =>
    t.field({
      type: [rule],
      authScopes: OFFICE,
      description: "Newest first.",
      resolve: async (_root, _args, context) => [...(await cashOf(context).commissionRules(context.db))],
    }),
  );
}

function defineStatement(builder: Builder, { currency, receipt, standing }: CashTypes): void {
  const account = builder.enumType("CashAccount", { values: ["cash", "commission"] as const });
  const line = builder.objectRef<CashLine & { currency: Currency }>("CashLine").implement({
    fields: (t) => ({
      account: t.field({ type: account, resolve: (row) => row.account }),
      kind: t.exposeString("kind"),
      memo: t.exposeString("memo"),
      reference: t.exposeString("reference", { nullable: true }),
      amount: t.field({
        type: "Money",
        description: "Cash: into the agent's hands above zero. Commission: earned above zero.",
        resolve: (row) => money(row.amountMinor, row.currency),
      }),
      effectiveAt: t.expose("effectiveAt", { type: "DateTime" }),
      postedAt: t.expose("postedAt", { type: "DateTime" }),
    }),
  });
  const figures = [
    "opening",
    "collected",
    "handedOver",
    "other",
    "closing",
    "commissionOpening",
    "commissionEarned",
    "commissionTakenBack",
    "commissionPaid",
    "commissionClosing",
  ] as const;
  const statement = builder.objectRef<CashStatement>("AgentStatement").implement({
    description:
      "From the ledger, by the time at which things were written down, so that it never changes afterwards. Provisional receipts and the standing are as of now.",
    fields: (t) => ({
      from: t.expose("from", { type: "DateTime" }),
      to: t.expose("to", { type: "DateTime" }),
      ...Object.fromEntries(
        figures.map((name) => [
          name,
          t.field({ type: "Money", resolve: (row) => money(row[`${name}Minor`], row.standing.currency) }),
        ]),
      ),
      lines: t.field({
        type: [line],
        args: { limit: t.arg.int({ defaultValue: LINES_DEFAULT, description: `At most ${ROWS_MAX}.` }) },
        resolve: (row, { limit }) =>
          row.lines
            .slice(0, Math.min(Math.max(limit ?? LINES_DEFAULT, 1), ROWS_MAX))
            .map((posting) => ({ ...posting, currency: row.standing.currency })),
      }),
      provisional: t.field({ type: [receipt], resolve: (row) => [...row.provisional] }),
      standing: t.field({ type: standing, resolve: (row) => row.standing }),
    }),
  });
  builder.queryField("agentStatement", (t) =>
    t.field({
      type: statement,
      errors: {},
      args: {
        agentId: t.arg.id({ description: "An agent may leave it out." }),
        currency: t.arg({ type: currency, required: true }),
        from: t.arg({ type: "DateTime", required: true }),
        to: t.arg({ type: "DateTime", required: true }),
      },
      resolve: async (_root, { agentId, ...query }, context) =>
        cashOf(context).statementOf(context.db, { ...query, agentId: (await requireAgent(context, agentId)).id }),
    }),
  );
}
