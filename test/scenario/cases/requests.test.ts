import { createHmac } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterEach, expect, test } from "vitest";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import { useRails } from "../../support/rails.ts";
import { auditBooks } from "../books-audit.ts";

const world = useRails({ channels: ["mpesa-ke", "mtn-ug", "airtel-zm"] });

afterEach(() => auditBooks(world.current));

test("case 4: STK says 1037 or 1032, then the money arrives", async () => {
  const { simulator, ...place } = world.current;
  for (const [failure, code] of [
    ["unreachable", "1037"],
    ["cancelled", "1032"],
  ] as const) {
    const home = await place.household("mpesa-ke");
    const asked = await place.ask(home, { channel: "mpesa-ke", amountMinor: 5_000n });
    simulator.decide({ channel: "mpesa-ke", id: place.promptOf(asked).id }, { failure });
    await place.pass(10_000);
    const refused = await place.intent(asked.id);
    expect(refused).toMatchObject({ state: "failed", providerId: null });
    expect(refused.reason).toContain(code);
    expect(await home.tokens()).toEqual([]);
    await place.pass(MINUTE_MS);
    const late = simulator.pay({
      channel: "mpesa-ke",
      account: home.accountNumber,
      amountMinor: 5_000n,
      phone: home.phone,
      payerName: "Achieng Odhiambo",
    });
    await place.pass(10_000);
    expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
    expect(await home.tokens()).toHaveLength(1);
    expect(await place.intent(asked.id)).toMatchObject({ state: "completed", providerId: late.id });
  }
});

test("case 5: MTN callback never comes", async () => {
  const { simulator, ...place } = world.current;
  const home = await place.household("mtn-ug");
  const asked = await place.ask(home, { channel: "mtn-ug", amountMinor: 5_000n });
  const prompt = place.promptOf(asked);
  simulator.failNext("mtn-ug", "drop");
  simulator.decide({ channel: "mtn-ug", id: prompt.id }, {});
  await place.pass(2 * MINUTE_MS);
  expect(simulator.deliveries.filter(({ channel }) => channel === "mtn-ug").map(({ result }) => result)).toEqual([
    "dropped",
  ]);
  const settled = await place.intent(asked.id);
  expect(settled).toMatchObject({ state: "completed", providerId: prompt.id });
  expect(await home.tokens()).toHaveLength(1);
  expect(await place.receiptsOf(home)).toHaveLength(1);
  const sources = await place.rows(sql`select source from payments.callbacks where provider_id = ${prompt.id}`);
  expect(sources).toEqual([{ source: "enquiry" }]);

  // Should it come after all, it finds everything done.
  const [callback] = place.lost("mtn-ug");
  if (callback === undefined) throw new Error("MTN tells of payments.");
  expect(await place.post(callback)).toMatchObject({ status: 200 });
  await place.pass(2 * MINUTE_MS);
  expect(await place.receiptsOf(home)).toHaveLength(1);
  expect(await home.tokens()).toHaveLength(1);
});

test("case 21: Airtel TIP or TA, HTTP 504", async () => {
  const { simulator, ...place } = world.current;
  const [home, neighbour] = [await place.household("airtel-zm"), await place.household("airtel-zm")];
  // Signs in, so that the faults meet the request itself.
  await place.ask(neighbour, { channel: "airtel-zm", amountMinor: 5_000n });
  // Airtel acts, its gateway answers 500 or 504; what is sent again goes under the same name, and acts no second time.
  simulator.failNext("airtel-zm", "fail_after_acting", 2);
  const asked = await place.ask(home, { channel: "airtel-zm", amountMinor: 5_000n });
  expect(asked).toMatchObject({ state: "pending" });
  const prompt = place.promptOf(asked);
  for (const status of ["TIP", "TA"]) {
    expect(await tellAirtel({ id: prompt.correlation, status })).toBe(200);
    await place.work();
    expect(await place.intent(asked.id)).toMatchObject({ state: "pending", providerId: null });
  }
  // Enquiries say TIP or TA as well while the payer looks at the prompt; nobody asks the payer again.
  await place.pass(4 * MINUTE_MS);
  const waiting = await place.intent(asked.id);
  expect(waiting).toMatchObject({ state: "pending" });
  expect(waiting.enquiries).toBeGreaterThan(1);
  expect(await home.tokens()).toEqual([]);
  const promptsOf = () => simulator.transactions("airtel-zm").filter(({ phone }) => `+${phone}` === home.phone);
  expect(promptsOf()).toHaveLength(1);

  simulator.decide({ channel: "airtel-zm", id: prompt.id }, {});
  await place.pass(MINUTE_MS);
  expect(await place.intent(asked.id)).toMatchObject({ state: "completed", providerId: prompt.id });
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
  expect(await home.tokens()).toHaveLength(1);
  expect(promptsOf()).toHaveLength(1);
});

test("case 22: the amount differs from the intent", async () => {
  const { simulator, ...place } = world.current;
  for (const [paidMinor, tokens, carriedMinor] of [
    [12_500n, 1, 2_500n],
    [3_000n, 0, 3_000n],
  ] as const) {
    const home = await place.household("mtn-ug");
    const asked = await place.ask(home, { channel: "mtn-ug", amountMinor: 10_000n });
    simulator.decide({ channel: "mtn-ug", id: place.promptOf(asked).id }, { amountMinor: paidMinor });
    await place.pass(MINUTE_MS);
    expect(await place.receiptsOf(home)).toMatchObject([{ amount: { minor: paidMinor, currency: "UGX" } }]);
    expect(await home.refreshed()).toMatchObject({ receivedMinor: paidMinor, carriedMinor });
    expect(await home.tokens()).toHaveLength(tokens);
    expect(await place.intent(asked.id)).toMatchObject({ state: "completed", amount: { minor: 10_000n } });
  }
});

/** A callback of Airtel's own, signed as it signs, that says a state which is not the last. */
async function tellAirtel({ id, status }: { id: string | undefined; status: string }): Promise<number> {
  const { simulator, post, doorUrl } = world.current;
  const transaction = JSON.stringify({ id, message: "In progress", status_code: status });
  const key = String(simulator.face("airtel-zm").settings()["callbackKey"]);
  const hash = createHmac("sha256", key).update(`{"transaction":${transaction}}`).digest("base64");
  const answer = await post({
    method: "POST",
    url: doorUrl("airtel-zm", "callback"),
    headers: { "content-type": "application/json" },
    body: `{"transaction":${transaction},"hash":"${hash}"}`,
    retriesMax: 0,
  });
  return answer.status;
}
