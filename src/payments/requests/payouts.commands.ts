import type { MakeId, PayoutId, ReceiptId } from "../../kernel/ids.ts";
import { NotAllowedNow } from "../../kernel/refusal.ts";
import type { Money } from "../../kernel/money.ts";
import type { Clock } from "../../kernel/time.ts";
import type { AccountId, Ledger } from "../../ledger/ledger.ts";
import type { Db, Tx } from "../../platform/database.ts";
import { clearingAccount, payoutsAccount } from "../receipts/accounts.ts";
import { resolveExceptions } from "../reconciliation/exceptions.store.ts";
import type { OpenRails } from "../open-rails.ts";
import type { Payout, PayoutState } from "../payments.ts";
import * as store from "./payouts.store.ts";
import { isAble } from "../rails/rail.ts";

export interface PayoutOrder {
  readonly rail: string;
  readonly shortcode: string;
  readonly receiptId: ReceiptId | null;
  readonly contractId: string | null;
  /** The payment that is given back by the provider itself; without it the money goes to the phone. */
  readonly originalProviderId: string | null;
  readonly phone: string | null;
  readonly amount: Money;
  /** Where the money stands now; it returns there when the payout fails. */
  readonly sourceAccountId: AccountId;
  readonly reason: string;
  readonly requestedBy: string;
  readonly approvedBy: string | null;
}

export interface Payouts {
  /** Sets money aside and writes the payout down; the request loop sends it after the commit. */
  request(tx: Tx, order: PayoutOrder): Promise<Payout>;
  /** The provider says that it paid: the money leaves the clearing account. Repeats change nothing. */
  complete(tx: Tx, payout: Payout, paid: { providerId: string | undefined; at: Date }): Promise<void>;
  /** The provider certainly did not pay: the money returns to where it stood. Repeats change nothing. */
  fail(tx: Tx, payout: Payout, reason: string | undefined): Promise<void>;
  find(db: Db | Tx, ids: readonly PayoutId[]): Promise<ReadonlyMap<PayoutId, Payout>>;
  list(db: Db | Tx, query: { receiptId?: ReceiptId; state?: PayoutState; limit: number }): Promise<readonly Payout[]>;
}

/** Told, in the transaction that posts it, that the money of a failed payout returns to where it stood. */
export type OnPayoutFailed = (tx: Tx, payout: Payout) => Promise<void>;

/** Money that we pay out through rails: refunds. */
export function makePayouts({
  ledger,
  clock,
  makeId,
  makeCorrelation,
  rails,
  onFailed,
}: {
  ledger: Ledger;
  clock: Clock;
  makeId: MakeId;
  makeCorrelation: () => string;
  rails: OpenRails;
  onFailed: OnPayoutFailed;
}): Payouts {
  async function post(
    tx: Tx,
    payout: Payout,
    { kind, from, to, at }: { kind: string; from: AccountId; to: AccountId; at: Date },
  ): Promise<void> {
    const { minor, currency } = payout.amount;
    await ledger.post(tx, [
      {
        id: makeId(),
        kind,
        memo: payout.reason,
        reference: payout.receiptId ?? payout.contractId ?? payout.id,
        idempotencyKey: `${kind}:${payout.id}`,
        currency,
        effectiveAt: at,
        actor: payout.requestedBy,
        lines: [
          { accountId: from, amountMinor: minor },
          { accountId: to, amountMinor: -minor },
        ],
      },
    ]);
  }

  async function accountsOf(tx: Tx, payout: Payout): Promise<{ onTheWay: AccountId; clearing: AccountId }> {
    const { currency } = payout.amount;
    const [onTheWay, clearing] = await ledger.openAccounts(tx, [
      payoutsAccount(currency),
      clearingAccount({ rail: payout.rail, shortcode: payout.shortcode, currency }),
    ]);
    if (onTheWay === undefined || clearing === undefined) throw new Error("Bug: an account was not opened.");
    return { onTheWay, clearing };
  }

  async function request(tx: Tx, order: PayoutOrder): Promise<Payout> {
    const open = rails.get(order.rail);
    const ability = open?.rail.refund;
    if (ability === undefined || !isAble(ability))
      throw new NotAllowedNow(`${order.rail} cannot pay out${ability === undefined ? "." : `: ${ability.cannot}`}`);
    const payout: Payout = {
      ...order,
      id: makeId(),
      method: order.originalProviderId !== null && order.phone === null ? "reversal" : "disbursement",
      correlation: makeCorrelation(),
      providerCorrelation: undefined,
      memory: {},
      state: "created",
      stateReason: null,
      providerId: null,
      wasAccepted: false,
      attempts: 0,
      enquiries: 0,
      createdAt: clock.now(),
      finishedAt: null,
    };
    const { onTheWay } = await accountsOf(tx, payout);
    await store.insertPayout(tx, payout);
    await post(tx, payout, {
      kind: "payout_set_aside",
      from: payout.sourceAccountId,
      to: onTheWay,
      at: payout.createdAt,
    });
    return payout;
  }

  /** Whoever was asked to look need not look any more. */
  async function answered(tx: Tx, { rail, id }: Payout, resolution: string): Promise<void> {
    const names = [{ rail, kind: "payout_unanswered" as const, subject: id }];
    await resolveExceptions(tx, { names, at: clock.now(), by: "payouts", resolution });
  }

  const complete: Payouts["complete"] = async (tx, payout, { providerId, at }) => {
    const saved = await store.savePayout(tx, {
      ...payout,
      state: "completed",
      stateReason: null,
      providerId: providerId ?? payout.providerId,
      wasAccepted: true,
      nextStepAt: undefined,
      isEnquiry: false,
      now: clock.now(),
    });
    if (!saved) return;
    await answered(tx, payout, "the provider says that it paid");
    const { onTheWay, clearing } = await accountsOf(tx, payout);
    await post(tx, payout, { kind: "payout_paid", from: onTheWay, to: clearing, at });
  };

  const fail: Payouts["fail"] = async (tx, payout, reason) => {
    const now = clock.now();
    const saved = await store.savePayout(tx, {
      ...payout,
      state: "failed",
      stateReason: reason ?? null,
      nextStepAt: undefined,
      isEnquiry: false,
      now,
    });
    if (!saved) return;
    await answered(tx, payout, "the provider says that it did not pay");
    // Items and contracts are locked before balances, as everybody does who moves money: otherwise two wait for each other.
    await onFailed(tx, payout);
    const { onTheWay } = await accountsOf(tx, payout);
    await post(tx, payout, { kind: "payout_returned", from: onTheWay, to: payout.sourceAccountId, at: now });
  };

  return { request, complete, fail, find: store.findPayouts, list: store.listPayouts };
}
