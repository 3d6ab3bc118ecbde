import { expect, test } from "vitest";
import { NotFound } from "../../../src/kernel/refusal.ts";
import { HISTORY_KINDS } from "../../../src/payments/payments.ts";
import { makeHousehold } from "../../support/village.ts";
import { useDesk } from "./desk-world.ts";

const office = useDesk();
const { db, match, unlink, receive, done, payout, notPaidOut } = office;

test("a receipt tells its whole story in one look, in the order in which it happened", async () => {
  const { clock, app } = office.program.current;
  const [wrong, right] = [await makeHousehold(office.program.current), await makeHousehold(office.program.current)];
  const receiptId = await receive({ account: wrong.accountNumber, amount: "100", msisdn: wrong.phone.slice(1) });
  clock.advance(1_000);
  await unlink(receiptId, wrong.contract.id);
  clock.advance(1_000);
  const back = await payout(
    await done(
      { kind: "refund_suspense", receiptId, amountMinor: 5_000n, phone: undefined },
      { reason: "Half is mine" },
    ),
  );
  clock.advance(1_000);
  await notPaidOut(back, "R000002");
  clock.advance(1_000);
  await match(receiptId, [right.contract.id]);

  const { receipt, callbackText, events } = await office.desk().history(db(), receiptId);
  expect(receipt.id).toBe(receiptId);
  expect(JSON.parse(callbackText ?? "")).toMatchObject({
    TransID: receipt.providerId,
    BillRefNumber: wrong.accountNumber,
  });
  const story = events.map(({ kind }) => kind);
  expect(story.filter((kind, at) => kind !== story[at - 1])).toEqual(
    [
      ["callback", "receipt", "posting", "allocation", "token", "message"],
      ["posting", "allocation", "message", "movement"],
      ["posting", "movement", "payout"],
      ["posting", "movement", "payout"],
      ["posting", "allocation", "token", "message", "movement"],
    ].flat(),
  );
  const words = events.map(({ text }) => text).join("\n");
  for (const said of [
    `mpesa told of ${receipt.providerId} by callback (confirmation).`,
    `KES 100 was booked, paid for "${wrong.accountNumber}".`,
    `Account ${wrong.accountNumber} got 10000 minor units and bought 2 units of light.`,
    `Account ${wrong.accountNumber} gave back 10000 minor units.`,
    "KES 100 unlinked by staff:1: The payer rang.",
    `Set aside to pay KES 50 back by mpesa (disbursement to ${wrong.phone}).`,
    `Could not pay KES 50 back by mpesa (disbursement to ${wrong.phone}): R000002.`,
    `Account ${right.accountNumber} got 10000 minor units and bought 2 units of light.`,
    "KES 100 matched by staff:1: The payer rang.",
  ])
    expect(words).toContain(said);
  for (let at = 1; at < events.length; at++)
    expect(events[at]?.at.getTime()).toBeGreaterThanOrEqual(events[at - 1]?.at.getTime() ?? 0);
  await expect(office.desk().history(db(), app.makeId<"Receipt">())).rejects.toThrow(NotFound);
});

test("every kind of event has its place in the order", () => {
  expect(new Set(HISTORY_KINDS).size).toBe(HISTORY_KINDS.length);
});
