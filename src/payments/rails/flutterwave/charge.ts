import { z } from "zod";
import type { Money } from "../../../kernel/money.ts";
import type { Channel, Delivery, Parsed, Payer, Report, Verdict } from "../rail.ts";
import { isUuid, plainText, readAs, readJson, readReports, Unusable } from "../reading.ts";
import { NOBODY, payerWith, readAmount, readMoment, requireCurrency } from "../report-values.ts";
import { isSameSecret } from "../../../platform/same-secret.ts";

/** What an object of Flutterwave's is read against. */
export interface FlutterwaveTerms {
  readonly channel: Channel;
  /** When it came, so that reading is pure. */
  readonly now: Date;
}

/** Numbers arrive as they were written, see `readExact`. */
const text = plainText();

/** A transaction, in the webhook as in the answer to an enquiry and in the list. */
const charge = z.object({
  id: z.string().regex(/^\d{1,20}$/),
  tx_ref: text,
  amount: text,
  currency: text,
  status: text,
  processor_response: z.string().max(500).nullish(),
  created_at: text.nullish(),
  customer: z.object({ name: z.string().max(500).nullish(), phone_number: z.string().max(60).nullish() }).nullish(),
});

const event = z.object({ event: text, data: z.record(z.string(), z.unknown()) });

/** Events that are not about a customer's payment. */
const OTHER_EVENTS = ["transfer.completed", "subscription.cancelled", "singlebillpayment.status", "refund.completed"];

/** A hash that is the same on every webhook is a password, not a signature: it says who, and nothing of the body. */
export function verifyHash(delivery: Delivery, verifHash: string): Verdict {
  const given = delivery.headers["verif-hash"];
  return given !== undefined && isSameSecret(given, verifHash)
    ? { trust: "secret" }
    : { trust: "refused", reason: "signature_invalid", detail: "The verif-hash header is not our secret hash." };
}

/** A webhook of Flutterwave's version 3. Pure in the delivery. */
export const parseFlutterwaveEvent = (delivery: Delivery, channel: Channel): Parsed =>
  readReports((noted) => {
    const { event: name, data } = readAs(event, readExact(delivery.raw));
    if (OTHER_EVENTS.includes(name)) return [];
    if (name !== "charge.completed")
      throw new Unusable("status_unknown", "Flutterwave does not document this event.", "event");
    if (typeof data["id"] === "string" && /^\d{1,20}$/.test(data["id"])) noted.providerId = referenceOf(data["id"]);
    return [chargeReport(data, { channel, now: delivery.receivedAt })];
  });

/** What Flutterwave says of one transaction. `asked`: the account that our request was for. */
export function chargeReport(data: unknown, terms: FlutterwaveTerms, asked?: { reference: string }): Report {
  const { channel } = terms;
  const read = readAs(charge, data);
  const status = read.status.toLowerCase();
  const transactionStatus = status === "successful" ? "completed" : status === "failed" ? "failed" : "pending";
  const correlation = isUuid(read.tx_ref) ? read.tx_ref.toLowerCase() : undefined;
  // A payment link that somebody made elsewhere carries a name of its own: an account, perhaps.
  const reference = asked?.reference ?? (correlation === undefined ? read.tx_ref : "");
  return {
    type: reference === "" ? "merchantpay" : "billpay",
    transactionStatus,
    transactionReference: referenceOf(read.id),
    correlation,
    originalTransactionReference: undefined,
    // What we asked for; `charged_amount` may hold a fee that the payer bore.
    amount: amountIn(read.amount, read.currency, channel),
    creditParty: channel.name,
    reference,
    payer: payerOf(read.customer),
    at: timeIn(read.created_at, terms),
    statusReason:
      transactionStatus === "completed" ? undefined : [read.status, read.processor_response].filter(Boolean).join(": "),
  };
}

/** Money given back, by our request or by somebody at Flutterwave's dashboard. */
export const refundedCharge = z.object({
  id: z.string().regex(/^\d{1,20}$/),
  tx_id: z.string().nullish(),
  transaction_id: z.string().nullish(),
  amount_refunded: text,
  status: text,
  comments: z.string().nullish(),
  comment: z.string().nullish(),
  created_at: text.nullish(),
});

/** The comment of a refund of ours begins with our name for it; all others are somebody else's: reversals, to us. */
export function refundReport(data: unknown, terms: FlutterwaveTerms, asked?: { correlation: string }): Report {
  const { channel } = terms;
  const read = readAs(refundedCharge, data);
  const written = /^\S{36}/.exec(read.comments ?? read.comment ?? "")?.[0];
  const correlation = asked?.correlation ?? (isUuid(written ?? "") ? written?.toLowerCase() : undefined);
  const original = read.transaction_id ?? read.tx_id ?? undefined;
  const isOver = /^completed/i.test(read.status);
  if (correlation === undefined && original === undefined)
    throw new Unusable("wrong_type", "A refund does not say of which transaction.", "transaction_id");
  return {
    type: correlation === undefined ? "reversal" : "disbursement",
    transactionStatus: isOver ? "completed" : /^fail/i.test(read.status) ? "failed" : "pending",
    transactionReference: `FLW-REFUND-${read.id}`,
    correlation,
    originalTransactionReference: correlation === undefined ? referenceOf(original ?? "") : undefined,
    amount: amountIn(read.amount_refunded, channel.currency, channel),
    creditParty: channel.name,
    reference: "",
    payer: NOBODY,
    at: timeIn(read.created_at, terms),
    statusReason: isOver ? undefined : read.status,
  };
}

/**
 * The number by which a transaction is verified, refunded and listed. `flw_ref` differs from channel to channel, holds
 * the merchant's name, and no enquiry takes it.
 */
export const referenceOf = (id: string): string => `FLW-${id}`;
export const idOf = (reference: string | undefined): string | undefined =>
  /^FLW-(\d{1,20})$/.exec(reference ?? "")?.[1];

/** JSON in which every number is the text it was written as: Flutterwave writes amounts as numbers, and a float is no money. */
export const readExact = (raw: Uint8Array): unknown =>
  readJson(raw, (_name, value, context) => (typeof value === "number" ? (context?.source ?? String(value)) : value));

function amountIn(written: string, currency: string, channel: Channel): Money {
  requireCurrency(currency, channel.currency);
  return readAmount(written, channel.currency, "amount");
}

/** When the payment was begun: Flutterwave tells no other moment. */
const timeIn = (written: string | null | undefined, { now }: FlutterwaveTerms): Date | undefined =>
  typeof written === "string" ? readMoment(written, { field: "created_at", now }) : undefined;

/** The number as the payer or we gave it; only a whole one with its country code names somebody. */
const payerOf = (customer: z.infer<typeof charge>["customer"]): Payer =>
  payerWith(/^\+?([1-9]\d{10,14})$/.exec(customer?.phone_number?.trim() ?? "")?.[1], customer?.name);
