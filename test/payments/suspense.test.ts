import { sql } from "drizzle-orm";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { NotAllowedNow, NotFound } from "../../src/kernel/refusal.ts";
import type { ContractId, ReceiptId } from "../../src/kernel/ids.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, pay } from "../support/village.ts";

const program = useApp();
const db = () => program.current.app.database.db;
const open = (page: { first: number; after?: { openedAt: Date; id: ReceiptId } } = { first: 100 }) =>
  program.current.app.receipts.openSuspense(db(), page);

/** What a person on the desk does, in one transaction. */
async function match(receiptId: ReceiptId, contractId: ContractId): Promise<void> {
  await db().transaction((tx) =>
    program.current.app.desk.act(tx, {
      act: { kind: "match", receiptId, parts: [{ contractId, amountMinor: undefined }] },
      by: { actor: "staff:1", role: "operations" },
      reason: "The payer rang and gave the account.",
      key: "",
    }),
  );
}

async function strayPayment(amount: string, transId?: string): Promise<ReceiptId> {
  await pay(program.current, { account: "PG-0000", amount, ...(transId === undefined ? {} : { transId }) });
  const item = (await open()).at(-1);
  if (item === undefined) throw new Error("Nothing is in suspense.");
  return item.receipt.id;
}

beforeEach(() => program.current.clock.advance(1_000));
afterAll(() => auditBooks(program.current));

describe("money that nobody could match", () => {
  test("stands on the desk with its amount, its payer's words and the time, oldest first, page by page", async () => {
    await strayPayment("10", "DESK000001");
    program.current.clock.advance(1_000);
    await strayPayment("20", "DESK000002");
    const items = await open();
    expect(
      items.map(({ receipt, reason }) => [receipt.providerId, receipt.amount.minor, receipt.reference, reason]),
    ).toEqual([
      ["DESK000001", 1_000n, "PG-0000", "account_unknown"],
      ["DESK000002", 2_000n, "PG-0000", "account_unknown"],
    ]);
    const [first] = items;
    if (first === undefined) throw new Error("The desk is empty.");
    const rest = await open({ first: 10, after: { openedAt: first.openedAt, id: first.receipt.id } });
    expect(rest.map(({ receipt }) => receipt.providerId)).toEqual(["DESK000002"]);
  });

  test("once matched buys what a payment of its own day would have bought, and leaves the desk", async () => {
    const home = await makeHousehold(program.current);
    const receiptId = await strayPayment("120");
    const paidAt = program.current.clock.now();
    program.current.clock.advance(3_600_000);
    await match(receiptId, home.contract.id);
    expect((await open()).map(({ receipt }) => receipt.id)).not.toContain(receiptId);
    const [allocation] = await program.current.app.credit.allocations(db(), home.contract.id);
    expect(allocation).toMatchObject({ cause: receiptId, units: 2, carriedChangeMinor: 2_000n });
    expect(Math.abs((allocation?.paidFromAt?.getTime() ?? 0) - paidAt.getTime())).toBeLessThan(1_000);
    for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
    expect(await home.messages()).toMatchObject([{ template: "token_received" }]);
    await auditBooks(program.current);
  });

  test("is matched once, however many try at once", async () => {
    const [home, other] = [await makeHousehold(program.current), await makeHousehold(program.current)];
    const receiptId = await strayPayment("50");
    const tries = await Promise.allSettled([
      match(receiptId, home.contract.id),
      match(receiptId, other.contract.id),
      match(receiptId, home.contract.id),
    ]);
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refusals = tries.flatMap((attempt): unknown[] => (attempt.status === "rejected" ? [attempt.reason] : []));
    expect(refusals.filter((refusal) => !(refusal instanceof NotAllowedNow))).toEqual([]);
    expect([...(await home.tokens()), ...(await other.tokens())]).toHaveLength(1);
  });

  test("stays in suspense when the contract has ended, is unknown, or counts in another currency", async () => {
    const { credit } = program.current.app;
    const [ended, foreign] = [
      await makeHousehold(program.current),
      await makeHousehold(program.current, { terms: { currency: "UGX" } }),
    ];
    await db().transaction((tx) => credit.writeOff(tx, { contractId: ended.contract.id, reason: "Lost", actor: "a" }));
    const receiptId = await strayPayment("50");
    await expect(match(receiptId, ended.contract.id)).rejects.toThrow(NotAllowedNow);
    await expect(match(receiptId, foreign.contract.id)).rejects.toThrow(NotAllowedNow);
    await expect(match(receiptId, program.current.app.makeId<"Contract">())).rejects.toThrow(NotFound);
    await expect(match(program.current.app.makeId<"Receipt">(), ended.contract.id)).rejects.toThrow(NotFound);
    expect((await open()).map(({ receipt }) => receipt.id)).toContain(receiptId);
  });

  test("paid into an account that counts in another currency waits there too", async () => {
    const foreign = await makeHousehold(program.current, { terms: { currency: "UGX" } });
    await pay(program.current, { account: foreign.accountNumber, amount: "50", transId: "FOREIGN001" });
    const item = (await open()).find(({ receipt }) => receipt.providerId === "FOREIGN001");
    expect(item?.reason).toBe("currency_differs");
    expect(await foreign.tokens()).toEqual([]);
  });

  test("matched to a contract that is paid off belongs to its customer", async () => {
    const home = await makeHousehold(program.current, { terms: { totalMinor: 5_000n } });
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    await match(await strayPayment("30"), home.contract.id);
    expect(await home.refreshed()).toMatchObject({ state: "paid_off", refundableMinor: 3_000n });
  });
});

describe("the lists that operations reads", () => {
  test("find a receipt by its code in either case, by its account, and by page", async () => {
    const home = await makeHousehold(program.current);
    for (const transId of ["LIST000001", "LIST000002", "LIST000003"]) {
      program.current.clock.advance(1_000);
      await pay(program.current, { account: home.accountNumber, amount: "10", transId });
    }
    const { receipts } = program.current.app;
    const ids = async (query: Parameters<typeof receipts.list>[1]) =>
      (await receipts.list(db(), query)).map(({ providerId }) => providerId);
    expect(await ids({ search: "list000002", first: 10 })).toEqual(["LIST000002"]);
    expect(await ids({ search: home.accountNumber, first: 2 })).toEqual(["LIST000003", "LIST000002"]);
    const [newest] = await receipts.list(db(), { search: home.accountNumber, first: 1 });
    if (newest === undefined) throw new Error("No receipt is listed.");
    expect(
      await ids({ search: home.accountNumber, first: 5, after: { paidAt: newest.paidAt, id: newest.id } }),
    ).toEqual(["LIST000002", "LIST000001"]);
    expect((await receipts.find(db(), [newest.id])).get(newest.id)).toEqual(newest);
    expect(await ids({ search: "' or 1=1 --", first: 10 })).toEqual([]);
  });

  test("show what is in quarantine, newest first, without its bytes", async () => {
    const { receipts } = program.current.app;
    await db()
      .execute(sql`insert into payments.quarantine (rail, door, reason, detail, source_address, raw, received_at)
      select 'mpesa', 'confirmation', 'malformed', 'item ' || n, '127.0.0.1', '', now() from generate_series(1, 3) n`);
    const [third, second] = await receipts.quarantine(db(), { first: 2 });
    expect([third?.detail, second?.detail]).toEqual(["item 3", "item 2"]);
    expect((await receipts.quarantine(db(), { first: 5, before: second?.id })).map(({ detail }) => detail)).toEqual([
      "item 1",
    ]);
  });
});
