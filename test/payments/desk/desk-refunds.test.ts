import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { InvalidInput, NotAllowedNow } from "../../../src/kernel/refusal.ts";
import { listMovements } from "../../../src/payments/payments.ts";
import { makeHousehold } from "../../support/village.ts";
import { useDesk } from "./desk-world.ts";

const office = useDesk();
const { db, stray, match, open, done, payout, paidOut, notPaidOut, held } = office;

const refund = (receiptId: Parameters<typeof open>[0], amountMinor?: bigint, phone?: string) =>
  done({ kind: "refund_suspense", receiptId, amountMinor, phone });

describe("money in suspense", () => {
  test("goes back to its payer's phone, and leaves the clearing account when the provider has paid", async () => {
    const receiptId = await stray("80", { msisdn: "254712000001" });
    const clearing = await held("system/clearing/");
    const made = await payout(await refund(receiptId));
    expect(made).toMatchObject({
      method: "disbursement",
      phone: "+254712000001",
      amount: { minor: 8_000n },
      state: "created",
    });
    expect([await open(receiptId), await held("system/payouts/")]).toEqual([0n, 8_000n]);
    await paidOut(made);
    await paidOut(made);
    expect([await open(receiptId), await held("system/payouts/")]).toEqual([0n, 0n]);
    expect((await held("system/clearing/")) - clearing).toBe(8_000n);
    await expect(refund(receiptId)).rejects.toThrow(NotAllowedNow);
  });

  test("comes back to the desk for its old reason when the provider cannot pay, and may be refunded again", async () => {
    const receiptId = await stray("80", { msisdn: "254712000001" });
    await notPaidOut(await payout(await refund(receiptId)), "The phone is not registered.");
    const items = await office.program.current.app.receipts.openSuspense(db(), { first: 100 });
    expect(items.find(({ receipt }) => receipt.id === receiptId)).toMatchObject({
      reason: "account_unknown",
      open: { minor: 8_000n },
    });
    expect((await listMovements(db(), receiptId)).map(({ kind }) => kind).toSorted()).toEqual([
      "refund",
      "refund_returned",
    ]);
    await paidOut(await payout(await refund(receiptId, undefined, "0712 000 002")));
    expect([await open(receiptId), await held("system/payouts/")]).toEqual([0n, 0n]);
  });

  test("of a payer whose number is masked is reversed as a whole, or paid to a phone that a person names", async () => {
    const whole = await stray("30");
    expect(await payout(await refund(whole))).toMatchObject({ method: "reversal", phone: null });
    const part = await stray("30");
    await expect(refund(part, 1_000n)).rejects.toThrow(NotAllowedNow);
    await expect(refund(part, 1_000n, "not a phone")).rejects.toThrow(InvalidInput);
    const made = await payout(await refund(part, 1_000n, "+254712000003"));
    expect(made).toMatchObject({ method: "disbursement", phone: "+254712000003", originalProviderId: null });
    expect(await open(part)).toBe(2_000n);
    // The rest is not the whole payment any more, so the provider cannot reverse it.
    await expect(refund(part)).rejects.toThrow(NotAllowedNow);
    await expect(refund(part, 2_001n, "+254712000003")).rejects.toThrow(NotAllowedNow);
  });

  test("is either matched or refunded, when two people do both at once", async () => {
    const home = await makeHousehold(office.program.current);
    const receiptId = await stray("50", { msisdn: "254712000004" });
    const tries = await Promise.allSettled([refund(receiptId), match(receiptId, [home.contract.id])]);
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await open(receiptId)).toBe(0n);
  });
});

describe("what a customer paid too much", () => {
  test("is paid out to the customer's phone by the way it came, once", async () => {
    const home = await makeHousehold(office.program.current, { terms: { totalMinor: 5_000n } });
    await office.receive({ account: home.accountNumber, amount: "80" });
    const { id: contractId } = home.contract;
    const all = {
      kind: "refund_contract",
      contractId,
      amountMinor: undefined,
      phone: undefined,
      rail: undefined,
    } as const;
    const made = await payout(await done(all));
    expect(made).toMatchObject({ rail: "mpesa", phone: home.phone, amount: { minor: 3_000n }, contractId });
    expect((await home.refreshed()).refundableMinor).toBe(0n);
    await expect(done(all)).rejects.toThrow(NotAllowedNow);
    await notPaidOut(made, "Limit of the day reached.");
    expect((await home.refreshed()).refundableMinor).toBe(3_000n);
    await expect(done({ ...all, amountMinor: 3_001n })).rejects.toThrow(NotAllowedNow);
    const others = await held("system/payouts/");
    await paidOut(await payout(await done({ ...all, amountMinor: 1_000n, phone: "0712000005" })));
    await paidOut(await payout(await done(all)));
    expect([(await home.refreshed()).refundableMinor, await held("system/payouts/")]).toEqual([0n, others]);
  });

  test("is not paid out by a rail that cannot, nor where no such rail ever brought money", async () => {
    const home = await makeHousehold(office.program.current, { terms: { totalMinor: 5_000n } });
    const { id: contractId } = home.contract;
    const act = { kind: "refund_contract", contractId, amountMinor: undefined, phone: undefined } as const;
    await expect(done({ ...act, rail: undefined })).rejects.toThrow("no refundable money");
    await office.receive({ account: home.accountNumber, amount: "60" });
    await expect(done({ ...act, rail: "bank" })).rejects.toThrow("bank cannot pay out KES. Rails that can: mpesa.");
  });
});

describe("a person at the desk writes", () => {
  const messagesTo = (phone: string) =>
    db().execute<{ template: string; language: string; values: Record<string, string> }>(
      sql`select template, language, template_values as values from messaging.messages where to_phone = ${phone} and template like 'ask%' order by id`,
    );
  const write = (receiptId: Parameters<typeof open>[0], more: { contractId?: Parameters<typeof match>[1][0] } = {}) =>
    db().transaction((tx) =>
      office.desk().write(tx, {
        receiptId,
        template: "ask_account",
        contractId: more.contractId,
        by: { actor: "staff:1", role: "operations" },
      }),
    );

  test("to the payer where the rail told the number, asking for the account", async () => {
    const receiptId = await stray("80", { msisdn: "254712000006" });
    expect(await write(receiptId)).toEqual({ phone: "+254712000006" });
    expect([...(await messagesTo("+254712000006"))]).toEqual([
      { template: "ask_account", language: "en", values: { amount: "KES 80" } },
    ]);
  });

  test("to a customer whom the person chose, where the payer's number is masked", async () => {
    const home = await makeHousehold(office.program.current);
    const receiptId = await stray("80");
    await expect(write(receiptId)).rejects.toThrow(NotAllowedNow);
    expect(await write(receiptId, { contractId: home.contract.id })).toEqual({ phone: home.phone });
  });
});
