import { describe, expect, test } from "vitest";
import { makeOrangeWebpayFace } from "../../../simulators/rail/orange-webpay.ts";
import { money } from "../../../src/kernel/money.ts";
import { orderIdOf } from "../../../src/payments/rails/orange-webpay/order-id.ts";
import { orangeWebpay } from "../../../src/payments/rails/orange-webpay/orange-webpay.ts";
import { InvalidSettings, type Channel, type Recall } from "../../../src/payments/rails/rail.ts";
import { CORRELATION, able, delivered, makeFaceHttp, makeSmallWorld, nobody, openRail, subject } from "./wave-world.ts";

const CHANNEL: Channel = { name: "orange-ci", country: "CI", currency: "XOF", zone: "Africa/Abidjan" };
const REQUEST = {
  correlation: CORRELATION,
  phone: "+2250701020304",
  amount: money(2_500n, "XOF"),
  reference: "PG-10234",
};

/** The documented notification, as it came. */
const NOTIFICATION = {
  headers: { "content-type": "application/json" },
  body: '{"status":"SUCCESS","notif_token":"dd497bda3b250e536186fc0663f32f40","txnid":"MP150709.1341.A00073"}',
};
const remembering =
  (memory: Record<string, string>): Recall =>
  async ({ remembered }) =>
    Promise.resolve(
      remembered !== undefined && memory[remembered.name] === remembered.value
        ? { correlation: CORRELATION, memory }
        : undefined,
    );

function setUp() {
  const small = makeSmallWorld(makeOrangeWebpayFace, CHANNEL);
  const http = makeFaceHttp(small.face);
  const rail = openRail(orangeWebpay, { settings: small.face.settings(), channel: CHANNEL, http, clock: small.clock });
  return { ...small, http, rail };
}
async function askedFor() {
  const set = setUp();
  const outcome = await able(set.rail.requestPayment)(REQUEST);
  const [transaction] = set.world.transactions;
  if (outcome.kind !== "accepted" || transaction === undefined) throw new Error(JSON.stringify(outcome));
  return { ...set, outcome, transaction, memory: outcome.memory ?? {} };
}

describe("the documented notification", () => {
  const { rail } = setUp();

  test("is known by its token, names its request by it, and has neither amount nor time", async () => {
    const memory = { notif_token: "dd497bda3b250e536186fc0663f32f40", pay_token: "p" };
    expect(await rail.verify(delivered(NOTIFICATION), remembering(memory))).toEqual({ trust: "secret" });
    expect(rail.parse(delivered(NOTIFICATION))).toMatchObject({
      ok: true,
      reports: [
        {
          transactionStatus: "completed",
          transactionReference: "MP150709.1341.A00073",
          correlation: "notif_token:dd497bda3b250e536186fc0663f32f40",
          amount: undefined,
          at: undefined,
        },
      ],
    });
    expect(rail.answer(delivered(NOTIFICATION), { kind: "stored" }).status).toBe(200);
  });

  test("with a token that no payment of ours has is refused", async () => {
    expect(await rail.verify(delivered(NOTIFICATION), nobody)).toMatchObject({ reason: "signature_invalid" });
  });

  test("is compared with the token that was kept, whatever was found", async () => {
    const found: Recall = async () => Promise.resolve({ correlation: CORRELATION, memory: { notif_token: "another" } });
    expect(await rail.verify(delivered(NOTIFICATION), found)).toMatchObject({ reason: "signature_invalid" });
  });

  test.each([
    ["no JSON", "SUCCESS", "malformed"],
    ["no status", '{"notif_token":"a"}', "wrong_type"],
    ["an unknown status", '{"status":"DONE","notif_token":"a","txnid":"MP1"}', "status_unknown"],
    ["success without a transaction", '{"status":"SUCCESS","notif_token":"a","txnid":""}', "wrong_type"],
    ["a NUL in the token", '{"status":"FAILED","notif_token":"a\\u0000"}', "wrong_type"],
  ])("with %s is kept with the reason", (_what, body, reason) => {
    expect(rail.parse(delivered({ headers: {}, body }))).toMatchObject({ ok: false, reason });
  });

  test.each([
    ["EXPIRED", "failed"],
    ["FAILED", "failed"],
    ["INITIATED", "pending"],
    ["PENDING", "pending"],
  ])("with %s means %s", (status, transactionStatus) => {
    const body = JSON.stringify({ status, notif_token: "a", txnid: null });
    expect(rail.parse(delivered({ headers: {}, body }))).toMatchObject({ reports: [{ transactionStatus }] });
  });
});

describe("a payment by Orange's page", () => {
  test("is asked for, announced, and certain once it is asked about", async () => {
    const { rail, face, transaction, outcome, memory, end } = await askedFor();
    expect(outcome.payAt).toMatch(/\/payment\/pay_token\//);
    expect(Object.keys(memory).sort()).toEqual(["notif_token", "pay_token"]);
    const pending = await able(rail.enquire)(subject({ memory, amount: REQUEST.amount }));
    expect(pending).toMatchObject({ kind: "report", report: { transactionStatus: "pending" } });
    end(transaction);
    const [news] = face.deliveries(transaction).map((each) => delivered(each));
    if (news === undefined) throw new Error("nothing was announced");
    expect(await rail.verify(news, remembering(memory))).toEqual({ trust: "secret" });
    const settled = await able(rail.enquire)(subject({ memory, amount: REQUEST.amount }));
    expect(settled).toMatchObject({
      kind: "report",
      report: {
        type: "billpay",
        transactionStatus: "completed",
        transactionReference: transaction.id,
        correlation: CORRELATION,
        reference: "PG-10234",
      },
    });
    expect(rail.parse(news)).toMatchObject({ reports: [{ transactionReference: transaction.id }] });
  });

  test("that expires unpaid is announced by nobody, and failed when asked about", async () => {
    const { rail, face, transaction, memory, end } = await askedFor();
    end(transaction, "timed_out");
    expect(face.deliveries(transaction)).toEqual([]);
    const told = await able(rail.enquire)(subject({ memory, amount: REQUEST.amount }));
    expect(told).toMatchObject({ report: { transactionStatus: "failed", statusReason: "EXPIRED" } });
  });

  test("is not believed from a stranger", async () => {
    const { rail, face, transaction, memory } = await askedFor();
    expect(await rail.verify(delivered(face.forge(transaction)), remembering(memory))).toMatchObject({
      trust: "refused",
      reason: "signature_invalid",
    });
  });

  test("asked for twice under one name is refused as known", async () => {
    const { rail } = await askedFor();
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind: "refused", isDuplicate: true });
  });

  test("whose page's address was lost is unknown, then known by nobody", async () => {
    const { rail, http } = setUp();
    await able(rail.requestPayment)({ ...REQUEST, correlation: "00000000-0000-4000-8000-000000000001" });
    http.fault = "acted_without_answer";
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind: "unknown" });
    expect(await able(rail.enquire)(subject({ amount: REQUEST.amount }))).toMatchObject({ kind: "not_found" });
  });

  test("is not sent while no access token can be had", async () => {
    const { rail, http } = setUp();
    http.fault = "no_answer";
    expect(await able(rail.requestPayment)(REQUEST)).toMatchObject({ kind: "not_sent" });
  });

  test.each([
    [500, "unknown"],
    [429, "not_sent"],
    [401, "not_sent"],
    [400, "refused"],
  ])("answered with %i is %s", async (status, kind) => {
    const { rail, http } = await askedFor();
    http.fault = status;
    const outcome = await able(rail.requestPayment)({ ...REQUEST, correlation: crypto.randomUUID() });
    // A 401 makes us fetch another token, which is refused as well.
    expect(outcome).toMatchObject({ kind });
  });

  test("needs one access token for many requests", async () => {
    const { rail, http, memory } = await askedFor();
    await able(rail.enquire)(subject({ memory, amount: REQUEST.amount }));
    expect(http.sent.filter(({ url }) => url.endsWith("/oauth/v3/token"))).toHaveLength(1);
  });
});

test("our UUID fits Orange's thirty characters, and no two share a name", () => {
  expect(orderIdOf("ffffffff-ffff-4fff-bfff-ffffffffffff")).toHaveLength(25);
  expect(orderIdOf("00000000-0000-4000-8000-000000000001")).toHaveLength(25);
  expect(orderIdOf("00000000-0000-4000-8000-000000000001")).not.toBe(orderIdOf("00000000-0000-4000-8000-000000000002"));
});

test("settings that miss or invent something are refused with a line for each", () => {
  expect(() => orangeWebpay.parseSettings({ merchantKey: "abcd", typo: 1 })).toThrow(InvalidSettings);
});
