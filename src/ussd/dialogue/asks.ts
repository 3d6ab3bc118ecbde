import type { Language } from "../../kernel/language.ts";
import type { Fault, LoanOffer, Payee, PaymentRow, PayOffQuote } from "./place.ts";

/**
 * What the dialogue wants of the house. `acts` are done once however often a hop comes: whoever carries them out keys them
 * by the hop. The others only look something up.
 */
export type Ask =
  | { readonly kind: "find_payee"; readonly text: string }
  | { readonly kind: "request_payment"; readonly account: string; readonly amountMinor: string; readonly phone: string }
  | { readonly kind: "latest_tokens"; readonly contractId: string }
  | { readonly kind: "payments"; readonly contractId: string }
  | { readonly kind: "payment_tokens"; readonly contractId: string; readonly cause: string }
  | { readonly kind: "loan_offer"; readonly contractId: string }
  | { readonly kind: "borrow"; readonly contractId: string; readonly days: number }
  | { readonly kind: "pay_off_quote"; readonly contractId: string }
  | { readonly kind: "report_fault"; readonly contractId: string; readonly fault: Fault; readonly note: string }
  | { readonly kind: "call_me"; readonly note: string }
  | { readonly kind: "refer"; readonly phone: string }
  | { readonly kind: "set_language"; readonly language: Language }
  | { readonly kind: "set_messages"; readonly which: "service" | "marketing"; readonly isWanted: boolean }
  | { readonly kind: "check_pin"; readonly pin: string }
  | { readonly kind: "set_pin"; readonly pin: string }
  | { readonly kind: "identify"; readonly account: string; readonly pin: string }
  | { readonly kind: "lead"; readonly name: string; readonly place: string }
  | { readonly kind: "parse_phone"; readonly text: string };

export type AskKind = Ask["kind"];

/** Asks that change something. */
export const ACTS: ReadonlySet<AskKind> = new Set([
  "request_payment",
  "borrow",
  "pay_off_quote",
  "report_fault",
  "call_me",
  "refer",
  "set_language",
  "set_messages",
  "check_pin",
  "set_pin",
  "identify",
  "lead",
]);

/** Why the house would not. Each has a text of its own. */
export const REFUSALS = [
  "account_unknown",
  "account_ended",
  "amount_too_large",
  "no_rail",
  "phone_wrong",
  "no_tokens",
  "no_payments",
  "loan_none_left",
  "loan_not_yet",
  "loan_light_left",
  "loan_little_left",
  "nothing_owed",
  "pin_wrong",
  "pin_locked",
  "too_often",
  "not_now",
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export type Answer =
  | { readonly kind: "done"; readonly number?: string }
  | { readonly kind: "refused"; readonly why: RefusalCode; readonly values?: Readonly<Record<string, string>> }
  | { readonly kind: "payee"; readonly payee: Payee }
  | { readonly kind: "tokens"; readonly tokens: readonly string[]; readonly account: string }
  | { readonly kind: "payments"; readonly payments: readonly PaymentRow[] }
  | { readonly kind: "loan"; readonly contractId: string; readonly offer: LoanOffer }
  | { readonly kind: "quote"; readonly contractId: string; readonly quote: PayOffQuote }
  | { readonly kind: "phone"; readonly phone: string }
  | { readonly kind: "language"; readonly language: Language }
  | { readonly kind: "person"; readonly customerId: string };
