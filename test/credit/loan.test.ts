import { describe, expect, test } from "vitest";
import { InvalidInput, NotAllowedNow } from "../../src/kernel/refusal.ts";
import { DAY_MS } from "../../src/kernel/time.ts";
import type { Tx } from "../../src/platform/database.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

const program = useApp();
const credit = () => program.current.app.credit;
const db = () => program.current.app.database.db;
const within = <Value>(act: (tx: Tx) => Promise<Value>): Promise<Value> => db().transaction(act);
const lend = (home: Household, days: number, key: string) =>
  within((tx) => credit().lend(tx, { contractId: home.contract.id, days, actor: "customer", key }));

/** A family that paid three times and whose light has just gone out. */
async function householdInTheDark(terms: Parameters<typeof makeHousehold>[1] = {}): Promise<Household> {
  const home = await makeHousehold(program.current, terms);
  for (let paid = 0; paid < 3; paid++) {
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    home.lamp.enter((await home.tokens()).at(-1) ?? "");
    program.current.clock.advance(DAY_MS);
  }
  return home;
}

describe("days on credit", () => {
  test("give light at once, are owed to the last minor unit, and the next payment settles them first", async () => {
    const home = await householdInTheDark();
    expect(await credit().lendable(db(), home.contract.id)).toEqual({
      kind: "days",
      days: [1, 2, 3],
      dayPriceMinor: 5_000n,
    });
    expect(home.lamp.face().daysLeft).toBe(0);
    const { tokens, debt } = await lend(home, 2, "k1");
    expect(debt).toEqual({ minor: 10_000n, currency: "KES" });
    expect(tokens.map(({ digits }) => home.lamp.enter(digits).kind)).toEqual(["VALID"]);
    expect(home.lamp.face().daysLeft).toBe(2);
    expect(await home.refreshed()).toMatchObject({
      debtMinor: 10_000n,
      outstandingMinor: 475_000n,
      receivedMinor: 15_000n,
    });
    await auditBooks(program.current);
    program.current.clock.advance(1_000);
    await pay(program.current, { account: home.accountNumber, amount: "150" });
    expect(await home.refreshed()).toMatchObject({ debtMinor: 0n, outstandingMinor: 470_000n, receivedMinor: 30_000n });
    expect((await home.messages()).map(({ template }) => template).slice(3)).toEqual(["days_lent", "token_received"]);
    await auditBooks(program.current);
  });

  test("asked for twice under one key are lent once, with the same token", async () => {
    const home = await householdInTheDark();
    const first = await lend(home, 1, "twice");
    const second = await lend(home, 1, "twice");
    expect(second.tokens.map(({ digits }) => digits)).toEqual(first.tokens.map(({ digits }) => digits));
    expect(await home.tokens()).toHaveLength(4);
    expect(await home.refreshed()).toMatchObject({ debtMinor: 5_000n });
    await auditBooks(program.current);
  });

  test("are refused to whoever is new, still has light, owes already, or asks for more than is offered", async () => {
    const fresh = await makeHousehold(program.current);
    expect(await credit().lendable(db(), fresh.contract.id)).toEqual({ kind: "none", why: "too_new" });
    await expect(lend(fresh, 1, "new")).rejects.toThrow(NotAllowedNow);
    const home = await householdInTheDark();
    await expect(lend(home, 30, "much")).rejects.toThrow(InvalidInput);
    await lend(home, 1, "one");
    await expect(lend(home, 1, "two")).rejects.toThrow(/owed/);
    await pay(program.current, { account: home.accountNumber, amount: "500" });
    expect(await credit().lendable(db(), home.contract.id)).toEqual({ kind: "none", why: "light_left" });
    await auditBooks(program.current);
  });

  test("never reach the end of the price: the last payment is the one that unlocks", async () => {
    const home = await householdInTheDark({ terms: { totalMinor: 20_000n } });
    expect(await credit().lendable(db(), home.contract.id)).toEqual({ kind: "none", why: "little_left" });
  });
});
