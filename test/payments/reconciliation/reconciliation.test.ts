import { Readable } from "node:stream";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addDays, DAY_MS, HOUR_MS, localDateOf, MINUTE_MS, type LocalDate } from "../../../src/kernel/time.ts";
import {
  decideState,
  explain,
  type ClearingPart,
  type Reconciliation,
} from "../../../src/payments/reconciliation/reconciliation.ts";
import { useRails } from "../../support/rails.ts";

/** Wave lists all that moved; MTN lists nothing; M-Pesa's list comes by statement here. */
const WAVE = "wave-sn";
const MTN = "mtn-ug";
const MPESA = "mpesa-ke";
const world = useRails({ channels: [WAVE, MTN, MPESA], settings: { [MPESA]: { pull: undefined } } });

const today = (): LocalDate => localDateOf(world.current.clock.now(), "Africa/Dakar");

async function paid(channel: string, amountMinor: bigint): Promise<string> {
  const { app, household, promptOf, simulator, pass } = world.current;
  const { accountNumber, phone, contract } = await household(channel);
  const country = simulator.channels.find(({ name }) => name === channel)?.country ?? "";
  const order = { rail: channel, reference: accountNumber, phone, country, actor: "test", through: "api" } as const;
  const amount = { minor: amountMinor, currency: contract.currency };
  const { intent } = await app.database.db.transaction((tx) => app.intents.request(tx, { ...order, amount }));
  await app.requestLoop.runDue();
  const prompt = promptOf(intent);
  simulator.decide({ channel, id: prompt.id }, {});
  await pass(MINUTE_MS);
  return prompt.id;
}

/** Our number that was paid last on this rail: the statement is of it. */
async function shortcodeOf(rail: string): Promise<{ shortcode: string }> {
  const [row] = await world.current.rows<{ shortcode: string }>(
    sql`select shortcode from payments.callbacks where rail = ${rail} order by id desc limit 1`,
  );
  return row ?? { shortcode: "" };
}

/** A day goes by on both sides, and whatever became due in it is done. */
async function sleep(): Promise<void> {
  const { simulator, clock, work } = world.current;
  await simulator.advanceTo(new Date(clock.now().getTime() + DAY_MS));
  await work();
}

async function reconcile(rail: string, on: LocalDate): Promise<Reconciliation> {
  const { app } = world.current;
  const [result] = await app.database.db.transaction((tx) => app.reconciliations.reconcileDay(tx, { rail, on }));
  if (result === undefined) throw new Error("A day has a result.");
  return result;
}

const exceptionsOf = (rail: string, on: LocalDate) =>
  world.current.app.reconciliations.exceptionsOf(world.current.app.database.db, { rail, on, limit: 100 });
const explainClearing = (rail: string) =>
  world.current.app.reconciliations.explainClearing(world.current.app.database.db, { rail });
const run = (query: ReturnType<typeof sql>) => world.current.rows(query);

describe("a day of a rail", () => {
  test("agrees when the provider's list, the books and the clearing account say the same, reversals included", async () => {
    const { simulator } = world.current;
    const on = today();
    await paid(WAVE, 700n);
    const second = await paid(WAVE, 300n);
    simulator.reverse({ channel: WAVE, id: second });
    await sleep();
    expect(await reconcile(WAVE, on)).toMatchObject({
      state: "agreed",
      exceptions: 0,
      listed: { minor: 700n, currency: "XOF" },
      booked: { minor: 700n },
      clearing: { minor: 700n },
    });
    expect(await explainClearing(WAVE)).toMatchObject({
      balance: { minor: 700n },
      listed: { minor: 700n },
      parts: [],
      rest: { minor: 0n },
    });
  });

  test("names what only one side has, and closes the name by itself when the other side has it too", async () => {
    const on = today();
    const id = (await paid(WAVE, 450n)).toUpperCase();
    await sleep();
    const [row] = await run(sql`delete from payments.listed where provider_id = ${id} returning *`);
    expect(await reconcile(WAVE, on)).toMatchObject({
      state: "exceptions",
      listed: { minor: 0n },
      booked: { minor: 450n },
    });
    expect(await exceptionsOf(WAVE, on)).toMatchObject([
      { kind: "booked_not_listed", subject: id, amount: { minor: 450n }, resolvedAt: null },
    ]);
    expect(await explainClearing(WAVE)).toMatchObject({
      parts: [{ name: "booked_not_listed", count: 1, named: 1, amount: { minor: 450n } }],
      rest: { minor: 0n },
    });
    const list = (listedMinor: bigint) =>
      run(sql`
        insert into payments.listed (rail, provider_id, kind, amount_minor, currency, at, source, first_seen_at)
        values (${WAVE}, ${id}, 'payment', ${listedMinor.toString()}, 'XOF', ${String(row?.["at"])}, 'pull', now())`);
    await list(400n);
    await reconcile(WAVE, on);
    expect(await exceptionsOf(WAVE, on)).toMatchObject([
      { kind: "amount_differs", subject: id, amount: { minor: 50n }, resolvedAt: null },
      { kind: "booked_not_listed", subject: id, resolvedBy: "reconciliation" },
    ]);
    expect(await explainClearing(WAVE)).toMatchObject({
      parts: [{ name: "amount_differs", amount: { minor: 50n } }],
      rest: { minor: 0n },
    });
    await run(sql`update payments.listed set amount_minor = 450 where provider_id = ${id} and rail = ${WAVE}`);
    expect(await reconcile(WAVE, on)).toMatchObject({ state: "agreed", exceptions: 0 });
    // What comes back after the reconciliation closed it is opened again, once.
    await run(sql`update payments.listed set amount_minor = 440 where provider_id = ${id} and rail = ${WAVE}`);
    expect(await reconcile(WAVE, on)).toMatchObject({ state: "exceptions", exceptions: 1 });
    // And what a person explained stays explained.
    await run(
      sql`update payments.exceptions set resolved_at = now(), resolved_by = 'staff:1', resolution = 'their mistake' where kind = 'amount_differs'`,
    );
    expect(await reconcile(WAVE, on)).toMatchObject({ state: "agreed", exceptions: 0 });
  });

  test("names money that the provider lists and the books do not have, until it is booked", async () => {
    const on = today();
    const at = world.current.clock.now().toISOString();
    await run(sql`
      insert into payments.listed (rail, provider_id, kind, amount_minor, currency, at, source, first_seen_at)
      values (${WAVE}, 'W-LOST', 'payment', 900, 'XOF', ${at}, 'pull', ${at}), (${WAVE}, 'W-OUT', 'disbursement', -200, 'XOF', ${at}, 'pull', ${at})`);
    await sleep();
    await reconcile(WAVE, on);
    expect(await exceptionsOf(WAVE, on)).toMatchObject([
      { kind: "listed_not_booked", subject: "W-LOST", amount: { minor: 900n } },
      { kind: "listed_not_booked", subject: "W-OUT", amount: { minor: -200n } },
    ]);
    const before = await explainClearing(WAVE);
    expect(before.parts).toContainEqual({
      name: "listed_not_booked",
      count: 2,
      named: 2,
      amount: { minor: -700n, currency: "XOF" },
    });
    expect(before.rest.minor).toBe(0n);
  });

  test("names a posting on the clearing account that is no transaction of the rail", async () => {
    const { app, clock } = world.current;
    const on = today();
    await app.database.db.transaction(async (tx) => {
      const currency = "UGX" as const;
      const [clearing = 0n, bank = 0n] = await app.ledger.openAccounts(tx, [
        { code: `system/clearing/${MTN}/wallet/${currency}`, kind: "asset", currency },
        { code: `system/bank/${currency}`, kind: "asset", currency },
      ]);
      await app.ledger.post(tx, [
        {
          id: app.makeId(),
          kind: "transfer",
          memo: "by hand",
          reference: undefined,
          idempotencyKey: "by hand",
          currency,
          effectiveAt: clock.now(),
          actor: "staff:1",
          lines: [
            { accountId: clearing, amountMinor: 77n },
            { accountId: bank, amountMinor: -77n },
          ],
        },
      ]);
    });
    expect(await reconcile(MTN, on)).toMatchObject({
      state: "exceptions",
      booked: { minor: 0n },
      clearing: { minor: 77n },
    });
    expect(await exceptionsOf(MTN, on)).toMatchObject([{ kind: "clearing_differs", amount: { minor: 77n } }]);
    expect(await explainClearing(MTN)).toMatchObject({ parts: [{ name: "posted_otherwise" }], rest: { minor: 0n } });
  });

  test("a rail without a list is compared with the ledger alone, and does not call that agreed", async () => {
    await sleep();
    await sleep();
    const on = today();
    await paid(MTN, 1_200n);
    expect(await reconcile(MTN, on)).toMatchObject({
      state: "no_list",
      exceptions: 0,
      listed: { minor: 0n },
      booked: { minor: 1_200n },
      clearing: { minor: 1_200n },
    });
    await expect(reconcile(MTN, addDays(on, 2))).rejects.toMatchObject({ code: "INVALID_INPUT" });
    await expect(reconcile("nobody", on)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("M-Pesa's statement makes a day agree that no list had told, payments that were never confirmed included", async () => {
    const { app, simulator, household, pass } = world.current;
    const begin = world.current.clock.now();
    const on = localDateOf(begin, "Africa/Nairobi");
    const home = await household(MPESA);
    const payment = { channel: MPESA, account: home.accountNumber, phone: home.phone, payerName: "Achieng Odhiambo" };
    simulator.pay({ ...payment, amountMinor: 5_000n });
    simulator.failNext(MPESA, "drop", 10);
    simulator.pay({ ...payment, amountMinor: 7_000n });
    await pass(MINUTE_MS);
    expect(await reconcile(MPESA, on)).toMatchObject({
      state: "no_list",
      booked: { minor: 5_000n },
      listed: { minor: 0n },
    });
    await sleep();
    const file = simulator.statement(MPESA, {
      from: new Date(begin.getTime() - HOUR_MS),
      to: world.current.clock.now(),
    });
    const channel = app.rails.get(MPESA)?.rail.channel;
    if (file === undefined || channel === undefined) throw new Error("M-Pesa gives statements.");
    const { shortcode } = await shortcodeOf(MPESA);
    const order = { channel, shortcode, format: "mpesa", fileName: file.fileName, actor: "test" } as const;
    await app.statements.importStatement(Readable.from([file.bytes]), order);
    expect(await reconcile(MPESA, on)).toMatchObject({ state: "exceptions" });
    expect(await exceptionsOf(MPESA, on)).toMatchObject([{ kind: "listed_not_booked", detail: /settle loop/ }]);
    await world.current.settle();
    const agreed = await reconcile(MPESA, on);
    expect(agreed).toMatchObject({ state: "agreed", exceptions: 0 });
    expect(agreed.booked).toEqual(agreed.listed);
    expect(agreed.clearing).toEqual(agreed.listed);
    expect(await explainClearing(MPESA)).toMatchObject({ parts: [], rest: { minor: 0n }, balance: agreed.listed });
  });

  test("a reversal without its payment has a name of its own", async () => {
    const on = today();
    const at = world.current.clock.now().toISOString();
    await run(sql`
      insert into payments.reversals (id, rail, provider_id, original_provider_id, amount_minor, currency, reversed_at, received_at, state)
      values (gen_random_uuid(), ${MTN}, 'REV-1', 'NEVER-CAME', 500, 'UGX', ${at}, ${at}, 'parked')`);
    await reconcile(MTN, on);
    expect(await exceptionsOf(MTN, on)).toMatchObject([{ kind: "reversal_without_payment", subject: "REV-1" }]);
    await run(sql`update payments.reversals set state = 'refused' where provider_id = 'REV-1'`);
    expect(await reconcile(MTN, on)).toMatchObject({ exceptions: 0 });
  });

  test("a midnight between two clocks is no difference of money", async () => {
    const on = today();
    const id = (await paid(WAVE, 120n)).toUpperCase();
    await sleep();
    await run(sql`update payments.listed set at = at + interval '1 day' where rail = ${WAVE} and provider_id = ${id}`);
    await sleep();
    for (const day of [on, addDays(on, 1)]) expect((await reconcile(WAVE, day)).exceptions, day).toBe(0);
    const { app, clock } = world.current;
    const until = new Date(Math.floor((clock.now().getTime() - DAY_MS) / DAY_MS) * DAY_MS);
    const explained = await app.reconciliations.explainClearing(app.database.db, { rail: WAVE, until });
    expect(explained.parts).toContainEqual(
      expect.objectContaining({ name: "listed_later", amount: { minor: 120n, currency: "XOF" } }),
    );
    expect(explained.rest.minor).toBe(0n);
  });
});

test("every day is reconciled once by itself some hours after midnight, and none is forgotten over a stop of days", async () => {
  const { app, clock, work } = world.current;
  const daysDone = async () =>
    (
      await app.reconciliations.list(app.database.db, {
        rail: MPESA,
        from: "2026-01-01" as LocalDate,
        to: "2027-01-01" as LocalDate,
        limit: 500,
      })
    ).map(({ on }) => on);
  const before = await daysDone();
  expect(before).toContain(addDays(localDateOf(clock.now(), "Africa/Nairobi"), -1));
  const [last = "2026-01-01" as LocalDate] = before;
  clock.moveTo(new Date(clock.now().getTime() + 4 * DAY_MS));
  await work();
  const after = await daysDone();
  expect(after.slice(0, 5)).toContain(addDays(last, 1));
  expect(after.length - before.length).toBe(4);
  const [newest] = await app.reconciliations.list(app.database.db, {
    rail: MPESA,
    from: last,
    to: "2027-01-01" as LocalDate,
    limit: 1,
  });
  await work();
  clock.moveTo(new Date(clock.now().getTime() + HOUR_MS));
  await work();
  const [same] = await app.reconciliations.list(app.database.db, {
    rail: MPESA,
    from: last,
    to: "2027-01-01" as LocalDate,
    limit: 1,
  });
  expect(same?.madeAt).toEqual(newest?.madeAt);
});

test("whatever the parts are, balance = list + parts + rest", () => {
  const part = fc.record({
    count: fc.nat(),
    amount: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
    named: fc.nat(),
  });
  fc.assert(
    fc.property(fc.bigInt(), fc.bigInt(), fc.array(part), (balanceMinor, listedMinor, given) => {
      const parts = given.map(({ amount, ...rest }): ClearingPart => ({
        ...rest,
        name: "amount_differs",
        amount: { minor: amount, currency: "XOF" },
      }));
      const told = explain({ rail: "r", currency: "XOF", until: new Date(0), balanceMinor, listedMinor, parts });
      const sum = told.parts.reduce((total, { amount }) => total + amount.minor, told.listed.minor + told.rest.minor);
      expect(sum).toBe(balanceMinor);
    }),
  );
});

test("nothing is called agreed that was not looked at from both sides", () => {
  expect(decideState({ hasList: true, unlisted: 0, openExceptions: 0 })).toBe("agreed");
  expect(decideState({ hasList: false, unlisted: 0, openExceptions: 0 })).toBe("no_list");
  expect(decideState({ hasList: true, unlisted: 1, openExceptions: 0 })).toBe("no_list");
  expect(decideState({ hasList: false, unlisted: 1, openExceptions: 1 })).toBe("exceptions");
});
