import { LANGUAGES } from "../../kernel/language.ts";
import type { Answer } from "../dialogue/asks.ts";
import { choicesOf, pick, pickOnly } from "../dialogue/listing.ts";
import type { AgentFacts, Facts } from "../dialogue/facts.ts";
import {
  again,
  ask,
  end,
  go,
  line,
  notThere,
  refusal,
  unlessRefused,
  wrongAnswer,
  type Handlers,
  type Move,
} from "../dialogue/moves.ts";
import type { FoundContract, Place } from "../dialogue/place.ts";
import { confirmation, menu, question, type Choice, type Screen } from "../dialogue/screen.ts";
import { LANGUAGE_NAMES, moneyOf } from "../texts/texts.ts";
import { balanceOf } from "./account.ts";
import { readAmount } from "./amount.ts";
import { agentPin } from "./identity.ts";

/** What an agent sees first. It tells nothing that only the agent may know: whoever holds the phone sees it. */
export function agentHome({ name }: AgentFacts): Screen {
  return menu(
    "home",
    [line("agent.home", { name })],
    [
      { key: "1", label: line("agent.choice_register") },
      { key: "2", label: line("agent.choice_sell") },
      { key: "3", label: line("agent.choice_collect") },
      { key: "4", label: line("agent.choice_hand_over") },
      { key: "5", label: line("choice.more") },
    ],
  );
}

export function agentChose(said: string, facts: Facts): Move {
  switch (said) {
    case "1":
      return agentPin({ at: "agent_name" }, facts);
    case "2":
      return agentPin({ at: "agent_buyer" }, facts);
    case "3":
      return agentPin({ at: "agent_account" }, facts);
    case "4":
      return agentPin({ at: "agent_hand_over" }, facts);
    case "5":
      return go({ at: "agent_more" });
    default:
      return notThere;
  }
}

type AgentPlace = Extract<Place["at"], `agent_${string}`>;

/** What agents do in the field: register, sell, collect, hand over, look up. All of it behind their PIN. */
export const agentHandlers: Handlers<AgentPlace> = {
  agent_more: {
    show: () =>
      menu(
        "agent_more",
        [line("more.title")],
        [
          { key: "1", label: line("agent.choice_look_up") },
          { key: "2", label: line("choice.my_account") },
          { key: "3", label: line("choice.new_pin") },
          { key: "4", label: line("choice.language") },
        ],
      ),
    hear(_place, said, facts) {
      switch (said) {
        case "1":
          return agentPin({ at: "agent_look_up" }, facts);
        case "2":
          return go({ at: "own_home" });
        case "3":
          return agentPin({ at: "new_pin", whose: "staff", next: { at: "home" } }, facts);
        case "4":
          return go({ at: "language", from: 0 });
        default:
          return notThere;
      }
    },
  },

  agent_name: {
    show: () => question("agent_name", [line("agent.name")]),
    hear: (_place, said) =>
      said.length < 2 || said.length > NAME_CHARACTERS_MAX
        ? again("again.words")
        : go({ at: "agent_phone", name: said }),
  },

  agent_phone: {
    show: ({ name }) => question("agent_phone", [line("agent.phone", { name: shortened(name) })]),
    hear: (_place, said) => ask({ kind: "parse_phone", text: said }),
    told: ({ name, ...place }, answer) =>
      unlessRefused(answer, (found) =>
        found.kind === "phone"
          ? go({ at: "agent_language", name, phone: found.phone, from: 0 })
          : wrongAnswer({ name, ...place }, answer),
      ),
  },

  agent_language: {
    show: ({ from }) =>
      menu(
        "agent_language",
        [line("agent.language")],
        choicesOf(LANGUAGES, from, (language) => line("language.name", { name: LANGUAGE_NAMES[language] })),
      ),
    hear: ({ name, phone, from }, said) =>
      pick(LANGUAGES, said, {
        from,
        next: (next) => ({ at: "agent_language", name, phone, from: next }),
        chosen: (language) => go({ at: "agent_register", name, phone, language }),
      }),
  },

  agent_register: {
    show: ({ name, phone, language }) =>
      confirmation(
        "agent_register",
        [line("agent.register", { name: shortened(name), phone, language: LANGUAGE_NAMES[language] })],
        [
          { key: "1", label: line("agent.choice_consents") },
          { key: "2", label: line("agent.choice_consents_not") },
          { key: "3", label: line("choice.no") },
        ],
      ),
    hear({ name, phone, language }, said) {
      if (said === "3") return end("left", line("left"));
      if (said !== "1" && said !== "2") return notThere;
      return ask({ kind: "register_customer", name, phone, language, takesService: said === "1" });
    },
    told: ({ name, ...place }, answer) =>
      actDone({ name, ...place }, answer, () => end("registered", line("agent.registered", { name: shortened(name) }))),
  },

  agent_buyer: {
    show: () => question("agent_buyer", [line("agent.buyer")]),
    hear: (_place, said) => ask({ kind: "find_buyers", phone: said }),
    told: (place, answer) =>
      unlessRefused(answer, (found) => {
        if (found.kind !== "buyers") return wrongAnswer(place, answer);
        const { buyers, plans } = found;
        const [only, ...others] = buyers;
        return only !== undefined && others.length === 0
          ? go({ at: "agent_plan", buyer: only, plans, from: 0 })
          : go({ at: "agent_buyers", buyers, plans });
      }),
  },

  agent_buyers: {
    show: ({ buyers }) =>
      menu(
        "agent_buyers",
        [line("agent.which_buyer")],
        choicesOf(buyers, 0, ({ name }) => line("language.name", { name })),
      ),
    hear: ({ buyers, plans }, said) =>
      pickOnly(buyers, said, (buyer) => go({ at: "agent_plan", buyer, plans, from: 0 })),
  },

  agent_plan: {
    show: ({ plans, from }) =>
      menu(
        "agent_plan",
        [line("agent.which_plan")],
        choicesOf(plans, from, ({ name, price }) => line("agent.plan", { name, price })),
      ),
    hear: ({ buyer, plans, from }, said) =>
      pick(plans, said, {
        from,
        next: (next) => ({ at: "agent_plan", buyer, plans, from: next }),
        chosen: (plan) => go({ at: "agent_serial", buyer, plan }),
      }),
  },

  agent_serial: {
    show: () => question("agent_serial", [line("agent.serial")]),
    hear: (_place, said) => (said === "" ? again("again.words") : ask({ kind: "find_stock", serial: said })),
    told: ({ buyer, plan, ...place }, answer) =>
      unlessRefused(answer, (found) =>
        found.kind === "stock"
          ? go({ at: "agent_sale", buyer, plan, serial: found.serial })
          : wrongAnswer({ buyer, plan, ...place }, answer),
      ),
  },

  agent_sale: {
    show: ({ buyer, plan, serial }) =>
      yesOrNo("agent_sale", line("agent.sale", { name: buyer.name, serial, plan: plan.name, price: plan.price })),
    hear: ({ buyer, plan, serial }, said) =>
      yesAsks(said, { kind: "sell", customerId: buyer.id, planCode: plan.code, serial }),
    told(place, answer) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      return answer.kind === "sold"
        ? end("sold", line("agent.sold", { account: answer.account }))
        : wrongAnswer(place, answer);
    },
  },

  agent_account: {
    show: () => question("agent_account", [line("agent.account")]),
    hear: (_place, said) => (said === "" ? again("again.account") : ask({ kind: "find_to_collect", text: said })),
    told: (place, answer) =>
      unlessRefused(answer, (found) =>
        found.kind === "payee" ? go({ at: "agent_cash", payee: found.payee }) : wrongAnswer(place, answer),
      ),
  },

  agent_cash: {
    show: ({ payee }) =>
      question("agent_cash", [
        line("agent.cash", { account: payee.account, name: payee.name, currency: payee.currency }),
        line("pay.day_price", { amount: moneyOf(payee.dayPriceMinor, payee.currency) }),
      ]),
    hear({ payee }, said) {
      const amount = readAmount(said, payee.currency);
      return amount === undefined
        ? again("again.amount", { currency: payee.currency })
        : go({ at: "agent_cash_confirm", payee, amountMinor: String(amount) });
    },
  },

  agent_cash_confirm: {
    show: ({ payee, amountMinor }) =>
      yesOrNo(
        "agent_cash_confirm",
        line("agent.cash_confirm", {
          amount: moneyOf(amountMinor, payee.currency),
          account: payee.account,
          name: payee.name,
        }),
      ),
    hear: ({ payee, amountMinor }, said) =>
      yesAsks(said, { kind: "collect_cash", account: payee.account, amountMinor }),
    told({ payee, amountMinor, ...place }, answer) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      if (answer.kind !== "cash") return wrongAnswer({ payee, amountMinor, ...place }, answer);
      const { number } = answer;
      const amount = moneyOf(amountMinor, payee.currency);
      return end("collected", line(answer.isWaiting ? "agent.cash_waits" : "agent.collected", { number, amount }));
    },
  },

  agent_hand_over: {
    show(_place, facts) {
      const hands = inHand(facts);
      return menu(
        "agent_hand_over",
        [line(hands.length === 0 ? "agent.hand_over_none" : "agent.hand_over")],
        choicesOf(hands, 0, ({ minor, currency }) => line("language.name", { name: moneyOf(minor, currency) })),
      );
    },
    hear: (_place, said, facts) =>
      pickOnly(inHand(facts), said, ({ minor, currency }) =>
        go({ at: "agent_hand_over_confirm", amountMinor: minor, currency }),
      ),
  },

  agent_hand_over_confirm: {
    show: ({ amountMinor, currency }) =>
      confirmation(
        "agent_hand_over_confirm",
        [line("agent.hand_over_confirm", { amount: moneyOf(amountMinor, currency) })],
        [
          { key: "1", label: line("choice.yes") },
          { key: "2", label: line("agent.choice_other_amount") },
        ],
      ),
    hear({ amountMinor, currency }, said) {
      if (said === "1") return ask({ kind: "hand_over", amountMinor, currency });
      return said === "2" ? go({ at: "agent_hand_over_amount", currency }) : notThere;
    },
    told: ({ amountMinor, currency, ...place }, answer) =>
      actDone({ amountMinor, currency, ...place }, answer, () =>
        end("handed_over", line("agent.handed_over", { amount: moneyOf(amountMinor, currency) })),
      ),
  },

  agent_hand_over_amount: {
    show: ({ currency }) => question("agent_hand_over_amount", [line("agent.hand_over_amount", { currency })]),
    hear({ currency }, said) {
      const amount = readAmount(said, currency);
      return amount === undefined
        ? again("again.amount", { currency })
        : { kind: "instead", place: { at: "agent_hand_over_confirm", amountMinor: String(amount), currency } };
    },
  },

  agent_look_up: {
    show: () => question("agent_look_up", [line("agent.look_up")]),
    hear: (_place, said) => (said === "" ? again("again.words") : ask({ kind: "look_up", text: said })),
    told: (place, answer) =>
      unlessRefused(answer, (found) => {
        if (found.kind !== "found") return wrongAnswer(place, answer);
        const [only, ...others] = found.contracts;
        return only !== undefined && others.length === 0
          ? end("told", ...foundLines(only))
          : go({ at: "agent_found", contracts: found.contracts });
      }),
  },

  agent_found: {
    show: ({ contracts }) =>
      menu(
        "agent_found",
        [line("agent.which_contract")],
        choicesOf(contracts, 0, ({ account, holder }) => line("contract.choice", { account, name: holder })),
      ),
    hear: ({ contracts }, said) => pickOnly(contracts, said, (contract) => end("told", ...foundLines(contract))),
  },
};

const NAME_CHARACTERS_MAX = 80;
/** What fits a confirmation beside the rest; the whole name is kept. */
const NAME_SHOWN_MAX = 24;

const shortened = (name: string): string => name.slice(0, NAME_SHOWN_MAX);

function yesOrNo(at: AgentPlace, asked: Choice["label"]): Screen {
  return confirmation(
    at,
    [asked],
    [
      { key: "1", label: line("choice.yes") },
      { key: "2", label: line("choice.no") },
    ],
  );
}

function yesAsks(said: string, act: Extract<Move, { kind: "ask" }>["ask"]): Move {
  if (said === "1") return ask(act);
  return said === "2" ? end("left", line("left")) : notThere;
}

function actDone(place: Place, answer: Answer, then: () => Move): Move {
  if (answer.kind === "refused") return end("refused", refusal(answer));
  return answer.kind === "done" ? then() : wrongAnswer(place, answer);
}

function inHand({ agent }: Facts): AgentFacts["inHand"] {
  return agent?.inHand ?? [];
}

function foundLines({ lastPayment, ...contract }: FoundContract) {
  const paid =
    lastPayment === undefined
      ? line("agent.never_paid")
      : line("agent.last_payment", {
          amount: moneyOf(lastPayment.amountMinor, contract.currency),
          on: { atMs: lastPayment.paidAtMs },
        });
  return [line("language.name", { name: contract.holder }), ...balanceOf(contract), paid];
}
