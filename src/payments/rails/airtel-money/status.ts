import type { Parsed, Report } from "../rail.ts";
import {
  findText as findKeepable,
  findJson,
  isObject,
  objectOrEmpty,
  printable,
  readObject,
  readReport,
  requireObject,
  Unusable,
  wordsOf,
  type Body,
} from "../reading.ts";
import { NOBODY } from "../report-values.ts";
import { meaningOf, type CodeMeaning } from "./codes.ts";

const UUID_WITHOUT_DASHES = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i;

/** "Success", "failed", "in progress", "ambiguous", "expired", "reversed", in Airtel's letters. */
const STATES = {
  TS: "completed",
  TF: "failed",
  TE: "failed",
  TIP: "pending",
  TA: "pending",
  TR: "reversed",
} as const;
type State = (typeof STATES)[keyof typeof STATES];

/** Dashes are not letters or digits, and some markets take nothing else in `transaction.id`. */
export function transactionIdOf(correlation: string): string {
  return correlation.replaceAll("-", "");
}

/** Back again. What is not one of ours stays as it came. */
export function correlationOf(transactionId: string): string {
  const parts = UUID_WITHOUT_DASHES.exec(transactionId);
  return parts === null ? transactionId : parts.slice(1).join("-").toLowerCase();
}

/** Reads a callback: our name, a state, and of a success Airtel's name. Nothing else comes with it. Pure. */
export const parseCallback = (raw: Uint8Array, creditParty: string): Parsed =>
  readReport((noted) => {
    const transaction = requireObject(readObject(raw)["transaction"], "transaction");
    const airtelId = readAirtelId(transaction);
    noted.providerId = airtelId;
    const id = findText(transaction, "id");
    if (id === undefined || id === "") throw new Unusable("intent_unknown", "The transaction has no id.", "id");
    const state = stateOf(findText(transaction, "status_code"));
    if (state === undefined)
      throw new Unusable("status_unknown", "The status is none that Airtel documents.", "status_code");
    const report = reportOf(state, {
      creditParty,
      correlation: correlationOf(id),
      reference: "",
      airtelId,
      statusReason: wordsOf(transaction["status_code"], transaction["message"]),
    });
    if (report === undefined)
      throw new Unusable("malformed", "A success or a reversal has no airtel_money_id.", "airtel_money_id");
    return report;
  });

export interface Envelope {
  /** Of both layers together. */
  readonly meaning: CodeMeaning;
  /** Of the product's code alone: it is about the money, the others may be about the question. */
  readonly productMeaning: CodeMeaning | undefined;
  /** Codes and words, for people. */
  readonly said: string;
  readonly transaction: Body;
}

/** Reads what Airtel answers to anything: `{data: {transaction}, status: {…codes}}`. Undefined when it is no JSON. */
export function readEnvelope(raw: Uint8Array): Envelope | undefined {
  const body = findJson(raw);
  if (!isObject(body)) return undefined;
  const status = objectOrEmpty(body["status"]);
  const text = (value: unknown): string | undefined =>
    typeof value === "string" || typeof value === "number" ? printable(String(value)) || undefined : undefined;
  // Gateway errors come flat; some markets put the product's code into `code`, where others have "200".
  const general = [text(status["code"]), text(body["status_code"])].find(
    (code) => code !== undefined && /\D/.test(code),
  );
  const product = text(status["response_code"])?.toUpperCase() ?? (general?.startsWith("DP") ? general : undefined);
  const bus = text(status["result_code"])?.toUpperCase() ?? (general?.startsWith("DP") ? undefined : general);
  const words = text(status["message"]) ?? text(body["status_message"]);
  return {
    meaning: meaningOf({ product, bus }),
    productMeaning: product === undefined ? undefined : meaningOf({ product, bus: undefined }),
    said: [product, bus, words].filter((part) => part !== undefined).join(" "),
    transaction: objectOrEmpty(objectOrEmpty(body["data"])["transaction"]),
  };
}

export interface StatusTerms {
  readonly creditParty: string;
  readonly correlation: string;
  readonly reference: string;
  readonly subject: "payment" | "disbursement";
  /** Airtel's name of it, where an earlier answer told it. */
  readonly airtelIdKnown: string | undefined;
}

/** The answer to an enquiry: a report, or why there is none. */
export type StatusRead =
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "not_found"; readonly reason: string }
  | { readonly kind: "unreadable"; readonly reason: string };

export function readStatusAnswer(raw: Uint8Array, terms: StatusTerms): StatusRead {
  const envelope = readEnvelope(raw);
  if (envelope === undefined) return { kind: "unreadable", reason: "The answer is not JSON." };
  const { transaction, meaning, productMeaning, said } = envelope;
  try {
    const id = findText(transaction, "id");
    if (id !== undefined && transactionIdOf(id).toLowerCase() !== transactionIdOf(terms.correlation).toLowerCase())
      return { kind: "unreadable", reason: "The answer is about another transaction." };
    const letters = findText(transaction, "status");
    const state = letters === undefined || letters === "" ? stateMeant(productMeaning) : stateOf(letters);
    if (state === undefined) {
      if (meaning === "not_found") return { kind: "not_found", reason: said };
      return { kind: "unreadable", reason: said === "" ? "The answer has no status." : said };
    }
    const airtelId = readAirtelId(transaction) ?? payoutId(transaction, terms) ?? terms.airtelIdKnown;
    const statusReason = wordsOf(letters, transaction["message"]) ?? (said === "" ? undefined : said);
    // A payout that came back has not reached anybody.
    const ended = state === "reversed" && terms.subject === "disbursement" ? "failed" : state;
    const report = reportOf(ended, { ...terms, airtelId, statusReason });
    if (report === undefined) return { kind: "unreadable", reason: "A success has no airtel_money_id." };
    return { kind: "report", report };
  } catch (error) {
    if (error instanceof Unusable) return { kind: "unreadable", reason: error.message };
    throw error;
  }
}

/** An answer without letters: the product's refusal is final, what it says waits, and a success must be told in letters. */
function stateMeant(meaning: CodeMeaning | undefined): State | undefined {
  if (meaning === "refused") return "failed";
  return meaning === "in_progress" || meaning === "unclear" ? "pending" : undefined;
}

/** Disbursement answers of older versions have no airtel_money_id; our own name is unique at Airtel too. */
function payoutId(transaction: Body, { subject, correlation }: StatusTerms): string | undefined {
  if (subject !== "disbursement") return undefined;
  const reference = findText(transaction, "reference_id");
  return (reference === undefined || reference === "" ? transactionIdOf(correlation) : reference).toUpperCase();
}

function reportOf(
  state: State,
  told: {
    readonly creditParty: string;
    readonly correlation: string;
    readonly reference: string;
    readonly subject?: "payment" | "disbursement";
    readonly airtelId: string | undefined;
    readonly statusReason: string | undefined;
  },
): Report | undefined {
  const { airtelId, creditParty, correlation, reference, statusReason } = told;
  if (airtelId === undefined && (state === "completed" || state === "reversed")) return undefined;
  const isReversal = state === "reversed";
  const incoming = reference === "" ? "merchantpay" : "billpay";
  return {
    type: isReversal ? "reversal" : told.subject === "disbursement" ? "disbursement" : incoming,
    transactionStatus: isReversal ? "completed" : state,
    // Airtel gives a reversal no name of its own. An unfinished transaction has none that could be booked.
    transactionReference: isReversal ? `TR-${airtelId}` : state === "completed" ? airtelId : undefined,
    correlation,
    originalTransactionReference: isReversal ? airtelId : undefined,
    amount: undefined,
    creditParty,
    reference,
    payer: NOBODY,
    at: undefined,
    statusReason: state === "completed" ? undefined : statusReason,
  };
}

function stateOf(letters: string | undefined): State | undefined {
  const known = letters?.trim().toUpperCase() ?? "";
  return Object.hasOwn(STATES, known) ? STATES[known as keyof typeof STATES] : undefined;
}

function readAirtelId(transaction: Body): string | undefined {
  const id = findText(transaction, "airtel_money_id");
  if (id === undefined || id === "") return undefined;
  if (!/^[A-Za-z0-9._-]{4,64}$/.test(id))
    throw new Unusable("malformed", "airtel_money_id is not 4 to 64 letters and digits.", "airtel_money_id");
  return id.toUpperCase();
}

/** Airtel's own samples show `false` where there is no value. */
const findText = (body: Body, field: string): string | undefined =>
  body[field] === false ? undefined : findKeepable(body, field)?.trim();
