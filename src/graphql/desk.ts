import { NotFound } from "../kernel/refusal.ts";
import type { ApprovalId } from "../payments/payments.ts";
import { pageArguments, parseId, type Builder } from "./builder.ts";
import { actOnce, type Command } from "./commands.ts";
import { cursorId, cursorInstant, parsePage, toConnection } from "./connections.ts";
import type { GraphqlContext } from "./context.ts";
import { defineDeskCommands } from "./desk-commands.ts";
import { defineDeskTypes, type DeskTypes } from "./desk-types.ts";

const OFFICE = { roles: ["admin", "operations"] as const };

/** The reconciliation desk: what waits to be explained, what may explain it, and the acts that do. For the office only. */
export function defineDesk(builder: Builder): void {
  const types = defineDeskTypes(builder);
  defineReading(builder, types);
  defineApprovals(builder, types);
  defineExceptions(builder);
  defineDeskCommands(builder);
}

function defineReading(builder: Builder, { suggestions, history }: DeskTypes): void {
  builder.queryField("suspenseSuggestions", (t) =>
    t.field({
      type: suggestions,
      errors: {},
      authScopes: OFFICE,
      description: "Contracts that money in suspense may be meant for. Nothing is matched by it.",
      args: { receiptId: t.arg.id({ required: true }) },
      resolve: async (_root, args, { services: { desk, credit }, db }) => {
        const found = await desk.suggestions(db, parseId<"Receipt">(args.receiptId, "receipt"));
        const contracts = await credit.findMany(
          db,
          found.map(({ contractId }) => contractId),
        );
        return {
          suggestions: found.flatMap(({ contractId, ...rest }) => {
            const contract = contracts.get(contractId);
            return contract === undefined ? [] : [{ ...rest, contract }];
          }),
        };
      },
    }),
  );
  builder.queryField("receiptHistory", (t) =>
    t.field({
      type: history,
      errors: {},
      authScopes: OFFICE,
      args: { receiptId: t.arg.id({ required: true }) },
      resolve: (_root, args, { services, db }) =>
        services.desk.history(db, parseId<"Receipt">(args.receiptId, "receipt")),
    }),
  );
}

function defineApprovals(builder: Builder, { approval, state }: DeskTypes): void {
  const connection = builder.connectionObject(
    { name: "DeskApprovalConnection", type: approval },
    { name: "DeskApprovalEdge" },
  );
  builder.queryField("approvals", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Acts above the limit, oldest first. Give state proposed for what waits for a second person.",
      args: { ...pageArguments(builder), state: t.arg({ type: state }) },
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "approvals", 2);
        const [proposedAt, id] = [cursorInstant(page, 0), cursorId<"Approval">(page, 1)];
        const after = proposedAt === undefined || id === undefined ? undefined : { proposedAt, id };
        const rows = await services.desk.approvals(db, { state: args.state ?? undefined, first: page.limit, after });
        return toConnection(rows, {
          page,
          kind: "approvals",
          keysOf: (row) => [String(row.proposedAt.getTime()), row.id],
        });
      },
    }),
  );
  builder.mutationField("approveDeskAct", (t) =>
    t.field({
      type: approval,
      errors: {},
      authScopes: OFFICE,
      description: "Agrees to another person's proposal, which then happens at once. Nobody approves their own.",
      args: { id: t.arg.id({ required: true }), idempotencyKey: t.arg.string({ required: true }) },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        decide(context, { mutation: "approveDeskAct", key, input }, ({ tx, by }, id) =>
          context.services.desk.approve(tx, { id, by }),
        ),
    }),
  );
  builder.mutationField("declineDeskAct", (t) =>
    t.field({
      type: approval,
      errors: {},
      authScopes: OFFICE,
      args: {
        id: t.arg.id({ required: true }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        decide(context, { mutation: "declineDeskAct", key, input }, ({ tx, by }, id) =>
          context.services.desk.decline(tx, { id, by, reason: input.reason }),
        ),
    }),
  );
}

type Desk = GraphqlContext["services"]["desk"];
type Decided = Awaited<ReturnType<Desk["approve"]>>;

async function decide(
  context: GraphqlContext,
  { mutation, key, input }: { mutation: string; key: string; input: { readonly id: string } },
  work: (command: { tx: Command["tx"]; by: Parameters<Desk["approve"]>[1]["by"] }, id: ApprovalId) => Promise<Decided>,
): Promise<Decided> {
  const id = parseId<"Approval">(input.id, "proposal");
  await actOnce(context, { mutation, key, input }, async ({ tx, staff, actor, audit }) => {
    const { act, state, proposedBy, decision } = await work({ tx, by: { actor, role: staff.role } }, id);
    const subjectId = act.kind === "refund_contract" || act.kind === "adjust" ? act.contractId : act.receiptId;
    await audit({
      action: mutation === "approveDeskAct" ? "desk.approve" : "desk.decline",
      subjectKind: "receiptId" in act ? "receipt" : "contract",
      subjectId,
      detail: { approvalId: id, act: act.kind, state, proposedBy, decision },
    });
    return { id };
  });
  const decided = await context.services.desk.findApproval(context.db, id);
  if (decided === undefined) throw new NotFound("proposal", "id");
  return decided;
}

function defineExceptions(builder: Builder): void {
  const connection = builder.connectionObject(
    { name: "ReconciliationExceptionConnection", type: "ReconciliationException" },
    { name: "ReconciliationExceptionEdge" },
  );
  builder.queryField("exceptions", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Open ones, oldest first: what differs between a provider's books and ours.",
      args: { ...pageArguments(builder), rail: t.arg.string() },
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "exceptions", 2);
        const [openedAt, id] = [cursorInstant(page, 0), cursorId<"Exception">(page, 1)];
        const after = openedAt === undefined || id === undefined ? undefined : { openedAt, id };
        const rows = await services.desk.exceptions(db, { rail: args.rail ?? undefined, first: page.limit, after });
        return toConnection(rows, {
          page,
          kind: "exceptions",
          keysOf: (row) => [String(row.openedAt.getTime()), row.id],
        });
      },
    }),
  );
  builder.mutationField("resolveException", (t) =>
    t.field({
      type: "ReconciliationException",
      errors: {},
      authScopes: OFFICE,
      description: "Closes an exception with its explanation.",
      args: {
        id: t.arg.id({ required: true }),
        resolution: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { desk } = context.services;
        const id = parseId<"Exception">(input.id, "exception");
        await actOnce(context, { mutation: "resolveException", key, input }, async ({ tx, staff, actor, audit }) => {
          const { rail, kind, subject } = await desk.resolveException(tx, {
            id,
            by: { actor, role: staff.role },
            resolution: input.resolution,
          });
          await audit({
            action: "exception.resolve",
            subjectKind: "exception",
            subjectId: id,
            detail: { rail, kind, subject, resolution: input.resolution },
          });
          return { id };
        });
        const closed = await desk.findException(context.db, id);
        if (closed === undefined) throw new NotFound("exception", "id");
        return closed;
      },
    }),
  );
}
