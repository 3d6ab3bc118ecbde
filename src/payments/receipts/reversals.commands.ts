import type { MakeId, ReceiptId, TransactionId } from "../../kernel/ids.ts";
import { least, type Money } from "../../kernel/money.ts";
import { localDateOf, type Clock } from "../../kernel/time.ts";
import type { Ledger, Line } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { clearingAccount, suspenseAccount } from "./accounts.ts";
import { openExceptions } from "../reconciliation/exceptions.store.ts";
import { causesOf, insertMovement } from "../desk/movements.store.ts";
import type { OpenRails } from "../open-rails.ts";
import type { TakeBack } from "../payments.ts";
import type { Payouts } from "../requests/payouts.commands.ts";
import { lockPayout } from "../requests/payouts.store.ts";
import { lockOpenSuspense, lockReceipt, reduceSuspense } from "./receipts.store.ts";
import * as store from "./reversals.store.ts";
import type { Reversal } from "./reversals.store.ts";

export interface Reversals {
  /** Applies the reversals whose payment is booked by now, at most `limit`; answers how many. */
  applyDue(tx: Tx, limit: number): Promise<number>;
  /** What was taken back of payments before they were booked, by rail/provider id: so much of them buys nothing. */
  takenBefore(
    tx: Tx,
    payments: readonly { rail: string; providerId: string; amount: Money }[],
  ): Promise<ReadonlyMap<string, bigint>>;
}

/**
 * Payments that providers took back. The reversal is a posting of its own, linked to the payment: out of suspense where the
 * money still lay there, else out of what the contract holds, and the rest becomes debt. The light stays on.
 */
export function makeReversals({
  ledger,
  clock,
  makeId,
  rails,
  payouts,
  takeBack,
}: {
  ledger: Ledger;
  clock: Clock;
  makeId: MakeId;
  rails: OpenRails;
  payouts: Payouts;
  takeBack: TakeBack;
}): Reversals {
  async function apply(tx: Tx, reversal: Reversal & { due: ReceiptId }): Promise<void> {
    const at = clock.now();
    const own = await lockPayout(tx, { rail: reversal.rail, originalProviderId: reversal.originalProviderId });
    if (own !== undefined) {
      // We asked for it ourselves: the payout's own postings tell it already.
      await payouts.complete(tx, own, { providerId: reversal.providerId, at: reversal.reversedAt });
      await store.markReversal(tx, {
        ...reversal,
        state: "own_refund",
        detail: `payout ${own.id}`,
        receiptId: reversal.due,
        transactionId: undefined,
        at,
      });
      return;
    }
    const receipt = await lockReceipt(tx, reversal.due);
    const left = receipt.amount.minor - (await store.reversedMinor(tx, receipt.id));
    if (reversal.amount.minor > left || reversal.amount.currency !== receipt.amount.currency) {
      await refuse(
        tx,
        reversal,
        `The payment has ${left} minor units left, the reversal takes ${reversal.amount.minor}.`,
      );
      return;
    }
    const fromSuspense = least(await lockOpenSuspense(tx, receipt.id), reversal.amount.minor);
    const rest = reversal.amount.minor - fromSuspense;
    const { taken, debits } =
      rest === 0n
        ? { taken: { minor: 0n }, debits: [] }
        : await takeBack(tx, {
            receiptId: receipt.id,
            causes: await causesOf(tx, receipt.id),
            amount: { minor: rest, currency: receipt.amount.currency },
            cause: `reversal:${reversal.id}`,
            at: reversal.reversedAt,
            why: "reversed",
            actor: "settle",
          });
    if (taken.minor !== rest) {
      await refuse(
        tx,
        reversal,
        `Of ${rest} minor units no place is known: the payment was refunded or moved by hand.`,
      );
      return;
    }
    await reduceSuspense(tx, {
      receiptId: receipt.id,
      byMinor: fromSuspense,
      at,
      by: "settle",
      resolution: `reversed by the provider: ${reversal.providerId}`,
    });
    const transactionId = await post(tx, { reversal, receipt, fromSuspense, debits });
    await insertMovement(tx, {
      id: makeId(),
      receiptId: receipt.id,
      kind: "reversed",
      cause: `reversal:${reversal.id}`,
      amountMinor: reversal.amount.minor,
      contractId: null,
      actor: "settle",
      approvedBy: null,
      reason: `taken back by the provider: ${reversal.providerId}`,
      transactionId: transactionId ?? null,
      at,
    });
    await store.markReversal(tx, {
      ...reversal,
      state: "applied",
      detail: undefined,
      receiptId: receipt.id,
      transactionId,
      at,
    });
  }

  async function post(
    tx: Tx,
    {
      reversal,
      receipt,
      fromSuspense,
      debits,
    }: {
      reversal: Reversal;
      receipt: Awaited<ReturnType<typeof lockReceipt>>;
      fromSuspense: bigint;
      debits: readonly Line[];
    },
  ): Promise<TransactionId | undefined> {
    const { currency, minor } = reversal.amount;
    const [suspense = 0n, clearing = 0n] = await ledger.openAccounts(tx, [
      suspenseAccount(currency),
      clearingAccount({ rail: receipt.rail, shortcode: receipt.shortcode, currency }),
    ]);
    const isWhole = minor === receipt.amount.minor;
    const [posted] = await ledger.post(tx, [
      {
        id: makeId(),
        kind: "payment_reversed",
        memo: `${reversal.rail} ${reversal.providerId} takes back ${reversal.originalProviderId}`,
        reference: receipt.id,
        idempotencyKey: `reversed:${reversal.rail}:${reversal.providerId}`,
        currency,
        effectiveAt: reversal.reversedAt,
        actor: "settle",
        lines: [
          { accountId: suspense, amountMinor: fromSuspense },
          ...debits,
          { accountId: clearing, amountMinor: -minor },
        ],
        // The link that also forbids to reverse it a second time.
        reversesId: isWhole ? receipt.transactionId : undefined,
      },
    ]);
    return posted?.id;
  }

  async function refuse(tx: Tx, reversal: Reversal & { due: ReceiptId }, detail: string): Promise<void> {
    const at = clock.now();
    await store.markReversal(tx, {
      ...reversal,
      state: "refused",
      detail,
      receiptId: reversal.due,
      transactionId: undefined,
      at,
    });
    await openExceptions(tx, {
      at,
      exceptions: [
        {
          id: makeId(),
          rail: reversal.rail,
          kind: "reversal_too_large",
          subject: reversal.providerId,
          onDate: localDateOf(reversal.reversedAt, rails.get(reversal.rail)?.config.zone ?? "UTC"),
          amount: reversal.amount,
          detail,
        },
      ],
    });
  }

  return {
    async applyDue(tx, limit) {
      const due = await store.claimDue(tx, limit);
      for (const reversal of due) await apply(tx, reversal);
      return due.length;
    },
    async takenBefore(tx, payments) {
      const amounts = new Map(payments.map((one) => [`${one.rail}/${one.providerId}`, one.amount]));
      const taken = new Map<string, bigint>();
      for (const reversal of await store.findParked(tx, payments)) {
        const name = `${reversal.rail}/${reversal.originalProviderId}`;
        const amount = amounts.get(name);
        const sum = (taken.get(name) ?? 0n) + reversal.amount.minor;
        // More than the payment, or other money, is a mistake: it is refused when it is applied, and nets nothing here.
        if (amount?.currency === reversal.amount.currency && sum <= amount.minor) taken.set(name, sum);
      }
      return taken;
    },
  };
}
