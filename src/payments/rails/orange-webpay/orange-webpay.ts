import { MINUTE_MS, SECOND_MS } from "../../../kernel/time.ts";
import { statusFor } from "../outcomes.ts";
import type { Adapter } from "../rail.ts";
import { parseNotification, verifyNotification } from "./notification.ts";
import { makeOrangeClient } from "./orange-webpay.client.ts";
import { parseOrangeWebpaySettings, type OrangeWebpaySettings } from "./settings.ts";

/** A payment page of Orange Money: the payer opens a link, types number and code, and Orange tells us. */
export const orangeWebpay: Adapter<OrangeWebpaySettings> = {
  name: "orange-webpay",
  title: "Orange Money WebPay: the payer opens a link and confirms on Orange's page.",
  parseSettings: parseOrangeWebpaySettings,
  open: (settings, tools) => {
    const client = makeOrangeClient(settings, tools);
    return {
      channel: tools.channel,
      doors: [{ name: "callback", kind: "notice", methods: ["POST"] }],
      // Neither order nor amount is in it, and the token in it is no signature.
      callbackIs: "hint",
      // An order's name is taken once; the same again is refused, not answered with the first page.
      isRequestRepeatable: false,
      isRefundRepeatable: false,
      enquiryNamesPayment: true,
      // The page lives ten minutes.
      enquirySchedule: { firstAfterMs: 30 * SECOND_MS, expiresAfterMs: 10 * MINUTE_MS },
      verify: verifyNotification,
      parse: (delivery) => parseNotification(delivery, tools.channel.name),
      answer: (_delivery, outcome) => statusFor(outcome),
      requestPayment: client.requestPayment,
      enquire: client.enquire,
      refund: { cannot: "Orange Money WebPay only takes money: pay back from the merchant's own account." },
      list: { cannot: "Orange Money WebPay gives no list of payments: each is asked for by itself." },
    };
  },
};
