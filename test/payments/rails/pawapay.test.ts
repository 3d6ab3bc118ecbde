import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createSigner, httpbis } from "http-message-signatures";
import { describe, expect, test } from "vitest";
import { NoAnswer, NotSent, type OutboundRequest } from "../../../src/platform/outbound.ts";
import { pawapay } from "../../../src/payments/rails/pawapay/pawapay.ts";
import { InvalidSettings, isAble, type Channel, type Delivery, type Rail } from "../../../src/payments/rails/rail.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { makePawapayFace } from "../../../simulators/rail/pawapay.ts";
import { answerOf, makeSmallWorld } from "./pawapay-world.ts";

const channel: Channel = { name: "pawapay-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" };
const CORRELATION = "f4401bd2-1568-4140-bf2d-eb77d2b2b639";
const request = {
  correlation: CORRELATION,
  phone: "+256772123456",
  amount: { minor: 5_000n, currency: "UGX" },
  reference: "PG-10234",
} as const;
const nobody = () => Promise.resolve(undefined);
const subject = {
  kind: "payment",
  correlation: CORRELATION,
  providerCorrelation: undefined,
  transactionReference: undefined,
  amount: request.amount,
  reference: "PG-10234",
  memory: {},
  requestedAt: new Date("2026-11-20T10:10:00Z"),
} as const;

function makeRail() {
  const world = makeSmallWorld(makePawapayFace, channel);
  return { world, rail: pawapay.open(pawapay.parseSettings(world.face.settings()), world.tools) };
}

/** The adapter against answers written by hand. */
function railAnswered(settings: object, answer: (request: OutboundRequest) => FaceReply | Error) {
  const { world } = makeRail();
  const sent: OutboundRequest[] = [];
  const http = {
    send: async (request: OutboundRequest) => {
      sent.push(request);
      const reply = answer(request);
      if (reply instanceof Error) throw reply;
      return Promise.resolve(answerOf(reply));
    },
  };
  const parsed = pawapay.parseSettings({
    baseUrl: "https://api.sandbox.pawapay.io/",
    apiToken: "token-of-ours",
    correspondent: "MTN_MOMO_UGA",
    ...settings,
  });
  return { rail: pawapay.open(parsed, { ...world.tools, http }), sent };
}

function able<Act extends object>(act: Act | { readonly cannot: string }): Act {
  if (!isAble(act)) throw new Error("This rail should be able to.");
  return act as Act;
}
const bodyOf = (sent: OutboundRequest | undefined): unknown => JSON.parse(String(sent?.body));

const SAMPLE = {
  depositId: CORRELATION,
  status: "COMPLETED",
  requestedAmount: "5000",
  depositedAmount: "5000",
  currency: "UGX",
  country: "UGA",
  correspondent: "MTN_MOMO_UGA",
  payer: { type: "MSISDN", address: { value: "256772123456" } },
  customerTimestamp: "2026-11-20T10:10:00Z",
  created: "2026-11-20T10:10:02Z",
  respondedByPayer: "2026-11-20T10:11:00Z",
};
const cameIn = (body: unknown, more: Partial<Delivery> = {}): Delivery => ({
  door: "callback",
  parameter: undefined,
  method: "POST",
  url: "https://pay.example.org/rails/pp/secret/callback",
  headers: {},
  raw: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  receivedAt: new Date("2026-11-20T10:11:05Z"),
  ...more,
});

describe("from the request to the money", () => {
  test("a customer is asked, pays, and the signed callback carries every fact", async () => {
    const { world, rail } = makeRail();
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "accepted" });
    expect(await able(rail.enquire)(subject)).toMatchObject({
      kind: "report",
      report: { transactionStatus: "pending", statusReason: "SUBMITTED" },
    });
    world.clock.advance(60_000);
    const [delivery] = world.end(world.transactions[0]);
    if (delivery === undefined) throw new Error("Nothing was delivered.");
    expect(rail.callbackIs).toBe("evidence");
    expect(await rail.verify(delivery, nobody)).toEqual({ trust: "signed" });
    const expected = {
      type: "merchantpay",
      transactionStatus: "completed",
      transactionReference: CORRELATION.toUpperCase(),
      correlation: CORRELATION,
      amount: { minor: 5_000n, currency: "UGX" },
      creditParty: "pawapay-ug",
      reference: "PG-10234",
      payer: { phone: "+256772123456", hash: createHash("sha256").update("256772123456").digest() },
      at: new Date("2026-11-20T10:11:00Z"),
      statusReason: undefined,
    };
    expect(rail.parse(delivery)).toMatchObject({ ok: true, reports: [expected] });
    expect(rail.answer(delivery, { kind: "stored" }).status).toBe(200);
    expect(await able(rail.enquire)(subject)).toMatchObject({ kind: "report", report: expected });
  });

  test("asking again after a lost answer asks the customer once", async () => {
    const { world, rail } = makeRail();
    world.loseNextAnswer();
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "unknown" });
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "accepted" });
    expect(world.transactions).toHaveLength(1);
    expect(rail.isRequestRepeatable).toBe(true);
  });

  test("a payer who declines is heard of, with the reason", async () => {
    const { world, rail } = makeRail();
    await able(rail.requestPayment)(request);
    const [delivery] = world.end(world.transactions[0], { status: "failed", failure: "cancelled" });
    expect(delivery && rail.parse(delivery)).toMatchObject({
      ok: true,
      reports: [{ transactionStatus: "failed", statusReason: "PAYMENT_NOT_APPROVED: It did not go through." }],
    });
  });

  test("a payment that pawaPay never saw is not found", async () => {
    const { rail } = makeRail();
    expect(await able(rail.enquire)(subject)).toMatchObject({ kind: "not_found" });
  });

  test.each([
    ["to the payer's number", "+256772123456", "payouts"],
    ["of the deposit where the number is not known", undefined, "refunds"],
  ])("money goes back once, %s, and is found even when its answer was lost", async (_promise, phone, via) => {
    const { world, rail } = makeRail();
    await able(rail.requestPayment)(request);
    world.end(world.transactions[0]);
    const order = {
      correlation: "0aa3b2f1-7e5c-4d63-9a11-3c1f5d2e4b70",
      phone,
      amount: { minor: 2_000n, currency: "UGX" as const },
      original: { transactionReference: CORRELATION.toUpperCase(), amount: request.amount },
      reason: "paid twice",
    };
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "accepted", memory: { via } });
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "accepted" });
    expect(world.transactions.map(({ kind }) => kind)).toEqual(["payment", "disbursement"]);
    const [delivery] = world.end(world.transactions[1]);
    const report = { type: "disbursement", transactionStatus: "completed", amount: order.amount };
    expect(delivery && rail.parse(delivery)).toMatchObject({ ok: true, reports: [report] });
    const lost = { ...subject, kind: "disbursement", correlation: order.correlation } as const;
    expect(await able(rail.enquire)(lost)).toMatchObject({ kind: "report", report });
    expect(await able(rail.enquire)({ ...lost, memory: { via } })).toMatchObject({ kind: "report", report });
  });
});

describe("who sent a callback", () => {
  async function deliver(rail: Rail, delivery: Delivery | undefined) {
    return delivery === undefined ? undefined : rail.verify(delivery, nobody);
  }
  async function paid() {
    const { world, rail } = makeRail();
    await able(rail.requestPayment)(request);
    const [delivery] = world.end(world.transactions[0]);
    if (delivery === undefined) throw new Error("Nothing was delivered.");
    return { world, rail, delivery };
  }
  const invalid = { trust: "refused", reason: "signature_invalid" };

  test("a forgery is refused, whoever's key signed it", async () => {
    const { world, rail } = await paid();
    const transaction = world.transactions[0];
    if (transaction === undefined) throw new Error("There is no transaction.");
    for (let time = 0; time < 10; time += 1)
      expect(await deliver(rail, world.arrive(world.face.forge(transaction)))).toMatchObject(invalid);
  });

  test("a changed body, address, method, date or key name breaks the signature", async () => {
    const { rail, delivery } = await paid();
    const changed = Buffer.from(Buffer.from(delivery.raw).toString().replaceAll("5000", "9000"));
    const digest = `sha-512=:${createHash("sha512").update(changed).digest("base64")}:`;
    const header = (name: string, value: string): Delivery => ({
      ...delivery,
      headers: { ...delivery.headers, [name]: value },
    });
    const input = delivery.headers["signature-input"] ?? "";
    const wrong: Delivery[] = [
      { ...delivery, raw: changed },
      { ...delivery, raw: changed, headers: { ...delivery.headers, "content-digest": digest } },
      { ...delivery, url: delivery.url.replace("callback", "other") },
      { ...delivery, method: "PUT" },
      header("signature-date", "2026-11-20T10:12:00Z"),
      header("content-digest", ""),
      header("content-digest", "md5=:AAAA:"),
      header("signature", "sig-pp=:AAAA:"),
      header("signature", "nonsense"),
      header("signature", ""),
      header("signature-input", input.replace("HTTP_EC", "HTTP_XX")),
      header("signature-input", input.replace(/created=\d+;/, "")),
      header("signature-input", input.replace('"content-digest" ', "")),
    ];
    for (const delivery of wrong) expect(await deliver(rail, delivery)).toMatchObject(invalid);
  });

  test("a right signature whose time is over, or not yet come, is stale", async () => {
    const { rail, delivery } = await paid();
    const at = (minutes: number): Delivery => ({
      ...delivery,
      receivedAt: new Date(delivery.receivedAt.getTime() + minutes * 60_000),
    });
    expect(await deliver(rail, at(9))).toEqual({ trust: "signed" });
    expect(await deliver(rail, at(-4))).toEqual({ trust: "signed" });
    expect(await deliver(rail, at(11))).toMatchObject({ trust: "refused", reason: "signature_stale" });
    expect(await deliver(rail, at(-6))).toMatchObject({ trust: "refused", reason: "signature_stale" });
  });

  test("without a signature it is refused where one is required, and a hint elsewhere", async () => {
    const { rail } = makeRail();
    expect(await deliver(rail, cameIn(SAMPLE))).toMatchObject(invalid);
    const { rail: lenient } = railAnswered({}, () => ({ status: 200 }));
    expect(lenient.callbackIs).toBe("hint");
    expect(await deliver(lenient, cameIn(SAMPLE))).toEqual({ trust: "unsigned" });
  });

  const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });

  /** Signed by the package, not by our face. */
  async function verifySigned(keys: typeof rsa, { algorithm, fields }: { algorithm: string; fields: string[] }) {
    const { rail } = railAnswered({ requireSignature: true, publicKeys: { key: pem(keys.publicKey) } }, () => ({
      status: 200,
    }));
    const delivery = cameIn(SAMPLE);
    const digest = createHash("sha256").update(delivery.raw).digest("base64");
    const signed = await httpbis.signMessage(
      {
        key: createSigner(keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), algorithm, "key"),
        fields,
        params: ["created", "keyid", "alg"],
        paramValues: { created: delivery.receivedAt },
      },
      { method: "POST", url: delivery.url, headers: { "content-digest": `sha-256=:${digest}:` } },
    );
    const headers = Object.fromEntries(
      Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    return rail.verify({ ...delivery, headers }, nobody);
  }

  test.each([
    ["ecdsa-p256-sha256", p256, true],
    ["ecdsa-p384-sha384", p384, true],
    ["rsa-pss-sha512", rsa, true],
    ["rsa-v1_5-sha256", rsa, true],
    ["rsa-v1_5-sha1", rsa, false],
    ["ecdsa-p384-sha384", p256, false],
  ])("%s, signed as the standard says", async (algorithm, keys, isTrusted) => {
    const fields = ["@method", "@authority", "@path", "content-digest"];
    expect(await verifySigned(keys, { algorithm, fields })).toMatchObject(isTrusted ? { trust: "signed" } : invalid);
  });

  test("a right signature that leaves out the body proves nothing about it", async () => {
    const signing = { algorithm: "ecdsa-p256-sha256", fields: ["@method", "@path"] };
    expect(await verifySigned(p256, signing)).toMatchObject(invalid);
  });
});

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
