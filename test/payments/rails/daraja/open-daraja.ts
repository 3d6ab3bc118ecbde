import { makeManualClock } from "../../../../src/kernel/time.ts";
import type { OutboundHttp, OutboundRequest } from "../../../../src/platform/outbound.ts";
import { daraja } from "../../../../src/payments/rails/daraja/daraja.ts";
import type { Delivery, Parsed, Rail, Report } from "../../../../src/payments/rails/rail.ts";

export const CHANNEL = { name: "mpesa-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi" } as const;
export const NOW = new Date("2026-11-20T09:00:00Z");
export const CORRELATION = "0b8f0c55-6f0e-4a40-9f2e-0d6d9f5f3a11";

/** Everything that an operator can configure. The shortcodes are those of the documented samples. */
export const FULL_SETTINGS = {
  baseUrl: "https://daraja.test",
  shortcodes: ["600966", "123123", "174379", "600310", "600992", "600000"],
  consumerKey: "key-of-tests",
  consumerSecret: "secret-of-tests",
  stk: { shortcode: "174379", passkey: "passkey-of-tests", transactionType: "CustomerPayBillOnline" },
  initiator: { name: "api-user", securityCredential: "credential", b2cShortcode: "600997" },
  pull: { shortcode: "600000" },
} as const;

export interface Scripted {
  readonly rail: Rail;
  readonly sent: { readonly url: string; readonly body: Record<string, unknown>; readonly request: OutboundRequest }[];
}

/** What Daraja answers to a request other than the one for a token. */
export type Script = (path: string, body: Record<string, unknown>) => { status: number; body: unknown };

/** A rail whose provider answers by script. A script that throws is a transport that fails. */
export function openDaraja(
  script: Script = () => ({ status: 500, body: "" }),
  settings: unknown = FULL_SETTINGS,
): Scripted {
  const sent: Scripted["sent"] = [];
  const http: OutboundHttp = {
    send: async (request) => {
      await Promise.resolve();
      if (request.url.includes("/oauth/"))
        return answer({ status: 200, body: { access_token: "token", expires_in: "3599" } });
      const body = JSON.parse(String(request.body)) as Record<string, unknown>;
      sent.push({ url: request.url, body, request });
      return answer(script(new URL(request.url).pathname, body));
    },
  };
  return { rail: openOn(http, settings), sent };
}

export function openOn(http: OutboundHttp, settings: unknown = FULL_SETTINGS, clock = makeManualClock(NOW)): Rail {
  const callbackUrl = (door: string, parameter?: string): string =>
    `https://washa.test/rails/kenya/secret/${door}${parameter === undefined ? "" : `/${parameter}`}`;
  return daraja.open(daraja.parseSettings(settings), { channel: CHANNEL, http, clock, callbackUrl });
}

export function answer({ status, body }: { status: number; body: unknown }) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status, headers: {}, raw: Buffer.from(text), text };
}

export function deliveryTo(door: string, body: unknown, parameter?: string): Delivery {
  return {
    door,
    parameter,
    method: "POST",
    url: `/rails/kenya/secret/${door}`,
    headers: { "content-type": "application/json" },
    raw: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
    receivedAt: NOW,
  };
}

/** The one report of a delivery; throws the reason when it could not be used. */
export function reportOf(parsed: Parsed): Report {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.detail}`);
  const [report, ...others] = parsed.reports;
  if (report === undefined || others.length > 0) throw new Error("Expected one report.");
  return report;
}

export const reasonOf = (parsed: Parsed): string => (parsed.ok ? "accepted" : parsed.reason);
