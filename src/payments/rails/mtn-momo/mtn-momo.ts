import { z } from "zod";
import { MINUTE_MS, SECOND_MS } from "../../../kernel/time.ts";
import { statusFor } from "../outcomes.ts";
import type { Adapter, Delivery, Parsed } from "../rail.ts";
import { isUuid } from "../reading.ts";
import { baseUrl, bookName, parseBy, secret } from "../settings.ts";
import { makeMtnClient, type Product } from "./mtn-momo.client.ts";
import { parseStatus } from "./status.ts";

export interface MtnMomoSettings {
  readonly baseUrl: string;
  /** X-Target-Environment: `mtnuganda`, `mtnrwanda`, `sandbox` … */
  readonly targetEnvironment: string;
  readonly collection: Product;
  /** Another subscription at MTN, with keys of its own; without it nothing can be paid out. */
  readonly disbursement?: Product | undefined;
  /** Names our wallet in the books. */
  readonly creditParty: string;
}

const product = z.strictObject({ subscriptionKey: secret(), apiUser: secret(), apiKey: secret() });
const settingsShape = z.strictObject({
  baseUrl,
  targetEnvironment: z.string().regex(/^[A-Za-z0-9_-]{2,40}$/),
  collection: product,
  disbursement: product.optional(),
  creditParty: bookName.optional(),
});

/** Long enough for a payer to find the phone, short enough that the light follows the PIN. */
const FIRST_ENQUIRY_AFTER_MS = 20 * SECOND_MS;
/** MTN gives the payer five minutes; the rest is room for its own queues. */
const EXPIRES_AFTER_MS = 30 * MINUTE_MS;

/**
 * MTN's wallet in Uganda, Rwanda, Ghana, Cameroon and others. Its callback is not signed, is sent once and never again,
 * and does not carry the name of the request: the name is in the address, and an enquiry always decides.
 */
export const mtnMomo: Adapter<MtnMomoSettings> = {
  name: "mtn-momo",
  title: "MTN MoMo: payment prompts by the Collection API, refunds by the Disbursement API.",
  parseSettings(given) {
    const read = parseBy(settingsShape, given);
    return { ...read, creditParty: read.creditParty ?? read.targetEnvironment };
  },
  open(settings, tools) {
    const { channel } = tools;
    const client = makeMtnClient(settings, tools);
    return {
      channel,
      doors: [{ name: "callback", kind: "notice", methods: ["POST", "PUT"] }],
      callbackIs: "hint",
      isRequestRepeatable: true,
      isRefundRepeatable: true,
      enquiryNamesPayment: true,
      enquirySchedule: { firstAfterMs: FIRST_ENQUIRY_AFTER_MS, expiresAfterMs: EXPIRES_AFTER_MS },
      verify: () => Promise.resolve({ trust: "unsigned" }),
      parse: (delivery) => parseCallback(delivery, settings),
      // MTN reads the status alone and does not try again, whatever it is.
      answer: (_delivery, outcome) => statusFor(outcome),
      requestPayment: client.requestPayment,
      enquire: client.enquire,
      refund: client.refund ?? {
        cannot:
          "MTN pays out by its Disbursement product only: add its keys as `disbursement` to this rail's settings.",
      },
      list: { cannot: "MTN MoMo has no list of transactions; each request is enquired about by its name." },
    };

    function parseCallback(delivery: Delivery, { creditParty }: MtnMomoSettings): Parsed {
      const { parameter } = delivery;
      if (parameter === undefined || !isUuid(parameter)) {
        return {
          ok: false,
          reason: "intent_unknown",
          field: undefined,
          detail: "The address carries no name of a request, so nobody can tell which payment this is about.",
          providerId: undefined,
        };
      }
      return parseStatus(delivery.raw, {
        channel,
        creditParty,
        correlation: parameter.toLowerCase(),
        subject: "payment",
      });
    }
  },
};
