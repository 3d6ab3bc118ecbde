import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { money } from "../../../src/kernel/money.ts";
import { rational } from "../../../src/kernel/rational.ts";
import { Forbidden, IdempotencyConflict, InvalidInput, NotAllowedNow } from "../../../src/kernel/refusal.ts";
import { HOUR_MS } from "../../../src/kernel/time.ts";
import { collectionCause, saleCause } from "../../../src/payments/cash/cash-records.ts";
import { START, useCashOffice } from "./cash-office.ts";

const place = useCashOffice();
const { clock, cash, office, agent, accept, settle, balance, inTransaction } = place;
const hands = (id: string) => `system/clearing/cash/${id}/KES`;
const earned = async (id: string) => -(await balance(`agent/${id}/commission/KES`));

beforeEach(() => clock.advance(1_000));

type Rule = Parameters<typeof cash.setCommissionRule>[1];
const setRule = (rule: Partial<Rule>, by = office) =>
  inTransaction((tx) =>
    cash.setCommissionRule(
      tx,
      { kind: "collection", agentId: null, currency: "KES", ratio: rational(1n, 40n), fixedMinor: 0n, ...rule },
      by,
    ),
  );
const takeBack = (cause: string) =>
  inTransaction((tx) => cash.reverseCommission(tx, { cause, reason: "Undone", actor: "staff:desk" }));

describe("commission", () => {
  test("over any collections, some taken back, is the exact ratio of the sum, rounded down once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ minor: fc.bigInt(1n, 5_000n), isUndone: fc.boolean() }), { minLength: 1, maxLength: 8 }),
        fc.bigInt(1n, 999n),
        async (acts, numerator) => {
          const asha = agent();
          await asha.limit(1_000_000n);
          const ratio = rational(numerator, 9_973n);
          await setRule({ agentId: asha.id, ratio });
          let base = 0n;
          for (const { minor, isUndone } of acts) {
            const { number } = await asha.collect(minor);
            base += minor;
            if (!isUndone) continue;
            await takeBack(collectionCause(number));
            base -= minor;
          }
          expect(await earned(asha.id)).toBe((base * ratio.numerator) / ratio.denominator);
        },
      ),
      { numRuns: 12 },
    );
  });

  test("of a collection is earned when it is booked, not while it waits, by the rule of the day it was taken", async () => {
    const asha = agent();
    await asha.limit(0n);
    await setRule({ agentId: asha.id, ratio: rational(1n, 10n), fixedMinor: 3n });
    clock.advance(HOUR_MS);
    const takenAt = clock.now();
    clock.advance(HOUR_MS);
    await setRule({ agentId: asha.id, ratio: rational(1n, 2n) });
    await asha.collect(1_000n, { takenAt });
    expect(await earned(asha.id)).toBe(0n);
    await asha.limit(5_000n);
    expect(await earned(asha.id)).toBe(103n);
    await asha.collect(1_000n);
    expect(await earned(asha.id)).toBe(603n);
  });

  test("of a sale is earned once, and of both is taken back once, however many try", async () => {
    const asha = agent();
    await asha.limit(10_000n);
    await setRule({ agentId: asha.id });
    await setRule({ agentId: asha.id, kind: "sale", ratio: rational(1n, 20n), fixedMinor: 50n });
    const contractId = place.contract();
    const sell = () =>
      inTransaction((tx) =>
        cash.accrueSale(tx, {
          agentId: asha.id,
          contractId,
          price: money(9_999n, "KES"),
          at: clock.now(),
          actor: asha.person.actor,
        }),
      );
    expect(await Promise.all([sell(), sell(), sell()])).toEqual(Array.from({ length: 3 }, () => money(549n, "KES")));
    expect(await earned(asha.id)).toBe(549n);
    const { number } = await asha.collect(4_000n);
    expect(await earned(asha.id)).toBe(649n);
    await Promise.all(Array.from({ length: 4 }, () => takeBack(collectionCause(number))));
    expect(await earned(asha.id)).toBe(549n);
    expect(await takeBack(saleCause(contractId))).toEqual(money(549n, "KES"));
    expect(await takeBack(saleCause(place.makeId()))).toBeUndefined();
    expect(await earned(asha.id)).toBe(0n);
  });

  test("is paid from the office's cash, never more than was earned, and a repeated payment pays once", async () => {
    const asha = agent();
    await asha.limit(10_000n);
    await setRule({ agentId: asha.id, ratio: rational(1n, 10n) });
    await asha.collect(5_000n);
    const before = await balance("system/cash_office/KES");
    const pay = (minor: bigint, key: string = randomUUID(), by = office) =>
      inTransaction((tx) => cash.payCommission(tx, { agentId: asha.id, amount: money(minor, "KES"), by, key }));
    await expect(pay(501n)).rejects.toThrow(NotAllowedNow);
    await expect(pay(0n)).rejects.toThrow(InvalidInput);
    await expect(pay(1n, randomUUID(), asha.person)).rejects.toThrow(Forbidden);
    const key = randomUUID();
    const ids = await Promise.all([pay(500n, key), pay(500n, key), pay(500n, key)]);
    expect(new Set(ids).size).toBe(1);
    await expect(pay(400n, key)).rejects.toThrow(IdempotencyConflict);
    expect(await earned(asha.id)).toBe(0n);
    expect((await balance("system/cash_office/KES")) - before).toBe(-500n);
  });

  test("rules for the past, by agents, or of more than everything are refused", async () => {
    await expect(setRule({ effectiveAt: START })).rejects.toThrow(InvalidInput);
    await expect(setRule({ ratio: rational(11n, 10n) })).rejects.toThrow(InvalidInput);
    await expect(setRule({}, place.officer("agent"))).rejects.toThrow(Forbidden);
  });
});

describe("an agent's statement", () => {
  test("equals the ledger at both ends, and what it lists explains the difference", async () => {
    const asha = agent();
    await asha.limit(10_000n);
    await setRule({ agentId: asha.id, ratio: rational(1n, 10n) });
    await asha.collect(4_000n);
    await settle();
    clock.advance(HOUR_MS);
    const from = clock.now();
    clock.advance(1_000);
    const undone = await asha.collect(3_000n);
    await settle();
    await accept((await asha.offer(5_000n)).id, 4_500n);
    await takeBack(collectionCause(undone.number));
    await inTransaction((tx) =>
      cash.payCommission(tx, { agentId: asha.id, amount: money(150n, "KES"), by: office, key: randomUUID() }),
    );
    const waiting = await asha.collect(9_000n);
    clock.advance(1_000);
    const to = clock.now();
    const [cashInBooks, commissionInBooks] = [await balance(hands(asha.id)), await earned(asha.id)];
    await asha.collect(1n);
    clock.advance(HOUR_MS);
    const read = () => cash.statementOf(place.database.current.db, { agentId: asha.id, currency: "KES", from, to });
    const statement = await read();
    expect(statement).toMatchObject({
      openingMinor: 4_000n,
      collectedMinor: 3_000n,
      handedOverMinor: 4_500n,
      otherMinor: 0n,
      closingMinor: cashInBooks,
      commissionOpeningMinor: 400n,
      commissionEarnedMinor: 300n,
      commissionTakenBackMinor: 300n,
      commissionPaidMinor: 150n,
      commissionClosingMinor: commissionInBooks,
      standing: { limitMinor: 10_000n, roomMinor: 0n, heldMinor: 11_501n },
    });
    expect(statement.closingMinor).toBe(2_500n);
    expect(statement.commissionClosingMinor).toBe(250n);
    expect(statement.provisional.map(({ number }) => number)).toContain(waiting.number);
    expect(statement.lines.map(({ account, amountMinor }) => `${account} ${amountMinor}`).toSorted()).toEqual([
      "cash -4500",
      "cash 3000",
      "commission -150",
      "commission -300",
      "commission 300",
    ]);
    await accept((await asha.offer(11_501n)).id, 11_501n);
    await settle();
    expect({ ...(await read()), standing: 0, provisional: 0 }).toEqual({ ...statement, standing: 0, provisional: 0 });
  });

  test("of an agent who never collected is empty, and one that ends before it begins is refused", async () => {
    const query = { agentId: agent().id, currency: "KES" as const, from: START, to: clock.now() };
    expect(await cash.statementOf(place.database.current.db, query)).toMatchObject({ closingMinor: 0n, lines: [] });
    await expect(cash.statementOf(place.database.current.db, { ...query, from: query.to })).rejects.toThrow(
      InvalidInput,
    );
  });
});

test("in every test of this file what agents hold by the rows is what they hold by the books", async () => {
  await settle();
  const rows = await place.database.current.db.execute(sql`
    select h.agent_id from payments.cash_holdings h
    left join ledger.balances b on b.account_id = h.clearing_account_id
    left join lateral (select sum(amount_minor) filter (where state = 'booked') as booked, sum(amount_minor) filter (where state = 'provisional') as waiting
      from payments.cash_receipts r where (r.agent_id, r.currency) = (h.agent_id, h.currency)) r on true
    left join lateral (select sum(counted_minor) as counted, sum(offered_minor) filter (where state = 'offered') as offered
      from payments.cash_hand_overs o where (o.agent_id, o.currency) = (h.agent_id, h.currency)) o on true
    where h.booked_minor <> coalesce(b.balance_minor, 0) or h.booked_minor <> coalesce(r.booked, 0) - coalesce(o.counted, 0)
      or h.provisional_minor <> coalesce(r.waiting, 0) or h.offered_minor <> coalesce(o.offered, 0)`);
  expect([...rows]).toEqual([]);
});
