import { z } from "zod";
import { baseUrl, parseBy, secret, webAddress } from "../settings.ts";

export interface FlutterwaveSettings {
  readonly baseUrl: string;
  readonly secretKey: string;
  /** The "secret hash" of the dashboard: Flutterwave sends it along with every webhook, always the same. */
  readonly verifHash: string;
  /** Flutterwave demands an e-mail address of every payer, and ours have none: it writes its receipts there. */
  readonly payerEmail: string;
  /** Which operator's money, where Flutterwave cannot tell by the number: MTN, AIRTEL, VODAFONE, … */
  readonly network: string | undefined;
  readonly redirectUrl: string | undefined;
}

const given = z.strictObject({
  baseUrl: baseUrl.default("https://api.flutterwave.com"),
  secretKey: secret(8),
  verifHash: secret(8),
  payerEmail: z.email(),
  network: z
    .string()
    .regex(/^[A-Za-z]{2,20}$/)
    .optional(),
  redirectUrl: webAddress.optional(),
});

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseFlutterwaveSettings(value: unknown): FlutterwaveSettings {
  const { network, redirectUrl, ...settings } = parseBy(given, value);
  return { ...settings, network, redirectUrl };
}
