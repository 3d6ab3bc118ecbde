/** One SMS to one phone. `to` is E.164; `from` is a sender name or short code the operator owns. */
export interface OutgoingSms {
  readonly to: string;
  readonly text: string;
  readonly from?: string;
}

export type SmsOutcome =
  | { readonly accepted: true; readonly providerId: string; readonly costText?: string }
  /** `permanent`: no later attempt can end otherwise. Else the answer is unknown or may change, and it is tried again. */
  | { readonly accepted: false; readonly reason: string; readonly permanent: boolean };

/**
 * Whoever takes our messages. `send` answers in bounded time and never throws for what the outside world did. No gateway knows
 * an idempotency key: an answer that got lost is followed by a second SMS, so the caller repeats the identical text.
 */
export interface SmsGateway {
  send(sms: OutgoingSms): Promise<SmsOutcome>;
}
