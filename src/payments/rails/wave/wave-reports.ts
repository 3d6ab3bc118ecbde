import { z } from "zod";
import type { Channel, Delivery, Parsed, Report } from "../rail.ts";
import {
  Unusable,
  accountIn,
  failedSession,
  gross,
  merchantPayment,
  namesIn,
  payerOf,
  readAmount,
  readAs,
  readJson,
  readTime,
  requireMoney,
  session,
  type Entry,
  type Payout,
  type Session,
} from "./wave-objects.ts";

const event = z.object({ id: z.string().min(1), type: z.string().min(1), data: z.record(z.string(), z.unknown()) });

/** A webhook of Wave's: which event, and what became of a payment. Pure in the delivery. */
export function parseWaveEvent(delivery: Delivery, channel: Channel): Parsed {
  try {
    const { type, data } = readAs(event, readJson(delivery.raw));
    return { ok: true, reports: reportsOf(type, data, channel) };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    const { reason, field, message: detail, providerId } = error;
    return { ok: false, reason, field, detail, providerId };
  }
}

function reportsOf(type: string, data: unknown, channel: Channel): Report[] {
  switch (type) {
    case "checkout.session.completed": {
      const read = readAs(session, data);
      const report = sessionReport(read, channel);
      if (report.transactionStatus !== "completed")
        throw new Unusable("status_unknown", "The session is completed, but its payment did not succeed.", {
          field: "data.payment_status",
          providerId: read.transaction_id?.toUpperCase(),
        });
      return [report];
    }
    case "checkout.session.payment_failed":
      return [failedReport(readAs(failedSession, data), channel)];
    case "merchant.payment_received":
      return [merchantReport(data, channel)];
    // Another business paid, or failed to: the wallet's list tells it under the transaction's own name.
    case "b2b.payment_received":
    case "b2b.payment_failed":
    case "test.test_event":
      return [];
    default:
      throw new Unusable("status_unknown", "Wave does not document this event.", { field: "type" });
  }
}

/** A session as a report. It is over when it was paid or its page has expired. */
export function sessionReport(read: Session, channel: Channel, asked?: { reference: string }): Report {
  const transactionReference = read.transaction_id?.toUpperCase();
  try {
    const transactionStatus =
      read.payment_status === "succeeded" ? "completed" : read.checkout_status === "expired" ? "failed" : "pending";
    if (transactionStatus === "completed" && transactionReference === undefined)
      throw new Unusable("wrong_type", "A payment that succeeded has no transaction_id.", { field: "transaction_id" });
    const names = namesIn(read.client_reference);
    const reference = asked?.reference ?? names.reference;
    return {
      type: reference === "" ? "merchantpay" : "billpay",
      transactionStatus,
      transactionReference,
      correlation: names.correlation,
      originalTransactionReference: undefined,
      amount: requireMoney(readAmount(read.amount, read.currency, channel)),
      creditParty: channel.name,
      reference,
      // A session does not tell who paid; the wallet's list does.
      payer: payerOf(undefined),
      at: readTime(read.when_completed, "when_completed"),
      statusReason:
        transactionStatus === "completed"
          ? undefined
          : (wordsOf(read.last_payment_error?.code, read.last_payment_error?.message) ??
            read.checkout_status ??
            undefined),
    };
  } catch (error) {
    throw error instanceof Unusable ? named(error, transactionReference) : error;
  }
}

/**
 * An attempt failed. The page stays open until it expires; should the payer succeed after all, that money is honoured
 * like any late money. A session without our reference is named by its own id.
 */
function failedReport(read: z.infer<typeof failedSession>, channel: Channel): Report {
  const names = namesIn(read.client_reference);
  return {
    type: names.reference === "" ? "merchantpay" : "billpay",
    transactionStatus: "failed",
    transactionReference: read.transaction_id?.toUpperCase(),
    correlation: names.correlation ?? read.id,
    originalTransactionReference: undefined,
    amount:
      typeof read.amount === "string" && typeof read.currency === "string"
        ? readAmount(read.amount, read.currency, channel)
        : undefined,
    creditParty: channel.name,
    reference: names.reference,
    payer: payerOf(undefined),
    at: undefined,
    statusReason: wordsOf(read.last_payment_error?.code, read.last_payment_error?.message),
  };
}

function merchantReport(data: unknown, channel: Channel): Report {
  const read = readAs(merchantPayment, data);
  const providerId = read.id.toUpperCase();
  try {
    const reference = accountIn(read.custom_fields);
    return {
      type: reference === "" ? "merchantpay" : "billpay",
      transactionStatus: "completed",
      transactionReference: providerId,
      correlation: undefined,
      originalTransactionReference: undefined,
      amount: requireMoney(gross(read.amount, read.fee, { currency: read.currency, channel })),
      creditParty: channel.name,
      reference,
      payer: payerOf(read.sender_mobile),
      at: readTime(read.when_created, "when_created"),
      statusReason: undefined,
    };
  } catch (error) {
    throw error instanceof Unusable ? named(error, providerId) : error;
  }
}

/** A payout and the list have no name of Wave's in common, but both carry ours. */
const payoutReference = (correlation: string): string => `PAYOUT-${correlation.toUpperCase()}`;

export function payoutReport(read: Payout, channel: Channel): Report {
  const { correlation, reference } = namesIn(read.client_reference);
  return {
    type: "disbursement",
    transactionStatus: read.status === "succeeded" ? "completed" : read.status === "processing" ? "pending" : "failed",
    transactionReference: correlation === undefined ? read.id.toUpperCase() : payoutReference(correlation),
    correlation,
    originalTransactionReference: undefined,
    amount: requireMoney(readAmount(read.receive_amount, read.currency, channel)),
    creditParty: channel.name,
    reference,
    payer: payerOf(read.mobile),
    at: readTime(read.timestamp, "timestamp"),
    statusReason:
      read.status === "succeeded"
        ? undefined
        : (wordsOf(read.payout_error?.error_code, read.payout_error?.error_message) ?? read.status),
  };
}

/** One line of the wallet's list. Throws `Unusable` for lines that a person should see. */
export function entryReport(read: Entry, channel: Channel): Report {
  const id = read.transaction_id.toUpperCase();
  const names = namesIn(read.client_reference);
  const account = names.reference === "" ? accountIn(read.custom_fields) : names.reference;
  const base: Report = {
    type: account === "" ? "merchantpay" : "billpay",
    transactionStatus: "completed",
    transactionReference: id,
    correlation: names.correlation,
    originalTransactionReference: undefined,
    amount: requireMoney(gross(read.amount, read.fee, { currency: read.currency, channel })),
    creditParty: channel.name,
    reference: account,
    payer: payerOf(read.counterparty_mobile, read.counterparty_name),
    at: readTime(read.timestamp, "timestamp"),
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
      const net = gross(read.amount, "0", { currency: read.currency, channel });
      const fee = gross("0", read.fee, { currency: read.currency, channel });
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

const named = (error: Unusable, providerId: string | undefined): Unusable =>
  new Unusable(error.reason, error.message, {
    ...(error.field === undefined ? {} : { field: error.field }),
    providerId,
  });

const wordsOf = (...words: readonly (string | null | undefined)[]): string | undefined =>
  words.filter(Boolean).join(": ") || undefined;
