import { createHash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { useRails } from "../../support/rails.ts";
import { auditBooks } from "../books-audit.ts";
import { keptBy } from "../kept.ts";

const world = useRails({ channels: ["mpesa-ke"] });
const kept = keptBy(() => world.current);
const hashOf = (phone: string): string => createHash("sha256").update(phone.slice(1)).digest("hex");

afterEach(() => auditBooks(world.current));

test("case 8: account typed `pg-1O234 `", async () => {
  const { household, confirm } = world.current;
  const home = await household("mpesa-ke");
  const asPeopleType = `${home.accountNumber.toLowerCase().replaceAll("0", "O").replaceAll("1", "I")} `;
  await confirm("mpesa-ke", { account: asPeopleType, amount: "50" });
  await confirm("mpesa-ke", { account: ` ${home.accountNumber.replace("-", " ")}`, amount: "50" });
  expect(await home.tokens()).toHaveLength(2);
  // One digit wrong is nobody's account, whoever's it is like.
  const slip = home.accountNumber.slice(0, -1) + String((Number(home.accountNumber.at(-1)) + 1) % 10);
  await confirm("mpesa-ke", { account: slip, amount: "50", transId: "SLIP000001" });
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 10_000n });
  expect(await kept.suspense()).toContainEqual({ provider_id: "SLIP000001", reason: "account_unknown" });
});

test("case 9: unknown account, no validation", async () => {
  const { confirm } = world.current;
  await confirm("mpesa-ke", { account: "PG-4711", amount: "50", msisdn: "254722000111", transId: "UNKNOWN001" });
  await confirm("mpesa-ke", { account: "PG-4711", amount: "50", transId: "UNKNOWN002" });
  expect(await kept.suspense()).toEqual(
    expect.arrayContaining([
      { provider_id: "UNKNOWN001", reason: "account_unknown" },
      { provider_id: "UNKNOWN002", reason: "account_unknown" },
    ]),
  );
  // Only the first payer's phone is known.
  expect(await kept.messages("+254722000111")).toMatchObject([
    { template: "account_unknown", values: { reference: "PG-4711", amount: "KES 50" } },
  ]);
});

test("case 10: a valid account, another person's", async () => {
  const { app, household, confirm, graphql, receiptsOf } = world.current;
  const [payer, other] = [await household("mpesa-ke"), await household("mpesa-ke")];
  await confirm("mpesa-ke", { account: other.accountNumber, amount: "100", msisdn: payer.phone.slice(1) });
  // As typed: nobody guesses that she meant her own.
  expect(await other.refreshed()).toMatchObject({ receivedMinor: 10_000n });
  const [used] = await other.tokens();
  expect(other.lamp.enter(used ?? "").kind).toBe("VALID");
  expect(await payer.tokens()).toEqual([]);

  // She calls, and the office takes the payment away from the account and gives it to hers.
  const [receipt] = await receiptsOf(other);
  const reason = "The payer called: she had typed her neighbour's number.";
  const moved = await graphql<{ unlinkReceipt: object; matchSuspense: object }>(
    `
      mutation ($receiptId: ID!, $wrong: ID!, $right: ID!, $reason: String!) {
        unlinkReceipt(receiptId: $receiptId, contractId: $wrong, reason: $reason, idempotencyKey: "unlink-of-case-10") {
          __typename
        }
        matchSuspense(
          receiptId: $receiptId
          contractId: $right
          resolution: $reason
          idempotencyKey: "match-of-case-10"
        ) {
          __typename
        }
      }
    `,
    { receiptId: receipt?.id, wrong: other.contract.id, right: payer.contract.id, reason },
  );
  expect(moved).toEqual({
    unlinkReceipt: { __typename: "UnlinkedReceipt" },
    matchSuspense: { __typename: "MatchedReceipt" },
  });
  expect(await payer.refreshed()).toMatchObject({ receivedMinor: 10_000n, debtMinor: 0n });
  const [token] = await payer.tokens();
  expect(payer.lamp.enter(token ?? "").kind).toBe("VALID");
  // What the neighbour's lamp had from it stays on, and is owed.
  expect(await other.refreshed()).toMatchObject({ receivedMinor: 0n, debtMinor: 10_000n, state: "active" });
  expect(await other.tokens()).toEqual([used]);
  expect(other.lamp.face().daysLeft).toBeCloseTo(2, 2);

  const audit = await app.access.listAudit({ limit: 50 });
  for (const action of ["receipt.unlink", "suspense.match"])
    expect(audit).toContainEqual(expect.objectContaining({ action, subjectId: receipt?.id }));
  expect(JSON.stringify(audit.find(({ action }) => action === "receipt.unlink")?.detail)).toContain(reason);
});

test("case 11: the payer's phone belongs to another customer", async () => {
  const { household, confirm } = world.current;
  const [payer, other] = [await household("mpesa-ke"), await household("mpesa-ke")];
  for (const msisdn of [payer.phone.slice(1), hashOf(payer.phone)])
    await confirm("mpesa-ke", { account: other.accountNumber, amount: "50", msisdn });
  expect(await other.tokens()).toHaveLength(2);
  expect((await other.messages()).map(({ template }) => template)).toEqual(["token_received", "token_received"]);
  expect([await payer.tokens(), await payer.messages()]).toEqual([[], []]);
  expect(await payer.refreshed()).toMatchObject({ receivedMinor: 0n });
});

test("case 12: a till payment without account", async () => {
  const { household, confirm, ask, intent } = world.current;
  // By its hash the payer has one contract.
  const home = await household("mpesa-ke");
  await confirm("mpesa-ke", { account: "", amount: "50", msisdn: hashOf(home.phone) });
  expect(await home.tokens()).toHaveLength(1);

  // A neighbour, unknown to us and asked to pay for somebody's account, pays at the till: the open request tells whose it is.
  const neighbour = "+254733999001";
  const asked = await ask(home, { channel: "mpesa-ke", amountMinor: 15_000n, phone: neighbour });
  await confirm("mpesa-ke", { account: "", amount: "150", msisdn: hashOf(neighbour), transId: "TILLASKED1" });
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 20_000n });
  expect(await intent(asked.id)).toMatchObject({ state: "completed", providerId: "TILLASKED1" });

  // Two families share a phone, and a masked payer is anybody: nobody is guessed.
  const shared = await household("mpesa-ke");
  await household("mpesa-ke", { phone: shared.phone });
  await confirm("mpesa-ke", { account: "", amount: "50", msisdn: hashOf(shared.phone), transId: "TILLSHARED" });
  await confirm("mpesa-ke", { account: "", amount: "50", transId: "TILLMASKED" });
  expect(await shared.tokens()).toEqual([]);
  expect(await kept.suspense()).toEqual(
    expect.arrayContaining([
      { provider_id: "TILLMASKED", reason: "account_missing" },
      { provider_id: "TILLSHARED", reason: "account_missing" },
    ]),
  );
});

test("case 13: organisation to organisation", async () => {
  const { household, confirm } = world.current;
  const home = await household("mpesa-ke");
  const account = home.accountNumber;
  await confirm("mpesa-ke", {
    account,
    amount: "50",
    transId: "ORGANISED1",
    extra: { TransactionType: "Organization Settlement" },
  });
  await confirm("mpesa-ke", { account, amount: "50", transId: "ORGANISED2", msisdn: "600100" });
  expect(await kept.suspense()).toEqual(
    expect.arrayContaining([
      { provider_id: "ORGANISED1", reason: "organisation" },
      { provider_id: "ORGANISED2", reason: "organisation" },
    ]),
  );
  expect([await home.tokens(), await home.messages()]).toEqual([[], []]);
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n });
});
