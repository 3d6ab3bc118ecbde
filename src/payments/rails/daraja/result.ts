import type { Parsed, Payer, Report } from "../rail.ts";
import { readResultCode, reasonOf, RECEIPT_UNKNOWN, refuseUnknownCode } from "./codes.ts";
import { readConversation, type Conversation } from "./conversation.ts";
import { findText, isObject, readObject, readReport, requireObject, Unusable, type Body } from "../reading.ts";
import { NOBODY } from "../report-values.ts";
import {
  asList,
  isShortcode,
  parseParty,
  payerOf,
  amountIn,
  readReceipt,
  timeIn,
  saysOrganisation,
  type DarajaTerms,
  type Party,
} from "./fields.ts";

export interface ResultTerms extends DarajaTerms {
  /** The last part of the address that the delivery came to. */
  readonly parameter: string | undefined;
  /** Our number that a result without parties is about: it pays out, and takes back what is reversed. */
  readonly ownParty: string;
}

/** Values by key, in their order: M-Pesa's own sample has DebitPartyName twice, and keys without any value. */
type Values = ReadonlyMap<string, readonly (string | number)[]>;

/**
 * Reads the body that M-Pesa posts to a ResultURL after a reversal, a pay-out or a transaction status query. What it is
 * about stands in its keys; where it has none (failures), in the address that we gave out for it.
 */
export function parseResult(raw: Uint8Array, terms: ResultTerms): Parsed {
  return readReport((noted) => {
    const result = requireObject(readObject(raw)["Result"], "Result");
    const conversation = readConversation(terms.parameter);
    const { code, verdict } = readResultCode(result);
    if (verdict === "unknown") return refuseUnknownCode(code);
    if (verdict !== "success") {
      const waiting = conversationReport(conversation ?? guessConversation(result, code), terms);
      // A query that failed says nothing about the money it asked for, unless it says that there is no such payment.
      const saysNo = conversation?.about === "payment" && code === RECEIPT_UNKNOWN;
      const isOver = verdict === "failed" && (conversation?.isEnquiry !== true || saysNo);
      return { ...waiting, transactionStatus: isOver ? "failed" : "pending", statusReason: reasonOf(result, code) };
    }
    const values = readValues(result);
    noted.providerId = receiptOf(result, values);
    if (values.has("ReceiptNo") || values.has("TransactionStatus")) return readStatus(values, conversation, terms);
    if (values.has("OriginalTransactionID")) return readReversal(result, values, { conversation, terms });
    if (values.has("TransactionReceipt") || values.has("TransactionAmount"))
      return readPayout(result, values, { conversation, terms });
    return readBare(result, conversation, terms);
  });
}

/**
 * What comes to a QueueTimeOutURL: the request waited too long in M-Pesa's queue and was, probably, not carried out. Its
 * body is not documented, so the address alone counts, and nothing is certain.
 */
export function parseTimeout(terms: ResultTerms): Parsed {
  return readReport(() => {
    const conversation = readConversation(terms.parameter);
    if (conversation === undefined)
      throw new Unusable("malformed", "The address does not say which request waited too long.");
    return { ...conversationReport(conversation, terms), statusReason: "M-Pesa's queue was too long; not certain." };
  });
}

function conversationReport(conversation: Conversation, terms: ResultTerms): Report {
  const isPayment = conversation.about === "payment";
  return {
    type: isPayment ? "billpay" : conversation.about === "b2c" ? "disbursement" : "reversal",
    transactionStatus: "pending",
    transactionReference: undefined,
    correlation: conversation.correlation,
    originalTransactionReference: undefined,
    amount: undefined,
    creditParty: terms.ownParty,
    reference: "",
    payer: NOBODY,
    at: undefined,
    statusReason: undefined,
  };
}

/** Without an address of ours a failure names nothing; only reversals fail with an R. */
function guessConversation(result: Body, code: string): Conversation {
  const correlation = findText(result, "OriginatorConversationID");
  if (correlation === undefined || !code.startsWith("R"))
    throw new Unusable("malformed", "Neither the address nor the body says what failed.");
  return { about: "reversal", isEnquiry: false, correlation };
}

function readValues(result: Body): Values {
  const parameters = result["ResultParameters"];
  const values = new Map<string, (string | number)[]>();
  for (const entry of isObject(parameters) ? asList(parameters["ResultParameter"]) : []) {
    if (!isObject(entry) || typeof entry["Key"] !== "string") continue;
    // "Conversation ID" and "ConversationID" are both written.
    const key = entry["Key"].replaceAll(" ", "");
    const held = values.get(key) ?? [];
    const value = entry["Value"];
    if ((typeof value === "string" && value !== "") || typeof value === "number") held.push(value);
    values.set(key, held);
  }
  return values;
}

const first = (values: Values): Body => Object.fromEntries([...values].map(([key, [value]]) => [key, value]));

function readReversal(
  result: Body,
  values: Values,
  { conversation, terms }: { conversation: Conversation | undefined; terms: ResultTerms },
): Report {
  const fields = first(values);
  const credit = partyOf(values, "CreditPartyPublicName", 0);
  return {
    type: "reversal",
    transactionStatus: "completed",
    transactionReference: readReceipt(result, "TransactionID"),
    correlation: correlationOf(conversation) ?? findText(result, "OriginatorConversationID"),
    originalTransactionReference: readReceipt(fields, "OriginalTransactionID"),
    amount: amountIn(fields, "Amount", terms.currency),
    creditParty: requireOurs([partyOf(values, "DebitPartyPublicName", 0)], terms),
    reference: "",
    payer: payerOfParty(credit),
    at: timeOf(fields, "TransCompletedTime", terms),
    statusReason: undefined,
  };
}

function readPayout(
  result: Body,
  values: Values,
  { conversation, terms }: { conversation: Conversation | undefined; terms: ResultTerms },
): Report {
  const fields = first(values);
  const receipt = findText(fields, "TransactionReceipt");
  return {
    type: "disbursement",
    transactionStatus: "completed",
    transactionReference:
      receipt === undefined ? readReceipt(result, "TransactionID") : readReceipt(fields, "TransactionReceipt"),
    correlation: correlationOf(conversation) ?? findText(result, "OriginatorConversationID"),
    originalTransactionReference: undefined,
    amount: amountIn(fields, "TransactionAmount", terms.currency),
    creditParty: terms.ownParty,
    reference: "",
    payer: payerOfParty(partyOf(values, "ReceiverPartyPublicName", 0)),
    at: timeOf(fields, "TransactionCompletedDateTime", terms),
    statusReason: undefined,
  };
}

function readStatus(values: Values, conversation: Conversation | undefined, terms: ResultTerms): Report {
  const fields = first(values);
  const debit = partyOf(values, "DebitPartyName", 0);
  // The documented sample writes DebitPartyName twice; the second is the credited party.
  const credit = partyOf(values, "CreditPartyName", 0) ?? partyOf(values, "DebitPartyName", 1);
  const words = findText(fields, "TransactionStatus") ?? "";
  const type = typeOfStatus(`${findText(fields, "ReasonType") ?? ""}`, conversation, debit);
  const isOut = type === "disbursement" || type === "reversal";
  const transactionStatus = statusOf(words);
  return {
    type,
    transactionStatus,
    transactionReference: readReceipt(fields, "ReceiptNo"),
    correlation: correlationOf(conversation),
    originalTransactionReference: undefined,
    amount: amountIn(fields, "Amount", terms.currency),
    creditParty: requireOurs(isOut ? [debit] : [credit], terms, conversation),
    reference: "",
    payer: payerOfParty(isOut ? credit : debit),
    at: timeOf(fields, "FinalisedTime", terms),
    statusReason: transactionStatus === "completed" ? undefined : words || "M-Pesa gave no status.",
  };
}

/** Old results say success and nothing else: the address tells which request was carried out. */
function readBare(result: Body, conversation: Conversation | undefined, terms: ResultTerms): Report {
  if (conversation === undefined || conversation.isEnquiry)
    throw new Unusable("malformed", "The result says success and does not say of what.");
  return {
    ...conversationReport(conversation, terms),
    transactionStatus: "completed",
    transactionReference: readReceipt(result, "TransactionID"),
  };
}

function typeOfStatus(
  reason: string,
  conversation: Conversation | undefined,
  debit: Party | undefined,
): Report["type"] {
  if (conversation?.about === "b2c") return "disbursement";
  if (conversation?.about === "reversal" || /revers/i.test(reason)) return "reversal";
  if (/business payment|salary|promotion|b2c/i.test(reason)) return "disbursement";
  if (saysOrganisation(reason) || (debit !== undefined && isShortcode(debit.number))) return "transfer";
  return /merchant|buy ?goods|till/i.test(reason) ? "merchantpay" : "billpay";
}

/** Words that are not known to be an end leave it open: an enquiry is asked again, money is not. */
function statusOf(words: string): Report["transactionStatus"] {
  if (/^completed$/i.test(words.trim())) return "completed";
  return /^(cancelled|canceled|declined|expired|failed|rejected)$/i.test(words.trim()) ? "failed" : "pending";
}

const correlationOf = (conversation: Conversation | undefined): string | undefined => conversation?.correlation;

function partyOf(values: Values, key: string, index: number): Party | undefined {
  const text = values.get(key)?.[index];
  return text === undefined ? undefined : parseParty(String(text));
}

const payerOfParty = (party: Party | undefined): Payer =>
  party === undefined ? NOBODY : payerOf(party.number, [party.name]);

/** Money that moved at somebody else's number is not ours to book, whoever tells of it. */
function requireOurs(parties: readonly (Party | undefined)[], terms: ResultTerms, conversation?: Conversation): string {
  const named = parties.flatMap((party) => (party === undefined || party.number === "" ? [] : [party.number]));
  const ours = named.find((number) => terms.shortcodes.has(number) || number === terms.ownParty);
  if (ours !== undefined) return ours;
  if (named.length === 0 && conversation?.about !== "payment") return terms.ownParty;
  throw new Unusable("shortcode_unknown", "None of the parties of this transaction is a shortcode of ours.");
}

function timeOf(fields: Body, field: string, terms: ResultTerms): Date | undefined {
  return findText(fields, field) === undefined ? undefined : timeIn(fields, field, terms);
}

function receiptOf(result: Body, values: Values): string | undefined {
  for (const value of [values.get("ReceiptNo")?.[0], values.get("TransactionReceipt")?.[0], result["TransactionID"]]) {
    if (typeof value === "string" && /^[A-Za-z0-9]{6,32}$/.test(value)) return value.toUpperCase();
  }
  return undefined;
}
