import { money } from "../../../src/kernel/money.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import type { OutboundRequest } from "../../../src/platform/outbound.ts";
import { airtelMoney } from "../../../src/payments/rails/airtel-money/airtel-money.ts";
import { isAble, type Channel } from "../../../src/payments/rails/rail.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { doorUrl, makeScriptedHttp } from "./mtn-momo.simulator.ts";

export const CORRELATION = "90fab171-a8f9-4713-8283-1eacfbd3dcda";
export const TRANSACTION_ID = "90fab171a8f9471382831eacfbd3dcda";
export const CALLBACK_KEY = "the-callback-key";
export const channel: Channel = { name: "airtel-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" };
export const settings = {
  baseUrl: "https://openapiuat.airtel.africa",
  clientId: "client",
  clientSecret: "secret",
  callbackKey: CALLBACK_KEY,
  disbursementPin: "KYJencrypted",
};
export const request = {
  correlation: CORRELATION,
  phone: "+256752123456",
  amount: money(1_000n, "UGX"),
  reference: "PG-10234",
};

export function openWith(answer: (request: OutboundRequest) => FaceReply | Error, on: Channel = channel) {
  const http = makeScriptedHttp((asked) =>
    asked.url.endsWith("/oauth2/token")
      ? { status: 200, body: { access_token: "t", expires_in: "180" } }
      : answer(asked),
  );
  const clock = makeManualClock(new Date("2026-11-20T12:00:00Z"));
  const rail = airtelMoney.open(airtelMoney.parseSettings(settings), {
    channel: on,
    http,
    clock,
    callbackUrl: doorUrl,
  });
  if (!isAble(rail.requestPayment) || !isAble(rail.enquire) || !isAble(rail.refund)) throw new Error("not able");
  return { rail, http, requestPayment: rail.requestPayment, enquire: rail.enquire, refund: rail.refund };
}
