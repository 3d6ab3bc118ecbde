import { z } from "zod";
import { NoAnswer, NotSent, type OutboundHttp, type OutboundResponse } from "../platform/outbound.ts";
import type { CheckSimSwap } from "./sim-swap.commands.ts";

/** Three days: whoever stole a number uses it at once, and whoever bought a new card is soon left in peace. */
const MAX_AGE_HOURS = 72;
/** A caller waits for it. */
const TIMEOUT_MS = 1_200;

const ANSWER = z.object({ swapped: z.boolean() });

/** The SIM Swap API of GSMA Open Gateway (CAMARA): `POST /check`. What is no answer leaves it unknown: the network's trouble is not the customer's. */
export function makeSimSwapClient({ http, token }: { http: OutboundHttp; token: string }): CheckSimSwap {
  return async (phoneNumber) => {
    const response = await send(phoneNumber).catch((error: unknown) => {
      if (error instanceof NoAnswer || error instanceof NotSent) return undefined;
      throw error;
    });
    const answer = response?.status === 200 ? ANSWER.safeParse(parsed(response.text)) : undefined;
    if (answer?.success !== true) return "unknown";
    return answer.data.swapped ? "recent" : "none";
  };

  function send(phoneNumber: string): Promise<OutboundResponse> {
    return http.send({
      method: "POST",
      url: "check",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ phoneNumber, maxAge: MAX_AGE_HOURS }),
      repeat: "safe",
      timeoutMs: TIMEOUT_MS,
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
