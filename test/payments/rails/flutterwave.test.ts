import { describe, expect, test } from "vitest";
import { makeFlutterwaveFace } from "../../../simulators/rail/flutterwave.ts";
import { money } from "../../../src/kernel/money.ts";
import { flutterwave } from "../../../src/payments/rails/flutterwave/flutterwave.ts";
import { InvalidSettings, type Channel } from "../../../src/payments/rails/rail.ts";
import {
  CORRELATION,
  START,
  able,
  delivered,
  listAll,
  makeFaceHttp,
  makeSmallWorld,
  nobody,
  openRail,
  subject,
} from "./wave-world.ts";

const UGANDA: Channel = { name: "flutterwave-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" };
const KENYA: Channel = { name: "flutterwave-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi" };
const REQUEST = {
  correlation: CORRELATION,
  phone: "+256772123456",
  amount: money(5_000n, "UGX"),
  reference: "PG-10234",
};

/** The public sample of a webhook. */
const SAMPLE = {
  headers: { "verif-hash": "our-configured-secret" },
  body: '{"event":"charge.completed","data":{"id":285959875,"tx_ref":"PG-10234-01JCZ","flw_ref":"PeterEkene/FLW270177170","amount":5000,"currency":"UGX","charged_amount":5000,"app_fee":125,"status":"successful","payment_type":"mobilemoneyug","customer":{"id":215604089,"name":"Jane","phone_number":"256772123456","email":"none@example.org"}}}',
};

function setUp(channel = UGANDA, settings: Record<string, unknown> = {}) {
  const small = makeSmallWorld(makeFlutterwaveFace, channel);
  const http = makeFaceHttp(small.face);
  const given = { ...small.face.settings(), ...settings };
  const rail = openRail(flutterwave, { settings: given, channel, http, clock: small.clock });
  return { ...small, http, rail };
}
async function askedFor(channel = UGANDA, amount = REQUEST.amount) {
  const set = setUp(channel);
  const outcome = await able(set.rail.requestPayment)({ ...REQUEST, amount });
  const [transaction] = set.world.transactions;
  if (outcome.kind !== "accepted" || transaction === undefined) throw new Error(JSON.stringify(outcome));
  return { ...set, outcome, transaction };
}

describe("the public webhook", () => {
  const { rail } = setUp(UGANDA, { verifHash: "our-configured-secret" });
  const parse = (body: string) => rail.parse(delivered({ headers: {}, body }));

  test("is known by its hash and read with the account as it came", async () => {
    expect(await rail.verify(delivered(SAMPLE), nobody)).toEqual({ trust: "secret" });
    expect(rail.parse(delivered(SAMPLE))).toMatchObject({
      ok: true,
      reports: [
        {
          transactionStatus: "completed",
          transactionReference: "FLW-285959875",
          correlation: undefined,
          reference: "PG-10234-01JCZ",
          amount: { minor: 5_000n, currency: "UGX" },
          payer: { phone: "+256772123456", name: "Jane" },
        },
      ],
    });
  });

  test.each([
    ["another hash", { "verif-hash": "our-configured-secrex" }],
    ["no hash", {}],
  ])("with %s is refused", async (_what, headers) => {
    expect(await rail.verify(delivered({ headers, body: SAMPLE.body }), nobody)).toMatchObject({
      reason: "signature_invalid",
    });
  });

  test.each([
    ["no JSON", "{", "malformed"],
    ["another currency", SAMPLE.body.replace('"UGX"', '"KES"'), "currency_unexpected"],
    ["a fraction of a shilling", SAMPLE.body.replace('"amount":5000', '"amount":5000.5'), "amount_invalid"],
    ["an amount with an exponent", SAMPLE.body.replace('"amount":5000', '"amount":5e3'), "amount_invalid"],
    ["no amount", SAMPLE.body.replace('"amount":5000,', ""), "wrong_type"],
    ["no id", SAMPLE.body.replace('"id":285959875,', ""), "wrong_type"],
    ["an unknown event", SAMPLE.body.replace("charge.completed", "charge.renamed"), "status_unknown"],
  ])("with %s is kept with the reason", (_what, body, reason) => {
    expect(parse(body)).toMatchObject({ ok: false, reason });
  });

  test("about a transfer of ours is stored, and nothing is booked", () => {
    expect(parse('{"event":"transfer.completed","data":{"id":1}}')).toEqual({ ok: true, reports: [] });
  });

  test.each([
    ["failed", "failed"],
    ["pending", "pending"],
    ["success-completed", "pending"],
  ])("with the status %s is %s, never a success", (status, transactionStatus) => {
    const body = SAMPLE.body.replace('"successful"', JSON.stringify(status));
    expect(parse(body)).toMatchObject({ reports: [{ transactionStatus }] });
  });
});

test("an amount keeps the very digits that were written, beyond what a float holds", () => {
  const { rail } = setUp(KENYA);
  const body = SAMPLE.body
    .replace('"UGX"', '"KES"')
    .replace('"amount":5000', '"amount":123456789.10')
    .replace("285959875", "90071992547409931");
  expect(rail.parse(delivered({ headers: {}, body }))).toMatchObject({
    reports: [{ amount: { minor: 12_345_678_910n, currency: "KES" }, transactionReference: "FLW-90071992547409931" }],
  });
});

describe("a charge", () => {
  test("is asked for in its country's way, announced, and verified by our name and by its own", async () => {
    const { rail, face, http, transaction, outcome, end } = await askedFor();
    expect(http.sent[0]?.url).toContain("/v3/charges?type=mobile_money_uganda");
    expect(outcome.payAt).toContain("/captcha/verify/");
    end(transaction);
    const [news] = face.deliveries(transaction).map((each) => delivered(each));
    if (news === undefined) throw new Error("nothing was announced");
    expect(await rail.verify(news, nobody)).toEqual({ trust: "secret" });
    const facts = {
      transactionStatus: "completed",
      transactionReference: transaction.id,
      correlation: CORRELATION,
      amount: { minor: 5_000n },
    };
    expect(rail.parse(news)).toMatchObject({ ok: true, reports: [facts] });
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ report: { ...facts, reference: "PG-10234" } });
    const byName = subject({ kind: "transaction", transactionReference: transaction.id });
    expect(await able(rail.enquire)(byName)).toMatchObject({ report: facts });
  });

  test("in a currency with decimals is asked for and told to the cent", async () => {
    const { rail, transaction, end } = await askedFor(KENYA, money(123_456n, "KES"));
    expect(transaction.amountMinor).toBe(123_456n);
    end(transaction);
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ report: { amount: { minor: 123_456n } } });
  });

  test("is not believed from a stranger", async () => {
    const { rail, face, transaction } = await askedFor();
    expect(await rail.verify(delivered(face.forge(transaction)), nobody)).toMatchObject({
      reason: "signature_invalid",
    });
  });

  test("asked for twice under one name is refused as known", async () => {
    const { rail } = await askedFor();
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind: "refused", isDuplicate: true });
  });

  test("that nobody asked for is not found", async () => {
    const { rail } = setUp();
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ kind: "not_found" });
    const strange = subject({ kind: "transaction", transactionReference: "SKL41ZDR7A" });
    expect(await able(rail.enquire)(strange)).toMatchObject({ kind: "not_found" });
  });

  test("in a country without mobile money is a thing the rail says it cannot do", () => {
    const { rail } = setUp({ ...UGANDA, country: "NG", currency: "NGN" });
    expect(rail.requestPayment).toEqual({ cannot: "Flutterwave has no mobile money in NG." });
  });

  test.each([
    [502, "unknown"],
    [429, "not_sent"],
    [401, "not_sent"],
    [400, "refused"],
  ])("answered with %i is %s", async (status, kind) => {
    const { rail, http } = setUp();
    http.fault = status;
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind });
  });

  test.each([
    ["not_sent", "not_sent"],
    ["no_answer", "unknown"],
  ] as const)("with the line broken (%s) is %s", async (fault, kind) => {
    const { rail, http } = setUp();
    http.fault = fault;
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind });
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ kind: "unreachable" });
  });
});

describe("a refund", () => {
  const REFUND = "00000000-0000-4000-8000-00000000000a";

  async function paid() {
    const set = await askedFor();
    set.end(set.transaction);
    const original = { transactionReference: set.transaction.id, amount: REQUEST.amount };
    const order = { correlation: REFUND, phone: undefined, amount: money(2_000n, "UGX"), original, reason: "Too much" };
    return { ...set, order };
  }

  test("gives back a part, and is found by its number and by our name", async () => {
    const { rail, world, order, end } = await paid();
    const outcome = await able(rail.refund)(order);
    if (outcome.kind !== "accepted") throw new Error(outcome.reason);
    const disbursement = { kind: "disbursement", correlation: REFUND } as const;
    const byNumber = subject({ ...disbursement, providerCorrelation: outcome.providerCorrelation });
    expect(await able(rail.enquire)(byNumber)).toMatchObject({ report: { transactionStatus: "pending" } });
    const given = world.find({ correlation: REFUND });
    if (given === undefined) throw new Error("nothing was given back");
    end(given);
    for (const asked of [byNumber, subject(disbursement)])
      expect(await able(rail.enquire)(asked)).toMatchObject({
        report: {
          type: "disbursement",
          transactionStatus: "completed",
          transactionReference: `FLW-REFUND-${outcome.providerCorrelation}`,
          amount: { minor: 2_000n },
        },
      });
  });

  test("whose answer was lost is found by our name and not asked for again", async () => {
    const { rail, http, order } = await paid();
    http.fault = "acted_without_answer";
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "unknown" });
    http.fault = undefined;
    const found = await able(rail.enquire)(subject({ kind: "disbursement", correlation: REFUND }));
    expect(found).toMatchObject({ report: { amount: { minor: 2_000n } } });
  });

  test("of nothing, or of more than was paid, is refused", async () => {
    const { rail, order } = await paid();
    expect(await able(rail.refund)({ ...order, original: undefined })).toMatchObject({ kind: "refused" });
    expect(await able(rail.refund)({ ...order, amount: money(5_001n, "UGX") })).toMatchObject({ kind: "refused" });
  });
});

test("the list tells every charge over several pages, and then what went back", async () => {
  const { rail, world, face, clock, end, begin } = setUp();
  for (let index = 0; index < 120; index += 1)
    end(
      begin("payment", {
        id: face.makeId(),
        correlation: undefined,
        providerCorrelation: undefined,
        amountMinor: 1_000n + BigInt(index),
        reference: `PG-${index}`,
        phone: "256772123456",
        callbackUrl: undefined,
      }),
    );
  const [first] = world.transactions;
  if (first === undefined) throw new Error("nothing was paid");
  world.reverse(first);
  const { items, unreadable } = await listAll(rail, { from: START, to: clock.now() });
  expect(unreadable).toEqual([]);
  expect(items).toHaveLength(121);
  expect(items[119]).toMatchObject({ report: { reference: "PG-119", amount: { minor: 1_119n } } });
  expect(items[120]).toMatchObject({
    report: { type: "reversal", originalTransactionReference: first.id, amount: { minor: 1_000n } },
  });
});

test("settings that miss or invent something are refused", () => {
  expect(() => flutterwave.parseSettings({ secretKey: "FLWSECK-1", verifHash: "12345678" })).toThrow(InvalidSettings);
  const settings = { secretKey: "FLWSECK-1", verifHash: "12345678", payerEmail: "payments@seller.example" };
  expect(flutterwave.parseSettings(settings).baseUrl).toBe("https://api.flutterwave.com");
  expect(() => flutterwave.parseSettings({ ...settings, webhook: "x" })).toThrow(/webhook/);
});
