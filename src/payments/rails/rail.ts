import type { Money } from "../../kernel/money.ts";

/** Who paid, as far as the rail tells. M-Pesa shows a clear number, a masked one or a hash, by version and shortcode. */
export interface Payer {
  readonly phone: string | undefined;
  /** SHA-256 of the digits without plus; computed when the rail shows the number. */
  readonly hash: Uint8Array | undefined;
  readonly name: string | undefined;
}

/** One verified payment in the rail's own terms, parsed once. */
export interface PaymentEvent {
  readonly rail: string;
  /** The provider's transaction id; with the rail it names the payment for ever. */
  readonly providerId: string;
  readonly amount: Money;
  /** The paybill or till that was paid. */
  readonly shortcode: string;
  /** The account as the payer typed it, kept as it came. */
  readonly reference: string;
  readonly payer: Payer;
  readonly paidAt: Date;
}

/** Why a callback could not become an event; it is kept raw in quarantine under this reason. */
export type QuarantineReason =
  | "source_not_allowed"
  | "malformed"
  | "wrong_type"
  | "amount_invalid"
  | "currency_unexpected"
  | "shortcode_unknown"
  | "time_invalid"
  | "conflict";

export type Parsed =
  | { readonly ok: true; readonly event: PaymentEvent }
  | {
      readonly ok: false;
      readonly reason: QuarantineReason;
      /** The field that has no readable value, when one field was the cause. */
      readonly field: string | undefined;
      readonly detail: string;
      readonly providerId: string | undefined;
    };
