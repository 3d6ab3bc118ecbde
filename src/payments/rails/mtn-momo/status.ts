import type { Channel, Parsed, Payer, Report } from "../rail.ts";
import { findText, isObject, printable, readObject, readReport, Unusable, type Body } from "../reading.ts";
import { digitsOf, NOBODY, payerWith, readAmount, requireCurrency } from "../report-values.ts";
import type { Money } from "../../../kernel/money.ts";

export interface StatusTerms {
  readonly channel: Channel;
  readonly creditParty: string;
  /** The X-Reference-Id, which the body does not repeat. */
  readonly correlation: string;
  readonly subject: "payment" | "disbursement";
}

/** MTN's own words for "not over yet"; some markets put them into the reason beside a final looking status. */
const WAITING = new Set(["PENDING", "CREATED", "ONGOING", "DELAYED", "PAYEE_DELAYED"]);

/**
 * Reads the body that MTN posts to us and answers an enquiry with: they are the same. It carries no time. Pure; what
 * cannot be read exactly comes back with a reason.
 */
export const parseStatus = (raw: Uint8Array, terms: StatusTerms): Parsed =>
  readReport((noted) => {
    const body = readObject(raw);
    noted.providerId = readTransactionId(body);
    return reportOf(body, terms, noted.providerId);
  });

function reportOf(
  body: Body,
  { channel, creditParty, correlation, subject }: StatusTerms,
  transactionReference: string | undefined,
): Report {
  const reason = readReason(body["reason"]);
  const transactionStatus = readStatus(body["status"], reason?.code);
  const amount = findAmount(body, channel);
  const reference = findTrimmed(body, "externalId") ?? "";
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
    payer: subject === "payment" ? readPayer(body["payer"]) : NOBODY,
    at: undefined,
    statusReason: reason?.text,
  };
}

/** MTN's texts may have spaces around them. */
const findTrimmed = (body: Body, field: string): string | undefined => findText(body, field)?.trim();

function readTransactionId(body: Body): string | undefined {
  const id = findTrimmed(body, "financialTransactionId");
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

function findAmount(body: Body, { currency }: Channel): Money | undefined {
  const text = findTrimmed(body, "amount");
  const said = findTrimmed(body, "currency");
  // An amount without its currency is none.
  if (text !== undefined || said !== undefined) requireCurrency(said, currency);
  return text === undefined ? undefined : readAmount(text, currency, "amount");
}

/** A plain code in some markets and versions, `{code, message}` in others. */
function readReason(value: unknown): { readonly code: string; readonly text: string } | undefined {
  const said = isObject(value) ? [value["code"], value["message"]] : [value];
  const parts = said.filter((part) => typeof part === "string").map(printable);
  const [code] = parts;
  if (code === undefined || code === "") return undefined;
  return { code: code.toUpperCase(), text: parts.filter((part) => part !== "").join(": ") };
}

function readPayer(value: unknown): Payer {
  const id = isObject(value) && value["partyIdType"] === "MSISDN" ? value["partyId"] : undefined;
  const text = typeof id === "number" ? String(id) : typeof id === "string" ? id : "";
  return payerWith(digitsOf(text));
}
