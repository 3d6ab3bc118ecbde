import { z } from "zod";
import type { Money } from "../../../kernel/money.ts";
import type { Channel, Payer, Report } from "../rail.ts";
import { isPlainText, isUuid, plainText, Unusable } from "../reading.ts";
import { payerWith, readAmount, readMoment, readMoney, requireCurrency } from "../report-values.ts";
import { webAddress } from "../settings.ts";

/** What an object of Wave's is read against. */
export interface WaveTerms {
  readonly channel: Channel;
  /** When it came, so that reading is pure. */
  readonly now: Date;
}

const TEXT_MAX = 255;
const text = plainText(TEXT_MAX);
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
export const createdSession = session.extend({ wave_launch_url: webAddress });
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

/** Wave's amounts are texts such as "2500"; francs have no decimals. */
export function amountIn(written: string, currency: string, { channel }: WaveTerms): Money {
  requireCurrency(currency, channel.currency);
  return readAmount(written, channel.currency, "amount");
}

/** What left the payer: what reached us and Wave's fee, which the list and the till's news tell apart. */
export function gross(
  net: string,
  fee: string | null | undefined,
  { currency, terms }: { currency: string; terms: WaveTerms },
): Money {
  const { channel } = terms;
  requireCurrency(currency, channel.currency);
  const magnitude = (written: string): Money => readMoney(written.replace(/^-/, ""), channel.currency, "amount");
  return { ...magnitude(net), minor: magnitude(net).minor + magnitude(fee ?? "0").minor };
}

export function requireMoney(amount: Money): Money {
  if (amount.minor === 0n) throw new Unusable("amount_invalid", "The amount is zero.", "amount");
  return amount;
}

export const timeIn = (written: string | null | undefined, field: string, { now }: WaveTerms): Date | undefined =>
  typeof written === "string" ? readMoment(written, { field, now }) : undefined;

/** Our requests carry their UUID. Anything else came with a session that somebody made elsewhere: an account, then. */
export function namesIn(clientReference: string | null | undefined): Pick<Report, "correlation" | "reference"> {
  const written = clientReference ?? "";
  if (!isPlainText(written, TEXT_MAX))
    throw new Unusable("wrong_type", "client_reference has characters that are no text.", "client_reference");
  return isUuid(written)
    ? { correlation: written.toLowerCase(), reference: "" }
    : { correlation: undefined, reference: written };
}

/** Fields that the payer fills in at the till, as the business named them: the account, or the only one there is. */
export function accountIn(fields: Readonly<Record<string, string>> | null | undefined): string {
  const entries = Object.entries(fields ?? {}).filter(([, value]) => isPlainText(value, TEXT_MAX));
  const named = entries.find(([name]) => /account|compte|reference|contract|contrat/i.test(name));
  return (named ?? (entries.length === 1 ? entries[0] : undefined))?.[1].slice(0, 200) ?? "";
}

/** Wave writes numbers with plus and country code; others are those of tills and businesses. */
export const payerOf = (mobile: string | null | undefined, name?: string | null): Payer =>
  payerWith(/^\+([1-9]\d{8,14})$/.exec(mobile ?? "")?.[1], name);
