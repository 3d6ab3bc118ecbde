import { formatDecimal, type Money } from "../../../kernel/money.ts";
import type { OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce, makeBearer } from "../calls.client.ts";
import { accepted, refused, told, unreachable } from "../outcomes.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  PaymentRequest,
  RailTools,
  RefundOrder,
  RequestOutcome,
} from "../rail.ts";
import { findJson, objectOrEmpty, wordsOf } from "../reading.ts";
import { basicAuthorization } from "../basic-authorization.ts";
import { parseStatus } from "./status.ts";

/** MTN sells its API in products; each has keys and tokens of its own. */
export interface Product {
  readonly subscriptionKey: string;
  readonly apiUser: string;
  readonly apiKey: string;
}

interface ClientSettings {
  readonly baseUrl: string;
  readonly targetEnvironment: string;
  readonly collection: Product;
  readonly disbursement?: Product | undefined;
  readonly creditParty: string;
}

interface MtnClient {
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
  readonly refund: ((order: RefundOrder) => Promise<RequestOutcome>) | undefined;
}

/** MTN refuses longer notes with 400. */
const NOTE_MAX = 160;
/** These come as HTTP 500, but they are about us and not about the payment: the request went nowhere. */
const REFUSED_AS_500 = new Set([
  "NOT_ALLOWED",
  "NOT_ALLOWED_TARGET_ENVIRONMENT",
  "INVALID_CALLBACK_URL_HOST",
  "INVALID_CURRENCY",
]);

/** Speaks to MTN: requests to pay, transfers, and the status of both. */
export function makeMtnClient(settings: ClientSettings, tools: RailTools): MtnClient {
  const { channel } = tools;
  const collection = makeProduct("collection", settings.collection, { settings, tools });
  const disbursement = settings.disbursement && makeProduct("disbursement", settings.disbursement, { settings, tools });

  async function requestPayment({ correlation, phone, amount, reference }: PaymentRequest): Promise<RequestOutcome> {
    return collection.ask("/collection/v1_0/requesttopay", {
      correlation,
      callbackUrl: tools.callbackUrl("callback", correlation),
      body: {
        ...amountOf(amount),
        externalId: reference,
        payer: { partyIdType: "MSISDN", partyId: phone.replace(/^\+/, "") },
        payerMessage: note(`Payment ${reference}`),
        payeeNote: note(reference),
      },
    });
  }

  return {
    requestPayment: async (request) => refuseImpossible(request) ?? requestPayment(request),
    enquire: async (subject) =>
      enquireOnce(async () => {
        const paysOut = subject.kind === "disbursement";
        const product = paysOut ? disbursement : collection;
        if (product === undefined) return unreachable("The disbursement keys are gone.");
        const path = paysOut ? "/disbursement/v1_0/transfer/" : "/collection/v1_0/requesttopay/";
        return readStatusAnswer(await product.status(path, subject.correlation), subject);
      }),
    // MTN is not asked for a callback: a hint about a transfer would look like one about a payment.
    refund:
      disbursement &&
      (async (order) =>
        refuseImpossible(order) ??
        disbursement.ask("/disbursement/v1_0/transfer", {
          correlation: order.correlation,
          callbackUrl: undefined,
          body: {
            ...amountOf(order.amount),
            externalId: order.original?.transactionReference ?? order.correlation,
            payee: { partyIdType: "MSISDN", partyId: (order.phone ?? "").replace(/^\+/, "") },
            payerMessage: note(order.reason),
            payeeNote: note(order.reason),
          },
        })),
  };

  function refuseImpossible(asked: PaymentRequest | RefundOrder): RequestOutcome | undefined {
    if (asked.amount.currency !== channel.currency) return refused(`${channel.name} moves ${channel.currency} only.`);
    if (asked.amount.minor <= 0n) return refused("There is nothing to move.");
    if (asked.phone === undefined) return refused("The payer's number is not known, and MTN pays to numbers only.");
    return undefined;
  }

  function readStatusAnswer(answer: OutboundResponse, subject: EnquirySubject): EnquiryOutcome {
    const code = codeOf(answer);
    if (answer.status === 404 && /not.?found/i.test(code))
      return { kind: "not_found", reason: `MTN does not know ${subject.correlation}: ${code}` };
    // A 404 in another form is a gateway's or a proxy's; that says nothing about the payment.
    if (answer.status !== 200) return unreachable(`HTTP ${answer.status} ${code}`.trim());
    const parsed = parseStatus(answer.raw, {
      channel,
      creditParty: settings.creditParty,
      correlation: subject.correlation,
      subject: subject.kind === "disbursement" ? "disbursement" : "payment",
    });
    return told(parsed, answer.raw);
  }
}

interface Ask {
  readonly correlation: string;
  readonly callbackUrl: string | undefined;
  readonly body: object;
}

function makeProduct(
  name: "collection" | "disbursement",
  keys: Product,
  { settings, tools }: { settings: ClientSettings; tools: RailTools },
) {
  const { baseUrl, targetEnvironment } = settings;
  const identity = { "ocp-apim-subscription-key": keys.subscriptionKey };
  const environment = { ...identity, "x-target-environment": targetEnvironment };
  const bearer = makeBearer({
    ...tools,
    provider: `MTN (${name})`,
    tokenRequest: {
      method: "POST",
      url: `${baseUrl}/${name}/token/`,
      headers: { ...identity, authorization: basicAuthorization(keys.apiUser, keys.apiKey) },
    },
  });

  return {
    /** X-Reference-Id makes it safe to send again: MTN answers 409 to a name that it knows. */
    ask: async (path: string, { correlation, callbackUrl, body }: Ask): Promise<RequestOutcome> =>
      askOnce(async () =>
        readAskAnswer(
          await bearer.send({
            method: "POST",
            url: `${baseUrl}${path}`,
            headers: {
              ...environment,
              "content-type": "application/json",
              "x-reference-id": correlation,
              ...(callbackUrl === undefined ? {} : { "x-callback-url": callbackUrl }),
            },
            body: JSON.stringify(body),
            repeat: "safe",
          }),
        ),
      ),

    status: async (path: string, correlation: string): Promise<OutboundResponse> =>
      bearer.send({
        method: "GET",
        url: `${baseUrl}${path}${encodeURIComponent(correlation)}`,
        headers: environment,
        repeat: "safe",
      }),
  };
}

function readAskAnswer(answer: OutboundResponse): RequestOutcome {
  const { status } = answer;
  const code = codeOf(answer);
  const said = `HTTP ${status} ${code}`.trim();
  if (status === 202) return accepted();
  if (status === 409) return refused(said, true);
  // Our keys are wrong or too many ask: MTN has not looked at the request, and it can be asked the same later.
  if (status === 401 || status === 429) return { kind: "not_sent", reason: said };
  if (status === 408 || (status >= 500 && !REFUSED_AS_500.has(code))) return { kind: "unknown", reason: said };
  if (status >= 400) return refused(said);
  return { kind: "unknown", reason: said };
}

function amountOf(amount: Money): { amount: string; currency: string } {
  return { amount: formatDecimal(amount), currency: amount.currency };
}

/** Letters, digits, dash and full stop: other characters in notes are refused in some markets. */
function note(text: string): string {
  return text
    .replace(/[^A-Za-z0-9 .-]/g, " ")
    .replace(/ +/g, " ")
    .trim()
    .slice(0, NOTE_MAX);
}

/** MTN's word for what is wrong; its gateway writes a message only. */
function codeOf(answer: OutboundResponse): string {
  const body = objectOrEmpty(findJson(answer.raw));
  return wordsOf(body["code"]) ?? wordsOf(body["message"]) ?? "";
}
