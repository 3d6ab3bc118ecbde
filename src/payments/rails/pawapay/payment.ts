import { createHash } from "node:crypto";
import { Temporal } from "temporal-polyfill";
import { AMOUNT_MINOR_MAX, parseMoney, type Money } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { HOUR_MS } from "../../../kernel/time.ts";
import type { Channel, Parsed, Payer, QuarantineReason, Report } from "../rail.ts";

/** Where each kind of payment lives, and what its id is called. A refund names the deposit that it gives back as well. */
export const KINDS = { refunds: "refundId", payouts: "payoutId", deposits: "depositId" } as const;
export type Kind = keyof typeof KINDS;

export interface Terms {
  readonly channel: Channel;
  /** When it came, so that reading is pure. */
  readonly now: Date;
}

const FUTURE_MAX_MS = HOUR_MS;
const TEXT_MAX = 200;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const STATUS: Readonly<Record<string, Report["transactionStatus"]>> = {
  COMPLETED: "completed",
  FAILED: "failed",
  ACCEPTED: "pending",
  ENQUEUED: "pending",
  SUBMITTED: "pending",
  PROCESSING: "pending",
  // pawaPay itself does not know yet, and will.
  IN_RECONCILIATION: "pending",
};

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
 * Reads a deposit, payout or refund as pawaPay shows it in callbacks and status answers, of version 1 (`correspondent`,
 * `payer.address.value`, `depositedAmount`) or 2 (`payer.accountDetails`, `amount`). Pure. What cannot be read exactly
 * comes back with a reason.
 */
export function readPayment(value: unknown, terms: Terms): Parsed {
  let providerId: string | undefined;
  try {
    if (!isObject(value)) throw new Unusable("malformed", "The body is not a JSON object in UTF-8.");
    const kind = (Object.keys(KINDS) as Kind[]).find((name) => KINDS[name] in value);
    if (kind === undefined) throw new Unusable("malformed", "There is no depositId, payoutId or refundId.");
    const id = readId(value, KINDS[kind]);
    providerId = id.toUpperCase();
    const word = readText(value, "status");
    const transactionStatus = Object.hasOwn(STATUS, word) ? STATUS[word] : undefined;
    if (transactionStatus === undefined)
      throw new Unusable("status_unknown", "status is none that pawaPay documents.", "status");
    const isOver = transactionStatus === "completed";
    const report: Report = {
      type: kind === "deposits" ? "merchantpay" : "disbursement",
      transactionStatus,
      transactionReference: providerId,
      correlation: id.toLowerCase(),
      originalTransactionReference:
        kind === "refunds" && "depositId" in value ? readId(value, "depositId").toUpperCase() : undefined,
      amount: readAmount(value, { kind, isOver, terms }),
      // One wallet at pawaPay for each country and currency: the channel is that wallet.
      creditParty: terms.channel.name,
      reference: textAt(value, ["metadata", "account"]) ?? "",
      payer: payerOf(value),
      at: readTime(value, terms.now),
      statusReason: isOver ? undefined : (readReason(value) ?? word),
    };
    return { ok: true, reports: [report] };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { ok: false, reason: error.reason, field: error.field, detail: error.message, providerId };
  }
}

/** Code and words of a refusal or failure, in whichever of pawaPay's forms. */
export function readReason(value: unknown): string | undefined {
  const words = [
    ["failureReason", "failureCode"],
    ["failureReason", "failureMessage"],
    ["rejectionReason", "rejectionCode"],
    ["rejectionReason", "rejectionMessage"],
    ["errorCode"],
    ["errorMessage"],
  ].map((path) => textAt(value, path));
  return words.filter((word) => word !== undefined).join(": ") || undefined;
}

export const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Text somewhere inside, where it is fit to be kept; else nothing. For what is good to have, not for what decides. */
export function textAt(value: unknown, path: readonly string[]): string | undefined {
  const found = path.reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);
  const text = typeof found === "number" ? String(found) : found;
  return typeof text === "string" && text !== "" && isKeepable(text) ? text : undefined;
}

const isKeepable = (text: string): boolean => text.length <= TEXT_MAX && text.isWellFormed() && !/\p{Cc}/u.test(text);

function readText(body: Body, field: string): string {
  const value = body[field];
  if ((typeof value !== "string" && typeof value !== "number") || !isKeepable(String(value)))
    throw new Unusable("wrong_type", `${field} is ${value === undefined ? "missing" : "not plain text"}.`, field);
  return String(value);
}

function readId(body: Body, field: string): string {
  const id = readText(body, field);
  if (!UUID.test(id)) throw new Unusable("malformed", `${field} is not a UUID.`, field);
  return id;
}

/** What moved, for what is over; what was asked for, before. */
function readAmount(body: Body, about: { kind: Kind; isOver: boolean; terms: Terms }): Money | undefined {
  const { currency } = about.terms.channel;
  const moved = about.kind === "deposits" ? "depositedAmount" : "amount";
  const fields = about.isOver ? [moved, "amount"] : ["requestedAmount", "amount"];
  // Version 1 shows both amounts of a deposit: without the deposited one nothing says what came.
  const field = fields.find((name) => name in body);
  if (field === undefined) {
    if (about.isOver) throw new Unusable("wrong_type", `${moved} is missing.`, moved);
    return undefined;
  }
  if (body["currency"] !== currency)
    throw new Unusable("currency_unexpected", `currency is not ${currency}.`, "currency");
  try {
    const amount = parseMoney(readText(body, field), currency);
    if (amount.minor > 0n && amount.minor <= AMOUNT_MINOR_MAX) return amount;
    throw new Unusable("amount_invalid", `${field} is zero, or more than any rail carries.`, field);
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message, field);
    throw error;
  }
}

function readTime(body: Body, now: Date): Date | undefined {
  const field = ["respondedByPayer", "created"].find((name) => typeof body[name] === "string");
  if (field === undefined) return undefined;
  let at: Date;
  try {
    at = new Date(Temporal.Instant.from(readText(body, field)).epochMilliseconds);
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable("time_invalid", `${field} is no moment with an offset.`, field);
  }
  if (at.getTime() > now.getTime() + FUTURE_MAX_MS || at.getTime() < Date.UTC(2007, 0, 1))
    throw new Unusable("time_invalid", `${field} lies in the future, or before mobile money existed.`, field);
  return at;
}

function payerOf(body: Body): Payer {
  const party = "recipient" in body ? "recipient" : "payer";
  const text =
    textAt(body, [party, "address", "value"]) ?? textAt(body, [party, "accountDetails", "phoneNumber"]) ?? "";
  const digits = /^\+?([1-9]\d{8,14})$/.exec(text)?.[1];
  if (digits === undefined) return { phone: undefined, hash: undefined, name: undefined };
  return { phone: `+${digits}`, hash: createHash("sha256").update(digits).digest(), name: undefined };
}
