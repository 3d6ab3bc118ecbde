import type { Mutant } from "./mutant.ts";

const LEDGER = "test/ledger/ledger.test.ts";
const TABLES = "test/ledger/append-only.test.ts";
const FOUNDATION = "migrations/0000_foundation.sql";
const POSTS_ONCE = {
  file: LEDGER,
  test: "the same key with the same content posts once and answers the first transaction",
};
const REFUSES_OTHERS = {
  file: LEDGER,
  test: "the same key with other content is refused, and a refused attempt burns nothing",
};
const SUMS = {
  file: LEDGER,
  test: "cached balances equal the sums of their postings under any posting from many connections",
};

/** Mistakes in the ledger and in the triggers beneath it. */
export const ledgerMutants: readonly Mutant[] = [
  {
    name: "the hash of an entry leaves out the amount",
    file: "src/ledger/entry.ts",
    find: "`${accountId}=${amountMinor}`",
    replace: "`${accountId}`",
    caughtBy: REFUSES_OTHERS,
  },
  {
    name: "the hash of an entry leaves out what kind it is",
    file: "src/ledger/entry.ts",
    find: "[entry.kind, entry.reference",
    replace: "[entry.reference",
    caughtBy: REFUSES_OTHERS,
  },
  {
    name: "of two lines of one account the last one counts",
    file: "src/ledger/entry.ts",
    find: "(sums.get(accountId) ?? 0n) + amountMinor",
    replace: "amountMinor",
    caughtBy: {
      file: LEDGER,
      test: "moves balances by exactly what was posted, lines of zero and repeated accounts being merged",
    },
  },
  {
    name: "too much on the debit side is let through",
    file: "src/ledger/entry.ts",
    find: "if (sum !== 0n)",
    replace: "if (sum < 0n)",
    caughtBy: { file: LEDGER, test: "an entry out of balance, or of one line, never reaches the database" },
  },
  {
    name: "a replay answers the new id",
    file: "src/ledger/ledger.ts",
    find: "return { id: first.id, repeated: true };",
    replace: "return { id: entry.id, repeated: true };",
    caughtBy: POSTS_ONCE,
  },
  {
    name: "a key with another body is answered as a replay",
    file: "src/ledger/ledger.ts",
    find: "first === undefined || Buffer.compare(first.inputHash, hashes[at] ?? new Uint8Array()) !== 0",
    replace: "first === undefined",
    caughtBy: REFUSES_OTHERS,
  },
  {
    name: "a repeated entry is written again",
    file: "src/ledger/ledger.ts",
    find: "merged.filter(({ id }) => fresh.has(id)),",
    replace: "merged,",
    caughtBy: { file: LEDGER, test: "a key twice in one batch posts once" },
  },
  {
    name: "a reversal posts the same again",
    file: "src/ledger/ledger.ts",
    find: "amountMinor: -amountMinor,",
    replace: "amountMinor,",
    caughtBy: { file: LEDGER, test: "posts the exact opposite, linked to what it undoes" },
  },
  {
    name: "a reversal can be reversed",
    file: "src/ledger/ledger.ts",
    find: "if (original.reversesId !== undefined)",
    replace: "if (original.lines.length === 0)",
    caughtBy: { file: LEDGER, test: "happens once, however many ask at once; a reversal itself is not reversed" },
  },
  {
    name: "a reversal has another key each time",
    file: "src/ledger/ledger.ts",
    find: "idempotencyKey: `reversal:${transactionId}`",
    replace: "idempotencyKey: `reversal:${makeId()}`",
    caughtBy: { file: LEDGER, test: "posts the exact opposite, linked to what it undoes" },
  },
  {
    name: "an account is remembered before it is there for good",
    file: "src/ledger/ledger.ts",
    find: "existed[at] === true && ",
    replace: "",
    caughtBy: { file: LEDGER, test: "an account opened in a transaction that failed is not remembered" },
  },
  {
    name: "the sum of a transaction is not looked at by the database",
    file: FOUNDATION,
    find: "having sum(amount_minor) <> 0)",
    replace: "having false)",
    caughtBy: { file: TABLES, test: "postings that do not sum to zero, also from the owner of the tables" },
  },
  {
    name: "shillings and dollars make up for each other",
    file: FOUNDATION,
    find: "group by transaction_id, currency having",
    replace: "group by transaction_id having",
    caughtBy: { file: TABLES, test: "a zero that is made of two currencies" },
  },
  {
    name: "a balance becomes the last amount",
    file: FOUNDATION,
    find: "set balance_minor = b.balance_minor + excluded.balance_minor",
    replace: "set balance_minor = excluded.balance_minor",
    caughtBy: SUMS,
  },
  {
    name: "a balance stays at the first amount",
    file: FOUNDATION,
    find: `on conflict (account_id) do update
      set balance_minor = b.balance_minor + excluded.balance_minor, posting_count = b.posting_count + excluded.posting_count;`,
    replace: "on conflict (account_id) do nothing;",
    caughtBy: SUMS,
  },
  {
    name: "the number of postings is not counted",
    file: FOUNDATION,
    find: "posting_count = b.posting_count + excluded.posting_count",
    replace: "posting_count = b.posting_count + 1",
    caughtBy: {
      file: "test/ledger/model/model.test.ts",
      test: "whatever a few clients do at once, the books are those of one after the other",
    },
  },
  {
    name: "a transaction takes fewer postings than it declared",
    file: FOUNDATION,
    find: "where t.posting_count <> written.lines or",
    replace: "where",
    caughtBy: { file: TABLES, test: "more or fewer postings than the transaction declared, then and later" },
  },
  {
    name: "the owner can move a balance by hand",
    file: FOUNDATION,
    find: "if pg_trigger_depth() < 2 then",
    replace: "if pg_trigger_depth() < 1 then",
    caughtBy: { file: TABLES, test: "balances move only by posting" },
  },
  {
    name: "what was posted can be changed",
    file: FOUNDATION,
    find: "create trigger append_only before update or delete or truncate",
    replace: "create trigger append_only before delete or truncate",
    caughtBy: { file: TABLES, test: "ledger.postings takes no change from the owner, whether rows match or not" },
  },
  {
    name: "a key posts as often as it comes",
    file: FOUNDATION,
    find: "idempotency_key text not null unique,",
    replace: "idempotency_key text not null,",
    caughtBy: {
      file: LEDGER,
      test: "of one key posted from ten connections at once, one is posted and nine are told of it",
    },
  },
  {
    name: "a transaction is reversed twice",
    file: FOUNDATION,
    find: "reverses_id uuid unique references",
    replace: "reverses_id uuid references",
    caughtBy: { file: TABLES, test: "a second transaction under one key, and a second reversal of one transaction" },
  },
];
