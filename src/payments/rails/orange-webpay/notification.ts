import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Delivery, Parsed, Recall, Report, Verdict } from "../rail.ts";

/** What `requestPayment` asks to keep, and what a notification is recognised by. */
export const NOTIF_TOKEN = "notif_token";
export const PAY_TOKEN = "pay_token";

/** PostgreSQL keeps no NUL in text, and nothing that Orange writes has control characters. */
export const text = z
  .string()
  .min(1)
  .max(200)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), "has characters that are no text");

const notification = z.object({
  status: text,
  notif_token: text,
  // A payment that failed has no transaction.
  txnid: z.union([text, z.literal(""), z.null()]).optional(),
});

/** Orange's five words for a payment. EXPIRED: nobody paid on the page within ten minutes. */
export function statusOf(word: string): Report["transactionStatus"] | undefined {
  switch (word.toUpperCase()) {
    case "SUCCESS":
      return "completed";
    case "FAILED":
    case "EXPIRED":
      return "failed";
    case "INITIATED":
    case "PENDING":
      return "pending";
    default:
      return undefined;
  }
}

/**
 * Three fields and no signature: what proves the caller is the token that Orange gave us with the payment page and
 * repeats here. It names the request as well.
 */
export async function verifyNotification(delivery: Delivery, recall: Recall): Promise<Verdict> {
  const read = readJson(delivery.raw);
  if (read === undefined)
    return { trust: "refused", reason: "malformed", detail: "The notification is not JSON in UTF-8." };
  const token = notification.shape.notif_token.safeParse(read[NOTIF_TOKEN]);
  const kept = token.success
    ? (await recall({ remembered: { name: NOTIF_TOKEN, value: token.data } }))?.memory[NOTIF_TOKEN]
    : undefined;
  if (!token.success || kept === undefined || !isSame(kept, token.data))
    return { trust: "refused", reason: "signature_invalid", detail: "No payment of ours has this notif_token." };
  return { trust: "secret" };
}

/** The report names its request as `notif_token:<value>`: the notification carries neither order nor amount. */
export function parseNotification(delivery: Delivery, creditParty: string): Parsed {
  const json = readJson(delivery.raw);
  if (json === undefined) return unreadable("malformed", undefined, "The notification is not a JSON object in UTF-8.");
  const read = notification.safeParse(json);
  if (!read.success) {
    const field = read.error.issues[0]?.path.join(".");
    return unreadable("wrong_type", field, `${field ?? "A field"} is missing or is no text.`);
  }
  const { status, notif_token: token, txnid } = read.data;
  const transactionReference = txnid === "" || txnid === null ? undefined : txnid?.toUpperCase();
  const transactionStatus = statusOf(status);
  if (transactionStatus === undefined)
    return unreadable("status_unknown", "status", "Orange does not document this status.", transactionReference);
  if (transactionStatus === "completed" && transactionReference === undefined)
    return unreadable("wrong_type", "txnid", "A payment that succeeded has no txnid.");
  return {
    ok: true,
    reports: [
      {
        type: "merchantpay",
        transactionStatus,
        transactionReference,
        correlation: `${NOTIF_TOKEN}:${token}`,
        originalTransactionReference: undefined,
        amount: undefined,
        creditParty,
        reference: "",
        payer: { phone: undefined, hash: undefined, name: undefined },
        at: undefined,
        statusReason: transactionStatus === "completed" ? undefined : status,
      },
    ],
  };
}

type Unreadable = Extract<Parsed, { ok: false }>;
function unreadable(
  reason: Unreadable["reason"],
  field: string | undefined,
  ...[detail, providerId]: [detail: string, providerId?: string | undefined]
): Unreadable {
  return { ok: false, reason, field, detail, providerId };
}

/** A JSON object in UTF-8, or undefined. */
export function readJson(raw: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Compares in a time that tells nothing, not even the length. */
function isSame(left: string, right: string): boolean {
  const digest = (value: string): Uint8Array => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(left), digest(right));
}
