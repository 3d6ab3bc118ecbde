import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { useRails } from "../../support/rails.ts";
import type { Household } from "../../support/village.ts";
import { auditBooks } from "../books-audit.ts";

/*
 * There is no USSD door yet. What these two cases promise is kept where every door asks for a payment: the idempotency
 * key of the command stands for the hop (session and text), and "the same wish is open" for the redial.
 */
const world = useRails({ channels: ["mtn-ug"] });

afterEach(() => auditBooks(world.current));

const CONFIRM = `mutation ($contractId: ID!, $phone: String!, $key: String!) {
  requestPayment(contractId: $contractId, amountMinor: "5000", phone: $phone, rail: "mtn-ug", idempotencyKey: $key) {
    ... on RequestedPayment { isNew intent { id state amount { amountMinor } } } ... on Refusal { code message }
  }
}`;
interface Confirmed {
  readonly requestPayment: {
    readonly isNew: boolean;
    readonly intent: { readonly id: string; readonly state: string };
  };
}
const confirm = ({ contract, phone }: Household, key: string) =>
  world.current.graphql<Confirmed>(CONFIRM, { contractId: contract.id, phone, key });
const promptsOf = ({ phone }: Household) =>
  world.current.simulator.transactions("mtn-ug").filter((one) => `+${one.phone}` === phone);

test('case 23: a USSD hop repeated on "confirm"', async () => {
  const { simulator, work, pass, receiptsOf, ...place } = world.current;
  const home = await place.household("mtn-ug");
  const key = randomUUID();
  // The gateway sends the hop three times: twice at once, and again later.
  const answers = await Promise.all([confirm(home, key), confirm(home, key)]);
  await work();
  const again = await confirm(home, key);
  const [first] = answers;
  expect(new Set([...answers, again].map(({ requestPayment: { intent } }) => intent.id)).size).toBe(1);
  expect([...answers, again].map(({ requestPayment: { isNew } }) => isNew)).toEqual([true, true, true]);
  await work();
  const [prompt, ...others] = promptsOf(home);
  expect(others).toEqual([]);
  simulator.decide({ channel: "mtn-ug", id: prompt?.id ?? "" }, {});
  await pass(60_000);
  expect((await confirm(home, key)).requestPayment.intent.id).toBe(first?.requestPayment.intent.id);
  await pass(60_000);
  expect(promptsOf(home)).toHaveLength(1);
  expect(await receiptsOf(home)).toHaveLength(1);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
});

test('case 24: the session drops after "confirm"', async () => {
  const { simulator, work, pass, ...place } = world.current;
  const home = await place.household("mtn-ug");
  const { requestPayment: asked } = await confirm(home, randomUUID());
  expect(asked).toMatchObject({ isNew: true });
  await work();
  await pass(20_000);

  // Nobody heard the answer. The same wish in a new session, under a key of its own, shows what is pending.
  const { requestPayment: redialled } = await confirm(home, randomUUID());
  expect(redialled).toMatchObject({ isNew: false, intent: { id: asked.intent.id, state: "pending" } });
  const { db } = place.app.database;
  const open = await place.app.intents.list(db, { reference: home.accountNumber, openOnly: true, limit: 5 });
  expect(open.map(({ id, state }) => [id, state])).toEqual([[asked.intent.id, "pending"]]);
  await work();
  expect(promptsOf(home)).toHaveLength(1);

  simulator.decide({ channel: "mtn-ug", id: promptsOf(home)[0]?.id ?? "" }, {});
  await pass(60_000);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
  expect(await home.tokens()).toHaveLength(1);
  expect(promptsOf(home)).toHaveLength(1);
});
