import { afterEach, expect, test } from "vitest";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../src/kernel/time.ts";
import { useRails } from "../../support/rails.ts";
import { auditBooks } from "../books-audit.ts";

const world = useRails({ channels: ["mpesa-ke"] });

afterEach(() => auditBooks(world.current));

test("case 6: a confirmation is found only by Pull", async () => {
  const { simulator, clock, ...place } = world.current;
  await place.work();
  const home = await place.household("mpesa-ke");
  await place.pass(MINUTE_MS);
  const paidAt = clock.now();
  simulator.failNext("mpesa-ke", "drop");
  const payment = simulator.pay({
    channel: "mpesa-ke",
    account: home.accountNumber,
    amountMinor: 10_000n,
    phone: home.phone,
    payerName: "Baraka Mwangi",
  });
  await place.pass(5 * MINUTE_MS);
  expect(await home.tokens()).toEqual([]);
  await place.pass(20 * MINUTE_MS);
  const [receipt, ...others] = await place.receiptsOf(home);
  expect([receipt?.providerId, others]).toEqual([payment.id, []]);
  // The provider tells whole seconds; booked it was a quarter of an hour later.
  expect(receipt?.paidAt).toEqual(new Date(Math.floor(paidAt.getTime() / 1_000) * 1_000));
  expect(receipt?.bookedAt.getTime()).toBeGreaterThan(paidAt.getTime() + 5 * MINUTE_MS);
  const [allocation] = await place.app.credit.allocations(place.app.database.db, home.contract.id);
  expect(allocation).toMatchObject({ units: 2, paidAt: receipt?.paidAt });
  expect(await home.tokens()).toHaveLength(1);

  // Found by every later sweep again, and told by M-Pesa after all: once is enough.
  const [confirmation] = place.lost("mpesa-ke");
  if (confirmation === undefined) throw new Error("M-Pesa tells of payments.");
  expect(await place.post(confirmation)).toMatchObject({ status: 200 });
  await place.pass(40 * MINUTE_MS);
  expect(await place.receiptsOf(home)).toHaveLength(1);
  expect(await home.tokens()).toHaveLength(1);
});

test("case 7: an outage of more than 48 h", async () => {
  const { simulator, clock, app, ...place } = world.current;
  const { db } = app.database;
  const outageFrom = clock.now();
  const [early, late, told] = [
    await place.household("mpesa-ke"),
    await place.household("mpesa-ke"),
    await place.household("mpesa-ke"),
  ];
  const payFor = ({ accountNumber, phone }: typeof early) =>
    simulator.pay({ channel: "mpesa-ke", account: accountNumber, amountMinor: 5_000n, phone, payerName: "Asha" });
  payFor(told);
  await place.pass(MINUTE_MS);
  expect(await told.tokens()).toHaveLength(1);

  // Nobody of ours is there: what M-Pesa says is lost, and its list forgets what is older than two days.
  simulator.failNext("mpesa-ke", "drop", 2);
  const lost = payFor(early);
  await simulator.advanceTo(new Date(clock.now().getTime() + 30 * HOUR_MS));
  const pulled = payFor(late);
  await simulator.advanceTo(new Date(clock.now().getTime() + 30 * HOUR_MS));
  await place.work();
  expect(await late.tokens()).toHaveLength(1);
  expect(await early.tokens()).toEqual([]);

  const period = { from: outageFrom, to: new Date(outageFrom.getTime() + 4 * DAY_MS) };
  const report = await place.uploadStatement("mpesa-ke", period);
  // Beside the payments it may have lines of M-Pesa's own.
  expect(report).toMatchObject({ known: 2, refused: 0, exceptions: 0, byKind: { payment: { lines: 3 } } });
  await place.work();
  expect((await place.receiptsOf(early)).map(({ providerId }) => providerId)).toEqual([lost.id]);
  expect((await place.receiptsOf(late)).map(({ providerId }) => providerId)).toEqual([pulled.id]);
  for (const home of [early, late, told]) {
    expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
    expect(await home.tokens()).toHaveLength(1);
  }
  expect(await place.uploadStatement("mpesa-ke", period)).toMatchObject({ isRepeated: true });
  await place.work();
  expect(await place.receiptsOf(early)).toHaveLength(1);
  const [allocation] = await app.credit.allocations(db, early.contract.id);
  expect(allocation?.paidAt).toEqual(new Date(Math.floor((lost.endedAt?.getTime() ?? 0) / 1_000) * 1_000));
});
