import { z } from "zod";
import { DAY_MS, localDateOf } from "../../../kernel/time.ts";
import { formatDecimal } from "../../../kernel/money.ts";
import { NoAnswer, NotSent, type OutboundRequest, type OutboundResponse } from "../../../platform/outbound.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  PaymentRequest,
  RailTools,
  RefundOrder,
  RequestOutcome,
} from "../rail.ts";
import { Unusable, chargeReport, idOf, readAs, readExact, refundReport, refundedCharge } from "./charge.ts";
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
          redirect: z
            .url({ protocol: /^https?$/ })
            .nullish()
            .catch(undefined),
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
        if (data?.status?.toLowerCase() === "failed")
          return { kind: "refused", reason: data.processor_response ?? "failed", isDuplicate: false };
        return {
          kind: "accepted",
          providerCorrelation: data?.id ?? undefined,
          payAt: meta?.authorization?.redirect ?? undefined,
          memory: undefined,
        };
      },
    );
  }

  async function refund(order: RefundOrder): Promise<RequestOutcome> {
    const id = idOf(order.original?.transactionReference);
    if (id === undefined)
      return {
        kind: "refused",
        reason: "Flutterwave gives back a payment of its own, and none is named.",
        isDuplicate: false,
      };
    return asked(
      async () =>
        send({ method: "POST", repeat: "once" }, `/v3/transactions/${id}/refund`, {
          amount: formatDecimal(order.amount),
          // Our name of the refund comes first: by it the refund is found again when this answer is lost.
          comments: `${order.correlation} ${order.reason}`.slice(0, COMMENTS_MAX),
        }),
      (body) => {
        const { data } = readAs(z.object({ data: refundedCharge.pick({ id: true, status: true }) }), body);
        if (/^fail/i.test(data.status)) return { kind: "refused", reason: data.status, isDuplicate: false };
        return { kind: "accepted", providerCorrelation: data.id, payAt: undefined, memory: undefined };
      },
    );
  }

  async function enquire(subject: EnquirySubject): Promise<EnquiryOutcome> {
    try {
      if (subject.kind === "disbursement") return await enquireRefund(subject);
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
      const report = chargeReport(data.data, channel, subject.kind === "payment" ? subject : undefined);
      if (subject.kind === "payment" && report.correlation !== subject.correlation)
        return { kind: "unreachable", reason: "Flutterwave answered about another charge than the one asked for." };
      return { kind: "report", report, raw: answer.raw };
    } catch (error) {
      if (error instanceof NotSent || error instanceof NoAnswer || error instanceof Unusable)
        return { kind: "unreachable", reason: error.message };
      throw error;
    }
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
    return { kind: "unreachable", reason: "There are more refunds than are looked through." };
  }

  const refundTold = (data: unknown, subject: EnquirySubject, answer: OutboundResponse): EnquiryOutcome => ({
    kind: "report",
    report: refundReport(data, channel, subject),
    raw: answer.raw,
  });

  return { get, requestPayment, refund, enquire };
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
  if (answer.status >= 300) return { kind: "unreachable", reason };
  const read = readAs(envelope, readExact(answer.raw));
  return read.status === "success" ? { data: read.data } : { kind: "unreachable", reason };
}

async function asked(
  send: () => Promise<OutboundResponse>,
  read: (body: unknown) => RequestOutcome,
): Promise<RequestOutcome> {
  try {
    const answer = await send();
    const reason = reasonIn(answer);
    if (answer.status >= 500) return { kind: "unknown", reason };
    // Not about this request: our key is wrong, or we ask too often. It may go out later.
    if ([401, 403, 429].includes(answer.status)) return { kind: "not_sent", reason };
    if (answer.status >= 300)
      return {
        kind: "refused",
        reason,
        isDuplicate: answer.status === 409 || /duplicate|already|been used/i.test(reason),
      };
    const body = readExact(answer.raw);
    const { status } = readAs(envelope.pick({ status: true }), body);
    return status === "success" ? read(body) : { kind: "refused", reason, isDuplicate: false };
  } catch (error) {
    if (error instanceof NotSent) return { kind: "not_sent", reason: error.message };
    if (error instanceof NoAnswer || error instanceof Unusable) return { kind: "unknown", reason: error.message };
    throw error;
  }
}

export function reasonIn(answer: OutboundResponse): string {
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    body = undefined;
  }
  const message = z.object({ message: z.string() }).safeParse(body).data?.message;
  return [`HTTP ${answer.status}`, message]
    .filter((word) => word !== undefined)
    .join(": ")
    .slice(0, 300);
}
