import type { Clock } from "../../../kernel/time.ts";
import { NoAnswer, NotSent, type OutboundHttp, type OutboundResponse } from "../../../platform/outbound.ts";
import { makeTokenCache } from "../../../platform/token-cache.ts";
import { isObject, type Body } from "./fields.ts";

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

/** Tokens live an hour; an answer that does not say so is believed for less. */
const TOKEN_SECONDS_DEFAULT = 600;

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
  const basic = Buffer.from(`${consumerKey}:${consumerSecret}`).toString("base64");
  const tokens = makeTokenCache({
    clock,
    fetchToken: async () => {
      const response = await http.send({
        method: "GET",
        url: `${baseUrl}/oauth/v1/generate?grant_type=client_credentials`,
        headers: { authorization: `Basic ${basic}` },
        repeat: "safe",
      });
      const { body, error } = read(response);
      const token = body?.["access_token"];
      if (response.status !== 200 || typeof token !== "string" || token === "")
        throw new Error(`M-Pesa gave no access token (HTTP ${response.status} ${error?.code ?? ""}).`);
      const seconds = Number(body?.["expires_in"]);
      return { token, expiresInSeconds: seconds > 0 ? seconds : TOKEN_SECONDS_DEFAULT };
    },
  });

  /** Whatever goes wrong here, the request that needed the token was not sent. */
  async function currentToken(): Promise<string> {
    try {
      return await tokens.current();
    } catch (cause) {
      throw new NotSent(cause instanceof Error ? cause.message : "M-Pesa gave no access token.", { cause });
    }
  }

  return {
    async post(path, body, repeat) {
      const attempt = async (token: string): Promise<DarajaAnswer> =>
        read(
          await http.send({
            method: "POST",
            url: `${baseUrl}${path}`,
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
            body: JSON.stringify(body),
            repeat,
          }),
        );
      const token = await currentToken();
      const answer = await attempt(token);
      if (!isTokenRefused(answer)) return answer;
      tokens.reject(token);
      return attempt(await currentToken());
    },
  };
}

/** The gateway says it before anything is looked at: with HTTP 401, or with its own code under another status. */
const isTokenRefused = ({ status, error }: DarajaAnswer): boolean =>
  status === 401 || error?.code === "404.001.03" || error?.code === "400.003.01";

function read(response: OutboundResponse): DarajaAnswer {
  let body: Body | undefined;
  try {
    const value: unknown = JSON.parse(response.text);
    if (isObject(value)) body = value;
  } catch {
    // A gateway's HTML page; the status says what there is to say.
  }
  const code = body?.["errorCode"];
  const message = body?.["errorMessage"];
  const error =
    typeof code === "string"
      ? { code: code.slice(0, 40), message: (typeof message === "string" ? message : "").slice(0, 200) }
      : undefined;
  return { status: response.status, raw: response.raw, body, error };
}

/** What became of a request that moves money, when it was not taken. */
export type Declined =
  | { readonly kind: "refused"; readonly reason: string; readonly isDuplicate: boolean }
  | { readonly kind: "not_sent" | "unknown"; readonly reason: string };

/** Sends, and says what an unsuccessful answer proves; an answer with ResponseCode "0" comes back as it is. */
export async function sendOrder(
  send: () => Promise<DarajaAnswer>,
): Promise<{ readonly kind: "taken"; readonly body: Body } | Declined> {
  let answer: DarajaAnswer;
  try {
    answer = await send();
  } catch (error) {
    if (error instanceof NotSent) return { kind: "not_sent", reason: error.message };
    if (error instanceof NoAnswer) return { kind: "unknown", reason: error.message };
    throw error;
  }
  const { status, body } = answer;
  if (status === 200 && body !== undefined && String(body["ResponseCode"]) === "0") return { kind: "taken", body };
  return judgeRefusal(answer);
}

/** The gateway's rate limits: nobody behind it has seen the request. */
const NOT_NOW = new Set(["500.003.02", "500.003.03"]);
/** "Internal server error": behind the gateway they may have acted. */
const MAY_HAVE_ACTED = new Set(["500.003.1001"]);

function judgeRefusal({ status, body, error }: DarajaAnswer): Declined {
  const reason = error === undefined ? reasonOf(status, body) : `${error.code} ${error.message}`.trim();
  if (status === 429 || (error !== undefined && NOT_NOW.has(error.code))) return { kind: "not_sent", reason };
  if (error !== undefined && !MAY_HAVE_ACTED.has(error.code))
    return { kind: "refused", reason, isDuplicate: /duplicate/i.test(error.message) };
  if (status === 200 && typeof body?.["ResponseCode"] === "string")
    return { kind: "refused", reason, isDuplicate: false };
  // 408 and 425 are said by proxies that gave up waiting for somebody who may have acted.
  if (status >= 400 && status < 500 && status !== 408 && status !== 425)
    return { kind: "refused", reason, isDuplicate: false };
  return { kind: "unknown", reason };
}

function reasonOf(status: number, body: Body | undefined): string {
  const words = [body?.["ResponseCode"], body?.["ResponseDescription"]].filter((part) => typeof part === "string");
  return `HTTP ${status} ${words.join(" ")}`.trim().slice(0, 200);
}
