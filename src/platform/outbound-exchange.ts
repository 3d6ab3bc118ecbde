import { NoAnswer, NotSent, type OutboundRequest, type OutboundResponse } from "./outbound.ts";

/** Providers answer with a few kilobytes; a page of a list with some hundred. More would be a mistake or an attack. */
export const ANSWER_BYTES_MAX = 1_048_576;

/** Nobody accepted the connection, so nobody saw the request. It may be tried again, whatever it asks for. */
export class Unreachable extends NotSent {}

/** A request whose address and headers are readable. Made before anything is counted: what throws here is our bug. */
export interface PreparedRequest {
  readonly method: OutboundRequest["method"];
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

export function prepareRequest(request: OutboundRequest, baseUrl: string): PreparedRequest {
  const isAbsolute = /^https?:\/\//i.test(request.url);
  const headers = new Headers(request.headers);
  if (!headers.has("accept")) headers.set("accept", "application/json");
  if (!headers.has("user-agent")) headers.set("user-agent", "washa");
  return {
    method: request.method,
    url: new URL(isAbsolute ? request.url : `${baseUrl.replace(/\/+$/, "")}/${request.url.replace(/^\/+/, "")}`),
    headers,
    // A copy: the bytes of the caller may change while the request waits for its turn.
    body: typeof request.body === "object" ? new Uint8Array(request.body) : request.body,
  };
}

/** Sends once and reads the whole answer. Throws `Unreachable` or `NoAnswer`, with a code but never the address's path. */
export async function exchange(request: PreparedRequest, signal: AbortSignal): Promise<OutboundResponse> {
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      // A redirect would carry token and money elsewhere: it is an answer like any other.
      redirect: "manual",
      signal,
    });
    const raw = await readWhole(response);
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      raw,
      text: new TextDecoder().decode(raw),
    };
  } catch (error) {
    throw readFailure(error, request.url.host);
  }
}

async function readWhole(response: Response): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    // Leaving the loop cancels the rest and closes the connection.
    if (length > ANSWER_BYTES_MAX) throw new NoAnswer(`The answer is longer than ${String(ANSWER_BYTES_MAX)} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readFailure(error: unknown, host: string): NotSent | NoAnswer {
  if (error instanceof NoAnswer) return error;
  // fetch throws a TypeError around what happened to the connection.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = codeOf(cause) ?? (cause instanceof Error ? cause.name : "unknown");
  return isBeforeSending(cause)
    ? new Unreachable(`${host}: ${code}`, { cause })
    : new NoAnswer(`${host}: ${code}`, { cause });
}

/** Codes of certificates that were not believed, from OpenSSL by way of Node: the handshake ends before the request. */
const CERTIFICATE_CODES =
  /^(?:ERR_TLS_CERT_|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/;

/**
 * Only what certainly happened before the first byte of the request left. A reset or a time limit in the handshake could
 * have been one after it, so those are not here.
 */
function isBeforeSending(cause: unknown): boolean {
  // Several addresses of one name were tried: all must have failed so.
  if (cause instanceof AggregateError) return cause.errors.length > 0 && cause.errors.every(isBeforeSending);
  const code = codeOf(cause);
  if (code === "UND_ERR_CONNECT_TIMEOUT" || (code !== undefined && CERTIFICATE_CODES.test(code))) return true;
  const syscall = cause instanceof Error && "syscall" in cause ? cause.syscall : undefined;
  return syscall === "connect" || syscall === "getaddrinfo";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
