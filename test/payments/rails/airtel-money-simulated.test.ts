import { describe, expect, test } from "vitest";
import { money } from "../../../src/kernel/money.ts";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import { airtelMoney } from "../../../src/payments/rails/airtel-money/airtel-money.ts";
import { isAble } from "../../../src/payments/rails/rail.ts";
import { makeAirtelMoneyFace } from "../../../simulators/rail/airtel-money.ts";
import { channel, CORRELATION, request } from "./airtel-money.account.ts";
import { connect, deliveryOf, subjectOf } from "./mtn-momo.simulator.ts";

describe("with the simulated Airtel", () => {
  async function start() {
    const village = connect(airtelMoney, makeAirtelMoneyFace, channel);
    const { rail } = village;
    if (!isAble(rail.requestPayment) || !isAble(rail.enquire) || !isAble(rail.refund)) throw new Error("not able");
    return { ...village, requestPayment: rail.requestPayment, enquire: rail.enquire, refund: rail.refund };
  }
  const unsaid = () => Promise.resolve(undefined);

  test("a payment is asked for, waits, is paid, told in signed words and found by enquiry", async () => {
    const { rail, requestPayment, enquire, decide, provider, news } = await start();
    expect(await requestPayment(request)).toMatchObject({ kind: "accepted" });
    expect(await enquire(subjectOf(request))).toMatchObject({ report: { transactionStatus: "pending" } });
    decide();
    const [held] = provider.books.held();
    expect(held?.id).toMatch(/^MP261120\.1234\.L\d{5}$/);
    expect(held?.phone).toBe("256752123456");
    const facts = { transactionStatus: "completed", transactionReference: held?.id, correlation: CORRELATION };
    const last = news.at(-1);
    if (last === undefined) throw new Error("no news");
    expect(await rail.verify(deliveryOf(last), unsaid)).toEqual({ trust: "signed" });
    expect(rail.parse(deliveryOf(last))).toMatchObject({ ok: true, reports: [facts] });
    expect(await enquire(subjectOf(request))).toMatchObject({ kind: "report", report: facts });
  });

  test("all its callbacks are signed, and those before the last say that nothing is over", async () => {
    const { rail, requestPayment, decide, provider, news } = await start();
    let early = 0;
    for (let turn = 0; turn < 40; turn += 1) {
      const correlation = `90fab171-a8f9-4713-8283-${String(turn).padStart(12, "0")}`;
      await requestPayment({ ...request, correlation });
      decide();
    }
    for (const told of news) {
      expect(await rail.verify(deliveryOf(told), unsaid)).toEqual({ trust: "signed" });
      const parsed = rail.parse(deliveryOf(told));
      if (parsed.ok && parsed.reports[0]?.transactionStatus === "pending") early += 1;
    }
    expect(news).toHaveLength(40 + early);
    expect(early).toBeGreaterThan(0);
    expect(new Set(provider.books.held().map(({ id }) => id)).size).toBe(40);
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

  test("a token that Airtel refuses is replaced, and the payment is asked for once", async () => {
    const { requestPayment, meet, provider, asked } = await start();
    meet({ kind: "answer", reply: { status: 200, body: { access_token: "stale", expires_in: "180" } } });
    expect(await requestPayment(request)).toMatchObject({ kind: "accepted" });
    expect(asked.filter(({ url }) => url.endsWith("/oauth2/token"))).toHaveLength(2);
    expect(provider.books.transactions).toHaveLength(1);
  });

  test("a payer who declines fails, and Airtel does not know what was never asked", async () => {
    const { requestPayment, enquire, decide } = await start();
    await requestPayment(request);
    decide("cancelled");
    expect(await enquire(subjectOf(request))).toMatchObject({ report: { transactionStatus: "failed" } });
    const never = subjectOf({ correlation: "00000000-0000-4000-8000-000000000000" });
    expect(await enquire(never)).toMatchObject({ kind: "not_found" });
  });

  test("tokens end after three minutes and are renewed before", async () => {
    const { requestPayment, enquire, asked, pass } = await start();
    await requestPayment(request);
    for (let minute = 0; minute < 6; minute += 1) {
      await pass(MINUTE_MS);
      expect(await enquire(subjectOf(request))).toMatchObject({ kind: "report" });
    }
    expect(asked.filter(({ url }) => url.endsWith("/token")).length).toBeGreaterThan(1);
  });

  test("a payment that goes back is told and enquired as its reversal", async () => {
    const { rail, requestPayment, enquire, decide, provider, news } = await start();
    await requestPayment(request);
    decide();
    const id = provider.books.held()[0]?.id ?? "";
    provider.reverse(id);
    const reversal = {
      type: "reversal",
      transactionReference: `TR-${id}`,
      originalTransactionReference: id,
      correlation: CORRELATION,
    };
    const last = news.at(-1);
    if (last === undefined) throw new Error("no news");
    expect(rail.parse(deliveryOf(last))).toMatchObject({ ok: true, reports: [reversal] });
    expect(await enquire(subjectOf(request))).toMatchObject({ kind: "report", report: reversal });
  });

  test("money is given back by a disbursement, which is found by its own name", async () => {
    const { requestPayment, refund, enquire, decide, pass, provider } = await start();
    await requestPayment(request);
    decide();
    const order = {
      correlation: "11111111-2222-4333-8444-555555555555",
      phone: "+256752123456",
      amount: money(700n, "UGX"),
      original: { transactionReference: provider.books.held()[0]?.id ?? "", amount: money(1_000n, "UGX") },
      reason: "Paid too much",
    };
    expect(await refund(order)).toMatchObject({ kind: "accepted" });
    expect(await refund(order)).toMatchObject({ kind: "refused", isDuplicate: true });
    const subject = subjectOf({ kind: "disbursement", correlation: order.correlation });
    expect(await enquire(subject)).toMatchObject({ report: { transactionStatus: "pending" } });
    await pass(MINUTE_MS);
    const paidOut = provider.books.transactions.find(({ kind }) => kind === "disbursement");
    expect(await enquire(subject)).toMatchObject({
      report: { type: "disbursement", transactionStatus: "completed", transactionReference: paidOut?.id },
    });
  });

  test("a forged success is refused, and the enquiry does not know of it", async () => {
    const { requestPayment, enquire, provider, rail } = await start();
    await requestPayment(request);
    const [prompt] = provider.books.transactions;
    if (prompt === undefined) throw new Error("no prompt");
    for (const lie of [prompt, { ...prompt, correlation: undefined }]) {
      const forged = deliveryOf(provider.face.forge(lie));
      expect(await rail.verify(forged, unsaid)).toMatchObject({ trust: "refused", reason: "signature_invalid" });
      expect(rail.parse(forged)).toMatchObject({ ok: true, reports: [{ transactionStatus: "completed" }] });
    }
    expect(await enquire(subjectOf(request))).toMatchObject({ report: { transactionStatus: "pending" } });
  });
});
