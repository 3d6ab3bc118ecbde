import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { AMOUNT_MINOR_MAX, money } from "../../../src/kernel/money.ts";
import { Forbidden, IdempotencyConflict, InvalidInput, NotAllowedNow, NotFound } from "../../../src/kernel/refusal.ts";
import { DAY_MS, HOUR_MS } from "../../../src/kernel/time.ts";
import { useCashOffice } from "./cash-office.ts";

const place = useCashOffice();
const { clock, cash, office, agent, contract, accept, settle, inTransaction } = place;
const hands = (id: string) => `system/clearing/cash/${id}/KES`;

beforeEach(() => clock.advance(1_000));

describe("cash that an agent collects", () => {
  test("sent ten times at once by the phone is one payment, and every answer is the same", async () => {
    const asha = agent();
    await asha.limit(100_000n);
    const send = { clientKey: randomUUID(), contractId: contract(), takenAt: clock.now() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => asha.collect(500n, send)));
    expect(new Set(answers.map(({ number }) => number)).size).toBe(1);
    expect(await asha.entered()).toEqual([answers[0]?.number]);
    await settle();
    clock.advance(200 * DAY_MS);
    expect((await asha.collect(500n, send)).number).toBe(answers[0]?.number);
    expect(await settle()).toBe(0);
    expect(await place.balance(hands(asha.id))).toBe(500n);
    expect(await asha.standing()).toMatchObject({ heldMinor: 500n, bookedMinor: 500n, roomMinor: 99_500n });
  });

  test("enters the inbox as it came: the agent, the account, the time of the phone, and the bytes", async () => {
    const asha = agent();
    await asha.limit(1_000n);
    const takenAt = new Date(clock.now().getTime() - DAY_MS);
    const { number, reference } = await asha.collect(700n, { takenAt });
    const [row] = await place.database.current.db.execute(sql`
      select rail, source, form, type, provider_id, shortcode, reference, amount_minor, currency, paid_at, convert_from(raw, 'UTF8')::jsonb ->> 'amountMinor' as raw
      from payments.callbacks where provider_id = ${number}`);
    expect(row).toMatchObject({
      rail: "cash",
      source: "cash",
      form: "cash",
      type: "billpay",
      provider_id: number,
      shortcode: asha.id,
      reference,
      amount_minor: "700",
      currency: "KES",
      raw: "700",
    });
    expect(new Date(String(row?.["paid_at"]))).toEqual(takenAt);
  });

  test("under a key that was used for another payment is refused, and nothing of it stays", async () => {
    const asha = agent();
    await asha.limit(10_000n);
    const send = { clientKey: randomUUID(), contractId: contract(), takenAt: clock.now() };
    await asha.collect(500n, send);
    await expect(asha.collect(501n, send)).rejects.toThrow(IdempotencyConflict);
    await expect(asha.collect(500n, { ...send, contractId: contract() })).rejects.toThrow(IdempotencyConflict);
    expect(await asha.standing()).toMatchObject({ heldMinor: 500n });
  });

  test("carries a number of the agent's own blocks, and each number once", async () => {
    const [asha, juma] = [agent(), agent()];
    await asha.limit(10_000n);
    await juma.limit(10_000n);
    const [{ numbers }, other] = [await asha.numbers(3), await juma.numbers(3)];
    const [first = "", second = ""] = numbers;
    expect((await asha.collect(100n, { receiptNumber: ` ${second.toLowerCase()}` })).number).toBe(second);
    expect((await asha.collect(100n, { receiptNumber: first })).number).toBe(first);
    await expect(asha.collect(100n, { receiptNumber: first })).rejects.toThrow(/was used/);
    await expect(asha.collect(100n, { receiptNumber: other.numbers[2] })).rejects.toThrow(/not given to this agent/);
    const unprinted = await asha.collect(100n);
    expect(unprinted.sequence).toBe(4);
    await expect(asha.collect(100n, { receiptNumber: unprinted.number.replace(/.$/, "x") })).rejects.toThrow(
      InvalidInput,
    );
    expect((await asha.numbers(2)).numbers).toHaveLength(2);
    await expect(asha.numbers(501)).rejects.toThrow(InvalidInput);
    expect(await asha.entered()).toEqual([second, first, unprinted.number]);
  });

  test("two phones with one number at once: one is booked, the other is told", async () => {
    const asha = agent();
    await asha.limit(10_000n);
    const [receiptNumber = ""] = (await asha.numbers(1)).numbers;
    const tries = await Promise.allSettled([
      asha.collect(100n, { receiptNumber }),
      asha.collect(90n, { receiptNumber }),
    ]);
    expect(tries.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await asha.entered()).toEqual([receiptNumber]);
  });

  test("of no amount, too much, another currency, for nobody, or from an impossible day is refused with its field", async () => {
    const asha = agent();
    await asha.limit(10_000n);
    const at = (millis: number) => ({ takenAt: new Date(clock.now().getTime() + millis) });
    for (const [attempt, field] of [
      [() => asha.collect(0n), "amountMinor"],
      [() => asha.collect(-5n), "amountMinor"],
      [() => asha.collect(AMOUNT_MINOR_MAX + 1n), "amountMinor"],
      [() => asha.collect(5n, { amount: money(5n, "UGX"), contractId: contract("KES") }), "currency"],
      [() => asha.collect(5n, at(HOUR_MS + 1)), "takenAt"],
      [() => asha.collect(5n, at(-121 * DAY_MS)), "takenAt"],
      [() => asha.collect(5n, { clientKey: "short" }), "idempotencyKey"],
    ] as const)
      await expect(attempt()).rejects.toMatchObject({ code: "INVALID_INPUT", field });
    await expect(asha.collect(5n, { contractId: place.makeId() })).rejects.toThrow(NotFound);
    expect((await asha.collect(5n, at(HOUR_MS))).state).toBe("booked");
    expect(await asha.entered()).toHaveLength(1);
  });

  test("in shillings without decimals counts against a limit of its own", async () => {
    const asha = agent();
    await asha.limit(1_000n);
    await asha.limit(2_000n, "UGX");
    await asha.collect(1_000n);
    expect((await asha.collect(2_000n, { amount: money(2_000n, "UGX") })).state).toBe("booked");
    expect((await asha.standing("UGX"))?.roomMinor).toBe(0n);
  });
});

describe("the limit of what an agent may hold", () => {
  test("twenty collections at once with room for seven: seven are booked, thirteen wait, nothing is lost", async () => {
    const asha = agent();
    await asha.limit(7_999n);
    const answers = await Promise.all(Array.from({ length: 20 }, () => asha.collect(1_000n)));
    expect(answers.filter(({ state }) => state === "booked")).toHaveLength(7);
    expect(answers.filter(({ state, reason }) => state === "provisional" && reason === "over_limit")).toHaveLength(13);
    expect(await asha.entered()).toHaveLength(7);
    expect(await asha.standing()).toMatchObject({
      bookedMinor: 7_000n,
      provisionalMinor: 13_000n,
      heldMinor: 20_000n,
      roomMinor: 0n,
    });
    const all = new Set([...(await asha.entered()), ...(await asha.waiting())]);
    expect(all).toEqual(new Set(answers.map(({ number }) => number)));
  });

  test("waits for the office where none is set; the one for everybody counts where an agent has none", async () => {
    const [asha, juma] = [agent(), agent()];
    const amount = money(100n, "GHS");
    expect(await asha.collect(100n, { amount })).toMatchObject({ state: "provisional", reason: "no_limit" });
    const released = await inTransaction((tx) =>
      cash.setLimit(tx, { agentId: null, currency: "GHS", limitMinor: 150n, by: office }),
    );
    expect(released).toMatchObject([{ agentId: asha.id, state: "booked" }]);
    await juma.limit(50n, "GHS");
    expect((await juma.collect(100n, { amount })).state).toBe("provisional");
    await juma.limit(100n, "GHS");
    expect(await juma.entered()).toHaveLength(1);
  });

  test("room that is made goes to the receipts in the order of taking, and none overtakes a large one", async () => {
    const asha = agent();
    await asha.limit(1_000n);
    const first = await asha.collect(1_000n);
    const day = (days: number) => ({ takenAt: new Date(clock.now().getTime() - days * DAY_MS) });
    const late = await asha.collect(300n, day(0));
    const large = await asha.collect(600n, day(5));
    const small = await asha.collect(100n, day(3));
    expect(await asha.waiting()).toEqual([large.number, small.number, late.number]);
    await accept((await asha.offer(500n)).id, 500n);
    expect(await asha.entered()).toEqual([first.number]);
    await accept((await asha.offer(200n)).id, 200n);
    expect(await asha.entered()).toEqual([first.number, large.number, small.number]);
    expect(await asha.collect(1n)).toMatchObject({ state: "provisional" });
    await accept((await asha.offer(1_301n)).id, 1_301n);
    expect(await asha.entered()).toHaveLength(5);
    await settle();
    expect(await asha.standing()).toMatchObject({ heldMinor: 0n, bookedMinor: 0n, provisionalMinor: 0n });
    expect(await place.balance(hands(asha.id))).toBe(0n);
  });

  test("a receipt that waits is cancelled by an officer once, makes room, and can never be booked", async () => {
    const asha = agent();
    await asha.limit(100n);
    const cancel = (receiptNumber: string, by = office) =>
      inTransaction((tx) => cash.cancelReceipt(tx, { receiptNumber, reason: "Typed 9,000 for 90", by }));
    const mistake = await asha.collect(9_000n);
    const next = await asha.collect(90n);
    await expect(cancel(mistake.number, asha.person)).rejects.toThrow(Forbidden);
    expect(await asha.entered()).toEqual([]);
    await cancel(mistake.number);
    expect(await asha.entered()).toEqual([next.number]);
    await expect(cancel(mistake.number)).rejects.toThrow(NotAllowedNow);
    await expect(
      inTransaction((tx) =>
        cash.releaseReceipt(tx, { receiptNumber: mistake.number, reason: "After all", by: office }),
      ),
    ).rejects.toThrow(NotAllowedNow);
    expect(await asha.standing()).toMatchObject({ heldMinor: 90n, provisionalMinor: 0n });
    await settle();
    await accept((await asha.offer(90n)).id, 90n);
    await expect(cancel(next.number)).rejects.toThrow(/the office has this cash/);
    expect(await asha.standing()).toMatchObject({ heldMinor: 0n });
  });

  test("an officer lets one receipt through, once, with a reason, and no agent does", async () => {
    const asha = agent();
    await asha.limit(0n);
    const { number } = await asha.collect(100n);
    const release = (by: typeof office, reason = "The customer's clinic is dark") =>
      inTransaction((tx) => cash.releaseReceipt(tx, { receiptNumber: number, reason, by }));
    await expect(release(asha.person)).rejects.toThrow(Forbidden);
    await expect(release({ ...asha.person, role: "operations" })).rejects.toThrow(Forbidden);
    await expect(release(office, " ")).rejects.toThrow(InvalidInput);
    const tries = await Promise.allSettled([release(office), release(place.officer())]);
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(release(office)).rejects.toThrow(NotAllowedNow);
    expect(await asha.entered()).toEqual([number]);
    expect(await asha.standing()).toMatchObject({ bookedMinor: 100n, provisionalMinor: 0n });
  });
});
