import { createRequire } from "node:module";
import africastalking from "africastalking";
import packageUrls from "africastalking/lib/common.js";
import { z } from "zod";
import type { Gateway, GatewayOutcome } from "./gateway.ts";

/** The part of axios' published defaults that the package's calls inherit. */
interface HttpDefaults {
  signal?: AbortSignal | undefined;
  maxRedirects?: number | undefined;
  maxContentLength?: number | undefined;
}

const requireHere = createRequire(import.meta.url);
// The package's own copy, wherever it was installed: the one whose defaults its calls read.
const packageAxios = createRequire(requireHere.resolve("africastalking"))("axios") as {
  readonly defaults: HttpDefaults;
};

/** An answer about one recipient has about 300 bytes. */
const ANSWER_BYTES_MAX = 65_536;

/** Processed, sent, queued. */
const GOOD_CODES = new Set([100, 101, 102]);
/**
 * Invalid number, unsupported kind of number, blacklisted by its owner, do-not-disturb: it is the number, and stays so.
 * The others (sender name, credit, routing, the gateway's own faults) can be mended, so those messages are tried again.
 */
const PERMANENT_CODES = new Set([403, 404, 406, 409]);

const answerShape = z.object({
  SMSMessageData: z.object({
    Message: z.string().default(""),
    Recipients: z
      .array(
        z.object({
          statusCode: z.coerce.number(),
          status: z.string().default(""),
          messageId: z.string().default(""),
          cost: z.coerce.string().optional(),
        }),
      )
      .default([]),
  }),
});

/**
 * Africa's Talking through its own package, made safe (why, and how far: docs/adr/0013-sms-gateway.md). `timeoutMs`
 * bounds one call, after which the connection is cut. `baseUrl` is for simulators; without it the user name decides
 * between the sandbox and the real service. Throws at once where the package is not the one this was written for.
 */
export function makeAfricasTalkingGateway({
  username,
  apiKey,
  from,
  baseUrl = `https://api.${username === "sandbox" ? "sandbox." : ""}africastalking.com`,
  timeoutMs = 10_000,
}: {
  username: string;
  apiKey: string;
  from?: string;
  baseUrl?: string;
  timeoutMs?: number;
}): Gateway {
  if (typeof packageUrls.SMS_URL !== "string" || typeof packageAxios.defaults !== "object") {
    throw new Error("This africastalking package is not 0.8.3: its address or its HTTP client cannot be found.");
  }
  const client = africastalking({ username, apiKey });
  const url = new URL("/version1/messaging", baseUrl).toString();

  return {
    async send({ to, text, from: sender = from }) {
      const deadline = AbortSignal.timeout(timeoutMs);
      const expired = new Promise<never>((_, reject) => {
        deadline.addEventListener("abort", () => reject(new DeadlinePassed(timeoutMs)), { once: true });
      });
      // When the answer comes first, nobody is left to hear this one.
      expired.catch(() => undefined);
      try {
        const call = withSettings(url, deadline, () =>
          client.SMS.send({ to, message: text, enqueue: true, ...(sender === undefined ? {} : { from: sender }) }),
        );
        return readAnswer(await Promise.race([call, expired]));
      } catch (error) {
        return readFailure(error);
      }
    },
  };
}

/**
 * Runs the call under our settings. The package reads its address and its client's defaults synchronously, before `call`
 * returns, so that they are ours for this call and back in place for everybody else's.
 */
function withSettings<Outcome>(url: string, signal: AbortSignal, call: () => Outcome): Outcome {
  const { defaults } = packageAxios;
  const before = { url: packageUrls.SMS_URL, ...defaults };
  try {
    packageUrls.SMS_URL = url;
    // A redirect would carry the key elsewhere.
    Object.assign(defaults, { signal, maxRedirects: 0, maxContentLength: ANSWER_BYTES_MAX });
    return call();
  } finally {
    packageUrls.SMS_URL = before.url;
    defaults.signal = before.signal;
    defaults.maxRedirects = before.maxRedirects;
    defaults.maxContentLength = before.maxContentLength;
  }
}

class DeadlinePassed extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${String(timeoutMs)} ms`);
  }
}

/** The call resolves also when nobody was sent anything: the recipient's own code decides. */
function readAnswer(answer: unknown): GatewayOutcome {
  const parsed = answerShape.safeParse(answer);
  if (!parsed.success) return { accepted: false, reason: "an answer of an unknown shape", permanent: false };
  const { Message: remark, Recipients: recipients } = parsed.data.SMSMessageData;
  const recipient = recipients[0];
  if (recipient === undefined) return { accepted: false, reason: remark || "no recipient taken", permanent: false };
  const { statusCode, status, messageId, cost } = recipient;
  if (GOOD_CODES.has(statusCode)) {
    return { accepted: true, providerId: messageId, ...(cost === undefined ? {} : { costText: cost }) };
  }
  return {
    accepted: false,
    reason: `${String(statusCode)} ${status}`.trim(),
    permanent: PERMANENT_CODES.has(statusCode),
  };
}

/** Never repeats the error itself: it carries the request, and with it the key. */
function readFailure(error: unknown): GatewayOutcome {
  const fails = (reason: string, permanent = false): GatewayOutcome => ({ accepted: false, reason, permanent });
  if (error instanceof DeadlinePassed) return fails(error.message);
  if (typeof error !== "object" || error === null) return fails("an answer of an unknown shape");
  if ("isAxiosError" in error || "code" in error) {
    const response: unknown = "response" in error ? error.response : undefined;
    if (typeof response === "object" && response !== null && "status" in response) {
      return fails(`HTTP ${String(response.status)}`);
    }
    return fails("code" in error && typeof error.code === "string" ? error.code : "no connection");
  }
  // A success other than 201 is thrown as the answer itself; a number it cannot read, as a plain error, before anything is sent.
  return error instanceof Error ? fails("the number cannot be read", true) : readAnswer(error);
}
