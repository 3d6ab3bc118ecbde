import type { Language } from "../../kernel/language.ts";
import type { ContractFacts } from "./facts.ts";

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
  /** Where a conversation that died stood; it may be gone on with. */
  | { readonly at: "resume"; readonly trail: readonly Place[] }
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
  | { readonly at: "pin"; readonly whose: PinWhose; readonly next: Place }
  | { readonly at: "new_pin"; readonly whose: PinWhose; readonly next: Place }
  /** The customers' first screen, for an agent who is a customer too. */
  | { readonly at: "own_home" }
  | { readonly at: "agent_more" }
  | { readonly at: "agent_name" }
  | { readonly at: "agent_phone"; readonly name: string }
  | { readonly at: "agent_language"; readonly name: string; readonly phone: string; readonly from: number }
  | { readonly at: "agent_register"; readonly name: string; readonly phone: string; readonly language: Language }
  | { readonly at: "agent_buyer" }
  | { readonly at: "agent_buyers"; readonly buyers: readonly Buyer[]; readonly plans: readonly PlanOffer[] }
  | { readonly at: "agent_plan"; readonly buyer: Buyer; readonly plans: readonly PlanOffer[]; readonly from: number }
  | { readonly at: "agent_serial"; readonly buyer: Buyer; readonly plan: PlanOffer }
  | { readonly at: "agent_sale"; readonly buyer: Buyer; readonly plan: PlanOffer; readonly serial: string }
  | { readonly at: "agent_account" }
  | { readonly at: "agent_cash"; readonly payee: Payee }
  | { readonly at: "agent_cash_confirm"; readonly payee: Payee; readonly amountMinor: string }
  | { readonly at: "agent_hand_over" }
  | { readonly at: "agent_hand_over_confirm"; readonly amountMinor: string; readonly currency: string }
  | { readonly at: "agent_hand_over_amount"; readonly currency: string }
  | { readonly at: "agent_look_up" }
  | { readonly at: "agent_found"; readonly contracts: readonly FoundContract[] };

/** An agent who is a customer too has a PIN for each. */
export type PinWhose = "customer" | "staff";

/** To whom an agent sells. */
export interface Buyer {
  readonly id: string;
  readonly name: string;
}

export interface PlanOffer {
  readonly code: string;
  readonly name: string;
  /** As people read it: all of it, or what a day costs where there is no end. */
  readonly price: string;
}

/** What an agent looked up. */
export interface FoundContract extends ContractFacts {
  readonly lastPayment: { readonly amountMinor: string; readonly paidAtMs: number } | undefined;
}

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
  /** The one before it ran out unpaid. */
  readonly isAnew: boolean;
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
  /** When an agent proved with a PIN who they are. It lasts a quarter of an hour: a chat has no end. */
  readonly agentProvenAtMs?: number;
}
