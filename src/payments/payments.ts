import type { ReceiptId, TransactionId } from "../kernel/ids.ts";
import type { Currency, Money } from "../kernel/money.ts";
import type { Line } from "../ledger/ledger.ts";
import type { Tx } from "../platform/database.ts";

export { makeReceipts, type Receipts } from "./receipts.commands.ts";
export { makeSettleLoop, type SettleLoop } from "./settle.jobs.ts";
export { makeDarajaDoor, type DarajaDoor } from "./payments.http.ts";

/** A payment that is about to be booked; the money has moved already, so it cannot be refused. */
export interface Receipt {
  readonly id: ReceiptId;
  readonly callbackId: bigint;
  readonly rail: string;
  readonly providerId: string;
  readonly amount: Money;
  readonly shortcode: string;
  readonly reference: string;
  readonly payerPhone: string | undefined;
  readonly payerHash: Uint8Array | undefined;
  readonly payerName: string | undefined;
  readonly paidAt: Date;
}

export type SuspenseReason = "account_unknown" | "account_missing" | "contract_ended" | "currency_differs";

/** Where a receipt's money goes. Credits sum to minus the receipt's amount. */
export type Destination =
  | { readonly kind: "contract"; readonly credits: readonly Line[] }
  | { readonly kind: "suspense"; readonly reason: SuspenseReason };

/**
 * Decides and books, for a batch of receipts in the caller's transaction, what each of them buys. Given by the composition
 * root from the credit module: payments itself knows no contracts. Answers in the order of the receipts.
 */
export type AllocateReceipts = (tx: Tx, receipts: readonly Receipt[]) => Promise<readonly Destination[]>;

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
