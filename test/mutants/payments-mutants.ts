import type { Mutant } from "./mutant.ts";

const STANDS = "test/payments/where-money-stands.test.ts";
const TAKEN_BACK = "test/credit/taken-back.test.ts";
const COMMISSION = {
  file: "test/payments/cash/cash-commission.test.ts",
  test: "many small commissions, some of them taken back, sum to the exact ratio rounded down once, and the fixed parts",
};

/** Mistakes between the door and the books, and in money that goes back or to agents. */
export const paymentsMutants: readonly Mutant[] = [
  {
    name: "suspense is opened, but the provider's side is not debited",
    file: "src/payments/receipts/receipts.commands.ts",
    find: 'accountId: requireId(accounts.get(clearingAccount({ ...receipt, currency }).code), "clearing"),',
    replace: 'accountId: requireId(accounts.get(suspenseAccount(currency).code), "clearing"),',
    caughtBy: {
      file: STANDS,
      test: "money that nobody could match stands at the provider on one side and in suspense on the other",
    },
  },
  {
    name: "money for a contract goes to suspense as well",
    file: "src/payments/receipts/receipts.commands.ts",
    find: '...(destination.kind === "contract" ? destination.credits : []),\n        { accountId: suspense, amountMinor: -suspendedMinor },',
    replace: "{ accountId: suspense, amountMinor: -minor },",
    caughtBy: { file: STANDS, test: "money for a contract stands at the provider, and nothing of it in suspense" },
  },
  {
    name: "the same payment for another account is taken for a repeat",
    file: "src/payments/inbox/arrivals.ts",
    find: 'creditParty,\n    reference,\n    at?.toISOString() ?? "",',
    replace: 'creditParty,\n    at?.toISOString() ?? "",',
    caughtBy: {
      file: STANDS,
      test: "the same payment for another account is a conflict, and the money stays where it was",
    },
  },
  {
    name: "a payment is dated by its arrival",
    file: "src/payments/inbox/arrivals.ts",
    find: "paidAt: report.at ?? receivedAt,",
    replace: "paidAt: receivedAt,",
    caughtBy: {
      file: "test/credit/money-in-order.test.ts",
      test: "money paid before a change of price buys at the old one, whenever it arrives",
    },
  },
  {
    name: "what was spent is not owed when it is taken back",
    file: "src/credit/take-back.commands.ts",
    find: "contract.debtMinor : contract.debtMinor + parts.owed,",
    replace: "contract.debtMinor : contract.debtMinor,",
    caughtBy: { file: TAKEN_BACK, test: "money taken back comes out of what is held, and what it had bought is owed" },
  },
  {
    name: "refundable money stays when the payment is taken back",
    file: "src/credit/take-back.commands.ts",
    find: "least(least(contract.refundableMinor, excess > 0n ? excess : 0n), minor);",
    replace: "least(0n * excess, minor);",
    caughtBy: {
      file: TAKEN_BACK,
      test: "money taken back after the last of the price comes out of what is refundable first",
    },
  },
  {
    name: "more is taken back than was paid",
    file: "src/credit/take-back.commands.ts",
    find: "least(most > 0n ? most : 0n, left);",
    replace: "most > 0n ? left : 0n;",
    caughtBy: { file: TAKEN_BACK, test: "more than a payment brought is not taken back at all" },
  },
  {
    name: "the rest of a commission's minor unit is forgotten",
    file: "src/payments/cash/commission.ts",
    find: "carriedFraction: exact - whole * ratio.denominator }",
    replace: "carriedFraction: 0n }",
    caughtBy: COMMISSION,
  },
  {
    name: "a commission taken back keeps its fixed part",
    file: "src/payments/cash/commission.ts",
    find: "whole + sign * fixedMinor",
    replace: "whole + fixedMinor",
    caughtBy: COMMISSION,
  },
];
