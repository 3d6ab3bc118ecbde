import type { ContractId, StaffId, TransactionId } from "../../kernel/ids.ts";
import type { Currency, Money } from "../../kernel/money.ts";
import type { AccountId } from "../../ledger/ledger.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type { InHand, WaitingReason } from "./cash-limit.ts";
import type { CashReceiptNumber } from "./cash-number.ts";
import type { CashStatement } from "./cash-statement.ts";
import type { CommissionRule, CommissionTerms } from "./commission.ts";

/**
 * What an agent collected. `booked`: it entered the inbox and is settled like any payment; `provisional`: it waits;
 * `cancelled`: it was a mistake, and what it had done is reversed.
 */
export interface CashReceipt {
  readonly number: CashReceiptNumber;
  readonly agentId: StaffId;
  readonly sequence: number;
  readonly contractId: ContractId;
  /** The account number to credit. */
  readonly reference: string;
  readonly amount: Money;
  /** By the agent's phone. */
  readonly takenAt: Date;
  readonly receivedAt: Date;
  readonly state: "provisional" | "booked" | "cancelled";
  /** Why it had to wait, when it had to. */
  readonly reason: WaitingReason | null;
  readonly bookedAt: Date | null;
  readonly releasedBy: string | null;
  readonly cancelledBy: string | null;
}

export type HandOverState = "offered" | "accepted" | "rejected";

/** Cash on its way from an agent to the office. It counts when a second person has counted it. */
export interface HandOver {
  readonly id: string;
  readonly agentId: StaffId;
  readonly offered: Money;
  readonly offeredAt: Date;
  readonly state: HandOverState;
  readonly countedMinor: bigint | null;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
  /** Why it was rejected. */
  readonly reason: string | null;
}

/** What one agent has in hand in one currency, with its accounts. */
export interface Holding extends InHand {
  readonly agentId: StaffId;
  readonly currency: Currency;
  /** Of it, on its way to the office. */
  readonly offeredMinor: bigint;
  readonly clearingAccountId: AccountId;
  readonly commissionAccountId: AccountId;
}

/** The same as an agent reads it. */
export interface CashStanding {
  readonly currency: Currency;
  readonly heldMinor: bigint;
  readonly bookedMinor: bigint;
  readonly provisionalMinor: bigint;
  readonly offeredMinor: bigint;
  /** Null: the office has set none, so every collection waits. */
  readonly limitMinor: bigint | null;
  readonly roomMinor: bigint;
  /** Earned and not paid out; below zero when more was taken back than is still owed. */
  readonly commissionMinor: bigint;
}

/** A member of staff who decides about somebody else's cash. */
export interface Officer {
  readonly id: StaffId;
  readonly role: "admin" | "operations" | "agent";
  /** For `actor` columns. */
  readonly actor: string;
}

/** What the contract module says of the contract that is paid. Throws a refusal when there is none. */
export type RequireContract = (
  tx: Tx,
  contractId: ContractId,
) => Promise<{ readonly reference: string; readonly currency: Currency }>;

export interface Collection {
  readonly agentId: StaffId;
  readonly actor: string;
  /** Of the agent's phone: the same key with the same content is one payment, however often it is sent. */
  readonly clientKey: string;
  /** From a block that the agent was given; the next free number when the phone has none. */
  readonly receiptNumber?: string | undefined;
  readonly contractId: ContractId;
  readonly amount: Money;
  readonly takenAt: Date;
}

/** The cause of a collection's commission, for taking it back. */
export const collectionCause = (receiptNumber: string): string => `collection:${receiptNumber}`;
export const saleCause = (contractId: ContractId): string => `sale:${contractId}`;

/** Agents' cash: collected under a limit, handed over to a second person, rewarded by exact commissions. */
export interface AgentCash {
  /** Gives an agent numbers for receipts that are written without network. */
  takeReceiptNumbers(
    tx: Tx,
    order: { agentId: StaffId; count: number },
  ): Promise<{ readonly code: number; readonly numbers: readonly CashReceiptNumber[] }>;
  /**
   * Takes a collection into the books, or keeps it provisional when the agent would hold more than allowed. A key that is
   * known answers its first receipt. Throws `IdempotencyConflict` for a key with another content, `InvalidInput` for a
   * number that is not the agent's or is used, a wrong currency, an impossible amount or instant.
   */
  collect(tx: Tx, collection: Collection): Promise<CashReceipt>;
  /** Books a provisional receipt over the limit, on an officer's word. */
  releaseReceipt(tx: Tx, order: { receiptNumber: string; reason: string; by: Officer }): Promise<CashReceipt>;
  /**
   * Undoes a receipt that was written by mistake: nobody took this cash. A booked one enters the inbox as a reversal, which the
   * settle loop posts against its payment, and its commission is taken back. Throws when the office has counted the cash.
   */
  cancelReceipt(tx: Tx, order: { receiptNumber: string; reason: string; by: Officer }): Promise<CashReceipt>;
  /** Sets what an agent (null: every agent without an own limit) may hold, and books what fits now. Answers those receipts. */
  setLimit(
    tx: Tx,
    order: { agentId: StaffId | null; currency: Currency; limitMinor: bigint; by: Officer },
  ): Promise<readonly CashReceipt[]>;
  /** Offers cash to the office. Throws when it is more than the agent has in hand and has not offered yet. */
  handOver(tx: Tx, order: { agentId: StaffId; amount: Money; clientKey: string }): Promise<HandOver>;
  /**
   * Accepts what a second person has counted, and books the provisional receipts for which there is room now. Counted less
   * than offered: the rest stays in the agent's hands and on the list of exceptions. A repetition with the same count
   * answers the first.
   */
  acceptHandOver(tx: Tx, order: { handOverId: string; countedMinor: bigint; by: Officer }): Promise<HandOver>;
  rejectHandOver(tx: Tx, order: { handOverId: string; reason: string; by: Officer }): Promise<HandOver>;
  /** Adds a rule for what is sold or collected from `effectiveAt` (now, when left out) on; earlier acts keep theirs. */
  setCommissionRule(
    tx: Tx,
    terms: Omit<CommissionTerms, "effectiveAt"> & { readonly effectiveAt?: Date | undefined },
    by: Officer,
  ): Promise<CommissionRule>;
  /** What a sale earns its agent, once per contract; undefined where no rule is in force. */
  accrueSale(
    tx: Tx,
    sale: { agentId: StaffId; contractId: ContractId; price: Money; at: Date; actor: string },
  ): Promise<Money | undefined>;
  /**
   * Takes a commission back after its sale or collection was undone; at most once, and nothing when none was earned. Call it
   * before the transaction posts to the agent's accounts: it waits for other acts of the agent.
   */
  reverseCommission(tx: Tx, order: { cause: string; reason: string; actor: string }): Promise<Money | undefined>;
  /** Pays earned commission from the office's cash. `key` names the act, so that a repetition pays once. */
  payCommission(tx: Tx, order: { agentId: StaffId; amount: Money; by: Officer; key: string }): Promise<TransactionId>;
  findReceipts(
    db: Db | Tx,
    numbers: readonly CashReceiptNumber[],
  ): Promise<ReadonlyMap<CashReceiptNumber, CashReceipt>>;
  /** What waits for room, in the order in which it will be booked; at most `limit`. */
  provisional(db: Db | Tx, query: { agentId?: StaffId | undefined; limit: number }): Promise<readonly CashReceipt[]>;
  standingsOf(db: Db | Tx, agentId: StaffId): Promise<readonly CashStanding[]>;
  findHandOver(db: Db | Tx, id: string): Promise<HandOver | undefined>;
  /** Newest first; `after` is the last of the page before. */
  handOvers(
    db: Db | Tx,
    query: {
      agentId?: StaffId | undefined;
      state?: HandOverState | undefined;
      first: number;
      after?: { offeredAt: Date; id: string } | undefined;
    },
  ): Promise<readonly HandOver[]>;
  findCommissionRule(db: Db | Tx, id: string): Promise<CommissionRule | undefined>;
  /** Newest first, as many as a person reads. */
  commissionRules(db: Db | Tx): Promise<readonly CommissionRule[]>;
  /** From the ledger: what was written down from `from` until before `to`. */
  statementOf(
    db: Db | Tx,
    query: { agentId: StaffId; currency: Currency; from: Date; to: Date },
  ): Promise<CashStatement>;
}
