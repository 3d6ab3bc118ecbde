import { gsmaMmapi } from "../../../src/payments/rails/gsma-mmapi/gsma-mmapi.ts";
import type { OutboundRequest } from "../../../src/platform/outbound.ts";
import { isAble, type Channel, type Delivery } from "../../../src/payments/rails/rail.ts";
import type { FaceReply } from "../../../simulators/rail/face.ts";
import { makeGsmaMmapiFace } from "../../../simulators/rail/gsma-mmapi.ts";
import { answerOf, makeSmallWorld } from "./pawapay-world.ts";

const channel: Channel = { name: "mm-rw", country: "RW", currency: "RWF", zone: "Africa/Kigali" };
export const CORRELATION = "b5dd3b7d-6b7e-4a6f-9d1e-0f2d53f1c001";
export const PAYOUT = "0aa3b2f1-7e5c-4d63-9a11-3c1f5d2e4b70";
export const request = {
  correlation: CORRELATION,
  phone: "+250788123456",
  amount: { minor: 200n, currency: "RWF" },
  reference: "PG-10234",
} as const;
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
export const nobody = () => Promise.resolve(undefined);

export function makeRail() {
  const world = makeSmallWorld(makeGsmaMmapiFace, channel);
  return { world, rail: gsmaMmapi.open(gsmaMmapi.parseSettings(world.face.settings()), world.tools) };
}

export const SETTINGS = {
  baseUrl: "https://mm.example.rw/v1.2/mm/",
  apiKey: "key-of-ours",
  account: { key: "accountid", value: "2999" },
};

/** The adapter against answers written by hand. */
export function railAnswered(settings: object, answer: (request: OutboundRequest) => FaceReply | Error) {
  const sent: OutboundRequest[] = [];
  const http = {
    send: async (request: OutboundRequest) => {
      sent.push(request);
      const reply = answer(request);
      if (reply instanceof Error) throw reply;
      return Promise.resolve(answerOf(reply));
    },
  };
  const { tools } = makeSmallWorld(makeGsmaMmapiFace, channel);
  return { rail: gsmaMmapi.open(gsmaMmapi.parseSettings({ ...SETTINGS, ...settings }), { ...tools, http }), sent };
}

export function able<Act extends object>(act: Act | { readonly cannot: string }): Act {
  if (!isAble(act)) throw new Error("This rail should be able to.");
  return act as Act;
}

export const SAMPLE = {
  transactionReference: "REF-1637907197912",
  transactionStatus: "completed",
  amount: "200.00",
  currency: "RWF",
  type: "merchantpay",
  debitParty: [{ key: "accountid", value: "2999" }],
  creditParty: [{ key: "accountid", value: "2999" }],
  creationDate: "2026-11-20T10:10:01",
};
export const cameIn = (body: unknown, more: Partial<Delivery> = {}): Delivery => ({
  door: "callback",
  parameter: undefined,
  method: "PUT",
  url: "https://pay.example.org/rails/mm/secret/callback",
  headers: { "x-correlationid": CORRELATION },
  raw: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  receivedAt: new Date("2026-11-20T10:11:05Z"),
  ...more,
});
