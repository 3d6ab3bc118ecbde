import { describe, expect, test } from "vitest";
import { useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b, type C2bOptions } from "../support/village.ts";
import { keptBy } from "./kept.ts";

const program = useApp();
const kept = keptBy(() => program.current);
const ask = (options: C2bOptions) => postC2b(program.current, c2bBody(program.current, options), "validation");
const rejected = (code: string) => ({ status: 200, answer: { ResultCode: code, ResultDesc: "Rejected" } });
const ACCEPTED = { status: 200, answer: { ResultCode: "0", ResultDesc: "Accepted" } };

describe("before the money moves, M-Pesa is answered with its own codes", () => {
  test("an account that may be paid is accepted, with the text zero that is documented", async () => {
    const home = await makeHousehold(program.current);
    expect(await ask({ account: home.accountNumber, amount: "50" })).toEqual(ACCEPTED);
    expect(
      await ask({ account: ` ${home.accountNumber.toLowerCase().replaceAll("0", "o")} `, amount: "50.00" }),
    ).toEqual(ACCEPTED);
  });

  test("an unknown account, a typing slip and an account left out are C2B00012", async () => {
    const home = await makeHousehold(program.current);
    const slip = home.accountNumber.slice(0, -1) + ((Number(home.accountNumber.at(-1)) + 1) % 10);
    for (const account of ["99999999", slip, "", "Sample Transaction"])
      expect(await ask({ account, amount: "50" })).toEqual(rejected("C2B00012"));
    expect(await ask({ account: home.accountNumber, amount: "50", extra: { BillRefNumber: ["a"] } })).toEqual(
      rejected("C2B00012"),
    );
  });

  test("an amount below the plan's minimum, of zero, below zero, too fine or unreadable is C2B00013", async () => {
    const home = await makeHousehold(program.current, { terms: { minimumPaymentMinor: 2_000n } });
    expect(await ask({ account: home.accountNumber, amount: "20.00" })).toEqual(ACCEPTED);
    for (const amount of ["19.99", "0", "-50", "50.005", "5e3", "fifty"])
      expect(await ask({ account: home.accountNumber, amount })).toEqual(rejected("C2B00013"));
    expect(await ask({ account: home.accountNumber, amount: "50", extra: { TransAmount: null } })).toEqual(
      rejected("C2B00013"),
    );
    expect(await ask({ account: home.accountNumber, amount: "50", extra: { Currency: "USD" } })).toEqual(
      rejected("C2B00013"),
    );
  });

  test("the last sum of a price may be below the minimum", async () => {
    const home = await makeHousehold(program.current, { terms: { minimumPaymentMinor: 2_000n, totalMinor: 6_000n } });
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    expect(await ask({ account: home.accountNumber, amount: "10" })).toEqual(ACCEPTED);
    expect(await ask({ account: home.accountNumber, amount: "9.99" })).toEqual(rejected("C2B00013"));
  });

  test("a payer that cannot be read is C2B00011, a till of somebody else C2B00015", async () => {
    const home = await makeHousehold(program.current);
    expect(await ask({ account: home.accountNumber, amount: "50", extra: { MSISDN: {} } })).toEqual(
      rejected("C2B00011"),
    );
    expect(await ask({ account: home.accountNumber, amount: "50", shortcode: "174379" })).toEqual(rejected("C2B00015"));
  });

  test("a contract that has ended, and a date of the future, are C2B00016", async () => {
    const home = await makeHousehold(program.current, { terms: { totalMinor: 5_000n } });
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    expect(await ask({ account: home.accountNumber, amount: "50" })).toEqual(rejected("C2B00016"));
    const other = await makeHousehold(program.current);
    expect(await ask({ account: other.accountNumber, amount: "50", transTime: "20300101120000" })).toEqual(
      rejected("C2B00016"),
    );
  });

  test("what is no request at all is a 400 that a developer will notice", async () => {
    for (const body of ["", "{", "[]", "null", '{"TransID":""}'])
      expect(await postC2b(program.current, body, "validation")).toMatchObject({
        status: 400,
        answer: { ResultDesc: "Rejected" },
      });
  });

  test("asking keeps nothing and moves nothing: no callback, no receipt, no quarantine", async () => {
    const before = [await kept.callbacks(), await kept.receipts(), (await kept.quarantine()).length];
    const home = await makeHousehold(program.current);
    await ask({ account: home.accountNumber, amount: "50" });
    await ask({ account: "99999999", amount: "0" });
    await postC2b(program.current, "{", "validation");
    expect([await kept.callbacks(), await kept.receipts(), (await kept.quarantine()).length]).toEqual(before);
    expect(await program.current.settle()).toBe(0);
  });
});
