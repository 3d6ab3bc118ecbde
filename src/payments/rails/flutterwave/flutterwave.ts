import { MINUTE_MS, SECOND_MS } from "../../../kernel/time.ts";
import { statusFor } from "../outcomes.ts";
import type { Adapter } from "../rail.ts";
import { parseFlutterwaveEvent, verifyHash } from "./charge.ts";
import { makeFlutterwaveListing } from "./flutterwave-list.client.ts";
import { chargeTypeOf, makeFlutterwaveClient } from "./flutterwave.client.ts";
import { parseFlutterwaveSettings, type FlutterwaveSettings } from "./settings.ts";

/** Flutterwave version 3: mobile money of many operators in many countries through one account. */
export const flutterwave: Adapter<FlutterwaveSettings> = {
  name: "flutterwave",
  title:
    "Flutterwave (v3): mobile money of many countries through one account; every webhook is verified by an enquiry.",
  parseSettings: parseFlutterwaveSettings,
  open: (settings, tools) => {
    const client = makeFlutterwaveClient(settings, tools);
    return {
      channel: tools.channel,
      doors: [{ name: "callback", kind: "notice", methods: ["POST"] }],
      // Flutterwave itself asks receivers to verify status, currency and amount before they give value.
      callbackIs: "hint",
      isRequestRepeatable: false,
      isRefundRepeatable: false,
      enquiryNamesPayment: true,
      enquirySchedule: { firstAfterMs: 30 * SECOND_MS, expiresAfterMs: 15 * MINUTE_MS },
      verify: async (delivery) => verifyHash(delivery, settings.verifHash),
      parse: (delivery) => parseFlutterwaveEvent(delivery, tools.channel),
      answer: (_delivery, outcome) => statusFor(outcome),
      requestPayment:
        chargeTypeOf(tools.channel.country) === undefined
          ? { cannot: `Flutterwave has no mobile money in ${tools.channel.country}.` }
          : client.requestPayment,
      enquire: client.enquire,
      refund: client.refund,
      list: makeFlutterwaveListing(tools, client.get),
    };
  },
};
