import type { Said } from "./texts.ts";
import type { Contract, Language } from "./village.ts";

export type Fault = "no_light" | "token_refused" | "battery" | "panel" | "other";
export type Purpose = "pay" | "balance" | "tokens" | "borrow" | "pay_off" | "fault";
export interface Payee {
  readonly account: string;
  readonly name: string;
  readonly minimumMinor: number;
  readonly dayMinor: number;
}

/** Where somebody stands. */
export type Spot =
  | { readonly at: "home" | "more" | "help" | "settings" | "reports" | "person" | "refer" | "messages" }
  | { readonly at: "pay_account" | "identify_account" | "lead_name" }
  | { readonly at: "language"; readonly from: number }
  | { readonly at: "resume"; readonly spots: readonly Spot[] }
  | { readonly at: "choose"; readonly purpose: Purpose; readonly from: number }
  | { readonly at: "pay_amount"; readonly payee: Payee }
  | { readonly at: "pay_phone"; readonly payee: Payee; readonly minor: number }
  | { readonly at: "pay_confirm"; readonly payee: Payee; readonly minor: number; readonly phone: string }
  | { readonly at: "tokens"; readonly contract: Contract }
  | { readonly at: "payments"; readonly contract: Contract }
  | { readonly at: "borrow"; readonly contract: Contract; readonly days: readonly number[] }
  | { readonly at: "borrow_confirm"; readonly contract: Contract; readonly days: number }
  | { readonly at: "pay_off"; readonly contract: Contract; readonly minor: number; readonly untilMs: number }
  | { readonly at: "fault"; readonly contract: Contract }
  | { readonly at: "fault_note"; readonly contract: Contract; readonly fault: Fault }
  | { readonly at: "identify_pin"; readonly account: string }
  | { readonly at: "lead_place"; readonly name: string }
  | { readonly at: "pin"; readonly next: Spot }
  | { readonly at: "new_pin"; readonly next: Spot };

export const FAULTS: readonly Fault[] = ["no_light", "token_refused", "battery", "panel", "other"];
export const DAY_MINOR = 5_000;

/** Languages as their speakers call them, in the order in which they are offered. */
export const NAMES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["sw", "Kiswahili"],
  ["fr", "Français"],
  ["ha", "Hausa"],
  ["pt", "Português"],
  ["lg", "Luganda"],
];

/** Five go on a screen; of more, four and the way to the rest. */
export const hasMore = (items: readonly unknown[], from: number): boolean => items.length - from > 5;

export const listed = (items: readonly Said[], from: number): Said[] =>
  hasMore(items, from) ? [...items.slice(from, from + 4), ["choice.next"]] : items.slice(from, from + 5);

/** What a person would call it. */
export function whatOf(here: Spot | undefined): string {
  return (here === undefined ? undefined : CALLED[here.at]) ?? "other";
}

const CALLED: Readonly<Partial<Record<Spot["at"], string>>> = {
  pay_account: "pay",
  pay_amount: "pay",
  pay_confirm: "pay",
  pay_phone: "pay",
  pay_off: "pay",
  tokens: "token",
  payments: "token",
  borrow: "borrow",
  fault: "report",
  fault_note: "report",
  identify_account: "account",
  identify_pin: "account",
  settings: "settings",
  language: "settings",
  messages: "settings",
};

export const BINDING = new Set(["pay_confirm", "borrow_confirm", "pin", "new_pin", "identify_pin"]);
/** At a proof or behind one: whoever calls again comes to it by its own way. */
export const PROVEN = new Set(["borrow_confirm", "new_pin", "pin", "identify_pin"]);
