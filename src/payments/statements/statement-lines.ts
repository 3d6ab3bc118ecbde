import { AMOUNT_MINOR_MAX, type Currency } from "../../kernel/money.ts";
import type { Arrival } from "../inbox/arrivals.ts";
import { isRefusedLine, type StatementLine } from "../rails/statement-line.ts";
import type { LineReader } from "./statement-format.ts";
import type { FileRecord } from "./statement-records.ts";

/** A line of a file, understood or not. */
export type ReadLine = { readonly at: number; readonly raw: string } & (
  | { readonly kind: "transaction"; readonly transaction: StatementLine }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "skipped" }
);

/** Reads one record and holds it against what its kind must have, so that whoever books it need not ask again. */
export function readLine(record: FileRecord, read: LineReader): ReadLine {
  const { line: at, raw, problem } = record;
  if (problem !== undefined) return { at, raw, kind: "refused", reason: problem };
  const line = read(record.cells);
  if (line === "not_a_transaction") return { at, raw, kind: "skipped" };
  if (isRefusedLine(line)) return { at, raw, kind: "refused", reason: line.refused };
  const reason = problemOf(line);
  return reason === undefined
    ? { at, raw, kind: "transaction", transaction: line }
    : { at, raw, kind: "refused", reason };
}

function problemOf({ kind, type, amountMinor, linked }: StatementLine): string | undefined {
  if (amountMinor > AMOUNT_MINOR_MAX || amountMinor < -AMOUNT_MINOR_MAX)
    return "Its amount is more than any rail moves at once.";
  switch (kind) {
    case "payment":
      if (amountMinor <= 0n) return "It is a payment to us, but no money comes in.";
      return type === "billpay" || type === "merchantpay" || type === "transfer"
        ? undefined
        : "It is a payment of no kind that can be booked.";
    case "reversal":
      if (linked === undefined) return "A reversal does not name the transaction that it reverses.";
      return amountMinor === 0n ? "A reversal without an amount." : undefined;
    case "fee":
    case "settlement":
    case "disbursement":
    case "other":
      return undefined;
  }
}

/** A payment, or a payment that went back, as the inbox takes it; undefined for every other line. */
export function arrivalOf(
  transaction: StatementLine,
  {
    raw,
    rail,
    currency,
    shortcode,
    receivedAt,
  }: { raw: string; rail: string; currency: Currency; shortcode: string; receivedAt: Date },
): Arrival | undefined {
  const { kind, type, amountMinor } = transaction;
  // Money of a payout that came back is no reversal of a customer's payment.
  if (type === undefined || !(kind === "payment" || (kind === "reversal" && amountMinor < 0n))) return undefined;
  return {
    rail,
    form: "statement",
    source: "statement",
    isEvidence: true,
    report: {
      type,
      transactionStatus: "completed",
      transactionReference: transaction.lineReference,
      correlation: undefined,
      originalTransactionReference: kind === "reversal" ? transaction.linked : undefined,
      amount: { minor: amountMinor < 0n ? -amountMinor : amountMinor, currency },
      creditParty: shortcode,
      reference: transaction.reference,
      payer: { phone: transaction.payerPhone, hash: transaction.payerHash, name: transaction.payerName },
      at: transaction.at,
      statusReason: undefined,
    },
    raw: Buffer.from(raw, "utf8"),
    sourceAddress: "-",
    receivedAt,
  };
}
