import type { Language } from "../../kernel/language.ts";
import type {
  Buyer,
  Fault,
  FoundContract,
  LoanOffer,
  Payee,
  PaymentRow,
  PayOffQuote,
  PinWhose,
  PlanOffer,
} from "./place.ts";

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
  | { readonly kind: "check_pin"; readonly whose: PinWhose; readonly pin: string }
  | { readonly kind: "set_pin"; readonly whose: PinWhose; readonly pin: string }
  | { readonly kind: "identify"; readonly account: string; readonly pin: string }
  | { readonly kind: "lead"; readonly name: string; readonly place: string }
  | { readonly kind: "parse_phone"; readonly text: string }
  | AgentAsk;

/** What only agents may ask, and only in their own area. */
export type AgentAsk =
  | {
      readonly kind: "register_customer";
      readonly name: string;
      readonly phone: string;
      readonly language: Language;
      readonly takesService: boolean;
    }
  | { readonly kind: "find_buyers"; readonly phone: string }
  | { readonly kind: "find_stock"; readonly serial: string }
  | { readonly kind: "sell"; readonly customerId: string; readonly planCode: string; readonly serial: string }
  | { readonly kind: "find_to_collect"; readonly text: string }
  | { readonly kind: "collect_cash"; readonly account: string; readonly amountMinor: string }
  | { readonly kind: "hand_over"; readonly amountMinor: string; readonly currency: string }
  | { readonly kind: "look_up"; readonly text: string };

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
  "register_customer",
  "sell",
  "collect_cash",
  "hand_over",
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
  "sim_swapped",
  "customer_unknown",
  "no_plans",
  "not_in_stock",
  "more_than_in_hand",
  "nothing_found",
  "not_accepted",
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
  | { readonly kind: "person"; readonly customerId: string }
  | { readonly kind: "buyers"; readonly buyers: readonly Buyer[]; readonly plans: readonly PlanOffer[] }
  | { readonly kind: "stock"; readonly serial: string }
  | { readonly kind: "sold"; readonly account: string }
  | { readonly kind: "cash"; readonly number: string; readonly isWaiting: boolean }
  | { readonly kind: "found"; readonly contracts: readonly FoundContract[] };
