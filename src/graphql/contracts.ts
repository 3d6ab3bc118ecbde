import { sightOf } from "../access/access.ts";
import {
  dictateAccountNumber,
  formatAccountNumber,
  parseAccountNumber,
  type Arrears,
  type Contract,
  type Instalment,
} from "../credit/credit.ts";
import type { CustomerId, DeviceId, PlanVersionId } from "../kernel/ids.ts";
import { money, type Currency } from "../kernel/money.ts";
import { InvalidInput } from "../kernel/refusal.ts";
import { pageArguments, parseId, type Builder } from "./builder.ts";
import { requireVisible } from "./commands.ts";
import { cursorId, parsePage, toConnection } from "./connections.ts";
import { requireActor } from "./context.ts";
import { defineContractHistory } from "./contract-history.ts";

const CALENDAR_ROWS_MAX = 400;

/** Contracts: who has which device under which terms, and where the money stands. */
export function defineContracts(builder: Builder): void {
  const state = builder.enumType("ContractState", { values: ["active", "paid_off", "written_off"] as const });
  const lockState = builder.enumType("LockState", {
    values: ["CREATED", "ENABLED", "DISABLED", "UNLOCKED", "WRITTEN_OFF"] as const,
  });
  const calendar = defineCalendar(builder);
  const amount = (contract: Contract, minor: bigint) => money(minor, contract.currency);
  builder.objectType("Contract", {
    fields: (t) => ({
      id: t.exposeID("id"),
      accountNumber: t.string({
        description: "As printed; any spelling of it is understood.",
        resolve: (contract) => formatAccountNumber(contract.accountNumber),
      }),
      accountNumberSpoken: t.string({
        description: "In groups, for the telephone.",
        resolve: (contract) => dictateAccountNumber(contract.accountNumber),
      }),
      area: t.exposeString("area"),
      state: t.field({ type: state, resolve: (contract) => contract.state }),
      lockState: t.field({
        type: lockState,
        resolve: (contract, _args, { services }) => services.credit.lockState(contract),
      }),
      soldBy: t.exposeString("soldBy"),
      soldAt: t.expose("soldAt", { type: "DateTime" }),
      startedAt: t.expose("startedAt", { type: "DateTime", nullable: true }),
      endedAt: t.expose("endedAt", { type: "DateTime", nullable: true }),
      paidUntil: t.field({
        type: "DateTime",
        nullable: true,
        description: "What the money bought, to the millisecond.",
        resolve: ({ paidUntilAt }) => paidUntilAt,
      }),
      lampUntil: t.field({
        type: "DateTime",
        nullable: true,
        description: "What the tokens gave, in whole units.",
        resolve: ({ lampUntilAt }) => lampUntilAt,
      }),
      received: t.field({ type: "Money", resolve: (contract) => amount(contract, contract.receivedMinor) }),
      depositDue: t.field({ type: "Money", resolve: (contract) => amount(contract, contract.depositDueMinor) }),
      outstanding: t.field({
        type: "Money",
        nullable: true,
        description: "Of the price; null for rent without end.",
        resolve: (contract) =>
          contract.outstandingMinor === null ? null : amount(contract, contract.outstandingMinor),
      }),
      carried: t.field({
        type: "Money",
        description: "Held until it fills a unit of time.",
        resolve: (contract) => amount(contract, contract.carriedMinor),
      }),
      refundable: t.field({ type: "Money", resolve: (contract) => amount(contract, contract.refundableMinor) }),
      debt: t.field({
        type: "Money",
        description: "Taken back after it had bought time.",
        resolve: (contract) => amount(contract, contract.debtMinor),
      }),
      customer: t.loadable({
        type: "Customer",
        load: async (ids: CustomerId[], { services, db }) => found(ids, await services.customers.findMany(db, ids)),
        resolve: ({ customerId }) => customerId,
      }),
      device: t.loadable({
        type: "Device",
        load: async (ids: DeviceId[], { services, db }) => found(ids, await services.devices.findMany(db, ids)),
        resolve: ({ deviceId }) => deviceId,
      }),
      plan: t.loadable({
        type: "PlanVersion",
        description: "The terms that were applied last.",
        load: async (ids: PlanVersionId[], { services, db }) =>
          found(ids, await services.credit.plans.versions(db, ids)),
        resolve: ({ planVersionId }) => planVersionId,
      }),
      instalments: t.field({
        type: calendar,
        resolve: async (contract, _args, { services, db }) => ({
          currency: contract.currency,
          ...(await services.credit.instalmentsOf(db, contract)),
        }),
      }),
    }),
  });
  defineContractHistory(builder, { lockState });
  defineReading(builder, state);
}

/** What a loader gives back: a value for each id, in order; a row that is missing is a fault, since a key points to it. */
function found<Key, Value>(ids: readonly Key[], values: ReadonlyMap<Key, Value>): (Value | Error)[] {
  return ids.map(
    (id) => values.get(id) ?? new Error(`The row ${String(id)}, to which another row points, is missing.`),
  );
}

interface Calendar {
  readonly currency: Currency;
  readonly calendar: readonly Instalment[];
  readonly arrears: Arrears;
}

function defineCalendar(builder: Builder) {
  const instalment = builder.objectRef<Instalment & { readonly currency: Currency }>("Instalment").implement({
    fields: (t) => ({
      dueOn: t.field({ type: "LocalDate", resolve: ({ dueOn }) => dueOn }),
      amount: t.field({ type: "Money", resolve: ({ amountMinor, currency }) => money(amountMinor, currency) }),
      cumulative: t.field({
        type: "Money",
        resolve: ({ cumulativeMinor, currency }) => money(cumulativeMinor, currency),
      }),
    }),
  });
  return builder.objectRef<Calendar>("InstalmentCalendar").implement({
    fields: (t) => ({
      due: t.field({
        type: "Money",
        description: "Up to today.",
        resolve: ({ arrears, currency }) => money(arrears.dueMinor, currency),
      }),
      arrears: t.field({ type: "Money", resolve: ({ arrears, currency }) => money(arrears.arrearsMinor, currency) }),
      arrearsDays: t.int({
        description: "Since the oldest unpaid instalment fell due, after the grace.",
        resolve: ({ arrears }) => arrears.days,
      }),
      entries: t.field({
        type: [instalment],
        args: { from: t.arg({ type: "LocalDate" }), limit: t.arg.int({ defaultValue: 60 }) },
        resolve: ({ calendar, currency }, { from, limit }) =>
          calendar
            .filter(({ dueOn }) => !from || dueOn >= from)
            .slice(0, Math.min(Math.max(limit ?? 60, 1), CALENDAR_ROWS_MAX))
            .map((entry) => ({ ...entry, currency })),
      }),
    }),
  });
}

function defineReading(
  builder: Builder,
  state: ReturnType<typeof builder.enumType<"ContractState", readonly ["active", "paid_off", "written_off"]>>,
): void {
  const connection = builder.connectionObject(
    { name: "ContractConnection", type: "Contract" },
    { name: "ContractEdge" },
  );
  builder.queryField("contract", (t) =>
    t.field({
      type: "Contract",
      errors: {},
      args: { id: t.arg.id(), accountNumber: t.arg.string({ description: "As people type it." }) },
      resolve: async (_root, { id, accountNumber }, context) => {
        if (!id === !accountNumber) throw new InvalidInput("Give the id or the account number.", "id");
        const { credit } = context.services;
        const number = accountNumber ? parseAccountNumber(accountNumber) : undefined;
        if (accountNumber && number === undefined)
          throw new InvalidInput("The account number has a slip in it: its check digit is wrong.", "accountNumber");
        const contract =
          number === undefined
            ? await credit.find(context.db, parseId<"Contract">(id ?? "", "contract"))
            : await credit.findByAccountNumber(context.db, number);
        return requireVisible(requireActor(context), contract, "contract");
      },
    }),
  );
  builder.queryField("contracts", (t) =>
    t.field({
      type: connection,
      args: {
        ...pageArguments(builder),
        area: t.arg.string(),
        state: t.arg({ type: state }),
        customerId: t.arg.id(),
      },
      resolve: async (_root, args, context) => {
        const page = parsePage(args, "contracts");
        const sight = sightOf(requireActor(context));
        const elsewhere = sight.kind === "area" && !!args.area && args.area !== sight.area;
        const filter = {
          area: sight.kind === "area" ? sight.area : (args.area ?? undefined),
          state: args.state ?? undefined,
          customerId: args.customerId ? parseId<"Customer">(args.customerId, "customer") : undefined,
        };
        const after = cursorId<"Contract">(page);
        const rows = elsewhere
          ? []
          : await context.services.credit.list(context.db, filter, { first: page.limit, after });
        return toConnection(rows, { page, kind: "contracts", keysOf: ({ id }) => [id] });
      },
    }),
  );
}
