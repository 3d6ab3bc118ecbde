import { expect, test } from "vitest";
import type { FaultKind } from "../../../simulators/rail/faults.ts";
import { DAY_MS } from "../../../src/kernel/time.ts";
import { suspenseAccount } from "../../../src/payments/receipts/accounts.ts";
import type { Payout } from "../../../src/payments/payments.ts";
import { useRails } from "../../support/rails.ts";

const CHANNEL = "mpesa-ke";
const world = useRails({ channels: [CHANNEL] });

async function payOut(minor: bigint): Promise<Payout> {
  const { app } = world.current;
  return await app.database.db.transaction(async (tx) => {
    const [sourceAccountId = 0n] = await app.ledger.openAccounts(tx, [suspenseAccount("KES")]);
    return await app.payouts.request(tx, {
      rail: CHANNEL,
      shortcode: "600966",
      receiptId: null,
      contractId: null,
      originalProviderId: null,
      phone: "+254711000001",
      amount: { minor, currency: "KES" },
      sourceAccountId,
      reason: "excess",
      requestedBy: "test",
      approvedBy: null,
    });
  });
}

const FAULTS: readonly [fault: FaultKind, minor: bigint][] = [
  ["fail_before_acting", 20_000n],
  ["fail_after_acting", 30_000n],
];
test.each(FAULTS)("a payout to M-Pesa whose request meets %s is paid once", async (fault, minor) => {
  const { app, simulator, pass } = world.current;
  // The first one brings the access token, so that the fault meets the second one's request.
  await payOut(minor + 100n);
  await pass(60_000);
  const payout = await payOut(minor);
  simulator.failNext(CHANNEL, fault);
  // Its own result is lost: only asking tells.
  if (fault === "fail_after_acting") simulator.failNext(CHANNEL, "drop");
  for (let hours = 0; hours < 6; hours++) await pass(DAY_MS / 24);
  const paid = simulator
    .transactions(CHANNEL)
    .filter(
      ({ kind, amountMinor, status }) => kind === "disbursement" && amountMinor === minor && status === "completed",
    );
  expect(paid).toHaveLength(1);
  const found = await app.payouts.find(app.database.db, [payout.id]);
  expect(found.get(payout.id)).toMatchObject({ state: "completed", providerId: paid[0]?.id });
});
