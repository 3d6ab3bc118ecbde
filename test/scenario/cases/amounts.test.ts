import { afterEach, expect, test } from "vitest";
import type { PayoutId } from "../../../src/kernel/ids.ts";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import { useRails } from "../../support/rails.ts";
import { auditBooks } from "../books-audit.ts";

const world = useRails({ channels: ["mpesa-ke"] });

afterEach(() => auditBooks(world.current));

test("case 14: more than the final balance", async () => {
  const { simulator, app, ...place } = world.current;
  const { db } = app.database;
  const home = await place.household("mpesa-ke", { terms: { totalMinor: 20_000n } });
  await place.confirm("mpesa-ke", { account: home.accountNumber, amount: "250" });
  const [token, ...others] = await home.tokens();
  expect(home.lamp.enter(token ?? "").kind).toBe("VALID");
  expect(home.lamp.state().paygEnabled).toBe(false);
  expect(others).toEqual([]);
  expect(await home.refreshed()).toMatchObject({ state: "paid_off", outstandingMinor: 0n, refundableMinor: 5_000n });
  await auditBooks(world.current);

  // The office gives the excess back: M-Pesa pays it out to the phone.
  const { refundContract } = await place.graphql<{ refundContract: { id: PayoutId } }>(
    `mutation ($contractId: ID!) {
      refundContract(contractId: $contractId, rail: "mpesa-ke", reason: "Paid more than the price", idempotencyKey: "refund-of-case-14") {
        ... on Payout { id } ... on Refusal { message }
      }
    }`,
    { contractId: home.contract.id },
  );
  await place.pass(2 * MINUTE_MS);
  const [sent] = simulator.transactions("mpesa-ke").filter(({ kind }) => kind === "disbursement");
  expect(sent).toMatchObject({ status: "completed", amountMinor: 5_000n, phone: home.phone.slice(1) });
  expect((await app.payouts.find(db, [refundContract.id])).get(refundContract.id)).toMatchObject({
    state: "completed",
    providerId: sent?.id,
  });
  expect(await home.refreshed()).toMatchObject({ refundableMinor: 0n });
});

test("case 15: less than one day's price", async () => {
  const { household, confirm } = world.current;
  const home = await household("mpesa-ke");
  await confirm("mpesa-ke", { account: home.accountNumber, amount: "30" });
  expect(await home.tokens()).toEqual([]);
  expect(await home.refreshed()).toMatchObject({ carriedMinor: 3_000n });
  expect(await home.messages()).toMatchObject([{ template: "payment_held", values: { missing: "KES 20" } }]);
  await confirm("mpesa-ke", { account: home.accountNumber, amount: "20" });
  const [token] = await home.tokens();
  expect(home.lamp.enter(token ?? "").kind).toBe("VALID");
  expect(home.lamp.face().daysLeft).toBe(1);
  expect(await home.refreshed()).toMatchObject({ carriedMinor: 0n });
});

test("case 16: the price changes while money is on its way", async () => {
  const { simulator, clock, app, ...place } = world.current;
  const home = await place.household("mpesa-ke");
  // Paid at the old price; the notice is late, and the price has doubled when it comes.
  simulator.failNext("mpesa-ke", "drop");
  const pay = () =>
    simulator.pay({
      channel: "mpesa-ke",
      account: home.accountNumber,
      amountMinor: 10_000n,
      phone: home.phone,
      payerName: "Fatou Ndiaye",
    });
  pay();
  const [late] = place.lost("mpesa-ke").slice(-1);
  await simulator.advanceTo(new Date(clock.now().getTime() + MINUTE_MS));
  const effectiveAt = clock.now();
  await app.database.db.transaction(async (tx) => {
    const current = (await app.credit.plans.versions(tx, [home.contract.planVersionId])).get(
      home.contract.planVersionId,
    );
    if (current === undefined) throw new Error("The plan is gone.");
    const terms = { ...current, price: { numerator: 10_000n, denominator: 1n } };
    const dearer = await app.credit.plans.change(tx, { code: current.code, terms, effectiveAt });
    const order = { contractId: home.contract.id, planVersionId: dearer.id, effectiveAt, actor: "test" };
    await app.credit.changeTerms(tx, order);
  });
  await place.pass(MINUTE_MS);
  pay();
  await place.pass(10_000);
  if (late === undefined) throw new Error("The first notice was not held back.");
  expect(await place.post(late)).toMatchObject({ status: 200 });
  await place.work();
  const rows = await app.credit.allocations(app.database.db, home.contract.id);
  const bought = rows.toSorted((one, other) => one.paidAt.getTime() - other.paidAt.getTime());
  expect(bought.map(({ units, spentMinor }) => [units, spentMinor])).toEqual([
    [2, 10_000n],
    [1, 10_000n],
  ]);
  for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
  expect(home.lamp.face().daysLeft).toBe(3);
});
