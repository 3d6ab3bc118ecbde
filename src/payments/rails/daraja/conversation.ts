import { FORBIDDEN_IN_DARAJA_URL } from "./settings.ts";

/**
 * What the last part of a ResultURL or QueueTimeOutURL says. A failed result names nothing of ours, so the address does:
 *
 * - `b2c-<correlation>`: the result of a pay-out to a phone;
 * - `reversal-<correlation>`: the result of a reversal;
 * - `b2c-status-<correlation>`, `reversal-status-<correlation>`: the answer to an enquiry about one of these, whose failure
 *   says that the *enquiry* failed and nothing about the money;
 * - `status-<transaction reference>`: the answer to an enquiry about a payment that a callback told of.
 */
export type Conversation =
  | { readonly about: "b2c" | "reversal"; readonly isEnquiry: boolean; readonly correlation: string }
  | { readonly about: "payment"; readonly isEnquiry: true; readonly transactionReference: string };

export function writeConversation(conversation: Conversation): string {
  if (conversation.about === "payment") return `status-${withoutForbiddenWords(conversation.transactionReference)}`;
  return `${conversation.about}-${conversation.isEnquiry ? "status-" : ""}${conversation.correlation}`;
}

/** Undefined for an address that this program never gave out. */
export function readConversation(parameter: string | undefined): Conversation | undefined {
  const payment = /^status-([A-Za-z0-9-]{6,64})$/.exec(parameter ?? "")?.[1]?.replaceAll("-", "");
  if (payment !== undefined) return { about: "payment", isEnquiry: true, transactionReference: payment.toUpperCase() };
  const match = /^(b2c|reversal)-(status-)?([\w-]{1,100})$/.exec(parameter ?? "");
  if (match === null) return undefined;
  const [, about, status, correlation = ""] = match;
  return { about: about === "b2c" ? "b2c" : "reversal", isEnquiry: status !== undefined, correlation };
}

/** One receipt number in two thousand has EXE, CMD or SQL in it, and its enquiry would be refused for that. */
function withoutForbiddenWords(reference: string): string {
  const isForbidden = FORBIDDEN_IN_DARAJA_URL.some((word) => reference.toLowerCase().includes(word));
  return isForbidden ? (reference.match(/.{1,2}/g) ?? []).join("-") : reference;
}
