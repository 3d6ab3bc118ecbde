import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { formatAccountNumber, makeAccountNumber, parseAccountNumber } from "../../../src/credit/account-number.ts";
import { nearAccountNumbers } from "../../../src/credit/near-account-numbers.ts";
import type { ReceiptId } from "../../../src/kernel/ids.ts";
import { makeHousehold } from "../../support/village.ts";
import { useDesk } from "./desk-world.ts";

const office = useDesk();
const { db, receive, match, unlink } = office;
const household = (options?: Parameters<typeof makeHousehold>[1]) => makeHousehold(office.program.current, options);

/** What the desk suggests: account numbers' contracts with the codes of the reasons. */
async function suggested(receiptId: ReceiptId) {
  const found = await office.desk().suggestions(db(), receiptId);
  return found.map(({ contractId, reasons }) => [contractId, reasons.map(({ code }) => code)] as const);
}

/** The number with one digit changed, two swapped, a letter in it, one left out. */
const slipsOf = (digits: string): readonly (readonly [string, string])[] => [
  ["two_digits_swapped", digits.replace(/(\d)(\d)$/, "$2$1")],
  ["one_digit_wrong", digits.replace(/\d$/, (last) => String((Number(last) + 1) % 10))],
  ["digit_missing", digits.slice(0, 2) + digits.slice(3)],
  ["digit_too_many", `${digits.slice(0, 3)}7${digits.slice(3)}`],
  ["other_words", `Acc ${digits} Asha`],
];

describe("account numbers near what was typed", () => {
  test("hold the right one for every slip of one finger, pass their check digit, and are few", () => {
    for (let serial = 1_000n; serial < 1_400n; serial++) {
      const number = makeAccountNumber(serial);
      for (const [slip, typed] of slipsOf(number)) {
        const near = nearAccountNumbers(typed);
        // What is typed may be a whole number by chance; then it is nobody's slip.
        if (parseAccountNumber(typed) !== undefined) continue;
        expect(
          near.map((one) => one.number),
          `${slip}: ${typed} for ${number}`,
        ).toContain(number);
        expect(near.length).toBeLessThan(60);
      }
    }
  });

  test("are none for an exact number, for words, and for what is too far away", () => {
    expect(nearAccountNumbers(formatAccountNumber(makeAccountNumber(1_234n)))).toEqual([]);
    for (const typed of ["", "school fees", "PG", "x".repeat(10_000), "12", "1234567890123", "'; drop table"])
      expect(nearAccountNumbers(typed)).toEqual([]);
  });

  test("read a letter for the digit that it looks like, when it is the only one", () => {
    const number = makeAccountNumber(1_085n);
    const typed = number.replace("8", "B");
    expect(nearAccountNumbers(`PG-${typed}`)).toContainEqual({ number, slip: "letter_for_digit" });
  });
});

describe("for money in suspense the desk suggests", () => {
  test("the contract whose number was mistyped, with the slip in words, and matches nothing by itself", async () => {
    const home = await household();
    const swapped = home.accountNumber.replace(/(\d)(\d)(\d)$/, "$1$3$2");
    const typed = swapped === home.accountNumber ? home.accountNumber.replace(/\d$/, "") : swapped;
    const receiptId = await receive({ account: typed, amount: "50" });
    const found = await office.desk().suggestions(db(), receiptId);
    expect(found[0]).toMatchObject({ contractId: home.contract.id, reasons: [{ code: "account_one_slip_away" }] });
    expect(found[0]?.reasons[0]?.words).toContain(home.accountNumber);
    expect(await home.tokens()).toEqual([]);
  });

  test("the contract of the customer whose phone paid, and puts the one above it that the phone always pays for", async () => {
    const [own, aunts] = [await household(), await household()];
    const msisdn = own.phone.slice(1);
    for (let day = 0; day < 3; day++) await receive({ account: aunts.accountNumber, amount: "70", msisdn });
    const receiptId = await receive({ account: "lamp", amount: "70", msisdn });
    expect(await suggested(receiptId)).toEqual([
      [aunts.contract.id, ["payer_paid_before", "amount_is_usual"]],
      [own.contract.id, ["payer_is_customer"]],
    ]);
    const other = await receive({ account: "lamp", amount: "71", msisdn });
    expect(await suggested(other)).toEqual([
      [own.contract.id, ["payer_is_customer"]],
      [aunts.contract.id, ["payer_paid_before"]],
    ]);
  });

  test("by the hash alone, where the rail hides the number", async () => {
    const home = await household();
    const hash = createHash("sha256").update(home.phone.slice(1)).digest("hex");
    const receiptId = await receive({ account: "lamp", amount: "50", msisdn: hash });
    expect(await suggested(receiptId)).toEqual([[home.contract.id, ["payer_is_customer"]]]);
  });

  test("little by a name alone, which many people have", async () => {
    const home = await household();
    const extra = { FirstName: "ZUBEDA" };
    await receive({ account: home.accountNumber, amount: "55", extra });
    const receiptId = await receive({ account: "lamp", amount: "55", extra });
    const [only] = await office.desk().suggestions(db(), receiptId);
    expect(only).toMatchObject({ contractId: home.contract.id, reasons: [{ code: "payer_paid_before" }] });
    expect(only?.score).toBeLessThan(30);
  });

  test("the contract for which a phone was asked to pay this amount about that time", async () => {
    const home = await household();
    const { app } = office.program.current;
    await db().transaction(async (tx) => {
      await tx.execute(sql`
        insert into payments.intents (id, rail, correlation, reference, phone, payer_hash, amount_minor, currency, requested_by, asked_through, state, created_at, expires_at)
        values (${app.makeId()}, 'mpesa', ${app.makeId()}, ${home.accountNumber}, ${home.phone}, '\\x00', 6600, 'KES', 'staff:1', 'api', 'expired',
          ${app.clock.now().toISOString()}, ${app.clock.now().toISOString()})`);
    });
    expect(await suggested(await receive({ account: "lamp", amount: "66" }))).toEqual([
      [home.contract.id, ["payment_was_requested"]],
    ]);
    office.program.current.clock.advance(3 * 86_400_000);
    expect(await suggested(await receive({ account: "lamp", amount: "66" }))).toEqual([]);
  });

  test("never a contract that the money was taken away from, has ended, or counts in another currency", async () => {
    const home = await household();
    const msisdn = home.phone.slice(1);
    const receiptId = await receive({ account: home.accountNumber, amount: "50", msisdn });
    await unlink(receiptId, home.contract.id);
    expect(await suggested(receiptId)).toEqual([]);
    const again = await receive({ account: "lamp", amount: "50", msisdn });
    // What was unlinked says nothing of who pays for whom.
    expect(await suggested(again)).toEqual([[home.contract.id, ["payer_is_customer"]]]);
    const { credit } = office.program.current.app;
    await db().transaction((tx) => credit.writeOff(tx, { contractId: home.contract.id, reason: "Lost", actor: "a" }));
    expect(await suggested(again)).toEqual([]);
    const foreign = await household({ terms: { currency: "UGX" } });
    expect(await suggested(await receive({ account: "x", amount: "50", msisdn: foreign.phone.slice(1) }))).toEqual([]);
  });

  test("nothing for an organisation's money, nor for what is explained already", async () => {
    const home = await household();
    const receiptId = await receive({ account: "lamp", amount: "50", msisdn: home.phone.slice(1) });
    await match(receiptId, [home.contract.id]);
    expect(await suggested(receiptId)).toEqual([]);
    const organisation = await receive({
      account: home.accountNumber.replace(/\d$/, ""),
      amount: "50",
      extra: { TransactionType: "Organization To Organization Transfer" },
    });
    expect(await suggested(organisation)).toEqual([]);
  });
});
