import { z } from "zod";
import { baseUrl, parseBy, secret } from "../settings.ts";

export interface GsmaSettings {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly clientId: string | undefined;
  /** For providers that want HTTP basic authentication besides. */
  readonly basic: { readonly username: string; readonly password: string } | undefined;
  /** Our account, as the provider names it: it is credited, pays out, and its transactions are listed. */
  readonly account: { readonly key: string; readonly value: string };
  /** The X-API-Key that the provider sends with its callbacks. Only with it are callbacks evidence. */
  readonly callbackKey: string | undefined;
}

const given = z.strictObject({
  baseUrl,
  apiKey: secret(8),
  clientId: z.string().min(1).optional(),
  basic: z.strictObject({ username: z.string().min(1), password: secret(8) }).optional(),
  account: z.strictObject({
    key: z.string().regex(/^[a-z]{2,40}$/, "Expected a kind of identifier such as accountid or organisationid."),
    value: z.string().min(1).max(100),
  }),
  callbackKey: secret(8).optional(),
});

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseGsmaSettings(value: unknown): GsmaSettings {
  const { clientId, basic, callbackKey, ...settings } = parseBy(given, value);
  return { ...settings, clientId, basic, callbackKey };
}
