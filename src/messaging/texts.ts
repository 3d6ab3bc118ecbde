import { toGsm7 } from "../kernel/gsm7.ts";
import type { CompleteLanguage, Language } from "../kernel/language.ts";
import { english } from "./texts.en.ts";
import { french } from "./texts.fr.ts";
import { portuguese } from "./texts.pt.ts";
import { swahili } from "./texts.sw.ts";

/** What each message says, and with which values. Amounts come formatted; `days` is a plain number such as "30". */
export const TEMPLATE_VALUES = {
  /** A payment became one token. */
  token_received: ["amount", "token", "days", "account"],
  /** A payment became several tokens, written in the order of entry with ", " between them. */
  tokens_received: ["amount", "tokens", "days", "account"],
  /** A payment's tokens go to the device by themselves. */
  light_coming: ["amount", "days", "account"],
  /** They did not arrive in time: the customer types them. */
  light_did_not_come: ["tokens", "days", "account"],
  /** Too little for one unit of time: kept as credit until `missing` more arrives. */
  payment_held: ["amount", "missing", "account"],
  /** The last payment: the token unlocks for ever. */
  unlocked: ["amount", "token", "account"],
  /** The payment went towards what was owed; `debt` is still owed. */
  payment_debt: ["amount", "debt", "account"],
  /** Nobody has the account number that was typed. */
  account_unknown: ["amount", "reference"],
  /** Paid for an account that owes nothing: to be given back. */
  payment_refundable: ["amount", "account"],
  /** Money went back to its payer before it had bought anything. */
  payment_taken_back: ["amount", "account"],
  /** Money went back after it had bought light: `debt` is owed, and paid before new days. */
  payment_taken_back_debt: ["amount", "debt", "account"],
  /** Money that had been credited to the wrong account left it again, before it had bought anything. */
  payment_moved: ["amount", "account"],
  /** The same after it had bought light: `debt` is owed, and paid before new days. */
  payment_moved_debt: ["amount", "debt", "account"],
  /** A person asks the payer for whom the money is. */
  ask_account: ["amount"],
  /** A person asks the payer to ring up about a payment. */
  ask_to_call: ["amount"],
  /** A person tells the payer that the money is on its way back. */
  refund_coming: ["amount"],
  /** Days on credit; the next payment settles `debt` first. */
  days_lent: ["tokens", "days", "debt", "account"],
  /** The customer asked for the last token once more. */
  token_again: ["token", "account"],
  /** Light ends in so many days; with 1 it ends tomorrow. */
  reminder_low: ["days", "account"],
  /** Light has ended. */
  reminder_locked: ["account"],
  /** Light ended so many days ago. */
  reminder_locked_long: ["days", "account"],
  /** Everything is paid: the device is the customer's own. */
  reminder_paid_off: ["account"],
  /** What somebody reported was written down, under a number such as R-1042. */
  ticket_opened: ["ticket"],
  ticket_in_work: ["ticket"],
  ticket_done: ["ticket"],
  /** Staff and agents: something is wrong with a device. `problem` is in the reader's language. */
  alert_device: ["problem", "device", "place"],
  /** Many devices of one place are silent. */
  alert_group: ["count", "place"],
  /** More than is worth a message each. */
  alert_digest: ["count", "names"],
} as const;

export type Template = keyof typeof TEMPLATE_VALUES;

/** What a message is for. A reply answers somebody who wrote; staff are not customers, and chose what they are told. */
export type Category = "service" | "marketing" | "reply" | "staff";

export function categoryOf(template: Template): Category {
  return template.startsWith("alert_") ? "staff" : "service";
}

/** Messages that nobody waits for: they need consent and keep to decent hours. All others are facts, which are always told. */
export function isReminder(template: string): boolean {
  return template.startsWith("reminder_");
}

/** The texts of one language. A template that a complete language lacks does not compile. */
export type Texts = {
  readonly [Name in Template]: (values: Readonly<Record<(typeof TEMPLATE_VALUES)[Name][number], string>>) => string;
};

const TEXTS: Readonly<Record<CompleteLanguage, Texts>> & { readonly [Name in Language]?: Partial<Texts> } = {
  en: english,
  fr: french,
  sw: swahili,
  pt: portuguese,
};

/** Nothing but tokens comes near it, and tokens are never cut: a customer paid for each of them. */
const VALUE_LENGTH_MAX = 200;
/** Longer than any account number of ours. What a payer typed goes into a text under our name, so it stays short. */
const REFERENCE_LENGTH_MAX = 20;
const PLACE_LENGTH_MAX = 60;

export function isTemplate(name: string): name is Template {
  return Object.hasOwn(TEMPLATE_VALUES, name);
}

/**
 * The text of a message, in letters of GSM-7 only. The same message gives the same text, always. Throws where the
 * template is unknown or a value is missing: that is a mistake in the caller, not of a customer.
 */
export function render(message: {
  readonly language: Language;
  readonly template: string;
  readonly values: Readonly<Record<string, string>>;
}): string {
  const { language, template, values } = message;
  if (!isTemplate(template)) throw new Error(`There is no message template "${template}".`);
  const cleaned: Record<string, string> = {};
  for (const name of TEMPLATE_VALUES[template]) {
    const value = values[name];
    if (value === undefined) throw new Error(`A message "${template}" needs the value "${name}".`);
    cleaned[name] = CLEANERS[name](value);
  }
  const write = (TEXTS[language]?.[template] ?? english[template]) as (
    values: Readonly<Record<string, string>>,
  ) => string;
  return toGsm7(write(cleaned));
}

const CLEANERS: Readonly<Record<(typeof TEMPLATE_VALUES)[Template][number], (value: string) => string>> = {
  reference: cleanReference,
  token: cleanTokens,
  tokens: cleanTokens,
  amount: cleanValue,
  days: cleanValue,
  account: cleanValue,
  missing: cleanValue,
  debt: cleanValue,
  problem: cleanValue,
  device: cleanValue,
  place: cleanPlace,
  count: cleanValue,
  ticket: cleanValue,
  names: cleanPlace,
};

/** Names of places were typed by somebody; three of them must not push an SMS into its second part. */
function cleanPlace(value: string): string {
  return cleanValue(value).slice(0, PLACE_LENGTH_MAX).trim();
}

function cleanTokens(value: string): string {
  return value.replace(/[^\d, ]+/g, " ").trim();
}

function cleanValue(value: string): string {
  return value.replace(/\s+/g, " ").trim().slice(0, VALUE_LENGTH_MAX);
}

/** A stranger wrote it: only what an account number could be made of is repeated. */
function cleanReference(value: string): string {
  const kept = cleanValue(value.replace(/[^\p{L}\p{N} /-]/gu, " "));
  return kept === "" ? "-" : kept.slice(0, REFERENCE_LENGTH_MAX).trim();
}
