import type { EnumRef } from "@pothos/core";
import { formatAccountNumber, parseAccountNumber } from "../credit/credit.ts";
import { money, type Currency } from "../kernel/money.ts";
import { InvalidInput, NotFound } from "../kernel/refusal.ts";
import type { LocalDate } from "../kernel/time.ts";
import {
  ADAPTERS,
  countPending,
  listSweeps,
  pageIntents,
  pagePayouts,
  type ClearingExplanation,
  type ClearingPart,
  type OpenRail,
  type Reconciliation,
  type Sweep,
} from "../payments/payments.ts";
import { pageArguments, parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { requireVisible } from "./commands.ts";
import { cursorId, parsePage, ROWS_MAX, toConnection } from "./connections.ts";
import { requireActor, type GraphqlContext } from "./context.ts";
import { defineRailCommands } from "./rail-commands.ts";

const OFFICE = { roles: ["admin", "operations"] as const };
const PAYMENT_STATES = ["created", "sending", "pending", "completed", "failed", "expired"] as const;
const PAYOUT_STATES = ["created", "sending", "pending", "completed", "failed"] as const;

interface Ability {
  readonly name: string;
  /** Null: it can. */
  readonly cannot: string | null;
}

/** The rails: what each can do, what we asked of them, what they listed, and whether both sides agree. */
export function defineRails(builder: Builder, { currency }: { currency: EnumRef<BuilderTypes, Currency> }): void {
  defineRail(builder, currency);
  defineIntents(builder);
  definePayouts(builder);
  const reconciliation = defineReconciliations(builder, currency);
  defineRailCommands(builder, { reconciliation });
}

function defineRail(builder: Builder, currency: EnumRef<BuilderTypes, Currency>): void {
  const ability = builder.objectRef<Ability>("RailAbility").implement({
    fields: (t) => ({
      name: t.exposeString("name", { description: "requestPayment, enquire, refund or list." }),
      isAble: t.boolean({ resolve: ({ cannot }) => cannot === null }),
      cannot: t.exposeString("cannot", { nullable: true, description: "Why not, in a sentence." }),
    }),
  });
  const sweep = builder.objectType("Sweep", {
    description: "How far the search through a provider's own list has come.",
    fields: (t) => ({
      rail: t.exposeString("rail"),
      doneUntil: t.expose("doneUntil", { type: "DateTime" }),
      found: t.exposeInt("found", { description: "Payments that only the sweep found." }),
      failure: t.exposeString("failure", { nullable: true }),
      failures: t.exposeInt("failures", { description: "In a row." }),
      lastRunAt: t.expose("lastRunAt", { type: "DateTime", nullable: true }),
      nextRunAt: t.expose("nextRunAt", { type: "DateTime" }),
    }),
  });
  const rail = builder.objectRef<OpenRail & { pending: number; sweep: Sweep | undefined }>("Rail").implement({
    description: "One of our accounts at a provider.",
    fields: (t) => ({
      name: t.string({ resolve: ({ config }) => config.name }),
      adapter: t.string({ resolve: ({ config }) => config.adapter }),
      title: t.string({
        description: "What kind of rail it is, in a sentence.",
        resolve: ({ config }) => ADAPTERS.find(({ name }) => name === config.adapter)?.title ?? config.adapter,
      }),
      country: t.string({ resolve: ({ config }) => config.country }),
      currency: t.field({ type: currency, resolve: ({ config }) => config.currency }),
      zone: t.string({ resolve: ({ config }) => config.zone }),
      confirmsByEnquiry: t.boolean({
        description: "Whether an unsigned callback is booked only when the provider confirms it.",
        resolve: ({ rail: one, config }) => one.callbackIs === "hint" || config.confirmByEnquiry,
      }),
      abilities: t.field({
        type: [ability],
        resolve: ({ rail: { requestPayment, enquire, refund, list } }) => [
          { name: "requestPayment", cannot: cannotOf(requestPayment) },
          { name: "enquire", cannot: cannotOf(enquire) },
          { name: "refund", cannot: cannotOf(refund) },
          { name: "list", cannot: cannotOf(list) },
        ],
      }),
      pendingRequests: t.int({
        description: "Requests and payouts that are not over.",
        resolve: ({ pending }) => pending,
      }),
      sweep: t.field({ type: sweep, nullable: true, resolve: (one) => one.sweep ?? null }),
    }),
  });
  builder.queryField("rails", (t) =>
    t.field({
      type: [rail],
      authScopes: OFFICE,
      resolve: async (_root, _args, { services, db }) => {
        const [pending, sweeps] = [await countPending(db), await listSweeps(db)];
        return [...services.rails.entries()].map(([name, open]) => ({
          ...open,
          pending: pending.get(name) ?? 0,
          sweep: sweeps.find((one) => one.rail === name),
        }));
      },
    }),
  );
  builder.queryField("sweeps", (t) =>
    t.field({
      type: [sweep],
      authScopes: OFFICE,
      resolve: async (_root, _args, { db }) => [...(await listSweeps(db))],
    }),
  );
}

function defineIntents(builder: Builder): void {
  const state = builder.enumType("PaymentIntentState", { values: PAYMENT_STATES });
  const intent = builder.objectType("PaymentIntent", {
    description: "What we asked a phone to pay, and what became of it.",
    fields: (t) => ({
      id: t.exposeID("id"),
      rail: t.exposeString("rail"),
      reference: t.exposeString("reference", { description: "The account to credit." }),
      phone: t.exposeString("phone"),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      reason: t.exposeString("reason", { nullable: true, description: "Why it failed or waits." }),
      payAt: t.exposeString("payAt", { nullable: true, description: "Where the payer must go, for web checkouts." }),
      providerId: t.exposeString("providerId", { nullable: true, description: "The payment that answered it." }),
      askedThrough: t.exposeString("askedThrough"),
      requestedBy: t.exposeString("requestedBy"),
      attempts: t.exposeInt("attempts"),
      enquiries: t.exposeInt("enquiries"),
      createdAt: t.expose("createdAt", { type: "DateTime" }),
      expiresAt: t.expose("expiresAt", { type: "DateTime" }),
      finishedAt: t.expose("finishedAt", { type: "DateTime", nullable: true }),
    }),
  });
  const connection = builder.connectionObject(
    { name: "PaymentIntentConnection", type: intent },
    { name: "PaymentIntentEdge" },
  );
  builder.queryField("intent", (t) =>
    t.field({
      type: intent,
      errors: {},
      args: { id: t.arg.id({ required: true }) },
      resolve: async (_root, args, context) => {
        const id = parseId<"Intent">(args.id, "intent");
        const found = (await context.services.intents.find(context.db, [id])).get(id);
        if (found === undefined) throw new NotFound("intent");
        await requireAccountVisible(context, found.reference, "intent");
        return found;
      },
    }),
  );
  builder.queryField("intents", (t) =>
    t.field({
      type: connection,
      description: "Newest first. An agent asks by the account number of a contract that the agent may see.",
      args: {
        ...pageArguments(builder),
        reference: t.arg.string({ description: "An account number, such as PG-10234." }),
        rail: t.arg.string(),
        state: t.arg({ type: state }),
      },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "intents");
        const reference = await requireAccountVisible(context, args.reference?.trim(), "contract");
        const ids = await pageIntents(context.db, {
          reference,
          rail: args.rail ?? undefined,
          state: args.state ?? undefined,
          first: page.limit,
          before: cursorId<"Intent">(page),
        });
        const found = await context.services.intents.find(context.db, ids);
        const rows = ids.flatMap((id) => found.get(id) ?? []);
        return toConnection(rows, { page, kind: "intents", keysOf: ({ id }) => [id] });
      },
    }),
  );
}

/** The office sees every request; an agent those for accounts of the agent's area. Answers the account as it is stored. */
async function requireAccountVisible(
  context: GraphqlContext,
  reference: string | undefined,
  what: string,
): Promise<string | undefined> {
  const staff = requireActor(context);
  const number = reference === undefined ? undefined : parseAccountNumber(reference);
  if (staff.role !== "agent") return number === undefined ? reference : formatAccountNumber(number);
  const contract =
    number === undefined ? undefined : await context.services.credit.findByAccountNumber(context.db, number);
  return formatAccountNumber(requireVisible(staff, contract, what).accountNumber);
}

function definePayouts(builder: Builder): void {
  const state = builder.enumType("PayoutState", { values: PAYOUT_STATES });
  const method = builder.enumType("PayoutMethod", { values: ["disbursement", "reversal"] as const });
  const payout = builder.objectType("Payout", {
    description: "Money that goes back to a payer.",
    fields: (t) => ({
      id: t.exposeID("id"),
      rail: t.exposeString("rail"),
      method: t.field({ type: method, resolve: (one) => one.method }),
      receiptId: t.exposeID("receiptId", { nullable: true }),
      contractId: t.exposeID("contractId", { nullable: true }),
      originalProviderId: t.exposeString("originalProviderId", { nullable: true }),
      phone: t.exposeString("phone", { nullable: true }),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
      reason: t.exposeString("reason"),
      requestedBy: t.exposeString("requestedBy"),
      approvedBy: t.exposeString("approvedBy", { nullable: true }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      stateReason: t.exposeString("stateReason", { nullable: true }),
      providerId: t.exposeString("providerId", { nullable: true }),
      createdAt: t.expose("createdAt", { type: "DateTime" }),
      finishedAt: t.expose("finishedAt", { type: "DateTime", nullable: true }),
    }),
  });
  const connection = builder.connectionObject({ name: "PayoutConnection", type: payout }, { name: "PayoutEdge" });
  builder.queryField("payouts", (t) =>
    t.field({
      type: connection,
      authScopes: OFFICE,
      description: "Newest first.",
      args: { ...pageArguments(builder), rail: t.arg.string(), state: t.arg({ type: state }) },
      resolve: async (_root, args, { services, db }) => {
        const page = parsePage(args, "payouts");
        const ids = await pagePayouts(db, {
          rail: args.rail ?? undefined,
          state: args.state ?? undefined,
          first: page.limit,
          before: cursorId<"Payout">(page),
        });
        const found = await services.payouts.find(db, ids);
        return toConnection(
          ids.flatMap((id) => found.get(id) ?? []),
          { page, kind: "payouts", keysOf: ({ id }) => [id] },
        );
      },
    }),
  );
}

function defineReconciliations(builder: Builder, currency: EnumRef<BuilderTypes, Currency>) {
  const state = builder.enumType("ReconciliationState", {
    values: {
      agreed: { description: "Everything is the same on all sides, or explained by a person." },
      exceptions: { description: "Something differs; each difference has a name." },
      no_list: { description: "Something is in no list of the provider's: only books and ledger were compared." },
    } as const,
  });
  const exception = builder.objectType("ReconciliationException", {
    description: "Something between a provider's books and ours that a person must explain.",
    fields: (t) => ({
      id: t.exposeID("id"),
      rail: t.exposeString("rail"),
      onDate: t.exposeString("onDate", { description: "On the channel's calendar, such as 2026-11-20." }),
      kind: t.exposeString("kind"),
      subject: t.exposeString("subject", { description: "The provider's reference, or what stands for it." }),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
      detail: t.exposeString("detail"),
      openedAt: t.expose("openedAt", { type: "DateTime" }),
      resolvedAt: t.expose("resolvedAt", { type: "DateTime", nullable: true }),
      resolvedBy: t.exposeString("resolvedBy", { nullable: true }),
      resolution: t.exposeString("resolution", { nullable: true }),
    }),
  });
  const part = builder.objectRef<ClearingPart>("ClearingPart").implement({
    fields: (t) => ({
      name: t.exposeString("name"),
      count: t.exposeInt("count"),
      named: t.exposeInt("named", { description: "How many of them an exception names." }),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
    }),
  });
  const clearing = builder.objectRef<ClearingExplanation>("ClearingExplanation").implement({
    description: "balance = listed + parts + rest. The rest is zero, or a mistake of the program.",
    fields: (t) => ({
      until: t.expose("until", { type: "DateTime" }),
      balance: t.field({ type: "Money", resolve: ({ balance }) => balance }),
      listed: t.field({ type: "Money", resolve: ({ listed }) => listed }),
      parts: t.field({ type: [part], resolve: ({ parts }) => [...parts] }),
      rest: t.field({ type: "Money", resolve: ({ rest }) => rest }),
    }),
  });
  const reconciliation = builder.objectRef<Reconciliation>("Reconciliation").implement({
    description: "One rail on one day of its zone, in one currency.",
    fields: (t) => ({
      rail: t.exposeString("rail"),
      day: t.field({ type: "LocalDate", resolve: ({ on }) => on }),
      currency: t.field({ type: currency, resolve: (one) => one.currency }),
      listed: t.field({
        type: "Money",
        description: "The provider's list: in less out.",
        resolve: ({ listed }) => listed,
      }),
      booked: t.field({ type: "Money", resolve: ({ booked }) => booked }),
      clearing: t.field({
        type: "Money",
        description: "What moved on the clearing accounts.",
        resolve: (one) => one.clearing,
      }),
      difference: t.field({
        type: "Money",
        description: "Booked less listed; with no exception, times that fall on two days.",
        resolve: ({ booked, listed }) => money(booked.minor - listed.minor, booked.currency),
      }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      openExceptions: t.int({ resolve: ({ exceptions }) => exceptions }),
      madeAt: t.expose("madeAt", { type: "DateTime" }),
      exceptions: t.field({
        type: [exception],
        description: `Of that day, open ones first; at most ${ROWS_MAX}.`,
        args: { limit: t.arg.int({ defaultValue: 100 }) },
        resolve: async ({ rail, on, currency: one }, { limit }, { services, db }) => {
          const query = { rail, on, limit: checkRows(limit) };
          const found = await services.reconciliations.exceptionsOf(db, query);
          return found.filter(({ amount }) => amount.currency === one);
        },
      }),
    }),
  });
  builder.queryField("reconciliations", (t) =>
    t.field({
      type: [reconciliation],
      authScopes: OFFICE,
      description: `Newest day first; at most ${ROWS_MAX}.`,
      args: {
        rail: t.arg.string(),
        from: t.arg({ type: "LocalDate", required: true }),
        to: t.arg({ type: "LocalDate", required: true }),
        limit: t.arg.int({ defaultValue: 100 }),
      },
      resolve: async (_root, { rail, from, to, limit }, { services, db }) => [
        ...(await services.reconciliations.list(db, { rail: rail ?? undefined, from, to, limit: checkRows(limit) })),
      ],
    }),
  );
  builder.queryField("reconciliation", (t) =>
    t.field({
      type: [reconciliation],
      authScopes: OFFICE,
      description: "Of one day: a row for each currency. Empty when the day was not reconciled yet.",
      args: { rail: t.arg.string({ required: true }), day: t.arg({ type: "LocalDate", required: true }) },
      resolve: async (_root, { rail, day }, context) => [...(await readDay(context, rail, day))],
    }),
  );
  builder.queryField("explainClearing", (t) =>
    t.field({
      type: clearing,
      errors: {},
      authScopes: OFFICE,
      description: "What a rail's clearing accounts hold, and what that is made of, to the last unit.",
      args: { rail: t.arg.string({ required: true }), until: t.arg({ type: "DateTime" }) },
      resolve: (_root, { rail, until }, { services, db }) =>
        services.reconciliations.explainClearing(db, { rail, until: until ?? undefined }),
    }),
  );
  return reconciliation;
}

const readDay = ({ services, db }: GraphqlContext, rail: string, day: LocalDate): Promise<readonly Reconciliation[]> =>
  services.reconciliations.list(db, { rail, from: day, to: day, limit: ROWS_MAX });

function checkRows(limit: number | null | undefined): number {
  const rows = limit ?? 100;
  if (rows < 1 || rows > ROWS_MAX) throw new InvalidInput(`limit is 1 to ${ROWS_MAX}.`, "limit");
  return rows;
}

function cannotOf(ability: object): string | null {
  return "cannot" in ability && typeof ability.cannot === "string" ? ability.cannot : null;
}
