import { formatDecimal, type Money } from "../../../kernel/money.ts";
import { NoAnswer, NotSent, type OutboundRequest, type OutboundResponse } from "../../../platform/outbound.ts";
import { makeTokenCache } from "../../../platform/token-cache.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  PaymentRequest,
  RailTools,
  RefundOrder,
  RequestOutcome,
} from "../rail.ts";
import { parseStatus, printable } from "./status.ts";

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
/** Tokens live an hour; a token without a time is used for the shortest that was ever documented. */
const TOKEN_SECONDS = 300;
/** These come as HTTP 500, but they are about us and not about the payment: the request went nowhere. */
const REFUSED_AS_500 = new Set([
  "NOT_ALLOWED",
  "NOT_ALLOWED_TARGET_ENVIRONMENT",
  "INVALID_CALLBACK_URL_HOST",
  "INVALID_CURRENCY",
]);

/** No token, so nothing was asked of MTN. */
class TokenUnavailable extends Error {}

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
    enquire: async (subject) => {
      const paysOut = subject.kind === "disbursement";
      const product = paysOut ? disbursement : collection;
      if (product === undefined) return { kind: "unreachable", reason: "The disbursement keys are gone." };
      const path = paysOut ? "/disbursement/v1_0/transfer/" : "/collection/v1_0/requesttopay/";
      return readStatusAnswer(await product.status(path, subject.correlation), subject);
    },
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

  function readStatusAnswer(answer: OutboundResponse | Failed, subject: EnquirySubject): EnquiryOutcome {
    if ("failed" in answer) return { kind: "unreachable", reason: answer.failed };
    const code = codeOf(answer);
    if (answer.status === 404 && /not.?found/i.test(code))
      return { kind: "not_found", reason: `MTN does not know ${subject.correlation}: ${code}` };
    // A 404 in another form is a gateway's or a proxy's; that says nothing about the payment.
    if (answer.status !== 200) return { kind: "unreachable", reason: `HTTP ${answer.status} ${code}`.trim() };
    const parsed = parseStatus(answer.raw, {
      channel,
      creditParty: settings.creditParty,
      correlation: subject.correlation,
      subject: subject.kind === "disbursement" ? "disbursement" : "payment",
    });
    if (!parsed.ok) return { kind: "unreachable", reason: `${parsed.reason}: ${parsed.detail}` };
    const [report] = parsed.reports;
    return report === undefined
      ? { kind: "unreachable", reason: "The answer told nothing." }
      : { kind: "report", report, raw: answer.raw };
  }
}

interface Ask {
  readonly correlation: string;
  readonly callbackUrl: string | undefined;
  readonly body: object;
}

interface Failed {
  readonly failed: string;
}

function makeProduct(
  name: "collection" | "disbursement",
  keys: Product,
  { settings, tools }: { settings: ClientSettings; tools: RailTools },
) {
  const { http, clock } = tools;
  const { baseUrl, targetEnvironment } = settings;
  const tokens = makeTokenCache({ clock, fetchToken });

  async function fetchToken() {
    const basic = Buffer.from(`${keys.apiUser}:${keys.apiKey}`).toString("base64");
    const answer = await http.send({
      method: "POST",
      url: `${baseUrl}/${name}/token/`,
      headers: { authorization: `Basic ${basic}`, "ocp-apim-subscription-key": keys.subscriptionKey },
      repeat: "safe",
    });
    const body = jsonOf(answer);
    const token = body["access_token"];
    if (answer.status !== 200 || typeof token !== "string" || token === "")
      throw new TokenUnavailable(`MTN gave no ${name} token: HTTP ${answer.status} ${codeOf(answer)}`.trim());
    const seconds = Number(body["expires_in"]);
    return { token, expiresInSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : TOKEN_SECONDS };
  }

  async function currentToken(): Promise<string> {
    try {
      return await tokens.current();
    } catch (error) {
      if (error instanceof NotSent || error instanceof NoAnswer)
        throw new TokenUnavailable(`MTN gave no ${name} token: ${error.message}`, { cause: error });
      throw error;
    }
  }

  async function send(request: OutboundRequest): Promise<OutboundResponse> {
    const attempt = async (token: string) =>
      http.send({
        ...request,
        headers: {
          ...request.headers,
          authorization: `Bearer ${token}`,
          "ocp-apim-subscription-key": keys.subscriptionKey,
          "x-target-environment": targetEnvironment,
        },
      });
    const token = await currentToken();
    const first = await attempt(token);
    if (first.status !== 401) return first;
    tokens.reject(token);
    return attempt(await currentToken());
  }

  return {
    /** X-Reference-Id makes it safe to send again: MTN answers 409 to a name that it knows. */
    async ask(path: string, { correlation, callbackUrl, body }: Ask): Promise<RequestOutcome> {
      try {
        const answer = await send({
          method: "POST",
          url: `${baseUrl}${path}`,
          headers: {
            "content-type": "application/json",
            "x-reference-id": correlation,
            ...(callbackUrl === undefined ? {} : { "x-callback-url": callbackUrl }),
          },
          body: JSON.stringify(body),
          repeat: "safe",
        });
        return readAskAnswer(answer);
      } catch (error) {
        if (error instanceof NotSent || error instanceof TokenUnavailable)
          return { kind: "not_sent", reason: error.message };
        if (error instanceof NoAnswer) return { kind: "unknown", reason: error.message };
        throw error;
      }
    },

    async status(path: string, correlation: string): Promise<OutboundResponse | Failed> {
      try {
        const url = `${baseUrl}${path}${encodeURIComponent(correlation)}`;
        return await send({ method: "GET", url, repeat: "safe" });
      } catch (error) {
        if (error instanceof NotSent || error instanceof NoAnswer || error instanceof TokenUnavailable)
          return { failed: error.message };
        throw error;
      }
    },
  };
}

function readAskAnswer(answer: OutboundResponse): RequestOutcome {
  const { status } = answer;
  const code = codeOf(answer);
  const said = `HTTP ${status} ${code}`.trim();
  if (status === 202) return { kind: "accepted", providerCorrelation: undefined, payAt: undefined, memory: undefined };
  if (status === 409) return { kind: "refused", reason: said, isDuplicate: true };
  // Our keys are wrong or too many ask: MTN has not looked at the request, and it can be asked the same later.
  if (status === 401 || status === 429) return { kind: "not_sent", reason: said };
  if (status === 408 || (status >= 500 && !REFUSED_AS_500.has(code))) return { kind: "unknown", reason: said };
  if (status >= 400) return refused(said);
  return { kind: "unknown", reason: said };
}

function refused(reason: string): RequestOutcome {
  return { kind: "refused", reason, isDuplicate: false };
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

function jsonOf({ text }: OutboundResponse): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** MTN's word for what is wrong; its gateway writes a message only. */
function codeOf(answer: OutboundResponse): string {
  const body = jsonOf(answer);
  const said = [body["code"], body["message"]].find((part) => typeof part === "string");
  return said === undefined ? "" : printable(said);
}
