import { z } from "zod";
import type { Channel, Delivery, Parsed, Report } from "../rail.ts";
import { readAs, readJson, readReports, isPlainText, Unusable, wordsOf } from "../reading.ts";
import { NOBODY, readReference } from "../report-values.ts";
import {
  accountIn,
  amountIn,
  failedSession,
  gross,
  merchantPayment,
  namesIn,
  payerOf,
  requireMoney,
  session,
  timeIn,
  type Entry,
  type Payout,
  type Session,
  type WaveTerms,
} from "./wave-objects.ts";

const event = z.object({ id: z.string().min(1), type: z.string().min(1), data: z.record(z.string(), z.unknown()) });

/** A webhook of Wave's: which event, and what became of a payment. Pure in the delivery. */
export const parseWaveEvent = (delivery: Delivery, channel: Channel): Parsed =>
  readReports((noted) => {
    const { type, data } = readAs(event, readJson(delivery.raw));
    const name = type === "merchant.payment_received" ? data["id"] : data["transaction_id"];
    noted.providerId = typeof name === "string" && isPlainText(name, 255) ? name.toUpperCase() : undefined;
    return reportsOf(type, data, { channel, now: delivery.receivedAt });
  });

function reportsOf(type: string, data: unknown, terms: WaveTerms): Report[] {
  switch (type) {
    case "checkout.session.completed": {
      const read = readAs(session, data);
      const report = sessionReport(read, terms);
      if (report.transactionStatus !== "completed")
        throw new Unusable(
          "status_unknown",
          "The session is completed, but its payment did not succeed.",
          "data.payment_status",
        );
      return [report];
    }
    case "checkout.session.payment_failed":
      return [failedReport(readAs(failedSession, data), terms)];
    case "merchant.payment_received":
      return [merchantReport(data, terms)];
    // Another business paid, or failed to: the wallet's list tells it under the transaction's own name.
    case "b2b.payment_received":
    case "b2b.payment_failed":
    case "test.test_event":
      return [];
    default:
      throw new Unusable("status_unknown", "Wave does not document this event.", "type");
  }
}

/** A session as a report. It is over when it was paid or its page has expired. */
export function sessionReport(read: Session, terms: WaveTerms, asked?: { reference: string }): Report {
  const transactionReference = findReference(read.transaction_id);
  const transactionStatus =
    read.payment_status === "succeeded" ? "completed" : read.checkout_status === "expired" ? "failed" : "pending";
  if (transactionStatus === "completed" && transactionReference === undefined)
    throw new Unusable("wrong_type", "A payment that succeeded has no transaction_id.", "transaction_id");
  const names = namesIn(read.client_reference);
  const reference = asked?.reference ?? names.reference;
  return {
    type: reference === "" ? "merchantpay" : "billpay",
    transactionStatus,
    transactionReference,
    correlation: names.correlation,
    originalTransactionReference: undefined,
    amount: amountIn(read.amount, read.currency, terms),
    creditParty: terms.channel.name,
    reference,
    // A session does not tell who paid; the wallet's list does.
    payer: NOBODY,
    at: timeIn(read.when_completed, "when_completed", terms),
    statusReason:
      transactionStatus === "completed"
        ? undefined
        : (wordsOf(read.last_payment_error?.code, read.last_payment_error?.message) ??
          read.checkout_status ??
          undefined),
  };
}

/**
 * An attempt failed. The page stays open until it expires; should the payer succeed after all, that money is honoured
 * like any late money. A session without our reference is named by its own id.
 */
function failedReport(read: z.infer<typeof failedSession>, terms: WaveTerms): Report {
  const names = namesIn(read.client_reference);
  return {
    type: names.reference === "" ? "merchantpay" : "billpay",
    transactionStatus: "failed",
    transactionReference: findReference(read.transaction_id),
    correlation: names.correlation ?? read.id,
    originalTransactionReference: undefined,
    amount:
      typeof read.amount === "string" && typeof read.currency === "string"
        ? amountIn(read.amount, read.currency, terms)
        : undefined,
    creditParty: terms.channel.name,
    reference: names.reference,
    payer: NOBODY,
    at: undefined,
    statusReason: wordsOf(read.last_payment_error?.code, read.last_payment_error?.message),
  };
}

function merchantReport(data: unknown, terms: WaveTerms): Report {
  const read = readAs(merchantPayment, data);
  const providerId = readReference(read.id, "id");
  const reference = accountIn(read.custom_fields);
  return {
    type: reference === "" ? "merchantpay" : "billpay",
    transactionStatus: "completed",
    transactionReference: providerId,
    correlation: undefined,
    originalTransactionReference: undefined,
    amount: requireMoney(gross(read.amount, read.fee, { currency: read.currency, terms })),
    creditParty: terms.channel.name,
    reference,
    payer: payerOf(read.sender_mobile),
    at: timeIn(read.when_created, "when_created", terms),
    statusReason: undefined,
  };
}

const findReference = (written: string | null | undefined): string | undefined =>
  typeof written === "string" ? readReference(written, "transaction_id") : undefined;

/** A payout and the list have no name of Wave's in common, but both carry ours. */
const payoutReference = (correlation: string): string => `PAYOUT-${correlation.toUpperCase()}`;

export function payoutReport(read: Payout, terms: WaveTerms): Report {
  const { correlation, reference } = namesIn(read.client_reference);
  return {
    type: "disbursement",
    transactionStatus: read.status === "succeeded" ? "completed" : read.status === "processing" ? "pending" : "failed",
    transactionReference: correlation === undefined ? readReference(read.id, "id") : payoutReference(correlation),
    correlation,
    originalTransactionReference: undefined,
    amount: amountIn(read.receive_amount, read.currency, terms),
    creditParty: terms.channel.name,
    reference,
    payer: payerOf(read.mobile),
    at: timeIn(read.timestamp, "timestamp", terms),
    statusReason:
      read.status === "succeeded"
        ? undefined
        : (wordsOf(read.payout_error?.error_code, read.payout_error?.error_message) ?? read.status),
  };
}

/** One line of the wallet's list. Throws `Unusable` for lines that a person should see. */
export function entryReport(read: Entry, terms: WaveTerms): Report {
  const id = readReference(read.transaction_id, "transaction_id");
  const names = namesIn(read.client_reference);
  const account = names.reference === "" ? accountIn(read.custom_fields) : names.reference;
  const base: Report = {
    type: account === "" ? "merchantpay" : "billpay",
    transactionStatus: "completed",
    transactionReference: id,
    correlation: names.correlation,
    originalTransactionReference: undefined,
    amount: requireMoney(gross(read.amount, read.fee, { currency: read.currency, terms })),
    creditParty: terms.channel.name,
    reference: account,
    payer: payerOf(read.counterparty_mobile, read.counterparty_name),
    at: timeIn(read.timestamp, "timestamp", terms),
    statusReason: undefined,
  };
  const isIncoming = !read.amount.startsWith("-");
  // Old lines have no type; those of a session are payments all the same.
  const type = read.transaction_type ?? (typeof read.checkout_api_session_id === "string" ? "api_checkout" : "");
  switch (type) {
    case "merchant_payment":
    case "api_checkout":
      if (read.is_reversal === true || !isIncoming) return reversed(base, id);
      return base;
    case "merchant_payment_refund":
    case "api_checkout_refund":
      return reversed(base, id);
    case "b2b_payment":
      if (!isIncoming || read.is_reversal === true) break;
      return { ...base, type: "transfer" };
    case "api_payout":
    case "bulk_payment": {
      if (isIncoming || read.is_reversal === true) break;
      const net = gross(read.amount, "0", { currency: read.currency, terms });
      const fee = gross("0", read.fee, { currency: read.currency, terms });
      return {
        ...base,
        type: "disbursement",
        transactionReference: names.correlation === undefined ? id : payoutReference(names.correlation),
        // What left our balance holds the fee; what the other one got does not.
        amount: requireMoney({ ...net, minor: net.minor - fee.minor }),
      };
    }
  }
  throw new Unusable("status_unknown", `Wave lists ${id} as "${type}", which the books cannot take by themselves.`);
}

/** Lines are entries of the wallet, and the entry that takes a payment back keeps the payment's transaction_id. */
const reversed = (base: Report, id: string): Report => ({
  ...base,
  type: "reversal",
  transactionReference: `${id}-REVERSAL`,
  originalTransactionReference: id,
});
