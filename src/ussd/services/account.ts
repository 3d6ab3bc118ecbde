import type { Answer } from "../dialogue/asks.ts";
import type { ContractFacts } from "../dialogue/facts.ts";
import { choicesOf, pickOnly } from "../dialogue/listing.ts";
import {
  again,
  ask,
  end,
  go,
  line,
  refusal,
  wrongAnswer,
  type Handlers,
  type Move,
  notThere,
} from "../dialogue/moves.ts";
import { menu } from "../dialogue/screen.ts";
import { moneyOf, type Line } from "../texts/texts.ts";

/** What a customer has: days, debt, tokens. */
export const accountHandlers: Handlers<"tokens" | "payments"> = {
  tokens: {
    show: () =>
      menu(
        "tokens",
        [line("tokens.title")],
        [
          { key: "1", label: line("choice.last_token") },
          { key: "2", label: line("choice.payment_tokens") },
        ],
      ),
    hear({ contractId }, said) {
      if (said === "1") return ask({ kind: "latest_tokens", contractId });
      return said === "2" ? ask({ kind: "payments", contractId }) : notThere;
    },
    told({ contractId, ...place }, answer) {
      switch (answer.kind) {
        case "refused":
          return end("refused", refusal(answer));
        case "tokens":
          return tokensTold(answer);
        case "payments":
          return go({ at: "payments", contractId, payments: answer.payments });
        case "done":
        case "payee":
        case "loan":
        case "quote":
        case "phone":
        case "language":
        case "person":
        case "buyers":
        case "stock":
        case "sold":
        case "cash":
        case "found":
          return wrongAnswer({ contractId, ...place }, answer);
      }
    },
  },

  payments: {
    show: ({ payments }) =>
      menu(
        "payments",
        [line("payments.title")],
        choicesOf(payments, 0, ({ amountMinor, currency, paidAtMs }) =>
          line("payment.choice", { amount: moneyOf(amountMinor, currency), on: { atMs: paidAtMs } }),
        ),
      ),
    hear: ({ contractId, payments }, said) =>
      pickOnly(payments, said, ({ cause }) => ask({ kind: "payment_tokens", contractId, cause })),
    told(place, answer) {
      if (answer.kind === "tokens") return tokensTold(answer);
      return answer.kind === "refused" ? again(`refused.${answer.why}`) : wrongAnswer(place, answer);
    },
  },
};

/** The end of every way to a token. */
export function tokensTold({ tokens, account }: Extract<Answer, { kind: "tokens" }>): Move {
  return end("told", line("tokens.told", { count: tokens.length, tokens: tokens.join(", "), account }));
}

/** Days left, what is owed, and what the next day costs. */
export function balanceOf(contract: ContractFacts): readonly Line[] {
  const { account, currency } = contract;
  if (contract.state !== "active") return [line(`contract.${contract.state}`, { account })];
  const light =
    contract.light.kind === "days"
      ? line("balance.days", { account, days: contract.light.days })
      : line("balance.off", { account });
  const owed =
    contract.owedMinor === undefined ? [] : [line("balance.owed", { amount: moneyOf(contract.owedMinor, currency) })];
  return [light, ...owed, line("balance.price", { amount: moneyOf(contract.dayPriceMinor, currency) })];
}
