import { describe, expect, test } from "vitest";
import { makeWaveFace } from "../../../simulators/rail/wave.ts";
import { money } from "../../../src/kernel/money.ts";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import { signWave } from "../../../src/payments/rails/wave/proof.ts";
import { wave } from "../../../src/payments/rails/wave/wave.ts";
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

const CHANNEL: Channel = { name: "wave-sn", country: "SN", currency: "XOF", zone: "Africa/Dakar" };
const REQUEST = {
  correlation: CORRELATION,
  phone: "+221771234567",
  amount: money(2_500n, "XOF"),
  reference: "PG-10234",
};

/** A webhook whose signature belongs to its secret, at its time. */
const SIGNED_AT = new Date(1_795_169_584_000);
const SECRET = "wave_sn_WHS_test_secret";
const SIGNED = {
  headers: {
    "Wave-Signature": "t=1795169584,v1=6378a3d05447a74d01a1462dba5c22367ca0818c504d13e16c2a88eecf5dc07e",
  },
  body: '{"id":"EV_QvEZuDSQbLdI","type":"checkout.session.completed","data":{"id":"cos-18qq25rgr100a","amount":"2500","currency":"XOF","checkout_status":"complete","payment_status":"succeeded","client_reference":"PG-10234","transaction_id":"TCN4Y4ZC3FM","when_completed":"2026-11-20T10:13:04Z"}}',
};
const signature = SIGNED.headers["Wave-Signature"].slice("t=1795169584,v1=".length);

function setUp(settings: Record<string, unknown> = {}) {
  const small = makeSmallWorld(makeWaveFace, CHANNEL);
  const http = makeFaceHttp(small.face);
  const given = { ...small.face.settings(), ...settings };
  const rail = openRail(wave, { settings: given, channel: CHANNEL, http, clock: small.clock });
  return { ...small, http, rail };
}
async function askedFor() {
  const set = setUp();
  const outcome = await able(set.rail.requestPayment)(REQUEST);
  const [transaction] = set.world.transactions;
  if (outcome.kind !== "accepted" || transaction === undefined) throw new Error(JSON.stringify(outcome));
  return { ...set, outcome, transaction };
}
const parsed = (rail: ReturnType<typeof setUp>["rail"], event: unknown) =>
  rail.parse(delivered({ headers: {}, body: JSON.stringify(event) }));

describe("a signed webhook", () => {
  const { rail } = setUp({ webhookSecret: SECRET });
  const verdict = async (header: string | undefined, at = SIGNED_AT, body = SIGNED.body) =>
    rail.verify(delivered({ headers: header === undefined ? {} : { "Wave-Signature": header }, body }, at), nobody);

  test("is trusted in its five minutes and books what was paid to the account it names", async () => {
    expect(await rail.verify(delivered(SIGNED, SIGNED_AT), nobody)).toEqual({ trust: "signed" });
    expect(rail.parse(delivered(SIGNED, SIGNED_AT))).toMatchObject({
      ok: true,
      reports: [
        {
          type: "billpay",
          transactionStatus: "completed",
          transactionReference: "TCN4Y4ZC3FM",
          correlation: undefined,
          amount: { minor: 2_500n, currency: "XOF" },
          reference: "PG-10234",
          at: new Date("2026-11-20T10:13:04Z"),
        },
      ],
    });
  });

  test("is trusted when one of several signatures is right", async () => {
    expect(await verdict(`t=1795169584,v1=${"0".repeat(64)},v1=${signature}`)).toEqual({ trust: "signed" });
  });

  test.each([
    ["no header", undefined],
    ["no signature", "t=1795169584"],
    ["no time", `v1=${signature}`],
    ["another signature", `t=1795169584,v1=${"0".repeat(64)}`],
    ["another time", `t=1795169585,v1=${signature}`],
    ["a time that is no number", `t=now,v1=${signature}`],
  ])("with %s is refused", async (_what, header) => {
    expect(await verdict(header)).toMatchObject({ trust: "refused", reason: "signature_invalid" });
  });

  test("whose body was changed is refused", async () => {
    const body = SIGNED.body.replace("2500", "9500");
    expect(await verdict(SIGNED.headers["Wave-Signature"], SIGNED_AT, body)).toMatchObject({
      reason: "signature_invalid",
    });
  });

  test("signed with the point that Wave's accounting webhooks have is refused", async () => {
    const other = signWave(SECRET, "1795169584.", Buffer.from(SIGNED.body));
    expect(await verdict(`t=1795169584,v1=${other}`)).toMatchObject({ reason: "signature_invalid" });
  });

  test("is stale after more than five minutes, and before", async () => {
    const at = (offMs: number): Date => new Date(SIGNED_AT.getTime() + offMs);
    expect(await verdict(SIGNED.headers["Wave-Signature"], at(5 * MINUTE_MS))).toEqual({ trust: "signed" });
    for (const off of [5 * MINUTE_MS + 1, -5 * MINUTE_MS - 1])
      expect(await verdict(SIGNED.headers["Wave-Signature"], at(off))).toMatchObject({ reason: "signature_stale" });
  });
});

test("where the portal sends a shared secret instead, only that secret is trusted", async () => {
  const { rail } = setUp({ webhookSecret: undefined, sharedSecret: "wave_sn_WHS_shared" });
  const verdict = async (authorization: string) =>
    rail.verify(delivered({ headers: { authorization }, body: SIGNED.body }), nobody);
  expect(await verdict("Bearer wave_sn_WHS_shared")).toEqual({ trust: "secret" });
  expect(await verdict("Bearer wave_sn_WHS_sharer")).toMatchObject({ reason: "signature_invalid" });
});

describe("other events", () => {
  const { rail } = setUp();

  test("a payment at the till counts what the payer paid, Wave's fee included", () => {
    const data = {
      id: "T_46HS5COOWE",
      amount: "990",
      fee: "10",
      currency: "XOF",
      sender_mobile: "+221761110001",
      custom_fields: { account_number: "PG-10234" },
      when_created: "2026-11-20T10:13:04Z",
    };
    expect(parsed(rail, { id: "AE_1", type: "merchant.payment_received", data })).toMatchObject({
      reports: [
        {
          type: "billpay",
          transactionReference: "T_46HS5COOWE",
          amount: { minor: 1_000n },
          reference: "PG-10234",
          payer: { phone: "+221761110001" },
        },
      ],
    });
  });

  test("a failed attempt that hardly says more than its session is failed", () => {
    const data = { id: "cos-18qq25rgr100a", last_payment_error: { code: "insufficient-funds", message: "No balance" } };
    expect(parsed(rail, { id: "EV_1", type: "checkout.session.payment_failed", data })).toMatchObject({
      reports: [
        {
          transactionStatus: "failed",
          correlation: "cos-18qq25rgr100a",
          statusReason: "insufficient-funds: No balance",
        },
      ],
    });
  });

  test.each(["b2b.payment_received", "b2b.payment_failed", "test.test_event"])(
    "%s is stored, nothing is booked",
    (type) => {
      expect(parsed(rail, { id: "EV_1", type, data: {} })).toEqual({ ok: true, reports: [] });
    },
  );

  test.each([
    ["no JSON object", [], "malformed"],
    ["no event", { id: "EV_1", data: {} }, "wrong_type"],
    ["an unknown event", { id: "EV_1", type: "merchant.renamed", data: {} }, "status_unknown"],
    ["another currency", changed({ currency: "GMD" }), "currency_unexpected"],
    ["a fraction of a franc", changed({ amount: "2500.50" }), "amount_invalid"],
    ["a number for an amount", changed({ amount: 2500 }), "wrong_type"],
    ["nothing paid", changed({ amount: "0" }), "amount_invalid"],
    ["no transaction", changed({ transaction_id: null }), "wrong_type"],
    ["a payment that is not over", changed({ payment_status: "processing" }), "status_unknown"],
    ["no moment", changed({ when_completed: "2026-13-20T10:13:04Z" }), "time_invalid"],
  ])("with %s is kept with the reason", (_what, event, reason) => {
    expect(parsed(rail, event)).toMatchObject({ ok: false, reason });
  });
});

function changed(changes: Record<string, unknown>): object {
  const event = JSON.parse(SIGNED.body) as { data: Record<string, unknown> };
  return { ...event, data: { ...event.data, ...changes } };
}

describe("a payment by Wave's page", () => {
  test("is asked for, announced with a signature, and says the same when asked about", async () => {
    const { rail, face, clock, transaction, outcome, end } = await askedFor();
    expect(outcome.payAt).toContain("/c/cos-");
    expect(outcome.providerCorrelation).toBe(transaction.providerCorrelation);
    clock.advance(MINUTE_MS);
    end(transaction);
    const [news] = face.deliveries(transaction).map((each) => delivered(each, clock.now()));
    if (news === undefined) throw new Error("nothing was announced");
    expect(await rail.verify(news, nobody)).toEqual({ trust: "signed" });
    const facts = {
      transactionStatus: "completed",
      transactionReference: transaction.id,
      correlation: CORRELATION,
      amount: { minor: 2_500n, currency: "XOF" },
      at: clock.now(),
    };
    expect(rail.parse(news)).toMatchObject({ ok: true, reports: [facts] });
    for (const changes of [{ providerCorrelation: outcome.providerCorrelation }, {}])
      expect(await able(rail.enquire)(subject(changes))).toMatchObject({
        report: { ...facts, reference: "PG-10234" },
      });
    const byName = subject({ kind: "transaction", transactionReference: transaction.id });
    expect(await able(rail.enquire)(byName)).toMatchObject({ report: facts });
  });

  test("is not believed from a stranger", async () => {
    const { rail, face, transaction, clock } = await askedFor();
    const verdict = await rail.verify(delivered(face.forge(transaction), clock.now()), nobody);
    expect(verdict).toMatchObject({ reason: "signature_invalid" });
  });

  test("asked for twice under one name is one payment", async () => {
    const { rail, world, outcome } = await askedFor();
    expect(await able(rail.requestPayment)(REQUEST)).toEqual(outcome);
    expect(world.transactions).toHaveLength(1);
    const other = { ...REQUEST, amount: money(9_000n, "XOF") };
    expect(await able(rail.requestPayment)(other)).toMatchObject({ kind: "refused", isDuplicate: true });
  });

  test("whose answer was lost is found by our name", async () => {
    const { rail, http } = setUp();
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ kind: "not_found" });
    http.fault = "acted_without_answer";
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind: "unknown" });
    http.fault = undefined;
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ report: { transactionStatus: "pending" } });
  });

  test("that was not paid in time is failed when asked about", async () => {
    const { rail, transaction, end } = await askedFor();
    end(transaction, "timed_out");
    expect(await able(rail.enquire)(subject({}))).toMatchObject({ report: { transactionStatus: "failed" } });
  });

  test.each([
    [503, "unknown"],
    [429, "not_sent"],
    [401, "not_sent"],
    [400, "refused"],
  ])("answered with %i is %s", async (status, kind) => {
    const { rail, http } = setUp();
    http.fault = status;
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind });
  });
});

describe("the wallet's list", () => {
  test("tells over several pages what payers paid, what went back and what we sent", async () => {
    const { rail, world, face, clock, end, begin } = setUp();
    const till = Array.from({ length: 120 }, (_, index) => {
      const payment = begin("payment", {
        id: `T_TILL${index}`,
        correlation: undefined,
        providerCorrelation: undefined,
        amountMinor: 1_000n + BigInt(index),
        reference: "PG-10234",
        phone: "221761110001",
        callbackUrl: undefined,
      });
      end(payment);
      return payment;
    });
    clock.advance(24 * 60 * MINUTE_MS);
    await able(rail.requestPayment)(REQUEST);
    const asked = world.transactions.at(-1);
    if (asked === undefined || till[0] === undefined) throw new Error("nothing was asked for");
    end(asked);
    world.reverse(asked);
    const order = { correlation: "00000000-0000-4000-8000-00000000000a", phone: "+221761110001", original: undefined };
    await able(rail.refund)({ ...order, amount: money(300n, "XOF"), reason: "Paid too much" });
    const payout = world.find({ correlation: order.correlation });
    if (payout === undefined) throw new Error("nothing was sent");
    end(payout);

    const { items, unreadable } = await listAll(rail, { from: START, to: clock.now() });
    expect(unreadable).toEqual([]);
    const reports = items.map(({ report }) => report);
    expect(reports.slice(0, 120).map(({ amount }) => amount?.minor)).toEqual(
      till.map(({ amountMinor }) => amountMinor),
    );
    expect(reports[0]).toMatchObject({ type: "billpay", reference: "PG-10234", payer: { phone: "+221761110001" } });
    expect(reports.slice(120)).toMatchObject([
      { type: "merchantpay", transactionReference: asked.id, correlation: CORRELATION, amount: { minor: 2_500n } },
      { type: "reversal", originalTransactionReference: asked.id, amount: { minor: 2_500n } },
      { type: "disbursement", correlation: order.correlation, amount: { minor: 300n } },
    ]);
    // The payer's own payment is announced under the name and amount that the list has.
    const [news] = face.deliveries(till[0]).map((each) => delivered(each));
    expect(news && rail.parse(news)).toMatchObject({
      reports: [{ transactionReference: "T_TILL0", amount: { minor: 1_000n }, reference: "PG-10234" }],
    });
    // And a payout is called the same by the list and by an enquiry.
    const sent = await able(rail.enquire)(subject({ kind: "disbursement", correlation: order.correlation }));
    expect(sent).toMatchObject({ report: { transactionReference: reports[122]?.transactionReference } });
  });

  test("shows a person what the books cannot take by themselves", async () => {
    const { rail, begin, end, clock } = setUp();
    const names = { correlation: undefined, providerCorrelation: undefined, callbackUrl: undefined };
    end(begin("fee", { ...names, id: "T_SWEEP", amountMinor: 5_000n, reference: "", phone: "221761110001" }));
    expect(await listAll(rail, { from: START, to: clock.now() })).toMatchObject({
      items: [],
      unreadable: [{ detail: expect.stringContaining("T_SWEEP") as string }],
    });
  });
});

test("money cannot go back to a payer whose phone nobody knows", async () => {
  const { rail } = setUp();
  const order = {
    correlation: CORRELATION,
    phone: undefined,
    amount: REQUEST.amount,
    original: undefined,
    reason: "x",
  };
  expect(await able(rail.refund)(order)).toMatchObject({ kind: "refused", isDuplicate: false });
});

test("settings name one way of proving webhooks", () => {
  const settings = {
    apiKey: "wave_sn_key",
    successUrl: "https://seller.example/a",
    errorUrl: "https://seller.example/b",
  };
  expect(() => wave.parseSettings(settings)).toThrow(InvalidSettings);
  expect(() => wave.parseSettings({ ...settings, webhookSecret: "12345678", sharedSecret: "12345678" })).toThrow(
    InvalidSettings,
  );
  expect(wave.parseSettings({ ...settings, webhookSecret: "12345678" }).baseUrl).toBe("https://api.wave.com");
});
