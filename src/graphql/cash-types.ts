import type { EnumRef, ObjectRef } from "@pothos/core";
import type { Staff } from "../access/access.ts";
import { money, type Currency } from "../kernel/money.ts";
import { NotFound } from "../kernel/refusal.ts";
import type {
  AgentCash,
  CashReceipt,
  CashStanding,
  CommissionKind,
  CommissionRule,
  HandOver,
  HandOverState,
} from "../payments/payments.ts";
import { parseId, type Builder, type BuilderTypes } from "./builder.ts";
import { requireActor, type GraphqlContext } from "./context.ts";

/** Types that both the queries and the mutations of agents' cash answer with. */
export interface CashTypes {
  readonly currency: EnumRef<BuilderTypes, Currency>;
  readonly commissionKind: EnumRef<BuilderTypes, CommissionKind>;
  readonly handOverState: EnumRef<BuilderTypes, HandOverState>;
  readonly receipt: ObjectRef<BuilderTypes, CashReceipt>;
  readonly handOver: ObjectRef<BuilderTypes, HandOver>;
  readonly rule: ObjectRef<BuilderTypes, CommissionRule>;
  readonly standing: ObjectRef<BuilderTypes, CashStanding>;
}

/** Defines them, once. */
export function defineCashTypes(builder: Builder, currency: EnumRef<BuilderTypes, Currency>): CashTypes {
  const commissionKind = builder.enumType("CommissionKind", { values: ["sale", "collection"] as const });
  const handOverState = builder.enumType("CashHandOverState", { values: ["offered", "accepted", "rejected"] as const });
  return {
    currency,
    commissionKind,
    handOverState,
    receipt: defineReceipt(builder),
    handOver: defineHandOver(builder, handOverState),
    rule: defineRule(builder, { currency, commissionKind }),
    standing: defineStanding(builder, currency),
  };
}

/** The face of agents' cash. */
export function cashOf({ services }: GraphqlContext): AgentCash {
  return services.cash;
}

/** The agent that is asked about, when the asker may see the agent's cash: agents their own, the office everybody's. */
export async function requireAgent(context: GraphqlContext, agentId: string | null | undefined): Promise<Staff> {
  const staff = requireActor(context);
  if (staff.role === "agent") {
    if (agentId && agentId.toLowerCase() !== staff.id) throw new NotFound("agent", "agentId");
    return staff;
  }
  const [found] = await context.services.access.findStaff([parseId<"Staff">(agentId ?? "", "agent")]);
  if (found?.role !== "agent") throw new NotFound("agent", "agentId");
  return found;
}

/** What the agent reads on the phone. */
function explain({ state, reason }: CashReceipt): string {
  if (state === "cancelled") return "Cancelled by the office. Nobody took this cash.";
  if (state === "booked") return "Taken. The customer gets the tokens by SMS.";
  return reason === "no_limit"
    ? "Kept, but it waits: the office has set no limit for your cash in this currency. The customer gets tokens when it has."
    : "Kept, but it waits: you hold as much cash as you may. Hand some over; then the customer gets the tokens by SMS.";
}

function defineReceipt(builder: Builder): ObjectRef<BuilderTypes, CashReceipt> {
  const state = builder.enumType("CashReceiptState", { values: ["provisional", "booked", "cancelled"] as const });
  const reason = builder.enumType("CashWaitingReason", { values: ["over_limit", "no_limit"] as const });
  return builder.objectRef<CashReceipt>("CashReceipt").implement({
    description:
      "What an agent collected. `provisional` waits for room under the agent's limit, and gives no token yet.",
    fields: (t) => ({
      number: t.exposeString("number"),
      agentId: t.exposeID("agentId"),
      contractId: t.exposeID("contractId"),
      accountNumber: t.exposeString("reference"),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
      takenAt: t.expose("takenAt", { type: "DateTime", description: "By the agent's phone." }),
      receivedAt: t.expose("receivedAt", { type: "DateTime" }),
      state: t.field({ type: state, resolve: (receipt) => receipt.state }),
      reason: t.field({ type: reason, nullable: true, resolve: (receipt) => receipt.reason }),
      bookedAt: t.expose("bookedAt", { type: "DateTime", nullable: true }),
      releasedBy: t.exposeString("releasedBy", { nullable: true, description: "Who let it through over the limit." }),
      cancelledBy: t.exposeString("cancelledBy", { nullable: true }),
      explanation: t.string({ description: "For the agent to read.", resolve: explain }),
    }),
  });
}

function defineHandOver(
  builder: Builder,
  state: EnumRef<BuilderTypes, HandOverState>,
): ObjectRef<BuilderTypes, HandOver> {
  return builder.objectRef<HandOver>("CashHandOver").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      agentId: t.exposeID("agentId"),
      offered: t.field({ type: "Money", resolve: ({ offered }) => offered }),
      offeredAt: t.expose("offeredAt", { type: "DateTime" }),
      state: t.field({ type: state, resolve: (handOver) => handOver.state }),
      counted: t.field({
        type: "Money",
        nullable: true,
        description: "By the second person. What is missing stayed in the agent's hands.",
        resolve: ({ countedMinor, offered }) => (countedMinor === null ? null : money(countedMinor, offered.currency)),
      }),
      decidedBy: t.exposeString("decidedBy", { nullable: true }),
      decidedAt: t.expose("decidedAt", { type: "DateTime", nullable: true }),
      reason: t.exposeString("reason", { nullable: true }),
    }),
  });
}

function defineRule(
  builder: Builder,
  { currency, commissionKind }: Pick<CashTypes, "currency" | "commissionKind">,
): ObjectRef<BuilderTypes, CommissionRule> {
  return builder.objectRef<CommissionRule>("CommissionRule").implement({
    fields: (t) => ({
      id: t.exposeID("id"),
      kind: t.field({ type: commissionKind, resolve: ({ kind }) => kind }),
      agentId: t.exposeID("agentId", { nullable: true, description: "Null: every agent without a rule of their own." }),
      currency: t.field({ type: currency, resolve: (rule) => rule.currency }),
      ratio: t.string({
        description: 'Of the amount, as an exact fraction such as "1/40".',
        resolve: ({ ratio }) => `${ratio.numerator}/${ratio.denominator}`,
      }),
      fixed: t.field({ type: "Money", resolve: (rule) => money(rule.fixedMinor, rule.currency) }),
      effectiveAt: t.expose("effectiveAt", { type: "DateTime" }),
    }),
  });
}

function defineStanding(
  builder: Builder,
  currency: EnumRef<BuilderTypes, Currency>,
): ObjectRef<BuilderTypes, CashStanding> {
  return builder.objectRef<CashStanding>("CashStanding").implement({
    description: "What an agent has in hand in one currency, now.",
    fields: (t) => ({
      currency: t.field({ type: currency, resolve: (standing) => standing.currency }),
      held: t.field({ type: "Money", resolve: (standing) => money(standing.heldMinor, standing.currency) }),
      provisional: t.field({
        type: "Money",
        description: "Of what is held: collected above the limit, and not in the books.",
        resolve: (standing) => money(standing.provisionalMinor, standing.currency),
      }),
      offered: t.field({
        type: "Money",
        description: "Of what is held: offered to the office, and not accepted yet.",
        resolve: (standing) => money(standing.offeredMinor, standing.currency),
      }),
      limit: t.field({
        type: "Money",
        nullable: true,
        resolve: ({ limitMinor, ...standing }) => (limitMinor === null ? null : money(limitMinor, standing.currency)),
      }),
      room: t.field({ type: "Money", resolve: (standing) => money(standing.roomMinor, standing.currency) }),
      commission: t.field({
        type: "Money",
        description: "Earned and not paid out; below zero when more was taken back than is owed.",
        resolve: (standing) => money(standing.commissionMinor, standing.currency),
      }),
    }),
  });
}
