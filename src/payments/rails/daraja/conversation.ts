/**
 * What the last part of a ResultURL or QueueTimeOutURL says. A failed result names nothing of ours, so the address does:
 *
 * - `b2c-<correlation>`: the result of a pay-out to a phone;
 * - `reversal-<correlation>`: the result of a reversal;
 * - `b2c-status-<correlation>`, `reversal-status-<correlation>`: the answer to an enquiry about one of these, whose failure
 *   says that the *enquiry* failed and nothing about the money;
 * - `status-<correlation>`: the answer to an enquiry about a payment that a callback told of. The correlation is random and
 *   goes to M-Pesa alone: nobody else can answer in its place.
 */
export interface Conversation {
  readonly about: "b2c" | "reversal" | "payment";
  readonly isEnquiry: boolean;
  readonly correlation: string;
}

export function writeConversation({ about, isEnquiry, correlation }: Conversation): string {
  if (about === "payment") return `status-${correlation}`;
  return `${about}-${isEnquiry ? "status-" : ""}${correlation}`;
}

/** Undefined for an address that this program never gave out. */
export function readConversation(parameter: string | undefined): Conversation | undefined {
  const match = /^(?:(b2c|reversal)-)?(status-)?([\w-]{1,100})$/.exec(parameter ?? "");
  if (match === null) return undefined;
  const [, about, status, correlation = ""] = match;
  if (about === "b2c" || about === "reversal") return { about, isEnquiry: status !== undefined, correlation };
  return status === undefined ? undefined : { about: "payment", isEnquiry: true, correlation };
}
