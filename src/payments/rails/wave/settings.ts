import { z } from "zod";
import { baseUrl, parseBy, secret, webAddress } from "../settings.ts";

export interface WaveSettings {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** How Wave proves its webhooks, as chosen in Wave's portal: by signing them, or by sending a shared secret along. */
  readonly proof: { readonly kind: "signature" | "shared"; readonly secret: string };
  readonly successUrl: string;
  readonly errorUrl: string;
  /** Whether only the asked phone may pay. Families pay for each other, so it is off unless the operator wants it. */
  readonly onlyAskedPhone: boolean;
}

const given = z
  .strictObject({
    baseUrl: baseUrl.default("https://api.wave.com"),
    apiKey: secret(8),
    webhookSecret: secret(8).optional(),
    sharedSecret: secret(8).optional(),
    successUrl: webAddress,
    errorUrl: webAddress,
    onlyAskedPhone: z.boolean().default(false),
  })
  .refine(
    ({ webhookSecret, sharedSecret }) => (webhookSecret === undefined) !== (sharedSecret === undefined),
    "Give webhookSecret (signed webhooks) or sharedSecret, whichever Wave's portal shows: one of them.",
  );

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseWaveSettings(value: unknown): WaveSettings {
  const { webhookSecret, sharedSecret = "", ...settings } = parseBy(given, value);
  return {
    ...settings,
    proof:
      webhookSecret === undefined
        ? { kind: "shared", secret: sharedSecret }
        : { kind: "signature", secret: webhookSecret },
  };
}
