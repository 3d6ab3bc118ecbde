import { createPublicKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { baseUrl, parseBy, secret } from "../settings.ts";

export interface PawapaySettings {
  readonly baseUrl: string;
  readonly apiToken: string;
  /** Which of pawaPay's APIs the account uses; the callbacks of both are read, whichever it is. */
  readonly version: "v1" | "v2";
  /** The operators we collect from, with the beginnings of their numbers; none means every other number. */
  readonly correspondents: readonly Correspondent[];
  /** pawaPay's public keys by key id, for signed callbacks. */
  readonly publicKeys: ReadonlyMap<string, KeyObject>;
  /** Whether callbacks must be signed. Only then are they evidence. */
  readonly requireSignature: boolean;
}

export interface Correspondent {
  /** Such as MTN_MOMO_UGA; version 2 calls it provider. */
  readonly correspondent: string;
  /** Digits without plus, such as 25677. */
  readonly prefixes: readonly string[];
}

const code = z.string().regex(/^[A-Z0-9_]{3,40}$/, "Expected a code such as MTN_MOMO_UGA.");
const given = z
  .strictObject({
    baseUrl: baseUrl.default("https://api.pawapay.io"),
    apiToken: secret(8),
    version: z.enum(["v1", "v2"]).default("v1"),
    correspondent: code.optional(),
    correspondents: z
      .array(z.strictObject({ correspondent: code, prefixes: z.array(z.string().regex(/^\d{3,12}$/)).default([]) }))
      .min(1)
      .optional(),
    publicKeys: z.record(z.string().min(1), z.string().transform(readKey)).default({}),
    requireSignature: z.boolean().default(false),
  })
  .refine(
    ({ correspondent, correspondents }) => (correspondent === undefined) !== (correspondents === undefined),
    "Give correspondent (one for all numbers) or correspondents (a list with prefixes): one of them.",
  )
  .refine(
    ({ publicKeys, requireSignature }) => !requireSignature || Object.keys(publicKeys).length > 0,
    "requireSignature needs publicKeys: pawaPay's keys by key id, as PEM (see its /public-key/http).",
  );

/** Throws `InvalidSettings` with one line for each wrong or missing setting. */
export function parsePawapaySettings(value: unknown): PawapaySettings {
  const { correspondent, correspondents = [], publicKeys, ...settings } = parseBy(given, value);
  return {
    ...settings,
    correspondents: correspondent === undefined ? correspondents : [{ correspondent, prefixes: [] }],
    publicKeys: new Map(Object.entries(publicKeys)),
  };
}

/** Whose customer this number is: the longest beginning that fits decides, then who is named for all numbers. */
export function findCorrespondent(phone: string, correspondents: readonly Correspondent[]): string | undefined {
  const digits = phone.replace(/^\+/, "");
  const fits = correspondents.flatMap(({ correspondent, prefixes }) =>
    (prefixes.length === 0 ? [""] : prefixes)
      .filter((prefix) => digits.startsWith(prefix))
      .map((prefix) => ({ correspondent, length: prefix.length })),
  );
  return fits.toSorted((one, other) => other.length - one.length)[0]?.correspondent;
}

function readKey(pem: string, context: z.RefinementCtx): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ec" || key.asymmetricKeyType === "rsa") return key;
  } catch {
    // The cause would quote the key.
  }
  context.addIssue({ code: "custom", message: "Expected a public key as PEM: EC (P-256, P-384) or RSA." });
  return z.NEVER;
}
