import { Unusable, findText, type Body } from "../reading.ts";

/** What a result code says. `unknown` codes are kept for a person: never success, never a proven failure. */
export type Verdict = "success" | "failed" | "pending" | "unknown";

/** STK: the payer is still typing. */
const STILL_PROCESSING = "4999";

/**
 * Success is exactly the text or number 0: "" and null become 0 in careless hands, and so does "SFC_IC0003" in some
 * languages. Every other whole number is documented as a failure; other words are not known to be either.
 */
export function readStkCode(body: Body): { code: string; verdict: Verdict } {
  const code = codeOf(body);
  if (code === "0") return { code, verdict: "success" };
  if (code === STILL_PROCESSING) return { code, verdict: "pending" };
  return { code, verdict: /^[1-9]\d{0,8}$/.test(code) ? "failed" : "unknown" };
}

/** R000001: reversed before. It is as good as done, once somebody has looked; asking for another payment would pay twice. */
const REVERSED_BEFORE = "R000001";
/** 15: this request was seen before, so an earlier one of the same name decides. */
const DUPLICATE_DETECTED = "15";

/** Of a status query: "The transaction receipt number does not exist." Seen in production; the portal does not list it. */
export const RECEIPT_UNKNOWN = "2032";

/** Results of reversals write their failures as "R000002", those of the others as numbers. */
export function readResultCode(body: Body): { code: string; verdict: Verdict } {
  const code = codeOf(body);
  if (code === "0") return { code, verdict: "success" };
  if (code === REVERSED_BEFORE || code === DUPLICATE_DETECTED) return { code, verdict: "pending" };
  return { code, verdict: /^[1-9]\d{0,8}$|^R\d{4,8}$/.test(code) ? "failed" : "unknown" };
}

const codeOf = (body: Body): string => {
  const value = body["ResultCode"];
  return typeof value === "number" || typeof value === "string" ? String(value) : "";
};

/** The provider's code and words, for people. */
export function reasonOf(body: Body, code: string): string {
  return `${code} ${wordsOf(body)}`.trim();
}

export function refuseUnknownCode(code: string): never {
  const shown = code === "" ? "empty or missing" : `"${code.slice(0, 40).replace(/[^\w.-]/g, "?")}"`;
  throw new Unusable("status_unknown", `ResultCode is ${shown}, which says neither success nor failure.`, "ResultCode");
}

function wordsOf(body: Body): string {
  try {
    return findText(body, "ResultDesc") ?? "";
  } catch (error) {
    // Words are for people; a code stands without them.
    if (error instanceof Unusable) return "";
    throw error;
  }
}
