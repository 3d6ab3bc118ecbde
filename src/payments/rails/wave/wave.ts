import { MINUTE_MS } from "../../../kernel/time.ts";
import { statusFor } from "../outcomes.ts";
import type { Adapter } from "../rail.ts";
import { verifyWave } from "./proof.ts";
import { parseWaveSettings, type WaveSettings } from "./settings.ts";
import { makeWaveListing } from "./wave-list.client.ts";
import { parseWaveEvent } from "./wave-reports.ts";
import { makeWaveClient } from "./wave.client.ts";

/** Wave Business: a payment page that opens in the payer's Wave app, and signed webhooks. */
export const wave: Adapter<WaveSettings> = {
  name: "wave",
  title: "Wave: the payer opens a link in the Wave app, or pays by our code; payments are announced with a signature.",
  parseSettings: parseWaveSettings,
  open: (settings, tools) => {
    const client = makeWaveClient(settings, tools);
    return {
      channel: tools.channel,
      doors: [{ name: "callback", kind: "notice", methods: ["POST"] }],
      callbackIs: "evidence",
      // By its key; and were it to make two pages, the payer is sent the address of one.
      isRequestRepeatable: true,
      isRefundRepeatable: true,
      enquiryNamesPayment: true,
      // A page that Wave made tells by itself when it has expired; one that Wave never heard of is given up after half an hour.
      enquirySchedule: { firstAfterMs: MINUTE_MS, expiresAfterMs: 30 * MINUTE_MS },
      verify: async (delivery) => verifyWave(delivery, settings.proof),
      parse: (delivery) => parseWaveEvent(delivery, tools.channel),
      answer: (_delivery, outcome) => statusFor(outcome),
      requestPayment: client.requestPayment,
      enquire: client.enquire,
      refund: client.refund,
      list: makeWaveListing(tools, client.get),
    };
  },
};
