import { makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeLedger, type AccountId, type Entry, type Line } from "../../src/ledger/ledger.ts";
import type { Database } from "../../src/platform/database.ts";

export const AT = new Date("2026-03-02T06:00:00Z");
let opened = 0;

/** Fresh accounts in a database, and the shortest way to post to them. */
export async function openBooks({ db }: Database) {
  opened += 1;
  const book = `book-${opened}`;
  const clock = makeManualClock(AT);
  const makeId = makeIds(clock);
  const ledger = makeLedger({ clock, makeId });
  const [cash = 0n, held = 0n, sales = 0n] = await db.transaction((tx) =>
    ledger.openAccounts(tx, [
      { code: `${book}/cash`, kind: "asset", currency: "KES" },
      { code: `${book}/held`, kind: "liability", currency: "KES" },
      { code: `${book}/sales`, kind: "income", currency: "KES" },
    ]),
  );
  const entry = (key: string, lines: readonly Line[], more: Partial<Entry> = {}): Entry => ({
    id: makeId(),
    kind: "payment",
    memo: "A payment",
    reference: undefined,
    idempotencyKey: `${book}:${key}`,
    currency: "KES",
    effectiveAt: AT,
    actor: "test",
    lines,
    ...more,
  });
  const moves = (from: AccountId, to: AccountId, amountMinor: bigint): readonly Line[] => [
    { accountId: to, amountMinor },
    { accountId: from, amountMinor: -amountMinor },
  ];
  return {
    book,
    clock,
    ledger,
    makeId,
    accounts: { cash, held, sales },
    entry,
    moves,
    post: (...entries: readonly Entry[]) => db.transaction((tx) => ledger.post(tx, entries)),
    balances: async () => {
      const rows = await ledger.balances(db, [cash, held, sales]);
      return [rows.get(cash), rows.get(held), rows.get(sales)];
    },
  };
}
