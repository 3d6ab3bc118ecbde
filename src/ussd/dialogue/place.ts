import type { Language } from "../../kernel/language.ts";

/** Whom a payment is for, as far as the payer may know. Amounts in minor units, as texts: a place is kept as JSON. */
export interface Payee {
  /** As printed: "PG-10234". */
  readonly account: string;
  /** The holder's name; masked when it is not the caller's own account. */
  readonly name: string;
  readonly currency: string;
  readonly minimumMinor: string;
  readonly dayPriceMinor: string;
}

/** What is done with a contract once it is chosen. */
export type ContractAct = "pay" | "balance" | "tokens" | "borrow" | "pay_off" | "fault";

export const FAULTS = ["no_light", "token_refused", "battery", "panel", "other"] as const;
export type Fault = (typeof FAULTS)[number];

/** Where in the dialogue a person is, with what was said on the way. Kept between hops; it holds no secret. */
export type Place =
  | { readonly at: "home" }
  | { readonly at: "more" }
  | { readonly at: "help" }
  | { readonly at: "settings" }
  | { readonly at: "language"; readonly from: number }
  | { readonly at: "choose_contract"; readonly act: ContractAct; readonly from: number }
  | { readonly at: "pay_account" }
  | { readonly at: "pay_amount"; readonly payee: Payee }
  | { readonly at: "pay_confirm"; readonly payee: Payee; readonly amountMinor: string; readonly phone: string }
  | { readonly at: "pay_phone"; readonly payee: Payee; readonly amountMinor: string }
  | { readonly at: "tokens"; readonly contractId: string }
  | { readonly at: "payments"; readonly contractId: string; readonly payments: readonly PaymentRow[] }
  | { readonly at: "borrow"; readonly contractId: string; readonly offer: LoanOffer }
  | { readonly at: "borrow_confirm"; readonly contractId: string; readonly offer: LoanOffer; readonly days: number }
  | { readonly at: "pay_off"; readonly contractId: string; readonly quote: PayOffQuote }
  | { readonly at: "fault"; readonly contractId: string }
  | { readonly at: "fault_note"; readonly contractId: string; readonly fault: Fault }
  | { readonly at: "reports" }
  | { readonly at: "person" }
  | { readonly at: "refer" }
  | { readonly at: "messages" }
  | { readonly at: "identify_account" }
  | { readonly at: "identify_pin"; readonly account: string }
  | { readonly at: "lead_name" }
  | { readonly at: "lead_place"; readonly name: string }
  | { readonly at: "pin"; readonly next: Place }
  | { readonly at: "new_pin"; readonly next: Place };

export interface PaymentRow {
  /** Names the payment where its tokens are asked for. */
  readonly cause: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly paidAtMs: number;
}

/** Days that may be borrowed now. */
export interface LoanOffer {
  /** At most four, smallest first. */
  readonly days: readonly number[];
  readonly dayPriceMinor: string;
  readonly currency: string;
}

export interface PayOffQuote {
  readonly id: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly expiresAtMs: number;
  readonly payee: Payee;
}

/** One conversation. */
export interface Session {
  readonly language: Language;
  /** Where the person is, behind it where "back" leads. Never empty. */
  readonly trail: readonly Place[];
  /** The caller proved with a PIN who they are. */
  readonly isProven: boolean;
  /** Who an unknown number proved to be, by account number and PIN. */
  readonly provenCustomerId: string | undefined;
}
