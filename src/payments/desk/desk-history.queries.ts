import type { ReceiptId } from "../../kernel/ids.ts";
import { formatMoney, money, type Currency } from "../../kernel/money.ts";
import { NotFound } from "../../kernel/refusal.ts";
import type { StatementLine } from "../../ledger/ledger.ts";
import type { Db, Tx } from "../../platform/database.ts";
import * as store from "./desk-history.store.ts";
import { HISTORY_KINDS, wordsOf, type Approval, type HistoryEvent } from "./desk-records.ts";
import type { Desk, DeskDeps } from "./desk.ts";
import { listApprovalsOf } from "./desk.store.ts";
import { causesOf, listMovements, type Movement } from "./movements.store.ts";
import type { Payout } from "../payments.ts";
import { findReceipts } from "../receipts/receipts.store.ts";

/** A receipt with more postings, payouts or copies than this was not handled by people. */
const LINES_MAX = 500;
const PAYOUTS_MAX = 50;

/** Puts together all that is known of one receipt. */
export function makeDeskHistory({
  ledger,
  payouts,
  tellHistory,
}: Pick<DeskDeps, "ledger" | "payouts" | "tellHistory">): Desk["history"] {
  return async (db, receiptId) => {
    const receipt = (await findReceipts(db, [receiptId])).get(receiptId);
    const callback = await store.findCallback(db, receiptId);
    if (receipt === undefined || callback === undefined) throw new NotFound("receipt", "receiptId");
    const { rail, providerId } = receipt;
    const requests = await store.findRequests(db, { rail, providerId });
    const paidOut = await payouts.list(db, { receiptId, limit: PAYOUTS_MAX });
    const correlations = [...requests, ...paidOut].map(({ correlation }) => correlation);
    const approvals = await listApprovalsOf(db, receiptId);
    const callbackText = textOf(callback.raw);
    const events: HistoryEvent[] = [
      ...requests.map(requestEvent),
      {
        at: new Date(callback.received_at),
        kind: "callback",
        text: `${rail} told of ${providerId} by ${callback.source} (${callback.form}).`,
        detail: {
          source: callback.source,
          form: callback.form,
          sourceAddress: callback.source_address,
          raw: callbackText,
        },
      },
      ...(await store.findNoticesAbout(db, { rail, providerId, correlations })).map(noticeEvent),
      {
        at: receipt.bookedAt,
        kind: "receipt",
        text: `${formatMoney(receipt.amount)} was booked, paid for "${receipt.reference}".`,
        detail: { id: receipt.id, paidAt: receipt.paidAt.toISOString(), payerName: receipt.payerName },
      },
      ...(await postingEvents(db, receiptId)),
      ...approvals.flatMap(approvalEvents),
      ...(await listMovements(db, receiptId)).map((movement) => movementEvent(movement, receipt.amount.currency)),
      ...paidOut.flatMap(payoutEvents),
      ...(await store.findReversals(db, receiptId)).map(reversalEvent),
      ...(await tellHistory(db, { receiptId, causes: await causesOf(db, receiptId) })),
    ];
    return { receipt, callbackText, events: inOrder(events) };
  };

  async function postingEvents(db: Db | Tx, receiptId: ReceiptId): Promise<readonly HistoryEvent[]> {
    const lines = await ledger.postingsOf(db, { reference: receiptId, limit: LINES_MAX });
    const byTransaction = Map.groupBy(lines, ({ transactionId }) => transactionId);
    return [...byTransaction].flatMap(([id, group]): HistoryEvent[] => {
      const [first] = group;
      return first === undefined
        ? []
        : [
            {
              at: first.postedAt,
              kind: "posting",
              text: `Posted as ${first.kind}: ${first.memo}.`,
              detail: { id, kind: first.kind, lines: group.map(lineDetail) },
            },
          ];
    });
  }
}

const lineDetail = ({ accountCode, amountMinor }: StatementLine): { account: string; amountMinor: string } => ({
  account: accountCode,
  amountMinor: amountMinor.toString(),
});

function requestEvent(row: store.RequestRow): HistoryEvent {
  const amount = formatMoney(money(BigInt(row.amount_minor), row.currency));
  return {
    at: new Date(row.created_at),
    kind: "request",
    text: `${row.requested_by} asked by ${row.asked_through} for ${amount} for ${row.reference}.`,
    detail: { id: row.id, state: row.state, reason: row.reason, correlation: row.correlation },
  };
}

function noticeEvent(row: store.NoticeRow): HistoryEvent {
  return {
    at: new Date(row.received_at),
    kind: "notice",
    text: `The rail said by ${row.source} (${row.form}): ${row.type} ${row.status}${row.reason === null ? "" : `, ${row.reason}`}.`,
    detail: { source: row.source, form: row.form, isEvidence: row.is_evidence, raw: textOf(row.raw) },
  };
}

function approvalEvents(approval: Approval): readonly HistoryEvent[] {
  const { id, reason, proposedBy, proposedAt, state, decidedBy, decidedAt, decision } = approval;
  const proposed: HistoryEvent = {
    at: proposedAt,
    kind: "proposal",
    text: `${proposedBy} proposed to ${wordsOf(approval)}: ${reason}`,
    detail: { id, state },
  };
  if (decidedAt === null) return [proposed];
  const words = `${decidedBy ?? ""}: ${state}${decision === null ? "" : ` (${decision})`}.`;
  return [proposed, { at: decidedAt, kind: "proposal", text: `Decided by ${words}`, detail: { id, state } }];
}

function movementEvent(movement: Movement, currency: Currency): HistoryEvent {
  const { id, kind, amountMinor, contractId, actor, approvedBy, reason, cause, at } = movement;
  const second = approvedBy === null ? "" : `, approved by ${approvedBy}`;
  return {
    at,
    kind: "movement",
    text: `${formatMoney(money(amountMinor, currency))} ${kind.replace("_", " ")} by ${actor}${second}: ${reason}`,
    detail: { id, kind, cause, contractId, amountMinor: amountMinor.toString() },
  };
}

function payoutEvents(payout: Payout): readonly HistoryEvent[] {
  const { id, rail, method, amount, phone, state, stateReason, providerId, createdAt, finishedAt } = payout;
  const detail = { id, method, state, reason: stateReason, providerId };
  const words = `${formatMoney(amount)} back by ${rail} (${method}${phone === null ? "" : ` to ${phone}`})`;
  const asked: HistoryEvent = { at: createdAt, kind: "payout", text: `Set aside to pay ${words}.`, detail };
  if (finishedAt === null) return [asked];
  const end = state === "completed" ? "Paid" : "Could not pay";
  const why = stateReason === null ? "" : `: ${stateReason}`;
  return [asked, { at: finishedAt, kind: "payout", text: `${end} ${words}${why}.`, detail }];
}

function reversalEvent(row: store.ReversalRow): HistoryEvent {
  const amount = formatMoney(money(BigInt(row.amount_minor), row.currency));
  return {
    at: new Date(row.reversed_at),
    kind: "reversal",
    text: `The provider took ${amount} back: ${row.provider_id}, ${row.state}${row.detail === null ? "" : ` (${row.detail})`}.`,
    detail: { providerId: row.provider_id, state: row.state },
  };
}

/** By time; what happened in one instant in the order in which it follows from each other. */
function inOrder(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const rank = ({ kind }: HistoryEvent): number => HISTORY_KINDS.indexOf(kind);
  return events.toSorted((left, right) => left.at.getTime() - right.at.getTime() || rank(left) - rank(right));
}

/** The bytes as text, when they are text at all. */
function textOf(raw: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(raw);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}
