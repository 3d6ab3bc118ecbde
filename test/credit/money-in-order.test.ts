import { afterAll, expect, test } from "vitest";
import { allocate, type Standing } from "../../src/credit/allocate.ts";
import { rational } from "../../src/kernel/rational.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b, type Household } from "../support/village.ts";
import { freshStanding, HOURLY, PAID_AT, RENT } from "./standing.ts";

const program = useApp();
const db = () => program.current.app.database.db;
const boughtBy = async (home: Household) =>
  (await program.current.app.credit.allocations(db(), home.contract.id)).map(({ units, spentMinor }) => [
    units,
    spentMinor,
  ]);

/** From now on the contract's price is another one. */
async function changePrice(home: Household, minorADay: bigint): Promise<void> {
  const { app, clock } = program.current;
  await db().transaction(async (tx) => {
    const current = (await app.credit.plans.versions(tx, [home.contract.planVersionId])).get(
      home.contract.planVersionId,
    );
    if (current === undefined) throw new Error("The plan is gone.");
    const terms = { ...current, price: rational(minorADay), priceSeconds: 86_400 as const };
    const { id } = await app.credit.plans.change(tx, { code: current.code, terms, effectiveAt: clock.now() });
    await app.credit.changeTerms(tx, {
      contractId: home.contract.id,
      planVersionId: id,
      effectiveAt: clock.now(),
      actor: "test",
    });
  });
}

async function arrives(body: Record<string, unknown>): Promise<void> {
  expect(await postC2b(program.current, body)).toMatchObject({ status: 200 });
}

test("cents that were rounded away are charged as soon as they are whole", () => {
  // 565.4761905 cents an hour: after 21 hours 11,875.0000005 cents, of which nobody forgets the half cents.
  const charged = Array.from({ length: 21 }).reduce<{ standing: Standing; spent: bigint }>(
    ({ standing, spent }) => {
      const payment = { receivedMinor: 566n, paidAt: PAID_AT, bookedAt: PAID_AT };
      const { after, spentMinor } = allocate(HOURLY, standing, { timeDivider: 24, payment });
      return { standing: after, spent: spent + spentMinor };
    },
    { standing: freshStanding(HOURLY), spent: 0n },
  );
  expect(charged.spent).toBe(11_875n);
});

test("debt is paid before the deposit", () => {
  const terms = { ...RENT, depositMinor: 20_000n, depositBuysTime: false };
  const standing = freshStanding(terms, { debtMinor: 8_000n });
  const payment = { receivedMinor: 12_000n, paidAt: PAID_AT, bookedAt: PAID_AT };
  expect(allocate(terms, standing, { timeDivider: 1, payment })).toMatchObject({
    debtMinor: 8_000n,
    depositMinor: 4_000n,
    after: { debtMinor: 0n, depositDueMinor: 16_000n },
  });
});

test("each part of a payment stands in the account of its name", async () => {
  const home = await makeHousehold(program.current, { terms: { totalMinor: 15_000n } });
  const standing = async () => {
    const rows = await program.current.app.ledger.trialBalance(db(), { codePrefix: `contract/${home.contract.id}/` });
    return Object.fromEntries(rows.map(({ code, balanceMinor }) => [code.split("/")[2], balanceMinor]));
  };
  expect(await standing()).toEqual({ receivable: 15_000n, credit: 0n, refundable: 0n, debt: 0n });
  await pay(program.current, { account: home.accountNumber, amount: "70" });
  expect(await standing()).toEqual({ receivable: 10_000n, credit: -2_000n, refundable: 0n, debt: 0n });
  program.current.clock.advance(1_000);
  await pay(program.current, { account: home.accountNumber, amount: "110" });
  expect(await standing()).toEqual({ receivable: 0n, credit: 0n, refundable: -3_000n, debt: 0n });
});

test("what a contract received is the sum of its payments", async () => {
  const home = await makeHousehold(program.current);
  for (const amount of ["50", "20", "100"]) await pay(program.current, { account: home.accountNumber, amount });
  expect(await home.refreshed()).toMatchObject({
    receivedMinor: 17_000n,
    outstandingMinor: 485_000n,
    carriedMinor: 2_000n,
  });
});

test("payments settled together buy in the order in which they were made", async () => {
  const home = await makeHousehold(program.current, { terms: { totalMinor: 10_000n } });
  const first = c2bBody(program.current, { account: home.accountNumber, amount: "60" });
  program.current.clock.advance(60_000);
  const last = c2bBody(program.current, { account: home.accountNumber, amount: "100" });
  await arrives(last);
  await arrives(first);
  await program.current.settle();
  const rows = await program.current.app.credit.allocations(db(), home.contract.id);
  expect(rows.map(({ receivedMinor, effect }) => [receivedMinor, effect])).toEqual([
    [6_000n, "add"],
    [10_000n, "unlock"],
  ]);
});

test("money paid before a change of price buys at the old one, whenever it arrives", async () => {
  const home = await makeHousehold(program.current);
  const early = c2bBody(program.current, { account: home.accountNumber, amount: "100" });
  program.current.clock.advance(60_000);
  await changePrice(home, 10_000n);
  program.current.clock.advance(60_000);
  await arrives(early);
  await program.current.settle();
  expect(await boughtBy(home)).toEqual([[2, 10_000n]]);
});

test("a fraction of a cent owed under one price lapses under the next", async () => {
  const home = await makeHousehold(program.current, {
    terms: { price: HOURLY.price, priceSeconds: 3_600 },
    timeDivider: 24,
  });
  await pay(program.current, { account: home.accountNumber, amount: "10" });
  program.current.clock.advance(60_000);
  await changePrice(home, 24_000n);
  program.current.clock.advance(60_000);
  await pay(program.current, { account: home.accountNumber, amount: "20" });
  // One hour was charged 565 cents of 565.47…, and 435 were held; with 2,000 more that pays two hours at 1,000 each.
  expect((await boughtBy(home))[1]).toEqual([2, 2_000n]);
});

afterAll(async () => {
  await auditBooks(program.current);
});
