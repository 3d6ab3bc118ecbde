import type { Answer } from "../dialogue/asks.ts";
import type { ContractFacts, Facts } from "../dialogue/facts.ts";
import { ask, end, go, line, notThere, refusal, wrongAnswer, type Handlers, type Move } from "../dialogue/moves.ts";
import type { ContractAct, Place } from "../dialogue/place.ts";
import { choicesOf, pick } from "../dialogue/listing.ts";
import { menu, type Screen } from "../dialogue/screen.ts";
import type { Line } from "../texts/texts.ts";
import { balanceOf, tokensTold } from "./account.ts";
import { agentChose, agentHome } from "./agent.ts";
import { payeeOf } from "./pay.ts";

/** The first screens, and the choice among several contracts, which every service begins with. */
export const homeHandlers: Handlers<"home" | "own_home" | "more" | "help" | "choose_contract"> = {
  home: {
    show: (_place, facts) => (facts.agent === undefined ? ownHome("home", facts) : agentHome(facts.agent)),
    hear: (_place, said, facts) => (facts.agent === undefined ? ownHomeChose(said, facts) : agentChose(said, facts)),
    told: answered,
  },

  own_home: {
    show: (_place, facts) => ownHome("own_home", facts),
    hear: (_place, said, facts) => ownHomeChose(said, facts),
    told: answered,
  },

  more: {
    show: () =>
      menu(
        "more",
        [line("more.title")],
        [
          { key: "1", label: line("choice.borrow") },
          { key: "2", label: line("choice.pay_off") },
          { key: "3", label: line("choice.pay_other") },
          { key: "4", label: line("choice.refer") },
          { key: "5", label: line("choice.settings") },
        ],
      ),
    hear(_place, said, facts) {
      switch (said) {
        case "1":
          return withContract("borrow", facts);
        case "2":
          return withContract("pay_off", facts);
        case "3":
          return go({ at: "pay_account" });
        case "4":
          return go({ at: "refer" });
        case "5":
          return go({ at: "settings" });
        default:
          return notThere;
      }
    },
    told: answered,
  },

  help: {
    show: () =>
      menu(
        "help",
        [line("help.title")],
        [
          { key: "1", label: line("choice.fault") },
          { key: "2", label: line("choice.reports") },
          { key: "3", label: line("choice.person") },
        ],
      ),
    hear(_place, said, facts) {
      switch (said) {
        case "1":
          return withContract("fault", facts);
        case "2":
          return go({ at: "reports" });
        case "3":
          return go({ at: "person" });
        default:
          return notThere;
      }
    },
  },

  choose_contract: {
    show: ({ act, from }, { contracts }) =>
      menu(
        "choose_contract",
        [line(`choose.${act}`)],
        choicesOf(contracts, from, ({ account, holder }) => line("contract.choice", { account, name: holder })),
      ),
    hear: ({ act, from }, said, { contracts }) =>
      pick(contracts, said, {
        from,
        next: (next) => ({ at: "choose_contract", act, from: next }),
        chosen: (contract) => actOn(act, contract),
      }),
    told: answered,
  },
};

/** Nobody whose number we know, and nobody who proved an account. */
export function isStranger({ caller, contracts }: Facts): boolean {
  return caller.name === undefined && contracts.length === 0;
}

function ownHome(at: "home" | "own_home", facts: Facts): Screen {
  return isStranger(facts)
    ? menu(
        at,
        [line("home.stranger")],
        [
          { key: "1", label: line("choice.pay") },
          { key: "2", label: line("choice.my_account") },
          { key: "3", label: line("choice.get_system") },
          { key: "4", label: line("choice.person") },
          { key: "5", label: line("choice.language") },
        ],
      )
    : menu(
        at,
        [greeting(facts)],
        [
          { key: "1", label: line("choice.pay") },
          { key: "2", label: line("choice.balance") },
          { key: "3", label: line("choice.tokens") },
          { key: "4", label: line("choice.help") },
          { key: "5", label: line("choice.more") },
        ],
      );
}

function ownHomeChose(said: string, facts: Facts): Move {
  return isStranger(facts) ? strangerChose(said) : customerChose(said, facts);
}

/** The days left are the first thing that anybody wants to know. */
function greeting({ caller, contracts }: Facts): Line {
  const name = caller.name ?? contracts[0]?.holder ?? "";
  const [first] = contracts;
  if (first === undefined) return line("home.no_contract", { name });
  switch (first.light.kind) {
    case "days":
      return line("home.days", { name, days: first.light.days });
    case "off":
      return line("home.off", { name });
    case "forever":
      return line("home.forever", { name });
  }
}

function strangerChose(said: string): Move {
  switch (said) {
    case "1":
      return go({ at: "pay_account" });
    case "2":
      return go({ at: "identify_account" });
    case "3":
      return go({ at: "lead_name" });
    case "4":
      return go({ at: "person" });
    case "5":
      return go({ at: "language", from: 0 });
    default:
      return notThere;
  }
}

function customerChose(said: string, facts: Facts): Move {
  switch (said) {
    case "1":
      return withContract("pay", facts);
    case "2":
      return withContract("balance", facts);
    case "3":
      return withContract("tokens", facts);
    case "4":
      return go({ at: "help" });
    case "5":
      return go({ at: "more" });
    default:
      return notThere;
  }
}

/** With one contract there is nothing to choose. */
function withContract(act: ContractAct, { contracts }: Facts): Move {
  const [first] = contracts;
  if (first === undefined) return end("told", line("contract.none"));
  return contracts.length === 1 ? actOn(act, first) : go({ at: "choose_contract", act, from: 0 });
}

function actOn(act: ContractAct, contract: ContractFacts): Move {
  switch (act) {
    case "pay":
      return contract.state === "active"
        ? go({ at: "pay_amount", payee: payeeOf(contract) })
        : end("told", line(`contract.${contract.state}`, { account: contract.account }));
    case "balance":
      return end("told", ...balanceOf(contract));
    case "tokens":
      return go({ at: "tokens", contractId: contract.id });
    case "borrow":
      return ask({ kind: "loan_offer", contractId: contract.id });
    case "pay_off":
      return ask({ kind: "pay_off_quote", contractId: contract.id });
    case "fault":
      return go({ at: "fault", contractId: contract.id });
  }
}

/** Answers to what `actOn` asks; the menu that asked stands behind what follows. */
function answered(place: Place, answer: Answer): Move {
  switch (answer.kind) {
    case "refused":
      return end("refused", refusal(answer));
    case "loan":
      return go({ at: "borrow", contractId: answer.contractId, offer: answer.offer });
    case "quote":
      return go({ at: "pay_off", contractId: answer.contractId, quote: answer.quote });
    case "tokens":
      return tokensTold(answer);
    case "done":
    case "payee":
    case "payments":
    case "phone":
    case "language":
    case "person":
    case "buyers":
    case "stock":
    case "sold":
    case "cash":
    case "found":
      return wrongAnswer(place, answer);
  }
}
