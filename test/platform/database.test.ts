import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { column, sqlStateOf } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();

test("a column of a batch arrives as it was written, whatever it contains", async () => {
  const texts = ["plain", "", "null", 'quo"te', "back\\slash", "com,ma", "{brace}", " space ", "é😀", null];
  const rows = await database.current.db.execute<{ text: string | null; raw: Buffer }>(sql`
    select * from unnest(${column(texts, "text")}, ${column(
      texts.map(() => Uint8Array.of(0, 255, 92)),
      "bytea",
    )}) as t(text, raw)`);
  expect(rows.map((row) => row.text)).toEqual(texts);
  expect(rows.every((row) => Buffer.from([0, 255, 92]).equals(row.raw))).toBe(true);
});

test("the program cannot change or erase a posted row, neither by privilege nor as the owner", async () => {
  const { db } = database.current;
  for (const statement of [
    "update ledger.postings set amount_minor = 1",
    "delete from ledger.transactions",
    "truncate payments.callbacks cascade",
    "update ledger.balances set balance_minor = 0",
  ]) {
    const failure = await db.execute(sql.raw(statement)).then(() => undefined, sqlStateOf);
    expect(failure, statement).toBe("42501");
  }
});
