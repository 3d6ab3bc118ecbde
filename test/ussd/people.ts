import type { Answer, Ask, RefusalCode } from "../../src/ussd/dialogue/asks.ts";
import type { ContractFacts, Facts } from "../../src/ussd/dialogue/facts.ts";
import type { Payee } from "../../src/ussd/dialogue/place.ts";

const NOW = Date.UTC(2026, 10, 21, 9);
/** The longest that anybody is called on a screen. */
const LONG_NAME = "Wilhelmina-Nyamb";

function contract(number: number, more: Partial<ContractFacts> = {}): ContractFacts {
  return {
    id: `c${String(number)}`,
    account: `PG-${String(10_000_000 + number)}`,
    holder: LONG_NAME,
    currency: "KES",
    state: "active",
    light: { kind: "days", days: 3 },
    owedMinor: "124000000",
    minimumMinor: "2000",
    dayPriceMinor: "123456",
    paybill: "4012345",
    ...more,
  };
}

const base: Facts = {
  nowMs: NOW,
  zone: "Africa/Nairobi",
  isProven: false,
  caller: {
    phone: "+254711000111",
    name: LONG_NAME,
    language: "en",
    hasPin: true,
    takesService: true,
    takesMarketing: false,
  },
  contracts: [contract(1)],
  tickets: [],
};

/** Callers of every kind that the screens tell apart. */
export const PEOPLE: Readonly<Record<string, Facts>> = {
  customer: base,
  "customer whose light is off": {
    ...base,
    contracts: [contract(1, { light: { kind: "off" }, owedMinor: undefined })],
  },
  "customer who paid all": { ...base, contracts: [contract(1, { state: "paid_off", light: { kind: "forever" } })] },
  "customer who was written off": { ...base, contracts: [contract(1, { state: "written_off", paybill: undefined })] },
  "customer of six systems, without a PIN": {
    ...base,
    caller: { ...base.caller, hasPin: false, takesMarketing: true, takesService: false },
    contracts: Array.from({ length: 6 }, (_, at) => contract(at + 1)),
    tickets: [1, 2, 3, 4].map((number) => ({
      number: `T-${String(10_000 + number)}`,
      fault: "token_refused",
      state: "in_work" as const,
      openedAtMs: NOW,
    })),
  },
  "known person without a contract": { ...base, contracts: [] },
  "agent who is no customer, with cash in two currencies": {
    ...base,
    caller: { ...base.caller, name: undefined, hasPin: false },
    contracts: [],
    agent: {
      name: LONG_NAME,
      hasPin: true,
      isProven: false,
      inHand: [
        { currency: "KES", minor: "123456700" },
        { currency: "UGX", minor: "9000000" },
      ],
    },
  },
  "agent who is a customer, without a PIN and without cash": {
    ...base,
    agent: { name: "Asha", hasPin: false, isProven: false, inHand: [] },
  },
  stranger: { ...base, caller: { ...base.caller, name: undefined, hasPin: false }, contracts: [] },
};

/** What people type where words or numbers are asked for. */
export const TYPED = ["1", "250", "PG-10000001", "+254722000222", "2580", "1234", "Kitui", "", "x".repeat(300)];

const PAYEE: Payee = {
  account: "PG-10000009",
  name: "W****** N****",
  currency: "KES",
  minimumMinor: "2000",
  dayPriceMinor: "5000",
};
const refused = (why: RefusalCode): Answer => ({ kind: "refused", why });
const done: Answer = { kind: "done", number: "T-10001" };
const tokens = (count: number): Answer => ({
  kind: "tokens",
  account: "PG-10000001",
  tokens: Array.from({ length: count }, (_, at) => `123 456 78${String(at)}`),
});

const REFUSED_PAYMENTS: readonly RefusalCode[] = [
  "account_unknown",
  "account_ended",
  "phone_wrong",
  "amount_too_large",
  "too_often",
  "no_rail",
];
const REFUSED_LOANS: readonly RefusalCode[] = [
  "account_unknown",
  "account_ended",
  "loan_none_left",
  "loan_not_yet",
  "loan_light_left",
  "loan_little_left",
];

/** Every answer that the house gives to an ask. */
export function answersOf(ask: Ask): readonly Answer[] {
  switch (ask.kind) {
    case "find_payee":
      return [
        { kind: "payee", payee: PAYEE },
        refused("account_unknown"),
        refused("account_ended"),
        refused("too_often"),
      ];
    case "request_payment":
      return [done, ...REFUSED_PAYMENTS.map(refused)];
    case "latest_tokens":
    case "payment_tokens":
      return [tokens(1), tokens(9), refused("no_tokens"), refused("account_unknown"), refused("account_ended")];
    case "payments":
      return [
        {
          kind: "payments",
          payments: [1, 2, 3, 4, 5].map((cause) => ({
            cause: String(cause),
            amountMinor: "123456700",
            currency: "KES",
            paidAtMs: NOW,
          })),
        },
        refused("no_payments"),
        refused("account_unknown"),
      ];
    case "loan_offer":
      return [
        {
          kind: "loan",
          contractId: ask.contractId,
          offer: { days: [1, 2, 3, 7], dayPriceMinor: "123456", currency: "KES" },
        },
        ...REFUSED_LOANS.map(refused),
      ];
    case "borrow":
      return [tokens(1), refused("too_often"), ...REFUSED_LOANS.map(refused)];
    case "pay_off_quote":
      return [
        {
          kind: "quote",
          contractId: ask.contractId,
          quote: { id: "q", amountMinor: "1234567800", currency: "KES", expiresAtMs: NOW, payee: PAYEE, isAnew: false },
        },
        {
          kind: "quote",
          contractId: ask.contractId,
          quote: {
            id: "q",
            amountMinor: "1234567800",
            currency: "KES",
            expiresAtMs: NOW - 1,
            payee: PAYEE,
            isAnew: true,
          },
        },
        refused("nothing_owed"),
        refused("too_often"),
        refused("account_unknown"),
      ];
    case "check_pin":
      return [done, refused("pin_wrong"), refused("pin_locked"), refused("not_now")];
    case "set_pin":
      return [done, refused("sim_swapped"), refused("not_now")];
    case "identify":
      return [{ kind: "person", customerId: "p" }, refused("pin_wrong"), refused("pin_locked")];
    case "set_language":
      return [{ kind: "language", language: ask.language }];
    case "parse_phone":
      return [{ kind: "phone", phone: "+254722000222" }, refused("phone_wrong")];
    case "refer":
      return [done, refused("phone_wrong"), refused("too_often")];
    case "report_fault":
      return [done, refused("too_often"), refused("account_unknown")];
    case "set_messages":
      return [done, refused("not_now")];
    case "call_me":
    case "lead":
      return [done, refused("too_often")];
    case "register_customer":
      return [done, refused("not_accepted"), refused("not_now")];
    case "find_buyers":
      return [
        { kind: "buyers", buyers: buyers(1), plans: plans(9) },
        { kind: "buyers", buyers: buyers(5), plans: plans(1) },
        refused("customer_unknown"),
        refused("no_plans"),
        refused("phone_wrong"),
        refused("not_now"),
      ];
    case "find_stock":
      return [{ kind: "stock", serial: "SHS-2026-0123456789" }, refused("not_in_stock"), refused("not_now")];
    case "sell":
      return [
        { kind: "sold", account: "PG-10000009" },
        refused("not_accepted"),
        refused("customer_unknown"),
        refused("not_now"),
      ];
    case "find_to_collect":
      return [
        { kind: "payee", payee: PAYEE },
        refused("account_unknown"),
        refused("account_ended"),
        refused("not_now"),
      ];
    case "collect_cash":
      return [
        { kind: "cash", number: "C-100-10017-3", isWaiting: false },
        { kind: "cash", number: "C-100-10017-3", isWaiting: true },
        refused("not_accepted"),
        refused("account_unknown"),
        refused("account_ended"),
        refused("not_now"),
      ];
    case "hand_over":
      return [done, refused("more_than_in_hand"), refused("not_accepted"), refused("not_now")];
    case "look_up":
      return [
        { kind: "found", contracts: [found(1)] },
        { kind: "found", contracts: [1, 2, 3, 4, 5].map(found) },
        refused("nothing_found"),
        refused("too_often"),
        refused("not_now"),
      ];
  }
}

const buyers = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ id: `p${String(at)}`, name: "Wilhelmina Nyambura Kama" }));
const plans = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    code: `plan-${String(at)}`,
    name: "Home 60 with radio and t",
    price: "KES 1,234,567",
  }));
const found = (number: number) => ({
  ...contract(number),
  lastPayment: number === 1 ? undefined : { amountMinor: "123456700", paidAtMs: NOW },
});
