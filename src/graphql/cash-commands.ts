import type { ContractId } from "../kernel/ids.ts";
import { parseAccountNumber } from "../credit/credit.ts";
import { money } from "../kernel/money.ts";
import { parseRational } from "../kernel/rational.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import type { CashReceipt, HandOver, Officer } from "../payments/payments.ts";
import { parseId, type Builder } from "./builder.ts";
import { cashOf, requireAgent, type CashTypes } from "./cash-types.ts";
import { actOnce, requireVisible, type Command } from "./commands.ts";
import type { GraphqlContext } from "./context.ts";
import { parseMinor } from "./plans.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
const AGENT = { roles: ["agent"] as const };

/** What agents and the office do with cash. Each act, its idempotency row and its audit row are one transaction. */
export function defineCashCommands(builder: Builder, types: CashTypes): void {
  defineCollecting(builder, types);
  defineHandingOver(builder, types);
  defineLimits(builder, types);
  defineCommissions(builder, types);
}

const officerOf = ({ staff, actor }: Command): Officer => ({ id: staff.id, role: staff.role, actor });

function defineCollecting(builder: Builder, { currency, receipt }: CashTypes): void {
  const numbers = builder.objectRef<{ numbers: readonly string[] }>("TakenReceiptNumbers").implement({
    fields: (t) => ({ numbers: t.stringList({ resolve: (taken) => [...taken.numbers] }) }),
  });
  builder.mutationField("takeReceiptNumbers", (t) =>
    t.field({
      type: numbers,
      errors: {},
      authScopes: AGENT,
      description: "Gives the agent's phone numbers for receipts that are written without network.",
      args: { count: t.arg.int({ required: true }), idempotencyKey: t.arg.string({ required: true }) },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        actOnce(context, { mutation: "takeReceiptNumbers", key, input }, async ({ tx, staff, audit }) => {
          const taken = await cashOf(context).takeReceiptNumbers(tx, { agentId: staff.id, count: input.count });
          const detail = { first: taken.numbers[0] ?? "", last: taken.numbers.at(-1) ?? "" };
          await audit({ action: "cash.take_numbers", subjectKind: "staff", subjectId: staff.id, detail });
          return { numbers: taken.numbers };
        }),
    }),
  );
  builder.mutationField("collectCash", (t) =>
    t.field({
      type: receipt,
      errors: {},
      authScopes: AGENT,
      description:
        "Cash that the signed-in agent took for a contract. Send it as often as needed with one key: it is one payment. Above the agent's limit it is kept and waits; `explanation` says so.",
      args: {
        contractId: t.arg.id({ description: "This or accountNumber." }),
        accountNumber: t.arg.string({ description: "In any spelling." }),
        amountMinor: t.arg.string({ required: true }),
        currency: t.arg({ type: currency, required: true }),
        takenAt: t.arg({ type: "DateTime", required: true, description: "When the cash changed hands." }),
        receiptNumber: t.arg.string({ description: "One that was taken before; left out, the next free one." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { number } = await actOnce(context, { mutation: "collectCash", key, input }, async (command) => {
          const { tx, staff, actor, audit } = command;
          const taken = await cashOf(context).collect(tx, {
            agentId: staff.id,
            actor,
            clientKey: key,
            receiptNumber: input.receiptNumber ?? undefined,
            contractId: await visibleContract(context, command, input),
            amount: money(parseMinor(input.amountMinor, "amountMinor", { signed: true }), input.currency),
            takenAt: input.takenAt,
          });
          const { contractId, state } = taken;
          const detail = { contractId, state, amountMinor: input.amountMinor, currency: input.currency };
          await audit({ action: "cash.collect", subjectKind: "cash_receipt", subjectId: taken.number, detail });
          return { number: taken.number };
        });
        return readReceipt(context, number);
      },
    }),
  );
}

/** The contract that is paid, when the agent may see it. */
async function visibleContract(
  context: GraphqlContext,
  { tx, staff }: Command,
  { contractId, accountNumber }: { contractId?: string | null | undefined; accountNumber?: string | null | undefined },
): Promise<ContractId> {
  const { credit } = context.services;
  if (!contractId === !accountNumber)
    throw new InvalidInput("Give either contractId or accountNumber.", contractId ? "accountNumber" : "contractId");
  if (contractId)
    return requireVisible(staff, await credit.find(tx, parseId<"Contract">(contractId, "contract")), "contract").id;
  const number = parseAccountNumber(accountNumber ?? "");
  const found = number === undefined ? undefined : await credit.findByAccountNumber(tx, number);
  return requireVisible(staff, found, "contract").id;
}

function defineHandingOver(builder: Builder, { currency, handOver }: CashTypes): void {
  builder.mutationField("handOverCash", (t) =>
    t.field({
      type: handOver,
      errors: {},
      authScopes: AGENT,
      description: "Offers cash to the office. It counts when a second person has counted it.",
      args: {
        amountMinor: t.arg.string({ required: true }),
        currency: t.arg({ type: currency, required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const { id } = await actOnce(
          context,
          { mutation: "handOverCash", key, input },
          async ({ tx, staff, audit }) => {
            const amount = money(parseMinor(input.amountMinor, "amountMinor", { signed: true }), input.currency);
            const offer = await cashOf(context).handOver(tx, { agentId: staff.id, amount, clientKey: key });
            await audit({ action: "cash.offer", subjectKind: "cash_hand_over", subjectId: offer.id, detail: input });
            return { id: offer.id };
          },
        );
        return readHandOver(context, id);
      },
    }),
  );
  builder.mutationField("acceptHandOver", (t) =>
    t.field({
      type: handOver,
      errors: {},
      authScopes: OFFICE,
      description: "Accepts what you counted, which is at most what was offered. Receipts that waited for room follow.",
      args: {
        handOverId: t.arg.id({ required: true }),
        countedMinor: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        decide(context, { mutation: "acceptHandOver", action: "cash.accept", key, input }, (command, handOverId) => {
          const countedMinor = parseMinor(input.countedMinor, "countedMinor", { signed: true });
          return cashOf(context).acceptHandOver(command.tx, { handOverId, countedMinor, by: officerOf(command) });
        }),
    }),
  );
  builder.mutationField("rejectHandOver", (t) =>
    t.field({
      type: handOver,
      errors: {},
      authScopes: OFFICE,
      description: "Ends an offer whose cash is not there; it is in the agent's hands as before.",
      args: {
        handOverId: t.arg.id({ required: true }),
        reason: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: (_root, { idempotencyKey: key, ...input }, context) =>
        decide(context, { mutation: "rejectHandOver", action: "cash.reject", key, input }, (command, handOverId) =>
          cashOf(context).rejectHandOver(command.tx, { handOverId, reason: input.reason, by: officerOf(command) }),
        ),
    }),
  );
}

/** What both decisions about a hand-over have in common. */
async function decide(
  context: GraphqlContext,
  {
    mutation,
    action,
    key,
    input,
  }: {
    mutation: string;
    action: string;
    key: string;
    input: { readonly handOverId: string } & Readonly<Record<string, string>>;
  },
  decision: (command: Command, handOverId: string) => Promise<HandOver>,
): Promise<HandOver> {
  const id = parseId<"HandOver">(input.handOverId, "hand-over");
  await actOnce(context, { mutation, key, input }, async (command) => {
    const { offered, agentId } = await decision(command, id);
    const detail = { ...input, agentId, offeredMinor: offered.minor.toString(), currency: offered.currency };
    await command.audit({ action, subjectKind: "cash_hand_over", subjectId: id, detail });
    return { id };
  });
  return readHandOver(context, id);
}

function defineLimits(builder: Builder, { currency, receipt }: CashTypes): void {
  const corrections = [
    {
      name: "releaseCash",
      action: "cash.release",
      description: "Books a receipt that waits, although the agent holds more than allowed.",
    },
    {
      name: "cancelCash",
      action: "cash.cancel",
      description:
        "Undoes a receipt that was written by mistake: what it bought becomes debt, its commission is taken back.",
    },
  ] as const;
  for (const { name, action, description } of corrections) {
    builder.mutationField(name, (t) =>
      t.field({
        type: receipt,
        errors: {},
        authScopes: OFFICE,
        description,
        args: {
          receiptNumber: t.arg.string({ required: true }),
          reason: t.arg.string({ required: true }),
          idempotencyKey: t.arg.string({ required: true }),
        },
        resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
          const { number } = await actOnce(context, { mutation: name, key, input }, async (command) => {
            const cash = cashOf(context);
            const order = { ...input, by: officerOf(command) };
            const { number: subjectId } = await (name === "releaseCash"
              ? cash.releaseReceipt(command.tx, order)
              : cash.cancelReceipt(command.tx, order));
            await command.audit({ action, subjectKind: "cash_receipt", subjectId, detail: input });
            return { number: subjectId };
          });
          return readReceipt(context, number);
        },
      }),
    );
  }
  const limit = builder.objectRef<{ released: readonly CashReceipt[] }>("CashLimitSet").implement({
    fields: (t) => ({
      released: t.field({
        type: [receipt],
        description: "What had waited and is booked now.",
        resolve: ({ released }) => [...released],
      }),
    }),
  });
  builder.mutationField("setCashLimit", (t) =>
    t.field({
      type: limit,
      errors: {},
      authScopes: OFFICE,
      description: "Sets how much cash an agent may hold. Without any limit every collection waits.",
      args: {
        agentId: t.arg.id({ description: "Left out: every agent without a limit of their own." }),
        currency: t.arg({ type: currency, required: true }),
        limitMinor: t.arg.string({ required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const agentId = input.agentId ? (await requireAgent(context, input.agentId)).id : null;
        const { numbers } = await actOnce(context, { mutation: "setCashLimit", key, input }, async (command) => {
          const limitMinor = parseMinor(input.limitMinor, "limitMinor");
          const order = { agentId, currency: input.currency, limitMinor, by: officerOf(command) };
          const released = await cashOf(context).setLimit(command.tx, order);
          const detail = { currency: input.currency, limitMinor: input.limitMinor };
          await command.audit({
            action: "cash.set_limit",
            subjectKind: "staff",
            subjectId: agentId ?? "every agent",
            detail,
          });
          return { numbers: released.map(({ number }) => number) };
        });
        const found = await cashOf(context).findReceipts(context.db, numbers);
        return { released: numbers.flatMap((number) => found.get(number) ?? []) };
      },
    }),
  );
}

function defineCommissions(builder: Builder, { currency, commissionKind, rule, standing }: CashTypes): void {
  builder.mutationField("setCommissionRule", (t) =>
    t.field({
      type: rule,
      errors: {},
      authScopes: OFFICE,
      description: "What a sale or a collection earns its agent from an instant on. What was earned stays earned.",
      args: {
        kind: t.arg({ type: commissionKind, required: true }),
        agentId: t.arg.id({ description: "Left out: every agent without a rule of their own." }),
        currency: t.arg({ type: currency, required: true }),
        ratio: t.arg.string({
          required: true,
          description: "Of the amount, from 0 to 1, exact: 0.025 is 2.5 percent.",
        }),
        fixedMinor: t.arg.string({ description: "Added to each; none when left out." }),
        effectiveAt: t.arg({ type: "DateTime", description: "Now, when left out." }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const agentId = input.agentId ? (await requireAgent(context, input.agentId)).id : null;
        const { id } = await actOnce(context, { mutation: "setCommissionRule", key, input }, async (command) => {
          const terms = {
            kind: input.kind,
            agentId,
            currency: input.currency,
            ratio: parseRational(input.ratio),
            fixedMinor: parseMinor(input.fixedMinor ?? "0", "fixedMinor"),
            effectiveAt: input.effectiveAt ?? undefined,
          };
          const made = await cashOf(context).setCommissionRule(command.tx, terms, officerOf(command));
          const detail = { agentId, kind: input.kind, ratio: input.ratio, fixedMinor: input.fixedMinor ?? "0" };
          await command.audit({
            action: "commission.set_rule",
            subjectKind: "commission_rule",
            subjectId: made.id,
            detail,
          });
          return { id: made.id };
        });
        const made = await cashOf(context).findCommissionRule(context.db, id);
        if (made === undefined) throw new Error(`Commission rule ${id} was made and is missing.`);
        return made;
      },
    }),
  );
  builder.mutationField("payCommission", (t) =>
    t.field({
      type: standing,
      errors: {},
      authScopes: OFFICE,
      description: "Pays an agent what was earned, from the office's cash.",
      args: {
        agentId: t.arg.id({ required: true }),
        amountMinor: t.arg.string({ required: true }),
        currency: t.arg({ type: currency, required: true }),
        idempotencyKey: t.arg.string({ required: true }),
      },
      resolve: async (_root, { idempotencyKey: key, ...input }, context) => {
        const agent = await requireAgent(context, input.agentId);
        await actOnce(context, { mutation: "payCommission", key, input }, async (command) => {
          const amount = money(parseMinor(input.amountMinor, "amountMinor", { signed: true }), input.currency);
          const order = { agentId: agent.id, amount, by: officerOf(command), key: `${command.actor}:${key}` };
          const transactionId = await cashOf(context).payCommission(command.tx, order);
          const detail = { amountMinor: input.amountMinor, currency: input.currency, transactionId };
          await command.audit({ action: "commission.pay", subjectKind: "staff", subjectId: agent.id, detail });
          return { transactionId };
        });
        const standings = await cashOf(context).standingsOf(context.db, agent.id);
        const found = standings.find((one) => one.currency === input.currency);
        if (found === undefined) throw new Error(`Agent ${agent.id} was paid and has no standing.`);
        return found;
      },
    }),
  );
}

async function readReceipt(context: GraphqlContext, number: CashReceipt["number"]): Promise<CashReceipt> {
  const found = (await cashOf(context).findReceipts(context.db, [number])).get(number);
  if (found === undefined) throw new Error(`Cash receipt ${number} was written and is missing.`);
  return found;
}

async function readHandOver(context: GraphqlContext, id: string): Promise<HandOver> {
  const found = await cashOf(context).findHandOver(context.db, id);
  if (found === undefined) throw new Error(`Hand-over ${id} was written and is missing.`);
  return found;
}
