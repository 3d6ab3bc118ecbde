import { z } from "zod";
import { DAY_MS, localDateOf } from "../../../kernel/time.ts";
import { formatDecimal } from "../../../kernel/money.ts";
import type { OutboundRequest, OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce } from "../calls.client.ts";
import { accepted, outcomeOfStatus, refused, unreachable } from "../outcomes.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  PaymentRequest,
  RailTools,
  RefundOrder,
  RequestOutcome,
} from "../rail.ts";
import { findJson, objectOrEmpty, readAs, wordsOf } from "../reading.ts";
import { webAddress } from "../settings.ts";
import { chargeReport, idOf, readExact, refundReport, refundedCharge, type FlutterwaveTerms } from "./charge.ts";
import type { FlutterwaveSettings } from "./settings.ts";

/** Under which name Flutterwave asks for mobile money in a country, and whether it wants the country as well. */
const CHARGE_TYPES: Readonly<Record<string, string>> = {
  BF: "mobile_money_franco",
  CI: "mobile_money_franco",
  CM: "mobile_money_franco",
  GH: "mobile_money_ghana",
  KE: "mpesa",
  RW: "mobile_money_rwanda",
  SN: "mobile_money_franco",
  TZ: "mobile_money_tanzania",
  UG: "mobile_money_uganda",
  ZM: "mobile_money_zambia",
};
export const chargeTypeOf = (country: string): string | undefined => CHARGE_TYPES[country];

/** A refund whose answer was lost is looked for on so many pages of the refunds since it was asked for. */
const REFUND_PAGES_MAX = 20;
const COMMENTS_MAX = 200;

const envelope = z.object({ status: z.string(), message: z.string().nullish(), data: z.unknown() });
const charged = z.object({
  data: z
    .object({ id: z.string().nullish(), status: z.string().nullish(), processor_response: z.string().nullish() })
    .nullish(),
  meta: z
    .object({
      authorization: z
        .object({
          redirect: webAddress.nullish().catch(undefined),
        })
        .nullish(),
    })
    .nullish(),
});
/** Talks to Flutterwave: charges, their verification, refunds. */
export function makeFlutterwaveClient(
  settings: FlutterwaveSettings,
  { channel, http, clock }: RailTools,
): {
  get(path: string): Promise<OutboundResponse>;
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  refund(order: RefundOrder): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
} {
  const terms = (): FlutterwaveTerms => ({ channel, now: clock.now() });
  const headers = { authorization: `Bearer ${settings.secretKey}`, accept: "application/json" };
  const send = async (request: Pick<OutboundRequest, "method" | "repeat">, path: string, body?: object) =>
    http.send({
      ...request,
      url: settings.baseUrl + path,
      headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const get = async (path: string): Promise<OutboundResponse> => send({ method: "GET", repeat: "safe" }, path);

  async function requestPayment(request: PaymentRequest): Promise<RequestOutcome> {
    const type = chargeTypeOf(channel.country) ?? "";
    return asked(
      // Version 3 knows no idempotency key, and nothing promises that a tx_ref is charged once.
      async () =>
        send({ method: "POST", repeat: "once" }, `/v3/charges?type=${type}`, {
          tx_ref: request.correlation,
          amount: formatDecimal(request.amount),
          currency: channel.currency,
          phone_number: request.phone.replace(/^\+/, ""),
          email: settings.payerEmail,
          ...(type === "mobile_money_franco" ? { country: channel.country } : {}),
          ...(settings.network === undefined ? {} : { network: settings.network }),
          ...(settings.redirectUrl === undefined ? {} : { redirect_url: settings.redirectUrl }),
          meta: { account: request.reference },
        }),
      (body) => {
        const { data, meta } = readAs(charged, body);
        if (data?.status?.toLowerCase() === "failed") return refused(data.processor_response ?? "failed");
        return accepted({
          providerCorrelation: data?.id ?? undefined,
          payAt: meta?.authorization?.redirect ?? undefined,
        });
      },
    );
  }

  async function refund(order: RefundOrder): Promise<RequestOutcome> {
    const id = idOf(order.original?.transactionReference);
    if (id === undefined) return refused("Flutterwave gives back a payment of its own, and none is named.");
    return asked(
      async () =>
        send({ method: "POST", repeat: "once" }, `/v3/transactions/${id}/refund`, {
          amount: formatDecimal(order.amount),
          // Our name of the refund comes first: by it the refund is found again when this answer is lost.
          comments: `${order.correlation} ${order.reason}`.slice(0, COMMENTS_MAX),
        }),
      (body) => {
        const { data } = readAs(z.object({ data: refundedCharge.pick({ id: true, status: true }) }), body);
        return /^fail/i.test(data.status) ? refused(data.status) : accepted({ providerCorrelation: data.id });
      },
    );
  }

  async function enquire(subject: EnquirySubject): Promise<EnquiryOutcome> {
    if (subject.kind === "disbursement") return enquireRefund(subject);
    const id = idOf(subject.transactionReference);
    if (subject.kind === "transaction" && id === undefined)
      return { kind: "not_found", reason: "Nothing names the transaction as Flutterwave does." };
    const answer = await get(
      subject.kind === "transaction"
        ? `/v3/transactions/${id ?? ""}/verify`
        : `/v3/transactions/verify_by_reference?tx_ref=${encodeURIComponent(subject.correlation)}`,
    );
    const data = dataIn(answer);
    if ("kind" in data) return data;
    const report = chargeReport(data.data, terms(), subject.kind === "payment" ? subject : undefined);
    if (subject.kind === "payment" && report.correlation !== subject.correlation)
      return unreachable("Flutterwave answered about another charge than the one asked for.");
    return { kind: "report", report, raw: answer.raw };
  }

  async function enquireRefund(subject: EnquirySubject): Promise<EnquiryOutcome> {
    if (subject.providerCorrelation === undefined) return searchRefund(subject);
    const answer = await get(`/v3/refunds/${encodeURIComponent(subject.providerCorrelation)}`);
    const data = dataIn(answer);
    return "kind" in data ? data : refundTold(data.data, subject, answer);
  }

  async function searchRefund(subject: EnquirySubject): Promise<EnquiryOutcome> {
    const from = localDateOf(new Date(subject.requestedAt.getTime() - DAY_MS), "UTC");
    const to = localDateOf(new Date(clock.now().getTime() + DAY_MS), "UTC");
    for (let page = 1; page <= REFUND_PAGES_MAX; page += 1) {
      const answer = await get(`/v3/refunds?from=${from}&to=${to}&page=${page}`);
      const data = dataIn(answer);
      if ("kind" in data) return data;
      const refunds = readAs(z.array(refundedCharge), data.data);
      const one = refunds.find((each) => (each.comments ?? each.comment ?? "").startsWith(subject.correlation));
      if (one !== undefined) return refundTold(one, subject, answer);
      if (refunds.length === 0) return { kind: "not_found", reason: "No refund carries our name." };
    }
    return unreachable("There are more refunds than are looked through.");
  }

  const refundTold = (data: unknown, subject: EnquirySubject, answer: OutboundResponse): EnquiryOutcome => ({
    kind: "report",
    report: refundReport(data, terms(), subject),
    raw: answer.raw,
  });

  return { get, requestPayment, refund, enquire: async (subject) => enquireOnce(() => enquire(subject)) };
}

/** What a successful answer is about; or that there is none. Flutterwave says "not found" with 400 or 404. */
export function dataIn(
  answer: OutboundResponse,
): { readonly data: unknown } | Extract<EnquiryOutcome, { kind: "not_found" | "unreachable" }> {
  const reason = reasonIn(answer);
  if (
    [400, 404].includes(answer.status) &&
    (answer.status === 404 || /no (transaction|refund)|not found/i.test(reason))
  )
    return { kind: "not_found", reason };
  if (answer.status >= 300) return unreachable(reason);
  const read = readAs(envelope, readExact(answer.raw));
  return read.status === "success" ? { data: read.data } : unreachable(reason);
}

const asked = async (
  send: () => Promise<OutboundResponse>,
  read: (body: unknown) => RequestOutcome,
): Promise<RequestOutcome> =>
  askOnce(async () => {
    const answer = await send();
    const reason = reasonIn(answer);
    if (answer.status >= 300)
      return outcomeOfStatus(answer.status, {
        reason,
        isDuplicate: answer.status === 409 || /duplicate|already|been used/i.test(reason),
      });
    const body = readExact(answer.raw);
    const { status } = readAs(envelope.pick({ status: true }), body);
    return status === "success" ? read(body) : refused(reason);
  });

export const reasonIn = ({ status, raw }: OutboundResponse): string =>
  wordsOf(`HTTP ${status}`, objectOrEmpty(findJson(raw))["message"]) ?? "";
