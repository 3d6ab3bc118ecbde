import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { gsmaMmapi } from "../../../src/payments/rails/gsma-mmapi/gsma-mmapi.ts";
import { InvalidSettings, type Delivery } from "../../../src/payments/rails/rail.ts";
import { NoAnswer, NotSent } from "../../../src/platform/outbound.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import {
  able,
  cameIn,
  CORRELATION,
  PAYOUT,
  railAnswered,
  request,
  SAMPLE,
  SETTINGS,
  subject,
} from "./gsma-mmapi-rail.ts";

describe("what a callback says", () => {
  const { rail } = railAnswered({}, () => ({ status: 200 }));

  test("the documented callback is read exactly: 200.00 of a currency without decimals, on Kigali's clock", () => {
    expect(rail.parse(cameIn(SAMPLE, { receivedAt: new Date("2026-11-20T08:10:05Z") }))).toMatchObject({
      ok: true,
      reports: [
        {
          type: "merchantpay",
          transactionStatus: "completed",
          transactionReference: "REF-1637907197912",
          correlation: CORRELATION,
          amount: { minor: 200n, currency: "RWF" },
          creditParty: "2999",
          reference: "",
          payer: { phone: undefined },
          at: new Date("2026-11-20T08:10:01Z"),
        },
      ],
    });
  });

  test("our own address names the request; the header only where the address does not", () => {
    const header = { "x-correlationid": PAYOUT };
    const correlationOf = (more: Partial<Delivery>) => {
      const parsed = rail.parse(cameIn(SAMPLE, { headers: header, ...more }));
      return parsed.ok ? parsed.reports[0]?.correlation : undefined;
    };
    expect(correlationOf({ parameter: CORRELATION })).toBe(CORRELATION);
    expect(correlationOf({})).toBe(PAYOUT);
    expect(correlationOf({ headers: { "x-correlationid": "nonsense" } })).toBeUndefined();
  });

  test.each(["pending", "initiated", "Completed", "reversed"])("%s is not over", (transactionStatus) => {
    expect(rail.parse(cameIn({ ...SAMPLE, transactionStatus }))).toMatchObject({
      ok: true,
      reports: [{ transactionStatus: "pending", statusReason: transactionStatus }],
    });
  });

  test.each(["merchantpay", "billpay", "transfer", "disbursement"])("%s keeps its name", (type) => {
    expect(rail.parse(cameIn({ ...SAMPLE, type }))).toMatchObject({ ok: true, reports: [{ type }] });
  });

  test.each([
    ["2026-11-20T10:10:01Z", "2026-11-20T10:10:01Z"],
    ["2026-11-20T10:10:01.250+02:00", "2026-11-20T08:10:01.250Z"],
  ])("a time with an offset, %s, means what it says", (creationDate, expected) => {
    expect(rail.parse(cameIn({ ...SAMPLE, creationDate }))).toMatchObject({ reports: [{ at: new Date(expected) }] });
  });

  test.each<[string, unknown, string]>([
    ["no JSON", "transactionReference=1", "malformed"],
    ["a list", [SAMPLE], "malformed"],
    ["an error without a name of ours", undefined, "malformed"],
    ["no reference", { ...SAMPLE, transactionReference: undefined }, "wrong_type"],
    ["a reference in a list", { ...SAMPLE, transactionReference: ["REF-1"] }, "wrong_type"],
    ["no status", { ...SAMPLE, transactionStatus: undefined }, "wrong_type"],
    ["another kind of transaction", { ...SAMPLE, type: "withdrawal" }, "malformed"],
    ["somebody else's account", { ...SAMPLE, creditParty: [{ key: "accountid", value: "1" }] }, "shortcode_unknown"],
    ["nobody's account", { ...SAMPLE, creditParty: undefined }, "shortcode_unknown"],
    ["a reversal of nothing", { ...SAMPLE, type: "reversal" }, "malformed"],
    ["another currency", { ...SAMPLE, currency: "UGX" }, "currency_unexpected"],
    ["no currency", { ...SAMPLE, currency: undefined }, "currency_unexpected"],
    ["no amount", { ...SAMPLE, amount: undefined }, "wrong_type"],
    ["zero", { ...SAMPLE, amount: "0.00" }, "amount_invalid"],
    ["half a franc", { ...SAMPLE, amount: "200.50" }, "amount_invalid"],
    ["less than nothing", { ...SAMPLE, amount: "-200.00" }, "amount_invalid"],
    ["separators", { ...SAMPLE, amount: "1,200.00" }, "amount_invalid"],
    ["a day that is not", { ...SAMPLE, creationDate: "2026-02-30T10:10:01" }, "time_invalid"],
    ["tomorrow", { ...SAMPLE, creationDate: "2026-11-21T10:10:01" }, "time_invalid"],
    ["a day without a time", { ...SAMPLE, creationDate: "2026-11-20" }, "time_invalid"],
  ])("%s is kept for a person, and booked nowhere", (_promise, body, reason) => {
    expect(rail.parse(cameIn(body ?? "null"))).toMatchObject({ ok: false, reason });
  });
});

describe("what the provider answers", () => {
  test.each<[FaceReply | Error, object]>([
    [
      { status: 202, body: { serverCorrelationId: "s-1", status: "pending" } },
      { kind: "accepted", providerCorrelation: "s-1" },
    ],
    [
      { status: 201, body: SAMPLE },
      { kind: "accepted", memory: { transactionReference: "REF-1637907197912" } },
    ],
    [{ status: 202, body: "<html>" }, { kind: "unknown" }],
    [
      { status: 409, body: { errorCode: "duplicateRequest" } },
      { kind: "refused", isDuplicate: true },
    ],
    [
      { status: 400, body: { errorCode: "formatError", errorDescription: "No" } },
      { kind: "refused", reason: "formatError: No" },
    ],
    [
      { status: 401, body: "" },
      { kind: "refused", reason: "HTTP 401" },
    ],
    [{ status: 400, body: { errorCode: "rateLimitError" } }, { kind: "not_sent" }],
    [{ status: 429, body: "" }, { kind: "not_sent" }],
    [{ status: 408, body: "" }, { kind: "unknown" }],
    [{ status: 500, body: { errorCode: "genericError" } }, { kind: "unknown" }],
    [{ status: 503, body: "" }, { kind: "unknown" }],
    [{ status: 302, body: "" }, { kind: "unknown" }],
    [new NotSent("refused"), { kind: "not_sent" }],
    [new NoAnswer("reset"), { kind: "unknown" }],
  ])("to a request: %j", async (reply, outcome) => {
    const { rail } = railAnswered({}, () => reply);
    expect(await able(rail.requestPayment)(request)).toMatchObject(outcome);
  });

  const state = { ...subject, providerCorrelation: "s-1" };
  const missing: FaceReply = { status: 404, body: "" };
  test.each<[string, Record<string, FaceReply | Error>, object]>([
    [
      "a state that is forgotten is looked up by our name",
      { responses: { status: 200, body: { link: "/x/transactions/R" } }, transactions: { status: 200, body: SAMPLE } },
      { kind: "report" },
    ],
    ["nobody knows it", {}, { kind: "not_found" }],
    [
      "a transaction that is not there yet is no proof that there is none",
      { requeststates: { status: 200, body: { status: "completed", objectReference: "R" } } },
      { kind: "unreachable" },
    ],
    ["a state in other words", { requeststates: { status: 200, body: { status: "done" } } }, { kind: "unreachable" }],
    [
      "a link to somewhere else",
      { responses: { status: 200, body: { link: "/accounts/1" } } },
      { kind: "unreachable" },
    ],
    ["no answer", { requeststates: new NoAnswer("reset") }, { kind: "unreachable" }],
    ["a server that is down", { requeststates: { status: 503, body: "" } }, { kind: "unreachable" }],
    [
      "a transaction that cannot be read",
      {
        requeststates: { status: 200, body: { status: "completed", objectReference: "R" } },
        transactions: { status: 200, body: { ...SAMPLE, currency: "UGX" } },
      },
      { kind: "unreachable" },
    ],
  ])("to an enquiry: %s", async (_promise, replies, outcome) => {
    const { rail } = railAnswered({}, ({ url }) => replies[new URL(url).pathname.split("/")[3] ?? ""] ?? missing);
    expect(await able(rail.enquire)(state)).toMatchObject(outcome);
  });

  test("the request is written as the standard wants it", async () => {
    const basic = { username: "washa", password: "password-of-ours" };
    const { rail, sent } = railAnswered({ basic, clientId: "c-1" }, () => ({ status: 202, body: {} }));
    await able(rail.requestPayment)(request);
    const body = String(sent[0]?.body);
    expect(sent[0]).toMatchObject({
      method: "POST",
      url: "https://mm.example.rw/v1.2/mm/transactions/type/merchantpay",
      repeat: "safe",
      headers: {
        "x-api-key": "key-of-ours",
        "x-client-id": "c-1",
        authorization: `Basic ${Buffer.from("washa:password-of-ours").toString("base64")}`,
        "x-date": "2026-11-20T10:10:00.000Z",
        "x-correlationid": CORRELATION,
        "x-callback-url": `https://pay.example.org/rails/channel/secret/callback/${CORRELATION}`,
        "x-content-hash": createHash("sha256").update(body).digest("hex"),
      },
    });
    expect(JSON.parse(body)).toEqual({
      amount: "200",
      currency: "RWF",
      debitParty: [{ key: "msisdn", value: "+250788123456" }],
      creditParty: [{ key: "accountid", value: "2999" }],
      requestingOrganisationTransactionReference: "PG-10234",
    });
  });
});

test("wrong settings are refused, each with a line", () => {
  expect(gsmaMmapi.parseSettings(SETTINGS)).toMatchObject({ callbackKey: undefined });
  const wrong = [
    {},
    { ...SETTINGS, apiKey: "short" },
    { ...SETTINGS, baseUrl: "mm.example.rw" },
    { ...SETTINGS, colour: "red" },
    { ...SETTINGS, account: "2999" },
    { ...SETTINGS, basic: { username: "washa" } },
    { ...SETTINGS, callbackKey: "" },
  ];
  for (const settings of wrong) expect(() => gsmaMmapi.parseSettings(settings)).toThrow(InvalidSettings);
});
