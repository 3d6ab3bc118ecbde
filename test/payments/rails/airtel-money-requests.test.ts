import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { money } from "../../../src/kernel/money.ts";
import { makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { NoAnswer, NotSent } from "../../../src/platform/outbound.ts";
import { airtelMoney } from "../../../src/payments/rails/airtel-money/airtel-money.ts";
import { InvalidSettings } from "../../../src/payments/rails/rail.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { channel, CORRELATION, openWith, request, settings, TRANSACTION_ID } from "./airtel-money.account.ts";
import { doorUrl, makeScriptedHttp, subjectOf } from "./mtn-momo.simulator.ts";

const answerOf = (
  transaction: object | undefined,
  status: object = { code: "200", result_code: "ESB000010", success: true },
) => ({
  status: 200,
  body: { ...(transaction === undefined ? {} : { data: { transaction } }), status },
});

describe("asking for a payment", () => {
  test("the request is the documented one, with a national number and an exact amount", async () => {
    const { http, requestPayment } = openWith(() => answerOf({ id: TRANSACTION_ID, status: "SUCCESS" }));
    expect(await requestPayment(request)).toMatchObject({ kind: "accepted" });
    const [token, asked] = http.asked;
    expect(token?.url).toBe("https://openapiuat.airtel.africa/auth/oauth2/token");
    expect(JSON.parse(String(token?.body))).toEqual({
      client_id: "client",
      client_secret: "secret",
      grant_type: "client_credentials",
    });
    expect(asked).toMatchObject({
      method: "POST",
      url: "https://openapiuat.airtel.africa/merchant/v1/payments/",
      headers: { authorization: "Bearer t", "x-country": "UG", "x-currency": "UGX" },
      repeat: "once",
    });
    expect(JSON.parse(String(asked?.body))).toEqual({
      reference: "PG10234",
      subscriber: { country: "UG", currency: "UGX", msisdn: "752123456" },
      transaction: { amount: 1000, country: "UG", currency: "UGX", id: TRANSACTION_ID },
    });
  });

  test("an amount is written to its last cent or not at all", async () => {
    const { http, requestPayment } = openWith(() => answerOf({}), { ...channel, country: "MW", currency: "MWK" });
    const ask = async (minor: bigint) =>
      requestPayment({ ...request, phone: "+265888123456", amount: money(minor, "MWK") });
    await fc.assert(
      fc.asyncProperty(fc.bigInt(1n, 100_000_000_000n), async (minor) => {
        expect(await ask(minor)).toMatchObject({ kind: "accepted" });
        const [, whole = "", cents = ""] = /"amount":(\d+)\.?(\d*),/.exec(String(http.asked.at(-1)?.body)) ?? [];
        expect(BigInt(whole + cents.padEnd(2, "0"))).toBe(minor);
      }),
    );
    expect(JSON.parse(String(http.asked.at(-1)?.body))).toMatchObject({ subscriber: { msisdn: "888123456" } });
    const before = http.asked.length;
    for (const minor of [0n, -1n, 100_000_000_001n, 2n ** 60n])
      expect(await ask(minor)).toMatchObject({ kind: "refused", isDuplicate: false });
    expect(http.asked).toHaveLength(before);
  });

  test("a number of another country is not asked, for here it would be somebody else's", async () => {
    const { http, requestPayment, refund } = openWith(() => answerOf({}));
    expect(await requestPayment({ ...request, phone: "+254712345678" })).toMatchObject({ kind: "refused" });
    const order = { correlation: CORRELATION, amount: money(5n, "UGX"), original: undefined, reason: "overpaid" };
    expect(await refund({ ...order, phone: undefined })).toMatchObject({ kind: "refused" });
    expect(http.asked).toHaveLength(0);
  });

  const said = (codes: object, status = 200) => ({ ...answerOf(undefined, codes), status });
  const accepted = { kind: "accepted" };
  const refused = { kind: "refused", isDuplicate: false };
  const duplicate = { kind: "refused", isDuplicate: true };
  const unknown = { kind: "unknown" };
  test.each<[string, FaceReply | Error, object]>([
    ["in progress", said({ result_code: "ESB000010", response_code: "DP00800001006", success: true }), accepted],
    [
      "in progress with success: false",
      said({ result_code: "ESB000010", response_code: "DP00800001006", success: false }),
      accepted,
    ],
    [
      "a success is for the enquiry to see",
      said({ result_code: "ESB000010", response_code: "DP00800001001" }),
      accepted,
    ],
    ["not enough balance", said({ result_code: "ESB000010", response_code: "DP00800001007" }), refused],
    ["an invalid number", said({ code: "400", result_code: "ESB000033", success: false }), refused],
    ["a gateway's error", { status: 400, body: { status_code: "ROUTER003", status_message: "Missing" } }, refused],
    ["a name that is known", said({ result_code: "ESB000041", success: false }), duplicate],
    [
      "a name that is known, among failures",
      said({ result_code: "ESB000041", response_code: "DP00800001005" }),
      duplicate,
    ],
    ["an ambiguous state", said({ result_code: "ESB000010", response_code: "DP00800001000" }), unknown],
    ["a field validation, which may be ambiguous", said({ result_code: "ESB000008" }), unknown],
    ["a code nobody documents", said({ result_code: "ESB000010", response_code: "DP00800009999" }), unknown],
    ["layers that contradict each other", said({ result_code: "ESB000033", response_code: "DP00800001006" }), unknown],
    ["HTTP 504", { status: 504, body: "<html>" }, unknown],
    ["in progress, but as 500", said({ result_code: "ESB000010", response_code: "DP00800001006" }, 500), unknown],
    ["no JSON", { status: 200, body: "OK" }, unknown],
    ["no codes", { status: 200, body: {} }, unknown],
    ["an error without codes", { status: 400, body: "<html>" }, unknown],
    ["too many requests", { status: 429 }, { kind: "not_sent" }],
    ["keys that are refused twice", { status: 401 }, { kind: "not_sent" }],
    ["a refused connection", new NotSent("refused"), { kind: "not_sent" }],
    ["silence", new NoAnswer("silence"), unknown],
  ])("%s", async (_what, reply, outcome) => {
    const { requestPayment } = openWith(() => reply);
    expect(await requestPayment(request)).toMatchObject(outcome);
  });
});

describe("enquiring", () => {
  const paid = { airtel_money_id: "MP210603.1234.L06941", id: TRANSACTION_ID, message: "success", status: "TS" };
  const report = (facts: object) => ({ kind: "report", report: facts });
  test.each<[string, FaceReply | Error, object]>([
    [
      "paid",
      answerOf(paid),
      report({
        type: "billpay",
        transactionStatus: "completed",
        transactionReference: "MP210603.1234.L06941",
        amount: undefined,
        reference: "PG-10234",
        correlation: CORRELATION,
      }),
    ],
    ["in progress", answerOf({ ...paid, status: "TIP" }), report({ transactionStatus: "pending" })],
    ["ambiguous", answerOf({ ...paid, status: "TA" }), report({ transactionStatus: "pending" })],
    ["failed", answerOf({ ...paid, status: "TF" }), report({ transactionStatus: "failed" })],
    ["expired", answerOf({ ...paid, status: "TE" }), report({ transactionStatus: "failed" })],
    [
      "gone back",
      answerOf({ ...paid, status: "TR" }),
      report({
        type: "reversal",
        transactionReference: "TR-MP210603.1234.L06941",
        originalTransactionReference: "MP210603.1234.L06941",
      }),
    ],
    [
      "no status but the product's no",
      answerOf(undefined, { result_code: "ESB000010", response_code: "DP00800001007" }),
      report({ transactionStatus: "failed" }),
    ],
    [
      "no status but the product's wait",
      answerOf(undefined, { result_code: "ESB000010", response_code: "DP00800001006" }),
      report({ transactionStatus: "pending" }),
    ],
    [
      "a success in codes alone",
      answerOf(undefined, { result_code: "ESB000010", response_code: "DP00800001001" }),
      { kind: "unreachable" },
    ],
    [
      "a wrong question is no failed payment",
      { status: 400, body: { status_code: "ROUTER007" } },
      { kind: "unreachable" },
    ],
    ["a success without a name", answerOf({ id: TRANSACTION_ID, status: "TS" }), { kind: "unreachable" }],
    ["another transaction", answerOf({ ...paid, id: "another" }), { kind: "unreachable" }],
    ["letters nobody documents", answerOf({ ...paid, status: "TX" }), { kind: "unreachable" }],
    ["unknown to Airtel", answerOf(undefined, { result_code: "ESB000045", success: false }), { kind: "not_found" }],
    ["unknown to the product", answerOf(undefined, { response_code: "DP00800001025" }), { kind: "not_found" }],
    ["HTTP 504, whatever it says", { ...answerOf(paid), status: 504 }, { kind: "unreachable" }],
    [
      "a broken gateway that does not know it",
      { ...answerOf(undefined, { result_code: "ESB000045" }), status: 503 },
      { kind: "unreachable" },
    ],
    ["a proxy's 404", { status: 404, body: "<html>" }, { kind: "unreachable" }],
    ["silence", new NoAnswer("silence"), { kind: "unreachable" }],
  ])("%s", async (_what, reply, outcome) => {
    const { enquire, http } = openWith(() => reply);
    expect(await enquire(subjectOf({ correlation: CORRELATION }))).toMatchObject(outcome);
    expect(http.asked.at(-1)).toMatchObject({
      method: "GET",
      url: `https://openapiuat.airtel.africa/standard/v1/payments/${TRANSACTION_ID}`,
    });
  });

  test("nobody enquires before three minutes have passed", () => {
    expect(openWith(() => ({ status: 500 })).rail.enquirySchedule.firstAfterMs).toBe(3 * MINUTE_MS);
  });
});

describe("settings", () => {
  test("what is missing, wrong or unknown is said line by line", () => {
    const { callbackKey: _missing, ...given } = { ...settings, baseUrl: "airtel", more: 1 };
    let problems: readonly string[] = [];
    try {
      airtelMoney.parseSettings(given);
    } catch (error) {
      if (error instanceof InvalidSettings) problems = error.problems;
    }
    expect(problems.join("\n")).toMatch(/baseUrl: .*\ncallbackKey: .*\nsettings: .*more/);
  });

  test("without a PIN the rail says what is missing for refunds", () => {
    const { disbursementPin: _pin, ...withoutPin } = settings;
    const http = makeScriptedHttp(() => ({ status: 500 }));
    const tools = { channel, http, clock: makeManualClock(new Date(0)), callbackUrl: doorUrl };
    const rail = airtelMoney.open(airtelMoney.parseSettings(withoutPin), tools);
    expect(rail.refund).toMatchObject({ cannot: expect.stringContaining("disbursementPin") });
  });
});
