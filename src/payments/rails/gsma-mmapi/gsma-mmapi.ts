import { MINUTE_MS, SECOND_MS } from "../../../kernel/time.ts";
import type { Adapter, Answer, Delivery, Outcome, Parsed, Rail, RailTools, Verdict } from "../rail.ts";
import { findJson, isUuid } from "../reading.ts";
import { isSameSecret } from "../../../platform/same-secret.ts";
import { contentHash, makeGsmaClient } from "./gsma-mmapi.client.ts";
import { parseGsmaSettings, type GsmaSettings } from "./settings.ts";
import { failedReport, isErrorObject, readReason, readTransaction, type Terms } from "./transaction.ts";

/** Any provider of the GSMA Mobile Money API 1.2. Callbacks come to the address that each request names. */
export const gsmaMmapi: Adapter<GsmaSettings> = {
  name: "gsma-mmapi",
  title: "GSMA Mobile Money API 1.2: any provider that speaks the common standard",
  parseSettings: parseGsmaSettings,
  open: openGsma,
};

function openGsma(settings: GsmaSettings, tools: RailTools): Rail {
  const client = makeGsmaClient(settings, tools);
  return {
    channel: tools.channel,
    // Failures do not say of what they are: what we pay out has a door of its own.
    doors: [
      { name: "callback", kind: "notice", methods: ["PUT", "POST"] },
      { name: "payout", kind: "notice", methods: ["PUT", "POST"] },
    ],
    callbackIs: settings.callbackKey === undefined ? "hint" : "evidence",
    isRequestRepeatable: true,
    isRefundRepeatable: true,
    enquiryNamesPayment: true,
    enquirySchedule: { firstAfterMs: 20 * SECOND_MS, expiresAfterMs: 30 * MINUTE_MS },
    verify: (delivery) => Promise.resolve(verifyGsma(delivery, settings)),
    parse: (delivery) => parse(delivery, { settings, tools }),
    answer: (_delivery, outcome) => answerOf(outcome),
    requestPayment: (request) => client.requestPayment(request),
    enquire: (subject) => client.enquire(subject),
    refund: (order) => client.refund(order),
    list: client.listing,
  };
}

/** X-Content-Hash is no signature, since anybody can compute it; a wrong one still means that the body was changed. */
function verifyGsma({ headers, raw }: Delivery, { callbackKey }: GsmaSettings): Verdict {
  const invalid = (detail: string): Verdict => ({ trust: "refused", reason: "signature_invalid", detail });
  if (callbackKey !== undefined && !isSameSecret(headers["x-api-key"] ?? "", callbackKey))
    return invalid("X-API-Key is not the one that was agreed on for callbacks.");
  const stated = headers["x-content-hash"];
  if (stated !== undefined && !isSameSecret(stated.trim().toLowerCase(), contentHash(raw)))
    return invalid("X-Content-Hash is not of this body.");
  return { trust: callbackKey === undefined ? "unsigned" : "secret" };
}

function parse(delivery: Delivery, { settings, tools }: { settings: GsmaSettings; tools: RailTools }): Parsed {
  const body = findJson(delivery.raw);
  // We wrote the address ourselves; the header is the provider's, and some name their own message by it.
  const correlation = delivery.parameter ?? correlationIn(delivery.headers["x-correlationid"]);
  const terms: Terms = { channel: tools.channel, account: settings.account, now: delivery.receivedAt, correlation };
  const isPayout = delivery.door === "payout";
  if (isErrorObject(body) && correlation !== undefined) {
    const report = failedReport(isPayout ? "disbursement" : "merchantpay", terms, readReason(body));
    return { ok: true, reports: [report] };
  }
  const parsed = readTransaction(body, terms);
  if (!parsed.ok || isPayout) return parsed;
  // That an earlier payment went back is told where the payment was: it is not what that request came to.
  const reports = parsed.reports.map((report) =>
    report.type === "reversal" ? { ...report, correlation: undefined } : report,
  );
  return { ok: true, reports };
}

const correlationIn = (header: string | undefined): string | undefined =>
  header !== undefined && isUuid(header) ? header.toLowerCase() : undefined;

/** 204 is the specification's yes. */
function answerOf(outcome: Outcome): Answer {
  switch (outcome.kind) {
    case "stored":
    case "repeated":
    case "conflict":
      return { status: 204 };
    case "busy":
      return { status: 503, headers: { "retry-after": "5" }, body: error("serviceUnavailable", "Try again later.") };
    case "not_allowed":
      return { status: 401, body: error("authorisation", outcome.detail) };
    case "unusable":
      return { status: 400, body: error("validation", outcome.detail) };
    case "payable":
    case "account_unknown":
    case "contract_ended":
    case "amount_too_small":
    case "currency_differs":
      return { status: 404 };
  }
}

const error = (errorCategory: string, errorDescription: string) => ({
  errorCategory,
  errorCode: "genericError",
  errorDescription: errorDescription.slice(0, 256),
});
