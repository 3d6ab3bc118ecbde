import { constants, createHash, timingSafeEqual, verify, type KeyObject } from "node:crypto";
import { httpbis } from "http-message-signatures";
import { MINUTE_MS } from "../../../kernel/time.ts";
import type { Delivery, Verdict } from "../rail.ts";
import type { PawapaySettings } from "./settings.ts";

/** How far clocks may differ, and how long a callback may be on its way. */
const SKEW_MAX_MS = 5 * MINUTE_MS;
/** The package compares times with the machine's clock; ours decides, so it is given a tolerance without end. */
const NO_TIME_LIMIT_S = 1e12;

interface Times {
  readonly createdMs: number;
  readonly expiresMs: number;
}

/**
 * Whether pawaPay sent this callback: an RFC 9421 signature of a configured key over (at least) Content-Digest, and a
 * Content-Digest over the bytes that came. Where the operator requires no signature, an unsigned one is `unsigned`; a
 * wrong one is refused everywhere.
 */
export async function verifyPawapay(delivery: Delivery, settings: PawapaySettings): Promise<Verdict> {
  const isSigned = "signature" in delivery.headers || "signature-input" in delivery.headers;
  if (!isSigned || settings.publicKeys.size === 0)
    return settings.requireSignature ? invalid("The callback is not signed.") : { trust: "unsigned" };
  if (!hasRightDigest(delivery)) return invalid("Content-Digest is missing or is not of this body.");
  const times = await findTimes(delivery, settings.publicKeys);
  if (times === undefined) return invalid("No signature in Signature belongs to this callback and a known key.");
  const nowMs = delivery.receivedAt.getTime();
  if (times.createdMs > nowMs + SKEW_MAX_MS || times.expiresMs + SKEW_MAX_MS < nowMs)
    return {
      trust: "refused",
      reason: "signature_stale",
      detail: "The signature's time is long over, or not yet come.",
    };
  return { trust: "signed" };
}

const invalid = (detail: string): Verdict => ({ trust: "refused", reason: "signature_invalid", detail });

/** Every digest that we can compute must fit, and there must be one. */
function hasRightDigest({ headers, raw }: Delivery): boolean {
  const digests = [...(headers["content-digest"] ?? "").matchAll(/(?:^|,)\s*sha-(256|512)=:([A-Za-z0-9+/=]*):/g)];
  return (
    digests.length > 0 &&
    digests.every(([, bits = "", encoded = ""]) => {
      const right = createHash(`sha${bits}`).update(raw).digest();
      const stated = Buffer.from(encoded, "base64");
      return stated.length === right.length && timingSafeEqual(stated, right);
    })
  );
}

/** The times of the signature that is right; undefined where none is. */
async function findTimes(delivery: Delivery, keys: PawapaySettings["publicKeys"]): Promise<Times | undefined> {
  let times: Times | undefined;
  try {
    const { method, url, headers } = delivery;
    const isRight = await httpbis.verifyMessage(
      {
        tolerance: NO_TIME_LIMIT_S,
        requiredFields: ["content-digest"],
        requiredParams: ["keyid", "alg", "created"],
        keyLookup: ({ keyid }) => {
          const key = keyid === undefined ? undefined : keys.get(keyid);
          if (key === undefined) return Promise.resolve(null);
          return Promise.resolve({
            verify: (data: Buffer, signature: Buffer, parameters) => {
              const isOurs = isSignedBy(key, { alg: parameters?.alg, data, signature });
              if (isOurs) times = readTimes(parameters?.created, parameters?.["expires"]);
              return Promise.resolve(isOurs);
            },
          });
        },
      },
      { method, url, headers: { ...headers } },
    );
    return isRight === true ? times : undefined;
  } catch {
    // Headers that cannot be read, or that name fields which did not come.
    return undefined;
  }
}

function readTimes(created: unknown, expires: unknown): Times | undefined {
  if (!(created instanceof Date) || Number.isNaN(created.getTime())) return undefined;
  const createdMs = created.getTime();
  return { createdMs, expiresMs: typeof expires === "number" ? expires * 1_000 : createdMs };
}

/** The four ways that pawaPay signs. The key decides which are possible, so that nobody talks us into a weaker one. */
function isSignedBy(
  key: KeyObject,
  { alg, data, signature }: { alg: string | undefined; data: Buffer; signature: Buffer },
): boolean {
  if (key.asymmetricKeyType === "rsa") {
    if (alg === "rsa-v1_5-sha256") return verify("sha256", data, key, signature);
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return alg === "rsa-pss-sha512" && verify("sha512", data, { key, padding }, signature);
  }
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const hash =
    alg === "ecdsa-p256-sha256" && curve === "prime256v1"
      ? "sha256"
      : alg === "ecdsa-p384-sha384" && curve === "secp384r1"
        ? "sha384"
        : undefined;
  // RFC 9421 writes r and s side by side; pawaPay's own examples write them in DER.
  return (
    hash !== undefined &&
    (["der", "ieee-p1363"] as const).some((dsaEncoding) => verify(hash, data, { key, dsaEncoding }, signature))
  );
}
