import { z } from "zod";
import { InvalidSettings } from "../rail.ts";

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

const address = z.url({ protocol: /^https?$/ });
const given = z.strictObject({
  baseUrl: address.default("https://api.flutterwave.com"),
  secretKey: z.string().min(8),
  verifHash: z.string().min(8),
  payerEmail: z.email(),
  network: z
    .string()
    .regex(/^[A-Za-z]{2,20}$/)
    .optional(),
  redirectUrl: address.optional(),
});

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseFlutterwaveSettings(value: unknown): FlutterwaveSettings {
  const read = given.safeParse(value);
  if (!read.success)
    throw new InvalidSettings(
      read.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)),
    );
  const { baseUrl, network, redirectUrl, ...settings } = read.data;
  return { ...settings, baseUrl: baseUrl.replace(/\/+$/, ""), network, redirectUrl };
}
