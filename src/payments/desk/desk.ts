import type { Language } from "../../kernel/language.ts";
import type { ContractId, MakeId, PayoutId, ReceiptId } from "../../kernel/ids.ts";
import type { Money } from "../../kernel/money.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Ledger, Line } from "../../ledger/ledger.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type {
  Approval,
  ApprovalId,
  ApprovalState,
  DeskAct,
  DeskContract,
  DeskPerson,
  DeskResult,
  HistoryEvent,
  Suggestion,
} from "./desk-records.ts";
import type { Exception } from "../reconciliation/exceptions.store.ts";
import type { OpenRails } from "../open-rails.ts";
import type { Payout, Receipt, StoredReceipt, TakeBack } from "../payments.ts";
import type { Payouts } from "../requests/payouts.commands.ts";

export type DeskTemplate = "ask_account" | "ask_to_call" | "refund_coming";
export const DESK_TEMPLATES = [
  "ask_account",
  "ask_to_call",
  "refund_coming",
] as const satisfies readonly DeskTemplate[];

export interface Letter {
  readonly receiptId: ReceiptId;
  readonly template: DeskTemplate;
  /** Write to this contract's customer instead of the payer's own phone. */
  readonly contractId: ContractId | undefined;
  readonly by: DeskPerson;
}

export interface ReceiptHistory {
  readonly receipt: StoredReceipt;
  /** The provider's bytes when they are text; null when they are not. */
  readonly callbackText: string | null;
  /** Oldest first. */
  readonly events: readonly HistoryEvent[];
}

/** Where people explain money: what nobody could match, what went to the wrong place, what must go back. */
export interface Desk {
  /**
   * Does what a person asks, or writes it down as a proposal when its amount is above the limit of its currency; acts of one
   * person on one receipt count together, so that a large one cannot be cut into small ones. `key` names the request.
   */
  act(
    tx: Tx,
    order: { readonly act: DeskAct; readonly by: DeskPerson; readonly reason: string; readonly key: string },
  ): Promise<DeskResult>;
  /**
   * Another person agrees, and the act happens in this transaction. When it is no longer possible the proposal fails and
   * keeps the refusal. The same decision again changes nothing. Throws `SecondPersonNeeded` for the proposer.
   */
  approve(tx: Tx, order: { readonly id: ApprovalId; readonly by: DeskPerson }): Promise<Approval>;
  /** Says no; the proposer may withdraw like this too. */
  decline(
    tx: Tx,
    order: { readonly id: ApprovalId; readonly by: DeskPerson; readonly reason: string },
  ): Promise<Approval>;
  approvals(
    db: Db | Tx,
    query: {
      readonly state?: ApprovalState | undefined;
      readonly first: number;
      readonly after?: { readonly proposedAt: Date; readonly id: ApprovalId } | undefined;
    },
  ): Promise<readonly Approval[]>;
  findApproval(db: Db | Tx, id: ApprovalId): Promise<Approval | undefined>;
  findPayout(db: Db | Tx, id: PayoutId): Promise<Payout | undefined>;
  /** An SMS about a payment; answers the phone that it goes to. */
  write(tx: Tx, letter: Letter): Promise<{ readonly phone: string }>;
  /** Contracts that an open item may be meant for, the likeliest first. Never automatic. */
  suggestions(db: Db | Tx, receiptId: ReceiptId): Promise<readonly Suggestion[]>;
  /** All that is known of a receipt, from the provider's bytes to the last message. */
  history(db: Db | Tx, receiptId: ReceiptId): Promise<ReceiptHistory>;
  /** The names under which a receipt bought tokens. */
  causesOf(db: Db | Tx, receiptId: ReceiptId): Promise<readonly string[]>;
  exceptions(
    db: Db | Tx,
    query: {
      readonly rail?: string | undefined;
      readonly first: number;
      readonly after?: { readonly openedAt: Date; readonly id: string } | undefined;
    },
  ): Promise<readonly Exception[]>;
  findException(db: Db | Tx, id: string): Promise<Exception | undefined>;
  /** A person explains an exception. Refuses one that is closed. */
  resolveException(tx: Tx, order: { id: string; by: DeskPerson; resolution: string }): Promise<Exception>;
}

/** What the desk asks of contracts; the composition root fills it from the credit module, for payments knows none. */
export interface DeskContracts {
  find(db: Db | Tx, ids: readonly ContractId[]): Promise<ReadonlyMap<ContractId, DeskContract>>;
  match(
    tx: Tx,
    match: { receipt: Receipt; contractId: ContractId; amountMinor: bigint; cause: string },
  ): Promise<readonly Line[]>;
  readonly takeBack: TakeBack;
  takeRefundable(tx: Tx, order: { contractId: ContractId; amount: Money }): Promise<{ sourceAccountId: bigint }>;
  adjust(
    tx: Tx,
    order: { contractId: ContractId; amountMinor: bigint; reason: string; actor: string; key: string },
  ): Promise<unknown>;
  /** Where its customer is written to. */
  contactOf(tx: Tx, contractId: ContractId): Promise<{ phone: string | undefined; language: Language }>;
  /** What contracts got and gave back under some names, in the order of writing. */
  shares(db: Db | Tx, causes: readonly string[]): Promise<readonly Share[]>;
  causes(db: Db | Tx, contractId: ContractId): Promise<readonly string[]>;
  near(db: Db | Tx, reference: string): Promise<readonly { readonly contractId: ContractId; readonly slip: string }[]>;
  /** Active contracts of the people who have this phone, and the language of the first. */
  ofPhone(
    db: Db | Tx,
    hash: Uint8Array,
  ): Promise<{ readonly contractIds: readonly ContractId[]; readonly language: Language | undefined }>;
  byReferences(db: Db | Tx, references: readonly string[]): Promise<ReadonlyMap<string, ContractId>>;
}

export interface Share {
  readonly contractId: ContractId;
  readonly cause: string;
  readonly receivedMinor: bigint;
  readonly units: number;
  readonly paidUntilAt: Date | null;
}

/** What other rooms know about a receipt, for its history; each already one sentence with its detail. */
export type TellHistory = (
  db: Db | Tx,
  about: { readonly receiptId: ReceiptId; readonly causes: readonly string[] },
) => Promise<readonly HistoryEvent[]>;

export interface DeskDeps {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly rails: OpenRails;
  readonly payouts: Payouts;
  readonly contracts: DeskContracts;
  /** Minor units by currency; a currency without one needs no second person. */
  readonly approvalAbove: ReadonlyMap<Money["currency"], bigint>;
  /** `country` is where a number without prefix is from. */
  readonly parsePhone: (text: string, country?: string) => string;
  readonly send: (
    tx: Tx,
    message: {
      readonly key: string;
      readonly toPhone: string;
      readonly language: Language;
      readonly template: DeskTemplate;
      readonly values: { readonly amount: string };
      readonly about: { readonly receiptId: ReceiptId };
    },
  ) => Promise<void>;
  readonly tellHistory: TellHistory;
}

/** Under which circumstances an act happens. */
export interface DeskOrder {
  readonly actor: string;
  readonly approvedBy: string | null;
  readonly reason: string;
  readonly key: string;
}
