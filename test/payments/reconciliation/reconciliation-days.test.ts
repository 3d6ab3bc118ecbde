import { Readable } from "node:stream";
import { sql } from "drizzle-orm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DAY_MS, HOUR_MS, localDateOf, MINUTE_MS, startOfDay, type LocalDate } from "../../../src/kernel/time.ts";
import { ALL_TIME, planReading } from "../../../src/payments/reconciliation/reconciliation-days.ts";
import type { ClearingExplanation } from "../../../src/payments/reconciliation/reconciliation.ts";
import { useRails } from "../../support/rails.ts";

/** M-Pesa's list comes by statement here, so a day's payments are in no list until one is read. */
const MPESA = "mpesa-ke";
const ZONE = "Africa/Nairobi";
const world = useRails({ channels: [MPESA], settings: { [MPESA]: { pull: undefined } } });

const run = (query: ReturnType<typeof sql>) => world.current.rows(query);
const partsOf = ({ parts }: ClearingExplanation) => parts.map(({ name, count, amount }) => [name, count, amount.minor]);

class Undone extends Error {}

/** What the program answers; fails when it is not what reading the rail's whole history answers. */
async function explainBothWays(until?: Date): Promise<ClearingExplanation> {
  const { database, reconciliations } = world.current.app;
  const order = { rail: MPESA, until: until ?? new Date(world.current.clock.now().getTime() + 1) };
  const quick = await reconciliations.explainClearing(database.db, order);
  const whole: ClearingExplanation[] = [];
  await database.db
    .transaction(async (tx) => {
      await tx.execute(sql`update payments.reconciliations set uneven = null`);
      whole.push(await reconciliations.explainClearing(tx, order));
      throw new Undone();
    })
    .catch((error: unknown) => {
      if (!(error instanceof Undone)) throw error;
    });
  expect([quick]).toEqual(whole);
  expect(quick.rest.minor).toBe(0n);
  return quick;
}

const stateOf = async (on: LocalDate): Promise<string | undefined> => {
  const { app } = world.current;
  const [day] = await app.reconciliations.list(app.database.db, { rail: MPESA, from: on, to: on, limit: 1 });
  return day?.state;
};

async function sleep(days: number): Promise<void> {
  const { simulator, clock, work } = world.current;
  await simulator.advanceTo(new Date(clock.now().getTime() + days * DAY_MS));
  await work();
}

async function readStatement(from: Date): Promise<void> {
  const { app, simulator, clock } = world.current;
  const file = simulator.statement(MPESA, { from, to: clock.now() });
  const channel = app.rails.get(MPESA)?.rail.channel;
  const [row] = await world.current.rows<{ shortcode: string }>(sql`select shortcode from payments.callbacks limit 1`);
  if (file === undefined || channel === undefined || row === undefined) throw new Error("M-Pesa gives statements.");
  const order = { channel, shortcode: row.shortcode, format: "mpesa", fileName: file.fileName, actor: "test" } as const;
  await app.statements.importStatement(Readable.from([file.bytes]), order);
}

test("a payment that stands on two days is counted once, whichever day was looked through first", async () => {
  const { simulator, household, pass, clock } = world.current;
  const begin = clock.now();
  const home = await household(MPESA);
  simulator.pay({
    channel: MPESA,
    account: home.accountNumber,
    phone: home.phone,
    payerName: "A B",
    amountMinor: 300n,
  });
  await pass(MINUTE_MS);
  await sleep(2);
  expect(partsOf(await explainBothWays())).toEqual([["booked_not_listed", 1, 300n]]);
  const listed = new Date(begin.getTime() + DAY_MS);
  await run(sql`
    insert into payments.listed (rail, provider_id, kind, amount_minor, currency, at, source, first_seen_at)
    select rail, provider_id, 'payment', amount_minor, currency, ${listed.toISOString()}, 'statement', ${clock.now().toISOString()}
    from payments.receipts where amount_minor = 300`);
  const whole = { parts: [], balance: { minor: 300n }, listed: { minor: 300n } };
  expect(await explainBothWays()).toMatchObject(whole);
  await sleep(3);
  expect(await explainBothWays()).toMatchObject(whole);
  const midnight = startOfDay(localDateOf(listed, ZONE), ZONE);
  expect(partsOf(await explainBothWays(midnight))).toEqual([["listed_later", 1, 300n]]);
});

test("a day that was looked through is not read again, until something of it comes late", async () => {
  const { simulator, household, pass, app, clock, settle } = world.current;
  const begin = clock.now();
  const on = localDateOf(begin, ZONE);
  const home = await household(MPESA);
  const payment = { channel: MPESA, account: home.accountNumber, phone: home.phone, payerName: "Achieng Odhiambo" };
  simulator.pay({ ...payment, amountMinor: 5_000n });
  await pass(MINUTE_MS);
  simulator.failNext(MPESA, "drop", 10);
  simulator.pay({ ...payment, amountMinor: 7_000n });
  await pass(MINUTE_MS);
  await sleep(2);
  expect(await stateOf(on)).toBe("no_list");
  expect(partsOf(await explainBothWays())).toEqual([["booked_not_listed", 1, 5_000n]]);

  // The statement lists both, one of them for the first time; the day is seen to have changed, before and after it is booked.
  await readStatement(new Date(begin.getTime() - HOUR_MS));
  expect(partsOf(await explainBothWays())).toEqual([["listed_not_booked", 1, -7_000n]]);
  await settle();
  const whole = await explainBothWays();
  const { balance } = whole;
  expect(whole).toMatchObject({ parts: [], listed: balance });
  await sleep(2);
  expect(await stateOf(on)).toBe("agreed");
  expect(await explainBothWays()).toMatchObject({ parts: [], balance });

  // Nothing came, so nobody looks: what is gone without a trace is missed only by the day's own reconciliation.
  const explain = () => app.reconciliations.explainClearing(app.database.db, { rail: MPESA });
  const [gone] = await run(sql`delete from payments.listed where amount_minor = 7000 returning *`);
  expect(await explain()).toMatchObject({ parts: [], listed: balance, rest: { minor: 0n } });
  await app.database.db.transaction((tx) => app.reconciliations.reconcileDay(tx, { rail: MPESA, on }));
  expect(partsOf(await explainBothWays())).toEqual([["booked_not_listed", 1, 7_000n]]);
  await run(sql`
    insert into payments.listed (rail, provider_id, kind, amount_minor, currency, at, source, first_seen_at)
    values (${MPESA}, ${String(gone?.["provider_id"])}, 'payment', 7000, 'KES', ${String(gone?.["at"])}, 'statement', ${clock.now().toISOString()})`);
  expect(partsOf(await explainBothWays())).toEqual([]);
  await sleep(2);
  expect(await stateOf(on)).toBe("agreed");

  // A posting by hand, dated back into the agreed day: by day it is found, and the account has it at once.
  await sleep(3);
  const currency = "KES" as const;
  await app.database.db.transaction(async (tx) => {
    const [row] = await world.current.rows<{ code: string }>(
      sql`select code from ledger.accounts where starts_with(code, ${`system/clearing/${MPESA}/`})`,
    );
    const [clearing = 0n, bank = 0n] = await app.ledger.openAccounts(tx, [
      { code: row?.code ?? "", kind: "asset", currency },
      { code: `system/bank/${currency}`, kind: "asset", currency },
    ]);
    const lines = [
      { accountId: clearing, amountMinor: 90n },
      { accountId: bank, amountMinor: -90n },
    ];
    const id = app.makeId<"Transaction">();
    const text = { kind: "transfer", memo: "by hand", reference: undefined, idempotencyKey: "by hand" };
    await app.ledger.post(tx, [{ id, ...text, currency, effectiveAt: begin, actor: "staff:1", lines }]);
  });
  expect(partsOf(await explainBothWays())).toEqual([["posted_otherwise", 1, 90n]]);
  await sleep(2);
  expect(await stateOf(on)).toBe("exceptions");
  expect(await explainBothWays()).toMatchObject({ balance: { minor: balance.minor + 90n } });
  // And as it was at the end of that day, and in the midst of it.
  for (const until of [new Date(begin.getTime() + DAY_MS), new Date(begin.getTime() + MINUTE_MS), begin])
    await explainBothWays(until);
});

test("even days and what is read besides them are all time, once", () => {
  const day = fc.integer({ min: 0, max: 300 });
  fc.assert(
    fc.property(fc.uniqueArray(day, { maxLength: 200 }), fc.integer({ min: 0, max: 301 * 24 }), (numbers, hours) => {
      const days = numbers
        .toSorted((left, right) => left - right)
        .map((number) => ({
          from: new Date(number * DAY_MS),
          to: new Date((number + 1) * DAY_MS),
          listedMinor: 0n,
          clearingMinor: 0n,
          unlisted: 0,
          unlistedMinor: 0n,
        }));
      const until = new Date(hours * HOUR_MS);
      const { before, after, rangesBefore, rangesAfter } = planReading(days, until);
      expect(rangesBefore.length + rangesAfter.length).toBeLessThanOrEqual(27);
      const pieces = [...before, ...rangesBefore, ...after, ...rangesAfter].toSorted(
        (left, right) => left.from.getTime() - right.from.getTime(),
      );
      let at = ALL_TIME.from;
      for (const { from, to } of pieces) {
        expect(from).toEqual(at);
        expect(to > from).toBe(true);
        at = to;
      }
      expect(at).toEqual(ALL_TIME.to);
      for (const { to } of [...before, ...rangesBefore]) expect(to <= until).toBe(true);
      for (const { from } of [...after, ...rangesAfter]) expect(from >= until).toBe(true);
    }),
  );
});
