import { money } from "../kernel/money.ts";
import { NotFound } from "../kernel/refusal.ts";
import type { TrialBalanceRow } from "../ledger/ledger.ts";
import type { QuarantineItem } from "../payments/payments.ts";
import { pageArguments, parseId, type Builder } from "./builder.ts";
import { cursorId, cursorInstant, cursorNumber, parsePage, toConnection } from "./connections.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
const BALANCE_ROWS_MAX = 1_000;

/** Money that came in, what nobody could match, what nobody could read, and the books. For the office only. */
export function definePayments(builder: Builder): void {
  const reason = builder.enumType("SuspenseReason", {
    values: [
      "account_unknown",
      "account_missing",
      "contract_ended",
      "currency_differs",
      "organisation",
      "unlinked",
      "reversed",
    ] as const,
  });
  builder.objectType("Receipt", {
    fields: (t) => ({
      id: t.exposeID("id"),
      rail: t.exposeString("rail"),
      providerId: t.exposeString("providerId", {
        description: "The provider's transaction number, as the payer has it.",
      }),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
      reference: t.exposeString("reference", { description: "The account as the payer typed it." }),
      payerName: t.exposeString("payerName", { nullable: true }),
      paidAt: t.expose("paidAt", { type: "DateTime", description: "The provider's time." }),
      bookedAt: t.expose("bookedAt", { type: "DateTime" }),
      tokens: t.field({
        type: ["Token"],
        description: "What the payment bought, as the customer got it.",
        resolve: async ({ id }, _args, { services, db }) => [
          ...(await services.devices.tokensByCause(db, await services.desk.causesOf(db, id))),
        ],
      }),
    }),
  });
  builder.objectType("SuspenseItem", {
    fields: (t) => ({
      receipt: t.field({ type: "Receipt", resolve: ({ receipt }) => receipt }),
      reason: t.field({ type: reason, resolve: (item) => item.reason }),
      open: t.field({
        type: "Money",
        description: "What is still unexplained: less than the payment after a split.",
        resolve: ({ open }) => open,
      }),
      openedAt: t.expose("openedAt", { type: "DateTime" }),
      resolvedAt: t.expose("resolvedAt", { type: "DateTime", nullable: true }),
      resolvedBy: t.exposeString("resolvedBy", { nullable: true }),
      resolution: t.exposeString("resolution", { nullable: true }),
    }),
  });
  defineReceiptQueries(builder);
  defineDeskQueries(builder);
  defineTrialBalance(builder);
}

function defineReceiptQueries(builder: Builder): void {
  const connection = builder.connectionObject({ name: "ReceiptConnection", type: "Receipt" }, { name: "ReceiptEdge" });
  builder.queryField("receipt", (t) =>
    t.field({
      type: "Receipt",
      errors: {},
      authScopes: OFFICE,
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, args, { services, db }) => {
        const id = parseId<"Receipt">(args.id, "receipt");
        const found = (await services.receipts.find(db, [id])).get(id);
        if (found === undefined) throw new NotFound("receipt");
        return found;
      },
    }),
  );
  builder.queryField("receipts", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Newest first.",
      args: {
        ...pageArguments(builder),
        search: t.arg.string({ description: "The provider's transaction number, or the account as it was typed." }),
      },
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "receipts", 2);
        const [paidAt, id] = [cursorInstant(page, 0), cursorId<"Receipt">(page, 1)];
        const after = paidAt === undefined || id === undefined ? undefined : { paidAt, id };
        const rows = await services.receipts.list(db, {
          search: args.search?.trim() || undefined,
          first: page.limit,
          after,
        });
        return toConnection(rows, { page, kind: "receipts", keysOf: (row) => [String(row.paidAt.getTime()), row.id] });
      },
    }),
  );
}

function defineDeskQueries(builder: Builder): void {
  const suspense = builder.connectionObject(
    { name: "SuspenseConnection", type: "SuspenseItem" },
    { name: "SuspenseEdge" },
  );
  builder.queryField("suspense", (t) =>
    t.field({
      type: suspense,
      authScopes: OFFICE,
      description: "Open items, oldest first.",
      args: pageArguments(builder),
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "suspense", 2);
        const [openedAt, id] = [cursorInstant(page, 0), cursorId<"Receipt">(page, 1)];
        const after = openedAt === undefined || id === undefined ? undefined : { openedAt, id };
        const rows = await services.receipts.openSuspense(db, { first: page.limit, after });
        return toConnection(rows, {
          page,
          kind: "suspense",
          keysOf: (row) => [String(row.openedAt.getTime()), row.receipt.id],
        });
      },
    }),
  );
  const item = builder.objectRef<QuarantineItem>("QuarantineItem").implement({
    description: "A callback that could not be understood or trusted. Its bytes are kept.",
    fields: (t) => ({
      id: t.exposeID("id"),
      rail: t.exposeString("rail"),
      door: t.exposeString("door"),
      reason: t.exposeString("reason"),
      detail: t.exposeString("detail"),
      providerId: t.exposeString("providerId", { nullable: true }),
      receivedAt: t.expose("receivedAt", { type: "DateTime" }),
    }),
  });
  const quarantine = builder.connectionObject({ name: "QuarantineConnection", type: item }, { name: "QuarantineEdge" });
  builder.queryField("quarantine", (t) =>
    t.field({
      type: quarantine,
      authScopes: OFFICE,
      description: "Newest first.",
      args: pageArguments(builder),
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "quarantine");
        const rows = await services.receipts.quarantine(db, {
          first: page.limit,
          before: cursorNumber(page)?.toString(),
        });
        return toConnection(rows, { page, kind: "quarantine", keysOf: ({ id }) => [String(id)] });
      },
    }),
  );
}

function defineTrialBalance(builder: Builder): void {
  const kind = builder.enumType("AccountKind", { values: ["asset", "liability", "income", "expense"] as const });
  const row = builder.objectRef<TrialBalanceRow>("TrialBalanceRow").implement({
    fields: (t) => ({
      code: t.exposeString("code"),
      kind: t.field({ type: kind, resolve: (account) => account.kind }),
      balance: t.field({
        type: "Money",
        description: "Debit above zero, credit below.",
        resolve: ({ balanceMinor, currency }) => money(balanceMinor, currency),
      }),
    }),
  });
  builder.queryField("trialBalance", (t) =>
    t.field({
      type: [row],
      authScopes: OFFICE,
      description: `Accounts with a balance, by code; at most ${BALANCE_ROWS_MAX}. Narrow it by the start of the code.`,
      args: { codePrefix: t.arg.string() },
      resolve: async (_root, { codePrefix }, { services, db }) => [
        ...(await services.ledger.trialBalance(db, {
          codePrefix: codePrefix ?? "",
          nonZeroOnly: true,
          limit: BALANCE_ROWS_MAX,
        })),
      ],
    }),
  );
}
