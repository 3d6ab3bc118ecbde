import { z } from "zod";
import { InvalidSettings } from "../rail.ts";

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

const secret = z.string().min(8);
const given = z.strictObject({
  baseUrl: z.url({ protocol: /^https?$/ }),
  apiKey: secret,
  clientId: z.string().min(1).optional(),
  basic: z.strictObject({ username: z.string().min(1), password: secret }).optional(),
  account: z.strictObject({
    key: z.string().regex(/^[a-z]{2,40}$/, "Expected a kind of identifier such as accountid or organisationid."),
    value: z.string().min(1).max(100),
  }),
  callbackKey: secret.optional(),
});

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseGsmaSettings(value: unknown): GsmaSettings {
  const read = given.safeParse(value);
  if (!read.success)
    throw new InvalidSettings(
      read.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)),
    );
  const { baseUrl, apiKey, account, clientId, basic, callbackKey } = read.data;
  return { baseUrl: baseUrl.replace(/\/+$/, ""), apiKey, account, clientId, basic, callbackKey };
}
