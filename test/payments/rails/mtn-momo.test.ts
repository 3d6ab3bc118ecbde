import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { money } from "../../../src/kernel/money.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { NoAnswer, NotSent, type OutboundRequest } from "../../../src/platform/outbound.ts";
import { mtnMomo } from "../../../src/payments/rails/mtn-momo/mtn-momo.ts";
import { InvalidSettings, isAble, type Channel } from "../../../src/payments/rails/rail.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { deliveryOf, doorUrl, makeScriptedHttp, subjectOf } from "./mtn-momo.simulator.ts";

const CORRELATION = "90fab171-a8f9-4713-8283-1eacfbd3dcda";
const channel: Channel = { name: "mtn-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" };
const keys = { subscriptionKey: "subscription", apiUser: "user", apiKey: "password" };
const settings = {
  baseUrl: "https://sandbox.momodeveloper.mtn.com/",
  targetEnvironment: "mtnuganda",
  collection: keys,
  disbursement: keys,
};
const request = {
  correlation: CORRELATION,
  phone: "+256772123456",
  amount: money(5_000n, "UGX"),
  reference: "PG-10234",
};

/** As documented: the callback and the status are one body. */
const successful = {
  financialTransactionId: "1927264368",
  externalId: "PG-10234",
  amount: "5000",
  currency: "UGX",
  payer: { partyIdType: "MSISDN", partyId: "256772123456" },
  payerMessage: "Solar payment",
  payeeNote: "PG-10234",
  status: "SUCCESSFUL",
};
const failed = {
  externalId: "PG-10234",
  amount: "5000",
  currency: "UGX",
  payer: { partyIdType: "MSISDN", partyId: "256772123456" },
  status: "FAILED",
  reason: { code: "COULD_NOT_PERFORM_TRANSACTION", message: "Transaction timed out" },
};
const { financialTransactionId: _id, ...open } = successful;
const pending = { ...open, status: "PENDING" };

function openWith(answer: (request: OutboundRequest) => FaceReply | Error) {
  const http = makeScriptedHttp((asked) =>
    asked.url.endsWith("/token/") ? { status: 200, body: { access_token: "t", expires_in: 3600 } } : answer(asked),
  );
  const clock = makeManualClock(new Date("2026-11-20T12:00:00Z"));
  const rail = mtnMomo.open(mtnMomo.parseSettings(settings), { channel, http, clock, callbackUrl: doorUrl });
  if (!isAble(rail.requestPayment) || !isAble(rail.enquire) || !isAble(rail.refund)) throw new Error("not able");
  return { rail, http, requestPayment: rail.requestPayment, enquire: rail.enquire, refund: rail.refund };
}

const { rail: quietRail } = openWith(() => ({ status: 500 }));
const parse = (body: unknown, parameter: string | undefined = CORRELATION) =>
  quietRail.parse({
    ...deliveryOf({ method: "PUT", url: doorUrl("callback"), headers: {}, body: "" }),
    raw: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
    parameter,
  });

describe("what MTN tells", () => {
  test("a success tells who paid how much for which account, and not when", () => {
    expect(parse(successful)).toEqual({
      ok: true,
      reports: [
        {
          type: "billpay",
          transactionStatus: "completed",
          transactionReference: "1927264368",
          correlation: CORRELATION,
          originalTransactionReference: undefined,
          amount: money(5_000n, "UGX"),
          creditParty: "mtnuganda",
          reference: "PG-10234",
          payer: {
            phone: "+256772123456",
            hash: createHash("sha256").update("256772123456").digest(),
            name: undefined,
          },
          at: undefined,
          statusReason: undefined,
        },
      ],
    });
  });

  test("a failure tells why, whether the reason is an object or a word", () => {
    const asObject = parse(failed);
    const asWord = parse({ ...failed, reason: "COULD_NOT_PERFORM_TRANSACTION" });
    expect(asObject).toMatchObject({ ok: true, reports: [{ transactionStatus: "failed" }] });
    expect(asObject).toMatchObject({
      reports: [{ statusReason: "COULD_NOT_PERFORM_TRANSACTION: Transaction timed out" }],
    });
    expect(asWord).toMatchObject({
      reports: [{ transactionStatus: "failed", statusReason: "COULD_NOT_PERFORM_TRANSACTION" }],
    });
  });

  test("a payment that waits is neither paid nor failed, whichever word MTN uses", () => {
    const waiting = [
      pending,
      { ...pending, status: "ONGOING" },
      { ...pending, status: "DELAYED" },
      { ...failed, reason: "ONGOING" },
      { ...failed, reason: { code: "DELAYED", message: "" } },
    ];
    for (const body of waiting) {
      expect(parse(body)).toMatchObject({
        ok: true,
        reports: [{ transactionStatus: "pending", transactionReference: undefined }],
      });
    }
  });

  test.each([
    ["another currency", { ...successful, currency: "EUR" }, "currency_unexpected"],
    ["no currency", { ...successful, currency: undefined }, "currency_unexpected"],
    ["no amount", { ...successful, amount: undefined, currency: undefined }, "amount_invalid"],
    ["an amount of nothing", { ...successful, amount: "0" }, "amount_invalid"],
    ["half a shilling", { ...successful, amount: "5000.5" }, "amount_invalid"],
    ["an absurd amount", { ...successful, amount: "999999999999" }, "amount_invalid"],
    ["a success without a name", pendingAs("SUCCESSFUL"), "malformed"],
    ["a name that lost its digits", { ...successful, financialTransactionId: 2 ** 60 }, "malformed"],
    ["a status nobody documents", { ...successful, status: "SUCCESS?" }, "status_unknown"],
    ["no status", { ...successful, status: undefined }, "wrong_type"],
    ["no JSON", "<html>", "malformed"],
    ["a list", [successful], "malformed"],
  ])("%s is kept and not used", (_what, body, reason) => {
    expect(parse(body)).toMatchObject({ ok: false, reason });
  });

  test("a request's name is the same in capital letters", () => {
    expect(parse(successful, CORRELATION.toUpperCase())).toMatchObject({ reports: [{ correlation: CORRELATION }] });
  });

  test("a callback to an address without a request's name is about nobody's payment", () => {
    for (const parameter of ["", "9c1e", `${CORRELATION}0`])
      expect(parse(successful, parameter)).toMatchObject({ ok: false, reason: "intent_unknown" });
    const delivery = deliveryOf({ method: "POST", url: doorUrl("callback"), headers: {}, body: "{}" });
    expect(quietRail.parse(delivery)).toMatchObject({ ok: false, reason: "intent_unknown" });
  });

  test("no bytes make the door fall over", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.dictionary(fc.constantFrom(...Object.keys(failed)), fc.jsonValue()).map((body) => JSON.stringify(body)),
        ),
        (body) => {
          const parsed = parse(body);
          expect(parsed.ok ? parsed.reports.length : parsed.detail.length).toBeGreaterThan(0);
        },
      ),
    );
  });

  test("nothing that comes is trusted, and everything that was kept is answered 200", async () => {
    const delivery = deliveryOf({ method: "PUT", url: doorUrl("callback", CORRELATION), headers: {}, body: "{}" });
    expect(await quietRail.verify(delivery, () => Promise.resolve(undefined))).toEqual({ trust: "unsigned" });
    expect(quietRail.callbackIs).toBe("hint");
    expect(quietRail.doors).toEqual([{ name: "callback", kind: "notice", methods: ["POST", "PUT"] }]);
    expect(quietRail.answer(delivery, { kind: "stored" })).toEqual({ status: 200 });
    expect(quietRail.answer(delivery, { kind: "busy" }).status).toBe(503);
    expect(quietRail.answer(delivery, { kind: "not_allowed", detail: "" }).status).toBe(403);
  });
});

function pendingAs(status: string) {
  return { ...pending, status };
}

describe("asking for a payment", () => {
  test("the request is the documented one, and its name is ours", async () => {
    const { http, requestPayment } = openWith(() => ({ status: 202 }));
    expect(await requestPayment(request)).toMatchObject({ kind: "accepted" });
    const [token, asked] = http.asked;
    expect(token).toMatchObject({
      url: "https://sandbox.momodeveloper.mtn.com/collection/token/",
      headers: { authorization: `Basic ${btoa("user:password")}`, "ocp-apim-subscription-key": "subscription" },
    });
    expect(asked).toMatchObject({
      method: "POST",
      url: "https://sandbox.momodeveloper.mtn.com/collection/v1_0/requesttopay",
      repeat: "safe",
      headers: {
        authorization: "Bearer t",
        "content-type": "application/json",
        "ocp-apim-subscription-key": "subscription",
        "x-reference-id": CORRELATION,
        "x-target-environment": "mtnuganda",
        "x-callback-url": doorUrl("callback", CORRELATION),
      },
    });
    expect(JSON.parse(String(asked?.body))).toEqual({
      amount: "5000",
      currency: "UGX",
      externalId: "PG-10234",
      payer: { partyIdType: "MSISDN", partyId: "256772123456" },
      payerMessage: "Payment PG-10234",
      payeeNote: "PG-10234",
    });
  });

  test.each<[string, FaceReply | Error, object]>([
    [
      "a name that is known was asked before",
      { status: 409, body: { code: "RESOURCE_ALREADY_EXIST" } },
      { kind: "refused", isDuplicate: true },
    ],
    [
      "a bad request is a no",
      { status: 400, body: { message: "Bad Request" } },
      { kind: "refused", isDuplicate: false },
    ],
    [
      "a documented no is a no even as 500",
      { status: 500, body: { code: "INVALID_CURRENCY" } },
      { kind: "refused", isDuplicate: false },
    ],
    ["any other 500 leaves it open", { status: 500, body: { code: "INTERNAL_PROCESSING_ERROR" } }, { kind: "unknown" }],
    ["so does a gateway's time-out", { status: 504, body: "<html>" }, { kind: "unknown" }],
    ["so does an answer that nobody documents", { status: 200 }, { kind: "unknown" }],
    ["too many requests can be asked later", { status: 429 }, { kind: "not_sent" }],
    ["keys that are refused twice were never used", { status: 401 }, { kind: "not_sent" }],
    ["what was not sent was not sent", new NotSent("circuit open"), { kind: "not_sent" }],
    ["what was not answered may have been acted upon", new NoAnswer("silence"), { kind: "unknown" }],
  ])("%s", async (_what, reply, outcome) => {
    const { requestPayment } = openWith(() => reply);
    expect(await requestPayment(request)).toMatchObject(outcome);
  });

  test("without a token nothing was asked", async () => {
    const http = makeScriptedHttp(() => new NoAnswer("slow login"));
    const clock = makeManualClock(new Date("2026-11-20T12:00:00Z"));
    const rail = mtnMomo.open(mtnMomo.parseSettings(settings), { channel, http, clock, callbackUrl: doorUrl });
    if (!isAble(rail.requestPayment)) throw new Error("not able");
    expect(await rail.requestPayment(request)).toMatchObject({ kind: "not_sent" });
    expect(http.asked).toHaveLength(1);
  });

  test("another currency, nothing and nobody are refused before anybody is asked", async () => {
    const { http, requestPayment, refund } = openWith(() => ({ status: 202 }));
    expect(await requestPayment({ ...request, amount: money(1n, "KES") })).toMatchObject({ kind: "refused" });
    expect(await requestPayment({ ...request, amount: money(0n, "UGX") })).toMatchObject({ kind: "refused" });
    const order = { correlation: CORRELATION, amount: money(5n, "UGX"), original: undefined, reason: "overpaid" };
    expect(await refund({ ...order, phone: undefined })).toMatchObject({ kind: "refused" });
    expect(http.asked).toHaveLength(0);
  });
});

describe("enquiring", () => {
  test.each<[string, FaceReply | Error, object]>([
    ["a payment that MTN does not know", { status: 404, body: { code: "RESOURCE_NOT_FOUND" } }, { kind: "not_found" }],
    ["a proxy's 404 says nothing", { status: 404, body: "<html>" }, { kind: "unreachable" }],
    ["a broken provider", { status: 500 }, { kind: "unreachable" }],
    ["silence", new NoAnswer("silence"), { kind: "unreachable" }],
    [
      "another currency decides nothing",
      { status: 200, body: { ...successful, currency: "EUR" } },
      { kind: "unreachable" },
    ],
    ["a waiting payment", { status: 200, body: pending }, { kind: "report", report: { transactionStatus: "pending" } }],
    ["a failed one", { status: 200, body: failed }, { kind: "report", report: { transactionStatus: "failed" } }],
    [
      "a paid one",
      { status: 200, body: successful },
      { kind: "report", report: { transactionStatus: "completed", transactionReference: "1927264368" } },
    ],
  ])("%s", async (_what, reply, outcome) => {
    const { enquire, http } = openWith(() => reply);
    expect(await enquire(subjectOf({ correlation: CORRELATION }))).toMatchObject(outcome);
    expect(http.asked.at(-1)).toMatchObject({
      method: "GET",
      url: `https://sandbox.momodeveloper.mtn.com/collection/v1_0/requesttopay/${CORRELATION}`,
    });
  });
});

describe("settings", () => {
  test("the wallet is named after the environment unless it has a name", () => {
    expect(mtnMomo.parseSettings(settings).creditParty).toBe("mtnuganda");
    expect(mtnMomo.parseSettings({ ...settings, creditParty: "solar-1" }).creditParty).toBe("solar-1");
  });

  test("what is missing, wrong or unknown is said line by line", () => {
    const given = {
      baseUrl: "ftp://mtn",
      targetEnvironment: "mtnuganda",
      collection: { ...keys, apiKey: "" },
      more: 1,
    };
    const problems = refusedSettings(given);
    expect(problems).toHaveLength(3);
    expect(problems.join("\n")).toMatch(/baseUrl: .*\ncollection\.apiKey: .*\nsettings: .*more/);
    expect(refusedSettings(undefined)).toHaveLength(1);
  });

  test("without disbursement keys the rail says what is missing for refunds", () => {
    const { disbursement: _unused, ...collectionOnly } = settings;
    const http = makeScriptedHttp(() => ({ status: 500 }));
    const clock = makeManualClock(new Date(0));
    const rail = mtnMomo.open(mtnMomo.parseSettings(collectionOnly), { channel, http, clock, callbackUrl: doorUrl });
    expect(rail.refund).toMatchObject({ cannot: expect.stringContaining("disbursement") });
    expect(rail.list).toMatchObject({ cannot: expect.any(String) });
  });

  function refusedSettings(given: unknown): readonly string[] {
    try {
      mtnMomo.parseSettings(given);
      return [];
    } catch (error) {
      if (error instanceof InvalidSettings) return error.problems;
      throw error;
    }
  }
});
