import { z } from "zod";
import { formatDecimal, type Money } from "../../../kernel/money.ts";
import type { OutboundRequest, OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce, makeBearer } from "../calls.client.ts";
import { accepted, outcomeOfStatus, refused, unreachable } from "../outcomes.ts";
import type { EnquiryOutcome, EnquirySubject, PaymentRequest, RailTools, Report, RequestOutcome } from "../rail.ts";
import { findJson, objectOrEmpty, plainText, readAs, readJson, wordsOf } from "../reading.ts";
import { NOBODY } from "../report-values.ts";
import { webAddress } from "../settings.ts";
import { NOTIF_TOKEN, PAY_TOKEN, stateOf, txnidForm } from "./notification.ts";
import { orderIdOf } from "./order-id.ts";
import { URL_MAX, type OrangeWebpaySettings } from "./settings.ts";

/** Longest reference, which the payer reads on the page. */
const REFERENCE_MAX = 30;

const pageAnswer = z.object({ pay_token: plainText(), notif_token: plainText(), payment_url: webAddress.max(1_000) });
const statusAnswer = z.object({ status: plainText(), order_id: plainText(), txnid: txnidForm });

/** Talks to Orange: a payment page for a request, and the state of a payment. */
export function makeOrangeClient(
  settings: OrangeWebpaySettings,
  { channel, http, clock, callbackUrl }: RailTools,
): {
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
} {
  const api = `${settings.baseUrl}/orange-money-webpay/${settings.countryPath}/v1`;
  const bearer = makeBearer({
    http,
    clock,
    provider: "Orange",
    tokenRequest: {
      method: "POST",
      url: `${settings.baseUrl}/oauth/v3/token`,
      headers: {
        authorization: settings.authorization,
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      },
      body: "grant_type=client_credentials",
    },
  });

  const post = async (path: string, body: object, repeat: OutboundRequest["repeat"]): Promise<OutboundResponse> =>
    bearer.send({
      method: "POST",
      url: `${api}/${path}`,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
      repeat,
    });

  async function requestPayment(request: PaymentRequest): Promise<RequestOutcome> {
    const notifUrl = callbackUrl("callback");
    if (notifUrl.length > URL_MAX)
      return refused(`Orange takes notification addresses of ${URL_MAX} characters; ours has ${notifUrl.length}.`);
    const amount = wholeAmount(request.amount);
    if (amount === undefined) return refused("Orange takes whole amounts only.");
    const order = {
      merchant_key: settings.merchantKey,
      currency: settings.sandboxCurrency ?? channel.currency,
      order_id: orderIdOf(request.correlation),
      amount,
      return_url: settings.returnUrl,
      cancel_url: settings.cancelUrl,
      notif_url: notifUrl,
      lang: settings.language,
      reference: request.reference.slice(0, REFERENCE_MAX),
    };
    return askOnce(async () => {
      const answer = await post("webpayment", order, "once");
      if (answer.status >= 300) return refusalOf(answer);
      const page = readAs(pageAnswer, readJson(answer.raw));
      return accepted({
        payAt: page.payment_url,
        memory: { [NOTIF_TOKEN]: page.notif_token, [PAY_TOKEN]: page.pay_token },
      });
    });
  }

  async function enquire(subject: EnquirySubject): Promise<EnquiryOutcome> {
    const payToken = subject.memory[PAY_TOKEN];
    // Without the answer to our request nobody ever had the address of the page, so nobody can have paid on it.
    if (payToken === undefined)
      return { kind: "not_found", reason: "The address of the payment page never reached us." };
    const amount = subject.amount === undefined ? undefined : wholeAmount(subject.amount);
    if (amount === undefined) return unreachable("Orange tells a payment's state only to who names its whole amount.");
    const orderId = orderIdOf(subject.correlation);
    return enquireOnce(async () => {
      // A question changes nothing, so it may be asked twice.
      const answer = await post("transactionstatus", { order_id: orderId, amount, pay_token: payToken }, "safe");
      if (answer.status === 404) return { kind: "not_found", reason: reasonIn(answer) };
      if (answer.status >= 300) return unreachable(reasonIn(answer));
      const read = readAs(statusAnswer, readJson(answer.raw));
      if (read.order_id !== orderId) return unreachable("Orange answered about another order than the one asked for.");
      return { kind: "report", report: reportOf(subject, read), raw: answer.raw };
    });
  }

  const reportOf = (subject: EnquirySubject, { status, txnid }: z.infer<typeof statusAnswer>): Report => ({
    type: subject.reference === "" ? "merchantpay" : "billpay",
    ...stateOf(status, txnid),
    correlation: subject.correlation,
    originalTransactionReference: undefined,
    // Orange does not tell it, but would not know the payment under another amount.
    amount: undefined,
    creditParty: channel.name,
    reference: subject.reference,
    payer: NOBODY,
    at: undefined,
  });

  return { requestPayment, enquire };
}

/** As a JSON number: no rail carries amounts beyond what a double holds exactly. */
function wholeAmount(amount: Money): number | undefined {
  const [whole = "", fraction = ""] = formatDecimal(amount).split(".");
  return /[1-9]/.test(fraction) ? undefined : Number(whole);
}

function refusalOf(answer: OutboundResponse): RequestOutcome {
  const reason = reasonIn(answer);
  const isDuplicate = answer.status === 409 || /order.{0,40}(already|duplicate|exist|unique|used)/i.test(reason);
  return outcomeOfStatus(answer.status, { reason, isDuplicate });
}

function reasonIn({ status, raw }: OutboundResponse): string {
  const { message, description } = objectOrEmpty(findJson(raw));
  return wordsOf(`HTTP ${status}`, message, description) ?? "";
}
