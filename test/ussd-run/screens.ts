import { light, paymentsOf, type Life } from "./life.ts";
import { DAY_MINOR, FAULTS, listed, NAMES, whatOf, type Spot } from "./spots.ts";
import { dayOf, money, type Said } from "./texts.ts";
import { required, type Customer, type Language } from "./village.ts";

/** Lines, and choices in the order of their numbers. */
export type Screen = readonly [Said[], Said[]];

/** Who looks at a screen, when and in which language. */
export interface View {
  readonly life: Life;
  /** Undefined: a stranger. */
  readonly who: Customer | undefined;
  readonly language: Language;
  readonly nowMs: number;
}

/** What a spot shows: its lines, and what can be chosen there. */
export function screenOf(here: Spot, view: View): Screen {
  const { who, life, language } = view;
  const contracts = who?.contracts ?? [];
  const choose = (...names: string[]): Said[] => names.map((name): Said => [`choice.${name}`]);
  switch (here.at) {
    case "home":
      return home(view);
    case "resume":
      return [[["resume.title"]], [["resume.on", { what: whatOf(here.spots.at(-1)) }], ["resume.anew"]]];
    case "more":
      return [[["more.title"]], choose("borrow", "pay_off", "pay_other", "refer", "settings")];
    case "help":
      return [[["help.title"]], choose("fault", "reports", "person")];
    case "settings":
      return [[["settings.title"]], choose("language", "messages", "new_pin")];
    case "language":
      return [
        [["language.title"]],
        listed(
          NAMES.map(([, name]): Said => ["language.name", { name }]),
          here.from,
        ),
      ];
    case "choose":
      return [
        [[`choose.${here.purpose}`]],
        listed(
          contracts.map(({ account }): Said => ["contract.choice", { account, name: who?.name ?? "" }]),
          here.from,
        ),
      ];
    case "pay_account":
      return [[["pay.account"]], []];
    case "pay_amount":
      return [
        [
          ["pay.amount", { account: here.payee.account, name: here.payee.name, currency: "KES" }],
          ["pay.day_price", { amount: money(here.payee.dayMinor) }],
        ],
        [],
      ];
    case "pay_confirm": {
      const { account, name } = here.payee;
      return [
        [["pay.confirm", { amount: money(here.minor), account, name, phone: here.phone }]],
        choose("yes", "other_phone", "by_hand"),
      ];
    }
    case "pay_phone":
      return [[["pay.phone"]], []];
    case "tokens":
      return [[["tokens.title"]], choose("last_token", "payment_tokens")];
    case "payments":
      return [
        [["payments.title"]],
        paymentsOf(life, here.contract).map(({ amountMinor, atMs }): Said => [
          "payment.choice",
          { amount: money(amountMinor), on: dayOf(atMs, language) },
        ]),
      ];
    case "borrow":
      return [
        [["borrow.title", { price: money(DAY_MINOR) }]],
        here.days.map((days): Said => ["borrow.choice", { days }]),
      ];
    case "borrow_confirm":
      return [[["borrow.confirm", { days: here.days, amount: money(here.days * DAY_MINOR) }]], choose("yes", "no")];
    case "pay_off":
      return [
        [
          [
            "pay_off.quote",
            { amount: money(here.minor), account: here.contract.account, on: dayOf(here.untilMs, language) },
          ],
        ],
        choose("pay_it"),
      ];
    case "fault":
      return [[["fault.title"]], FAULTS.map((fault): Said => [`fault.${fault}`])];
    case "fault_note":
      return [[["fault.note"]], []];
    case "reports":
      return [
        life.reports.length === 0
          ? [["reports.none"]]
          : life.reports
              .slice(0, 3)
              .map(({ number, fault, atMs }): Said => [
                "reports.one",
                { number, fault, state: "open", on: dayOf(atMs, language) },
              ]),
        [],
      ];
    case "person":
      return [[["person.title"]], []];
    case "refer":
      return [[["refer.title"]], []];
    case "messages": {
      const { service, marketing } = required(life.consents.get(who?.id ?? ""));
      const yesNo = (is: boolean): string => (is ? "yes" : "no");
      return [
        [["messages.title", { service: yesNo(service), marketing: yesNo(marketing) }]],
        [
          [service ? "messages.stop_service" : "messages.start_service"],
          [marketing ? "messages.stop_news" : "messages.start_news"],
        ],
      ];
    }
    case "pin":
    case "identify_pin":
      return [[["pin.title"]], []];
    case "new_pin":
      return [[["pin.new"]], []];
    case "identify_account":
      return [[["identify.account"]], []];
    case "lead_name":
      return [[["lead.name"]], []];
    case "lead_place":
      return [[["lead.place"]], []];
  }
}

function home({ who, life, nowMs }: View): Screen {
  const customer = who;
  if (customer === undefined)
    return [
      [["home.stranger"]],
      ["pay", "my_account", "get_system", "person", "language"].map((one): Said => [`choice.${one}`]),
    ];
  const [first] = who?.contracts ?? [];
  const { name } = customer;
  const days = first === undefined ? undefined : light(life, first, nowMs);
  const greeting: Said =
    days === undefined
      ? ["home.no_contract", { name }]
      : days === 0
        ? ["home.off", { name }]
        : ["home.days", { name, days }];
  return [[greeting], ["pay", "balance", "tokens", "help", "more"].map((one): Said => [`choice.${one}`])];
}
