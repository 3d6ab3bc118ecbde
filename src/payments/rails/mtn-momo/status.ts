import { createHash } from "node:crypto";
import { AMOUNT_MINOR_MAX, parseMoney, type Money } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { Channel, Parsed, Payer, QuarantineReason, Report } from "../rail.ts";

export interface StatusTerms {
  readonly channel: Channel;
  readonly creditParty: string;
  /** The X-Reference-Id, which the body does not repeat. */
  readonly correlation: string;
  readonly subject: "payment" | "disbursement";
}

const TEXT_MAX = 200;
const CONTROL = /\p{Cc}/u;
/** MTN's own words for "not over yet"; some markets put them into the reason beside a final looking status. */
const WAITING = new Set(["PENDING", "CREATED", "ONGOING", "DELAYED", "PAYEE_DELAYED"]);

class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  constructor(reason: QuarantineReason, detail: string, field?: string) {
    super(detail);
    this.reason = reason;
    this.field = field;
  }
}

/**
 * Reads the body that MTN posts to us and answers an enquiry with: they are the same. It carries no time. Pure; what
 * cannot be read exactly comes back with a reason.
 */
export function parseStatus(raw: Uint8Array, terms: StatusTerms): Parsed {
  let providerId: string | undefined;
  try {
    const body = readObject(raw);
    providerId = readTransactionId(body);
    return { ok: true, reports: [readReport(body, terms, providerId)] };
  } catch (error) {
    if (error instanceof Unusable)
      return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId };
    throw error;
  }
}

function readReport(
  body: Record<string, unknown>,
  { channel, creditParty, correlation, subject }: StatusTerms,
  transactionReference: string | undefined,
): Report {
  const reason = readReason(body["reason"]);
  const transactionStatus = readStatus(body["status"], reason?.code);
  const amount = readAmount(body, channel);
  const reference = readOptionalText(body, "externalId") ?? "";
  if (transactionStatus === "completed") {
    if (transactionReference === undefined)
      throw new Unusable("malformed", "A successful payment has no financialTransactionId.", "financialTransactionId");
    if (amount === undefined) throw new Unusable("amount_invalid", "A successful payment has no amount.", "amount");
  }
  return {
    type: subject === "disbursement" ? "disbursement" : reference === "" ? "merchantpay" : "billpay",
    transactionStatus,
    transactionReference,
    correlation,
    originalTransactionReference: undefined,
    amount,
    creditParty,
    reference,
    payer: subject === "payment" ? readPayer(body["payer"]) : { phone: undefined, hash: undefined, name: undefined },
    at: undefined,
    statusReason: reason?.text,
  };
}

function readObject(raw: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    // The parser's own message quotes the body: payers' numbers, and characters that the database cannot keep.
    throw new Unusable("malformed", "The body is not JSON in UTF-8.");
  }
  if (!isObject(value)) throw new Unusable("malformed", "The body is not a JSON object.");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Text or a whole or plain number: markets differ in which they send. */
function readOptionalText(body: Record<string, unknown>, field: string): string | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" && typeof value !== "number")
    throw new Unusable("wrong_type", `${field} is neither text nor a number.`, field);
  const text = String(value).trim();
  if (text.length > TEXT_MAX || !text.isWellFormed() || CONTROL.test(text)) {
    throw new Unusable(
      "wrong_type",
      `${field} is longer than ${TEXT_MAX} characters or has characters that are no text.`,
      field,
    );
  }
  return text;
}

function readTransactionId(body: Record<string, unknown>): string | undefined {
  const id = readOptionalText(body, "financialTransactionId");
  if (id === undefined || id === "") return undefined;
  // A number beyond 2^53 has lost its last digits on the way through JSON: it names another transaction.
  if (typeof body["financialTransactionId"] === "number" && !Number.isSafeInteger(body["financialTransactionId"]))
    throw new Unusable(
      "malformed",
      "financialTransactionId is a number too large to be exact.",
      "financialTransactionId",
    );
  if (!/^[A-Za-z0-9._-]{3,64}$/.test(id))
    throw new Unusable("malformed", "financialTransactionId is not 3 to 64 letters and digits.");
  return id.toUpperCase();
}

function readStatus(value: unknown, reasonCode: string | undefined): Report["transactionStatus"] {
  if (typeof value !== "string")
    throw new Unusable("wrong_type", `status is ${value === undefined ? "missing" : "not text"}.`, "status");
  const status = value.trim().toUpperCase();
  if (status === "SUCCESSFUL") return "completed";
  if (WAITING.has(status)) return "pending";
  if (status === "FAILED") return reasonCode !== undefined && WAITING.has(reasonCode) ? "pending" : "failed";
  throw new Unusable("status_unknown", "The status is none that MTN documents.", "status");
}

function readAmount(body: Record<string, unknown>, channel: Channel): Money | undefined {
  const text = readOptionalText(body, "amount");
  const currency = readOptionalText(body, "currency");
  if (currency !== undefined && currency !== channel.currency)
    throw new Unusable("currency_unexpected", `The currency is not ${channel.currency}.`, "currency");
  if (text === undefined) return undefined;
  if (currency === undefined)
    throw new Unusable("currency_unexpected", "An amount came without its currency.", "currency");
  try {
    const amount = parseMoney(text, channel.currency);
    if (amount.minor === 0n) throw new Unusable("amount_invalid", "The amount is zero.", "amount");
    if (amount.minor > AMOUNT_MINOR_MAX)
      throw new Unusable("amount_invalid", "The amount is larger than any rail carries.", "amount");
    return amount;
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message, "amount");
    throw error;
  }
}

/** A plain code in some markets and versions, `{code, message}` in others. */
function readReason(value: unknown): { readonly code: string; readonly text: string } | undefined {
  const said = isObject(value) ? [value["code"], value["message"]] : [value];
  const parts = said.filter((part) => typeof part === "string").map(printable);
  const [code] = parts;
  if (code === undefined || code === "") return undefined;
  return { code: code.toUpperCase(), text: parts.filter((part) => part !== "").join(": ") };
}

/** A provider's words as they may be kept and shown. */
export function printable(text: string): string {
  return text
    .replace(/\p{Cc}/gu, " ")
    .trim()
    .slice(0, TEXT_MAX)
    .toWellFormed();
}

function readPayer(value: unknown): Payer {
  const id = isObject(value) && value["partyIdType"] === "MSISDN" ? value["partyId"] : undefined;
  const text = typeof id === "number" ? String(id) : typeof id === "string" ? id.trim() : "";
  const digits = /^\+?([1-9]\d{8,14})$/.exec(text)?.[1];
  return {
    phone: digits === undefined ? undefined : `+${digits}`,
    hash: digits === undefined ? undefined : createHash("sha256").update(digits).digest(),
    name: undefined,
  };
}
