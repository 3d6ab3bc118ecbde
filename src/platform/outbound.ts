import type { Clock } from "../kernel/time.ts";

/** One request to somebody else's server. */
export interface OutboundRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Absolute, or a path below the base URL. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** `safe`: the same request twice acts once, so it is tried again. `once`: only when it was certainly not sent. */
  readonly repeat: "safe" | "once";
  /** Until headers and body are here. Default ten seconds. */
  readonly timeoutMs?: number;
}

export interface OutboundResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly raw: Uint8Array;
  /** The body as UTF-8. */
  readonly text: string;
}

/** Certainly nobody has seen the request: refused connection, unknown host, circuit open, no room under the rate limit. */
export class NotSent extends Error {}

/** The request may have been acted upon: it was sent, and no answer came that can be read. */
export class NoAnswer extends Error {}

/** Requests to one provider, under its time limits, rate limit and circuit breaker. Throws `NotSent` or `NoAnswer`; any HTTP status is an answer. */
export interface OutboundHttp {
  send(request: OutboundRequest): Promise<OutboundResponse>;
}

/** An access token that many callers share: fetched once for all of them, renewed before it ends. */
export interface TokenCache {
  current(): Promise<string>;
  /** The server refused this token: the next `current` fetches another. */
  reject(token: string): void;
}

export interface FreshToken {
  readonly token: string;
  readonly expiresInSeconds: number;
}

export type MakeTokenCache = (deps: { clock: Clock; fetchToken: () => Promise<FreshToken> }) => TokenCache;
