import { describe, expect, test } from "vitest";
import { InvalidInput, NotAllowedNow, NotFound } from "../../../src/kernel/refusal.ts";
import { rational } from "../../../src/kernel/rational.ts";
import { listMovements } from "../../../src/payments/payments.ts";
import { makeHousehold } from "../../support/village.ts";
import { useDesk } from "./desk-world.ts";

const office = useDesk();
const { db, stray, match, unlink, open, done } = office;
const household = (options?: Parameters<typeof makeHousehold>[1]) => makeHousehold(office.program.current, options);

describe("a payment in suspense", () => {
  test("is split over three contracts to the last unit, and each family gets its token by SMS", async () => {
    const homes = [await household(), await household(), await household()];
    const receiptId = await stray("200.01");
    const [a, b, c] = homes.map(({ contract }) => contract.id);
    if (a === undefined || b === undefined || c === undefined) throw new Error("Three homes are needed.");
    const before = await office.held("system/suspense/");
    await match(receiptId, [a, 5_000n], [b, 10_000n], [c, 5_001n]);
    expect(await open(receiptId)).toBe(0n);
    expect(before - (await office.held("system/suspense/"))).toBe(20_001n);
    const got = await Promise.all(homes.map(async (home) => (await home.refreshed()).receivedMinor));
    expect(got).toEqual([5_000n, 10_000n, 5_001n]);
    for (const home of homes) {
      expect(await home.messages()).toMatchObject([{ template: "token_received" }]);
      for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
    }
    const movements = await listMovements(db(), receiptId);
    expect(movements.map(({ kind, amountMinor }) => `${kind} ${amountMinor}`).toSorted()).toEqual([
      "matched 10000",
      "matched 5000",
      "matched 5001",
    ]);
    // The first contract of a payment has it under the payment's own name, as if it had come there by itself.
    expect(movements.filter(({ cause }) => cause === receiptId)).toHaveLength(1);
  });

  test("may be matched in parts on different days, and stays on the desk until nothing is left", async () => {
    const [home, other] = [await household(), await household()];
    const receiptId = await stray("120");
    await match(receiptId, [home.contract.id, 5_000n]);
    expect(await open(receiptId)).toBe(7_000n);
    await match(receiptId, [home.contract.id, 2_000n]);
    await match(receiptId, [other.contract.id]);
    expect(await open(receiptId)).toBe(0n);
    expect((await home.refreshed()).receivedMinor).toBe(7_000n);
    expect((await other.refreshed()).receivedMinor).toBe(5_000n);
  });

  test("buys at the price of the day it was paid, however late it is matched", async () => {
    const { app, clock } = office.program.current;
    const home = await household();
    const receiptId = await stray("100");
    clock.advance(3_600_000);
    await db().transaction(async (tx) => {
      const plan = await app.credit.plans.create(tx, {
        code: "dearer",
        name: "Dearer",
        terms: {
          currency: "KES",
          depositMinor: 0n,
          depositBuysTime: true,
          totalMinor: 500_000n,
          price: rational(10_000n),
          priceSeconds: 86_400,
          minimumPaymentMinor: 1_000n,
          freeSeconds: 0,
          instalmentDays: 7,
          graceDays: 0,
        },
      });
      const planVersionId = plan.id;
      await app.credit.changeTerms(tx, {
        contractId: home.contract.id,
        planVersionId,
        effectiveAt: clock.now(),
        actor: "a",
      });
    });
    await match(receiptId, [home.contract.id]);
    const [allocation] = await app.credit.allocations(db(), home.contract.id);
    expect(allocation).toMatchObject({ units: 2, spentMinor: 10_000n });
  });

  test("is not matched twice, nor beyond what is open, nor to the same contract twice at once", async () => {
    const [home, other] = [await household(), await household()];
    const receiptId = await stray("50");
    const { id } = home.contract;
    await expect(match(receiptId, [id, 3_000n], [other.contract.id, 2_001n])).rejects.toThrow(NotAllowedNow);
    await expect(match(receiptId, [id, 1_000n], [id, 1_000n])).rejects.toThrow(InvalidInput);
    await expect(match(receiptId, [id, 0n])).rejects.toThrow(InvalidInput);
    await expect(match(receiptId)).rejects.toThrow(InvalidInput);
    await match(receiptId, [id]);
    await expect(match(receiptId, [other.contract.id])).rejects.toThrow(NotAllowedNow);
    await expect(match(office.program.current.app.makeId<"Receipt">(), [id])).rejects.toThrow(NotFound);
    expect(await home.tokens()).toHaveLength(1);
    expect(await other.tokens()).toEqual([]);
  });

  test("that one part cannot reach goes nowhere at all", async () => {
    const [home, ended] = [await household(), await household()];
    const { credit } = office.program.current.app;
    await db().transaction((tx) => credit.writeOff(tx, { contractId: ended.contract.id, reason: "Lost", actor: "a" }));
    const receiptId = await stray("100");
    await expect(match(receiptId, [home.contract.id, 5_000n], [ended.contract.id, 5_000n])).rejects.toThrow(
      NotAllowedNow,
    );
    expect(await open(receiptId)).toBe(10_000n);
    expect(await home.tokens()).toEqual([]);
  });

  test("goes to one family when two people match it at once", async () => {
    const [home, other] = [await household(), await household()];
    const receiptId = await stray("50");
    const tries = await Promise.allSettled([
      match(receiptId, [home.contract.id]),
      match(receiptId, [other.contract.id]),
      match(receiptId, [other.contract.id], [home.contract.id, 1n]),
    ]);
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect([...(await home.tokens()), ...(await other.tokens())]).toHaveLength(1);
  });

  test("tells its family of the token, also when its payer was told before that the account is unknown", async () => {
    const home = await household();
    const receiptId = await stray("50", { msisdn: home.phone.slice(1) });
    await match(receiptId, [home.contract.id]);
    const told = (await home.messages()).map(({ template }) => template);
    expect(told.toSorted()).toEqual(["account_unknown", "token_received"]);
  });
});

describe("a payment that was credited as typed and belongs to another", () => {
  test("is unlinked: the wrong family owes what it bought, the right one gets its token when it is matched anew", async () => {
    const [wrong, right] = [await household(), await household()];
    const receiptId = await office.receive({ account: wrong.accountNumber, amount: "120" });
    await unlink(receiptId, wrong.contract.id);
    expect(await open(receiptId)).toBe(12_000n);
    // Two days were bought and are not taken away; the 20 that were held are.
    expect(await wrong.refreshed()).toMatchObject({ debtMinor: 10_000n, carriedMinor: 0n, receivedMinor: 0n });
    expect((await wrong.messages()).map(({ template }) => template)).toEqual(["token_received", "payment_moved_debt"]);
    office.program.current.clock.advance(1_000);
    await match(receiptId, [right.contract.id]);
    expect(await right.refreshed()).toMatchObject({ debtMinor: 0n, carriedMinor: 2_000n, receivedMinor: 12_000n });
    for (const token of await right.tokens()) expect(right.lamp.enter(token).kind).toBe("VALID");
    expect(await wrong.tokens()).toHaveLength(1);
    expect((await listMovements(db(), receiptId)).map(({ kind }) => kind)).toEqual(["unlinked", "matched"]);
  });

  test("may be unlinked in part, and matched back to the contract that had it", async () => {
    const home = await household();
    const receiptId = await office.receive({ account: home.accountNumber, amount: "20" });
    await unlink(receiptId, home.contract.id, 1_500n);
    expect(await home.refreshed()).toMatchObject({ carriedMinor: 500n, debtMinor: 0n });
    await match(receiptId, [home.contract.id, 1_500n]);
    expect(await home.refreshed()).toMatchObject({ carriedMinor: 2_000n, receivedMinor: 2_000n });
  });

  test("is not unlinked from a contract that has nothing of it, has less, or gave it back already", async () => {
    const [home, other] = [await household(), await household()];
    const receiptId = await office.receive({ account: home.accountNumber, amount: "50" });
    await expect(unlink(receiptId, other.contract.id)).rejects.toThrow(NotAllowedNow);
    await expect(unlink(receiptId, other.contract.id, 100n)).rejects.toThrow(NotAllowedNow);
    await expect(unlink(receiptId, home.contract.id, 5_001n)).rejects.toThrow(NotAllowedNow);
    await unlink(receiptId, home.contract.id);
    await expect(unlink(receiptId, home.contract.id)).rejects.toThrow(NotAllowedNow);
    await expect(unlink(receiptId, home.contract.id, 1n)).rejects.toThrow(NotAllowedNow);
  });

  test("is taken from the one contract that is named, when a split gave it to several", async () => {
    const [home, other] = [await household(), await household()];
    const receiptId = await stray("100");
    await match(receiptId, [home.contract.id, 5_000n], [other.contract.id, 5_000n]);
    await unlink(receiptId, home.contract.id);
    expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n, debtMinor: 5_000n });
    expect(await other.refreshed()).toMatchObject({ receivedMinor: 5_000n, debtMinor: 0n });
    expect(await open(receiptId)).toBe(5_000n);
  });
});

test("nothing is done at the desk without a reason, nor by an agent", async () => {
  const home = await household();
  const receiptId = await stray("50");
  const act = { kind: "match", receiptId, parts: [{ contractId: home.contract.id, amountMinor: undefined }] } as const;
  await expect(done(act, { reason: "  " })).rejects.toThrow(InvalidInput);
  const order = { act, by: { actor: "staff:9", role: "agent" as const }, reason: "mine", key: "k" };
  await expect(db().transaction((tx) => office.desk().act(tx, order))).rejects.toThrow("Only the office");
});
