import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { HOUR_MS } from "../../src/kernel/time.ts";
import { useRails } from "../support/rails.ts";

const CHANNEL = "airtel-zm";
const world = useRails({ channels: [CHANNEL] });

test("a payment that was booked and then went back, on a rail that tells no amounts, is taken back without an exception", async () => {
  const { household, ask, promptOf, simulator, pass, rows } = world.current;
  const home = await household(CHANNEL);
  const prompt = promptOf(await ask(home, { channel: CHANNEL, amountMinor: 10_000n }));
  simulator.decide({ channel: CHANNEL, id: prompt.id }, {});
  await pass(HOUR_MS);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 10_000n });

  simulator.reverse({ channel: CHANNEL, id: prompt.id });
  await pass(HOUR_MS);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n });
  const reversals = sql`select state, amount_minor from payments.reversals where original_provider_id = ${prompt.id}`;
  expect(await rows(reversals)).toEqual([{ state: "applied", amount_minor: "10000" }]);
  expect(await rows(sql`select kind, subject, detail from payments.exceptions`)).toEqual([]);
});
