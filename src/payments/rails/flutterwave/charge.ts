import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { AMOUNT_MINOR_MAX, parseMoney, type Money } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { Channel, Delivery, Parsed, Payer, QuarantineReason, Report, Verdict } from "../rail.ts";

/** Why something of Flutterwave's cannot be used. */
export class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  constructor(reason: QuarantineReason, detail: string, field?: string) {
    super(detail);
    this.reason = reason;
    this.field = field;
  }
}

/** PostgreSQL keeps no NUL in text. Numbers arrive as they were written, see `readExact`. */
const text = z
  .string()
  .min(1)
  .max(200)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), "has characters that are no text");

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
  const digest = (value: string): Uint8Array => createHash("sha256").update(value).digest();
  const given = delivery.headers["verif-hash"];
  return given !== undefined && timingSafeEqual(digest(given), digest(verifHash))
    ? { trust: "secret" }
    : { trust: "refused", reason: "signature_invalid", detail: "The verif-hash header is not our secret hash." };
}

/** A webhook of Flutterwave's version 3. Pure in the delivery. */
export function parseFlutterwaveEvent(delivery: Delivery, channel: Channel): Parsed {
  let providerId: string | undefined;
  try {
    const { event: name, data } = readAs(event, readExact(delivery.raw));
    if (OTHER_EVENTS.includes(name)) return { ok: true, reports: [] };
    if (name !== "charge.completed")
      throw new Unusable("status_unknown", "Flutterwave does not document this event.", "event");
    if (typeof data["id"] === "string" && /^\d{1,20}$/.test(data["id"])) providerId = referenceOf(data["id"]);
    return { ok: true, reports: [chargeReport(data, channel)] };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId };
  }
}

/** What Flutterwave says of one transaction. `asked`: the account that our request was for. */
export function chargeReport(data: unknown, channel: Channel, asked?: { reference: string }): Report {
  const read = readAs(charge, data);
  const status = read.status.toLowerCase();
  const transactionStatus = status === "successful" ? "completed" : status === "failed" ? "failed" : "pending";
  const correlation = UUID.test(read.tx_ref) ? read.tx_ref.toLowerCase() : undefined;
  // A payment link that somebody made elsewhere carries a name of its own: an account, perhaps.
  const reference = asked?.reference ?? (correlation === undefined ? read.tx_ref : "");
  return {
    type: reference === "" ? "merchantpay" : "billpay",
    transactionStatus,
    transactionReference: referenceOf(read.id),
    correlation,
    originalTransactionReference: undefined,
    // What we asked for; `charged_amount` may hold a fee that the payer bore.
    amount: readAmount(read.amount, read.currency, channel),
    creditParty: channel.name,
    reference,
    payer: payerOf(read.customer),
    at: readTime(read.created_at),
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
export function refundReport(data: unknown, channel: Channel, asked?: { correlation: string }): Report {
  const read = readAs(refundedCharge, data);
  const written = /^\S{36}/.exec(read.comments ?? read.comment ?? "")?.[0];
  const correlation = asked?.correlation ?? (UUID.test(written ?? "") ? written?.toLowerCase() : undefined);
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
    amount: readAmount(read.amount_refunded, channel.currency, channel),
    creditParty: channel.name,
    reference: "",
    payer: { phone: undefined, hash: undefined, name: undefined },
    at: readTime(read.created_at),
    statusReason: isOver ? undefined : read.status,
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The number by which a transaction is verified, refunded and listed. `flw_ref` differs from channel to channel, holds
 * the merchant's name, and no enquiry takes it.
 */
export const referenceOf = (id: string): string => `FLW-${id}`;
export const idOf = (reference: string | undefined): string | undefined =>
  /^FLW-(\d{1,20})$/.exec(reference ?? "")?.[1];

/** Reads by a schema; the first wrong field is the one that is told. */
export function readAs<Read>(schema: z.ZodType<Read>, value: unknown): Read {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const field = read.error.issues[0]?.path.join(".") ?? "";
  if (field === "") throw new Unusable("malformed", "This is not the object that Flutterwave documents.");
  throw new Unusable("wrong_type", `${field} is missing or of another type.`, field);
}

/** JSON in which every number is the text it was written as: Flutterwave writes amounts as numbers, and a float is no money. */
export function readExact(raw: Uint8Array): unknown {
  try {
    return JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(raw),
      (_key, value: unknown, context?: { readonly source?: string }) =>
        typeof value === "number" ? (context?.source ?? String(value)) : value,
    );
  } catch {
    throw new Unusable("malformed", "The body is not JSON in UTF-8.");
  }
}

export function readAmount(written: string, currency: string, channel: Channel): Money {
  if (currency !== channel.currency)
    throw new Unusable("currency_unexpected", `The currency is not ${channel.currency}.`, "currency");
  try {
    const amount = parseMoney(written, channel.currency);
    if (amount.minor === 0n) throw new Unusable("amount_invalid", "The amount is zero.", "amount");
    if (amount.minor > AMOUNT_MINOR_MAX)
      throw new Unusable("amount_invalid", "Larger than any rail carries.", "amount");
    return amount;
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message, "amount");
    throw error;
  }
}

/** When the payment was begun: Flutterwave tells no other moment. */
function readTime(written: string | null | undefined): Date | undefined {
  if (written === undefined || written === null) return undefined;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(written) ? Date.parse(written) : NaN;
  if (Number.isNaN(at)) throw new Unusable("time_invalid", "created_at is no moment in UTC.", "created_at");
  return new Date(at);
}

/** The number as the payer or we gave it; only a whole one with its country code names somebody. */
function payerOf(customer: z.infer<typeof charge>["customer"]): Payer {
  const digits = /^\+?([1-9]\d{10,14})$/.exec(customer?.phone_number?.trim() ?? "")?.[1];
  const name = customer?.name
    ?.replace(/\p{Cc}/gu, " ")
    .trim()
    .toWellFormed()
    .slice(0, 200);
  return {
    phone: digits === undefined ? undefined : `+${digits}`,
    hash: digits === undefined ? undefined : createHash("sha256").update(digits).digest(),
    name: name === "" ? undefined : name,
  };
}
