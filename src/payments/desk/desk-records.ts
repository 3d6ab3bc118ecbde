import type { ContractId, Id, ReceiptId } from "../../kernel/ids.ts";
import { formatMoney, type Currency, type Money } from "../../kernel/money.ts";
import { InvalidInput, Refusal } from "../../kernel/refusal.ts";
import type { Json } from "../../platform/idempotency.ts";

export type ApprovalId = Id<"Approval">;

/** Who acts. Only the office works at the desk. */
export interface DeskPerson {
  readonly actor: string;
  readonly role: "admin" | "operations" | "agent";
}

/** An amount of a receipt for a contract; without an amount all that is open, which only a single part can mean. */
export interface MatchPart {
  readonly contractId: ContractId;
  readonly amountMinor: bigint | undefined;
}

/** What a person at the desk asks for. Amounts that are left out mean everything there is. */
export type DeskAct =
  /** Moves an item of suspense, or parts of it, to contracts, where it buys as if it had come there. */
  | { readonly kind: "match"; readonly receiptId: ReceiptId; readonly parts: readonly MatchPart[] }
  /** Takes a receipt from a contract back into suspense. */
  | {
      readonly kind: "unlink";
      readonly receiptId: ReceiptId;
      readonly contractId: ContractId;
      readonly amountMinor: bigint | undefined;
    }
  /** Pays money in suspense back to its payer, or to the phone that a person names. */
  | {
      readonly kind: "refund_suspense";
      readonly receiptId: ReceiptId;
      readonly amountMinor: bigint | undefined;
      readonly phone: string | undefined;
    }
  /** Pays a contract's refundable money out to its customer. */
  | {
      readonly kind: "refund_contract";
      readonly contractId: ContractId;
      readonly amountMinor: bigint | undefined;
      readonly phone: string | undefined;
      readonly rail: string | undefined;
    }
  /** Gives a contract money, or takes some. */
  | { readonly kind: "adjust"; readonly contractId: ContractId; readonly amountMinor: bigint };

/** What an act made, small enough to be kept as the outcome of a command. */
export interface DeskDone {
  readonly [name: string]: Json;
  readonly receiptId: string | null;
  readonly contractIds: readonly string[];
  readonly payoutId: string | null;
}

/** An act that waits for a second person, or what became of it. */
export interface Approval {
  readonly id: ApprovalId;
  readonly act: DeskAct;
  readonly amount: Money;
  readonly reason: string;
  readonly proposedBy: string;
  readonly proposedAt: Date;
  readonly state: ApprovalState;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  /** Why it was declined, or why the act was no longer possible. */
  readonly decision: string | null;
  readonly outcome: DeskDone | null;
}

export const APPROVAL_STATES = ["proposed", "approved", "declined", "failed"] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

export type DeskResult =
  | { readonly kind: "done"; readonly done: DeskDone }
  /** Above the limit: nothing has happened, a second person decides. */
  | { readonly kind: "proposed"; readonly approval: Approval };

/** Two pairs of eyes are two persons. */
export class SecondPersonNeeded extends Refusal {
  readonly code = "SECOND_PERSON_NEEDED";
  constructor() {
    super("You proposed this yourself. Another person of the office must approve it.");
  }
}

export type SuggestionReason =
  | { readonly code: "account_one_slip_away"; readonly words: string }
  | { readonly code: "payer_is_customer"; readonly words: string }
  | { readonly code: "payer_paid_before"; readonly words: string }
  | { readonly code: "amount_is_usual"; readonly words: string }
  | { readonly code: "payment_was_requested"; readonly words: string };

export const SUGGESTION_CODES = [
  "account_one_slip_away",
  "payer_is_customer",
  "payer_paid_before",
  "amount_is_usual",
  "payment_was_requested",
] as const satisfies readonly SuggestionReason["code"][];

/** A contract that the money may be meant for. A person decides; nothing is ever matched by it. */
export interface Suggestion {
  readonly contractId: ContractId;
  /** 0 to 99: nothing that is guessed is certain. */
  readonly score: number;
  readonly reasons: readonly SuggestionReason[];
}

/** What a contract says about itself at the desk. */
export interface DeskContract {
  readonly id: ContractId;
  readonly account: string;
  readonly currency: Currency;
  readonly isActive: boolean;
  readonly refundableMinor: bigint;
}

export interface HistoryEvent {
  readonly at: Date;
  readonly kind: HistoryKind;
  /** One sentence for a person. */
  readonly text: string;
  readonly detail: Json;
}

/** In the order in which things of one instant follow from each other. */
export const HISTORY_KINDS = [
  "request",
  "callback",
  "notice",
  "receipt",
  "posting",
  "allocation",
  "token",
  "message",
  "proposal",
  "movement",
  "payout",
  "reversal",
  "audit",
  "device_report",
] as const;
export type HistoryKind = (typeof HISTORY_KINDS)[number];

const REASON_CHARACTERS_MAX = 500;

/** Why somebody did it; the audit lives by it. */
export function parseDeskReason(text: string, field = "reason"): string {
  const reason = text.trim();
  if (reason === "" || reason.length > REASON_CHARACTERS_MAX)
    throw new InvalidInput(`A ${field} has 1 to ${REASON_CHARACTERS_MAX} characters.`, field);
  return reason;
}

/** What a proposal is about, in words. */
export function wordsOf({ act, amount }: Pick<Approval, "act" | "amount">): string {
  const money = formatMoney(amount);
  switch (act.kind) {
    case "match":
      return act.parts.length === 1 ? `match ${money}` : `split ${money} over ${act.parts.length} contracts`;
    case "unlink":
      return `unlink ${money}`;
    case "refund_suspense":
      return `refund ${money} to the payer`;
    case "refund_contract":
      return `refund ${money} to the customer`;
    case "adjust":
      return `adjust a contract by ${money}`;
  }
}
