import type { ContractId, MakeId, ReceiptId } from "../../kernel/ids.ts";
import type { Money } from "../../kernel/money.ts";
import { NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import { suspenseAccount } from "../receipts/accounts.ts";
import type { MatchCommands } from "./desk-match.commands.ts";
import type { DeskAct, DeskDone } from "./desk-records.ts";
import type { DeskDeps, DeskOrder } from "./desk.ts";
import { findLastReceipt, returnToSuspense } from "./desk.store.ts";
import { insertMovement } from "./movements.store.ts";
import type { OnPayoutFailed } from "../requests/payouts.commands.ts";
import { isAble } from "../rails/rail.ts";
import * as receipts from "../receipts/receipts.store.ts";

type RefundSuspense = Extract<DeskAct, { kind: "refund_suspense" }>;
type RefundContract = Extract<DeskAct, { kind: "refund_contract" }>;

/** Sends money back: out of suspense to its payer, or out of a contract's excess to its customer. */
export function makeRefundCommands(
  { ledger, clock, makeId, rails, payouts, contracts, parsePhone }: DeskDeps,
  { takeSuspense }: Pick<MatchCommands, "takeSuspense">,
): {
  refundSuspense(tx: Tx, act: RefundSuspense, order: DeskOrder): Promise<DeskDone>;
  refundContract(tx: Tx, act: RefundContract, order: DeskOrder): Promise<DeskDone>;
} {
  async function refundSuspense(
    tx: Tx,
    { receiptId, amountMinor = 0n, phone: named }: RefundSuspense,
    order: DeskOrder,
  ): Promise<DeskDone> {
    const receipt = await takeSuspense(tx, receiptId);
    const { currency, minor: openMinor } = receipt.amount;
    if (amountMinor > openMinor)
      throw new NotAllowedNow(`Only ${openMinor} minor units of this payment are open, ${amountMinor} were asked for.`);
    const phone = named === undefined ? receipt.payerPhone : parsePhone(named, rails.get(receipt.rail)?.config.country);
    const whole = (await receipts.findReceipts(tx, [receiptId])).get(receiptId)?.amount.minor;
    if (phone === undefined && amountMinor !== whole)
      throw new NotAllowedNow(
        "The payer's number is not known, and without it only a whole payment can be given back. Name a phone.",
      );
    const [sourceAccountId = 0n] = await ledger.openAccounts(tx, [suspenseAccount(currency)]);
    const payout = await payouts.request(tx, {
      rail: receipt.rail,
      shortcode: receipt.shortcode,
      receiptId,
      contractId: null,
      // Some providers give back a payment rather than pay a phone; to another phone than the payer's they must not.
      originalProviderId: phone === receipt.payerPhone ? receipt.providerId : null,
      phone: phone ?? null,
      amount: { minor: amountMinor, currency },
      sourceAccountId,
      reason: order.reason,
      requestedBy: order.actor,
      approvedBy: order.approvedBy,
    });
    const at = clock.now();
    const resolution = `refunded: ${order.reason}`;
    await receipts.reduceSuspense(tx, { receiptId, byMinor: amountMinor, at, by: order.actor, resolution });
    await insertMovement(tx, {
      ...order,
      id: makeId<"Movement">(),
      receiptId,
      kind: "refund",
      cause: `refund:${payout.id}`,
      amountMinor,
      contractId: null,
      transactionId: null,
      at,
    });
    return { receiptId, contractIds: [], payoutId: payout.id };
  }

  async function refundContract(
    tx: Tx,
    { contractId, amountMinor = 0n, phone: named, rail: wished }: RefundContract,
    order: DeskOrder,
  ): Promise<DeskDone> {
    const contract = (await contracts.find(tx, [contractId])).get(contractId);
    if (contract === undefined) throw new NotFound("contract", "contractId");
    const amount: Money = { minor: amountMinor, currency: contract.currency };
    const { rail, shortcode } = await railFor(tx, { contractId, wished, currency: contract.currency });
    const phone =
      named === undefined
        ? (await contracts.contactOf(tx, contractId)).phone
        : parsePhone(named, rails.get(rail)?.config.country);
    if (phone === undefined) throw new NotAllowedNow("The customer has no phone. Name one.");
    const { sourceAccountId } = await contracts.takeRefundable(tx, { contractId, amount });
    const payout = await payouts.request(tx, {
      rail,
      shortcode,
      receiptId: null,
      contractId,
      originalProviderId: null,
      phone,
      amount,
      sourceAccountId,
      reason: order.reason,
      requestedBy: order.actor,
      approvedBy: order.approvedBy,
    });
    return { receiptId: null, contractIds: [contractId], payoutId: payout.id };
  }

  /** The way the customer's last money came, or the one that a person names; its number says which clearing account pays. */
  async function railFor(
    tx: Tx,
    {
      contractId,
      wished,
      currency,
    }: { contractId: ContractId; wished: string | undefined; currency: Money["currency"] },
  ): Promise<{ rail: string; shortcode: string }> {
    const able = [...rails.values()]
      .filter(({ rail, config }) => config.currency === currency && isAble(rail.refund))
      .map(({ config }) => config.name);
    if (wished !== undefined && !able.includes(wished))
      throw new NotAllowedNow(`${wished} cannot pay out ${currency}. Rails that can: ${able.join(", ") || "none"}.`);
    const causes = await contracts.causes(tx, contractId);
    const names = wished === undefined ? able : [wished];
    const last = await findLastReceipt(tx, { causes, rails: names });
    if (last === undefined)
      throw new NotAllowedNow(
        "The contract was never paid by a rail that can pay out. Pay it back by hand and adjust.",
      );
    return last;
  }

  return { refundSuspense, refundContract };
}

/** What happens to money that could not be paid out: a contract's is refundable again, a receipt's is back in suspense. */
export function makePayoutReturns({
  clock,
  makeId,
  returnRefundable,
}: {
  clock: Clock;
  makeId: MakeId;
  returnRefundable: (tx: Tx, order: { contractId: ContractId; amount: Money }) => Promise<void>;
}): OnPayoutFailed {
  return async (tx, payout) => {
    const { id, receiptId, contractId, amount } = payout;
    if (contractId !== null) await returnRefundable(tx, { contractId: contractId as ContractId, amount });
    else if (receiptId !== null)
      await returnReceipt(tx, { id, receiptId, minor: amount.minor, by: payout.requestedBy });
  };

  async function returnReceipt(
    tx: Tx,
    { id, receiptId, minor, by }: { id: string; receiptId: ReceiptId; minor: bigint; by: string },
  ): Promise<void> {
    const at = clock.now();
    await returnToSuspense(tx, { receiptId, minor, at });
    await insertMovement(tx, {
      id: makeId<"Movement">(),
      receiptId,
      kind: "refund_returned",
      cause: `refund_returned:${id}`,
      amountMinor: minor,
      contractId: null,
      actor: by,
      approvedBy: null,
      reason: `payout ${id} failed`,
      transactionId: null,
      at,
    });
  }
}
