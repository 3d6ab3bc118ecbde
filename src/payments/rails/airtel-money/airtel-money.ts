import { z } from "zod";
import { MINUTE_MS } from "../../../kernel/time.ts";
import { statusFor } from "../outcomes.ts";
import type { Adapter } from "../rail.ts";
import { baseUrl, bookName, parseBy, secret } from "../settings.ts";
import { makeAirtelClient } from "./airtel-money.client.ts";
import { parseCallback } from "./status.ts";
import { verifyHash } from "./signature.ts";

export interface AirtelMoneySettings {
  readonly baseUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The private key of callback authentication, from the application's page at Airtel. */
  readonly callbackKey: string;
  /** The disbursement PIN, encrypted with Airtel's public key; without it nothing can be paid out. */
  readonly disbursementPin?: string | undefined;
  /** Names our wallet in the books; the channel's name when absent. */
  readonly merchant?: string | undefined;
}

const settingsShape = z.strictObject({
  baseUrl,
  clientId: secret(),
  clientSecret: secret(),
  // An HMAC is worth no more than its key.
  callbackKey: secret(8),
  disbursementPin: secret().optional(),
  merchant: bookName.optional(),
});

/** "Enquire three minutes after the request": before that Airtel's answer may be anything. */
const FIRST_ENQUIRY_AFTER_MS = 3 * MINUTE_MS;
const EXPIRES_AFTER_MS = 30 * MINUTE_MS;

const RECEIVED = { status: { code: "200", message: "Received", success: true } };

/**
 * Airtel Money in its fourteen countries. Its callback names neither amount, currency nor payer, may tell of a state
 * that is not the last, and may be signed or not: it is a hint, and an enquiry decides.
 */
export const airtelMoney: Adapter<AirtelMoneySettings> = {
  name: "airtel-money",
  title: "Airtel Money: payment prompts by the Collection API, refunds by the Disbursement API.",
  parseSettings: (given) => parseBy(settingsShape, given),
  open(settings, tools) {
    const creditParty = settings.merchant ?? tools.channel.name;
    const client = makeAirtelClient({ ...settings, creditParty }, tools);
    return {
      channel: tools.channel,
      doors: [{ name: "callback", kind: "notice", methods: ["POST"] }],
      callbackIs: "hint",
      isRequestRepeatable: true,
      isRefundRepeatable: true,
      enquiryNamesPayment: true,
      enquirySchedule: { firstAfterMs: FIRST_ENQUIRY_AFTER_MS, expiresAfterMs: EXPIRES_AFTER_MS },
      verify: (delivery) => Promise.resolve(verifyHash(delivery.raw, settings.callbackKey)),
      parse: (delivery) => parseCallback(delivery.raw, creditParty),
      answer: (_delivery, outcome) => {
        const { status } = statusFor(outcome);
        return status === 200 ? { status, body: RECEIVED } : { status };
      },
      requestPayment: client.requestPayment,
      enquire: client.enquire,
      refund: client.refund ?? {
        cannot: "Airtel pays out with a PIN only: add it, encrypted, as `disbursementPin` to this rail's settings.",
      },
      list: { cannot: "Airtel's collection API has no list of transactions; each is enquired about by its name." },
    };
  },
};
