import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { formatAccountNumber } from "../../../src/credit/credit.ts";
import type { ContractId, StaffId } from "../../../src/kernel/ids.ts";
import { money } from "../../../src/kernel/money.ts";
import { NotFound } from "../../../src/kernel/refusal.ts";
import type { AgentCash } from "../../../src/payments/cash/cash-records.ts";
import { makeAgentCash } from "../../../src/payments/cash/cash.commands.ts";
import type { Tx } from "../../../src/platform/database.ts";
import { useApp } from "../../support/app.ts";
import { makeHousehold } from "../../support/village.ts";

const program = useApp();
let cash: AgentCash;
let agentId: StaffId;
const inTransaction = <Outcome>(work: (tx: Tx) => Promise<Outcome>) =>
  program.current.app.database.db.transaction(work);

beforeAll(async () => {
  const { ledger, clock, makeId, credit } = program.current.app;
  cash = makeAgentCash({
    ledger,
    clock,
    makeId,
    zone: "Africa/Nairobi",
    requireContract: async (tx, id) => {
      const found = await credit.find(tx, id);
      if (found === undefined) throw new NotFound("contract", "contractId");
      return { reference: formatAccountNumber(found.accountNumber), currency: found.currency };
    },
  });
  agentId = makeId();
  const by = { id: makeId<"Staff">(), role: "operations" as const, actor: "staff:office" };
  await inTransaction((tx) => cash.setLimit(tx, { agentId, currency: "KES", limitMinor: 12_000n, by }));
});

const collect = (contractId: ContractId, minor: bigint) => {
  const [actor, clientKey, takenAt] = [`staff:${agentId}`, randomUUID(), program.current.clock.now()];
  return inTransaction((tx) =>
    cash.collect(tx, { agentId, actor, clientKey, contractId, amount: money(minor, "KES"), takenAt }),
  );
};

test("cash becomes light like any payment: tokens and a message, once", async () => {
  const home = await makeHousehold(program.current);
  const { number } = await collect(home.contract.id, 10_000n);
  expect(await program.current.settle()).toBe(1);
  expect(await program.current.settle()).toBe(0);
  for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
  expect(await home.tokens()).toHaveLength(1);
  expect(await home.messages()).toMatchObject([{ template: "token_received" }]);
  const [receipt] = await program.current.app.receipts.list(program.current.app.database.db, {
    search: number,
    first: 1,
  });
  expect(receipt).toMatchObject({ rail: "cash", providerId: number, amount: money(10_000n, "KES") });
});

test("cash above the limit gives no light until the office has counted some of it", async () => {
  const home = await makeHousehold(program.current);
  expect((await collect(home.contract.id, 5_000n)).state).toBe("provisional");
  expect(await program.current.settle()).toBe(0);
  expect(await home.tokens()).toEqual([]);
  const by = { id: program.current.app.makeId<"Staff">(), role: "operations" as const, actor: "staff:office" };
  await inTransaction(async (tx) => {
    const offer = await cash.handOver(tx, { agentId, amount: money(9_000n, "KES"), clientKey: randomUUID() });
    await cash.acceptHandOver(tx, { handOverId: offer.id, countedMinor: 9_000n, by });
  });
  expect(await program.current.settle()).toBe(1);
  expect(await home.tokens()).toHaveLength(1);
});

test("cash for a contract that has ended is in suspense, not lost, and the agent holds it", async () => {
  const home = await makeHousehold(program.current);
  await inTransaction((tx) =>
    program.current.app.credit.writeOff(tx, { contractId: home.contract.id, reason: "Lost", actor: "a" }),
  );
  const { number } = await collect(home.contract.id, 1_000n);
  await program.current.settle();
  const items = await program.current.app.receipts.openSuspense(program.current.app.database.db, { first: 10 });
  expect(items.map(({ receipt, reason }) => [receipt.providerId, reason])).toEqual([[number, "contract_ended"]]);
});

test("a collection written by mistake is cancelled: what it bought is debt, one not booked yet buys nothing", async () => {
  const by = { id: program.current.app.makeId<"Staff">(), role: "operations" as const, actor: "staff:office" };
  const cancel = (receiptNumber: string) =>
    inTransaction((tx) => cash.cancelReceipt(tx, { receiptNumber, reason: "She typed it twice", by }));
  const [home, other] = [await makeHousehold(program.current), await makeHousehold(program.current)];
  const booked = await collect(home.contract.id, 2_000n);
  await program.current.settle();
  const fresh = await collect(other.contract.id, 1_000n);
  expect((await cancel(booked.number)).state).toBe("cancelled");
  await cancel(fresh.number);
  await program.current.settle();
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n, carriedMinor: 0n, debtMinor: 0n });
  expect(await other.tokens()).toEqual([]);
  const spent = await collect(home.contract.id, 5_000n);
  await program.current.settle();
  await cancel(spent.number);
  await program.current.settle();
  expect(await home.refreshed()).toMatchObject({ debtMinor: 5_000n });
});

test("after all of this the agent holds by the rows what the agent holds by the books", async () => {
  const { ledger, database } = program.current.app;
  const code = `system/clearing/cash/${agentId}/KES`;
  const [hands] = await ledger.trialBalance(database.db, { codePrefix: code });
  const [standing] = await cash.standingsOf(database.db, agentId);
  expect(hands?.balanceMinor).toBe(standing?.bookedMinor);
  expect(standing?.heldMinor).toBe(7_000n);
});
