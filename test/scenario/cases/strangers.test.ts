import { sql } from "drizzle-orm";
import { afterEach, expect, test } from "vitest";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import { useRails } from "../../support/rails.ts";
import { auditBooks } from "../books-audit.ts";
import { asKept, keptBy } from "../kept.ts";

const world = useRails({ channels: ["mpesa-ke"], confirmByEnquiry: ["mpesa-ke"] });
const kept = keptBy(() => world.current);

afterEach(() => auditBooks(world.current));

test('case 19: ResultCode "", null, "SFC_IC0003"', async () => {
  const { simulator, ...place } = world.current;
  for (const code of ["", null, "SFC_IC0003", false, " 0", "00", []]) {
    const home = await place.household("mpesa-ke");
    const asked = await place.ask(home, { channel: "mpesa-ke", amountMinor: 5_000n });
    const prompt = place.promptOf(asked);
    // All that a success has, besides its code.
    simulator.failNext("mpesa-ke", "drop", 2);
    simulator.decide({ channel: "mpesa-ke", id: prompt.id }, {});
    const [stk] = place.lost("mpesa-ke").slice(-2);
    if (stk === undefined) throw new Error("M-Pesa tells of a paid prompt.");
    const told = JSON.parse(stk.body) as { Body: { stkCallback: Record<string, unknown> } };
    told.Body.stkCallback["ResultCode"] = code;
    const body = JSON.stringify(told);
    await place.post({ ...stk, body });
    expect(await place.settle()).toBe(0);
    expect([code, (await kept.quarantine()).at(-1)]).toMatchObject([
      code,
      { reason: "status_unknown", door: "stk", raw: asKept(body) },
    ]);
    expect(await home.tokens()).toEqual([]);
    expect(await place.intent(asked.id)).toMatchObject({ state: "pending", providerId: null });
  }
  expect(await place.counted("mpesa-ke", "stk", "status_unknown")).toBe(7);
});

test("case 20: a forged callback", async () => {
  const { simulator, ...place } = world.current;
  const home = await place.household("mpesa-ke");

  // Somebody who has learned the secret address tells of a payment that nobody made.
  await place.confirm("mpesa-ke", { account: home.accountNumber, amount: "5000", transId: "FORGED0001" });
  expect(await home.tokens()).toEqual([]);
  await place.pass(30 * MINUTE_MS);
  expect(await kept.quarantine()).toContainEqual(
    expect.objectContaining({ reason: "enquiry_disagrees", door: "confirmation", provider_id: "FORGED0001" }),
  );
  expect([await home.tokens(), await place.receiptsOf(home), await home.messages()]).toEqual([[], [], []]);

  // A true one gives its token when M-Pesa agrees, and not before.
  const payment = simulator.pay({
    channel: "mpesa-ke",
    account: home.accountNumber,
    amountMinor: 5_000n,
    phone: home.phone,
    payerName: "Chipo Phiri",
  });
  await simulator.advanceTo(new Date(place.clock.now().getTime() + 1_000));
  expect(simulator.deliveries.at(-1)).toMatchObject({ transactionId: payment.id, result: "accepted" });
  expect(await place.settle()).toBe(0);
  expect(await home.tokens()).toEqual([]);
  await place.pass(MINUTE_MS);
  expect(await home.tokens()).toHaveLength(1);
  const sources = sql`select provider_id, source from payments.callbacks where reference = ${home.accountNumber}`;
  expect(await place.rows(sources)).toEqual([{ provider_id: payment.id, source: "enquiry" }]);
});
