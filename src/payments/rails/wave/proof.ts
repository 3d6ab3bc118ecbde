import { createHmac } from "node:crypto";
import { MINUTE_MS } from "../../../kernel/time.ts";
import type { Delivery, Verdict } from "../rail.ts";
import { isSameSecret } from "../../../platform/same-secret.ts";
import type { WaveSettings } from "./settings.ts";

/** Wave asks receivers to refuse a signature that is older; the same forward, for clocks that differ. */
const SKEW_MAX_MS = 5 * MINUTE_MS;
/** The header may carry several; more than a few are somebody's guessing. */
const SIGNATURES_MAX = 8;

/** Wave signs the timestamp and the raw body, written together without anything between them. */
export function signWave(secret: string, timestamp: string, raw: Uint8Array): string {
  return createHmac("sha256", secret).update(timestamp).update(raw).digest("hex");
}

/** Whether Wave sent these bytes, and just now. A right signature that is too old says so: it may be a replay. */
export function verifyWave(delivery: Delivery, proof: WaveSettings["proof"]): Verdict {
  if (proof.kind === "shared") {
    const given = /^Bearer (\S+)$/.exec(delivery.headers["authorization"] ?? "")?.[1];
    return given !== undefined && isSameSecret(given, proof.secret)
      ? { trust: "secret" }
      : invalid("The Authorization header does not carry the shared secret.");
  }
  const parts = (delivery.headers["wave-signature"] ?? "").split(",").map((part) => part.trim());
  const timestamp = parts.map((part) => /^t=(\d{1,12})$/.exec(part)?.[1]).find((found) => found !== undefined);
  const signatures = parts.map((part) => /^v1=([0-9a-f]{64})$/i.exec(part)?.[1]).filter((found) => found !== undefined);
  if (timestamp === undefined || signatures.length === 0 || signatures.length > SIGNATURES_MAX)
    return invalid("There is no Wave-Signature header that can be read.");
  const right = signWave(proof.secret, timestamp, delivery.raw);
  if (!signatures.some((signature) => isSameSecret(signature.toLowerCase(), right)))
    return invalid("No signature in Wave-Signature belongs to this body.");
  if (Math.abs(delivery.receivedAt.getTime() - Number(timestamp) * 1_000) > SKEW_MAX_MS)
    return { trust: "refused", reason: "signature_stale", detail: "The signature is more than five minutes off." };
  return { trust: "signed" };
}

const invalid = (detail: string): Verdict => ({ trust: "refused", reason: "signature_invalid", detail });
