import { createHash } from "node:crypto";
import { z } from "zod";
import { AMOUNT_MINOR_MAX, parseMoney, type Money } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { Channel, Payer, QuarantineReason, Report } from "../rail.ts";

/** Why an object of Wave's cannot be used. */
export class Unusable extends Error {
  readonly reason: QuarantineReason;
  readonly field: string | undefined;
  readonly providerId: string | undefined;
  constructor(reason: QuarantineReason, detail: string, at: { field?: string; providerId?: string | undefined } = {}) {
    super(detail);
    this.reason = reason;
    this.field = at.field;
    this.providerId = at.providerId;
  }
}

/** PostgreSQL keeps no NUL in text, and nothing that Wave writes has control characters. */
const text = z
  .string()
  .min(1)
  .max(255)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), "has characters that are no text");
const optional = text.nullish();
const wrong = z.object({ code: optional, message: optional }).nullish();

/** A checkout session: the payment page and, once somebody paid, the payment. Amounts are what the payer pays. */
export const session = z.object({
  id: text,
  amount: text,
  currency: text,
  checkout_status: optional,
  payment_status: optional,
  client_reference: z.string().max(255).nullish(),
  transaction_id: optional,
  last_payment_error: wrong,
  when_completed: optional,
});
export const createdSession = session.extend({ wave_launch_url: z.url({ protocol: /^https?$/ }) });
/** Of an attempt that failed Wave's samples show hardly more than the session and the reason. */
export const failedSession = session.partial({ amount: true, currency: true });
export type Session = z.infer<typeof session>;

/** A customer paid us at the till or by our code, without having been asked. The amount is what reached us. */
export const merchantPayment = z.object({
  id: text,
  amount: text,
  fee: optional,
  currency: text,
  sender_mobile: optional,
  custom_fields: z.record(z.string(), z.string()).nullish(),
  when_created: optional,
});

/** Money we sent to a phone. */
export const payout = z.object({
  id: text,
  currency: text,
  receive_amount: text,
  mobile: optional,
  client_reference: z.string().max(255).nullish(),
  status: text,
  payout_error: z.object({ error_code: optional, error_message: optional }).nullish(),
  timestamp: optional,
});
export type Payout = z.infer<typeof payout>;

/** One line of the wallet's list; amounts are what it did to our balance, signed and without the fee. */
export const entry = z.object({
  timestamp: text,
  transaction_id: text,
  transaction_type: z.string().max(60).nullish(),
  amount: text,
  fee: optional,
  currency: text,
  is_reversal: z.boolean().nullish(),
  counterparty_name: z.string().max(255).nullish(),
  counterparty_mobile: optional,
  client_reference: z.string().max(255).nullish(),
  checkout_api_session_id: optional,
  custom_fields: z.record(z.string(), z.string()).nullish(),
});
export type Entry = z.infer<typeof entry>;

/** Reads by a schema; the first wrong field is the one that is told. */
export function readAs<Read>(schema: z.ZodType<Read>, value: unknown): Read {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const field = read.error.issues[0]?.path.join(".") ?? "";
  if (field === "") throw new Unusable("malformed", "This is not the object that Wave documents.");
  throw new Unusable("wrong_type", `${field} is missing or is no text.`, { field });
}

/** A JSON object in UTF-8. The parser's own message quotes the body, so it is not passed on. */
export function readJson(raw: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  } catch {
    throw new Unusable("malformed", "The body is not JSON in UTF-8.");
  }
}

/** Wave's amounts are texts such as "2500"; francs have no decimals. */
export function readAmount(written: string, currency: string, channel: Channel): Money {
  if (currency !== channel.currency)
    throw new Unusable("currency_unexpected", `The currency is not ${channel.currency}.`, { field: "currency" });
  try {
    const amount = parseMoney(written, channel.currency);
    if (amount.minor > AMOUNT_MINOR_MAX) throw new Unusable("amount_invalid", "Larger than any rail carries.");
    return amount;
  } catch (error) {
    if (error instanceof Refusal) throw new Unusable("amount_invalid", error.message, { field: "amount" });
    throw error;
  }
}

/** What left the payer: what reached us and Wave's fee, which the list and the till's news tell apart. */
export function gross(net: string, fee: string | null | undefined, of: { currency: string; channel: Channel }): Money {
  const magnitude = (written: string): Money => readAmount(written.replace(/^-/, ""), of.currency, of.channel);
  return { ...magnitude(net), minor: magnitude(net).minor + magnitude(fee ?? "0").minor };
}

export function requireMoney(amount: Money): Money {
  if (amount.minor === 0n) throw new Unusable("amount_invalid", "The amount is zero.", { field: "amount" });
  return amount;
}

export function readTime(written: string | null | undefined, field: string): Date | undefined {
  if (written === undefined || written === null) return undefined;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(written) ? Date.parse(written) : NaN;
  if (Number.isNaN(at)) throw new Unusable("time_invalid", `${field} is no moment of the calendar.`, { field });
  return new Date(at);
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Our requests carry their UUID. Anything else came with a session that somebody made elsewhere: an account, then. */
export function namesIn(clientReference: string | null | undefined): Pick<Report, "correlation" | "reference"> {
  const written = clientReference ?? "";
  if (!written.isWellFormed() || /\p{Cc}/u.test(written))
    throw new Unusable("wrong_type", "client_reference has characters that are no text.", {
      field: "client_reference",
    });
  return UUID.test(written)
    ? { correlation: written.toLowerCase(), reference: "" }
    : { correlation: undefined, reference: written };
}

/** Fields that the payer fills in at the till, as the business named them: the account, or the only one there is. */
export function accountIn(fields: Readonly<Record<string, string>> | null | undefined): string {
  const entries = Object.entries(fields ?? {}).filter(([, value]) => value.isWellFormed() && !/\p{Cc}/u.test(value));
  const named = entries.find(([name]) => /account|compte|reference|contract|contrat/i.test(name));
  return (named ?? (entries.length === 1 ? entries[0] : undefined))?.[1].slice(0, 200) ?? "";
}

export function payerOf(mobile: string | null | undefined, name?: string | null): Payer {
  const digits = /^\+([1-9]\d{7,14})$/.exec(mobile ?? "")?.[1];
  const cleaned = name
    ?.replace(/\p{Cc}/gu, " ")
    .trim()
    .toWellFormed();
  return {
    phone: digits === undefined ? undefined : `+${digits}`,
    hash: digits === undefined ? undefined : createHash("sha256").update(digits).digest(),
    name: cleaned === "" ? undefined : cleaned,
  };
}
