import { expect, test } from "vitest";
import { useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b } from "../support/village.ts";

const program = useApp();

test("a payment becomes a token that the lamp accepts, and its days rise", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "150.00" });
  const [token] = await home.tokens();
  expect(home.lamp.enter(token ?? "").kind).toBe("VALID");
  expect(home.lamp.face().daysLeft).toBe(3);
  expect((await home.messages()).map(({ template }) => template)).toEqual(["token_received"]);
});

test("the same confirmation twice, at once, books one payment, one token and one message; both are answered success", async () => {
  const home = await makeHousehold(program.current);
  const body = c2bBody(program.current, { account: home.accountNumber, amount: "50" });
  const answers = await Promise.all([postC2b(program.current, body), postC2b(program.current, body)]);
  expect(answers.map(({ answer }) => answer["ResultCode"])).toEqual([0, 0]);
  expect(await program.current.settle()).toBe(1);
  expect(await home.tokens()).toHaveLength(1);
  expect(await home.messages()).toHaveLength(1);
});

test("less than one day's price is held as credit, and the message says what is missing", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "30" });
  expect(await home.tokens()).toEqual([]);
  expect(await home.messages()).toMatchObject([{ template: "payment_held", values: { missing: "KES 20" } }]);
  await pay(program.current, { account: home.accountNumber, amount: "20" });
  expect(await home.tokens()).toHaveLength(1);
  expect((await home.refreshed()).carriedMinor).toBe(0n);
});

test("the last payment unlocks for good, and the excess is refundable", async () => {
  const home = await makeHousehold(program.current, { terms: { totalMinor: 20_000n } });
  await pay(program.current, { account: home.accountNumber, amount: "250" });
  expect(await home.refreshed()).toMatchObject({ state: "paid_off", outstandingMinor: 0n, refundableMinor: 5_000n });
  const [token] = await home.tokens();
  expect(home.lamp.enter(token ?? "").kind).toBe("VALID");
  expect(home.lamp.state().paygEnabled).toBe(false);
});

test("the trial balance is zero in every currency after all of it", async () => {
  const rows = await program.current.app.ledger.trialBalance(program.current.app.database.db);
  expect(rows.length).toBeGreaterThan(5);
  expect(rows.reduce((sum, { balanceMinor }) => sum + balanceMinor, 0n)).toBe(0n);
});
