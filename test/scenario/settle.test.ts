import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { makeSettleLoop } from "../../src/payments/payments.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b, type C2bOptions, type Household } from "../support/village.ts";
import { auditBooks, booksProblems } from "./books-audit.ts";
import { keptBy } from "./kept.ts";

const program = useApp({ env: { WASHA_SETTLE_BATCH: "4" } });
const kept = keptBy(() => program.current);

async function send(options: C2bOptions): Promise<void> {
  expect(await postC2b(program.current, c2bBody(program.current, options))).toMatchObject({ status: 200 });
}

/** Damages the sealed key of a household's device and gives what mends it. */
async function poison(home: Household): Promise<() => Promise<void>> {
  const { db } = program.current.app.database;
  const flip = async () => {
    await db.execute(
      sql`update devices.devices set key_sealed = set_byte(key_sealed, 20, get_byte(key_sealed, 20) # 1) where id = ${home.contract.deviceId}`,
    );
  };
  await flip();
  return flip;
}

async function pendingOf(
  providerId: string,
): Promise<{ attempts: number; waitMs: number | undefined; failure: string | null } | undefined> {
  const [row] = await program.current.app.database.db.execute<{
    attempts: number;
    next_attempt_at: string;
    failure: string | null;
  }>(sql`
    select p.attempts, p.next_attempt_at, p.failure from payments.pending p join payments.callbacks c on c.id = p.callback_id where c.provider_id = ${providerId}`);
  if (row === undefined) return undefined;
  const waitMs =
    row.next_attempt_at === "infinity"
      ? undefined
      : new Date(row.next_attempt_at).getTime() - program.current.clock.now().getTime();
  return { attempts: row.attempts, waitMs, failure: row.failure };
}

describe("a poisoned callback", () => {
  test("stands alone: the others of its batch are booked, it waits longer each time, and is finally set aside for a person", async () => {
    const [sick, well] = [await makeHousehold(program.current), await makeHousehold(program.current)];
    const mend = await poison(sick);
    await send({ account: well.accountNumber, amount: "50" });
    await send({ account: sick.accountNumber, amount: "50", transId: "POISON0001" });
    await send({ account: "PG-0", amount: "50" });
    expect(await program.current.settle()).toBe(2);
    expect(await well.tokens()).toHaveLength(1);
    const waits: (number | undefined)[] = [];
    for (let attempt = 1; attempt <= 6; attempt++) {
      const pending = await pendingOf("POISON0001");
      expect(pending?.attempts).toBe(attempt);
      waits.push(pending?.waitMs);
      expect(await program.current.settle()).toBe(0);
      program.current.clock.advance(pending?.waitMs ?? 0);
      expect(await program.current.settle()).toBe(0);
    }
    expect(waits).toEqual([1_000, 10_000, 60_000, 600_000, 3_600_000, undefined]);
    program.current.clock.advance(365 * 86_400_000);
    expect(await program.current.settle()).toBe(0);
    expect(await pendingOf("POISON0001")).toMatchObject({
      attempts: 6,
      failure: expect.stringMatching(/Error/) as string,
    });
    expect(await sick.tokens()).toEqual([]);
    await auditBooks(program.current);
    await mend();
    await program.current.app.database.db.execute(
      sql`update payments.pending set next_attempt_at = ${program.current.clock.now().toISOString()}`,
    );
    expect(await program.current.settle()).toBe(1);
    expect(await sick.tokens()).toHaveLength(1);
    expect(await kept.pending()).toBe(0);
  });

  test("that is mended meanwhile is booked by the next attempt, once", async () => {
    const home = await makeHousehold(program.current);
    const mend = await poison(home);
    await send({ account: home.accountNumber, amount: "50" });
    expect(await program.current.settle()).toBe(0);
    await mend();
    expect(await program.current.settle()).toBe(0);
    program.current.clock.advance(1_000);
    expect(await program.current.settle()).toBe(1);
    expect(await home.tokens()).toHaveLength(1);
    expect(await home.messages()).toHaveLength(1);
  });

  test("does not hide what is due behind it, not even a whole batch of poisoned ones", async () => {
    const sick = [await makeHousehold(program.current), await makeHousehold(program.current)];
    const mends = await Promise.all(sick.map(poison));
    for (const home of [...sick, ...sick]) await send({ account: home.accountNumber, amount: "50" });
    const well = await makeHousehold(program.current);
    await send({ account: well.accountNumber, amount: "50" });
    expect(await program.current.settle()).toBe(1);
    expect(await well.tokens()).toHaveLength(1);
    for (const mend of mends) await mend();
    program.current.clock.advance(1_000);
    expect(await program.current.settle()).toBe(4);
  });

  test("tells what failed without telling a key or a statement's parameters", async () => {
    const home = await makeHousehold(program.current);
    const mend = await poison(home);
    await send({ account: home.accountNumber, amount: "50", transId: "POISON0002", msisdn: "254722333444" });
    await program.current.settle();
    const pending = await pendingOf("POISON0002");
    expect(pending?.failure).not.toMatch(/254722333444|params|insert into/i);
    await mend();
    program.current.clock.advance(1_000);
    expect(await program.current.settle()).toBe(1);
  });

  test("a sum that no number of tokens can give is set apart too, and the loop goes on at once", async () => {
    const cheap = await makeHousehold(program.current, {
      terms: { totalMinor: null, price: { numerator: 1n, denominator: 1n } },
      timeDivider: 255,
    });
    const well = await makeHousehold(program.current);
    await send({ account: cheap.accountNumber, amount: "999999999" });
    await send({ account: well.accountNumber, amount: "50" });
    expect(await program.current.settle()).toBe(1);
    expect(await well.tokens()).toHaveLength(1);
    expect(await kept.pending()).toBe(1);
    await program.current.app.database.db.execute(sql`update payments.pending set next_attempt_at = 'infinity'`);
  });
});

describe("settling", () => {
  test("twice, as after a restart, books nothing twice", async () => {
    const home = await makeHousehold(program.current);
    await send({ account: home.accountNumber, amount: "50" });
    expect([await program.current.settle(), await program.current.settle()]).toEqual([1, 0]);
    expect(await home.tokens()).toHaveLength(1);
  });

  test("by two loops at once books each payment once", async () => {
    const { app } = program.current;
    const homes: Household[] = [];
    while (homes.length < 5) homes.push(await makeHousehold(program.current));
    for (let round = 0; round < 8; round++)
      await Promise.all(homes.map(({ accountNumber }) => send({ account: accountNumber, amount: "50" })));
    const second = openDatabase({ url: app.config.databaseUrl ?? "", connectionsMax: 2 });
    const other = makeSettleLoop({
      database: second,
      clock: program.current.clock,
      makeId: app.makeId,
      receipts: app.receipts,
      allocate: app.credit.allocateReceipts,
      notices: { once: () => Promise.resolve(0) },
      reversals: { applyDue: () => Promise.resolve(0), takenBefore: () => Promise.resolve(new Map()) },
      batchMax: 3,
      sweepMs: 1_000,
      observer: {
        settled: () => undefined,
        failed: ({ error }) => {
          throw error;
        },
        waiting: () => undefined,
      },
    });
    const before = await kept.receipts();
    // Loops that wait for each other's contracts may be told to try again; whoever is left books the rest.
    const settled = await Promise.allSettled([app.settleLoop.settleAll(), other.settleAll()]);
    await app.settleLoop.settleAll();
    await second.close();
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    expect((await kept.receipts()) - before).toBe(40);
    for (const home of homes) expect(await home.refreshed()).toMatchObject({ receivedMinor: 40_000n });
    for (const home of homes) {
      for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
      expect(home.lamp.face().daysLeft).toBe(8);
    }
    await auditBooks(program.current);
  });

  test("receipts that arrive out of order buy the same light, and the lamp accepts their tokens in order", async () => {
    const [ordered, shuffled] = [await makeHousehold(program.current), await makeHousehold(program.current)];
    const times = ["0900", "0915", "0930", "0945"];
    for (const [at, amount] of ["30", "30", "100", "15"].entries()) {
      await send({ account: ordered.accountNumber, amount, transTime: `20260302${times[at] ?? ""}00` });
    }
    for (const [at, amount] of [...["30", "30", "100", "15"].entries()].reverse()) {
      await send({ account: shuffled.accountNumber, amount, transTime: `20260302${times[at] ?? ""}00` });
    }
    await program.current.settle();
    const stands = [await ordered.refreshed(), await shuffled.refreshed()].map(
      ({ receivedMinor, carriedMinor, outstandingMinor }) => [receivedMinor, carriedMinor, outstandingMinor],
    );
    expect(stands[1]).toEqual(stands[0]);
    const { app } = program.current;
    const bought = async (home: Household) =>
      (await app.credit.allocations(app.database.db, home.contract.id)).map(
        ({ units, carriedChangeMinor, paidFromAt }) => [units, carriedChangeMinor, paidFromAt],
      );
    expect(await bought(shuffled)).toEqual(await bought(ordered));
    expect((await bought(ordered)).map(([units]) => units)).toEqual([0, 1, 2, 0]);
    for (const home of [ordered, shuffled]) {
      for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
      expect(home.lamp.face().daysLeft).toBe(3);
    }
  });

  test("a payment worth thousands of units gives several tokens, each of at most 995, that the lamp accepts in order", async () => {
    const home = await makeHousehold(program.current, {
      terms: { totalMinor: null, price: { numerator: 1_000n, denominator: 1n }, priceSeconds: 3_600 },
      timeDivider: 24,
    });
    await pay(program.current, { account: home.accountNumber, amount: "31250.50" });
    const rows = await program.current.app.devices.tokensOf(program.current.app.database.db, {
      deviceId: home.contract.deviceId,
      limit: 10,
    });
    expect(rows.map(({ units }) => units).toReversed()).toEqual([995, 995, 995, 140]);
    expect(rows.map(({ part }) => part).toReversed()).toEqual([0, 1, 2, 3]);
    for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
    expect(home.lamp.face().daysLeft).toBeCloseTo(3_125 / 24, 6);
    expect(await home.refreshed()).toMatchObject({ carriedMinor: 50n });
    expect(await home.messages()).toMatchObject([{ template: "tokens_received" }]);
  });
});

test("after all of it every figure of the books agrees with every other", async () => {
  expect(await booksProblems(program.current)).toEqual([]);
});
