import type { EnumRef } from "@pothos/core";
import type { AllocationRow, LockState, Transition } from "../credit/credit.ts";
import { looksLikeId, type ReceiptId } from "../kernel/ids.ts";
import { money, type Currency } from "../kernel/money.ts";
import type { StatementLine } from "../ledger/ledger.ts";
import type { Builder, BuilderTypes } from "./builder.ts";
import { ROWS_MAX } from "./connections.ts";

const ROWS_DEFAULT = 50;
const TOKENS_MAX = 100;

/** What happened to a contract: light on and off, what each payment bought, tokens, and its lines in the books. */
export function defineContractHistory(
  builder: Builder,
  { lockState }: { lockState: EnumRef<BuilderTypes, LockState> },
): void {
  const transition = builder.objectRef<Transition>("Transition").implement({
    fields: (t) => ({
      at: t.expose("at", { type: "DateTime" }),
      from: t.field({ type: lockState, resolve: ({ from }) => from }),
      to: t.field({ type: lockState, resolve: ({ to }) => to }),
    }),
  });
  builder.objectField("Contract", "timeline", (t) =>
    t.field({
      type: [transition],
      description: "Oldest first.",
      resolve: async ({ id }, _args, { services, db }) => [...(await services.credit.timelineOf(db, id))],
    }),
  );
  builder.objectField("Contract", "tokens", (t) =>
    t.field({
      type: ["Token"],
      description: "Of the contract's device since the sale, newest first.",
      args: { limit: t.arg.int({ defaultValue: 10 }) },
      resolve: async ({ deviceId, soldAt }, { limit }, { services, db }) => {
        const tokens = await services.devices.tokensOf(db, { deviceId, limit: between(limit, 10, TOKENS_MAX) });
        return tokens.filter(({ issuedAt }) => issuedAt >= soldAt);
      },
    }),
  );
  defineAllocations(builder);
  defineStatement(builder);
}

function defineAllocations(builder: Builder): void {
  const effect = builder.enumType("AllocationEffect", { values: ["none", "add", "unlock"] as const });
  const allocation = builder.objectRef<AllocationRow & { readonly currency: Currency }>("Allocation").implement({
    description: "What a payment or a correction bought. Received is the sum of the other five amounts.",
    fields: (t) => ({
      id: t.exposeID("id"),
      cause: t.exposeString("cause", { description: "A receipt's id, or a command's name." }),
      paidAt: t.expose("paidAt", { type: "DateTime" }),
      received: t.field({ type: "Money", resolve: (row) => money(row.receivedMinor, row.currency) }),
      towardDebt: t.field({ type: "Money", resolve: (row) => money(row.debtMinor, row.currency) }),
      towardDeposit: t.field({ type: "Money", resolve: (row) => money(row.depositMinor, row.currency) }),
      spent: t.field({ type: "Money", description: "On time.", resolve: (row) => money(row.spentMinor, row.currency) }),
      carriedChange: t.field({ type: "Money", resolve: (row) => money(row.carriedChangeMinor, row.currency) }),
      refundable: t.field({ type: "Money", resolve: (row) => money(row.refundableMinor, row.currency) }),
      units: t.exposeInt("units", { description: "Token units bought." }),
      effect: t.field({ type: effect, resolve: (row) => row.effect }),
      paidFromAt: t.expose("paidFromAt", { type: "DateTime", nullable: true }),
      paidUntilAt: t.expose("paidUntilAt", { type: "DateTime", nullable: true }),
      receipt: t.loadable({
        type: "Receipt",
        nullable: true,
        description: "Null for a correction.",
        load: async (ids: ReceiptId[], { services, db }) => {
          const receipts = await services.receipts.find(db, ids);
          return ids.map((id) => receipts.get(id) ?? null);
        },
        resolve: ({ cause }) => (looksLikeId(cause) ? (cause as ReceiptId) : null),
      }),
    }),
  });
  builder.objectField("Contract", "allocations", (t) =>
    t.field({
      type: [allocation],
      description: "Newest first.",
      args: { limit: t.arg.int({ defaultValue: ROWS_DEFAULT }) },
      resolve: async ({ id, currency }, { limit }, { services, db }) => {
        const rows = await services.credit.allocations(db, id);
        return rows
          .toReversed()
          .slice(0, between(limit, ROWS_DEFAULT, ROWS_MAX))
          .map((row) => ({ ...row, currency }));
      },
    }),
  );
}

function defineStatement(builder: Builder): void {
  const line = builder.objectRef<StatementLine>("StatementLine").implement({
    fields: (t) => ({
      transactionId: t.exposeID("transactionId"),
      accountCode: t.exposeString("accountCode"),
      kind: t.exposeString("kind"),
      memo: t.exposeString("memo"),
      reference: t.exposeString("reference", { nullable: true }),
      amount: t.field({
        type: "Money",
        description: "Debit above zero, credit below.",
        resolve: ({ amountMinor, currency }) => money(amountMinor, currency),
      }),
      effectiveAt: t.expose("effectiveAt", { type: "DateTime" }),
      postedAt: t.expose("postedAt", { type: "DateTime" }),
    }),
  });
  builder.objectField("Receipt", "postings", (t) =>
    t.field({
      type: [line],
      description: "What the payment did in the ledger, in the order of posting.",
      resolve: async ({ id }, _args, { services, db }) => [
        ...(await services.ledger.postingsOf(db, { reference: id, limit: ROWS_MAX })),
      ],
    }),
  );
  builder.objectField("Contract", "statement", (t) =>
    t.field({
      type: [line],
      nullable: true,
      authScopes: { roles: ["admin", "operations"] },
      unauthorizedResolver: () => null,
      description: "The contract's lines in the ledger, oldest first; null for agents.",
      args: { limit: t.arg.int({ defaultValue: ROWS_DEFAULT }) },
      resolve: async ({ id }, { limit }, { services, db }) => {
        const accountIds = await services.credit.accountsOf(db, id);
        const lines = await services.ledger.statement(db, {
          accountIds,
          limit: between(limit, ROWS_DEFAULT, ROWS_MAX),
        });
        return [...lines];
      },
    }),
  );
}

function between(asked: number | null | undefined, ...[normal, most]: [normal: number, most: number]): number {
  return Math.min(Math.max(asked ?? normal, 1), most);
}
