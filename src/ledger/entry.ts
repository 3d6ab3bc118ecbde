import { createHash } from "node:crypto";
import type { TransactionId } from "../kernel/ids.ts";
import type { Currency } from "../kernel/money.ts";
import type { AccountId } from "./ledger.ts";

/** One line of a transaction: a debit is above zero, a credit below. */
export interface Line {
  readonly accountId: AccountId;
  readonly amountMinor: bigint;
}

export interface Entry {
  readonly id: TransactionId;
  readonly kind: string;
  readonly memo: string;
  /** The receipt, sale or command that caused it. */
  readonly reference: string | undefined;
  /** The same key with the same content posts once; with other content it is refused. */
  readonly idempotencyKey: string;
  readonly currency: Currency;
  readonly effectiveAt: Date;
  readonly actor: string;
  readonly lines: readonly Line[];
  readonly reversesId?: TransactionId | undefined;
}

/** Drops lines of zero and merges lines of one account, so that every stored posting says something. */
export function mergeLines(lines: readonly Line[]): readonly Line[] {
  const sums = new Map<AccountId, bigint>();
  for (const { accountId, amountMinor } of lines) sums.set(accountId, (sums.get(accountId) ?? 0n) + amountMinor);
  return [...sums]
    .filter(([, amountMinor]) => amountMinor !== 0n)
    .map(([accountId, amountMinor]) => ({ accountId, amountMinor }));
}

/** What makes two entries the same command: everything a person would read, not the random id. */
export function inputHash(entry: Entry): Uint8Array {
  const lines = entry.lines.map(({ accountId, amountMinor }) => `${accountId}=${amountMinor}`).sort();
  const facts = [entry.kind, entry.reference ?? "", entry.currency, entry.reversesId ?? "", ...lines];
  return createHash("sha256").update(facts.join("\n")).digest();
}

/** A transaction that does not balance is a bug of ours, never of a caller. */
export function assertBalanced(entry: Entry): void {
  const sum = entry.lines.reduce((total, line) => total + line.amountMinor, 0n);
  if (sum !== 0n) throw new Error(`Bug: entry ${entry.idempotencyKey} is out of balance by ${sum}.`);
  if (entry.lines.length < 2) throw new Error(`Bug: entry ${entry.idempotencyKey} has fewer than two lines.`);
}
