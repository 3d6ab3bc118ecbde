import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { makeManualClock } from "../../src/kernel/time.ts";
import type { OutboundRequest } from "../../src/platform/outbound.ts";
import { isAble, type Delivery, type EnquirySubject, type Rail, type Recall } from "../../src/payments/rails/rail.ts";
import { ADAPTERS } from "../../src/payments/rails/registry.ts";

export const FOLDER = `${import.meta.dirname}/samples`;
export const NOW = new Date("2026-11-20T10:13:30Z");
export const CORRELATION = "90fab171-a8f9-4713-8283-1eacfbd3dcda";
export const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();

const CHANNELS = {
  daraja: { name: "mpesa-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi" },
  "mtn-momo": { name: "mtn-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
  "airtel-money": { name: "airtel-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
  "orange-webpay": { name: "orange-ci", country: "CI", currency: "XOF", zone: "Africa/Abidjan" },
  wave: { name: "wave-sn", country: "SN", currency: "XOF", zone: "Africa/Dakar" },
  flutterwave: { name: "flutterwave-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
  pawapay: { name: "pawapay-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
  "gsma-mmapi": { name: "gsma-rw", country: "RW", currency: "RWF", zone: "Africa/Kigali" },
} as const;
type AdapterName = keyof typeof CHANNELS;

const SETTINGS: Readonly<Record<AdapterName, object>> = {
  daraja: {
    baseUrl: "https://sandbox.safaricom.co.ke",
    shortcodes: ["600966", "123123", "174379", "600310", "600992", "600000"],
    consumerKey: "key-of-tests",
    consumerSecret: "secret-of-tests",
    stk: { shortcode: "174379", passkey: "passkey-of-tests", transactionType: "CustomerPayBillOnline" },
    initiator: { name: "api-user", securityCredential: "credential", b2cShortcode: "600310" },
    pull: { shortcode: "600000" },
  },
  "mtn-momo": {
    baseUrl: "https://sandbox.momodeveloper.mtn.com",
    targetEnvironment: "mtnuganda",
    collection: { subscriptionKey: "<key>", apiUser: "user", apiKey: "key-of-tests" },
  },
  "airtel-money": {
    baseUrl: "https://openapiuat.airtel.africa",
    clientId: "client",
    clientSecret: "client-secret",
    callbackKey: "callback-key",
  },
  "orange-webpay": {
    baseUrl: "https://api.orange.com",
    clientId: "client-id",
    clientSecret: "client-secret",
    merchantKey: "merchant-key",
    countryPath: "ci",
    returnUrl: "https://seller.example/paid",
    cancelUrl: "https://seller.example/cancelled",
  },
  wave: {
    apiKey: "wave-api-key",
    webhookSecret: "wave_sn_WHS_test_secret",
    successUrl: "https://seller.example/paid",
    errorUrl: "https://seller.example/failed",
  },
  flutterwave: {
    baseUrl: "https://api.flutterwave.com",
    secretKey: "FLWSECK-of-tests",
    verifHash: "our-configured-secret",
    payerEmail: "payments@seller.example",
  },
  pawapay: { apiToken: "token-of-tests", correspondent: "MTN_MOMO_UGA" },
  "gsma-mmapi": {
    baseUrl: "https://mm.example.rw",
    apiKey: "key-of-tests",
    account: { key: "accountid", value: "2999" },
  },
};

/** A sample as it is written down. */
export interface Sample {
  readonly request: {
    readonly method: string;
    readonly url?: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Readonly<Record<string, unknown>>;
    readonly rawBody?: string;
  };
  readonly callback?: Sample["request"];
  readonly providerReply?: Readonly<Record<string, unknown>>;
  readonly expectedMerchantReply?: { readonly status: number; readonly body?: object };
}

export async function sampleOf(file: string): Promise<Sample> {
  return JSON.parse(await readFile(`${FOLDER}/${file}`, "utf8")) as Sample;
}

/** The adapter, with a provider that gives this one answer; tokens are given to everybody. */
export function open(
  name: AdapterName,
  answer: { status: number; body?: unknown } = { status: 500 },
  more: object = {},
) {
  const sent: { path: string; headers: Readonly<Record<string, string>>; body: Record<string, unknown> }[] = [];
  const adapter = ADAPTERS.find((one) => one.name === name);
  if (adapter === undefined) throw new Error(`There is no adapter ${name}.`);
  const http = {
    send: async ({ url, headers = {}, body }: OutboundRequest) => {
      const isLogin = /oauth|token/.test(url);
      const path = new URL(url, "https://provider.example").pathname;
      if (!isLogin) sent.push({ path, headers, body: body === undefined ? {} : (JSON.parse(String(body)) as never) });
      const told = isLogin ? { status: 200, body: { access_token: "t", expires_in: "3599" } } : answer;
      const text = told.body === undefined ? "" : JSON.stringify(told.body);
      return Promise.resolve({ status: told.status, headers: {}, raw: Buffer.from(text), text });
    },
  };
  const callbackUrl = (door: string, parameter?: string): string =>
    `https://pay.example.org/rails/x/secret/${door}${parameter === undefined ? "" : `/${parameter}`}`;
  const tools = { channel: CHANNELS[name], http, clock: makeManualClock(NOW), callbackUrl };
  return { rail: adapter.open(adapter.parseSettings({ ...SETTINGS[name], ...more }), tools), sent };
}

export interface Came {
  readonly door?: string;
  readonly parameter?: string;
  readonly recall?: Recall;
}

/** What the adapter makes of a callback: whom it trusts, what it reads, and what it answers once that is stored. */
export async function come(rail: Rail, { method, headers, body, rawBody }: Sample["request"], came: Came = {}) {
  const { door = "callback", parameter, recall = async () => Promise.resolve(undefined) } = came;
  const delivery: Delivery = {
    door,
    parameter,
    method,
    url: `https://pay.example.org/rails/x/secret/${door}`,
    headers: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value])),
    raw: Buffer.from(rawBody ?? JSON.stringify(body)),
    receivedAt: NOW,
  };
  const verdict = await rail.verify(delivery, recall);
  const parsed = rail.parse(delivery);
  const answer = rail.answer(delivery, parsed.ok ? { kind: "stored" } : { kind: "unusable", ...parsed });
  const read = parsed.ok ? parsed.reports[0] : { refused: parsed.reason };
  return { trust: verdict.trust, ...read, answer };
}

/** Asks for a payment as the sample does, and gives the provider's documented answer. */
export async function ask(
  name: AdapterName,
  answer: { status: number; body?: unknown },
  { phone, minor, reference }: { phone: string; minor: bigint; reference: string },
) {
  const { rail, sent } = open(name, answer);
  const amount = { minor, currency: CHANNELS[name].currency };
  if (!isAble(rail.requestPayment)) throw new Error(rail.requestPayment.cannot);
  const outcome = await rail.requestPayment({ correlation: CORRELATION, phone, amount, reference });
  return { outcome, sent: sent[0] };
}

const SUBJECT: EnquirySubject = {
  kind: "payment",
  correlation: CORRELATION,
  providerCorrelation: "ws_CO_1007202409152617172396192",
  transactionReference: undefined,
  amount: { minor: 5_000n, currency: "UGX" },
  reference: "PG-10234",
  memory: {},
  requestedAt: NOW,
};
export async function enquire(name: AdapterName, answer: { status: number; body?: unknown }) {
  const { rail } = open(name, answer);
  if (!isAble(rail.enquire)) throw new Error(rail.enquire.cannot);
  return await rail.enquire(SUBJECT);
}

/** Fields of the documented request that ours does not have. */
export function missingFields(
  sent: Readonly<Record<string, unknown>> | undefined,
  documented: Readonly<Record<string, unknown>>,
): readonly string[] {
  const have = new Set(Object.keys(sent ?? {}).map((name) => name.toLowerCase()));
  return Object.keys(documented).filter((name) => !have.has(name.toLowerCase()));
}

/** What each sample comes to: how it is told, and what is read. */
export type Outcomes = Readonly<
  Record<string, { readonly told: (sample: Sample) => Promise<unknown>; readonly comesTo: object }>
>;
