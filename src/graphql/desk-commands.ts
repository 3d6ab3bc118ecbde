import type { Contract } from "../credit/credit.ts";
import { InvalidInput, NotFound } from "../kernel/refusal.ts";
import { DESK_TEMPLATES, type DeskAct, type DeskDone, type Payout, type StoredReceipt } from "../payments/payments.ts";
import { parseId, type Builder } from "./builder.ts";
import { actOnce } from "./commands.ts";
import type { GraphqlContext } from "./context.ts";
import { DeskProposal } from "./desk-types.ts";
import { parseMinor } from "./plans.ts";

const OFFICE = { roles: ["admin", "operations"] as const };

/** What people do at the desk. Each act, its idempotency row and its audit row are one transaction. */
export function defineDeskCommands(builder: Builder): void {
  defineMatch(builder);
  defineUnlink(builder);
  defineRefunds(builder);
  defineAdjustment(builder);
  defineLetter(builder);
}

function defineMatch(builder: Builder): void {
  const matched = builder
    .objectRef<{ receipt: StoredReceipt; contracts: readonly Contract[] }>("MatchedReceipt")
    .implement({
      fields: (t) => ({
        receipt: t.field({ type: "Receipt", resolve: ({ receipt }) => receipt }),
        contract: t.field({
          type: "Contract",
          description: "The first of the contracts.",
          resolve: ({ contracts: [first] }) => {
            if (first === undefined) throw new Error("Bug: a match without a contract.");
            return first;
          },
        }),
        contracts: t.field({ type: ["Contract"], resolve: ({ contracts }) => [...contracts] }),
      }),
    });
  const part = builder.inputType("MatchPart", {
    fields: (t) => ({ contractId: t.id({ required: true }), amountMinor: t.string({ required: true }) }),
  });
  builder.mutationField("matchSuspense", (t) =>
    t.field({
      type: matched,
      errors: { types: [DeskProposal] },
      authScopes: OFFICE,
      description: "Moves a payment that nobody could match to a contract, where it buys as if it had come there.",
      args: {
        receiptId: t.arg.id({ required: true }),
        contractId: t.arg.id({ description: "Gets all that is open, or amountMinor of it." }),
        amountMinor: t.arg.string(),
        parts: t.arg({ type: [part], description: "Instead of contractId: splits the money over several contracts." }),
        resolution: t.arg.string({ required: true, description: "How you know whose it is." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const receiptId = parseId<"Receipt">(input.receiptId, "item in suspense");
        const act: DeskAct = { kind: "match", receiptId, parts: partsOf(input) };
        const { contractIds } = await actAtDesk(context, {
          mutation: "matchSuspense",
          action: "suspense.match",
          key,
          input,
          act,
          reason: input.resolution,
        });
        return { receipt: await readReceipt(context, receiptId), contracts: await readContracts(context, contractIds) };
      },
    }),
  );
}

function partsOf({
  contractId,
  amountMinor,
  parts,
}: {
  contractId?: string | null | undefined;
  amountMinor?: string | null | undefined;
  parts?: readonly { contractId: string; amountMinor: string }[] | null | undefined;
}): Extract<DeskAct, { kind: "match" }>["parts"] {
  if (!contractId === !parts) throw new InvalidInput("Give either contractId or parts.", "contractId");
  const given = parts ?? [{ contractId: contractId ?? "", amountMinor }];
  return given.map((one) => ({
    contractId: parseId<"Contract">(one.contractId, "contract"),
    amountMinor: parseAmount(one.amountMinor),
  }));
}

const parseAmount = (text: string | null | undefined): bigint | undefined =>
  text === null || text === undefined ? undefined : parseMinor(text, "amountMinor", { signed: true });

function defineUnlink(builder: Builder): void {
  const unlinked = builder.objectRef<{ receipt: StoredReceipt; contract: Contract }>("UnlinkedReceipt").implement({
    fields: (t) => ({
      receipt: t.field({ type: "Receipt", resolve: ({ receipt }) => receipt }),
      contract: t.field({ type: "Contract", resolve: ({ contract }) => contract }),
    }),
  });
  builder.mutationField("unlinkReceipt", (t) =>
    t.field({
      type: unlinked,
      errors: { types: [DeskProposal] },
      authScopes: OFFICE,
      description:
        "Takes a payment, or a part of it, away from the contract that it was credited to, back into suspense. What it had bought already becomes debt.",
      args: {
        receiptId: t.arg.id({ required: true }),
        contractId: t.arg.id({ required: true }),
        amountMinor: t.arg.string({ description: "Left out: all that the contract has of it." }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const receiptId = parseId<"Receipt">(input.receiptId, "receipt");
        const contractId = parseId<"Contract">(input.contractId, "contract");
        const amountMinor = parseAmount(input.amountMinor);
        await actAtDesk(context, {
          mutation: "unlinkReceipt",
          action: "receipt.unlink",
          key,
          input,
          act: { kind: "unlink", receiptId, contractId, amountMinor },
          reason: input.reason,
        });
        return { receipt: await readReceipt(context, receiptId), contract: await readContract(context, contractId) };
      },
    }),
  );
}

function defineRefunds(builder: Builder): void {
  builder.mutationField("refundSuspense", (t) =>
    t.field({
      type: "Payout",
      errors: { types: [DeskProposal] },
      authScopes: OFFICE,
      description: "Pays money in suspense back to its payer.",
      args: {
        receiptId: t.arg.id({ required: true }),
        amountMinor: t.arg.string({ description: "Left out: all that is open." }),
        phone: t.arg.string({ description: "Where to, when it is not the payer's own phone or that is not known." }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const receiptId = parseId<"Receipt">(input.receiptId, "item in suspense");
        const amountMinor = parseAmount(input.amountMinor);
        const done = await actAtDesk(context, {
          mutation: "refundSuspense",
          action: "suspense.refund",
          key,
          input,
          act: { kind: "refund_suspense", receiptId, amountMinor, phone: input.phone ?? undefined },
          reason: input.reason,
        });
        return readPayout(context, done);
      },
    }),
  );
  builder.mutationField("refundContract", (t) =>
    t.field({
      type: "Payout",
      errors: { types: [DeskProposal] },
      authScopes: OFFICE,
      description: "Pays a contract's refundable money out to its customer.",
      args: {
        contractId: t.arg.id({ required: true }),
        amountMinor: t.arg.string({ description: "Left out: all that is refundable." }),
        phone: t.arg.string({ description: "Left out: the customer's own." }),
        rail: t.arg.string({ description: "Left out: the way the last payment came." }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const contractId = parseId<"Contract">(input.contractId, "contract");
        const amountMinor = parseAmount(input.amountMinor);
        const [phone, rail] = [input.phone ?? undefined, input.rail ?? undefined];
        const done = await actAtDesk(context, {
          mutation: "refundContract",
          action: "contract.refund",
          key,
          input,
          act: { kind: "refund_contract", contractId, amountMinor, phone, rail },
          reason: input.reason,
        });
        return readPayout(context, done);
      },
    }),
  );
}

function defineAdjustment(builder: Builder): void {
  builder.mutationField("adjustContract", (t) =>
    t.field({
      type: "Contract",
      errors: { types: [DeskProposal] },
      authScopes: OFFICE,
      description: "Gives money (above zero: buys like a payment) or takes it back (below zero: becomes debt).",
      args: {
        contractId: t.arg.id({ required: true }),
        amountMinor: t.arg.string({ required: true }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const contractId = parseId<"Contract">(input.contractId, "contract");
        const amountMinor = parseMinor(input.amountMinor, "amountMinor", { signed: true });
        await actAtDesk(context, {
          mutation: "adjustContract",
          action: "contract.adjust",
          key,
          input,
          act: { kind: "adjust", contractId, amountMinor },
          reason: input.reason,
        });
        return readContract(context, contractId);
      },
    }),
  );
}

function defineLetter(builder: Builder): void {
  const template = builder.enumType("DeskTemplate", { values: DESK_TEMPLATES });
  const letter = builder.objectRef<{ readonly phone: string }>("WrittenLetter").implement({
    fields: (t) => ({ phone: t.exposeString("phone") }),
  });
  builder.mutationField("writeToPayer", (t) =>
    t.field({
      type: letter,
      errors: {},
      authScopes: OFFICE,
      description: "Sends an SMS about a payment to its payer, where the rail told the number, or to a customer.",
      args: {
        receiptId: t.arg.id({ required: true }),
        template: t.arg({ type: template, required: true }),
        contractId: t.arg.id({ description: "Write to this contract's customer instead." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const receiptId = parseId<"Receipt">(input.receiptId, "receipt");
        const contractId = input.contractId ? parseId<"Contract">(input.contractId, "contract") : undefined;
        return actOnce(context, { mutation: "writeToPayer", key, input }, async ({ tx, staff, actor, audit }) => {
          const by = { actor, role: staff.role };
          const { phone } = await context.services.desk.write(tx, {
            receiptId,
            template: input.template,
            contractId,
            by,
          });
          await audit({
            action: "receipt.write",
            subjectKind: "receipt",
            subjectId: receiptId,
            detail: { template: input.template, phone },
          });
          return { phone };
        });
      },
    }),
  );
}

/** Acts, or proposes; a proposal ends as the union member of that name. */
async function actAtDesk(
  context: GraphqlContext,
  {
    mutation,
    action,
    key,
    input,
    act,
    reason,
  }: { mutation: string; action: string; key: string; input: object; act: DeskAct; reason: string },
): Promise<DeskDone> {
  const { desk } = context.services;
  const { done, proposal } = await actOnce(
    context,
    { mutation, key, input },
    async ({ tx, staff, actor, audit }): Promise<{ done: DeskDone | null; proposal: string | null }> => {
      const by = { actor, role: staff.role };
      const result = await desk.act(tx, { act, by, reason, key: `${actor}:${key}` });
      const approvalId = result.kind === "proposed" ? result.approval.id : null;
      await audit({
        action: approvalId === null ? action : "desk.propose",
        subjectKind: "receiptId" in act ? "receipt" : "contract",
        subjectId: "receiptId" in act ? act.receiptId : act.contractId,
        detail: { ...plain(input), ...(approvalId === null ? {} : { approvalId, act: act.kind }) },
      });
      return result.kind === "done" ? { done: result.done, proposal: null } : { done: null, proposal: approvalId };
    },
  );
  if (done !== null) return done;
  const approval = await desk.findApproval(context.db, parseId<"Approval">(proposal ?? "", "proposal"));
  if (approval === undefined) throw new NotFound("proposal");
  throw new DeskProposal(approval);
}

/** What was asked for, as the audit keeps it: without what was left out. */
function plain(input: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(input).flatMap(([name, value]: [string, unknown]): [string, string][] =>
      value === undefined || value === null
        ? []
        : [[name, typeof value === "string" ? value.trim() : JSON.stringify(value)]],
    ),
  );
}

async function readReceipt({ services, db }: GraphqlContext, id: StoredReceipt["id"]): Promise<StoredReceipt> {
  const receipt = (await services.receipts.find(db, [id])).get(id);
  if (receipt === undefined) throw new Error(`Receipt ${id} was changed and is missing.`);
  return receipt;
}

async function readContract(context: GraphqlContext, id: string): Promise<Contract> {
  const [contract] = await readContracts(context, [id]);
  if (contract === undefined) throw new Error(`Contract ${id} was changed and is missing.`);
  return contract;
}

async function readContracts({ services, db }: GraphqlContext, ids: readonly string[]): Promise<readonly Contract[]> {
  const parsed = ids.map((id) => parseId<"Contract">(id, "contract"));
  const found = await services.credit.findMany(db, parsed);
  return parsed.flatMap((id) => found.get(id) ?? []);
}

async function readPayout({ services, db }: GraphqlContext, { payoutId }: DeskDone): Promise<Payout> {
  const payout = await services.desk.findPayout(db, parseId<"Payout">(payoutId ?? "", "refund"));
  if (payout === undefined) throw new Error(`Payout ${String(payoutId)} was made and is missing.`);
  return payout;
}
