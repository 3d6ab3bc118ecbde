import { choicesOf, pickOnly } from "../dialogue/listing.ts";
import { ask, end, go, line, refusal, wrongAnswer, type Handlers, notThere } from "../dialogue/moves.ts";
import { confirmation, menu } from "../dialogue/screen.ts";
import { moneyOf } from "../texts/texts.ts";
import { withPin } from "./identity.ts";

/** Days on credit, and the whole price at once. */
export const loanHandlers: Handlers<"borrow" | "borrow_confirm" | "pay_off"> = {
  borrow: {
    show: ({ offer }) =>
      menu(
        "borrow",
        [line("borrow.title", { price: moneyOf(offer.dayPriceMinor, offer.currency) })],
        choicesOf(offer.days, 0, (days) => line("borrow.choice", { days })),
      ),
    hear: ({ contractId, offer }, said, facts) =>
      pickOnly(offer.days, said, (days) => withPin({ at: "borrow_confirm", contractId, offer, days }, facts)),
  },

  borrow_confirm: {
    show: ({ offer, days }) =>
      confirmation(
        "borrow_confirm",
        [
          line("borrow.confirm", {
            days,
            amount: moneyOf(String(BigInt(offer.dayPriceMinor) * BigInt(days)), offer.currency),
          }),
        ],
        [
          { key: "1", label: line("choice.yes") },
          { key: "2", label: line("choice.no") },
        ],
      ),
    hear({ contractId, days }, said) {
      if (said === "1") return ask({ kind: "borrow", contractId, days });
      return said === "2" ? end("left", line("left")) : notThere;
    },
    told(place, answer) {
      if (answer.kind === "refused") return end("refused", refusal(answer));
      if (answer.kind !== "tokens") return wrongAnswer(place, answer);
      const { tokens, account } = answer;
      return end(
        "borrowed",
        line("borrow.done", { days: place.days, count: tokens.length, tokens: tokens.join(", "), account }),
      );
    },
  },

  pay_off: {
    show: ({ quote }) =>
      menu(
        "pay_off",
        [
          ...(quote.isAnew ? [line("pay_off.anew")] : []),
          line("pay_off.quote", {
            amount: moneyOf(quote.amountMinor, quote.currency),
            account: quote.payee.account,
            on: { atMs: quote.expiresAtMs },
          }),
        ],
        [{ key: "1", label: line("choice.pay_it") }],
      ),
    hear({ quote }, said, { caller, nowMs }) {
      if (said !== "1") return notThere;
      // A chat may stand here for days.
      if (quote.expiresAtMs < nowMs) return end("told", line("pay_off.expired", { on: { atMs: quote.expiresAtMs } }));
      return go({ at: "pay_confirm", payee: quote.payee, amountMinor: quote.amountMinor, phone: caller.phone });
    },
  },
};
