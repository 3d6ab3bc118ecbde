import type { ReceiptId, TransactionId } from "../../kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import type { Line } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { suspenseAccount } from "../receipts/accounts.ts";
import type { DeskAct, DeskDone } from "./desk-records.ts";
import type { DeskDeps, DeskOrder } from "./desk.ts";
import { causesOf, insertMovement } from "./movements.store.ts";
import type { Receipt } from "../payments.ts";
import * as receipts from "../receipts/receipts.store.ts";

/** More parts than this are not one payment that somebody split; they are somebody's list. */
export const PARTS_MAX = 20;

type Match = Extract<DeskAct, { kind: "match" }>;
type Unlink = Extract<DeskAct, { kind: "unlink" }>;

export interface MatchCommands {
  /** Locks a receipt and what of it is open in suspense; refuses one that nobody has, or of which nothing is open. */
  takeSuspense(tx: Tx, receiptId: ReceiptId): Promise<Receipt>;
  /** Locks a receipt; refuses one that nobody has. */
  takeReceipt(tx: Tx, receiptId: ReceiptId): ReturnType<typeof receipts.lockReceipt>;
  /** What a contract has of a receipt. */
  heldMinor(tx: Tx, of: { receiptId: ReceiptId; contractId: string }): Promise<bigint>;
  match(tx: Tx, act: Match, order: DeskOrder): Promise<DeskDone>;
  unlink(tx: Tx, act: Unlink, order: DeskOrder): Promise<DeskDone>;
}

/** Moves money between suspense and contracts, each act with its own posting and its movements. */
export function makeMatchCommands({ ledger, clock, makeId, contracts }: DeskDeps): MatchCommands {
  async function takeReceipt(tx: Tx, receiptId: ReceiptId): ReturnType<typeof receipts.lockReceipt> {
    if (!(await receipts.findReceipts(tx, [receiptId])).has(receiptId)) throw new NotFound("receipt", "receiptId");
    return receipts.lockReceipt(tx, receiptId);
  }

  async function takeSuspense(tx: Tx, receiptId: ReceiptId): Promise<Receipt> {
    await takeReceipt(tx, receiptId);
    const item = await receipts.lockSuspense(tx, receiptId);
    if (item === undefined) throw new NotAllowedNow("This payment was never in suspense.");
    if (item.resolvedAt !== null) throw new NotAllowedNow("Nothing of this payment is in suspense any more.");
    return item;
  }

  async function heldMinor(
    tx: Tx,
    { receiptId, contractId }: { receiptId: ReceiptId; contractId: string },
  ): Promise<bigint> {
    const shares = await contracts.shares(tx, await causesOf(tx, receiptId));
    return shares
      .filter((share) => share.contractId === contractId)
      .reduce((sum, { receivedMinor }) => sum + receivedMinor, 0n);
  }

  async function post(
    tx: Tx,
    entry: { id: string; kind: string; receipt: Receipt["id"]; at: Date; order: DeskOrder },
    {
      suspenseMinor,
      lines,
      currency,
    }: { suspenseMinor: bigint; lines: readonly Line[]; currency: Receipt["amount"]["currency"] },
  ): Promise<TransactionId> {
    const [suspense = 0n] = await ledger.openAccounts(tx, [suspenseAccount(currency)]);
    const [posted] = await ledger.post(tx, [
      {
        id: makeId(),
        kind: entry.kind,
        memo: entry.order.reason,
        reference: entry.receipt,
        idempotencyKey: `${entry.kind}:${entry.id}`,
        currency,
        effectiveAt: entry.at,
        actor: entry.order.actor,
        lines: [{ accountId: suspense, amountMinor: suspenseMinor }, ...lines],
      },
    ]);
    if (posted === undefined) throw new Error("Bug: an act of the desk gave no transaction.");
    return posted.id;
  }

  async function match(tx: Tx, { receiptId, parts }: Match, order: DeskOrder): Promise<DeskDone> {
    const receipt = await takeSuspense(tx, receiptId);
    const { currency, minor: openMinor } = receipt.amount;
    const totalMinor = checkedTotal(parts);
    if (totalMinor > openMinor)
      throw new NotAllowedNow(`Only ${openMinor} minor units of this payment are open, ${totalMinor} were asked for.`);
    // A payment that never had a contract keeps its own name at its first one, as if it had come there by itself.
    const hadContract = (await contracts.shares(tx, [receiptId])).length > 0;
    // Everybody locks contracts in the order of their ids.
    const sorted = parts.toSorted((left, right) => (left.contractId < right.contractId ? -1 : 1));
    const lines: Line[] = [];
    const movements = sorted.map(({ contractId, amountMinor = 0n }, at) => {
      const id: string = makeId<"Movement">();
      return { id, contractId, amountMinor, cause: at === 0 && !hadContract ? receiptId : `match:${id}` };
    });
    for (const { contractId, amountMinor, cause } of movements)
      lines.push(...(await contracts.match(tx, { receipt, contractId, amountMinor, cause })));
    const at = clock.now();
    const transactionId = await post(
      tx,
      { id: movements[0]?.id ?? "", kind: "suspense_match", receipt: receiptId, at: receipt.paidAt, order },
      { suspenseMinor: totalMinor, lines, currency },
    );
    const { actor: by, reason: resolution } = order;
    await receipts.reduceSuspense(tx, { receiptId, byMinor: totalMinor, at, by, resolution });
    for (const movement of movements)
      await insertMovement(tx, { ...movement, ...order, receiptId, kind: "matched", transactionId, at });
    return { receiptId, contractIds: parts.map(({ contractId }) => contractId), payoutId: null };
  }

  async function unlink(
    tx: Tx,
    { receiptId, contractId, amountMinor = 0n }: Unlink,
    order: DeskOrder,
  ): Promise<DeskDone> {
    const receipt = await takeReceipt(tx, receiptId);
    const { currency } = receipt.amount;
    const id: string = makeId<"Movement">();
    const at = clock.now();
    const { taken, debits } = await contracts.takeBack(tx, {
      receiptId,
      causes: await causesOf(tx, receiptId),
      contractId,
      amount: { minor: amountMinor, currency },
      cause: `unlink:${id}`,
      at,
      why: "unlinked",
      actor: order.actor,
    });
    if (taken.minor !== amountMinor) throw new NotAllowedNow("The contract does not have so much of this payment.");
    const transactionId = await post(
      tx,
      { id, kind: "payment_unlinked", receipt: receiptId, at, order },
      { suspenseMinor: -amountMinor, lines: debits, currency },
    );
    await receipts.reopenSuspense(tx, { receiptId, minor: amountMinor, reason: "unlinked", at });
    await insertMovement(tx, {
      ...order,
      id,
      receiptId,
      kind: "unlinked",
      cause: `unlink:${id}`,
      amountMinor,
      contractId,
      transactionId,
      at,
    });
    return { receiptId, contractIds: [contractId], payoutId: null };
  }

  return { takeSuspense, takeReceipt, heldMinor, match, unlink };
}

function checkedTotal(parts: Match["parts"]): bigint {
  if (parts.length === 0 || parts.length > PARTS_MAX)
    throw new InvalidInput(`A payment is split into 1 to ${PARTS_MAX} parts.`, "parts");
  if (new Set(parts.map(({ contractId }) => contractId)).size !== parts.length)
    throw new InvalidInput("Each contract is named once.", "parts");
  return parts.reduce((sum, { amountMinor = 0n }) => {
    if (amountMinor <= 0n) throw new InvalidInput("Each part is an amount above zero.", "parts");
    return sum + amountMinor;
  }, 0n);
}
