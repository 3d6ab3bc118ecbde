import type { Mutant } from "./mutant.ts";

const ALLOCATE = "test/credit/allocate.test.ts";
const CONTRACTS = "test/credit/contracts.test.ts";
const RECEIPTS = "test/credit/money-in-order.test.ts";

/** Mistakes in what a payment buys and where its money is booked. */
export const creditMutants: readonly Mutant[] = [
  {
    name: "a started unit is given whole",
    file: "src/credit/allocate.ts",
    find: "funds <= 0n ? 0n : funds / price.numerator;",
    replace: "funds <= 0n ? 0n : (funds + price.numerator - 1n) / price.numerator;",
    caughtBy: { file: ALLOCATE, test: "less than one unit's price is held and gives nothing yet (case 15)" },
  },
  {
    name: "the fraction of a cent that was not charged is forgotten",
    file: "src/credit/allocate.ts",
    find: "carriedFraction: cost % price.denominator,",
    replace: "carriedFraction: 0n,",
    caughtBy: { file: RECEIPTS, test: "cents that were rounded away are charged as soon as they are whole" },
  },
  {
    name: "the deposit is paid before the debt",
    file: "src/credit/allocate.ts",
    find: "const debtMinor = least(standing.debtMinor, payment.receivedMinor);",
    replace:
      "const debtMinor = least(standing.debtMinor, payment.receivedMinor - least(standing.depositDueMinor, payment.receivedMinor));",
    caughtBy: { file: RECEIPTS, test: "debt is paid before the deposit" },
  },
  {
    name: "debt is paid a second time",
    file: "src/credit/allocate.ts",
    find: "debtMinor: standing.debtMinor - debtMinor,\n      depositDueMinor,",
    replace: "debtMinor: standing.debtMinor,\n      depositDueMinor,",
    caughtBy: {
      file: ALLOCATE,
      test: "debt is paid before anything is bought, and a payment that only pays debt gives no light",
    },
  },
  {
    name: "money after the last of the price is kept",
    file: "src/credit/allocate.ts",
    find: "refundableMinor: held - outstanding,",
    replace: "refundableMinor: 0n,",
    caughtBy: {
      file: ALLOCATE,
      test: "the whole price unlocks for good, held money counts, and the excess is refundable (case 14)",
    },
  },
  {
    name: "held money is forgotten by the next payment",
    file: "src/credit/allocate.ts",
    find: "const held = standing.carriedMinor + towardTime;",
    replace: "const held = towardTime;",
    caughtBy: { file: ALLOCATE, test: "whole days are bought and the rest is carried to the next payment" },
  },
  {
    name: "the deposit does not count towards the price",
    file: "src/credit/allocate.ts",
    find: "standing.outstandingMinor === null ? null : standing.outstandingMinor - depositMinor;",
    replace: "standing.outstandingMinor;",
    caughtBy: {
      file: ALLOCATE,
      test: "a deposit that buys no time only opens the contract; what exceeds it buys time",
    },
  },
  {
    name: "free time comes with every payment",
    file: "src/credit/allocate.ts",
    find: "const freeUnits = opened ?",
    replace: "const freeUnits = payment.receivedMinor > 0n ?",
    caughtBy: {
      file: ALLOCATE,
      test: "free time is given once: with the completed deposit, or with the first payment where there is none",
    },
  },
  {
    name: "a payment buys time from when it was booked",
    file: "src/credit/allocate.ts",
    find: "laterOf(standing.paidUntilAt, payment.paidAt)",
    replace: "laterOf(standing.paidUntilAt, payment.bookedAt)",
    caughtBy: {
      file: ALLOCATE,
      test: "the lamp's time starts when the token was made, the contract's when the money moved",
    },
  },
  {
    name: "the credit of a debt is booked as a debit",
    file: "src/credit/receipts.jobs.ts",
    find: "amountMinor: -allocation.debtMinor }",
    replace: "amountMinor: allocation.debtMinor }",
    caughtBy: {
      file: CONTRACTS,
      test: "that takes money back is a debt, paid before any more light; the light already given stays (debt first)",
    },
  },
  {
    name: "held money and refundable money change places",
    file: "src/credit/receipts.jobs.ts",
    find: "{ accountId: contract.creditAccountId, amountMinor: -allocation.carriedChangeMinor }",
    replace: "{ accountId: contract.refundableAccountId, amountMinor: -allocation.carriedChangeMinor }",
    caughtBy: { file: RECEIPTS, test: "each part of a payment stands in the account of its name" },
  },
  {
    name: "a payment buys at the price of the day it was booked",
    file: "src/credit/receipts.jobs.ts",
    find: "versionAt(workspace, contractId, purchase.paidAt)",
    replace: "versionAt(workspace, contractId, clock.now())",
    caughtBy: { file: RECEIPTS, test: "money paid before a change of price buys at the old one, whenever it arrives" },
  },
  {
    name: "payments of one batch buy in the order of arrival",
    file: "src/credit/receipts.jobs.ts",
    find: "return left.paidAt.getTime() - right.paidAt.getTime() ||",
    replace: "return",
    caughtBy: { file: RECEIPTS, test: "payments settled together buy in the order in which they were made" },
  },
  {
    name: "a contract that was written off takes money",
    file: "src/credit/receipts.jobs.ts",
    find: 'if (contract.state === "written_off") return',
    replace: 'if (contract.state === "active" && contract.soldBy === "") return',
    caughtBy: {
      file: CONTRACTS,
      test: "is final: no token again, no second write-off, no pay-off, no swap; later money waits in suspense",
    },
  },
  {
    name: "a paid-off contract's debt swallows all that comes",
    file: "src/credit/receipts.jobs.ts",
    find: "standing.debtMinor < receivedMinor ? standing.debtMinor : receivedMinor;",
    replace: "standing.debtMinor < receivedMinor ? receivedMinor : standing.debtMinor;",
    caughtBy: {
      file: "test/payments/suspense.test.ts",
      test: "matched to a contract that is paid off belongs to its customer",
    },
  },
  {
    name: "what was received is not added up",
    file: "src/credit/receipts.jobs.ts",
    find: "receivedMinor: contract.receivedMinor + purchase.amount.minor,",
    replace: "receivedMinor: purchase.amount.minor,",
    caughtBy: { file: RECEIPTS, test: "what a contract received is the sum of its payments" },
  },
  {
    name: "a fraction owed is charged at another price",
    file: "src/credit/receipts.jobs.ts",
    find: "contract.planVersionId === version.id ? contract.carriedFraction : 0n",
    replace: "contract.carriedFraction",
    caughtBy: { file: RECEIPTS, test: "a fraction of a cent owed under one price lapses under the next" },
  },
];
