import type { Language } from "../../kernel/language.ts";

/** What is known of whom we talk to, looked up anew at each hop. */
export interface Facts {
  readonly nowMs: number;
  /** Where times are told in. */
  readonly zone: string;
  /** Whether a PIN was given in this conversation. */
  readonly isProven: boolean;
  readonly caller: Caller;
  /** The caller's contracts, running ones first, then by age. */
  readonly contracts: readonly ContractFacts[];
  /** What the caller reported and is not settled, newest first. */
  readonly tickets: readonly TicketFacts[];
  /** Set where the caller works here as an agent. */
  readonly agent?: AgentFacts | undefined;
}

export interface AgentFacts {
  readonly name: string;
  readonly hasPin: boolean;
  /** Whether the PIN was given in this conversation, not long ago. */
  readonly isProven: boolean;
  /** Cash that is not on its way to the office yet, by currency. Shown behind the PIN only. */
  readonly inHand: readonly { readonly currency: string; readonly minor: string }[];
}

export interface Caller {
  /** E.164, vouched for by the channel. */
  readonly phone: string;
  /** Undefined: nobody has this number. */
  readonly name: string | undefined;
  readonly language: Language;
  readonly hasPin: boolean;
  readonly takesService: boolean;
  readonly takesMarketing: boolean;
}

export interface ContractFacts {
  readonly id: string;
  /** As printed: "PG-10234". */
  readonly account: string;
  readonly holder: string;
  readonly currency: string;
  readonly state: "active" | "paid_off" | "written_off";
  readonly light: { readonly kind: "days"; readonly days: number } | { readonly kind: "off" | "forever" };
  /** What is left to pay; undefined for rent without end. */
  readonly owedMinor: string | undefined;
  readonly minimumMinor: string;
  readonly dayPriceMinor: string;
  /** Where to pay without being asked; undefined where the operator has no such number. */
  readonly paybill: string | undefined;
}

export interface TicketFacts {
  /** As told to the customer. */
  readonly number: string;
  readonly fault: string;
  readonly state: "open" | "in_work" | "done";
  readonly openedAtMs: number;
}
