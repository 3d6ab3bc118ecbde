import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { money } from "../../../src/kernel/money.ts";
import { rational } from "../../../src/kernel/rational.ts";
import { Forbidden, IdempotencyConflict, InvalidInput, NotAllowedNow, NotFound } from "../../../src/kernel/refusal.ts";
import { useCashOffice } from "./cash-office.ts";

const place = useCashOffice();
const { clock, cash, office, officer, agent, accept, settle, balance, inTransaction } = place;
const hands = (id: string) => `system/clearing/cash/${id}/KES`;
const OFFICE = "system/cash_office/KES";

beforeEach(() => clock.advance(1_000));

async function agentWith(minor: bigint) {
  const asha = agent();
  await asha.limit(1_000_000n);
  await asha.collect(minor);
  await settle();
  return asha;
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof NotAllowedNow)) throw error;
}

describe("cash handed over to the office", () => {
  test("accepted by two people at once moves from the agent's hands to the office once", async () => {
    const asha = await agentWith(5_000n);
    const before = await balance(OFFICE);
    const { id } = await asha.offer(3_000n);
    const answers = await Promise.all([accept(id, 3_000n), accept(id, 3_000n, officer("admin")), accept(id, 3_000n)]);
    expect(answers.map(({ state, countedMinor }) => [state, countedMinor])).toEqual(
      Array.from({ length: 3 }, () => ["accepted", 3_000n]),
    );
    expect(await balance(hands(asha.id))).toBe(2_000n);
    expect((await balance(OFFICE)) - before).toBe(3_000n);
    await expect(accept(id, 2_000n)).rejects.toThrow(/accepted already/);
    expect(await asha.standing()).toMatchObject({ heldMinor: 2_000n, offeredMinor: 0n });
  });

  test("sent ten times by the phone is offered once, and its key is for one amount", async () => {
    const asha = await agentWith(5_000n);
    const key = randomUUID();
    const offers = await Promise.all(Array.from({ length: 10 }, () => asha.offer(3_000n, key)));
    expect(new Set(offers.map(({ id }) => id)).size).toBe(1);
    expect(await asha.standing()).toMatchObject({ offeredMinor: 3_000n });
    await expect(asha.offer(2_000n, key)).rejects.toThrow(IdempotencyConflict);
  });

  test("is never more than the agent has and has not offered yet", async () => {
    const asha = await agentWith(5_000n);
    await expect(asha.offer(5_001n)).rejects.toThrow(NotAllowedNow);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => asha.offer(2_000n)));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    for (const wrong of [0n, -1n]) await expect(asha.offer(wrong)).rejects.toThrow(InvalidInput);
    await expect(agent().offer(1n)).rejects.toThrow(NotAllowedNow);
  });

  test("is not accepted or rejected by an agent, nor by the same person in another role", async () => {
    const asha = await agentWith(5_000n);
    const { id } = await asha.offer(3_000n);
    for (const by of [asha.person, { ...asha.person, role: "admin" as const }, officer("agent")]) {
      await expect(accept(id, 3_000n, by)).rejects.toThrow(Forbidden);
      await expect(
        inTransaction((tx) => cash.rejectHandOver(tx, { handOverId: id, reason: "Mine", by })),
      ).rejects.toThrow(Forbidden);
    }
    await expect(accept(place.makeId<"HandOver">(), 1n)).rejects.toThrow(NotFound);
    expect(await balance(hands(asha.id))).toBe(5_000n);
  });

  test("counted short leaves the difference in the agent's hands and on the list of exceptions", async () => {
    const asha = await agentWith(5_000n);
    const { id } = await asha.offer(3_000n);
    for (const wrong of [3_001n, 0n, -1n]) await expect(accept(id, wrong)).rejects.toThrow(InvalidInput);
    expect(await accept(id, 2_600n)).toMatchObject({ state: "accepted", countedMinor: 2_600n });
    expect(await balance(hands(asha.id))).toBe(2_400n);
    expect(await asha.standing()).toMatchObject({ heldMinor: 2_400n, offeredMinor: 0n });
    const rows = await place.database.current.db.execute(
      sql`select rail, kind, amount_minor, currency, resolved_at from payments.exceptions where subject = ${`hand_over:${id}`}`,
    );
    expect([...rows]).toEqual([
      { rail: "cash", kind: "clearing_differs", amount_minor: "400", currency: "KES", resolved_at: null },
    ]);
  });

  test("rejected is in the agent's hands as before, and is decided once", async () => {
    const asha = await agentWith(5_000n);
    const { id } = await asha.offer(5_000n);
    const reject = (reason: string) =>
      inTransaction((tx) => cash.rejectHandOver(tx, { handOverId: id, reason, by: office }));
    await expect(reject("  ")).rejects.toThrow(InvalidInput);
    expect(await reject("Nobody came")).toMatchObject({ state: "rejected", reason: "Nobody came" });
    await expect(reject("Again")).rejects.toThrow(NotAllowedNow);
    await expect(accept(id, 5_000n)).rejects.toThrow(NotAllowedNow);
    expect(await balance(hands(asha.id))).toBe(5_000n);
    expect(await asha.standing()).toMatchObject({ heldMinor: 5_000n, offeredMinor: 0n });
    await accept((await asha.offer(5_000n)).id, 5_000n);
    expect(await balance(hands(asha.id))).toBe(0n);
  });

  test("while the settle loop and other collections run at once, every shilling is in one place", async () => {
    const asha = agent();
    await asha.limit(2_000n);
    const work = Array.from({ length: 12 }, async (_, at) => {
      await asha.collect(500n + BigInt(at));
      await settle();
      const held = (await asha.standing())?.heldMinor ?? 0n;
      const [offer] = await Promise.allSettled([asha.offer(held / 2n + 1n)]);
      if (offer.status === "fulfilled") await accept(offer.value.id, offer.value.offered.minor);
    });
    await Promise.all(work);
    await settle();
    const standing = await asha.standing();
    const collected = 12n * 500n + 66n;
    const [counted] = await place.database.current.db.execute<{ total: string }>(
      sql`select coalesce(sum(counted_minor), 0) as total from payments.cash_hand_overs where agent_id = ${asha.id}`,
    );
    expect((standing?.heldMinor ?? 0n) + BigInt(counted?.total ?? 0)).toBe(collected);
    expect(await balance(hands(asha.id))).toBe(standing?.bookedMinor);
    expect(new Set([...(await asha.entered()), ...(await asha.waiting())]).size).toBe(12);
  });

  test("many agents, officers and limits at work at once never wait for each other in a circle", async () => {
    const agents = Array.from({ length: 6 }, () => agent());
    const rule = {
      kind: "collection",
      agentId: null,
      currency: "KES",
      ratio: rational(1n, 10n),
      fixedMinor: 1n,
    } as const;
    await inTransaction((tx) => cash.setCommissionRule(tx, rule, office));
    const limitForAll = (limitMinor: bigint) =>
      inTransaction((tx) => cash.setLimit(tx, { agentId: null, currency: "KES", limitMinor, by: office }));
    await limitForAll(1_500n);
    const days = agents.flatMap((one) =>
      Array.from({ length: 4 }, async (_, at) => {
        const { number, state } = await one.collect(1_000n);
        const offer = await one.offer(500n);
        await accept(offer.id, 500n);
        await settle();
        if (at === 3 && state === "provisional")
          await inTransaction((tx) =>
            cash.cancelReceipt(tx, { receiptNumber: number, reason: "Typed twice", by: office }),
          ).catch(unlessRefused);
        const order = { agentId: one.id, amount: money(1n, "KES"), by: office, key: randomUUID() };
        await inTransaction((tx) => cash.payCommission(tx, order)).catch(unlessRefused);
      }),
    );
    const limits = [2_000n, 1_000n, 3_000n, 1_500n].map((minor) => limitForAll(minor));
    expect((await Promise.allSettled([...days, ...limits])).filter(({ status }) => status === "rejected")).toEqual([]);
    await limitForAll(1_000_000n);
    await settle();
    for (const one of agents) {
      expect(await one.waiting()).toEqual([]);
      expect((await one.standing())?.provisionalMinor).toBe(0n);
    }
  });
});
