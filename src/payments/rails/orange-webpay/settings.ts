import { z } from "zod";
import { basicAuthorization } from "../basic-authorization.ts";
import { baseUrl, parseBy, secret, webAddress } from "../settings.ts";

export interface OrangeWebpaySettings {
  readonly baseUrl: string;
  /** `Basic …`, from the client's id and secret, or as Orange's console shows it. */
  readonly authorization: string;
  readonly merchantKey: string;
  /** Part of the address: `dev` in the sandbox, `cm`, `ci`, `sn`, … in production. */
  readonly countryPath: string;
  readonly returnUrl: string;
  readonly cancelUrl: string;
  readonly language: string;
  /** The sandbox knows one currency, OUV, which no country has. */
  readonly sandboxCurrency: "OUV" | undefined;
}

/** Longest address that Orange keeps for its notification, its return and its cancel link. */
export const URL_MAX = 120;

const address = webAddress.max(URL_MAX);
const given = z
  .strictObject({
    baseUrl: baseUrl.default("https://api.orange.com"),
    clientId: secret().optional(),
    clientSecret: secret().optional(),
    authorizationHeader: z
      .string()
      .regex(/^Basic \S{4,}$/)
      .optional(),
    merchantKey: secret(),
    countryPath: z.string().regex(/^[a-z]{2,12}$/),
    returnUrl: address,
    cancelUrl: address,
    language: z.enum(["fr", "en"]).default("fr"),
    sandboxCurrency: z.literal("OUV").optional(),
  })
  .refine(
    ({ clientId, clientSecret, authorizationHeader }) =>
      authorizationHeader === undefined
        ? clientId !== undefined && clientSecret !== undefined
        : clientId === undefined && clientSecret === undefined,
    "Give clientId and clientSecret, or authorizationHeader alone.",
  );

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parseOrangeWebpaySettings(value: unknown): OrangeWebpaySettings {
  const { clientId = "", clientSecret = "", authorizationHeader, ...settings } = parseBy(given, value);
  return {
    ...settings,
    authorization: authorizationHeader ?? basicAuthorization(clientId, clientSecret),
    sandboxCurrency: settings.sandboxCurrency,
  };
}
