import { sql } from "drizzle-orm";
import { afterAll, expect, test } from "vitest";
import type { ReceiptId } from "../../src/kernel/ids.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

const program = useApp();
const db = () => program.current.app.database.db;

class Undone extends Error {}

/** What taking back some of a household's only payment would do; nothing of it stays. */
async function takingBack(home: Household, minor: bigint) {
  const { credit, clock } = { credit: program.current.app.credit, clock: program.current.clock };
  const [receipt] = await db().execute<{ id: ReceiptId }>(
    sql`select id from payments.receipts where reference = ${home.accountNumber}`,
  );
  if (receipt === undefined) throw new Error("Nothing was paid.");
  let seen:
    { taken: bigint; lines: readonly bigint[]; debt: bigint | undefined; refundable: bigint | undefined } | undefined;
  const undone = db().transaction(async (tx) => {
    const { taken, debits } = await credit.takeBack(tx, {
      receiptId: receipt.id,
      causes: [receipt.id],
      amount: { minor, currency: "KES" },
      cause: `test:${receipt.id}`,
      at: clock.now(),
      why: "reversed",
      actor: "test",
    });
    const after = await credit.find(tx, home.contract.id);
    const lines = debits.map(({ amountMinor }) => amountMinor);
    seen = { taken: taken.minor, lines, debt: after?.debtMinor, refundable: after?.refundableMinor };
    throw new Undone();
  });
  await expect(undone).rejects.toThrow(Undone);
  return seen;
}

test("money taken back comes out of what is held, and what it had bought is owed", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "70" });
  expect(await takingBack(home, 7_000n)).toEqual({
    taken: 7_000n,
    lines: [0n, 2_000n, 5_000n],
    debt: 5_000n,
    refundable: 0n,
  });
  expect(await takingBack(home, 1_500n)).toEqual({ taken: 1_500n, lines: [0n, 1_500n, 0n], debt: 0n, refundable: 0n });
});

test("money taken back after the last of the price comes out of what is refundable first", async () => {
  const home = await makeHousehold(program.current, { terms: { totalMinor: 10_000n } });
  await pay(program.current, { account: home.accountNumber, amount: "120" });
  expect(await takingBack(home, 12_000n)).toEqual({
    taken: 12_000n,
    lines: [2_000n, 0n, 10_000n],
    debt: 10_000n,
    refundable: 0n,
  });
});

test("more than a payment brought is not taken back at all", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "70" });
  expect(await takingBack(home, 7_001n)).toEqual({ taken: 0n, lines: [], debt: 0n, refundable: 0n });
});

afterAll(async () => {
  await auditBooks(program.current);
});
