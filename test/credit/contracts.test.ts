import { sql } from "drizzle-orm";
import { afterAll, describe, expect, test } from "vitest";
import { IdempotencyConflict, InvalidInput, NotAllowedNow, NotFound } from "../../src/kernel/refusal.ts";
import type { ContractId } from "../../src/kernel/ids.ts";
import { DAY_MS, HOUR_MS, addDays, localDateOf } from "../../src/kernel/time.ts";
import { sqlStateOf, type Tx } from "../../src/platform/database.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { keptBy } from "../scenario/kept.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

const program = useApp();
const kept = keptBy(() => program.current);
const within = <Value>(act: (tx: Tx) => Promise<Value>): Promise<Value> =>
  program.current.app.database.db.transaction(act);
const credit = () => program.current.app.credit;
const db = () => program.current.app.database.db;
const balanceOf = async (code: string): Promise<bigint> =>
  (await program.current.app.ledger.trialBalance(db(), { codePrefix: code })).reduce(
    (sum, { balanceMinor }) => sum + balanceMinor,
    0n,
  );

let adjustments = 0;
const adjust = (home: Household, amountMinor: bigint, key = `a${(adjustments += 1)}`) =>
  within((tx) =>
    credit().adjust(tx, {
      contractId: home.contract.id,
      amountMinor,
      reason: "Checked with the customer",
      actor: "staff:1",
      key,
    }),
  );

describe("a sale", () => {
  test("takes a device from stock, opens the contract's accounts and books the price as owed", async () => {
    const home = await makeHousehold(program.current);
    expect(home.contract).toMatchObject({
      state: "active",
      outstandingMinor: 500_000n,
      receivedMinor: 0n,
      startedAt: null,
      paidUntilAt: null,
      area: "kitui",
    });
    expect(credit().lockState(home.contract)).toBe("CREATED");
    expect(await program.current.app.devices.find(db(), home.contract.deviceId)).toMatchObject({ state: "installed" });
    const accounts = await program.current.app.ledger.trialBalance(db(), {
      codePrefix: `contract/${home.contract.id}/`,
    });
    expect(accounts.map(({ code, kind, balanceMinor }) => [code.split("/")[2], kind, balanceMinor])).toEqual([
      ["credit", "liability", 0n],
      ["debt", "asset", 0n],
      ["receivable", "asset", 500_000n],
      ["refundable", "liability", 0n],
    ]);
    expect(await credit().findByAccountNumber(db(), home.contract.accountNumber)).toEqual(await home.refreshed());
  });

  test("of a device that is not in stock, to nobody, or under no plan is refused and leaves nothing behind", async () => {
    const home = await makeHousehold(program.current);
    const sell = (
      more: Partial<{ customerId: typeof home.contract.customerId; serial: string; planCode: string; soldAt: Date }>,
    ) =>
      within((tx) =>
        credit().sell(tx, {
          customerId: home.contract.customerId,
          serial: home.serial,
          planCode: "no-plan",
          actor: "test",
          ...more,
        }),
      );
    const [plan] = (await credit().plans.list(db())).filter(({ id }) => id === home.contract.planVersionId);
    const planCode = plan?.code ?? "";
    const counted = async () => (await db().execute(sql`select count(*) from credit.contracts`))[0]?.["count"];
    const before = await counted();
    await expect(sell({ planCode })).rejects.toThrow(/installed, not stock/);
    await expect(sell({ planCode, serial: "SHS-UNKNOWN" })).rejects.toThrow(NotFound);
    await expect(sell({ planCode, serial: "" })).rejects.toThrow(InvalidInput);
    await expect(sell({})).rejects.toThrow(NotFound);
    await expect(sell({ planCode, soldAt: new Date("2020-01-01") })).rejects.toThrow(NotFound);
    await expect(sell({ planCode, customerId: program.current.app.makeId<"Customer">() })).rejects.toThrow(NotFound);
    expect(await counted()).toBe(before);
  });
});

describe("an adjustment", () => {
  test("that takes money back is a debt, paid before any more light; the light already given stays (debt first)", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    expect(await adjust(home, -10_000n)).toMatchObject({ debtMinor: 10_000n, outstandingMinor: 490_000n });
    expect(await home.tokens()).toHaveLength(1);
    program.current.clock.advance(1_000);
    await pay(program.current, { account: home.accountNumber, amount: "60" });
    expect(await home.refreshed()).toMatchObject({ debtMinor: 4_000n, carriedMinor: 0n });
    expect(await home.tokens()).toHaveLength(1);
    program.current.clock.advance(1_000);
    await pay(program.current, { account: home.accountNumber, amount: "90" });
    expect(await home.refreshed()).toMatchObject({ debtMinor: 0n, outstandingMinor: 485_000n });
    expect(await home.tokens()).toHaveLength(2);
    expect((await home.messages()).map(({ template }) => template)).toEqual([
      "token_received",
      "payment_debt",
      "token_received",
    ]);
    await auditBooks(program.current);
  });

  test("that gives money buys light like a payment", async () => {
    const home = await makeHousehold(program.current);
    expect(await adjust(home, 7_500n)).toMatchObject({ outstandingMinor: 495_000n, carriedMinor: 2_500n });
    for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
    expect(home.lamp.face().daysLeft).toBe(1);
  });

  test("of nothing, without a reason, twice under one key, or on an ended contract is refused", async () => {
    const home = await makeHousehold(program.current);
    await expect(adjust(home, 0n)).rejects.toThrow(InvalidInput);
    await expect(
      within((tx) =>
        credit().adjust(tx, { contractId: home.contract.id, amountMinor: 1n, reason: " ", actor: "a", key: "k" }),
      ),
    ).rejects.toThrow(/reason/);
    await adjust(home, 5_000n, "once");
    await expect(adjust(home, 5_000n, "once")).rejects.toSatisfy((error) => sqlStateOf(error) === "23505");
    await expect(adjust(home, 6_000n, "once")).rejects.toThrow(IdempotencyConflict);
    expect(await home.tokens()).toHaveLength(1);
    await within((tx) => credit().writeOff(tx, { contractId: home.contract.id, reason: "Stolen", actor: "a" }));
    await expect(adjust(home, 5_000n)).rejects.toThrow(NotAllowedNow);
  });

  test("does not make a customer look better paid: money taken back and paid again counts once", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    await adjust(home, -10_000n);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    program.current.clock.advance(8 * DAY_MS);
    const { arrears } = await credit().instalmentsOf(db(), await home.refreshed());
    expect(arrears).toMatchObject({ dueMinor: 70_000n, arrearsMinor: 60_000n });
  });
});

describe("a write-off", () => {
  test("books the rest as lost, ends the contract, and takes no light away", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    await adjust(home, -5_000n);
    const lostBefore = await balanceOf("system/written_off/");
    const after = await within((tx) =>
      credit().writeOff(tx, { contractId: home.contract.id, reason: "Moved away", actor: "staff:1" }),
    );
    expect(after).toMatchObject({
      state: "written_off",
      outstandingMinor: 0n,
      debtMinor: 0n,
      endedAt: program.current.clock.now(),
    });
    expect((await balanceOf("system/written_off/")) - lostBefore).toBe(495_000n);
    expect(credit().lockState(after)).toBe("WRITTEN_OFF");
    expect(await home.tokens()).toHaveLength(1);
    await auditBooks(program.current);
  });

  test("is final: no token again, no second write-off, no pay-off, no swap; later money waits in suspense", async () => {
    const home = await makeHousehold(program.current);
    const order = { contractId: home.contract.id, reason: "Moved away", actor: "staff:1" };
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    await within((tx) => credit().writeOff(tx, order));
    await expect(within((tx) => credit().writeOff(tx, order))).rejects.toThrow(NotAllowedNow);
    await expect(within((tx) => credit().payOff(tx, order))).rejects.toThrow(NotAllowedNow);
    await expect(within((tx) => credit().swapDevice(tx, { ...order, serial: home.serial }))).rejects.toThrow(
      NotAllowedNow,
    );
    await expect(within((tx) => credit().resendTokens(tx, { contractId: home.contract.id, key: "k" }))).rejects.toThrow(
      NotAllowedNow,
    );
    await pay(program.current, { account: home.accountNumber, amount: "50", transId: "AFTEREND01" });
    expect(await kept.suspense()).toContainEqual({ provider_id: "AFTEREND01", reason: "contract_ended" });
    expect(await credit().findPayable(home.accountNumber)).toEqual({ kind: "ended" });
  });

  test("of an unknown contract is refused", async () => {
    const contractId = program.current.app.makeId<"Contract">();
    await expect(within((tx) => credit().writeOff(tx, { contractId, reason: "x", actor: "a" }))).rejects.toThrow(
      NotFound,
    );
  });
});

describe("a pay-off", () => {
  test("waives the rest, unlocks the lamp for good, and leaves nothing in arrears", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "70" });
    const after = await within((tx) =>
      credit().payOff(tx, { contractId: home.contract.id, reason: "Promotion", actor: "staff:1" }),
    );
    expect(after).toMatchObject({ state: "paid_off", outstandingMinor: 0n, carriedMinor: 0n });
    for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
    expect(home.lamp.face().daysLeft).toBe("unlimited");
    program.current.clock.advance(90 * DAY_MS);
    expect((await credit().instalmentsOf(db(), after)).arrears).toEqual({
      dueMinor: 455_000n,
      arrearsMinor: 0n,
      days: 0,
    });
    await auditBooks(program.current);
  });

  test("of a rent gives back what was held, since there is no price that it could pay", async () => {
    const home = await makeHousehold(program.current, { terms: { totalMinor: null, depositMinor: 9_000n } });
    await pay(program.current, { account: home.accountNumber, amount: "70" });
    const after = await within((tx) =>
      credit().payOff(tx, { contractId: home.contract.id, reason: "Promotion", actor: "staff:1" }),
    );
    expect(after).toMatchObject({ state: "paid_off", depositDueMinor: 0n, carriedMinor: 0n, refundableMinor: 2_000n });
    await auditBooks(program.current);
  });

  test("waits until a debt is paid", async () => {
    const home = await makeHousehold(program.current);
    await adjust(home, -1n);
    await expect(
      within((tx) => credit().payOff(tx, { contractId: home.contract.id, reason: "x", actor: "a" })),
    ).rejects.toThrow(/debt/);
  });
});

describe("a swap of the device", () => {
  const spare = async (timeDivider: number): Promise<Household> => {
    // A household whose contract is written off lends its lamp: the device goes back to stock by hand.
    const donor = await makeHousehold(program.current, { timeDivider });
    await within((tx) => credit().writeOff(tx, { contractId: donor.contract.id, reason: "Returned", actor: "a" }));
    await within((tx) =>
      program.current.app.devices.move(tx, {
        deviceId: donor.contract.deviceId,
        from: "installed",
        to: "stock",
        reason: "came back",
        actor: "test",
      }),
    );
    return donor;
  };
  const swap = (home: Household, serial: string) =>
    within((tx) =>
      credit().swapDevice(tx, { contractId: home.contract.id, serial, reason: "Broken", actor: "staff:1" }),
    );

  test("moves the light that is left to the new lamp, in its own units, and retires the old one", async () => {
    const [home, next] = [await makeHousehold(program.current), await spare(24)];
    await pay(program.current, { account: home.accountNumber, amount: "250" });
    program.current.clock.advance(30 * HOUR_MS + 1_000);
    const after = await swap(home, next.serial);
    const [row] = await program.current.app.devices.tokensOf(db(), { deviceId: after.deviceId, limit: 1 });
    expect(row).toMatchObject({ kind: "add", units: 5 * 24 - 31 });
    expect(next.lamp.enter(row?.digits ?? "").kind).toBe("VALID");
    expect(next.lamp.face().daysLeft).toBeCloseTo((5 * 24 - 31) / 24, 6);
    expect(await program.current.app.devices.find(db(), home.contract.deviceId)).toMatchObject({ state: "swapped" });
    expect((await home.messages()).at(-1)).toMatchObject({ template: "token_again" });
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    const [paid] = await program.current.app.devices.tokensOf(db(), { deviceId: after.deviceId, limit: 1 });
    expect(next.lamp.enter(paid?.digits ?? "").kind).toBe("VALID");
  });

  test("of a lamp without light gives no token; of an unlocked one unlocks the new lamp", async () => {
    const [dark, spareOne] = [await makeHousehold(program.current), await spare(1)];
    await swap(dark, spareOne.serial);
    expect(await spareOne.tokens()).toEqual([]);
    const [done, spareTwo] = [await makeHousehold(program.current, { terms: { totalMinor: 5_000n } }), await spare(1)];
    await pay(program.current, { account: done.accountNumber, amount: "50" });
    await swap(done, spareTwo.serial);
    for (const token of await spareTwo.tokens()) spareTwo.lamp.enter(token);
    expect(spareTwo.lamp.face().daysLeft).toBe("unlimited");
  });

  test("to a lamp that somebody has, or to the same lamp, is refused", async () => {
    const [home, other] = [await makeHousehold(program.current), await makeHousehold(program.current)];
    await expect(swap(home, other.serial)).rejects.toThrow(NotAllowedNow);
    await expect(swap(home, home.serial)).rejects.toThrow(NotAllowedNow);
    await expect(swap(home, "SHS-UNKNOWN")).rejects.toThrow(NotFound);
    expect((await home.refreshed()).deviceId).toBe(home.contract.deviceId);
  });
});

describe("sending tokens again", () => {
  const resend = (contractId: ContractId, key: string) =>
    within((tx) => credit().resendTokens(tx, { contractId, key }));

  test("repeats the tokens of the latest payment, makes no new one, and sends once for one key", async () => {
    const home = await makeHousehold(program.current);
    await expect(resend(home.contract.id, "k0")).rejects.toThrow(/No token/);
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    program.current.clock.advance(1_000);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    const tokens = await home.tokens();
    expect((await resend(home.contract.id, "k1")).map(({ digits }) => digits)).toEqual(tokens.slice(-1));
    await resend(home.contract.id, "k1");
    expect(await home.tokens()).toEqual(tokens);
    expect((await home.messages()).filter(({ template }) => template === "token_again")).toHaveLength(1);
  });

  test("of a payment that gave many gives all of them, in the order of typing", async () => {
    const home = await makeHousehold(program.current, {
      terms: { totalMinor: null, price: { numerator: 100n, denominator: 1n }, priceSeconds: 3_600 },
      timeDivider: 24,
    });
    await pay(program.current, { account: home.accountNumber, amount: "25000" });
    const tokens = await home.tokens();
    expect(tokens).toHaveLength(26);
    expect((await resend(home.contract.id, "many")).map(({ digits }) => digits)).toEqual(tokens);
  });
});

describe("what may be paid", () => {
  test("is answered by the terms in force now, and never asks for more than what is left", async () => {
    const home = await makeHousehold(program.current, { terms: { minimumPaymentMinor: 2_000n, totalMinor: 10_000n } });
    expect(await credit().findPayable(home.accountNumber)).toEqual({
      kind: "payable",
      currency: "KES",
      minimumMinor: 2_000n,
    });
    await pay(program.current, { account: home.accountNumber, amount: "91" });
    expect(await credit().findPayable(home.accountNumber)).toMatchObject({ minimumMinor: 900n });
    expect(await credit().findPayable("PG-0000")).toEqual({ kind: "unknown" });
  });

  test("follows a change of terms from its effective time on, before any payment was made under them", async () => {
    const home = await makeHousehold(program.current, { terms: { minimumPaymentMinor: 2_000n } });
    const [version] = (await credit().plans.list(db())).filter(({ id }) => id === home.contract.planVersionId);
    if (version === undefined) throw new Error("The plan is gone.");
    const effectiveAt = new Date(program.current.clock.now().getTime() + DAY_MS);
    await within(async (tx) => {
      const next = await credit().plans.change(tx, {
        code: version.code,
        terms: { ...version, minimumPaymentMinor: 500n },
        effectiveAt,
      });
      await credit().changeTerms(tx, { contractId: home.contract.id, planVersionId: next.id, effectiveAt, actor: "a" });
    });
    expect(await credit().findPayable(home.accountNumber)).toMatchObject({ minimumMinor: 2_000n });
    program.current.clock.moveTo(effectiveAt);
    expect(await credit().findPayable(home.accountNumber)).toMatchObject({ minimumMinor: 500n });
  });
});

describe("a contract's own story", () => {
  test("tells when the light went on and off", async () => {
    const home = await makeHousehold(program.current);
    const start = program.current.clock.now();
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    expect(credit().lockState(await home.refreshed())).toBe("ENABLED");
    program.current.clock.advance(3 * DAY_MS);
    expect(credit().lockState(await home.refreshed())).toBe("DISABLED");
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    const story = (await credit().timelineOf(db(), home.contract.id)).map(({ at, to }) => [
      (at.getTime() - start.getTime()) / DAY_MS,
      to,
    ]);
    expect(story).toEqual([
      [0, "ENABLED"],
      [2, "DISABLED"],
      [3, "ENABLED"],
    ]);
  });

  test("tells what is due in local days and what is late", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "350" });
    program.current.clock.advance(9 * DAY_MS);
    const { calendar, arrears } = await credit().instalmentsOf(db(), await home.refreshed());
    expect(calendar[1]?.dueOn).toBe(addDays(localDateOf(home.contract.soldAt, "Africa/Nairobi"), 7));
    expect(arrears).toEqual({ dueMinor: 70_000n, arrearsMinor: 35_000n, days: 2 });
  });

  test("can be read from the ledger, line by line", async () => {
    const home = await makeHousehold(program.current);
    program.current.clock.advance(1_000);
    await pay(program.current, { account: home.accountNumber, amount: "70" });
    const accountIds = await credit().accountsOf(db(), home.contract.id);
    const lines = await program.current.app.ledger.statement(db(), { accountIds, limit: 10 });
    expect(lines.map(({ kind, amountMinor }) => [kind, amountMinor])).toEqual([
      ["sale", 500_000n],
      ["payment", -5_000n],
      ["payment", -2_000n],
    ]);
  });
});

afterAll(async () => {
  await auditBooks(program.current);
});
