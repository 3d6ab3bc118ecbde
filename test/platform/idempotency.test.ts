import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { IdempotencyConflict, InvalidInput, NotFound } from "../../src/kernel/refusal.ts";
import { canonicalJson, once, type Json } from "../../src/platform/idempotency.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const now = new Date("2026-11-20T09:00:00Z");

function run(key: string, input: unknown, work: () => Promise<Json>): Promise<Json> {
  return database.current.db.transaction((tx) => once(tx, { actor: "staff:1", key, input, now }, work));
}

test("the same command sent twice is done once and answered twice", async () => {
  const key = randomUUID();
  let done = 0;
  const work = () => Promise.resolve({ sale: ++done });
  const answers = [await run(key, { amount: 500n, to: "a" }, work), await run(key, { to: "a", amount: 500n }, work)];
  expect(answers).toEqual([{ sale: 1 }, { sale: 1 }]);
});

test("the same key with another body is refused, and another person's key is another key", async () => {
  const key = randomUUID();
  await run(key, { amount: 500n }, () => Promise.resolve("first"));
  await expect(run(key, { amount: 501n }, () => Promise.resolve("second"))).rejects.toBeInstanceOf(IdempotencyConflict);
  const other = await database.current.db.transaction((tx) =>
    once(tx, { actor: "staff:2", key, input: { amount: 501n }, now }, () => Promise.resolve("theirs")),
  );
  expect(other).toBe("theirs");
});

test("a twin that arrives meanwhile waits and gets the first one's answer", async () => {
  const key = randomUUID();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: finished, resolve: finish } = Promise.withResolvers<string>();
  const first = run(key, 1, () => {
    begin();
    return finished;
  });
  await begun;
  const twin = run(key, 1, () => Promise.reject(new Error("The twin must not work.")));
  // The twin stands in the database's queue before the first is allowed to end.
  await waitForBlockedSession();
  finish("made by the first");
  expect(await Promise.all([first, twin])).toEqual(["made by the first", "made by the first"]);
});

test("a refused attempt does not burn its key", async () => {
  const key = randomUUID();
  await expect(run(key, 1, () => Promise.reject(new NotFound("device")))).rejects.toBeInstanceOf(NotFound);
  expect(await run(key, 1, () => Promise.resolve("now it works"))).toBe("now it works");
});

test("a key that is no key is refused", async () => {
  await expect(run("short", 1, () => Promise.resolve(1))).rejects.toBeInstanceOf(InvalidInput);
  await expect(run("x".repeat(201), 1, () => Promise.resolve(1))).rejects.toBeInstanceOf(InvalidInput);
});

test("the order in which fields were set does not change what a request is", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
      const reversed = Object.fromEntries(Object.entries(fields).reverse());
      expect(canonicalJson(reversed)).toBe(canonicalJson(fields));
      expect(JSON.parse(canonicalJson(fields))).toEqual(JSON.parse(JSON.stringify(fields)));
    }),
  );
});

async function waitForBlockedSession(): Promise<void> {
  for (;;) {
    const [row] = await database.current.db.execute<{ blocked: number }>(sql`
      select count(*)::int as blocked from pg_stat_activity
      where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`);
    if (Number(row?.blocked) > 0) return;
  }
}
