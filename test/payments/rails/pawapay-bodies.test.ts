import { describe, expect, test } from "vitest";
import { pawapay } from "../../../src/payments/rails/pawapay/pawapay.ts";
import { InvalidSettings } from "../../../src/payments/rails/rail.ts";
import { NoAnswer, NotSent } from "../../../src/platform/outbound.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { able, bodyOf, cameIn, CORRELATION, railAnswered, request, SAMPLE, subject } from "./pawapay-rail.ts";

describe("what a callback says", () => {
  const { rail } = railAnswered({}, () => ({ status: 200 }));

  test("the documented deposit callback is read exactly", () => {
    expect(rail.parse(cameIn(SAMPLE))).toMatchObject({
      ok: true,
      reports: [
        {
          type: "merchantpay",
          transactionStatus: "completed",
          transactionReference: "F4401BD2-1568-4140-BF2D-EB77D2B2B639",
          correlation: CORRELATION,
          amount: { minor: 5_000n, currency: "UGX" },
          reference: "",
          payer: { phone: "+256772123456" },
          at: new Date("2026-11-20T10:11:00Z"),
        },
      ],
    });
  });

  test("a callback of version 2 is read as well", () => {
    const { requestedAmount, depositedAmount, correspondent, ...rest } = SAMPLE;
    const payer = { type: "MMO", accountDetails: { phoneNumber: "256772123456", provider: correspondent } };
    const body = { ...rest, amount: depositedAmount, payer, metadata: { account: "PG-10234" } };
    expect(requestedAmount).toBe("5000");
    expect(rail.parse(cameIn(body))).toMatchObject({
      ok: true,
      reports: [{ amount: { minor: 5_000n }, payer: { phone: "+256772123456" }, reference: "PG-10234" }],
    });
  });

  test("what the payer paid counts, not what was asked", () => {
    expect(rail.parse(cameIn({ ...SAMPLE, depositedAmount: "4000" }))).toMatchObject({
      reports: [{ amount: { minor: 4_000n } }],
    });
  });

  test.each(["ACCEPTED", "SUBMITTED", "ENQUEUED", "PROCESSING", "IN_RECONCILIATION"])("%s is not over", (status) => {
    expect(rail.parse(cameIn({ ...SAMPLE, status }))).toMatchObject({
      ok: true,
      reports: [{ transactionStatus: "pending", statusReason: status }],
    });
  });

  test.each<[string, unknown, string]>([
    ["no JSON", "depositId=1", "malformed"],
    ["a list", [SAMPLE], "malformed"],
    ["no id", { status: "COMPLETED" }, "malformed"],
    ["an id of another form", { ...SAMPLE, depositId: "1" }, "malformed"],
    ["an id that is no text", { ...SAMPLE, depositId: {} }, "wrong_type"],
    ["another status", { ...SAMPLE, status: "DONE" }, "status_unknown"],
    ["a status that every object has", { ...SAMPLE, status: "constructor" }, "status_unknown"],
    ["no status", { ...SAMPLE, status: undefined }, "wrong_type"],
    ["another currency", { ...SAMPLE, currency: "KES" }, "currency_unexpected"],
    ["no currency", { ...SAMPLE, currency: undefined }, "currency_unexpected"],
    ["nothing deposited", { ...SAMPLE, depositedAmount: undefined }, "wrong_type"],
    ["zero", { ...SAMPLE, depositedAmount: "0" }, "amount_invalid"],
    ["half a shilling", { ...SAMPLE, depositedAmount: "5000.5" }, "amount_invalid"],
    ["less than nothing", { ...SAMPLE, depositedAmount: "-5000" }, "amount_invalid"],
    ["a power of ten", { ...SAMPLE, depositedAmount: "5e3" }, "amount_invalid"],
    ["more than any rail carries", { ...SAMPLE, depositedAmount: "100000000001" }, "amount_invalid"],
    ["an amount in a list", { ...SAMPLE, depositedAmount: ["5000"] }, "wrong_type"],
    ["a time without offset", { ...SAMPLE, respondedByPayer: "2026-11-20T10:11:00" }, "time_invalid"],
    ["tomorrow", { ...SAMPLE, respondedByPayer: "2026-11-21T10:11:00Z" }, "time_invalid"],
    ["a character that is no text", { ...SAMPLE, status: "COMPLETED\u0000" }, "wrong_type"],
  ])("%s is kept for a person, and booked nowhere", (_promise, body, reason) => {
    expect(rail.parse(cameIn(body))).toMatchObject({ ok: false, reason });
  });
});

describe("what pawaPay answers to a request", () => {
  test.each<[FaceReply | Error, string]>([
    [{ status: 200, body: { depositId: CORRELATION, status: "ACCEPTED" } }, "accepted"],
    [{ status: 200, body: { depositId: CORRELATION, status: "DUPLICATE_IGNORED" } }, "accepted"],
    [{ status: 200, body: { status: "REJECTED", rejectionReason: { rejectionCode: "PAYMENTS_OFF" } } }, "refused"],
    [{ status: 400, body: { errorCode: 2, errorMessage: "Invalid" } }, "refused"],
    [{ status: 401, body: "" }, "refused"],
    [{ status: 429, body: "" }, "not_sent"],
    [{ status: 500, body: { status: "REJECTED" } }, "unknown"],
    [{ status: 503, body: "busy" }, "unknown"],
    [{ status: 302, body: "" }, "unknown"],
    [{ status: 200, body: "<html>" }, "unknown"],
    [{ status: 200, body: { status: "SOMETHING" } }, "unknown"],
    [new NotSent("refused"), "not_sent"],
    [new NoAnswer("reset"), "unknown"],
  ])("%j means %s", async (reply, kind) => {
    const { rail } = railAnswered({}, () => reply);
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind });
  });

  test.each<[FaceReply | Error, string]>([
    [{ status: 200, body: [] }, "not_found"],
    [{ status: 404, body: "" }, "not_found"],
    [{ status: 200, body: { status: "NOT_FOUND" } }, "not_found"],
    [
      { status: 200, body: { status: "FOUND", data: { ...SAMPLE, depositedAmount: undefined, amount: "5000" } } },
      "report",
    ],
    [{ status: 200, body: [SAMPLE] }, "report"],
    [{ status: 200, body: [{ ...SAMPLE, depositId: "00000000-0000-4000-8000-000000000000" }] }, "unreachable"],
    [{ status: 200, body: [{ ...SAMPLE, status: "DONE" }] }, "unreachable"],
    [{ status: 200, body: "" }, "unreachable"],
    [{ status: 500, body: [] }, "unreachable"],
    [new NoAnswer("reset"), "unreachable"],
  ])("to an enquiry %j means %s", async (reply, kind) => {
    const { rail } = railAnswered({}, () => reply);
    expect(await able(rail.enquire)(subject)).toMatchObject({ kind });
  });

  test("the request is written as version 1 and version 2 want it", async () => {
    const accepted = { status: 200, body: { status: "ACCEPTED" } };
    const first = railAnswered({}, () => accepted);
    await able(first.rail.requestPayment)(request);
    expect(first.sent[0]).toMatchObject({
      method: "POST",
      url: "https://api.sandbox.pawapay.io/deposits",
      repeat: "safe",
      headers: { authorization: "Bearer token-of-ours" },
    });
    expect(bodyOf(first.sent[0])).toEqual({
      depositId: CORRELATION,
      amount: "5000",
      currency: "UGX",
      correspondent: "MTN_MOMO_UGA",
      payer: { type: "MSISDN", address: { value: "256772123456" } },
      statementDescription: "PG 10234",
      customerTimestamp: "2026-11-20T10:10:00.000Z",
      metadata: [{ fieldName: "account", fieldValue: "PG-10234" }],
    });
    const second = railAnswered({ version: "v2" }, () => accepted);
    await able(second.rail.requestPayment)(request);
    expect(second.sent[0]?.url).toBe("https://api.sandbox.pawapay.io/v2/deposits");
    expect(bodyOf(second.sent[0])).toEqual({
      depositId: CORRELATION,
      amount: "5000",
      currency: "UGX",
      payer: { type: "MMO", accountDetails: { phoneNumber: "256772123456", provider: "MTN_MOMO_UGA" } },
      customerMessage: "PG 10234",
      metadata: [{ account: "PG-10234" }],
    });
  });

  test("the beginning of the number chooses the operator, and a number of no operator is not asked", async () => {
    const correspondents = [
      { correspondent: "MTN_MOMO_UGA", prefixes: ["25677", "25678"] },
      { correspondent: "AIRTEL_OAPI_UGA", prefixes: ["25670", "2567"] },
    ];
    const { rail, sent } = railAnswered({ correspondent: undefined, correspondents }, () => ({
      status: 200,
      body: { status: "ACCEPTED" },
    }));
    for (const phone of ["+256772123456", "+256701123456", "+256791123456"])
      await able(rail.requestPayment)({ ...request, phone });
    expect(sent.map((one) => (bodyOf(one) as { correspondent: string }).correspondent)).toEqual([
      "MTN_MOMO_UGA",
      "AIRTEL_OAPI_UGA",
      "AIRTEL_OAPI_UGA",
    ]);
    expect(await able(rail.requestPayment)({ ...request, phone: "+254722000000" })).toMatchObject({ kind: "refused" });
    expect(sent).toHaveLength(3);
  });
});

test("wrong settings are refused, each with a line", () => {
  const good = { apiToken: "token-of-ours", correspondent: "MTN_MOMO_UGA" };
  expect(pawapay.parseSettings(good)).toMatchObject({ version: "v1", requireSignature: false });
  const wrong = [
    {},
    { ...good, apiToken: "short" },
    { ...good, baseUrl: "ftp://pawapay.io" },
    { ...good, colour: "red" },
    { ...good, correspondents: [{ correspondent: "MTN_MOMO_UGA" }] },
    { apiToken: "token-of-ours" },
    { ...good, requireSignature: true },
    { ...good, publicKeys: { key: "no key" } },
  ];
  for (const settings of wrong) expect(() => pawapay.parseSettings(settings)).toThrow(InvalidSettings);
});
