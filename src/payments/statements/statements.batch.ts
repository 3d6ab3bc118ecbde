import type { MakeId } from "../../kernel/ids.ts";
import { formatMoney } from "../../kernel/money.ts";
import { localDateOf } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import type { Arrival, ArrivalOutcome } from "../inbox/arrivals.ts";
import type { Channel } from "../rails/rail.ts";
import type { StatementLine } from "../rails/statement-line.ts";
import { arrivalOf, type ReadLine } from "./statement-lines.ts";
import type { ImportedLine, LineOutcome } from "./statement-report.ts";
import * as store from "./statements.store.ts";

export type StoreArrivals = (tx: Tx, arrivals: readonly Arrival[]) => Promise<readonly ArrivalOutcome[]>;

/** What the lines of one import have in common. */
export interface ImportSetting {
  readonly statementId: string;
  readonly channel: Channel;
  readonly shortcode: string;
  /** Names the file in the subjects of exceptions. */
  readonly fileMark: string;
  readonly receivedAt: Date;
  readonly storeArrivals: StoreArrivals;
  readonly makeId: MakeId;
}

interface Verdict {
  readonly outcome: LineOutcome;
  readonly detail?: string;
  readonly exception?: { kind: store.NewException["kind"]; subject: string; detail: string };
}

type Transaction = Extract<ReadLine, { kind: "transaction" }>;

/**
 * Writes a batch of lines: payments and their reversals into the inbox, every transaction onto the provider's list, every
 * line into the statement, what cannot be explained onto the desk. Answers what became of each and how many are on the desk.
 */
export async function writeBatch(
  tx: Tx,
  lines: readonly ReadLine[],
  setting: ImportSetting,
): Promise<{ readonly lines: readonly ImportedLine[]; readonly exceptions: number }> {
  const { channel, receivedAt } = setting;
  const transactions = lines.filter((line): line is Transaction => line.kind === "transaction");
  const decided = transactions.length === 0 ? new Map<ReadLine, Verdict>() : await decide(tx, transactions, setting);
  const today = localDateOf(receivedAt, channel.zone);
  const imported: ImportedLine[] = [];
  const exceptions: store.NewException[] = [];
  for (const line of lines) {
    const verdict = decided.get(line) ?? verdictWithoutBooks(line, setting);
    const transaction = line.kind === "transaction" ? line.transaction : undefined;
    imported.push({
      line: line.at,
      providerId: transaction?.lineReference,
      kind: transaction?.kind,
      amountMinor: transaction?.amountMinor,
      at: transaction?.at,
      outcome: verdict.outcome,
      detail: verdict.detail,
      raw: line.raw,
    });
    if (verdict.exception !== undefined)
      exceptions.push({
        id: setting.makeId(),
        ...verdict.exception,
        onDate: transaction === undefined ? today : localDateOf(transaction.at, channel.zone),
        amountMinor: transaction?.amountMinor ?? 0n,
      });
  }
  await store.insertLines(tx, setting.statementId, imported);
  if (exceptions.length > 0)
    await store.openExceptions(tx, {
      rail: channel.name,
      currency: channel.currency,
      openedAt: receivedAt,
      exceptions,
    });
  return { lines: imported, exceptions: exceptions.length };
}

function verdictWithoutBooks(line: ReadLine, { fileMark }: ImportSetting): Verdict {
  if (line.kind !== "refused") return { outcome: "skipped" };
  const subject = `${fileMark}:${line.at}`;
  return {
    outcome: "refused",
    detail: line.reason,
    exception: { kind: "unreadable_line", subject, detail: `Line ${line.at}: ${line.reason}` },
  };
}

/** Holds the transactions of a batch against the books. */
async function decide(
  tx: Tx,
  lines: readonly Transaction[],
  setting: ImportSetting,
): Promise<ReadonlyMap<ReadLine, Verdict>> {
  const { channel, shortcode, receivedAt } = setting;
  const rail = channel.name;
  const all = lines.map(({ transaction }) => transaction);
  const listed = await store.insertListed(tx, { rail, currency: channel.currency, seenAt: receivedAt, lines: all });
  const references = (kind: StatementLine["kind"]): string[] =>
    all.filter((line) => line.kind === kind).map(({ lineReference }) => lineReference);
  const paidOut = references("disbursement");
  const payouts = paidOut.length === 0 ? new Map<string, bigint>() : await store.payoutAmounts(tx, rail, paidOut);
  const reversed = references("reversal");
  const reversals = reversed.length === 0 ? new Set<string>() : await store.knownReversals(tx, rail, reversed);

  const verdicts = new Map<ReadLine, Verdict>();
  const arrivals: { line: Transaction; arrival: Arrival; isKnown: boolean }[] = [];
  for (const [at, line] of lines.entries()) {
    const { transaction } = line;
    const listedMinor = listed[at];
    const isListed = listedMinor !== undefined;
    const arrival = arrivalOf(transaction, { raw: line.raw, rail, currency: channel.currency, shortcode, receivedAt });
    const isConflict = isListed && listedMinor !== transaction.amountMinor;
    // Of a payment the inbox knows better than the list: it may have been listed, and never told.
    if (arrival !== undefined && (transaction.kind === "payment" || !isConflict)) {
      arrivals.push({ line, arrival, isKnown: isListed || reversals.has(transaction.lineReference) });
    } else if (isConflict) verdicts.set(line, conflict(transaction, listedMinor, channel));
    else verdicts.set(line, decideUnpaid(transaction, { isListed, payouts, channel }));
  }
  await takeArrivals(tx, arrivals, { setting, verdicts });
  return verdicts;
}

/** Fees, settlements, payouts and the rest. Fees and settlements are posted when all lines are read. */
function decideUnpaid(
  transaction: StatementLine,
  { isListed, payouts, channel }: { isListed: boolean; payouts: ReadonlyMap<string, bigint>; channel: Channel },
): Verdict {
  const { kind, amountMinor, lineReference } = transaction;
  const outcome = isListed ? "known" : "taken";
  const unexplained = (detail: string): Verdict => ({
    outcome,
    detail,
    exception: { kind: "listed_not_booked", subject: lineReference, detail: `${detail} ${transaction.details}`.trim() },
  });
  if (kind === "fee" || kind === "settlement") return { outcome };
  if (kind === "disbursement") {
    const ours = payouts.get(lineReference);
    if (ours === undefined) return unexplained("Money went out that no payout of ours explains.");
    return -ours === amountMinor ? { outcome: "known" } : conflict(transaction, -ours, channel);
  }
  if (kind === "reversal") return unexplained("Money that had gone out came back.");
  return amountMinor === 0n ? { outcome } : unexplained("The books have no place for this kind of line.");
}

async function takeArrivals(
  tx: Tx,
  arrivals: readonly { line: Transaction; arrival: Arrival; isKnown: boolean }[],
  { setting, verdicts }: { setting: ImportSetting; verdicts: Map<ReadLine, Verdict> },
): Promise<void> {
  if (arrivals.length === 0) return;
  const { channel, storeArrivals } = setting;
  const outcomes = await storeArrivals(
    tx,
    arrivals.map(({ arrival }) => arrival),
  );
  const differing = arrivals.filter((_, at) => outcomes[at] === "conflict");
  const amounts =
    differing.length === 0
      ? new Map<string, bigint>()
      : await store.paymentAmounts(
          tx,
          channel.name,
          differing.map(({ line }) => line.transaction.lineReference),
        );
  arrivals.forEach(({ line, isKnown }, at) => {
    const { transaction } = line;
    const booked = amounts.get(transaction.lineReference);
    if (outcomes[at] !== "conflict") {
      const isRepeated = outcomes[at] === "repeated" || (transaction.kind === "reversal" && isKnown);
      verdicts.set(line, { outcome: isRepeated ? "known" : "taken" });
    } else if (booked === transaction.amountMinor) {
      // The money agrees; accounts and times are written differently from one export to the next.
      verdicts.set(line, {
        outcome: "known",
        detail: "Its account or time is written differently from the first time.",
      });
    } else verdicts.set(line, conflict(transaction, booked, channel));
  });
}

function conflict(
  { lineReference, amountMinor }: StatementLine,
  knownMinor: bigint | undefined,
  { currency }: Channel,
): Verdict {
  const here = formatMoney({ minor: amountMinor, currency });
  const before = knownMinor === undefined ? "other facts" : formatMoney({ minor: knownMinor, currency });
  const detail = `It says ${here}, and the same reference is known with ${before}.`;
  return { outcome: "refused", detail, exception: { kind: "line_conflict", subject: lineReference, detail } };
}
