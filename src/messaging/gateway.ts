/** Ways to write to somebody. USSD is none: there one only answers. */
export const MESSAGE_CHANNELS = ["sms", "whatsapp", "telegram"] as const;
export type MessageChannel = (typeof MESSAGE_CHANNELS)[number];

/** Something to tap. Its id comes back when it is. */
export interface Button {
  /** At most 64 bytes: Telegram takes no more. */
  readonly id: string;
  readonly label: string;
}

/** One message to one person. */
export interface Outgoing {
  /** E.164; for Telegram the number of the chat. */
  readonly to: string;
  readonly text: string;
  /** A sender name or short code that the operator owns; SMS only. */
  readonly from?: string;
  /** Shown under the text where the channel can; whoever writes an SMS puts its choices into the text. */
  readonly buttons?: readonly Button[];
  /** What to send instead where the channel takes no free text now: a text that the provider has approved. */
  readonly template?: { readonly name: string; readonly language: string; readonly values: readonly string[] };
  /** Telegram: shows the button by which a person tells their own phone number. */
  readonly asksContact?: boolean;
}

export type GatewayOutcome =
  | { readonly accepted: true; readonly providerId: string; readonly costText?: string }
  /** `permanent`: no later attempt can end otherwise. Else the answer is unknown or may change, and it is tried again. */
  | { readonly accepted: false; readonly reason: string; readonly permanent: boolean };

/**
 * Whoever takes our messages of one channel. `send` answers in bounded time and never throws for what the outside world did. No
 * gateway knows an idempotency key: an answer that got lost is followed by a second message, so the caller repeats the identical text.
 */
export interface Gateway {
  send(message: Outgoing): Promise<GatewayOutcome>;
}

/** One gateway a channel; without one for it, a channel is not used. */
export type Gateways = { readonly sms: Gateway } & { readonly [Channel in Exclude<MessageChannel, "sms">]?: Gateway };
