import { z } from "zod";
import { InvalidSettings } from "../rail.ts";

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

const address = z.url({ protocol: /^https?$/ });
const secret = z.string().min(8);
const given = z
  .strictObject({
    baseUrl: address.default("https://api.wave.com"),
    apiKey: secret,
    webhookSecret: secret.optional(),
    sharedSecret: secret.optional(),
    successUrl: address,
    errorUrl: address,
    onlyAskedPhone: z.boolean().default(false),
  })
  .refine(
    ({ webhookSecret, sharedSecret }) => (webhookSecret === undefined) !== (sharedSecret === undefined),
    "Give webhookSecret (signed webhooks) or sharedSecret, whichever Wave's portal shows: one of them.",
  );

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseWaveSettings(value: unknown): WaveSettings {
  const read = given.safeParse(value);
  if (!read.success)
    throw new InvalidSettings(
      read.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)),
    );
  const { webhookSecret, sharedSecret, baseUrl, ...settings } = read.data;
  return {
    ...settings,
    baseUrl: baseUrl.replace(/\/+$/, ""),
    proof:
      webhookSecret === undefined
        ? { kind: "shared", secret: sharedSecret ?? "" }
        : { kind: "signature", secret: webhookSecret },
  };
}
