import type { ContractFacts } from "../dialogue/facts.ts";
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
} from "../dialogue/moves.ts";
import type { Payee } from "../dialogue/place.ts";
import { confirmation, question } from "../dialogue/screen.ts";
import { moneyOf } from "../texts/texts.ts";
import { readAmount } from "./amount.ts";

/** Paying: for one's own light or another's, by a prompt on a phone or by hand. */
export const payHandlers: Handlers<"pay_account" | "pay_amount" | "pay_confirm" | "pay_phone"> = {
  pay_account: {
    show: () => question("pay_account", [line("pay.account")]),
    hear: (_place, said) => (said === "" ? again("again.account") : ask({ kind: "find_payee", text: said })),
    told: (place, answer) =>
      unlessRefused(answer, (found) =>
        found.kind === "payee" ? go({ at: "pay_amount", payee: found.payee }) : wrongAnswer(place, answer),
      ),
  },

  pay_amount: {
    show: ({ payee }) =>
      question("pay_amount", [
        line("pay.amount", { account: payee.account, name: payee.name, currency: payee.currency }),
        line("pay.day_price", { amount: moneyOf(payee.dayPriceMinor, payee.currency) }),
      ]),
    hear({ payee }, said, { caller }) {
      const amount = readAmount(said, payee.currency);
      if (amount === undefined) return again("again.amount", { currency: payee.currency });
      if (amount < BigInt(payee.minimumMinor))
        return again("again.minimum", { amount: moneyOf(payee.minimumMinor, payee.currency) });
      return go({ at: "pay_confirm", payee, amountMinor: String(amount), phone: caller.phone });
    },
  },

  pay_confirm: {
    show: ({ payee, amountMinor, phone }) =>
      confirmation(
        "pay_confirm",
        [
          line("pay.confirm", {
            amount: moneyOf(amountMinor, payee.currency),
            account: payee.account,
            name: payee.name,
            phone,
          }),
        ],
        [
          { key: "1", label: line("choice.yes") },
          { key: "2", label: line("choice.other_phone") },
          { key: "3", label: line("choice.by_hand") },
        ],
      ),
    hear({ payee, amountMinor, phone }, said, { contracts }) {
      switch (said) {
        case "1":
          return ask({ kind: "request_payment", account: payee.account, amountMinor, phone });
        case "2":
          return go({ at: "pay_phone", payee, amountMinor });
        case "3":
          return end(
            "told",
            ...byHand(
              payee,
              contracts.find(({ account }) => account === payee.account),
            ),
          );
        default:
          return notThere;
      }
    },
    told({ payee, amountMinor, phone, ...place }, answer) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      if (answer.kind !== "done") return wrongAnswer({ payee, amountMinor, phone, ...place }, answer);
      return end("payment_asked", line("pay.asked", { amount: moneyOf(amountMinor, payee.currency), phone }));
    },
  },

  pay_phone: {
    show: () => question("pay_phone", [line("pay.phone")]),
    hear: (_place, said) => ask({ kind: "parse_phone", text: said }),
    told: ({ payee, amountMinor, ...place }, answer) =>
      unlessRefused(answer, (found) =>
        found.kind === "phone"
          ? { kind: "instead", place: { at: "pay_confirm", payee, amountMinor, phone: found.phone } }
          : wrongAnswer({ payee, amountMinor, ...place }, answer),
      ),
  },
};

function byHand(payee: Payee, contract: ContractFacts | undefined) {
  const paybill = contract?.paybill;
  return [
    paybill === undefined
      ? line("pay.by_hand_call", { account: payee.account })
      : line("pay.by_hand", { paybill, account: payee.account }),
  ];
}

/** The caller's own contract as whom a payment is for. */
export function payeeOf({ account, holder, currency, minimumMinor, dayPriceMinor }: ContractFacts): Payee {
  return { account, name: holder, currency, minimumMinor, dayPriceMinor };
}
