import { describe, expect, test } from "vitest";
import { TEST_DARAJA_SECRET, useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b } from "../support/village.ts";
import { DOCUMENTED_BODIES } from "../payments/rails/daraja/c2b-bodies.ts";
import { asKept, keptBy } from "./kept.ts";

const program = useApp();
const kept = keptBy(() => program.current);
const STORED = { status: 200, answer: { ResultCode: 0, ResultDesc: "Success" } };

/** Posts bytes as they are; `path` is below the door's own. */
async function post(
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${program.current.url}/rails/daraja/${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  return { status: response.status, text: await response.text() };
}

describe("money that has moved is stored and answered with success", () => {
  test.each(
    Object.entries(DOCUMENTED_BODIES).map(([name, body], at) => [name, { ...body, TransID: `FORM${at}0000` }] as const),
  )("%s", async (_name, body) => {
    expect(await postC2b(program.current, body)).toEqual(STORED);
    expect(await kept.callback(body.TransID)).toEqual(Buffer.from(JSON.stringify(body)));
    await program.current.settle();
  });

  test("the bytes are kept as they came, spaces and unknown fields included", async () => {
    const body = `\n{ "Extra" : {"a":[1,2]},${JSON.stringify({ ...c2bBody(program.current, { account: "x", amount: "5", transId: "RAWBYTES01" }) }).slice(1)}  \t`;
    expect(await postC2b(program.current, body)).toEqual(STORED);
    expect((await kept.callback("RAWBYTES01"))?.toString()).toBe(body);
    await program.current.settle();
  });

  test("case 8: an account typed in the people's way is credited", async () => {
    const home = await makeHousehold(program.current);
    const typed = ` ${home.accountNumber.toLowerCase().replaceAll("0", "O").replaceAll("1", "I")} `;
    await pay(program.current, { account: typed, amount: "50" });
    expect(await home.tokens()).toHaveLength(1);
  });

  test("case 8: an account with a slip is never credited by likeness; the money waits in suspense", async () => {
    const home = await makeHousehold(program.current);
    const slip = home.accountNumber.slice(0, -1) + ((Number(home.accountNumber.at(-1)) + 1) % 10);
    await pay(program.current, { account: slip, amount: "50", transId: "SLIP000001" });
    expect(await home.tokens()).toEqual([]);
    expect(await kept.suspense()).toContainEqual({ provider_id: "SLIP000001", reason: "account_unknown" });
  });

  test("case 9: an unknown account is held in suspense, and the payer is told when the phone is known", async () => {
    await pay(program.current, { account: "PG-4711", amount: "50", msisdn: "254722000111", transId: "UNKNOWN001" });
    expect(await kept.suspense()).toContainEqual({ provider_id: "UNKNOWN001", reason: "account_unknown" });
    expect(await kept.messages("+254722000111")).toMatchObject([
      { template: "account_unknown", values: { reference: "PG-4711" } },
    ]);
    await pay(program.current, { account: "PG-4711", amount: "50", transId: "UNKNOWN002" });
    expect(await kept.suspense()).toContainEqual({ provider_id: "UNKNOWN002", reason: "account_unknown" });
  });

  test("cases 10 and 11: the account as typed is credited, whoever the payer's phone belongs to", async () => {
    const payer = await makeHousehold(program.current);
    const other = await makeHousehold(program.current);
    await pay(program.current, { account: other.accountNumber, amount: "50", msisdn: payer.phone.slice(1) });
    expect(await other.tokens()).toHaveLength(1);
    expect(await payer.tokens()).toEqual([]);
    expect(await other.messages()).toMatchObject([{ template: "token_received" }]);
  });

  test("case 12: a till payment goes to the payer's only contract, by the clear number or by its hash", async () => {
    const { createHash } = await import("node:crypto");
    const home = await makeHousehold(program.current);
    const digits = home.phone.slice(1);
    await pay(program.current, { account: "", amount: "50", msisdn: digits });
    await pay(program.current, {
      account: "  ",
      amount: "50",
      msisdn: createHash("sha256").update(digits).digest("hex"),
    });
    expect(await home.tokens()).toHaveLength(2);
  });

  test("case 12: with two contracts, a shared phone or a masked payer nobody is guessed: suspense", async () => {
    const home = await makeHousehold(program.current);
    await makeHousehold(program.current, { phone: home.phone });
    await pay(program.current, { account: "", amount: "50", msisdn: home.phone.slice(1), transId: "TILL000001" });
    await pay(program.current, { account: "", amount: "50", transId: "TILL000002" });
    const items = await kept.suspense();
    expect(items).toContainEqual({ provider_id: "TILL000001", reason: "account_missing" });
    expect(items).toContainEqual({ provider_id: "TILL000002", reason: "account_missing" });
    expect(await home.tokens()).toEqual([]);
  });

  test("case 14: money after the last of the price is refundable, and the customer is told", async () => {
    const home = await makeHousehold(program.current, { terms: { totalMinor: 5_000n } });
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    program.current.clock.advance(1_000);
    await pay(program.current, { account: home.accountNumber, amount: "70" });
    expect(await home.refreshed()).toMatchObject({ state: "paid_off", refundableMinor: 7_000n });
    expect((await home.messages()).map(({ template }) => template)).toEqual(["unlocked", "payment_refundable"]);
    expect(await home.tokens()).toHaveLength(1);
  });

  test("case 16: a payment buys at the price in force when it was made, not when it arrived", async () => {
    const { app, clock } = program.current;
    const home = await makeHousehold(program.current);
    const paidBefore = c2bBody(program.current, { account: home.accountNumber, amount: "100" });
    clock.advance(60_000);
    const changedAt = clock.now();
    await app.database.db.transaction(async (tx) => {
      const current = (await app.credit.plans.versions(tx, [home.contract.planVersionId])).get(
        home.contract.planVersionId,
      );
      if (current === undefined) throw new Error("The plan is gone.");
      const dearer = await app.credit.plans.change(tx, {
        code: current.code,
        terms: { ...current, price: { numerator: 10_000n, denominator: 1n } },
        effectiveAt: changedAt,
      });
      await app.credit.changeTerms(tx, {
        contractId: home.contract.id,
        planVersionId: dearer.id,
        effectiveAt: changedAt,
        actor: "test",
      });
    });
    clock.advance(60_000);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    expect(await postC2b(program.current, paidBefore)).toEqual(STORED);
    await program.current.settle();
    const rows = await app.credit.allocations(app.database.db, home.contract.id);
    expect(rows.map(({ units, spentMinor }) => [units, spentMinor])).toEqual([
      [2, 10_000n],
      [1, 10_000n],
    ]);
    for (const token of await home.tokens()) expect(home.lamp.enter(token).kind).toBe("VALID");
    expect(home.lamp.face().daysLeft).toBe(3);
  });
});

describe("what cannot be booked is refused loudly and kept for a person", () => {
  test("the same id with another amount is a 409 and stands in quarantine; the first stays as it was", async () => {
    const home = await makeHousehold(program.current);
    const body = c2bBody(program.current, { account: home.accountNumber, amount: "50", transId: "CONFLICT01" });
    const forged = { ...body, TransAmount: "5000" };
    expect(await postC2b(program.current, body)).toEqual(STORED);
    expect(await postC2b(program.current, forged)).toMatchObject({ status: 409, answer: { ResultCode: "C2B00016" } });
    expect((await kept.quarantine()).at(-1)).toMatchObject({
      reason: "conflict",
      door: "confirmation",
      provider_id: "CONFLICT01",
      raw: asKept(JSON.stringify(forged)),
    });
    await program.current.settle();
    expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
    expect(await postC2b(program.current, forged)).toMatchObject({ status: 409 });
    expect(await postC2b(program.current, { ...body, MSISDN: "254722000999" })).toEqual(STORED);
    expect(await program.current.settle()).toBe(0);
  });

  test("both at once: exactly one is stored, the other is a conflict", async () => {
    const bodies = ["10", "20", "30", "40"].map((amount) =>
      c2bBody(program.current, { account: "PG-1", amount, transId: "CONFLICT02" }),
    );
    const answers = await Promise.all(bodies.map((body) => postC2b(program.current, body)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409]);
    await program.current.settle();
  });

  test("a malformed body is a 400, and its bytes stand in quarantine exactly as they came", async () => {
    const bytes = new Uint8Array([0x7b, 0x00, 0xff, 0xfe, 0x22, 0x5c, 0x27, 0x0a]);
    expect(await post(`${TEST_DARAJA_SECRET}/confirmation`, bytes)).toMatchObject({ status: 400 });
    expect((await kept.quarantine()).at(-1)).toMatchObject({
      reason: "malformed",
      provider_id: null,
      source_address: "127.0.0.1",
      raw: asKept(bytes),
    });
  });

  test.each(["\u0000", "\u0000{}", "{\u0000}", '{"a":\u0001}', "\ud83d\ude00", ""])(
    "a body of %j is kept too",
    async (body) => {
      expect(await post(`${TEST_DARAJA_SECRET}/confirmation`, body)).toMatchObject({ status: 400 });
      expect((await kept.quarantine()).at(-1)).toMatchObject({ reason: "malformed", raw: asKept(body) });
    },
  );

  test.each([
    ["an amount of 0", { TransAmount: "0" }, "amount_invalid", "C2B00013"],
    ["a negative amount", { TransAmount: "-50" }, "amount_invalid", "C2B00013"],
    ["three decimals", { TransAmount: "50.005" }, "amount_invalid", "C2B00013"],
    ["another currency", { Currency: "USD" }, "currency_unexpected", "C2B00013"],
    ["a till of somebody else", { BusinessShortCode: "174379" }, "shortcode_unknown", "C2B00015"],
    ["a date of the future", { TransTime: "20300101120000" }, "time_invalid", "C2B00016"],
    ["an account with a NUL", { BillRefNumber: "PG\u0000" }, "wrong_type", "C2B00012"],
    ["an amount in a list", { TransAmount: ["50"] }, "wrong_type", "C2B00013"],
  ])("%s is a 400 with its code, kept under its reason", async (_name, extra, reason, code) => {
    const body = c2bBody(program.current, { account: "PG-1", amount: "50", transId: "REFUSED001", extra });
    const before = await kept.callbacks();
    expect(await postC2b(program.current, body)).toMatchObject({ status: 400, answer: { ResultCode: code } });
    expect((await kept.quarantine()).at(-1)).toMatchObject({
      reason,
      provider_id: "REFUSED001",
      raw: asKept(JSON.stringify(body)),
    });
    expect(await kept.callbacks()).toBe(before);
  });

  test("a huge body is a 413, declared or not, and the door stays open", async () => {
    const huge = JSON.stringify(c2bBody(program.current, { account: "x".repeat(20_000), amount: "5" }));
    expect(await postC2b(program.current, huge)).toMatchObject({ status: 413, answer: { ResultCode: "C2B00016" } });
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.from(huge));
        controller.close();
      },
    });
    const chunked = await fetch(`${program.current.url}/rails/daraja/${TEST_DARAJA_SECRET}/confirmation`, {
      method: "POST",
      body: stream,
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(413);
    await chunked.text();
    expect(await postC2b(program.current, c2bBody(program.current, { account: "PG-1", amount: "5" }))).toEqual(STORED);
    await program.current.settle();
  });

  test("a compressed body is refused, not inflated", async () => {
    const { gzipSync } = await import("node:zlib");
    const answer = await post(`${TEST_DARAJA_SECRET}/confirmation`, Uint8Array.from(gzipSync("{}")), {
      "content-encoding": "gzip",
    });
    expect(answer.status).toBe(400);
  });

  test("a wrong secret, another path and another method are unknown, and nothing is kept", async () => {
    const before = [await kept.callbacks(), (await kept.quarantine()).length];
    const body = JSON.stringify(c2bBody(program.current, { account: "PG-1", amount: "5" }));
    for (const path of [
      "wrong/confirmation",
      `${TEST_DARAJA_SECRET}x/confirmation`,
      "confirmation",
      `${TEST_DARAJA_SECRET}/reversal`,
      `${TEST_DARAJA_SECRET}/`,
      `${TEST_DARAJA_SECRET}/confirmation/more`,
      "%00/confirmation",
    ]) {
      expect([path, (await post(path, body)).status]).toEqual([path, 404]);
    }
    const read = await fetch(`${program.current.url}/rails/daraja/${TEST_DARAJA_SECRET}/confirmation`);
    expect(read.status).toBe(404);
    await read.text();
    expect([await kept.callbacks(), (await kept.quarantine()).length]).toEqual(before);
  });

  test("a wrong secret is answered as any unknown page is, and the answer does not repeat it", async () => {
    const wrong = await post("0123456789abcdefXXXX/confirmation", "{}");
    const unknown = await post("nothing/here", "{}");
    const shape = (text: string) => Object.keys((JSON.parse(text) as { error: object }).error);
    expect(shape(wrong.text)).toEqual(shape(unknown.text));
    expect(wrong.text).not.toContain("0123456789");
  });
});

test("every outcome at the door is counted", async () => {
  const response = await fetch(`${program.current.url}/metrics`);
  const text = await response.text();
  for (const outcome of ["stored", "repeated", "conflict", "malformed", "amount_invalid"]) {
    expect(text).toMatch(
      new RegExp(`washa_callbacks_total\\{rail="mpesa",door="confirmation",outcome="${outcome}"\\} [1-9]`),
    );
  }
});
