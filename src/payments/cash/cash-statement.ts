import type { StatementLine } from "../../ledger/ledger.ts";
import type { CashReceipt, CashStanding } from "./cash-records.ts";

/** Ledger kinds of the postings that this module makes. */
export const HAND_OVER = "cash_hand_over";
export const COMMISSION = "commission";
export const COMMISSION_BACK = "commission_back";
export const COMMISSION_PAID = "commission_paid";

/** A line of one of the agent's two accounts. */
export interface CashLine {
  readonly account: "cash" | "commission";
  readonly kind: string;
  readonly memo: string;
  readonly reference: string | null;
  /** Cash: into the agent's hands above zero. Commission: earned above zero. */
  readonly amountMinor: bigint;
  /** When it happened in the field. */
  readonly effectiveAt: Date;
  /** When it was written down; the statement's lines are those that were written down in its time, so it never changes later. */
  readonly postedAt: Date;
}

/** What the books say about an agent's cash and commission. */
export interface Figures {
  readonly openingMinor: bigint;
  readonly collectedMinor: bigint;
  readonly handedOverMinor: bigint;
  /** What was corrected, such as a collection that was undone. */
  readonly otherMinor: bigint;
  readonly closingMinor: bigint;
  readonly commissionOpeningMinor: bigint;
  readonly commissionEarnedMinor: bigint;
  readonly commissionTakenBackMinor: bigint;
  readonly commissionPaidMinor: bigint;
  readonly commissionClosingMinor: bigint;
  readonly lines: readonly CashLine[];
}

export interface CashStatement extends Figures {
  readonly from: Date;
  readonly to: Date;
  /** As of now, whatever the statement's time: these are not in the books yet. */
  readonly provisional: readonly CashReceipt[];
  readonly standing: CashStanding;
}

/** A collection is booked by the settle loop, to a contract or to suspense. */
const isCollection = (kind: string): boolean => kind === "payment" || kind === "payment_to_suspense";

/** Adds up the lines of an agent's two accounts, which come as the ledger has them: debit above zero. */
export function statementFigures(
  postings: readonly StatementLine[],
  { clearingCode, from, to }: { clearingCode: string; from: Date; to: Date },
): Figures {
  const all = postings
    .map((posting) => lineOf(posting, posting.accountCode === clearingCode))
    .filter(({ postedAt }) => postedAt < to)
    .toSorted((left, right) => left.postedAt.getTime() - right.postedAt.getTime());
  const lines = all.filter(({ postedAt }) => postedAt >= from);
  const before = all.filter(({ postedAt }) => postedAt < from);
  const [cash, commission] = [ofAccount(lines, "cash"), ofAccount(lines, "commission")];
  const opening = sum(ofAccount(before, "cash"));
  const commissionOpening = sum(ofAccount(before, "commission"));
  const collected = sum(cash.filter(({ kind }) => isCollection(kind)));
  const handedOver = -sum(cash.filter(({ kind }) => kind === HAND_OVER));
  const takenBack = -sum(commission.filter(({ kind }) => kind === COMMISSION_BACK));
  const paid = -sum(commission.filter(({ kind }) => kind === COMMISSION_PAID));
  return {
    openingMinor: opening,
    collectedMinor: collected,
    handedOverMinor: handedOver,
    otherMinor: sum(cash) - collected + handedOver,
    closingMinor: opening + sum(cash),
    commissionOpeningMinor: commissionOpening,
    commissionEarnedMinor: sum(commission) + takenBack + paid,
    commissionTakenBackMinor: takenBack,
    commissionPaidMinor: paid,
    commissionClosingMinor: commissionOpening + sum(commission),
    lines,
  };
}

function lineOf(posting: StatementLine, isCash: boolean): CashLine {
  const { kind, memo, reference, amountMinor, effectiveAt, postedAt } = posting;
  return {
    account: isCash ? "cash" : "commission",
    kind,
    memo,
    reference,
    // Commission is owed to the agent, a liability: a credit is what the agent earned.
    amountMinor: isCash ? amountMinor : -amountMinor,
    effectiveAt,
    postedAt,
  };
}

const ofAccount = (lines: readonly CashLine[], account: CashLine["account"]): readonly CashLine[] =>
  lines.filter((line) => line.account === account);
const sum = (lines: readonly CashLine[]): bigint => lines.reduce((total, { amountMinor }) => total + amountMinor, 0n);
