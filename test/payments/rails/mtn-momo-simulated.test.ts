import { describe, expect, test } from "vitest";
import { money } from "../../../src/kernel/money.ts";
import { mtnMomo } from "../../../src/payments/rails/mtn-momo/mtn-momo.ts";
import { isAble, type Channel } from "../../../src/payments/rails/rail.ts";
import { makeMtnMomoFace } from "../../../simulators/rail/mtn-momo.ts";
import { connect, deliveryOf, subjectOf, PAYER_TIME_MS } from "./mtn-momo.simulator.ts";

const CORRELATION = "90fab171-a8f9-4713-8283-1eacfbd3dcda";
const channel: Channel = { name: "mtn-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" };
const request = {
  correlation: CORRELATION,
  phone: "+256772123456",
  amount: money(5_000n, "UGX"),
  reference: "PG-10234",
};

describe("with the simulated MTN", () => {
  async function start() {
    const village = connect(mtnMomo, makeMtnMomoFace, channel);
    const { rail } = village;
    if (!isAble(rail.requestPayment) || !isAble(rail.enquire) || !isAble(rail.refund)) throw new Error("not able");
    return { ...village, requestPayment: rail.requestPayment, enquire: rail.enquire, refund: rail.refund };
  }

  test("a payment is asked for, waits, is paid, told once and found by enquiry", async () => {
    const { rail, requestPayment, enquire, decide, provider, news } = await start();
    expect(await requestPayment(request)).toMatchObject({ kind: "accepted" });
    expect(await enquire(subjectOf(request))).toMatchObject({
      kind: "report",
      report: { transactionStatus: "pending" },
    });
    decide();
    const [held] = provider.books.held();
    const facts = {
      transactionStatus: "completed",
      transactionReference: held?.id,
      amount: money(5_000n, "UGX"),
      reference: "PG-10234",
      correlation: CORRELATION,
      payer: { phone: "+256772123456" },
    };
    expect(news).toHaveLength(1);
    expect(news[0]?.retriesMax).toBe(0);
    expect(news.map((told) => rail.parse(deliveryOf(told)))).toMatchObject([{ ok: true, reports: [facts] }]);
    expect(await enquire(subjectOf(request))).toMatchObject({ kind: "report", report: facts });
  });

  test("an answer that was lost is found again by the same name, and one payment is made", async () => {
    const { requestPayment, enquire, meet, decide, provider } = await start();
    await enquire(subjectOf(request));
    meet({ kind: "no_answer" });
    expect(await requestPayment(request)).toMatchObject({ kind: "unknown" });
    expect(await requestPayment(request)).toMatchObject({ kind: "refused", isDuplicate: true });
    decide();
    expect(await enquire(subjectOf(request))).toMatchObject({ report: { transactionStatus: "completed" } });
    expect(provider.books.held()).toHaveLength(1);
  });

  test("a token that MTN refuses is replaced, and the payment is asked for once", async () => {
    const { requestPayment, meet, provider, asked } = await start();
    meet({ kind: "answer", reply: { status: 200, body: { access_token: "stale", expires_in: 3600 } } });
    expect(await requestPayment(request)).toMatchObject({ kind: "accepted" });
    expect(asked.map(({ url }) => url.split("/").at(-1))).toEqual(["", "requesttopay", "", "requesttopay"]);
    expect(provider.books.transactions).toHaveLength(1);
  });

  test("tokens are shared, and a token that ended is replaced within the request", async () => {
    const { requestPayment, enquire, asked, pass } = await start();
    await requestPayment(request);
    await Promise.all([enquire(subjectOf(request)), enquire(subjectOf(request))]);
    expect(asked.filter(({ url }) => url.endsWith("/token/"))).toHaveLength(1);
    await pass(3_700_000);
    await enquire(subjectOf(request));
    expect(asked.filter(({ url }) => url.endsWith("/token/"))).toHaveLength(2);
  });

  test("a payer who does nothing fails after five minutes, and MTN does not know what was never asked", async () => {
    const { requestPayment, enquire, pass, news, rail } = await start();
    await requestPayment(request);
    await pass(PAYER_TIME_MS + 1);
    expect(await enquire(subjectOf(request))).toMatchObject({
      report: { transactionStatus: "failed", statusReason: expect.stringContaining("COULD_NOT_PERFORM_TRANSACTION") },
    });
    expect(news.map((told) => rail.parse(deliveryOf(told)))).toMatchObject([
      { reports: [{ transactionStatus: "failed", transactionReference: undefined }] },
    ]);
    const never = subjectOf({ correlation: "00000000-0000-4000-8000-000000000000" });
    expect(await enquire(never)).toMatchObject({ kind: "not_found" });
  });

  test("money is given back by a transfer, which is found by its own name", async () => {
    const { requestPayment, refund, enquire, decide, pass, provider } = await start();
    await requestPayment(request);
    decide();
    const order = {
      correlation: "11111111-2222-4333-8444-555555555555",
      phone: "+256772123456",
      amount: money(700n, "UGX"),
      original: { transactionReference: provider.books.held()[0]?.id ?? "", amount: money(5_000n, "UGX") },
      reason: "Paid too much",
    };
    expect(await refund(order)).toMatchObject({ kind: "accepted" });
    expect(await refund(order)).toMatchObject({ kind: "refused", isDuplicate: true });
    await pass(60_000);
    const paidOut = provider.books.transactions.find(({ kind }) => kind === "disbursement");
    expect(await enquire(subjectOf({ kind: "disbursement", correlation: order.correlation }))).toMatchObject({
      report: {
        type: "disbursement",
        transactionStatus: "completed",
        transactionReference: paidOut?.id,
        amount: money(700n, "UGX"),
      },
    });
  });

  test("a forged success changes nothing about what an enquiry says", async () => {
    const { requestPayment, enquire, provider, rail } = await start();
    await requestPayment(request);
    const [prompt] = provider.books.transactions;
    if (prompt === undefined) throw new Error("no prompt");
    const lie = rail.parse(deliveryOf(provider.face.forge(prompt)));
    const invention = rail.parse(deliveryOf(provider.face.forge({ ...prompt, correlation: undefined })));
    expect(lie).toMatchObject({ ok: true, reports: [{ transactionStatus: "completed", correlation: CORRELATION }] });
    expect(invention).toMatchObject({ ok: true, reports: [{ transactionStatus: "completed" }] });
    expect(await enquire(subjectOf(request))).toMatchObject({ report: { transactionStatus: "pending" } });
    const invented = invention.ok ? invention.reports[0]?.correlation : undefined;
    expect(await enquire(subjectOf({ correlation: invented ?? "" }))).toMatchObject({ kind: "not_found" });
  });
});
