import type { Clock } from "../../kernel/time.ts";
import {
  NoAnswer,
  NotSent,
  type OutboundHttp,
  type OutboundRequest,
  type OutboundResponse,
} from "../../platform/outbound.ts";
import { makeTokenCache } from "../../platform/token-cache.ts";
import { unreachable } from "./outcomes.ts";
import type { EnquiryOutcome, RequestOutcome } from "./rail.ts";
import { findJson, objectOrEmpty, Unusable, wordsOf } from "./reading.ts";

/** For an answer that does not say how long its token lives: the shortest life that any provider documents (Airtel). */
const TOKEN_SECONDS = 180;

/**
 * Asks for something that moves money. Not sent: nobody has seen it. No answer, or one that cannot be read: they may have
 * acted.
 */
export async function askOnce(ask: () => Promise<RequestOutcome>): Promise<RequestOutcome> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof NotSent) return { kind: "not_sent", reason: error.message };
    if (error instanceof NoAnswer || error instanceof Unusable) return { kind: "unknown", reason: error.message };
    throw error;
  }
}

/** An enquiry moves nothing, so every kind of silence only means: ask later. */
export async function enquireOnce(enquire: () => Promise<EnquiryOutcome>): Promise<EnquiryOutcome> {
  try {
    return await enquire();
  } catch (error) {
    if (error instanceof NotSent || error instanceof NoAnswer || error instanceof Unusable)
      return unreachable(error.message);
    throw error;
  }
}

/**
 * Sends requests with an access token that all of them share. A token that is refused is replaced once. Without a token
 * it throws `NotSent`: whatever befell the token, nobody has seen the request itself.
 */
export function makeBearer({
  http,
  clock,
  provider,
  tokenRequest,
  isTokenRefused = ({ status }) => status === 401,
}: {
  http: OutboundHttp;
  clock: Clock;
  /** As people call it, for reasons. */
  provider: string;
  tokenRequest: Omit<OutboundRequest, "repeat">;
  isTokenRefused?: (answer: OutboundResponse) => boolean;
}): OutboundHttp {
  const tokens = makeTokenCache({ clock, fetchToken });

  async function fetchToken() {
    const answer = await http.send({ ...tokenRequest, repeat: "safe" });
    const body = objectOrEmpty(findJson(answer.raw));
    const token = body["access_token"];
    if (answer.status !== 200 || typeof token !== "string" || token === "")
      throw new NotSent(
        [`${provider} gave no access token: HTTP ${answer.status}`, wordsOf(body["errorCode"] ?? body["error"])]
          .filter((words) => words !== undefined)
          .join(" "),
      );
    const seconds = Number(body["expires_in"]);
    return { token, expiresInSeconds: Number.isFinite(seconds) && seconds > 0 ? seconds : TOKEN_SECONDS };
  }

  async function currentToken(): Promise<string> {
    try {
      return await tokens.current();
    } catch (cause) {
      if (cause instanceof NoAnswer) throw new NotSent(`${provider} gave no access token: ${cause.message}`, { cause });
      throw cause;
    }
  }

  return {
    async send(request) {
      const attempt = async (token: string): Promise<OutboundResponse> =>
        http.send({ ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } });
      const token = await currentToken();
      const answer = await attempt(token);
      if (!isTokenRefused(answer)) return answer;
      tokens.reject(token);
      return attempt(await currentToken());
    },
  };
}
