import type { MakeId, ReceiptId, TransactionId } from "../../kernel/ids.ts";
import type { Clock } from "../../kernel/time.ts";
import type { AccountId, AccountSpec, Entry, Ledger } from "../../ledger/ledger.ts";
import type { Db, Tx } from "../../platform/database.ts";
import { clearingAccount, suspenseAccount } from "./accounts.ts";
import type { Destination, QuarantineItem, Receipt, StoredReceipt, SuspenseItem } from "../payments.ts";
import * as store from "./receipts.store.ts";

export interface Receipts {
  /** Books receipts with their destinations: postings, receipt rows, suspense items. Each payment can be booked once. */
  book(tx: Tx, receipts: readonly Receipt[], destinations: readonly Destination[]): Promise<void>;
  find(db: Db | Tx, ids: readonly ReceiptId[]): Promise<ReadonlyMap<ReceiptId, StoredReceipt>>;
  list(
    db: Db | Tx,
    query: { search?: string | undefined; first: number; after?: { paidAt: Date; id: ReceiptId } | undefined },
  ): Promise<readonly StoredReceipt[]>;
  openSuspense(
    db: Db | Tx,
    query: { first: number; after?: { openedAt: Date; id: ReceiptId } | undefined },
  ): Promise<readonly SuspenseItem[]>;
  quarantine(db: Db | Tx, query: { first: number; before?: string | undefined }): Promise<readonly QuarantineItem[]>;
}

/** Receipts and suspense: where money that came in stands in the books. */
export function makeReceipts({ ledger, clock, makeId }: { ledger: Ledger; clock: Clock; makeId: MakeId }): Receipts {
  async function systemAccounts(tx: Tx, receipts: readonly Receipt[]): Promise<ReadonlyMap<string, AccountId>> {
    const specs = new Map<string, AccountSpec>();
    for (const { rail, shortcode, amount } of receipts) {
      const clearing = clearingAccount({ rail, shortcode, currency: amount.currency });
      specs.set(clearing.code, clearing);
      const suspense = suspenseAccount(amount.currency);
      specs.set(suspense.code, suspense);
    }
    const ids = await ledger.openAccounts(tx, [...specs.values()]);
    return new Map([...specs.keys()].map((code, at) => [code, requireId(ids[at], code)]));
  }

  function entryOf(receipt: Receipt, destination: Destination, accounts: ReadonlyMap<string, AccountId>): Entry {
    const { currency, minor } = receipt.amount;
    const suspense = requireId(accounts.get(suspenseAccount(currency).code), "suspense");
    const suspendedMinor = destination.kind === "contract" ? (destination.reversedMinor ?? 0n) : minor;
    return {
      id: makeId(),
      kind: destination.kind === "contract" ? "payment" : "payment_to_suspense",
      memo: `${receipt.rail} ${receipt.providerId}`,
      reference: receipt.id,
      idempotencyKey: `payment:${receipt.rail}:${receipt.providerId}`,
      currency,
      effectiveAt: receipt.paidAt,
      actor: "settle",
      lines: [
        {
          accountId: requireId(accounts.get(clearingAccount({ ...receipt, currency }).code), "clearing"),
          amountMinor: minor,
        },
        ...(destination.kind === "contract" ? destination.credits : []),
        { accountId: suspense, amountMinor: -suspendedMinor },
      ],
    };
  }

  async function book(tx: Tx, receipts: readonly Receipt[], destinations: readonly Destination[]): Promise<void> {
    if (receipts.length === 0) return;
    const accounts = await systemAccounts(tx, receipts);
    const entries = receipts.map((receipt, at) => {
      const destination = destinations[at];
      if (destination === undefined) throw new Error(`Bug: receipt ${receipt.id} has no destination.`);
      return entryOf(receipt, destination, accounts);
    });
    const posted = await ledger.post(tx, entries);
    const transactionIds: TransactionId[] = posted.map(({ id }) => id);
    await store.insertReceipts(tx, { receipts, transactionIds, bookedAt: clock.now() });
    const items = receipts.flatMap(({ id, amount }, at) => {
      const destination = destinations[at];
      if (destination?.kind === "suspense")
        return [{ receiptId: id, reason: destination.reason, openMinor: amount.minor }];
      const openMinor = destination?.reversedMinor ?? 0n;
      return openMinor === 0n ? [] : [{ receiptId: id, reason: "reversed" as const, openMinor }];
    });
    await store.openSuspense(tx, { items, openedAt: clock.now() });
  }

  return {
    book,
    find: store.findReceipts,
    list: store.listReceipts,
    openSuspense: store.listSuspense,
    quarantine: store.listQuarantine,
  };
}

function requireId(id: AccountId | undefined, what: string): AccountId {
  if (id === undefined) throw new Error(`Bug: the account for ${what} was not opened.`);
  return id;
}
