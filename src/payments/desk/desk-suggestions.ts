import type { ContractId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import type { DeskContract, Suggestion, SuggestionReason } from "./desk-records.ts";

/** What is known about an open item that could tell whose it is. */
export interface Clues {
  /** Contracts whose number is one slip away from what was typed. */
  readonly near: readonly { readonly contractId: ContractId; readonly slip: string }[];
  /** Active contracts of the people who have the payer's phone. */
  readonly ofPayer: readonly ContractId[];
  /** Contracts for which the same payer paid before. */
  readonly paid: readonly {
    readonly contractId: ContractId;
    readonly payments: number;
    /** Of these, how many of this very amount. */
    readonly sameAmount: number;
  }[];
  /** By the phone's hash; otherwise by the name alone, which many people share. */
  readonly isPayerSure: boolean;
  /** Requests of the same amount about that time that nothing has answered. */
  readonly requested: readonly { readonly contractId: ContractId; readonly isSamePayer: boolean }[];
}

/** Longer lists are not read. */
export const SUGGESTIONS_MAX = 10;
/** A guess is never certain. */
const SCORE_MAX = 99;

const SLIPS: Readonly<Record<string, { readonly score: number; readonly words: string }>> = {
  two_digits_swapped: { score: 75, words: "two neighbouring digits were swapped" },
  one_digit_wrong: { score: 70, words: "one digit differs from what was typed" },
  letter_for_digit: { score: 80, words: "a letter was typed that looks like a digit" },
  digit_missing: { score: 60, words: "one digit was left out" },
  digit_too_many: { score: 60, words: "one digit too many was typed" },
  other_words: { score: 85, words: "the number stands among other words" },
};

/** Ranks contracts by all that speaks for them; each further reason takes away a part of the remaining doubt. */
export function rankSuggestions(
  clues: Clues,
  {
    contracts,
    currency,
    excluded,
  }: {
    contracts: ReadonlyMap<ContractId, DeskContract>;
    currency: Currency;
    /** Contracts that the money was taken away from: they are known to be wrong. */
    excluded: ReadonlySet<string>;
  },
): readonly Suggestion[] {
  const found = new Map<ContractId, { doubt: number; reasons: SuggestionReason[] }>();
  const speakFor = (contractId: ContractId, score: number, reason: SuggestionReason): void => {
    const contract = contracts.get(contractId);
    if (contract === undefined || !contract.isActive || contract.currency !== currency || excluded.has(contractId))
      return;
    const entry = found.get(contractId) ?? { doubt: 1, reasons: [] };
    entry.doubt *= 1 - score / 100;
    entry.reasons.push(reason);
    found.set(contractId, entry);
  };
  for (const { contractId, slip } of clues.near) {
    const { score, words } = SLIPS[slip] ?? { score: 50, words: slip };
    const account = contracts.get(contractId)?.account ?? "";
    speakFor(contractId, score, { code: "account_one_slip_away", words: `Account ${account}: ${words}.` });
  }
  for (const contractId of clues.ofPayer) {
    const words =
      clues.ofPayer.length === 1
        ? "The payer's phone is the customer's, who has this one active contract."
        : `The payer's phone is the customer's, who has ${clues.ofPayer.length} active contracts.`;
    speakFor(contractId, 60 / clues.ofPayer.length, { code: "payer_is_customer", words });
  }
  const payers = clues.isPayerSure ? "This phone" : "Somebody of this name";
  for (const { contractId, payments, sameAmount } of clues.paid) {
    const times = payments === 1 ? "once" : `${payments} times`;
    const before = clues.isPayerSure ? 55 : 15;
    speakFor(contractId, before, { code: "payer_paid_before", words: `${payers} paid for it ${times} before.` });
    // A habit is more often than not, and more than once.
    if (sameAmount >= 2 && sameAmount * 2 > payments)
      speakFor(contractId, clues.isPayerSure ? 35 : 20, {
        code: "amount_is_usual",
        words: `${payers} usually pays this very amount for it: ${sameAmount} of ${payments} times.`,
      });
  }
  for (const { contractId, isSamePayer } of clues.requested)
    speakFor(contractId, isSamePayer ? 70 : 30, {
      code: "payment_was_requested",
      words: isSamePayer
        ? "This phone was asked to pay this amount for it about that time."
        : "Somebody was asked to pay this amount for it about that time.",
    });
  return [...found]
    .map(([contractId, { doubt, reasons }]) => ({
      contractId,
      score: Math.min(SCORE_MAX, Math.round((1 - doubt) * 100)),
      reasons,
    }))
    .toSorted((left, right) => right.score - left.score || (left.contractId < right.contractId ? -1 : 1))
    .slice(0, SUGGESTIONS_MAX);
}
