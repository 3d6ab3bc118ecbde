import { NoAnswer, NotSent, type OutboundHttp } from "../platform/outbound.ts";
import type { GatewayOutcome } from "./gateway.ts";

/**
 * Posts JSON to a gateway and reads its answer. Sent again by itself only where certainly nobody saw it; what became of an answer
 * that did not come is unknown, and the outcome says so. Never throws for what the outside did, and never repeats an address,
 * which may hold a token.
 */
export async function sendJson(
  http: OutboundHttp,
  { url, headers = {}, body }: { url: string; headers?: Readonly<Record<string, string>>; body: unknown },
  read: (status: number, text: string) => GatewayOutcome,
): Promise<GatewayOutcome> {
  try {
    const { status, text } = await http.send({
      method: "POST",
      url,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      repeat: "once",
    });
    return read(status, text);
  } catch (error) {
    if (error instanceof NotSent || error instanceof NoAnswer)
      return { accepted: false, reason: error.message, permanent: false };
    throw error;
  }
}

/** An answer as JSON; undefined where it is none, as the page of a proxy. */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
