import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { C2B_SAMPLES } from "./c2b-samples.ts";
import {
  B2C_RESULT,
  REVERSAL_FAILED,
  REVERSAL_RESULT,
  STATUS_RESULT,
  STK_CANCELLED,
  STK_NONNUMERIC,
  STK_SUCCESS,
  STK_TIMEOUT,
  STK_WITHOUT_BALANCE,
} from "./samples.ts";
import { CORRELATION, deliveryTo, openDaraja, reasonOf, reportOf } from "./open-daraja.ts";

const { rail } = openDaraja();
const stk = (body: unknown, parameter: string | undefined = CORRELATION) =>
  rail.parse(deliveryTo("stk", body, parameter));
const result = (body: unknown, parameter?: string) => rail.parse(deliveryTo("result", body, parameter));
const minor = (amount: bigint) => ({ minor: amount, currency: "KES" });

describe("every documented C2B sample parses to its outcome", () => {
  test.each(C2B_SAMPLES)("$name", ({ door, body, expected }) => {
    expect(reportOf(rail.parse(deliveryTo(door, body)))).toMatchObject({ transactionStatus: "completed", ...expected });
  });
});

describe("the callback of a prompt", () => {
  test("tells the receipt, the amount, the payer and when, and joins by the address it came to", () => {
    expect(reportOf(stk(STK_SUCCESS))).toEqual({
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: "NLJ7RT61SV",
      correlation: CORRELATION,
      originalTransactionReference: undefined,
      amount: minor(100n),
      creditParty: "174379",
      reference: "",
      payer: { phone: "+254708374149", hash: expect.any(Uint8Array) as Uint8Array, name: undefined },
      at: new Date("2019-12-19T07:21:15Z"),
      statusReason: undefined,
    });
  });

  test("joins by CheckoutRequestID where the address says nothing", () => {
    const parsed = rail.parse(deliveryTo("stk", STK_SUCCESS));
    expect(reportOf(parsed).correlation).toBe("ws_CO_191220191020363925");
  });

  test("an item without a value does not stop the payment", () => {
    expect(reportOf(stk(STK_WITHOUT_BALANCE))).toMatchObject({
      transactionStatus: "completed",
      transactionReference: "OEB44R5U3U",
      amount: minor(100n),
      at: new Date("2020-05-11T17:14:19Z"),
    });
  });

  test.each([
    ["1032: the payer said no", STK_CANCELLED, "1032 Request cancelled by user"],
    ["1037: the phone was off", STK_TIMEOUT, "1037 DS timeout user cannot be reached"],
  ])("%s is a failure with the provider's words", (_name, body, statusReason) => {
    expect(reportOf(stk(body))).toMatchObject({
      transactionStatus: "failed",
      transactionReference: undefined,
      amount: undefined,
      statusReason,
    });
  });

  test.each([1, 17, 26, 1001, 1019, 2001, "1032", 9999])("%s is a failure", (ResultCode) => {
    expect(reportOf(stk(stkWith({ ResultCode }))).transactionStatus).toBe("failed");
  });

  test.each(["SFC_IC0003", "", null, undefined, " 0", "00", "0.0", "-0", false, [], {}, "1e3", "0x0"])(
    "code %j is never success: it is kept for a person (case 19)",
    (ResultCode) => {
      expect(reasonOf(stk(stkWith({ ResultCode })))).toBe("status_unknown");
    },
  );

  test("sample 15 is kept, and M-Pesa hears that it is", () => {
    const delivery = deliveryTo("stk", STK_NONNUMERIC, CORRELATION);
    const parsed = rail.parse(delivery);
    expect(parsed).toMatchObject({ ok: false, reason: "status_unknown" });
    if (parsed.ok) throw new Error("SFC_IC0003 was accepted.");
    const { reason, field, detail } = parsed;
    expect(rail.answer(delivery, { kind: "unusable", reason, field, detail })).toEqual({
      status: 200,
      body: { ResultCode: 0, ResultDesc: "Success" },
    });
  });

  test("a payer who still types is waited for", () => {
    expect(reportOf(stk(stkWith({ ResultCode: 4999 }))).transactionStatus).toBe("pending");
  });

  test.each([
    ["no receipt", "MpesaReceiptNumber", "malformed"],
    ["no amount", "Amount", "malformed"],
  ])("success with %s is malformed", (_name, missing, reason) => {
    const Item = STK_SUCCESS.Body.stkCallback.CallbackMetadata.Item.filter(({ Name }) => Name !== missing);
    expect(reasonOf(stk(stkWith({ CallbackMetadata: { Item } })))).toBe(reason);
  });

  test("success without any metadata is malformed", () => {
    expect(reasonOf(stk(stkWith({ CallbackMetadata: undefined })))).toBe("malformed");
  });

  test("a payment without its time is still a payment", () => {
    const Item = STK_SUCCESS.Body.stkCallback.CallbackMetadata.Item.filter(({ Name }) => !/Date|Phone/.test(Name));
    expect(reportOf(stk(stkWith({ CallbackMetadata: { Item } })))).toMatchObject({
      transactionStatus: "completed",
      at: undefined,
      payer: { phone: undefined },
    });
  });

  test.each([
    ["a negative amount", "Amount", -1, "amount_invalid"],
    ["half a cent", "Amount", 1.005, "amount_invalid"],
    ["a receipt that is a path", "MpesaReceiptNumber", "../x", "malformed"],
    ["a time of the next day", "TransactionDate", 20261121130000, "time_invalid"],
  ])("%s is refused", (_name, Name, Value, reason) => {
    const Item = STK_SUCCESS.Body.stkCallback.CallbackMetadata.Item.map((item) =>
      item.Name === Name ? { Name, Value } : item,
    );
    expect(reasonOf(stk(stkWith({ CallbackMetadata: { Item } })))).toBe(reason);
  });

  function stkWith(changes: Record<string, unknown>): unknown {
    return { Body: { stkCallback: { ...STK_SUCCESS.Body.stkCallback, ...changes } } };
  }
});

describe("the result of a request", () => {
  test("a reversal names the payment that went back, by its own new receipt", () => {
    expect(reportOf(result(REVERSAL_RESULT, `reversal-${CORRELATION}`))).toMatchObject({
      type: "reversal",
      transactionStatus: "completed",
      transactionReference: "SKE52PAWR9",
      originalTransactionReference: "SKC82PACB8",
      correlation: CORRELATION,
      amount: minor(100n),
      creditParty: "600992",
      payer: { phone: "+254705912645", name: "NICHOLAS JOHN SONGOK" },
      at: new Date("2021-11-14T10:27:11Z"),
    });
  });

  test("a reversal that failed says why, and takes nobody's money", () => {
    const expected = {
      type: "reversal",
      transactionStatus: "failed",
      transactionReference: undefined,
      amount: undefined,
      statusReason: "R000002 The OriginalTransactionID is invalid.",
    };
    expect(reportOf(result(REVERSAL_FAILED, `reversal-${CORRELATION}`))).toMatchObject({
      ...expected,
      correlation: CORRELATION,
    });
    expect(reportOf(result(REVERSAL_FAILED))).toMatchObject({
      ...expected,
      correlation: "3124-481d-b706-10bdd6fbc8e21792398",
    });
  });

  test("what was reversed before is looked at, not paid again", () => {
    const body = { Result: { ...REVERSAL_FAILED.Result, ResultCode: "R000001", ResultDesc: "Already reversed." } };
    expect(reportOf(result(body, `reversal-${CORRELATION}`)).transactionStatus).toBe("pending");
  });

  test("a pay-out tells its receipt and its dotted date", () => {
    expect(reportOf(result(B2C_RESULT, `b2c-${CORRELATION}`))).toMatchObject({
      type: "disbursement",
      transactionStatus: "completed",
      transactionReference: "SG632NMUAB",
      correlation: CORRELATION,
      amount: minor(1_000n),
      creditParty: "600997",
      payer: { phone: "+254705912645", name: "NICHOLAS JOHN SONGOK" },
      at: new Date("2024-07-06T19:48:52Z"),
    });
    expect(reportOf(result(B2C_RESULT)).correlation).toBe("53e3-4aa8-9fe0-8fb5e4092cdd3533373");
  });

  test("a pay-out that failed says why; one that was asked for twice is looked at", () => {
    const failed = {
      Result: { ResultCode: 1, ResultDesc: "The balance is insufficient.", TransactionID: "SG60000000" },
    };
    expect(reportOf(result(failed, `b2c-${CORRELATION}`))).toMatchObject({
      type: "disbursement",
      transactionStatus: "failed",
      transactionReference: undefined,
      correlation: CORRELATION,
      statusReason: "1 The balance is insufficient.",
    });
    const twice = { Result: { ...failed.Result, ResultCode: "15" } };
    expect(reportOf(result(twice, `b2c-${CORRELATION}`)).transactionStatus).toBe("pending");
  });

  test("the documented status result is read though a key stands in it twice and others have no value", () => {
    expect(reportOf(result(STATUS_RESULT, `status-${CORRELATION}`))).toMatchObject({
      type: "disbursement",
      transactionStatus: "completed",
      transactionReference: "MBN31H462N",
      correlation: CORRELATION,
      amount: minor(30_000n),
      creditParty: "600310",
      payer: { phone: "+254708374149", name: "John Doe" },
      at: new Date("2018-02-23T02:41:12Z"),
    });
  });

  test("the status of a customer's payment says who paid whom, so that a forged callback is found out", () => {
    const body = statusOf({ ReasonType: "Pay Bill Online", TransactionStatus: "Completed" });
    expect(reportOf(result(body, "status-RKL51ZDR4F"))).toMatchObject({
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: "RKL51ZDR4F",
      amount: minor(5_000n),
      creditParty: "600966",
      payer: { phone: "+254708374149" },
    });
    const elsewhere = statusOf({ CreditPartyName: "999999 - Somebody Else" });
    expect(reasonOf(result(elsewhere, "status-RKL51ZDR4F"))).toBe("shortcode_unknown");
    const organisation = statusOf({ DebitPartyName: "600400 - Another Company" });
    expect(reportOf(result(organisation, "status-RKL51ZDR4F")).type).toBe("transfer");
  });

  test.each([
    ["Completed", "completed"],
    ["Declined", "failed"],
    ["Expired", "failed"],
    ["Authorized", "pending"],
    ["", "pending"],
  ])("a transaction that is %j is %s", (TransactionStatus, expected) => {
    expect(reportOf(result(statusOf({ TransactionStatus }), "status-RKL51ZDR4F")).transactionStatus).toBe(expected);
  });

  test("an enquiry that failed says nothing about the money", () => {
    const body = { Result: { ResultCode: 2033, ResultDesc: "The transaction does not exist.", TransactionID: "X" } };
    for (const parameter of ["status-RKL51ZDR4F", `b2c-status-${CORRELATION}`, `reversal-status-${CORRELATION}`])
      expect(reportOf(result(body, parameter)).transactionStatus).toBe("pending");
    expect(reportOf(result(body, `status-${CORRELATION}`)).correlation).toBe(CORRELATION);
  });

  test("an enquiry that finds no such payment says no, and of a pay-out of ours nothing", () => {
    const body = { Result: { ResultCode: 2032, ResultDesc: "The transaction receipt number does not exist." } };
    expect(reportOf(result(body, `status-${CORRELATION}`))).toMatchObject({
      transactionStatus: "failed",
      correlation: CORRELATION,
      transactionReference: undefined,
    });
    for (const about of ["b2c", "reversal"])
      expect(reportOf(result(body, `${about}-status-${CORRELATION}`)).transactionStatus).toBe("pending");
  });

  test("parameters may be one object instead of a list", () => {
    const { ResultParameters, ...rest } = B2C_RESULT.Result;
    const [amount] = ResultParameters.ResultParameter;
    const body = { Result: { ...rest, ResultParameters: { ResultParameter: amount } } };
    expect(reportOf(result(body, `b2c-${CORRELATION}`))).toMatchObject({
      transactionReference: "SG632NMUAB",
      amount: minor(1_000n),
      at: undefined,
    });
  });

  test("success that says nothing else counts for the request that its address names, and for no other", () => {
    const body = { Result: { ResultCode: 0, ResultDesc: "Success", TransactionID: "SKE52PAWR9" } };
    expect(reportOf(result(body, `reversal-${CORRELATION}`))).toMatchObject({
      type: "reversal",
      transactionStatus: "completed",
      transactionReference: "SKE52PAWR9",
      amount: undefined,
    });
    expect(reasonOf(result(body))).toBe("malformed");
    expect(reasonOf(result(body, "status-RKL51ZDR4F"))).toBe("malformed");
  });

  test.each(["", null, undefined, "SFC_IC0003", "00", true])("code %j is kept for a person", (ResultCode) => {
    const body = { Result: { ...B2C_RESULT.Result, ResultCode } };
    expect(reasonOf(result(body, `b2c-${CORRELATION}`))).toBe("status_unknown");
  });

  test("a queue that was too long leaves everything open", () => {
    const parsed = rail.parse(deliveryTo("timeout", "whatever", `b2c-${CORRELATION}`));
    expect(reportOf(parsed)).toMatchObject({
      type: "disbursement",
      transactionStatus: "pending",
      correlation: CORRELATION,
    });
    expect(reasonOf(rail.parse(deliveryTo("timeout", "{}")))).toBe("malformed");
  });

  function statusOf(changes: Record<string, string>): unknown {
    const values = {
      DebitPartyName: "254708374149 - John Doe",
      CreditPartyName: "600966 - Acme Solar",
      TransactionStatus: "Completed",
      ReasonType: "Pay Utility",
      FinalisedTime: "20231121121325",
      Amount: "50.00",
      ReceiptNo: "RKL51ZDR4F",
      ...changes,
    };
    const ResultParameter = Object.entries(values).map(([Key, Value]) => ({ Key, Value }));
    return { Result: { ResultCode: 0, ResultDesc: "ok", TransactionID: "X", ResultParameters: { ResultParameter } } };
  }
});

describe("whatever comes", () => {
  test.each(["stk", "result", "timeout", "confirmation"])(
    "any body at %s is read or refused, never a fault",
    (door) => {
      const noise = fc.oneof(
        fc.jsonValue({ maxDepth: 4 }),
        fc.record({ Body: fc.record({ stkCallback: fc.jsonValue({ maxDepth: 3 }) }) }),
        fc.record({ Result: fc.jsonValue({ maxDepth: 4 }) }),
        fc.record({
          Result: fc.record({
            ResultCode: fc.constantFrom(0, "0", 1, "R000002", ""),
            TransactionID: fc.jsonValue({ maxDepth: 1 }),
            OriginatorConversationID: fc.jsonValue({ maxDepth: 1 }),
            ResultParameters: fc.record({
              ResultParameter: fc.array(
                fc.record({
                  Key: fc.constantFrom(
                    "ReceiptNo",
                    "Amount",
                    "OriginalTransactionID",
                    "TransactionAmount",
                    "DebitPartyName",
                  ),
                  Value: fc.jsonValue({ maxDepth: 1 }),
                }),
              ),
            }),
          }),
        }),
      );
      const parameter = fc.constantFrom(undefined, `b2c-${CORRELATION}`, "status-RKL51ZDR4F", "../x", "");
      fc.assert(
        fc.property(noise, parameter, (body, named) => {
          const parsed = rail.parse(deliveryTo(door, body, named));
          expect(typeof reasonOf(parsed)).toBe("string");
        }),
        { numRuns: 300 },
      );
    },
  );

  test("every answer is in M-Pesa's form", () => {
    const at = (door: string) => deliveryTo(door, "{}");
    expect(rail.answer(at("confirmation"), { kind: "repeated" }).body).toEqual({
      ResultCode: 0,
      ResultDesc: "Success",
    });
    expect(rail.answer(at("validation"), { kind: "payable" })).toEqual({
      status: 200,
      body: { ResultCode: "0", ResultDesc: "Accepted" },
    });
    const codeOf = (kind: "account_unknown" | "contract_ended" | "amount_too_small" | "currency_differs") =>
      rail.answer(at("validation"), { kind });
    expect(codeOf("account_unknown")).toEqual({
      status: 200,
      body: { ResultCode: "C2B00012", ResultDesc: "Rejected" },
    });
    expect(codeOf("amount_too_small")).toMatchObject({ status: 200, body: { ResultCode: "C2B00013" } });
    expect(codeOf("contract_ended")).toMatchObject({ status: 200, body: { ResultCode: "C2B00016" } });
    expect(codeOf("currency_differs")).toMatchObject({ status: 200, body: { ResultCode: "C2B00016" } });
    const unusable = (door: string, reason: "malformed" | "wrong_type" | "shortcode_unknown", field?: string) =>
      rail.answer(at(door), { kind: "unusable", reason, field, detail: "It is so." });
    expect(unusable("validation", "malformed").status).toBe(400);
    expect(unusable("validation", "wrong_type", "MSISDN")).toMatchObject({
      status: 200,
      body: { ResultCode: "C2B00011" },
    });
    expect(unusable("confirmation", "shortcode_unknown")).toEqual({
      status: 400,
      body: { ResultCode: "C2B00015", ResultDesc: "Rejected: It is so." },
    });
    expect(rail.answer(at("confirmation"), { kind: "conflict" }).status).toBe(409);
    expect(rail.answer(at("confirmation"), { kind: "not_allowed", detail: "No." }).status).toBe(403);
    expect(rail.answer(at("confirmation"), { kind: "busy" })).toMatchObject({
      status: 503,
      headers: { "Retry-After": "5" },
    });
  });
});
