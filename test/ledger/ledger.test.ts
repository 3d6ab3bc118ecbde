import { sql } from "drizzle-orm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IdempotencyConflict, NotAllowedNow, NotFound } from "../../src/kernel/refusal.ts";
import { makeIds, type TransactionId } from "../../src/kernel/ids.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeLedger } from "../../src/ledger/ledger.ts";
import { useDatabase } from "../support/database.ts";
import { AT, openBooks } from "./books.ts";

const database = useDatabase();

describe("posting", () => {
  test("moves balances by exactly what was posted, lines of zero and repeated accounts being merged", async () => {
    const { post, entry, accounts, balances } = await openBooks(database.current);
    const { cash, held, sales } = accounts;
    await post(
      entry("1", [
        { accountId: cash, amountMinor: 700n },
        { accountId: cash, amountMinor: 300n },
        { accountId: held, amountMinor: 0n },
        { accountId: sales, amountMinor: -1_000n },
      ]),
    );
    expect(await balances()).toEqual([1_000n, 0n, -1_000n]);
  });

  test("an entry out of balance, or of one line, never reaches the database", async () => {
    const { post, entry, accounts, balances } = await openBooks(database.current);
    await expect(post(entry("1", [{ accountId: accounts.cash, amountMinor: 1n }]))).rejects.toThrow(/out of balance/);
    await expect(post(entry("2", [{ accountId: accounts.cash, amountMinor: 0n }]))).rejects.toThrow(
      /fewer than two lines/,
    );
    expect(await balances()).toEqual([0n, 0n, 0n]);
  });

  test("the same key with the same content posts once and answers the first transaction", async () => {
    const { post, entry, moves, accounts, balances } = await openBooks(database.current);
    const lines = moves(accounts.sales, accounts.cash, 500n);
    const [first] = await post(entry("once", lines));
    const [again] = await post(entry("once", [...lines].reverse()));
    expect(first).toMatchObject({ repeated: false });
    expect(again).toEqual({ id: first?.id, repeated: true });
    expect(await balances()).toEqual([500n, 0n, -500n]);
  });

  test("the same key with other content is refused, and a refused attempt burns nothing", async () => {
    const { post, entry, moves, accounts, balances } = await openBooks(database.current);
    await post(entry("once", moves(accounts.sales, accounts.cash, 500n)));
    await expect(post(entry("once", moves(accounts.sales, accounts.cash, 501n)))).rejects.toThrow(IdempotencyConflict);
    await expect(post(entry("once", moves(accounts.sales, accounts.cash, 500n), { kind: "gift" }))).rejects.toThrow(
      IdempotencyConflict,
    );
    await expect(
      post(
        entry("fresh", moves(accounts.sales, accounts.cash, 1n)),
        entry("once", moves(accounts.sales, accounts.held, 500n)),
      ),
    ).rejects.toThrow(IdempotencyConflict);
    expect(await post(entry("fresh", moves(accounts.sales, accounts.cash, 1n)))).toMatchObject([{ repeated: false }]);
    expect(await balances()).toEqual([501n, 0n, -501n]);
  });

  test("a key twice in one batch posts once", async () => {
    const { post, entry, moves, accounts, balances } = await openBooks(database.current);
    const lines = moves(accounts.sales, accounts.cash, 10n);
    const posted = await post(entry("twin", lines), entry("other", lines), entry("twin", lines));
    expect(posted.map(({ repeated }) => repeated)).toEqual([false, false, true]);
    expect(posted[2]?.id).toBe(posted[0]?.id);
    expect(await balances()).toEqual([20n, 0n, -20n]);
  });

  test("of one key posted from ten connections at once, one is posted and nine are told of it", async () => {
    const { post, entry, moves, accounts, balances } = await openBooks(database.current);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post(entry("race", moves(accounts.sales, accounts.cash, 7n)))),
    );
    expect(answers.flat().filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect(new Set(answers.flat().map(({ id }) => id)).size).toBe(1);
    expect(await balances()).toEqual([7n, 0n, -7n]);
  });

  test("what is rolled back leaves no balance behind", async () => {
    const { ledger, entry, moves, accounts, balances } = await openBooks(database.current);
    const failing = database.current.db.transaction(async (tx) => {
      await ledger.post(tx, [entry("gone", moves(accounts.sales, accounts.cash, 7n))]);
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await balances()).toEqual([0n, 0n, 0n]);
  });
});

describe("accounts", () => {
  test("are found by their code, opened once, and answered in the order asked", async () => {
    const { ledger, book, accounts } = await openBooks(database.current);
    const ask = () =>
      database.current.db.transaction((tx) =>
        ledger.openAccounts(tx, [
          { code: `${book}/new`, kind: "asset", currency: "KES" },
          { code: `${book}/cash`, kind: "asset", currency: "KES" },
        ]),
      );
    const [fresh, cash] = await ask();
    expect(cash).toBe(accounts.cash);
    expect(await ask()).toEqual([fresh, cash]);
  });

  test("opened from many connections at once are one account", async () => {
    const { ledger, book } = await openBooks(database.current);
    const open = () =>
      database.current.db.transaction((tx) =>
        ledger.openAccounts(tx, [{ code: `system/${book}/KES`, kind: "asset", currency: "KES" }]),
      );
    const ids = await Promise.all(Array.from({ length: 8 }, open));
    expect(new Set(ids.flat()).size).toBe(1);
  });

  test("an account opened in a transaction that failed is not remembered", async () => {
    const { ledger, book } = await openBooks(database.current);
    const spec = { code: `system/${book}-undone/KES`, kind: "asset", currency: "KES" } as const;
    await expect(
      database.current.db.transaction(async (tx) => {
        await ledger.openAccounts(tx, [spec]);
        await ledger.openAccounts(tx, [spec]); // which finds it, though it is nobody else's yet
        await tx.transaction((inner) => ledger.openAccounts(inner, [spec]));
        throw new Error("undone");
      }),
    ).rejects.toThrow("undone");
    const [id] = await database.current.db.transaction((tx) => ledger.openAccounts(tx, [spec]));
    const [row] = await database.current.db.execute<{ id: string }>(
      sql`select id from ledger.accounts where code = ${spec.code}`,
    );
    expect(String(id)).toBe(row?.id);
  });

  test("are never taken for another kind or currency", async () => {
    const { ledger, book } = await openBooks(database.current);
    const open = (kind: "asset" | "income", currency: "KES" | "UGX") =>
      database.current.db.transaction((tx) => ledger.openAccounts(tx, [{ code: `${book}/cash`, kind, currency }]));
    await expect(open("income", "KES")).rejects.toThrow(/exists as asset in KES/);
    await expect(open("asset", "UGX")).rejects.toThrow(/exists as asset in KES/);
  });
});

describe("reversing", () => {
  test("posts the exact opposite, linked to what it undoes", async () => {
    const { post, ledger, entry, moves, accounts, balances } = await openBooks(database.current);
    const [paid] = await post(entry("1", moves(accounts.sales, accounts.cash, 900n), { reference: "receipt-1" }));
    const reverse = () =>
      database.current.db.transaction((tx) =>
        ledger.reverse(tx, {
          transactionId: paid?.id ?? ("" as TransactionId),
          reason: "Paid to the wrong till",
          actor: "test",
          effectiveAt: AT,
        }),
      );
    const reversal = await reverse();
    expect(await balances()).toEqual([0n, 0n, 0n]);
    const [row] = await database.current.db.execute(
      sql`select kind, reverses_id, reference, memo from ledger.transactions where id = ${reversal.id}`,
    );
    expect(row).toEqual({
      kind: "reversal",
      reverses_id: paid?.id,
      reference: "receipt-1",
      memo: "Paid to the wrong till",
    });
    expect(await reverse()).toEqual({ id: reversal.id, repeated: true });
    expect(await balances()).toEqual([0n, 0n, 0n]);
  });

  test("happens once, however many ask at once; a reversal itself is not reversed", async () => {
    const { post, ledger, entry, moves, accounts, balances, makeId } = await openBooks(database.current);
    const [paid] = await post(entry("1", moves(accounts.sales, accounts.cash, 900n)));
    const reverse = (transactionId: TransactionId) =>
      database.current.db.transaction((tx) =>
        ledger.reverse(tx, { transactionId, reason: "again", actor: "test", effectiveAt: AT }),
      );
    const answers = await Promise.all(Array.from({ length: 6 }, () => reverse(paid?.id ?? makeId())));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await balances()).toEqual([0n, 0n, 0n]);
    await expect(reverse(answers[0]?.id ?? makeId())).rejects.toThrow(NotAllowedNow);
    await expect(reverse(makeId())).rejects.toThrow(NotFound);
  });
});

describe("reading", () => {
  test("a statement tells every posting in the order in which things happened", async () => {
    const { post, ledger, entry, moves, accounts, clock } = await openBooks(database.current);
    await post(
      entry("late", moves(accounts.sales, accounts.cash, 2n), {
        effectiveAt: new Date("2026-03-02T08:00:00Z"),
        memo: "second",
      }),
    );
    clock.advance(60_000);
    await post(
      entry("early", moves(accounts.sales, accounts.cash, 1n), {
        effectiveAt: new Date("2026-03-01T08:00:00Z"),
        memo: "first",
      }),
    );
    const lines = await ledger.statement(database.current.db, { accountIds: [accounts.cash], limit: 10 });
    expect(lines.map(({ memo, amountMinor }) => [memo, amountMinor])).toEqual([
      ["first", 1n],
      ["second", 2n],
    ]);
    expect(await ledger.statement(database.current.db, { accountIds: [accounts.cash], limit: 1 })).toHaveLength(1);
    expect(await ledger.statement(database.current.db, { accountIds: [], limit: 1 })).toEqual([]);
  });

  test("the trial balance names every account with its sum, and can leave out those at zero", async () => {
    const { post, ledger, book, entry, moves, accounts } = await openBooks(database.current);
    await post(entry("1", moves(accounts.sales, accounts.cash, 5n)));
    const rows = await ledger.trialBalance(database.current.db, { codePrefix: `${book}/` });
    expect(rows.map(({ code, balanceMinor }) => [code.split("/")[1], balanceMinor])).toEqual([
      ["cash", 5n],
      ["held", 0n],
      ["sales", -5n],
    ]);
    expect(await ledger.trialBalance(database.current.db, { codePrefix: `${book}/`, nonZeroOnly: true })).toHaveLength(
      2,
    );
    expect(await ledger.trialBalance(database.current.db, { codePrefix: "%" })).toEqual([]);
  });
});

test("cached balances equal the sums of their postings under any posting from many connections", async () => {
  const { accounts, makeId, book } = await openBooks(database.current);
  const ids = [accounts.cash, accounts.held, accounts.sales] as const;
  const transfer = fc.record({
    from: fc.nat(2),
    to: fc.nat(2),
    amountMinor: fc.bigInt({ min: 1n, max: 1_000_000n }),
    batch: fc.nat(15),
  });
  const [transfers] = fc.sample(fc.array(transfer, { minLength: 240, maxLength: 240 }), {
    numRuns: 1,
    seed: 20_260_302,
  });
  const workers = Array.from({ length: 4 }, () =>
    makeLedger({ clock: makeManualClock(AT), makeId: makeIds(makeManualClock(AT)) }),
  );
  const work = (transfers ?? []).filter(({ from, to }) => from !== to);
  await Promise.all(
    [...Map.groupBy(work, ({ batch }) => batch)].map(async ([batch, group]) => {
      const entries = group.map(({ from, to, amountMinor }, at) => ({
        id: makeId<"Transaction">(),
        kind: "transfer",
        memo: "",
        reference: undefined,
        idempotencyKey: `${book}:${batch}:${at}`,
        currency: "KES" as const,
        effectiveAt: AT,
        actor: "test",
        lines: [
          { accountId: ids[to] ?? 0n, amountMinor },
          { accountId: ids[from] ?? 0n, amountMinor: -amountMinor },
        ],
      }));
      await database.current.db.transaction((tx) =>
        (workers[batch % 4] ?? makeLedger({ clock: makeManualClock(AT), makeId })).post(tx, entries),
      );
    }),
  );
  const rows = await database.current.db.execute<{
    cached: string;
    summed: string;
    lines: string;
    counted: string;
  }>(sql`
    select b.balance_minor as cached, b.posting_count as counted, sum(p.amount_minor) as summed, count(*) as lines
    from ledger.balances b join ledger.postings p on p.account_id = b.account_id group by b.account_id, b.balance_minor, b.posting_count`);
  expect(rows.length).toBeGreaterThan(3);
  for (const { cached, summed, lines, counted } of rows) expect([cached, counted]).toEqual([summed, lines]);
  const moved = work.reduce(
    (sum, { from, to, amountMinor }) => sum + (to === 0 ? amountMinor : from === 0 ? -amountMinor : 0n),
    0n,
  );
  const [cash] = await database.current.db.execute<{ balance_minor: string }>(
    sql`select balance_minor from ledger.balances where account_id = ${accounts.cash.toString()}::bigint`,
  );
  expect(cash?.balance_minor).toBe(moved.toString());
});
