import type { News } from "./credit/credit.ts";
import { formatMoney } from "./kernel/money.ts";
import type { NewMessage } from "./messaging/messaging.ts";

/** Light in days with at most one decimal, rounded down: nobody is promised more than the token holds. */
export function formatDays(units: number, timeDivider: number): string {
  return String(Math.floor((units * 10) / timeDivider) / 10);
}

/** What customers read: groups of three are easier to type than nine digits in a row. */
function formatToken(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, " ");
}

/** Turns news from the credit module into the message that tells of it; none where there is no phone. */
export function announcementOf({
  key,
  contact,
  contractId,
  receiptId,
  amount,
  account,
  event,
}: News): readonly NewMessage[] {
  if (contact.phone === undefined) return [];
  const message = (template: NewMessage["template"], values: Record<string, string>): readonly NewMessage[] => [
    {
      key,
      toPhone: contact.phone ?? "",
      language: contact.language,
      template,
      values,
      about: { ...(contractId === undefined ? {} : { contractId }), ...(receiptId === undefined ? {} : { receiptId }) },
    },
  ];
  const paid = { amount: formatMoney(amount), account };
  switch (event.kind) {
    case "tokens": {
      const tokens = event.tokens.map(({ digits }) => formatToken(digits));
      const days = formatDays(event.units, event.timeDivider);
      return tokens.length === 1
        ? message("token_received", { ...paid, token: tokens.join(), days })
        : message("tokens_received", { ...paid, tokens: tokens.join(", "), days });
    }
    case "light_coming":
      return message("light_coming", { ...paid, days: formatDays(event.units, event.timeDivider) });
    case "tokens_after_all":
      return message("light_did_not_come", {
        account,
        tokens: event.tokens.map(({ digits }) => formatToken(digits)).join(", "),
        days: formatDays(event.units, event.timeDivider),
      });
    case "held":
      return message("payment_held", { ...paid, missing: formatMoney(event.missing) });
    case "debt":
      return message("payment_debt", { ...paid, debt: formatMoney(event.debt) });
    case "unlocked":
      return message("unlocked", { ...paid, token: event.tokens.map(({ digits }) => formatToken(digits)).join(", ") });
    case "refundable":
      return message("payment_refundable", paid);
    case "taken_back": {
      const hasMoved = event.why === "unlinked";
      return event.debt.minor > 0n
        ? message(hasMoved ? "payment_moved_debt" : "payment_taken_back_debt", {
            ...paid,
            debt: formatMoney(event.debt),
          })
        : message(hasMoved ? "payment_moved" : "payment_taken_back", paid);
    }
    case "account_unknown":
      return message("account_unknown", { amount: paid.amount, reference: account });
    case "lent":
      return message("days_lent", {
        account,
        days: String(event.days),
        debt: formatMoney(event.debt),
        tokens: event.tokens.map(({ digits }) => formatToken(digits)).join(", "),
      });
    case "token_again":
      return message("token_again", {
        account,
        token: event.tokens.map(({ digits }) => formatToken(digits)).join(", "),
      });
  }
}
