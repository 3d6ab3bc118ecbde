import { generateKeyPairSync } from "node:crypto";
import type { Channel, Delivery } from "../../../src/payments/rails/rail.ts";
import { signWave } from "../../../src/payments/rails/wave/proof.ts";

export const NOW = new Date("2026-11-20T10:13:30Z");
export const CORRELATION = "90fab171-a8f9-4713-8283-1eacfbd3dcda";
export const NOTIF_TOKEN = "dd497bda3b250e536186fc0663f32f40";

type Body = Readonly<Record<string, unknown>>;
/** What comes to a door: the body, and what proves it. */
export interface Came extends Pick<Delivery, "door" | "headers"> {
  readonly parameter?: string;
  readonly body: Body;
}

/** What the contract test must know of an adapter to hold it to the promises of the port. */
export interface PortCase {
  readonly channel: Channel;
  readonly settings: object;
  /** A payment that was completed; the amount as the provider would write it, in the currency that is given. */
  good(amount?: string, currency?: string): Came;
  /** Undefined where the callback names no amount: an enquiry does, or the intent. */
  readonly amounts: { readonly right: string; readonly tooFine: string } | undefined;
  /** Deliveries that somebody else made up, under the settings above and these. Empty where nothing is signed. */
  readonly forgeries: readonly { readonly settings?: object; readonly came: Came }[];
  /** Outcomes that are answered with success although nothing was stored, and why this provider wants it so. */
  readonly yesAnyway: Readonly<Partial<Record<"conflict" | "unusable", string>>>;
}

const quarantined =
  "It repeats for hours or days until it hears 2xx; what is kept in quarantine never becomes another.";
const readsNothing =
  "It sends once and reads the status for its log alone; what is kept in quarantine is ours to settle.";

const mpesa = (amount = "50.00", currency?: string): Came => ({
  door: "confirmation",
  headers: {},
  body: {
    TransactionType: "Pay Bill",
    TransID: "RKL51ZDR4F",
    TransTime: "20261120131325",
    TransAmount: amount,
    BusinessShortCode: "600966",
    BillRefNumber: "PG-10234",
    MSISDN: "254708374149",
    FirstName: "Achieng",
    ...(currency === undefined ? {} : { Currency: currency }),
  },
});

const mtn = (amount = "500", currency = "UGX"): Came => ({
  door: "callback",
  parameter: CORRELATION,
  headers: {},
  body: {
    financialTransactionId: "23503452",
    externalId: "PG-10234",
    amount,
    currency,
    payer: { partyIdType: "MSISDN", partyId: "256772123456" },
    status: "SUCCESSFUL",
  },
});

const airtel = (): Came => ({
  door: "callback",
  headers: {},
  body: {
    transaction: { id: CORRELATION.replaceAll("-", ""), status_code: "TS", airtel_money_id: "MP210603.1234.L06941" },
  },
});

const orange = (): Came => ({
  door: "callback",
  headers: {},
  body: { status: "SUCCESS", notif_token: NOTIF_TOKEN, txnid: "MP150709.1341.A00073" },
});

const WAVE_SECRET = "wave_sn_WHS_test_secret";
function wave(amount = "2500", currency = "XOF", secret = WAVE_SECRET): Came {
  const body = {
    id: "AE_ijzo7oGgrlM7",
    type: "checkout.session.completed",
    data: {
      id: "cos-18qq25rgr100a",
      amount,
      currency,
      client_reference: CORRELATION,
      checkout_status: "complete",
      payment_status: "succeeded",
      transaction_id: "TCN4Y4ZC3FM",
      when_completed: "2026-11-20T10:13:20Z",
    },
  };
  const timestamp = String(NOW.getTime() / 1_000);
  const signature = signWave(secret, timestamp, Buffer.from(JSON.stringify(body)));
  return { door: "callback", headers: { "wave-signature": `t=${timestamp},v1=${signature}` }, body };
}

const flutterwave = (amount = "5000", currency = "UGX", hash = "our-configured-secret"): Came => ({
  door: "callback",
  headers: { "verif-hash": hash },
  body: {
    event: "charge.completed",
    data: {
      id: 285_959_875,
      tx_ref: CORRELATION,
      amount,
      currency,
      status: "successful",
      customer: { phone_number: "256772123456" },
      created_at: "2026-11-20T10:13:20.000Z",
    },
  },
});

const pawapay = (amount = "5000", currency = "UGX"): Came => ({
  door: "callback",
  headers: {},
  body: {
    depositId: CORRELATION,
    status: "COMPLETED",
    requestedAmount: amount,
    depositedAmount: amount,
    currency,
    correspondent: "MTN_MOMO_UGA",
    payer: { type: "MSISDN", address: { value: "256772123456" } },
    created: "2026-11-20T10:13:20Z",
  },
});

const CALLBACK_KEY = "the-key-of-callbacks";
const gsma = (amount = "200", currency = "RWF", key = CALLBACK_KEY): Came => ({
  door: "callback",
  parameter: CORRELATION,
  headers: { "x-api-key": key },
  body: {
    transactionReference: "REF-1637907197912",
    transactionStatus: "completed",
    amount,
    currency,
    type: "merchantpay",
    debitParty: [{ key: "msisdn", value: "+250788123456" }],
    creditParty: [{ key: "accountid", value: "2999" }],
    creationDate: "2026-11-20T12:13:20",
  },
});

const pem = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey.export({ type: "spki", format: "pem" });
const signed = { requireSignature: true, publicKeys: { "key-1": pem } };
const francs = { whole: "2500", tooFine: "2500.5" };
const account = { baseUrl: "https://provider.example", clientId: "client-id", clientSecret: "client-secret" };
const airtelHash = { ...airtel(), body: { ...airtel().body, hash: `${"A".repeat(43)}=` } };

export const PORT_CASES: Readonly<Record<string, PortCase>> = {
  daraja: {
    channel: { name: "mpesa-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi" },
    settings: { baseUrl: "https://provider.example", shortcodes: ["600966"] },
    good: mpesa,
    amounts: { right: "50.00", tooFine: "50.005" },
    forgeries: [],
    yesAnyway: {},
  },
  "mtn-momo": {
    channel: { name: "mtn-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
    settings: {
      baseUrl: "https://provider.example",
      targetEnvironment: "mtnuganda",
      collection: { subscriptionKey: "a-key", apiUser: "user", apiKey: "key-of-tests" },
    },
    good: mtn,
    amounts: { right: "500", tooFine: "500.5" },
    forgeries: [],
    yesAnyway: { conflict: readsNothing, unusable: readsNothing },
  },
  "airtel-money": {
    channel: { name: "airtel-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
    settings: { ...account, callbackKey: "callback-key" },
    good: airtel,
    amounts: undefined,
    forgeries: [{ came: airtelHash }],
    yesAnyway: { conflict: readsNothing, unusable: readsNothing },
  },
  "orange-webpay": {
    channel: { name: "orange-ci", country: "CI", currency: "XOF", zone: "Africa/Abidjan" },
    settings: {
      ...account,
      merchantKey: "merchant-key",
      countryPath: "ci",
      returnUrl: "https://seller.example/paid",
      cancelUrl: "https://seller.example/cancelled",
    },
    good: orange,
    amounts: undefined,
    forgeries: [{ came: { ...orange(), body: { ...orange().body, notif_token: "of-somebody-else" } } }],
    yesAnyway: { conflict: readsNothing, unusable: readsNothing },
  },
  wave: {
    channel: { name: "wave-sn", country: "SN", currency: "XOF", zone: "Africa/Dakar" },
    settings: {
      apiKey: "wave-api-key",
      webhookSecret: WAVE_SECRET,
      successUrl: "https://seller.example/paid",
      errorUrl: "https://seller.example/failed",
    },
    good: wave,
    amounts: { right: francs.whole, tooFine: francs.tooFine },
    forgeries: [
      { came: wave(undefined, undefined, "another-secret") },
      { came: { ...wave(), body: wave("999").body } },
      { came: { ...wave(), headers: {} } },
    ],
    yesAnyway: { conflict: quarantined, unusable: quarantined },
  },
  flutterwave: {
    channel: { name: "flutterwave-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
    settings: { secretKey: "FLWSECK-of-tests", verifHash: "our-configured-secret", payerEmail: "pay@seller.example" },
    good: flutterwave,
    amounts: { right: "5000", tooFine: "5000.5" },
    forgeries: [
      { came: flutterwave(undefined, undefined, "another-secret") },
      { came: { ...flutterwave(), headers: {} } },
    ],
    yesAnyway: { conflict: quarantined, unusable: quarantined },
  },
  pawapay: {
    channel: { name: "pawapay-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" },
    settings: { apiToken: "token-of-tests", correspondent: "MTN_MOMO_UGA" },
    good: pawapay,
    amounts: { right: "5000", tooFine: "5000.5" },
    forgeries: [
      { settings: signed, came: pawapay() },
      { settings: signed, came: { ...pawapay(), headers: { signature: "sig=:AAAA:", "signature-input": "sig=()" } } },
    ],
    // Another story under the same id is kept as a conflict; its 400 would only bring it again for a quarter of an hour.
    yesAnyway: { conflict: quarantined },
  },
  "gsma-mmapi": {
    channel: { name: "gsma-rw", country: "RW", currency: "RWF", zone: "Africa/Kigali" },
    settings: {
      baseUrl: "https://provider.example",
      apiKey: "key-of-tests",
      account: { key: "accountid", value: "2999" },
      callbackKey: CALLBACK_KEY,
    },
    good: gsma,
    amounts: { right: "200", tooFine: "200.5" },
    forgeries: [
      { came: gsma(undefined, undefined, "another-key") },
      { came: { ...gsma(), headers: {} } },
      { came: { ...gsma(), headers: { ...gsma().headers, "x-content-hash": "0".repeat(64) } } },
    ],
    yesAnyway: { conflict: quarantined },
  },
};
