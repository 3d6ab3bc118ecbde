import { createHmac, generateKeyPairSync } from "node:crypto";
import { expect } from "vitest";
import type { Recall } from "../../src/payments/rails/rail.ts";
import { ask, come, CORRELATION, enquire, missingFields, open, type Outcomes } from "./payload-samples.open.ts";

const masked = { phone: undefined, hash: undefined };
const ugx = (minor: bigint) => ({ minor, currency: "UGX" });

/** The samples of all other providers. */
export const OTHER_OUTCOMES: Outcomes = {
  "30-mtn-requesttopay.json": {
    told: async ({ request }) => {
      const asked = { phone: "+256772123456", minor: 5_000n, reference: "PG-10234" };
      const { outcome, sent } = await ask("mtn-momo", { status: 202 }, asked);
      const { amount, currency, externalId, payer } = sent?.body ?? {};
      const documented = request.body;
      return {
        outcome,
        path: sent?.path,
        missing: missingFields(sent?.headers, request.headers),
        isAsDocumented: [amount, currency, externalId, payer].every(
          (value, at) =>
            JSON.stringify(value) ===
            JSON.stringify(
              [documented["amount"], documented["currency"], documented["externalId"], documented["payer"]][at],
            ),
        ),
      };
    },
    comesTo: {
      outcome: { kind: "accepted" },
      path: "/collection/v1_0/requesttopay",
      missing: [],
      isAsDocumented: true,
    },
  },
  "31-mtn-callback-successful.json": {
    told: async ({ request }) => come(open("mtn-momo").rail, request, { parameter: CORRELATION }),
    comesTo: {
      trust: "unsigned",
      transactionStatus: "completed",
      transactionReference: "1927264368",
      correlation: CORRELATION,
      amount: ugx(5_000n),
      reference: "PG-10234",
      payer: { phone: "+256772123456" },
      answer: { status: 200 },
    },
  },
  "32-mtn-callback-failed.json": {
    told: async ({ request }) => come(open("mtn-momo").rail, request, { parameter: CORRELATION }),
    comesTo: {
      transactionStatus: "failed",
      correlation: CORRELATION,
      statusReason: expect.stringContaining("COULD_NOT_PERFORM_TRANSACTION") as string,
      answer: { status: 200 },
    },
  },
  "33-mtn-status-pending.json": {
    told: async ({ providerReply }) => enquire("mtn-momo", { status: 200, body: providerReply }),
    comesTo: { kind: "report", report: { transactionStatus: "pending", amount: ugx(5_000n) } },
  },
  "40-airtel-collection-request.json": {
    told: async ({ request, providerReply }) => {
      const asked = { phone: "+256752123456", minor: 1_000n, reference: "PG-10234" };
      const { outcome, sent } = await ask("airtel-money", { status: 200, body: providerReply }, asked);
      const { reference, subscriber, transaction } = sent?.body ?? {};
      return {
        outcome,
        path: sent?.path,
        missing: missingFields(sent?.headers, request.headers),
        reference,
        subscriber,
        transaction,
      };
    },
    comesTo: {
      // "In progress", though it says SUCCESS: nothing is paid yet.
      outcome: { kind: "accepted" },
      path: "/merchant/v1/payments/",
      missing: [],
      reference: "PG10234",
      subscriber: { country: "UG", currency: "UGX", msisdn: "752123456" },
      transaction: { amount: 1_000, country: "UG", currency: "UGX" },
    },
  },
  "41-airtel-callback-authenticated.json": {
    told: async ({ request }) => {
      const { rail } = open("airtel-money");
      // The key behind the documented hash is not published: with ours it is a forgery, and both forms of ours are right.
      const forms = (text: string) => [text, `{"transaction":${text}}`];
      const trusts = await Promise.all(
        forms(JSON.stringify(request.body["transaction"])).map(async (text) => {
          const hash = createHmac("sha256", "callback-key").update(text).digest("base64");
          return (await come(rail, { ...request, body: { ...request.body, hash } })).trust;
        }),
      );
      return { ...(await come(rail, request)), trusts, callbackIs: rail.callbackIs };
    },
    comesTo: {
      trust: "refused",
      trusts: ["signed", "signed"],
      callbackIs: "hint",
      transactionStatus: "completed",
      transactionReference: "MP210603.1234.L06941",
      amount: undefined,
      payer: masked,
      answer: { status: 200 },
    },
  },
  "42-airtel-callback-in-progress.json": {
    told: async ({ request }) => come(open("airtel-money").rail, request),
    comesTo: { trust: "unsigned", transactionStatus: "pending", answer: { status: 200 } },
  },
  "45-orange-webpay-notification.json": {
    told: async ({ request }) => {
      const memory = { notif_token: "dd497bda3b250e536186fc0663f32f40" };
      const recall: Recall = async ({ remembered }) =>
        Promise.resolve(remembered?.value === memory.notif_token ? { correlation: CORRELATION, memory } : undefined);
      const { rail } = open("orange-webpay");
      const { trust: fromStranger } = await come(rail, request);
      return { ...(await come(rail, request, { recall })), fromStranger, callbackIs: rail.callbackIs };
    },
    comesTo: {
      trust: "secret",
      fromStranger: "refused",
      callbackIs: "hint",
      transactionStatus: "completed",
      transactionReference: "MP150709.1341.A00073",
      correlation: "notif_token:dd497bda3b250e536186fc0663f32f40",
      amount: undefined,
      answer: { status: 200 },
    },
  },
  "46-wave-webhook-signed.json": {
    told: async ({ request }) => {
      const { rail } = open("wave");
      const tampered = { ...request, rawBody: request.rawBody?.replace('"2500"', '"2501"') ?? "" };
      return { ...(await come(rail, request)), tampered: (await come(rail, tampered)).trust };
    },
    comesTo: {
      trust: "signed",
      tampered: "refused",
      transactionStatus: "completed",
      transactionReference: "TCN4Y4ZC3FM",
      amount: { minor: 2_500n, currency: "XOF" },
      reference: "PG-10234",
      at: new Date("2026-11-20T10:13:04Z"),
      answer: { status: 200 },
    },
  },
  "47-flutterwave-v3-webhook.json": {
    told: async ({ request }) => {
      const { rail } = open("flutterwave");
      return { ...(await come(rail, request)), callbackIs: rail.callbackIs };
    },
    comesTo: {
      trust: "secret",
      callbackIs: "hint",
      transactionStatus: "completed",
      transactionReference: "FLW-285959875",
      amount: ugx(5_000n),
      reference: "PG-10234-01JCZ",
      payer: { phone: "+256772123456" },
      answer: { status: 200 },
    },
  },
  "48-pawapay-deposit-callback.json": {
    told: async ({ request }) => {
      const { rail } = open("pawapay");
      const { "Content-Type": type = "" } = request.headers;
      const unsigned = await come(rail, { ...request, headers: { "Content-Type": type } });
      // The documented signature is an ellipsis: where signatures are checked it is refused, where not nobody believes it.
      const pem = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
      const strict = open("pawapay", undefined, { publicKeys: { "HTTP_EC_P256_KEY:1": pem }, requireSignature: true });
      return { ...unsigned, whereChecked: (await come(strict.rail, request)).trust, callbackIs: rail.callbackIs };
    },
    comesTo: {
      trust: "unsigned",
      whereChecked: "refused",
      callbackIs: "hint",
      transactionStatus: "completed",
      transactionReference: "F4401BD2-1568-4140-BF2D-EB77D2B2B639",
      correlation: "f4401bd2-1568-4140-bf2d-eb77d2b2b639",
      amount: ugx(5_000n),
      payer: { phone: "+256772123456" },
      answer: { status: 200 },
    },
  },
  "49-gsma-mmapi-merchantpay.json": {
    told: async ({ request, providerReply, callback }) => {
      const reply = { status: Number(providerReply?.["status"]), body: providerReply?.["body"] };
      const asked = { phone: "+250788123456", minor: 200n, reference: "PG-10234" };
      const { outcome, sent } = await ask("gsma-mmapi", reply, asked);
      if (callback === undefined) throw new Error("The sample has a callback.");
      const { "X-Channel": _, ...needed } = request.headers;
      return {
        outcome,
        path: sent?.path,
        missing: missingFields(sent?.headers, needed),
        fields: missingFields(sent?.body, request.body),
        ...(await come(open("gsma-mmapi").rail, callback, { parameter: CORRELATION })),
      };
    },
    comesTo: {
      outcome: { kind: "accepted", providerCorrelation: "2e9ce6e1-8bbc-4938-9274-418c28e78f80" },
      path: "/transactions/type/merchantpay",
      missing: [],
      fields: [],
      transactionStatus: "completed",
      transactionReference: "REF-1637907197912",
      correlation: CORRELATION,
      amount: { minor: 200n, currency: "RWF" },
      answer: { status: 204 },
    },
  },
};
