import type { Clock } from "../../../kernel/time.ts";
import type { OutboundHttp, OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, makeBearer } from "../calls.client.ts";
import { refused } from "../outcomes.ts";
import type { RequestOutcome } from "../rail.ts";
import { findJson, isObject, type Body } from "../reading.ts";
import { basicAuthorization } from "../basic-authorization.ts";

/** What Daraja said to one request. */
export interface DarajaAnswer {
  readonly status: number;
  readonly raw: Uint8Array;
  /** Undefined when the body is no JSON object, as with a gateway's HTML page. */
  readonly body: Body | undefined;
  /** Daraja's own error: "500.001.1001" and its words. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export interface DarajaClient {
  /** Throws `NotSent` and `NoAnswer` as the transport does; without an access token nothing was sent. */
  post(path: string, body: object, repeat: "safe" | "once"): Promise<DarajaAnswer>;
}

/** Authorised requests to Daraja. A token that is refused is replaced once. */
export function makeDarajaClient({
  http,
  clock,
  baseUrl,
  consumerKey,
  consumerSecret,
}: {
  http: OutboundHttp;
  clock: Clock;
  baseUrl: string;
  consumerKey: string;
  consumerSecret: string;
}): DarajaClient {
  const bearer = makeBearer({
    http,
    clock,
    provider: "M-Pesa",
    tokenRequest: {
      method: "GET",
      url: `${baseUrl}/oauth/v1/generate?grant_type=client_credentials`,
      headers: { authorization: basicAuthorization(consumerKey, consumerSecret) },
    },
    isTokenRefused,
  });
  return {
    post: async (path, body, repeat) =>
      read(
        await bearer.send({
          method: "POST",
          url: `${baseUrl}${path}`,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
          repeat,
        }),
      ),
  };
}

/** The gateway says it before anything is looked at: with HTTP 401, or with its own code under another status. */
function isTokenRefused(response: OutboundResponse): boolean {
  const { status, error } = read(response);
  return status === 401 || error?.code === "404.001.03" || error?.code === "400.003.01";
}

function read(response: OutboundResponse): DarajaAnswer {
  const value = findJson(response.raw);
  // Else a gateway's HTML page; the status says what there is to say.
  const body = isObject(value) ? value : undefined;
  const code = body?.["errorCode"];
  const message = body?.["errorMessage"];
  const error =
    typeof code === "string"
      ? { code: code.slice(0, 40), message: (typeof message === "string" ? message : "").slice(0, 200) }
      : undefined;
  return { status: response.status, raw: response.raw, body, error };
}

/** Sends an order; `taken` reads an answer with ResponseCode "0", all others say what they prove. */
export const sendOrder = async (
  send: () => Promise<DarajaAnswer>,
  taken: (body: Body) => RequestOutcome,
): Promise<RequestOutcome> =>
  askOnce(async () => {
    const answer = await send();
    const { status, body } = answer;
    return status === 200 && body !== undefined && String(body["ResponseCode"]) === "0"
      ? taken(body)
      : judgeRefusal(answer);
  });

/** The gateway's rate limits: nobody behind it has seen the request. */
const NOT_NOW = new Set(["500.003.02", "500.003.03"]);
/** "Internal server error": behind the gateway they may have acted. */
const MAY_HAVE_ACTED = new Set(["500.003.1001"]);

function judgeRefusal({ status, body, error }: DarajaAnswer): RequestOutcome {
  const reason = error === undefined ? reasonOf(status, body) : `${error.code} ${error.message}`.trim();
  if (status === 429 || (error !== undefined && NOT_NOW.has(error.code))) return { kind: "not_sent", reason };
  if (error !== undefined && !MAY_HAVE_ACTED.has(error.code)) return refused(reason, /duplicate/i.test(error.message));
  if (status === 200 && typeof body?.["ResponseCode"] === "string") return refused(reason);
  // 408 and 425 are said by proxies that gave up waiting for somebody who may have acted.
  if (status >= 400 && status < 500 && status !== 408 && status !== 425) return refused(reason);
  return { kind: "unknown", reason };
}

function reasonOf(status: number, body: Body | undefined): string {
  const words = [body?.["ResponseCode"], body?.["ResponseDescription"]].filter((part) => typeof part === "string");
  return `HTTP ${status} ${words.join(" ")}`.trim().slice(0, 200);
}
