import type { Contract } from "../credit/credit.ts";
import {
  APPROVAL_STATES,
  HISTORY_KINDS,
  SUGGESTION_CODES,
  wordsOf,
  type Approval,
  type HistoryEvent,
  type ReceiptHistory,
  type Suggestion,
  type SuggestionReason,
} from "../payments/payments.ts";
import type { Builder } from "./builder.ts";

/** Nothing has happened yet: a second person decides. Thrown after the commit of the proposal, to end as a union member. */
export class DeskProposal extends Error {
  readonly approval: Approval;
  constructor(approval: Approval) {
    super("This is above the limit of its currency: another person of the office must approve it.");
    this.name = "DeskProposal";
    this.approval = approval;
  }
}

export type RankedContract = Omit<Suggestion, "contractId"> & { readonly contract: Contract };

/** The object types of the desk. */
export function defineDeskTypes(builder: Builder) {
  const state = builder.enumType("DeskApprovalState", { values: APPROVAL_STATES });
  const approval = builder.objectRef<Approval>("DeskApproval").implement({
    description: "An act above the limit of its currency, and what another person decided about it.",
    fields: (t) => ({
      id: t.exposeID("id"),
      act: t.string({ resolve: ({ act }) => act.kind }),
      words: t.string({ description: "What it would do.", resolve: wordsOf }),
      receiptId: t.id({ nullable: true, resolve: ({ act }) => ("receiptId" in act ? act.receiptId : null) }),
      contractIds: t.idList({
        resolve: ({ act }) =>
          act.kind === "match"
            ? act.parts.map(({ contractId }) => contractId)
            : "contractId" in act
              ? [act.contractId]
              : [],
      }),
      amount: t.field({ type: "Money", resolve: ({ amount }) => amount }),
      reason: t.exposeString("reason"),
      proposedBy: t.exposeString("proposedBy"),
      proposedAt: t.expose("proposedAt", { type: "DateTime" }),
      state: t.field({ type: state, resolve: (one) => one.state }),
      decidedBy: t.exposeString("decidedBy", { nullable: true }),
      decidedAt: t.expose("decidedAt", { type: "DateTime", nullable: true }),
      decision: t.exposeString("decision", {
        nullable: true,
        description: "Why it was declined, or why the act was no longer possible.",
      }),
    }),
  });
  builder.objectType(DeskProposal, {
    name: "DeskProposal",
    description: "The act did not happen: it is above the limit and waits for another person of the office.",
    fields: (t) => ({
      message: t.exposeString("message"),
      approval: t.field({ type: approval, resolve: (proposal) => proposal.approval }),
    }),
  });
  return { state, approval, ...defineReading(builder) };
}

export type DeskTypes = ReturnType<typeof defineDeskTypes>;

function defineReading(builder: Builder) {
  const code = builder.enumType("SuggestionCode", { values: SUGGESTION_CODES });
  const reason = builder.objectRef<SuggestionReason>("SuggestionReason").implement({
    fields: (t) => ({ code: t.field({ type: code, resolve: (one) => one.code }), words: t.exposeString("words") }),
  });
  const suggestion = builder.objectRef<RankedContract>("Suggestion").implement({
    description: "A contract that the money may be meant for. A guess: a person decides.",
    fields: (t) => ({
      contract: t.field({ type: "Contract", resolve: ({ contract }) => contract }),
      score: t.exposeInt("score", { description: "0 to 99." }),
      reasons: t.field({ type: [reason], resolve: ({ reasons }) => [...reasons] }),
    }),
  });
  const suggestions = builder
    .objectRef<{ readonly suggestions: readonly RankedContract[] }>("SuspenseSuggestions")
    .implement({
      fields: (t) => ({
        suggestions: t.field({
          type: [suggestion],
          description: "The likeliest first.",
          resolve: (list) => [...list.suggestions],
        }),
      }),
    });
  const kind = builder.enumType("HistoryKind", { values: HISTORY_KINDS });
  const event = builder.objectRef<HistoryEvent>("HistoryEvent").implement({
    fields: (t) => ({
      at: t.expose("at", { type: "DateTime" }),
      kind: t.field({ type: kind, resolve: (one) => one.kind }),
      text: t.exposeString("text"),
      detail: t.string({ description: "JSON.", resolve: ({ detail }) => JSON.stringify(detail) }),
    }),
  });
  const history = builder.objectRef<ReceiptHistory>("ReceiptHistory").implement({
    description: "All that is known of a payment, from the provider's bytes to the last message.",
    fields: (t) => ({
      receipt: t.field({ type: "Receipt", resolve: ({ receipt }) => receipt }),
      callbackText: t.exposeString("callbackText", {
        nullable: true,
        description: "As the provider sent it; null when it is not text.",
      }),
      events: t.field({ type: [event], description: "Oldest first.", resolve: ({ events }) => [...events] }),
      deviceReport: t.field({
        type: event,
        nullable: true,
        description: "The device's last report; null while devices do not report.",
        resolve: () => null,
      }),
    }),
  });
  return { suggestions, history };
}
