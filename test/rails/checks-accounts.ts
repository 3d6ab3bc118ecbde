import type { Books } from "./books.ts";
import { groupBy, over, sum, type Check } from "./check.ts";
import type { Outside } from "./checks.ts";

/** The ledger: balanced, and its clearing accounts explained by what the providers hold. */
export function checkAccounts(books: Books, { truth, reconciled }: Outside): readonly Check[] {
  const byTransaction = groupBy(books.postings, ({ transactionId }) => transactionId);
  const byAccount = groupBy(books.postings, ({ accountId }) => accountId);
  const openSuspense = groupBy(books.suspense, ({ currency }) => currency);
  const clearing = groupBy(
    books.accounts.filter(({ code }) => code.startsWith("system/clearing/")),
    ({ code }) => code.split("/")[2] ?? "",
  );
  const clearingIds = new Set([...clearing.values()].flat().map(({ id }) => id));
  const rails = [...new Set([...clearing.keys(), ...truth.payments.map(({ rail }) => rail)])];
  const receiptNames = new Set(books.receipts.map(({ transactionId }) => transactionId));
  return [
    over("each clearing account holds what its provider holds for us, to the last unit", rails, (rail) => {
      const ofRail = <Row extends { rail: string }>(rows: readonly Row[]): Row[] =>
        rows.filter((row) => row.rail === rail);
      const expected =
        sum(ofRail(truth.payments), ({ amountMinor }) => amountMinor) -
        sum(ofRail(truth.reversals), ({ amountMinor }) => amountMinor) -
        sum(ofRail(truth.payouts), ({ amountMinor }) => amountMinor) +
        (truth.feesMinor.get(rail) ?? 0n);
      const booked = sum(clearing.get(rail) ?? [], ({ balanceMinor }) => balanceMinor);
      return expected === booked ? undefined : `${rail}: ${booked} booked, ${expected} held`;
    }),
    over("the program explains each clearing account to the last unit", reconciled, ({ rail, restMinor }) =>
      restMinor === 0n ? undefined : `${rail}: ${restMinor} of it are unexplained`,
    ),
    over("each day of each rail is reconciled", reconciled, ({ disagreeing: [first] }) => first),
    over("what the provider's list and the books do not share is named", reconciled, ({ unnamed: [first] }) => first),
    over(
      "no exception is open on a day whose accounts agree",
      // A payout that nobody answers for is a person's, and its money is on its way out until then.
      books.exceptions.filter(
        ({ kind, subject }) =>
          kind !== "payout_unanswered" || !books.payouts.some((one) => one.id === subject && !isOver(one)),
      ),
      ({ rail, kind, subject, detail }) => `${rail} ${kind} ${subject}: ${detail}`,
    ),
    over(
      "money on its way out is that of payouts which are not over",
      books.accounts,
      ({ code, currency, balanceMinor }) => {
        if (!code.startsWith("system/payouts/")) return undefined;
        const open = books.payouts.filter((one) => one.currency === currency && !isOver(one));
        const expected = sum(open, amountOf);
        return -balanceMinor === expected ? undefined : `${code} holds ${-balanceMinor}, ${expected} are on their way`;
      },
    ),
    over("a suspense account is the sum of its open items", books.accounts, ({ code, currency, balanceMinor }) => {
      if (!code.startsWith("system/suspense/")) return undefined;
      const open = sum(openSuspense.get(currency) ?? [], ({ openMinor }) => openMinor);
      return -balanceMinor === open ? undefined : `${code}: ${-balanceMinor} booked, ${open} in items`;
    }),
    over("postings of a transaction sum to zero", [...byTransaction], ([id, lines]) =>
      [...groupBy(lines, ({ currency }) => currency).values()].every((some) => sum(some, amountOf) === 0n)
        ? undefined
        : `transaction ${id}`,
    ),
    over("a receipt's transaction moves its amount", books.receipts, ({ transactionId, providerId, amountMinor }) => {
      const lines = byTransaction.get(transactionId) ?? [];
      const onClearing = lines.filter(({ accountId }) => clearingIds.has(accountId));
      return sum(onClearing, amountOf) === amountMinor ? undefined : providerId;
    }),
    over("no two receipts share a transaction", [receiptNames], (names) =>
      names.size === books.receipts.length ? undefined : "some do",
    ),
    over("a balance is the sum of its postings", books.accounts, ({ id, code, balanceMinor }) =>
      sum(byAccount.get(id) ?? [], amountOf) === balanceMinor ? undefined : code,
    ),
    over(
      "all postings of a currency sum to zero",
      [...groupBy(books.postings, ({ currency }) => currency)],
      ([currency, lines]) => (sum(lines, amountOf) === 0n ? undefined : currency),
    ),
  ];
}

const isOver = ({ state }: { state: string }): boolean => state === "completed" || state === "failed";
const amountOf = ({ amountMinor }: { amountMinor: bigint }): bigint => amountMinor;
