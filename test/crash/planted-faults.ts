import type { Books } from "./books.ts";
import { reconcile, type Outside } from "./reconcile.ts";

type Plant = (books: Books) => void;

const required = <Item>(item: Item | undefined): Item => {
  if (item === undefined) throw new Error("The run was too short to plant a fault.");
  return item;
};

const withTokens = (books: Books): Books["tokens"] => books.tokens.filter(({ kind }) => kind === "add");

/** Ways in which books can be wrong. Each is put into a copy of the real ones, and a check must find it. */
const PLANTS: Readonly<Record<string, Plant>> = {
  "a lost receipt": (books) => void books.receipts.splice(books.receipts.length >> 1, 1),
  "a doubled receipt": (books) => void books.receipts.push({ ...required(books.receipts[3]), id: "twin" }),
  "a receipt nobody paid": (books) => void (required(books.receipts[5]).providerId = "NOBODY0001"),
  "a receipt at another amount": (books) => void (required(books.receipts[7]).amountMinor += 1n),
  "money at two places": (books) =>
    void books.suspense.push({ receiptId: required(books.allocations[0]).cause, reason: "account_unknown" }),
  "a callback left behind": (books) => void books.pending.push({ callbackId: "1", failure: null }),
  "a posting out of balance": (books) => void (required(books.postings[9]).amountMinor += 1n),
  "a lost posting": (books) => void books.postings.splice(4, 1),
  "a wrong balance": (books) => void (required(books.balances[0]).balanceMinor += 1n),
  "a contract that forgot a payment": (books) =>
    void (required(books.contracts.find(({ receivedMinor }) => receivedMinor > 0n)).receivedMinor -= 1n),
  "an allocation with a remainder": (books) => void (required(books.allocations[2]).spentMinor -= 1n),
  "a lost token": (books) => void books.tokens.splice(books.tokens.indexOf(required(withTokens(books)[1])), 1),
  "a doubled token": (books) => void books.tokens.push({ ...required(withTokens(books)[2]) }),
  "a skipped count": (books) => {
    const last = required(books.tokens.findLast(({ kind }) => kind === "add"));
    last.count += 2;
    required(books.devices.find(({ id }) => id === last.deviceId)).count += 2;
  },
  "a token worth more than was paid": (books) => void (required(withTokens(books)[4]).units += 1),
  "a counter that ran ahead": (books) => void (required(books.devices[0]).count += 2),
  "a lost message": (books) => void books.messages.splice(2, 1),
  "a doubled message": (books) => void books.messages.push({ ...required(books.messages[1]), id: "twin" }),
  "a lost outbox row": (books) => void books.outbox.splice(1, 1),
  "a doubled outbox row": (books) => void books.outbox.push({ ...required(books.outbox[1]) }),
  "a message with another text": (books) => void (required(books.messages[3]).text += " "),
};

/** Proves that the checks bite: names of the planted faults that no check noticed, and how many were planted. */
export function findBlindSpots(books: Books, outside: Outside): { planted: number; unnoticed: readonly string[] } {
  const unnoticed = Object.entries(PLANTS).filter(([, plant]) => {
    const copy = structuredClone(books);
    plant(copy);
    return reconcile(copy, outside).every(({ broken }) => broken.length === 0);
  });
  return { planted: Object.keys(PLANTS).length, unnoticed: unnoticed.map(([name]) => name) };
}
