import { createHash } from "node:crypto";
import type { Money } from "../../kernel/money.ts";
import type { Report } from "../rails/rail.ts";

/** How we came to know: the provider told us, we asked, we looked it up in a list, or an agent took cash. */
export type Source = "callback" | "enquiry" | "pull" | "statement" | "cash";

/** One thing that a rail says, on its way into the books, with the bytes it came in. */
export interface Arrival {
  /** The channel's name. */
  readonly rail: string;
  /** In which form it was told: the door's name, or "enquiry", "pull", "statement", "cash". */
  readonly form: string;
  readonly source: Source;
  /** False for a hint: it proves nothing or lacks facts, so an enquiry decides. */
  readonly isEvidence: boolean;
  readonly report: Report;
  readonly raw: Uint8Array;
  /** "-" when nobody called us. */
  readonly sourceAddress: string;
  readonly receivedAt: Date;
}

/** `repeated`: it was known. `conflict`: the same transaction was known with another amount, or in the same form with other facts. */
export type ArrivalOutcome = "stored" | "repeated" | "conflict";

/** What a request of ours adds to what the rail tells: Airtel and Orange name neither amount nor account. */
export interface Asked {
  readonly intentId: string;
  readonly reference: string;
  readonly amount: Money;
  readonly phone: string;
  readonly payerHash: Uint8Array;
}

/** A completed payment with all that booking needs. */
export interface PaymentFacts {
  readonly providerId: string;
  readonly type: "billpay" | "merchantpay" | "transfer";
  readonly amount: Money;
  readonly shortcode: string;
  readonly reference: string;
  readonly phone: string | undefined;
  readonly payerHash: Uint8Array | undefined;
  readonly payerName: string | undefined;
  readonly paidAt: Date;
}

/** A completed payment that is more than a hint; its amount may still have to come from the request. */
export function isPaymentEvidence({ isEvidence, report }: Arrival): boolean {
  return (
    isEvidence &&
    report.transactionStatus === "completed" &&
    report.transactionReference !== undefined &&
    (report.type === "billpay" || report.type === "merchantpay" || report.type === "transfer")
  );
}

/** The payment's facts; undefined when the rail tells no amount and no request of ours says it either. */
export function paymentFacts({ report, receivedAt }: Arrival, asked: Asked | undefined): PaymentFacts | undefined {
  const amount = report.amount ?? asked?.amount;
  const { type, transactionReference } = report;
  if (amount === undefined || transactionReference === undefined) return undefined;
  if (type === "reversal" || type === "disbursement") return undefined;
  return {
    providerId: transactionReference.toUpperCase(),
    type,
    amount,
    shortcode: report.creditParty,
    // What the payer typed decides; only where nothing was typed the account that we asked for does.
    reference: report.reference.trim() === "" ? (asked?.reference ?? report.reference) : report.reference,
    phone: report.payer.phone ?? asked?.phone,
    payerHash: report.payer.hash ?? asked?.payerHash,
    payerName: report.payer.name,
    paidAt: report.at ?? receivedAt,
  };
}

/** What makes two tellings in one form the same: the money's facts as the rail told them, not how the payer's number is shown. */
export function factsHash({ report }: Arrival): Uint8Array {
  const { amount, creditParty, reference, at } = report;
  const facts = [
    amount?.minor.toString() ?? "",
    amount?.currency ?? "",
    creditParty,
    reference,
    at?.toISOString() ?? "",
  ];
  return createHash("sha256").update(facts.join("\n")).digest();
}

/** Names a delivery by its content, so that the same one twice is one notice. */
export function digestOf({ report, raw }: Arrival): Uint8Array {
  return createHash("sha256")
    .update(
      [report.type, report.transactionStatus, report.correlation ?? "", report.transactionReference ?? ""].join("\n"),
    )
    .update("\n")
    .update(raw)
    .digest();
}
