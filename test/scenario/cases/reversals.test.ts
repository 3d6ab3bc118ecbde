import { sql } from "drizzle-orm";
import { afterEach, expect, test } from "vitest";
import type { SimulatedTransaction } from "../../../simulators/rail/face.ts";
import { DAY_MS, MINUTE_MS } from "../../../src/kernel/time.ts";
import { useRails } from "../../support/rails.ts";
import type { Household } from "../../support/village.ts";
import { auditBooks } from "../books-audit.ts";

const CHANNEL = "gsma-tz";
const world = useRails({ channels: [CHANNEL, "mpesa-ke"] });

afterEach(() => auditBooks(world.current));

/** A payment that was asked for, paid, told and booked. */
async function paid(home: Household, amountMinor: bigint): Promise<SimulatedTransaction> {
  const { ask, promptOf, simulator, pass } = world.current;
  const prompt = promptOf(await ask(home, { channel: CHANNEL, amountMinor }));
  simulator.decide({ channel: CHANNEL, id: prompt.id }, {});
  await pass(10_000);
  return prompt;
}
const reversalsOf = (home: Household) =>
  world.current.rows<{ state: string; amount_minor: string }>(sql`
    select v.state, v.amount_minor from payments.reversals v join payments.receipts r on r.provider_id = v.original_provider_id
    where r.reference = ${home.accountNumber} order by v.received_at, v.provider_id`);

test("case 17: a reversal after the token was used", async () => {
  const { simulator, post, lost, work, pass, ...place } = world.current;
  const home = await place.household(CHANNEL);
  const payment = await paid(home, 10_000n);
  const [used, ...none] = await home.tokens();
  expect(home.lamp.enter(used ?? "").kind).toBe("VALID");
  expect(none).toEqual([]);
  await pass(MINUTE_MS);

  // A part goes back, told twice, and later the rest.
  simulator.failNext(CHANNEL, "drop");
  simulator.reverse({ channel: CHANNEL, id: payment.id }, 4_000n);
  const [part] = lost(CHANNEL).slice(-1);
  if (part === undefined) throw new Error("The provider tells of reversals.");
  const answers = await Promise.all([post(part), post(part)]);
  expect(answers.map(({ status }) => status)).toEqual([204, 204]);
  await work();
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 6_000n, debtMinor: 4_000n, state: "active" });
  simulator.reverse({ channel: CHANNEL, id: payment.id });
  await pass(MINUTE_MS);
  expect(await reversalsOf(home)).toEqual([
    { state: "applied", amount_minor: "4000" },
    { state: "applied", amount_minor: "6000" },
  ]);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n, debtMinor: 10_000n, state: "active" });

  // The light stays on: nothing is sent to the lamp, and the token that was used counts.
  expect(await home.tokens()).toEqual([used]);
  expect(home.lamp.face().daysLeft).toBeCloseTo(2, 2);
  expect((await home.messages()).map(({ template }) => template)).toEqual([
    "token_received",
    "payment_taken_back_debt",
    "payment_taken_back_debt",
  ]);

  // What is owed is paid first, and only then the next token comes.
  await paid(home, 5_000n);
  expect(await home.tokens()).toEqual([used]);
  expect(await home.refreshed()).toMatchObject({ debtMinor: 5_000n });
  await paid(home, 10_000n);
  expect(await home.refreshed()).toMatchObject({ debtMinor: 0n });
  const [, next] = await home.tokens();
  expect(home.lamp.enter(next ?? "").kind).toBe("VALID");
  expect(home.lamp.face().daysLeft).toBeCloseTo(3, 2);
});

test("case 18: a reversal before its payment", async () => {
  const { simulator, post, lost, ...place } = world.current;
  for (const { backMinor, afterMinor, owedMinor, tokens } of [
    { backMinor: 10_000n, afterMinor: 0n, owedMinor: 0n, tokens: 0 },
    // Of a part the rest buys: what went back before it came is not owed.
    { backMinor: 4_000n, afterMinor: 6_000n, owedMinor: 0n, tokens: 1 },
  ]) {
    const home = await place.household(CHANNEL);
    const prompt = place.promptOf(await place.ask(home, { channel: CHANNEL, amountMinor: 10_000n }));
    simulator.failNext(CHANNEL, "drop", 2);
    simulator.decide({ channel: CHANNEL, id: prompt.id }, {});
    simulator.reverse({ channel: CHANNEL, id: prompt.id }, backMinor);
    const [payment, reversal] = lost(CHANNEL).slice(-2);
    if (payment === undefined || reversal === undefined) throw new Error("The provider tells of both.");
    for (const told of [reversal, reversal]) expect(await post(told)).toMatchObject({ status: 204 });
    expect(await place.settle()).toBe(0);
    const parked = sql`select state, receipt_id from payments.reversals where original_provider_id = ${prompt.id}`;
    expect(await place.rows(parked)).toEqual([{ state: "parked", receipt_id: null }]);

    expect(await post(payment)).toMatchObject({ status: 204 });
    await place.work();
    expect(await place.receiptsOf(home)).toMatchObject([{ providerId: prompt.id, amount: { minor: 10_000n } }]);
    expect(await reversalsOf(home)).toEqual([{ state: "applied", amount_minor: backMinor.toString() }]);
    expect(await home.refreshed()).toMatchObject({ receivedMinor: afterMinor, debtMinor: owedMinor });
    expect(await home.tokens()).toHaveLength(tokens);
    await auditBooks(world.current);
  }
});

test("a reversal that waits beside its payment, because nobody settled meanwhile", async () => {
  const { simulator, post, lost, ...place } = world.current;
  const home = await place.household(CHANNEL);
  const prompt = place.promptOf(await place.ask(home, { channel: CHANNEL, amountMinor: 10_000n }));
  simulator.failNext(CHANNEL, "drop", 2);
  simulator.decide({ channel: CHANNEL, id: prompt.id }, {});
  simulator.reverse({ channel: CHANNEL, id: prompt.id });
  const [payment, reversal] = lost(CHANNEL).slice(-2);
  if (payment === undefined || reversal === undefined) throw new Error("The provider tells of both.");
  for (const told of [reversal, payment]) expect(await post(told)).toMatchObject({ status: 204 });

  await place.work();
  expect(await reversalsOf(home)).toEqual([{ state: "applied", amount_minor: "10000" }]);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n, debtMinor: 0n });
  expect(await home.tokens()).toEqual([]);
});

test("what only M-Pesa's statement tells of a reversal is compensated as well", async () => {
  const { simulator, clock, ...place } = world.current;
  const from = clock.now();
  const home = await place.household("mpesa-ke");
  const pay = () =>
    simulator.pay({
      channel: "mpesa-ke",
      account: home.accountNumber,
      amountMinor: 5_000n,
      phone: home.phone,
      payerName: "Nakato Sarah",
    });
  const used = pay();
  await place.pass(MINUTE_MS);
  expect(await home.tokens()).toHaveLength(1);
  simulator.reverse({ channel: "mpesa-ke", id: used.id });
  simulator.failNext("mpesa-ke", "drop");
  const unheard = pay();
  simulator.reverse({ channel: "mpesa-ke", id: unheard.id });
  const to = new Date(from.getTime() + DAY_MS);
  const report = await place.uploadStatement("mpesa-ke", { from, to });
  expect(report).toMatchObject({ refused: 0, exceptions: 0 });
  await place.work();
  expect(await reversalsOf(home)).toEqual([
    { state: "applied", amount_minor: "5000" },
    { state: "applied", amount_minor: "5000" },
  ]);
  // The first had bought a day, which is owed; the second bought nothing.
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n, debtMinor: 5_000n });
  expect(await home.tokens()).toHaveLength(1);
});
