import { z } from "zod";
import { InvalidSettings } from "../rail.ts";

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

const address = z.url({ protocol: /^https?$/ }).max(120);
const given = z
  .strictObject({
    baseUrl: z.url({ protocol: /^https?$/ }).default("https://api.orange.com"),
    clientId: z.string().min(4).optional(),
    clientSecret: z.string().min(4).optional(),
    authorizationHeader: z
      .string()
      .regex(/^Basic \S{4,}$/)
      .optional(),
    merchantKey: z.string().min(4),
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
  const read = given.safeParse(value);
  if (!read.success)
    throw new InvalidSettings(
      read.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)),
    );
  const { clientId, clientSecret, authorizationHeader, ...settings } = read.data;
  return {
    ...settings,
    baseUrl: settings.baseUrl.replace(/\/+$/, ""),
    authorization:
      authorizationHeader ?? `Basic ${Buffer.from(`${clientId ?? ""}:${clientSecret ?? ""}`).toString("base64")}`,
    sandboxCurrency: settings.sandboxCurrency,
  };
}
