import { z } from "zod";
import { formatDecimal, type Money } from "../../../kernel/money.ts";
import { NoAnswer, NotSent, type OutboundRequest, type OutboundResponse } from "../../../platform/outbound.ts";
import { makeTokenCache } from "../../../platform/token-cache.ts";
import type { EnquiryOutcome, EnquirySubject, PaymentRequest, RailTools, Report, RequestOutcome } from "../rail.ts";
import { NOTIF_TOKEN, PAY_TOKEN, readJson, statusOf, text } from "./notification.ts";
import { orderIdOf } from "./order-id.ts";
import type { OrangeWebpaySettings } from "./settings.ts";

/** Longest address that Orange keeps for its notification, its return and its cancel link. */
export const URL_MAX = 120;
/** Longest reference, which the payer reads on the page. */
const REFERENCE_MAX = 30;

const tokenAnswer = z.object({ access_token: z.string().min(1), expires_in: z.coerce.number().positive() });
const pageAnswer = z.object({
  pay_token: text,
  notif_token: text,
  payment_url: z.url({ protocol: /^https?$/ }).max(1_000),
});
const statusAnswer = z.object({
  status: text,
  order_id: text,
  txnid: z.union([text, z.literal(""), z.null()]).optional(),
});

/** Talks to Orange: a payment page for a request, and the state of a payment. */
export function makeOrangeClient(
  settings: OrangeWebpaySettings,
  { channel, http, clock, callbackUrl }: RailTools,
): {
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
} {
  const api = `${settings.baseUrl}/orange-money-webpay/${settings.countryPath}/v1`;
  const tokens = makeTokenCache({ clock, fetchToken });

  async function fetchToken() {
    const answer = await http.send({
      method: "POST",
      url: `${settings.baseUrl}/oauth/v3/token`,
      headers: {
        authorization: settings.authorization,
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      },
      body: "grant_type=client_credentials",
      repeat: "safe",
    });
    const read = tokenAnswer.safeParse(readJson(answer.raw));
    if (answer.status >= 300 || !read.success)
      throw new NotSent(`Orange gave no access token (HTTP ${answer.status}): check the client's id and secret.`);
    return { token: read.data.access_token, expiresInSeconds: read.data.expires_in };
  }

  /** Whatever befalls the token, the request itself has not been seen by anybody. */
  async function currentToken(): Promise<string> {
    try {
      return await tokens.current();
    } catch (cause) {
      if (cause instanceof NoAnswer) throw new NotSent("Orange's token server does not answer.", { cause });
      throw cause;
    }
  }

  async function post(path: string, body: object, repeat: OutboundRequest["repeat"]): Promise<OutboundResponse> {
    const send = async (token: string): Promise<OutboundResponse> =>
      http.send({
        method: "POST",
        url: `${api}/${path}`,
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json",
        },
        body: JSON.stringify(body),
        repeat,
      });
    const token = await currentToken();
    const answer = await send(token);
    if (answer.status !== 401) return answer;
    tokens.reject(token);
    return send(await currentToken());
  }

  async function requestPayment(request: PaymentRequest): Promise<RequestOutcome> {
    const notifUrl = callbackUrl("callback");
    if (notifUrl.length > URL_MAX)
      return refused(`Orange takes notification addresses of ${URL_MAX} characters; ours has ${notifUrl.length}.`);
    const amount = wholeAmount(request.amount);
    if (amount === undefined) return refused("Orange takes whole amounts only.");
    let answer: OutboundResponse;
    try {
      answer = await post(
        "webpayment",
        {
          merchant_key: settings.merchantKey,
          currency: settings.sandboxCurrency ?? channel.currency,
          order_id: orderIdOf(request.correlation),
          amount,
          return_url: settings.returnUrl,
          cancel_url: settings.cancelUrl,
          notif_url: notifUrl,
          lang: settings.language,
          reference: request.reference.slice(0, REFERENCE_MAX),
        },
        "once",
      );
    } catch (error) {
      return unsent(error);
    }
    if (answer.status >= 300) return refusalOf(answer);
    const page = pageAnswer.safeParse(readJson(answer.raw));
    if (!page.success) return { kind: "unknown", reason: "Orange's answer has no payment page that can be read." };
    return {
      kind: "accepted",
      providerCorrelation: undefined,
      payAt: page.data.payment_url,
      memory: { [NOTIF_TOKEN]: page.data.notif_token, [PAY_TOKEN]: page.data.pay_token },
    };
  }

  async function enquire(subject: EnquirySubject): Promise<EnquiryOutcome> {
    const payToken = subject.memory[PAY_TOKEN];
    // Without the answer to our request nobody ever had the address of the page, so nobody can have paid on it.
    if (payToken === undefined)
      return { kind: "not_found", reason: "The address of the payment page never reached us." };
    const amount = subject.amount === undefined ? undefined : wholeAmount(subject.amount);
    if (amount === undefined)
      return { kind: "unreachable", reason: "Orange tells a payment's state only to who names its whole amount." };
    const orderId = orderIdOf(subject.correlation);
    let answer: OutboundResponse;
    try {
      // A question changes nothing, so it may be asked twice.
      answer = await post("transactionstatus", { order_id: orderId, amount, pay_token: payToken }, "safe");
    } catch (error) {
      if (error instanceof NotSent || error instanceof NoAnswer) return { kind: "unreachable", reason: error.message };
      throw error;
    }
    if (answer.status === 404) return { kind: "not_found", reason: reasonIn(answer) };
    if (answer.status >= 300) return { kind: "unreachable", reason: reasonIn(answer) };
    const read = statusAnswer.safeParse(readJson(answer.raw));
    if (!read.success) return { kind: "unreachable", reason: "Orange's answer cannot be read." };
    if (read.data.order_id !== orderId)
      return { kind: "unreachable", reason: "Orange answered about another order than the one asked for." };
    const report = reportOf(subject, read.data);
    return typeof report === "string"
      ? { kind: "unreachable", reason: report }
      : { kind: "report", report, raw: answer.raw };
  }

  function reportOf(subject: EnquirySubject, told: z.infer<typeof statusAnswer>): Report | string {
    const transactionStatus = statusOf(told.status);
    const transactionReference = told.txnid === null || told.txnid === "" ? undefined : told.txnid?.toUpperCase();
    if (transactionStatus === undefined) return "Orange names a status that it does not document.";
    if (transactionStatus === "completed" && transactionReference === undefined)
      return "Orange says SUCCESS without a txnid.";
    return {
      type: subject.reference === "" ? "merchantpay" : "billpay",
      transactionStatus,
      transactionReference,
      correlation: subject.correlation,
      originalTransactionReference: undefined,
      // Orange does not tell it, but would not know the payment under another amount.
      amount: undefined,
      creditParty: channel.name,
      reference: subject.reference,
      payer: { phone: undefined, hash: undefined, name: undefined },
      at: undefined,
      statusReason: transactionStatus === "completed" ? undefined : told.status,
    };
  }

  return { requestPayment, enquire };
}

/** As a JSON number: no rail carries amounts beyond what a double holds exactly. */
function wholeAmount(amount: Money): number | undefined {
  const [whole = "", fraction = ""] = formatDecimal(amount).split(".");
  return /[1-9]/.test(fraction) ? undefined : Number(whole);
}

const refused = (reason: string, isDuplicate = false): RequestOutcome => ({ kind: "refused", reason, isDuplicate });

function unsent(error: unknown): RequestOutcome {
  if (error instanceof NotSent) return { kind: "not_sent", reason: error.message };
  if (error instanceof NoAnswer) return { kind: "unknown", reason: error.message };
  throw error;
}

function refusalOf(answer: OutboundResponse): RequestOutcome {
  const reason = reasonIn(answer);
  if (answer.status >= 500) return { kind: "unknown", reason };
  // Not about this payment: our key is wrong, or we ask too often. The request may go out later.
  if ([401, 403, 429].includes(answer.status)) return { kind: "not_sent", reason };
  return refused(reason, answer.status === 409 || /order.{0,40}(already|duplicate|exist|unique|used)/i.test(reason));
}

function reasonIn(answer: OutboundResponse): string {
  const body = readJson(answer.raw) ?? {};
  const words = ["message", "description"].map((field) => body[field]).filter((word) => typeof word === "string");
  return [`HTTP ${answer.status}`, ...words].join(": ").slice(0, 300);
}
