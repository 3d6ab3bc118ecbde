import type { StaffId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Entry, Ledger } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { canonicalJson } from "../../platform/idempotency.ts";
import type { Arrival } from "../inbox/arrivals.ts";
import { storeArrivals } from "../inbox/arrivals.store.ts";
import { CASH_RAIL } from "./cash-accounts.ts";
import type { Commissions } from "./cash-commission.commands.ts";
import type { CashHoldings } from "./cash-holdings.commands.ts";
import { collectionCause } from "./cash-records.ts";
import * as store from "./cash.store.ts";

export interface CashBooking {
  /**
   * Enters receipts of locked agents, which are marked as booked already, into the inbox, where the settle loop finds them
   * like any payment; posts what their agents earn by them together with `others`, in one statement.
   */
  enter(
    tx: Tx,
    work: { receipts: readonly store.StoredCashReceipt[]; others?: readonly Entry[]; actor: string },
  ): Promise<void>;
  /** Enters the undoing of a receipt, which the settle loop posts against its payment, be that booked already or not. */
  enterCancellation(
    tx: Tx,
    receipt: store.StoredCashReceipt,
    why: { reason: string; actor: string; at: Date },
  ): Promise<void>;
  /** Books what a locked agent's room allows, in the order of taking; the caller enters it. */
  bookFitting(tx: Tx, agentId: StaffId, currency: Currency): Promise<readonly store.StoredCashReceipt[]>;
}

/** The way of a receipt from the agent's hands into the books. */
export function makeCashBooking({
  ledger,
  clock,
  holdings,
  commissions,
}: {
  ledger: Ledger;
  clock: Clock;
  holdings: CashHoldings;
  commissions: Commissions;
}): CashBooking {
  async function enter(
    tx: Tx,
    {
      receipts,
      others = [],
      actor,
    }: { receipts: readonly store.StoredCashReceipt[]; others?: readonly Entry[]; actor: string },
  ): Promise<void> {
    const entries = [...others];
    const groups = Map.groupBy(receipts, ({ agentId, amount }) => `${agentId}/${amount.currency}`);
    for (const group of groups.values()) entries.push(...(await earnedBy(tx, group, actor)));
    if (receipts.length > 0) {
      const outcomes = await storeArrivals(tx, receipts.map(arrivalOf));
      const at = outcomes.findIndex((outcome) => outcome !== "stored");
      // The receipt's own row was new, so a known number means that somebody else wrote into the cash rail.
      if (at >= 0) throw new Error(`Bug: cash receipt ${receipts[at]?.number} is in the inbox already.`);
    }
    await ledger.post(tx, entries);
  }

  async function earnedBy(tx: Tx, group: readonly store.StoredCashReceipt[], actor: string): Promise<readonly Entry[]> {
    const [first] = group;
    if (first === undefined) return [];
    return await commissions.accrue(tx, {
      agentId: first.agentId,
      kind: "collection",
      currency: first.amount.currency,
      actor,
      earnings: group.map(({ number, amount, takenAt }) => ({
        cause: collectionCause(number),
        baseMinor: amount.minor,
        at: takenAt,
      })),
    });
  }

  return {
    enter,
    async enterCancellation(tx, receipt, { reason, actor, at }) {
      const payment = arrivalOf(receipt);
      const report = {
        ...payment.report,
        type: "reversal",
        transactionReference: `${receipt.number}-CANCELLED`,
        originalTransactionReference: receipt.number,
        at,
        statusReason: reason,
      } as const;
      const raw = Buffer.from(canonicalJson({ cancels: receipt.number, reason, actor }));
      const [outcome] = await storeArrivals(tx, [{ ...payment, report, raw, receivedAt: at }]);
      if (outcome !== "stored") throw new Error(`Bug: the cancellation of ${receipt.number} is in the inbox already.`);
    },
    async bookFitting(tx, agentId, currency) {
      const holding = await holdings.require(tx, agentId, currency);
      const limitMinor = (await store.limitsOf(tx, agentId)).get(currency);
      if (holding.provisionalMinor === 0n || limitMinor === undefined) return [];
      const roomMinor = limitMinor - holding.bookedMinor;
      const receipts = await store.bookFitting(tx, { agentId, currency, roomMinor, at: clock.now() });
      const moved = receipts.reduce((total, { amount }) => total + amount.minor, 0n);
      if (moved > 0n) await store.moveHolding(tx, holding, { bookedMinor: moved, provisionalMinor: -moved });
      return receipts;
    },
  };
}

/** A receipt as the inbox takes it: the agent stands where a provider's shortcode would. */
function arrivalOf(receipt: store.StoredCashReceipt): Arrival {
  return {
    rail: CASH_RAIL,
    form: "cash",
    source: "cash",
    isEvidence: true,
    report: {
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: receipt.number,
      correlation: undefined,
      originalTransactionReference: undefined,
      amount: receipt.amount,
      creditParty: receipt.agentId,
      reference: receipt.reference,
      payer: { phone: undefined, hash: undefined, name: undefined },
      at: receipt.takenAt,
      statusReason: undefined,
    },
    raw: Buffer.from(receipt.raw),
    sourceAddress: "-",
    receivedAt: receipt.receivedAt,
  };
}
