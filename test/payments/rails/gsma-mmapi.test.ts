import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import {
  able,
  cameIn,
  CORRELATION,
  makeRail,
  nobody,
  PAYOUT,
  railAnswered,
  request,
  SAMPLE,
  subject,
} from "./gsma-mmapi-rail.ts";

async function paid() {
  const { world, rail } = makeRail();
  const outcome = await able(rail.requestPayment)(request);
  if (outcome.kind !== "accepted") throw new Error("The request was not accepted.");
  world.clock.advance(60_000);
  const [delivery] = world.end(world.transactions[0]);
  const payment = world.transactions[0];
  if (delivery === undefined || payment === undefined) throw new Error("Nothing was delivered.");
  return { world, rail, delivery, payment, providerCorrelation: outcome.providerCorrelation };
}

describe("from the request to the money", () => {
  test("a customer is asked, pays, and callback and enquiry tell the same", async () => {
    const { world, rail } = makeRail();
    const outcome = await able(rail.requestPayment)(request);
    expect(outcome).toMatchObject({ kind: "accepted", providerCorrelation: expect.any(String) });
    const providerCorrelation = outcome.kind === "accepted" ? outcome.providerCorrelation : undefined;
    const asked = { ...subject, providerCorrelation };
    expect(await able(rail.enquire)(asked)).toMatchObject({ report: { transactionStatus: "pending" } });
    world.clock.advance(60_000);
    const [delivery] = world.end(world.transactions[0]);
    if (delivery === undefined) throw new Error("Nothing was delivered.");
    expect([delivery.method, delivery.door, delivery.parameter]).toEqual(["PUT", "callback", CORRELATION]);
    expect(rail.callbackIs).toBe("evidence");
    expect(await rail.verify(delivery, nobody)).toEqual({ trust: "secret" });
    const report = {
      type: "merchantpay",
      transactionStatus: "completed",
      transactionReference: world.transactions[0]?.id,
      correlation: CORRELATION,
      amount: { minor: 200n, currency: "RWF" },
      creditParty: "2999",
      reference: "PG-10234",
      payer: { phone: "+250788123456", hash: createHash("sha256").update("250788123456").digest() },
      at: new Date("2026-11-20T10:11:00Z"),
    };
    expect(rail.parse(delivery)).toMatchObject({ ok: true, reports: [report] });
    expect(rail.answer(delivery, { kind: "stored" })).toEqual({ status: 204 });
    expect(await able(rail.enquire)(asked)).toMatchObject({ kind: "report", report });
    const known = { ...subject, kind: "transaction", transactionReference: world.transactions[0]?.id } as const;
    expect(await able(rail.enquire)(known)).toMatchObject({
      kind: "report",
      report: { ...report, correlation: undefined },
    });
  });

  test("a lost answer is recovered by our own name of the request, and the customer is asked once", async () => {
    const { world, rail } = makeRail();
    world.loseNextAnswer();
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "unknown" });
    expect(await able(rail.enquire)(subject)).toMatchObject({ report: { transactionStatus: "pending" } });
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "refused", isDuplicate: true });
    world.end(world.transactions[0]);
    expect(await able(rail.enquire)(subject)).toMatchObject({ report: { transactionStatus: "completed" } });
    expect(world.transactions).toHaveLength(1);
  });

  test("a request that never arrived is not found", async () => {
    const { rail } = makeRail();
    expect(await able(rail.enquire)(subject)).toMatchObject({ kind: "not_found" });
  });

  test("a payer without money is heard of, by callback and by enquiry, with the reason", async () => {
    const { world, rail } = makeRail();
    const outcome = await able(rail.requestPayment)(request);
    const [delivery] = world.end(world.transactions[0], { status: "failed", failure: "insufficient_funds" });
    const report = {
      type: "merchantpay",
      transactionStatus: "failed",
      correlation: CORRELATION,
      statusReason: "insufficientFunds: It did not go through.",
    };
    expect(delivery && rail.parse(delivery)).toMatchObject({ ok: true, reports: [report] });
    const providerCorrelation = outcome.kind === "accepted" ? outcome.providerCorrelation : undefined;
    expect(await able(rail.enquire)({ ...subject, providerCorrelation })).toMatchObject({ kind: "report", report });
  });

  test("money goes back to the payer's number, once", async () => {
    const { world, rail, payment } = await paid();
    const original = { transactionReference: payment.id, amount: request.amount };
    const order = { correlation: PAYOUT, phone: request.phone, amount: request.amount, original, reason: "twice" };
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "accepted" });
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "refused", isDuplicate: true });
    const [delivery] = world.end(world.transactions[1]);
    expect(delivery?.door).toBe("payout");
    const report = {
      type: "disbursement",
      transactionStatus: "completed",
      correlation: PAYOUT,
      amount: request.amount,
    };
    expect(delivery && rail.parse(delivery)).toMatchObject({ ok: true, reports: [report] });
    const lost = { ...subject, kind: "disbursement", correlation: PAYOUT } as const;
    expect(await able(rail.enquire)(lost)).toMatchObject({ kind: "report", report });
  });

  test("a payout that fails says so as a payout", async () => {
    const { world, rail } = await paid();
    const order = {
      correlation: PAYOUT,
      phone: request.phone,
      amount: request.amount,
      original: undefined,
      reason: "",
    };
    await able(rail.refund)(order);
    const [delivery] = world.end(world.transactions[1], { status: "failed", failure: "limit" });
    expect(delivery && rail.parse(delivery)).toMatchObject({
      reports: [{ type: "disbursement", transactionStatus: "failed", correlation: PAYOUT }],
    });
  });

  test("where the payer's number is hidden the payment is reversed, and the reversal says of what", async () => {
    const { world, rail, payment } = await paid();
    const original = { transactionReference: payment.id, amount: request.amount };
    const order = { correlation: PAYOUT, phone: undefined, amount: request.amount, original, reason: "twice" };
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "accepted" });
    const [delivery] = world.end(world.transactions[1]);
    const report = { type: "reversal", originalTransactionReference: payment.id, correlation: PAYOUT };
    expect(delivery && rail.parse(delivery)).toMatchObject({ ok: true, reports: [report] });
    const lost = { ...subject, kind: "disbursement", correlation: PAYOUT } as const;
    expect(await able(rail.enquire)(lost)).toMatchObject({ kind: "report", report });
    expect(await able(rail.refund)({ ...order, original: undefined })).toMatchObject({ kind: "refused" });
  });

  test("a reversal that we did not ask for is not taken for the payment's own end", () => {
    const { rail } = makeRail();
    const body = { ...SAMPLE, type: "reversal", originalTransactionReference: "REF-1" };
    expect(rail.parse(cameIn(body, { parameter: CORRELATION }))).toMatchObject({
      reports: [{ type: "reversal", correlation: undefined, originalTransactionReference: "REF-1" }],
    });
  });
});

describe("the provider's list", () => {
  test("every completed transaction is told once, page by page", async () => {
    const { world, rail } = makeRail();
    for (let number = 0; number < 120; number += 1) {
      const correlation = `b5dd3b7d-6b7e-4a6f-9d1e-${String(number).padStart(12, "0")}`;
      await able(rail.requestPayment)({ ...request, correlation });
      if (number !== 7) world.end(world.transactions[number]);
    }
    const list = able(rail.list);
    const window = { from: new Date("2026-11-20T00:00:00Z"), to: new Date("2026-11-21T00:00:00Z") };
    const seen: (string | undefined)[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await list.page({ ...window, cursor });
      expect(page.unreadable).toEqual([]);
      seen.push(...page.items.map(({ report }) => report.transactionReference));
      cursor = page.next;
      pages += 1;
    } while (cursor !== undefined);
    expect([pages, seen.length, new Set(seen).size]).toEqual([3, 119, 119]);
    const later = { from: window.to, to: new Date("2026-11-22T00:00:00Z"), cursor: undefined };
    expect(await list.page(later)).toEqual({ items: [], unreadable: [], next: undefined });
  });

  test("an entry that cannot be read is handed on, and the others are told", async () => {
    const odd = { ...SAMPLE, transactionReference: "REF-2", amount: "1e3" };
    const { rail, sent } = railAnswered({}, () => ({ status: 200, body: [SAMPLE, odd] }));
    const window = { from: new Date("2026-11-20T00:00:00Z"), to: new Date("2026-11-21T00:00:00Z"), cursor: "50" };
    const page = await able(rail.list).page(window);
    expect(page.items.map(({ report }) => report.transactionReference)).toEqual(["REF-1637907197912"]);
    expect(page.unreadable).toMatchObject([{ detail: expect.stringContaining("amount_invalid") }]);
    const url = new URL(sent[0]?.url ?? "");
    expect(url.pathname).toBe("/v1.2/mm/accounts/accountid/2999/transactions");
    expect(url.searchParams.get("offset")).toBe("50");
  });

  test.each<[FaceReply]>([[{ status: 503, body: "" }], [{ status: 200, body: { nothing: true } }]])(
    "%j is no list: the sweep goes on later",
    async (reply) => {
      const { rail } = railAnswered({}, () => reply);
      const window = { from: new Date(0), to: new Date(1), cursor: undefined };
      await expect(able(rail.list).page(window)).rejects.toThrow("could not be read");
    },
  );
});

describe("who sent a callback", () => {
  const invalid = { trust: "refused", reason: "signature_invalid" };

  test("a forgery without the key, or with a guessed one, is refused", async () => {
    const { world, rail, payment } = await paid();
    for (let time = 0; time < 10; time += 1)
      expect(await rail.verify(world.arrive(world.face.forge(payment)), nobody)).toMatchObject(invalid);
  });

  test("a body that was changed on the way is refused", async () => {
    const { rail, delivery } = await paid();
    const raw = Buffer.from(Buffer.from(delivery.raw).toString().replace("200.00", "900.00"));
    expect(await rail.verify({ ...delivery, raw }, nobody)).toMatchObject(invalid);
  });

  test("without an agreed key a callback is a hint, and a wrong hash still refuses it", async () => {
    const { rail } = railAnswered({}, () => ({ status: 200 }));
    const hash = createHash("sha256").update(JSON.stringify(SAMPLE)).digest("hex");
    const verdict = (value: string) => rail.verify(cameIn(SAMPLE, { headers: { "x-content-hash": value } }), nobody);
    expect(rail.callbackIs).toBe("hint");
    expect(await rail.verify(cameIn(SAMPLE), nobody)).toEqual({ trust: "unsigned" });
    expect(await verdict(hash.toUpperCase())).toEqual({ trust: "unsigned" });
    expect(await verdict(hash.replace(/^./, "x"))).toMatchObject(invalid);
  });
});
