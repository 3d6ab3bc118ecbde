import type { ContractId, IntentId, PayoutId, ReceiptId, TransactionId } from "../kernel/ids.ts";
import type { Currency, Money } from "../kernel/money.ts";
import type { Line } from "../ledger/ledger.ts";
import type { Tx } from "../platform/database.ts";
import type { IntentState } from "./requests/requests.ts";

export type { IntentState } from "./requests/requests.ts";

/** A payment that is about to be booked; the money has moved already, so it cannot be refused. */
export interface Receipt {
  readonly id: ReceiptId;
  readonly callbackId: bigint;
  readonly rail: string;
  readonly providerId: string;
  /** `transfer`: an organisation paid; it is never a customer's. */
  readonly type: "billpay" | "merchantpay" | "transfer";
  readonly amount: Money;
  readonly shortcode: string;
  /** The account as the payer typed it, or the one of the request that the payment answers. */
  readonly reference: string;
  readonly payerPhone: string | undefined;
  readonly payerHash: Uint8Array | undefined;
  readonly payerName: string | undefined;
  readonly paidAt: Date;
}

export type SuspenseReason =
  | "account_unknown"
  | "account_missing"
  | "contract_ended"
  | "currency_differs"
  | "organisation"
  | "unlinked"
  | "reversed";

/** Where a receipt's money goes. Credits sum to minus the receipt's amount, less what was taken back before. */
export type Destination =
  | {
      readonly kind: "contract";
      readonly credits: readonly Line[];
      /** A part that was taken back before the payment was booked: it buys nothing and goes out again right behind. */
      readonly reversedMinor?: bigint | undefined;
    }
  | { readonly kind: "suspense"; readonly reason: SuspenseReason };

/**
 * Decides and books, for a batch of receipts in the caller's transaction, what each of them buys. Given by the composition
 * root from the credit module: payments itself knows no contracts. Answers in the order of the receipts.
 */
export type AllocateReceipts = (tx: Tx, receipts: readonly Receipt[]) => Promise<readonly Destination[]>;

/** Takes back from contracts what a receipt had bought: the whole amount, or nothing where the contracts never had so much of it. */
export type TakeBack = (
  tx: Tx,
  order: {
    readonly receiptId: ReceiptId;
    /** The names under which contracts keep what they have of the receipt, oldest first. */
    readonly causes: readonly string[];
    /** Only from this contract; otherwise from all that have some of it. */
    readonly contractId?: string | undefined;
    readonly amount: Money;
    /** Names the taking back, once and for ever. */
    readonly cause: string;
    readonly at: Date;
    readonly why: "reversed" | "unlinked";
    readonly actor: string;
  },
) => Promise<{ readonly taken: Money; readonly debits: readonly Line[] }>;

/** What a payer may be told before the money moves. */
export type Payable =
  | { readonly kind: "payable"; readonly currency: Currency; readonly minimumMinor: bigint }
  | { readonly kind: "unknown" }
  | { readonly kind: "ended" };
export type FindPayable = (reference: string) => Promise<Payable>;

/** A booked payment, as it is read. */
export interface StoredReceipt {
  readonly id: ReceiptId;
  readonly rail: string;
  readonly providerId: string;
  readonly amount: Money;
  readonly reference: string;
  readonly payerName: string | null;
  readonly paidAt: Date;
  readonly bookedAt: Date;
  readonly transactionId: TransactionId;
}

export interface SuspenseItem {
  readonly receipt: StoredReceipt;
  readonly reason: SuspenseReason;
  /** What is still unexplained: less than the receipt after a split. */
  readonly open: Money;
  readonly openedAt: Date;
  readonly resolvedAt: Date | null;
  readonly resolvedBy: string | null;
  readonly resolution: string | null;
}

export interface QuarantineItem {
  readonly id: string;
  readonly rail: string;
  readonly door: string;
  readonly reason: string;
  readonly detail: string;
  readonly providerId: string | null;
  readonly receivedAt: Date;
}

/** "Ask this phone to pay this amount for this account", and what became of it. */
export interface Intent {
  readonly id: IntentId;
  readonly rail: string;
  /** Ours: it names the request to the provider. */
  readonly correlation: string;
  readonly providerCorrelation: string | undefined;
  readonly memory: Readonly<Record<string, string>>;
  /** Where a web checkout is paid. */
  readonly payAt: string | null;
  readonly reference: string;
  readonly phone: string;
  readonly amount: Money;
  readonly requestedBy: string;
  readonly askedThrough: "ussd" | "sms" | "chat" | "agent" | "api";
  readonly state: IntentState;
  /** Why it failed or waits, in the provider's words. */
  readonly reason: string | null;
  /** The payment that answered it. */
  readonly providerId: string | null;
  readonly wasAccepted: boolean;
  readonly attempts: number;
  readonly enquiries: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly finishedAt: Date | null;
}

export type PayoutState = "created" | "sending" | "pending" | "completed" | "failed";

/** Money that goes back to a payer. */
export interface Payout {
  readonly id: PayoutId;
  readonly rail: string;
  /** `reversal`: the provider undoes the payment itself; the only way back to a payer whose number is masked. */
  readonly method: "disbursement" | "reversal";
  readonly correlation: string;
  readonly providerCorrelation: string | undefined;
  readonly memory: Readonly<Record<string, string>>;
  readonly receiptId: ReceiptId | null;
  readonly contractId: ContractId | string | null;
  readonly originalProviderId: string | null;
  readonly shortcode: string;
  readonly phone: string | null;
  readonly amount: Money;
  readonly sourceAccountId: bigint;
  readonly reason: string;
  readonly requestedBy: string;
  readonly approvedBy: string | null;
  readonly state: PayoutState;
  readonly stateReason: string | null;
  readonly providerId: string | null;
  readonly wasAccepted: boolean;
  readonly attempts: number;
  readonly enquiries: number;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

export { makeDesk } from "./desk/desk.commands.ts";
export { makePayoutReturns } from "./desk/desk-refund.commands.ts";
export {
  APPROVAL_STATES,
  HISTORY_KINDS,
  SUGGESTION_CODES,
  wordsOf,
  type Approval,
  type ApprovalId,
  type DeskAct,
  type DeskContract,
  type DeskDone,
  type HistoryEvent,
  type Suggestion,
  type SuggestionReason,
} from "./desk/desk-records.ts";
export { DESK_TEMPLATES, type Desk, type DeskContracts, type ReceiptHistory, type TellHistory } from "./desk/desk.ts";
export { listMovements, type Movement } from "./desk/movements.store.ts";
export { makeAgentCash } from "./cash/cash.commands.ts";
export {
  collectionCause,
  saleCause,
  type AgentCash,
  type CashReceipt,
  type CashStanding,
  type HandOver,
  type HandOverState,
  type Officer,
} from "./cash/cash-records.ts";
export type { CashLine, CashStatement } from "./cash/cash-statement.ts";
export type { CommissionKind, CommissionRule } from "./cash/commission.ts";
export { makeEnquiryEnds } from "./requests/enquiries.commands.ts";
export { makeEnquirySteps } from "./requests/enquiries.jobs.ts";
export { makeIntents, type IntentOrder, type Intents } from "./requests/intents.commands.ts";
export { makeIntentSteps } from "./requests/intents.jobs.ts";
export { makeNoticeJobs, type NoticeJobs } from "./inbox/notices.jobs.ts";
export { openRails, type ChannelConfig, type OpenRail, type OpenRails } from "./open-rails.ts";
export { makeRailDoors, type RailDoors } from "./payments.http.ts";
export { makePayouts, type PayoutOrder, type Payouts } from "./requests/payouts.commands.ts";
export { makePayoutSteps } from "./requests/payouts.jobs.ts";
export { makeReceipts, type Receipts } from "./receipts/receipts.commands.ts";
export { makeRequestLoop, type RequestLoop } from "./requests/requests.jobs.ts";
export { makeReversals, type Reversals } from "./receipts/reversals.commands.ts";
export { makeReconciliation, type Reconciliations } from "./reconciliation/reconciliation.commands.ts";
export { makeReconciliationSteps } from "./reconciliation/reconciliation.jobs.ts";
export type { ClearingExplanation, ClearingPart, Reconciliation } from "./reconciliation/reconciliation.ts";
export { countPending, pageIntents, pagePayouts } from "./requests/requests.store.ts";
export { isAble, type Able } from "./rails/rail.ts";
export { ADAPTERS } from "./rails/registry.ts";
export type { Exception } from "./reconciliation/exceptions.store.ts";
export { listSweeps, requestSweep, type Sweep } from "./requests/sweeps.store.ts";
export { makeSettleLoop, type SettleLoop } from "./inbox/settle.jobs.ts";
export { makeStatements, type ImportOrder, type Statements } from "./statements/statements.commands.ts";
export { makeStatementDoor } from "./statements/statements.http.ts";
export {
  makeStatementImports,
  type StatementImport,
  type StatementImports,
} from "./statements/statement-imports.commands.ts";
export type { Preview, PreviewLine } from "./statements/statement-preview.ts";
export type { ImportedLine, KindSum, SavedMapping, StatementReport } from "./statements/statement-report.ts";
export { makeSweeper, type Sweeper } from "./requests/sweeps.jobs.ts";
