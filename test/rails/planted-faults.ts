import type { Books } from "./books.ts";
import { checkAll, type Outside } from "./checks.ts";

type Plant = (books: Books) => void;

const required = <Item>(item: Item | undefined): Item => {
  if (item === undefined) throw new NothingToPlant();
  return item;
};

/** A short run has, say, no payout: then nothing can be planted there. */
class NothingToPlant extends Error {}

const adding = (books: Books): Books["tokens"] => books.tokens.filter(({ kind }) => kind === "add");

/** Ways in which books can be wrong. Each is put into a copy of the real ones, and a check must find it. */
const PLANTS: Readonly<Record<string, Plant>> = {
  "a lost receipt": (books) => void books.receipts.splice(books.receipts.length >> 1, 1),
  "a doubled receipt": (books) => void books.receipts.push({ ...required(books.receipts[3]), id: "twin" }),
  "a receipt nobody paid": (books) => void (required(books.receipts[5]).providerId = "NOBODY0001"),
  "a receipt at another amount": (books) => void (required(books.receipts[7]).amountMinor += 1n),
  "a receipt at another time": (books) => {
    const receipt = required(books.receipts[2]);
    receipt.paidAt = new Date(receipt.paidAt.getTime() - 86_400_000);
  },
  "a receipt for another account": (books) =>
    // An agent always names the account; a payment at a provider's own counter may name none, and then any will do.
    void (required(books.receipts.find(({ rail }) => rail === "cash")).reference = "PG-0000"),
  "money at two places": (books) => {
    const { cause: receiptId } = required(books.allocations[0]);
    books.suspense.push({ receiptId, reason: "account_unknown", openMinor: 1n, currency: "KES", resolvedAt: null });
  },
  "a callback left behind": (books) => void books.pending.push({ callbackId: "1", failure: null }),
  "a notice left behind": (books) => void books.openNotices.push({ noticeId: "1", failure: "poison" }),
  "a question without answer": (books) =>
    void books.openEnquiries.push({ rail: "mpesa-ke", providerId: "X", state: "open", outcome: null }),
  "a request without end": (books) => void (required(books.intents[1]).state = "pending"),
  "a paid request that is called failed": (books) =>
    void (required(books.intents.find(({ state, rail }) => state === "completed" && rail === "mtn-ug")).state =
      "failed"),
  "a request completed by a payment that is not there": (books) =>
    void (required(books.intents.find(({ state }) => state === "completed")).providerId = "NOBODY0002"),
  "a forgotten reversal": (books) =>
    void books.reversals.splice(books.reversals.indexOf(required(books.reversals.find(isApplied))), 1),
  "a reversal that nobody made": (books) =>
    void books.reversals.push({ ...required(books.reversals.find(isApplied)), originalProviderId: "NOBODY0003" }),
  "a reversal that waits for ever": (books) => void (required(books.reversals.find(isApplied)).state = "parked"),
  "a payout without end": (books) => void (required(books.payouts[0]).state = "pending"),
  "a payout that was made and is called failed": (books) =>
    void (required(books.payouts.find(isPaidOut)).state = "failed"),
  "a clearing account short of one unit": (books) =>
    void (required(books.accounts.find(({ code }) => code.startsWith("system/clearing/"))).balanceMinor -= 1n),
  "money stuck on its way out": (books) =>
    void (required(books.accounts.find(({ code }) => code.startsWith("system/payouts/"))).balanceMinor += 1n),
  "suspense that no item explains": (books) =>
    void (required(books.suspense.find(({ openMinor }) => openMinor > 0n)).openMinor += 1n),
  "an exception on the desk": (books) =>
    void books.exceptions.push({ rail: "mtn-ug", kind: "line_conflict", subject: "X", amountMinor: 1n, detail: "" }),
  "a posting out of balance": (books) => void (required(books.postings[9]).amountMinor += 1n),
  "a lost posting": (books) => void books.postings.splice(4, 1),
  "a contract that forgot a payment": (books) =>
    void (required(books.contracts.find(({ receivedMinor }) => receivedMinor > 0n)).receivedMinor -= 1n),
  "a debt that was forgiven": (books) =>
    void (required(books.contracts.find(({ debtMinor }) => debtMinor > 0n)).debtMinor = 0n),
  "an allocation with a remainder": (books) => void (required(books.allocations[2]).spentMinor -= 1n),
  "a lost token": (books) => void books.tokens.splice(books.tokens.indexOf(required(adding(books)[1])), 1),
  "a doubled token": (books) => void books.tokens.push({ ...required(adding(books)[2]) }),
  "a token worth more than was paid": (books) => void (required(adding(books)[4]).units += 1),
  "a counter that ran ahead": (books) => void (required(books.devices[0]).count += 2),
};

const isApplied = ({ state }: Books["reversals"][number]): boolean => state === "applied";
const isPaidOut = ({ state, method }: Books["payouts"][number]): boolean =>
  state === "completed" && method === "disbursement";

/** Proves that the checks bite: names of the planted faults that no check noticed, and how many were planted. */
export function findBlindSpots(books: Books, outside: Outside): { planted: number; unnoticed: readonly string[] } {
  let planted = 0;
  const unnoticed: string[] = [];
  for (const [name, plant] of Object.entries(PLANTS)) {
    const copy = structuredClone(books);
    try {
      plant(copy);
    } catch (error) {
      if (error instanceof NothingToPlant) continue;
      throw error;
    }
    planted += 1;
    if (checkAll(copy, outside).every(({ broken }) => broken.length === 0)) unnoticed.push(name);
  }
  return { planted, unnoticed };
}
