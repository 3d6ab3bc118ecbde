import type { Money } from "../../../kernel/money.ts";
import type { Channel, Parsed, Payer, Report } from "../rail.ts";
import {
  findText as findKeepable,
  isObject,
  readReport,
  readText as readKeepable,
  requireObject,
  textAt as keepableAt,
  Unusable,
  wordsOf,
  type Body,
  type Noted,
} from "../reading.ts";
import {
  digitsOf,
  NOBODY,
  payerWith,
  readAmount,
  readMoment,
  readReference,
  requireCurrency,
} from "../report-values.ts";
import type { GsmaSettings } from "./settings.ts";

export interface Terms {
  readonly channel: Channel;
  readonly account: GsmaSettings["account"];
  /** When it came, so that reading is pure. */
  readonly now: Date;
  /** Our name of the request that it answers; the transaction itself does not carry it. */
  readonly correlation: string | undefined;
}

/** The specification's own limit. */
const TEXT_MAX = 256;
const TYPES: ReadonlySet<string> = new Set<Report["type"]>([
  "billpay",
  "merchantpay",
  "transfer",
  "reversal",
  "disbursement",
]);
/** What comes in: these must be for our account. */
const INCOMING: ReadonlySet<string> = new Set<Report["type"]>(["billpay", "merchantpay", "transfer"]);

/**
 * Reads a transaction object of the Mobile Money API 1.2, as callbacks, enquiries and lists show it. Pure. What cannot be
 * read exactly comes back with a reason.
 */
export const readTransaction = (value: unknown, terms: Terms): Parsed =>
  readReport((noted) => transactionReport(value, terms, noted));

/** As `readTransaction`; throws `Unusable`. */
export function transactionReport(value: unknown, terms: Terms, noted: Noted = { providerId: undefined }): Report {
  const body = requireObject(value, "The body");
  const transactionReference = findReference(body, "transactionReference");
  noted.providerId = transactionReference;
  const transactionStatus = readStatus(body);
  const isOver = transactionStatus === "completed";
  if (isOver && transactionReference === undefined)
    throw new Unusable("wrong_type", "transactionReference is missing.", "transactionReference");
  const type = readText(body, "type");
  if (!isType(type)) throw new Unusable("malformed", "type is none that money comes or goes by here.", "type");
  const original = findReference(body, "originalTransactionReference");
  if (type === "reversal" && isOver && original === undefined)
    throw new Unusable("malformed", "A reversal does not say of what.", "originalTransactionReference");
  if (INCOMING.has(type) && !isCreditedTo(body, terms.account))
    throw new Unusable("shortcode_unknown", "creditParty is not our account.", "creditParty");
  return {
    type,
    transactionStatus,
    transactionReference,
    correlation: terms.correlation,
    originalTransactionReference: original,
    amount: amountIn(body, { isOver, channel: terms.channel }),
    creditParty: terms.account.value,
    reference: findText(body, "requestingOrganisationTransactionReference") ?? "",
    payer: payerOf(body, INCOMING.has(type) ? "debitParty" : "creditParty"),
    at: timeIn(body, terms),
    statusReason: isOver ? undefined : (readReason(body) ?? textAt(body, ["transactionStatus"])),
  };
}

/** A request that came to nothing has no transaction: only the reason why, and our own name of it. */
export function failedReport(type: Report["type"], terms: Terms, statusReason: string | undefined): Report {
  return { ...emptyReport(type, terms), transactionStatus: "failed", statusReason };
}

export function pendingReport(type: Report["type"], terms: Terms, statusReason: string | undefined): Report {
  return { ...emptyReport(type, terms), transactionStatus: "pending", statusReason };
}

function emptyReport(type: Report["type"], { correlation, account }: Terms) {
  return {
    type,
    transactionReference: undefined,
    correlation,
    originalTransactionReference: undefined,
    amount: undefined,
    creditParty: account.value,
    reference: "",
    payer: NOBODY,
    at: undefined,
  };
}

/** Callbacks of failure carry an error object in place of the transaction. */
export const isErrorObject = (value: unknown): boolean =>
  isObject(value) && "errorCode" in value && !("transactionStatus" in value);

/** Code and words of an error object, also inside a request state. */
export const readReason = (value: unknown): string | undefined =>
  wordsOf(
    textAt(value, ["errorCode"]),
    textAt(value, ["errorDescription"]),
    textAt(value, ["error", "errorCode"]),
    textAt(value, ["error", "errorDescription"]),
  );

export const textAt = (value: unknown, path: readonly string[]): string | undefined =>
  keepableAt(value, path, TEXT_MAX);
const readText = (body: Body, field: string): string => readKeepable(body, field, TEXT_MAX);
const findText = (body: Body, field: string): string | undefined => findKeepable(body, field, TEXT_MAX);
const isType = (text: string): text is Report["type"] => TYPES.has(text);

/** The specification leaves the word to providers: what is not one of its two ends is not over. */
function readStatus(body: Body): Report["transactionStatus"] {
  const word = readText(body, "transactionStatus");
  return word === "completed" || word === "failed" ? word : "pending";
}

function findReference(body: Body, field: string): string | undefined {
  const text = findText(body, field);
  return text === undefined ? undefined : readReference(text, field);
}

function amountIn(body: Body, { isOver, channel }: { isOver: boolean; channel: Channel }): Money | undefined {
  const text = isOver ? readText(body, "amount") : findText(body, "amount");
  if (text === undefined) return undefined;
  requireCurrency(body["currency"], channel.currency);
  return readAmount(text, channel.currency, "amount");
}

/** Providers mostly leave the offset away, and mean the clock on their wall. */
function timeIn(body: Body, { channel, now }: Terms): Date | undefined {
  const text = findText(body, "creationDate");
  return text === undefined ? undefined : readMoment(text, { field: "creationDate", zone: channel.zone, now });
}

/** A party is a list of its names, each with its kind. */
function partiesIn(body: Body, field: "debitParty" | "creditParty") {
  const list: unknown = body[field];
  return (Array.isArray(list) ? (list as readonly unknown[]) : []).flatMap((entry) => {
    const key = textAt(entry, ["key"]);
    const value = textAt(entry, ["value"]);
    return key === undefined || value === undefined ? [] : [{ key: key.toLowerCase(), value }];
  });
}

const isCreditedTo = (body: Body, account: GsmaSettings["account"]): boolean =>
  partiesIn(body, "creditParty").some(({ key, value }) => key === account.key && value === account.value);

function payerOf(body: Body, field: "debitParty" | "creditParty"): Payer {
  const number = partiesIn(body, field).find(({ key }) => key === "msisdn")?.value ?? "";
  return payerWith(digitsOf(number), textAt(body, ["senderKyc", "subjectName", "fullName"]));
}
