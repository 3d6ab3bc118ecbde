import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openClient, sqlStateOf } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";
import { AT, openBooks } from "./books.ts";

const database = useDatabase();
/** The login that owns the tables: what the program's own role may not do, it could; the triggers hold it too. */
let owner: ReturnType<typeof openClient>;

beforeAll(() => {
  owner = openClient(database.url, 1);
});
afterAll(() => owner.end());

async function stateOf(statement: Promise<unknown>): Promise<string | undefined> {
  try {
    await statement;
    return "accepted";
  } catch (error) {
    return sqlStateOf(error);
  }
}

async function writeByHand(
  lines: readonly (readonly [account: bigint, amount: number, currency?: string])[],
  declared = lines.length,
): Promise<string> {
  const id = crypto.randomUUID();
  return await owner.begin(async (tx) => {
    await tx`insert into ledger.transactions (id, kind, memo, idempotency_key, input_hash, posting_count, effective_at, posted_at, actor)
      values (${id}, 'by hand', '', ${id}, '\\x00', ${declared}, ${AT}, ${AT}, 'owner')`;
    const values = lines.map(
      ([account, amount, currency = "KES"], line) => `('${id}', ${line}, ${account}, ${amount}, '${currency}')`,
    );
    await tx.unsafe(
      `insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency) values ${values.join(",")}`,
    );
    return id;
  });
}

describe("the database itself refuses", () => {
  test("postings that do not sum to zero, also from the owner of the tables", async () => {
    const { accounts, balances } = await openBooks(database.current);
    expect(
      await stateOf(
        writeByHand([
          [accounts.cash, 100],
          [accounts.sales, -99],
        ]),
      ),
    ).toBe("WA002");
    expect(await balances()).toEqual([0n, 0n, 0n]);
    expect(
      await stateOf(
        writeByHand([
          [accounts.cash, 100],
          [accounts.sales, -100],
        ]),
      ),
    ).toBe("accepted");
    expect(await balances()).toEqual([100n, 0n, -100n]);
  });

  test("a zero that is made of two currencies", async () => {
    const { ledger, accounts, book } = await openBooks(database.current);
    const [dollars = 0n] = await database.current.db.transaction((tx) =>
      ledger.openAccounts(tx, [{ code: `${book}/usd`, kind: "asset", currency: "USD" }]),
    );
    expect(
      await stateOf(
        writeByHand([
          [dollars, 100, "USD"],
          [accounts.sales, -100],
        ]),
      ),
    ).toBe("WA002");
    expect(
      await stateOf(
        writeByHand([
          [dollars, 100, "KES"],
          [accounts.sales, -100],
        ]),
      ),
    ).toBe("23503");
  });

  test("more or fewer postings than the transaction declared, then and later", async () => {
    const { accounts } = await openBooks(database.current);
    expect(
      await stateOf(
        writeByHand(
          [
            [accounts.cash, 1],
            [accounts.sales, -1],
          ],
          3,
        ),
      ),
    ).toBe("WA003");
    const id = await writeByHand([
      [accounts.cash, 1],
      [accounts.held, 1],
      [accounts.sales, -2],
    ]);
    const later = owner`insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency)
      values (${id}, 3, ${accounts.cash.toString()}, 1, 'KES'), (${id}, 4, ${accounts.sales.toString()}, -1, 'KES')`;
    expect(await stateOf(later)).toBe("WA003");
  });

  test("a second full set of postings for a transaction that has its own", async () => {
    const { accounts } = await openBooks(database.current);
    const twin = await writeByHand([
      [accounts.cash, 1],
      [accounts.sales, -1],
    ]);
    const again = owner`insert into ledger.postings (transaction_id, line, account_id, amount_minor, currency)
      values (${twin}, 2, ${accounts.cash.toString()}, 1, 'KES'), (${twin}, 3, ${accounts.sales.toString()}, -1, 'KES')`;
    expect(await stateOf(again)).toBe("WA003");
  });

  test("a posting of nothing, and a transaction of one posting", async () => {
    const { accounts } = await openBooks(database.current);
    expect(
      await stateOf(
        writeByHand([
          [accounts.cash, 0],
          [accounts.sales, 0],
        ]),
      ),
    ).toBe("23514");
    expect(await stateOf(writeByHand([[accounts.cash, 1]], 1))).toBe("23514");
  });

  test("a second transaction under one key, and a second reversal of one transaction", async () => {
    const { entry, post, moves, accounts } = await openBooks(database.current);
    const [posted] = await post(entry("k", moves(accounts.sales, accounts.cash, 1n)));
    const insert = (key: string) =>
      owner`insert into ledger.transactions (id, kind, memo, idempotency_key, input_hash, reverses_id, posting_count, effective_at, posted_at, actor)
      values (${crypto.randomUUID()}, 'reversal', '', ${key}, '\\x00', ${posted?.id ?? ""}, 2, ${AT}, ${AT}, 'owner')`;
    expect(await stateOf(insert("reversal:a"))).toBe("accepted");
    expect(await stateOf(insert("reversal:b"))).toBe("23505");
  });
});

describe("what was posted stays as it was posted", () => {
  const tables = [
    "ledger.transactions",
    "ledger.postings",
    "payments.callbacks",
    "payments.receipts",
    "payments.quarantine",
    "devices.tokens",
    "credit.allocations",
    "credit.contract_terms",
    "credit.contract_events",
  ];

  test.each(tables)("%s takes no change from the owner, whether rows match or not", async (table) => {
    const [column] = await owner`select attname from pg_attribute where attrelid = ${table}::regclass and attnum = 2`;
    const name = String(column?.["attname"]);
    expect(await stateOf(owner.unsafe(`update ${table} set ${name} = ${name}`))).toBe("WA001");
    expect(await stateOf(owner.unsafe(`delete from ${table}`))).toBe("WA001");
    expect(await stateOf(owner.unsafe(`truncate ${table} cascade`))).toBe("WA001");
  });

  test.each(tables)("%s is closed to changes by the program's own role", async (table) => {
    const rights = await owner`select privilege_type from information_schema.role_table_grants
      where grantee = 'washa_app' and table_schema || '.' || table_name = ${table} order by privilege_type`;
    expect(rights.map((right) => String(right["privilege_type"]))).toEqual(["INSERT", "SELECT"]);
  });

  test("balances move only by posting", async () => {
    const { accounts, entry, post, moves } = await openBooks(database.current);
    await post(entry("1", moves(accounts.sales, accounts.cash, 5n)));
    expect(await stateOf(owner`update ledger.balances set balance_minor = 0`)).toBe("WA004");
    expect(await stateOf(owner`delete from ledger.balances`)).toBe("WA004");
    expect(await stateOf(owner`insert into ledger.balances values (${accounts.held.toString()}, 1, 1)`)).toBe("WA004");
    expect(await stateOf(owner`truncate ledger.balances`)).toBe("WA004");
    const asProgram = (statement: string) =>
      owner.begin(async (tx) => {
        await tx.unsafe("set local role washa_app");
        await tx.unsafe(statement);
      });
    expect(await stateOf(asProgram("update ledger.balances set balance_minor = 0"))).toBe("42501");
    expect(await stateOf(asProgram("update ledger.accounts set currency = 'USD'"))).toBe("42501");
    expect(await stateOf(asProgram("alter table ledger.postings disable trigger all"))).toBe("42501");
  });
});
