import type { Db, Tx } from "../platform/database.ts";
import type { MakeId, TransactionId } from "../kernel/ids.ts";
import type { Currency } from "../kernel/money.ts";
import { IdempotencyConflict, NotAllowedNow, NotFound } from "../kernel/refusal.ts";
import type { Clock } from "../kernel/time.ts";
import { assertBalanced, inputHash, mergeLines, type Entry, type Line } from "./entry.ts";
import * as store from "./ledger.store.ts";

export type { Entry, Line } from "./entry.ts";

/** Row number of an account. System accounts are made early and so have low numbers: they are locked first. */
export type AccountId = bigint;
export type AccountKind = "asset" | "liability" | "income" | "expense";

export interface AccountSpec {
  readonly code: string;
  readonly kind: AccountKind;
  readonly currency: Currency;
}

export interface TrialBalanceRow {
  readonly code: string;
  readonly kind: AccountKind;
  readonly currency: Currency;
  readonly balanceMinor: bigint;
}

export interface StatementLine {
  readonly transactionId: TransactionId;
  readonly accountCode: string;
  readonly currency: Currency;
  readonly kind: string;
  readonly memo: string;
  readonly reference: string | null;
  readonly amountMinor: bigint;
  readonly effectiveAt: Date;
  readonly postedAt: Date;
}

export interface Posted {
  readonly id: TransactionId;
  /** The key had been used for the same content before; `id` is the first one's. */
  readonly repeated: boolean;
}

export interface Ledger {
  /** Finds or opens accounts by code, in the order asked. Throws when an existing one is of another kind or currency. */
  openAccounts(tx: Tx, specs: readonly AccountSpec[]): Promise<readonly AccountId[]>;
  /**
   * Posts any number of balanced entries in two statements. Each key posts once: a repeat answers the first transaction,
   * a repeat with other content throws IdempotencyConflict. Lines of zero are left out.
   */
  post(tx: Tx, entries: readonly Entry[]): Promise<readonly Posted[]>;
  /** Posts the exact opposite of a transaction, linked to it. A transaction can be reversed once; a reversal cannot. */
  reverse(
    tx: Tx,
    order: { transactionId: TransactionId; reason: string; actor: string; effectiveAt: Date },
  ): Promise<Posted>;
  /** Every account with its balance; the sum per currency is zero. Leave out the accounts at zero with `nonZeroOnly`. */
  trialBalance(
    db: Db | Tx,
    filter?: { codePrefix?: string; nonZeroOnly?: boolean; limit?: number },
  ): Promise<readonly TrialBalanceRow[]>;
  /** Postings of some accounts, oldest first; at most `limit`. */
  statement(db: Db | Tx, query: { accountIds: readonly AccountId[]; limit: number }): Promise<readonly StatementLine[]>;
  /** All lines of what a receipt, sale or command caused, in the order of posting. */
  postingsOf(db: Db | Tx, query: { reference: string; limit: number }): Promise<readonly StatementLine[]>;
  balances(db: Db | Tx, accountIds: readonly AccountId[]): Promise<ReadonlyMap<AccountId, bigint>>;
}

/** The double-entry ledger. It knows accounts and amounts, and nothing of payments or contracts. */
export function makeLedger({ clock, makeId }: { clock: Clock; makeId: MakeId }): Ledger {
  /** Accounts never change and are never deleted, so what was once read stays true. Only system accounts are kept. */
  const known = new Map<string, AccountId>();

  async function openAccounts(tx: Tx, specs: readonly AccountSpec[]): Promise<readonly AccountId[]> {
    const cached = specs.map(({ code }) => known.get(code));
    if (cached.every((id) => id !== undefined)) return cached;
    const { ids, existed } = await store.findOrInsertAccounts(tx, specs);
    specs.forEach(({ code }, at) => {
      const id = ids[at];
      // An account made in this very transaction may still be rolled back, so only those found are remembered.
      if (id !== undefined && existed[at] === true && code.startsWith("system/")) known.set(code, id);
    });
    return ids;
  }

  async function post(tx: Tx, entries: readonly Entry[]): Promise<readonly Posted[]> {
    const merged = entries.map((entry) => ({ ...entry, lines: mergeLines(entry.lines) }));
    for (const entry of merged) assertBalanced(entry);
    if (merged.length === 0) return [];
    const hashes = merged.map(inputHash);
    const fresh = await store.insertTransactions(tx, { entries: merged, hashes, postedAt: clock.now() });
    await store.insertPostings(
      tx,
      merged.filter(({ id }) => fresh.has(id)),
    );
    if (fresh.size === merged.length) return merged.map(({ id }) => ({ id, repeated: false }));
    const earlier = await store.findByKeys(
      tx,
      merged.map(({ idempotencyKey }) => idempotencyKey),
    );
    return merged.map((entry, at) => {
      if (fresh.has(entry.id)) return { id: entry.id, repeated: false };
      const first = earlier.get(entry.idempotencyKey);
      if (first === undefined || Buffer.compare(first.inputHash, hashes[at] ?? new Uint8Array()) !== 0)
        throw new IdempotencyConflict();
      return { id: first.id, repeated: true };
    });
  }

  async function reverse(
    tx: Tx,
    {
      transactionId,
      reason,
      actor,
      effectiveAt,
    }: { transactionId: TransactionId; reason: string; actor: string; effectiveAt: Date },
  ): Promise<Posted> {
    const original = await store.findTransaction(tx, transactionId);
    if (original === undefined) throw new NotFound("transaction");
    if (original.reversesId !== undefined)
      throw new NotAllowedNow("A reversal cannot be reversed. Post the payment again instead.");
    const lines: Line[] = original.lines.map(({ accountId, amountMinor }) => ({
      accountId,
      amountMinor: -amountMinor,
    }));
    const [posted] = await post(tx, [
      {
        id: makeId(),
        kind: "reversal",
        memo: reason,
        reference: original.reference,
        idempotencyKey: `reversal:${transactionId}`,
        currency: original.currency,
        effectiveAt,
        actor,
        lines,
        reversesId: transactionId,
      },
    ]);
    if (posted === undefined) throw new Error("Bug: a posted reversal gave no result.");
    return posted;
  }

  return {
    openAccounts,
    post,
    reverse,
    trialBalance: store.trialBalance,
    statement: store.statement,
    postingsOf: store.postingsOf,
    balances: store.balances,
  };
}
