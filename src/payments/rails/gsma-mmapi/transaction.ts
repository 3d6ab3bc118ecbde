import { createHash } from "node:crypto";
import { Temporal } from "temporal-polyfill";
import { AMOUNT_MINOR_MAX, parseMoney, type Money } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { HOUR_MS, instantOf } from "../../../kernel/time.ts";
import type { Channel, Parsed, Payer, QuarantineReason, Report } from "../rail.ts";
import type { GsmaSettings } from "./settings.ts";

export interface Terms {
  readonly channel: Channel;
  readonly account: GsmaSettings["account"];
  /** When it came, so that reading is pure. */
  readonly now: Date;
  /** Our name of the request that it answers; the transaction itself does not carry it. */
  readonly correlation: string | undefined;
}

const FUTURE_MAX_MS = HOUR_MS;
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

type Body = Readonly<Record<string, unknown>>;

class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  constructor(reason: QuarantineReason, detail: string, field?: string) {
    super(detail);
    this.reason = reason;
    this.field = field;
  }
}

/** The JSON in a body; undefined where there is none. */
export function readJson(raw: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw)) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Reads a transaction object of the Mobile Money API 1.2, as callbacks, enquiries and lists show it. Pure. What cannot be
 * read exactly comes back with a reason.
 */
export function readTransaction(value: unknown, terms: Terms): Parsed {
  let providerId: string | undefined;
  try {
    if (!isObject(value)) throw new Unusable("malformed", "The body is not a JSON object in UTF-8.");
    const transactionReference = findText(value, "transactionReference")?.toUpperCase();
    providerId = transactionReference;
    const transactionStatus = readStatus(value);
    const isOver = transactionStatus === "completed";
    if (isOver && transactionReference === undefined)
      throw new Unusable("wrong_type", "transactionReference is missing.", "transactionReference");
    const type = readText(value, "type");
    if (!isType(type)) throw new Unusable("malformed", "type is none that money comes or goes by here.", "type");
    const original = findText(value, "originalTransactionReference")?.toUpperCase();
    if (type === "reversal" && isOver && original === undefined)
      throw new Unusable("malformed", "A reversal does not say of what.", "originalTransactionReference");
    if (INCOMING.has(type) && !isCreditedTo(value, terms.account))
      throw new Unusable("shortcode_unknown", "creditParty is not our account.", "creditParty");
    const report: Report = {
      type,
      transactionStatus,
      transactionReference,
      correlation: terms.correlation,
      originalTransactionReference: original,
      amount: readAmount(value, { isOver, channel: terms.channel }),
      creditParty: terms.account.value,
      reference: findText(value, "requestingOrganisationTransactionReference") ?? "",
      payer: payerOf(value, INCOMING.has(type) ? "debitParty" : "creditParty"),
      at: readTime(value, terms),
      statusReason: isOver ? undefined : (readReason(value) ?? textAt(value, ["transactionStatus"])),
    };
    return { ok: true, reports: [report] };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId };
  }
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
    payer: { phone: undefined, hash: undefined, name: undefined },
    at: undefined,
  };
}

/** Callbacks of failure carry an error object in place of the transaction. */
export const isErrorObject = (value: unknown): boolean =>
  isObject(value) && "errorCode" in value && !("transactionStatus" in value);

/** Code and words of an error object, also inside a request state. */
export function readReason(value: unknown): string | undefined {
  const words = [["errorCode"], ["errorDescription"], ["error", "errorCode"], ["error", "errorDescription"]];
  return (
    words
      .map((path) => textAt(value, path))
      .filter((word) => word !== undefined)
      .join(": ") || undefined
  );
}

export const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Text somewhere inside, where it is fit to be kept; else nothing. For what is good to have, not for what decides. */
export function textAt(value: unknown, path: readonly string[]): string | undefined {
  const found = path.reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);
  return typeof found === "string" && found !== "" && isKeepable(found) ? found : undefined;
}

const isKeepable = (text: string): boolean => text.length <= TEXT_MAX && text.isWellFormed() && !/\p{Cc}/u.test(text);
const isType = (text: string): text is Report["type"] => TYPES.has(text);

function readText(body: Body, field: string): string {
  const value = body[field];
  if ((typeof value !== "string" && typeof value !== "number") || !isKeepable(String(value)))
    throw new Unusable("wrong_type", `${field} is ${value === undefined ? "missing" : "not plain text"}.`, field);
  return String(value);
}

function findText(body: Body, field: string): string | undefined {
  const value = body[field];
  return value === undefined || value === null || value === "" ? undefined : readText(body, field);
}

/** The specification leaves the word to providers: what is not one of its two ends is not over. */
function readStatus(body: Body): Report["transactionStatus"] {
  const word = readText(body, "transactionStatus");
  return word === "completed" || word === "failed" ? word : "pending";
}

function readAmount(body: Body, { isOver, channel }: { isOver: boolean; channel: Channel }): Money | undefined {
  const text = isOver ? readText(body, "amount") : findText(body, "amount");
  if (text === undefined) return undefined;
  if (body["currency"] !== channel.currency)
    throw new Unusable("currency_unexpected", `currency is not ${channel.currency}.`, "currency");
  try {
    const amount = parseMoney(text, channel.currency);
    if (amount.minor > 0n && amount.minor <= AMOUNT_MINOR_MAX) return amount;
    throw new Unusable("amount_invalid", "amount is zero, or more than any rail carries.", "amount");
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message, "amount");
    throw error;
  }
}

/** Providers mostly leave the offset away, and mean the clock on their wall. */
function readTime(body: Body, { channel, now }: Terms): Date | undefined {
  const text = findText(body, "creationDate");
  if (text === undefined) return undefined;
  const [, date, time, offset] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:?\d\d)?$/.exec(text) ?? [];
  let at: Date;
  try {
    if (date === undefined || time === undefined) throw new RangeError("another form");
    at =
      offset === undefined
        ? instantOf({ date, time }, channel.zone)
        : new Date(Temporal.Instant.from(text).epochMilliseconds);
  } catch {
    throw new Unusable("time_invalid", "creationDate is no moment of the calendar.", "creationDate");
  }
  if (at.getTime() > now.getTime() + FUTURE_MAX_MS || at.getTime() < Date.UTC(2007, 0, 1))
    throw new Unusable("time_invalid", "creationDate lies in the future, or before mobile money.", "creationDate");
  return at;
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
  const digits = /^\+?([1-9]\d{8,14})$/.exec(number)?.[1];
  const name = textAt(body, ["senderKyc", "subjectName", "fullName"]);
  return digits === undefined
    ? { phone: undefined, hash: undefined, name }
    : { phone: `+${digits}`, hash: createHash("sha256").update(digits).digest(), name };
}
