import { createHash } from "node:crypto";
import { DAY_MS } from "../../../kernel/time.ts";
import { formatDecimal, type Money } from "../../../kernel/money.ts";
import type { OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce } from "../calls.client.ts";
import { accepted, readEntries, refused, told, unreachable } from "../outcomes.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  Listing,
  ListPage,
  PaymentRequest,
  RailTools,
  RefundOrder,
  Report,
  RequestOutcome,
} from "../rail.ts";
import { findJson, isObject } from "../reading.ts";
import { basicAuthorization } from "../basic-authorization.ts";
import type { GsmaSettings } from "./settings.ts";
import {
  failedReport,
  pendingReport,
  readReason,
  readTransaction,
  textAt,
  transactionReport,
  type Terms,
} from "./transaction.ts";

export interface GsmaClient {
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  refund(order: RefundOrder): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
  readonly listing: Listing;
}

/** The specification's own default; providers may give fewer, never more. */
const PAGE_ITEMS_MAX = 50;
const REACH_MS = 31 * DAY_MS;

/** SHA-256 of the body in hexadecimal digits, as in X-Content-Hash. */
export const contentHash = (body: string | Uint8Array): string => createHash("sha256").update(body).digest("hex");

/** X-CorrelationID names each creation: sent again under it, a provider acts once and says duplicateRequest. */
export function makeGsmaClient(settings: GsmaSettings, tools: RailTools): GsmaClient {
  const { http, clock, channel } = tools;
  const { account, baseUrl, basic, clientId } = settings;

  const identity = (): Record<string, string> => ({
    "x-api-key": settings.apiKey,
    "x-date": clock.now().toISOString(),
    ...(clientId === undefined ? {} : { "x-client-id": clientId }),
    ...(basic === undefined ? {} : { authorization: basicAuthorization(basic.username, basic.password) }),
  });

  const get = (path: string): Promise<OutboundResponse> =>
    http.send({ method: "GET", url: baseUrl + path, headers: identity(), repeat: "safe" });

  async function create(
    path: string,
    { correlation, door, content }: { correlation: string; door: "callback" | "payout"; content: object },
  ): Promise<RequestOutcome> {
    const body = JSON.stringify(content);
    return askOnce(async () =>
      readCreated(
        await http.send({
          method: "POST",
          url: baseUrl + path,
          headers: {
            ...identity(),
            "content-type": "application/json",
            "x-correlationid": correlation,
            "x-callback-url": tools.callbackUrl(door, correlation),
            "x-content-hash": contentHash(body),
          },
          body,
          repeat: "safe",
        }),
      ),
    );
  }

  const amountOf = (amount: Money) => ({ amount: formatDecimal(amount), currency: amount.currency });
  const msisdn = (phone: string) => [{ key: "msisdn", value: phone }];

  const termsOf = (correlation: string | undefined): Terms => ({ channel, account, now: clock.now(), correlation });

  /** `absent`: what a 404 means depends on who named the transaction. */
  async function readTransactionAt(
    reference: string,
    { correlation, absent }: { correlation: string | undefined; absent: "not_found" | "unreachable" },
  ): Promise<EnquiryOutcome> {
    const response = await get(`/transactions/${encodeURIComponent(reference)}`);
    if (response.status === 404) return { kind: absent, reason: reasonOf(response) };
    if (response.status !== 200) return unreachable(reasonOf(response));
    return readReport(response, correlation);
  }

  function readReport(response: OutboundResponse, correlation: string | undefined): EnquiryOutcome {
    return told(readTransaction(findJson(response.raw), termsOf(correlation)), response.raw);
  }

  /** How far the request is, by the provider's name of it. */
  async function readState(serverCorrelation: string, subject: EnquirySubject): Promise<EnquiryOutcome> {
    const response = await get(`/requeststates/${encodeURIComponent(serverCorrelation)}`);
    // A provider may forget its states before its answers.
    if (response.status === 404) return readLostResponse(subject, { mayFollow: false });
    const body = findJson(response.raw);
    const status = response.status === 200 ? textAt(body, ["status"]) : undefined;
    const { correlation } = subject;
    const type: Report["type"] = subject.kind === "disbursement" ? "disbursement" : "merchantpay";
    if (status === "failed") {
      const report = failedReport(type, termsOf(correlation), readReason(body));
      return { kind: "report", report, raw: response.raw };
    }
    if (status === "pending") {
      const report = pendingReport(type, termsOf(correlation), textAt(body, ["pendingReason"]));
      return { kind: "report", report, raw: response.raw };
    }
    const reference = textAt(body, ["objectReference"]);
    if (status !== "completed") return unreachable(reasonOf(response));
    if (reference === undefined) return readLostResponse(subject, { mayFollow: false });
    return readTransactionAt(reference, { correlation, absent: "unreachable" });
  }

  /** What our request came to, by our own name of it: for when its answer was lost. */
  async function readLostResponse(
    subject: EnquirySubject,
    { mayFollow }: { mayFollow: boolean },
  ): Promise<EnquiryOutcome> {
    const { correlation } = subject;
    const response = await get(`/responses/${encodeURIComponent(correlation)}`);
    if (response.status === 404) return { kind: "not_found", reason: reasonOf(response) };
    if (response.status !== 200) return unreachable(reasonOf(response));
    const body = findJson(response.raw);
    if (isObject(body) && "transactionStatus" in body) return readReport(response, correlation);
    const link = /(?:^|\/)(transactions|requeststates)\/([^/?#]+)$/.exec(textAt(body, ["link"]) ?? "");
    const name = decodeName(link?.[2]);
    if (link?.[1] === "transactions" && name !== undefined)
      return readTransactionAt(name, { correlation, absent: "unreachable" });
    if (link?.[1] === "requeststates" && name !== undefined && mayFollow) return readState(name, subject);
    return unreachable("The response links to nothing that can be read.");
  }

  return {
    requestPayment: ({ correlation, phone, amount, reference }) =>
      create("/transactions/type/merchantpay", {
        correlation,
        door: "callback",
        content: {
          ...amountOf(amount),
          debitParty: msisdn(phone),
          creditParty: [account],
          requestingOrganisationTransactionReference: reference,
        },
      }),
    async refund({ correlation, phone, amount, original }) {
      if (phone !== undefined) {
        const content = { ...amountOf(amount), debitParty: [account], creditParty: msisdn(phone) };
        return create("/transactions/type/disbursement", { correlation, door: "payout", content });
      }
      if (original === undefined) return refused("There is neither a number nor a payment to reverse.");
      const isWhole = original.amount.minor === amount.minor;
      return create(`/transactions/${encodeURIComponent(original.transactionReference)}/reversals`, {
        correlation,
        door: "payout",
        content: { type: "reversal", ...(isWhole ? {} : amountOf(amount)) },
      });
    },
    async enquire(subject) {
      const { kind, correlation, providerCorrelation, memory } = subject;
      const known = kind === "transaction" ? subject.transactionReference : memory["transactionReference"];
      return enquireOnce(async () => {
        if (known !== undefined) {
          const named = kind === "transaction" ? undefined : correlation;
          return readTransactionAt(known, { correlation: named, absent: "not_found" });
        }
        if (providerCorrelation !== undefined) return readState(providerCorrelation, subject);
        return readLostResponse(subject, { mayFollow: true });
      });
    },
    listing: {
      reachMs: REACH_MS,
      windowMaxMs: DAY_MS,
      async page({ from, to, cursor }): Promise<ListPage> {
        const offset = Number(cursor ?? "0");
        const query = new URLSearchParams({
          fromDateTime: from.toISOString(),
          toDateTime: to.toISOString(),
          offset: String(offset),
          limit: String(PAGE_ITEMS_MAX),
        });
        const path = `/accounts/${account.key}/${encodeURIComponent(account.value)}/transactions`;
        const response = await get(`${path}?${query.toString()}`);
        const entries: unknown = findJson(response.raw);
        if (response.status !== 200 || !Array.isArray(entries))
          throw new Error(`The list of transactions could not be read: ${reasonOf(response)}`);
        return readPage(entries, { offset, available: response.headers["x-records-available-count"] });
      },
    },
  };

  function readPage(
    entries: readonly unknown[],
    { offset, available }: { offset: number; available: string | undefined },
  ): ListPage {
    const end = offset + entries.length;
    const isMore =
      available !== undefined && /^\d{1,9}$/.test(available)
        ? end < Number(available) && entries.length > 0
        : entries.length >= PAGE_ITEMS_MAX;
    const terms = termsOf(undefined);
    return {
      ...readEntries(entries, (entry) => transactionReport(entry, terms)),
      next: isMore ? String(end) : undefined,
    };
  }
}

const reasonOf = (response: OutboundResponse): string =>
  readReason(findJson(response.raw)) ?? `HTTP ${String(response.status)}`;

function decodeName(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** 202 with a request state; or, where the provider acts at once, 201 with the transaction. */
function readCreated(response: OutboundResponse): RequestOutcome {
  const { status } = response;
  const body = findJson(response.raw);
  const code = textAt(body, ["errorCode"]);
  const reason = reasonOf(response);
  if (status >= 200 && status < 300) {
    const providerCorrelation = textAt(body, ["serverCorrelationId"]);
    const reference = textAt(body, ["transactionReference"]);
    if (providerCorrelation !== undefined) return accepted({ providerCorrelation });
    if (reference !== undefined) return accepted({ memory: { transactionReference: reference } });
    return { kind: "unknown", reason: "The answer names neither a request nor a transaction." };
  }
  if (status === 429 || (status < 500 && code === "rateLimitError")) return { kind: "not_sent", reason };
  if (status >= 400 && status < 500 && status !== 408) return refused(reason, code === "duplicateRequest");
  return { kind: "unknown", reason };
}
