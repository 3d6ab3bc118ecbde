import { pawapay } from "../../../src/payments/rails/pawapay/pawapay.ts";
import type { OutboundRequest } from "../../../src/platform/outbound.ts";
import { isAble, type Channel, type Delivery } from "../../../src/payments/rails/rail.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { makePawapayFace } from "../../../simulators/rail/pawapay.ts";
import { answerOf, makeSmallWorld } from "./pawapay-world.ts";

const channel: Channel = { name: "pawapay-ug", country: "UG", currency: "UGX", zone: "Africa/Kampala" };
export const CORRELATION = "f4401bd2-1568-4140-bf2d-eb77d2b2b639";
export const request = {
  correlation: CORRELATION,
  phone: "+256772123456",
  amount: { minor: 5_000n, currency: "UGX" },
  reference: "PG-10234",
} as const;
export const nobody = () => Promise.resolve(undefined);
export const subject = {
  kind: "payment",
  correlation: CORRELATION,
  providerCorrelation: undefined,
  transactionReference: undefined,
  amount: request.amount,
  reference: "PG-10234",
  memory: {},
  requestedAt: new Date("2026-11-20T10:10:00Z"),
} as const;

export function makeRail() {
  const world = makeSmallWorld(makePawapayFace, channel);
  return { world, rail: pawapay.open(pawapay.parseSettings(world.face.settings()), world.tools) };
}

/** The adapter against answers written by hand. */
export function railAnswered(settings: object, answer: (request: OutboundRequest) => FaceReply | Error) {
  const { world } = makeRail();
  const sent: OutboundRequest[] = [];
  const http = {
    send: async (request: OutboundRequest) => {
      sent.push(request);
      const reply = answer(request);
      if (reply instanceof Error) throw reply;
      return Promise.resolve(answerOf(reply));
    },
  };
  const parsed = pawapay.parseSettings({
    baseUrl: "https://api.sandbox.pawapay.io/",
    apiToken: "token-of-ours",
    correspondent: "MTN_MOMO_UGA",
    ...settings,
  });
  return { rail: pawapay.open(parsed, { ...world.tools, http }), sent };
}

export function able<Act extends object>(act: Act | { readonly cannot: string }): Act {
  if (!isAble(act)) throw new Error("This rail should be able to.");
  return act as Act;
}
export const bodyOf = (sent: OutboundRequest | undefined): unknown => JSON.parse(String(sent?.body));

export const SAMPLE = {
  depositId: CORRELATION,
  status: "COMPLETED",
  requestedAmount: "5000",
  depositedAmount: "5000",
  currency: "UGX",
  country: "UGA",
  correspondent: "MTN_MOMO_UGA",
  payer: { type: "MSISDN", address: { value: "256772123456" } },
  customerTimestamp: "2026-11-20T10:10:00Z",
  created: "2026-11-20T10:10:02Z",
  respondedByPayer: "2026-11-20T10:11:00Z",
};
export const cameIn = (body: unknown, more: Partial<Delivery> = {}): Delivery => ({
  door: "callback",
  parameter: undefined,
  method: "POST",
  url: "https://pay.example.org/rails/pp/secret/callback",
  headers: {},
  raw: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  receivedAt: new Date("2026-11-20T10:11:05Z"),
  ...more,
});
