import { z } from "zod";
import type { Delivery, Parsed, Recall, Report, Verdict } from "../rail.ts";
import { findJson, isObject, plainText, readAs, readJson, readReport, Unusable } from "../reading.ts";
import { NOBODY, readReference } from "../report-values.ts";
import { isSameSecret } from "../../../platform/same-secret.ts";

/** What `requestPayment` asks to keep, and what a notification is recognised by. */
export const NOTIF_TOKEN = "notif_token";
export const PAY_TOKEN = "pay_token";

/** A payment that failed has no transaction. */
export const txnidForm = z.union([plainText(), z.literal(""), z.null()]).optional();
const notification = z.object({ status: plainText(), notif_token: plainText(), txnid: txnidForm });
const proof = notification.pick({ notif_token: true });

/** Orange's five words for a payment. EXPIRED: nobody paid on the page within ten minutes. */
function statusOf(word: string): Report["transactionStatus"] | undefined {
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
  const json = findJson(delivery.raw);
  if (!isObject(json))
    return { trust: "refused", reason: "malformed", detail: "The notification is not JSON in UTF-8." };
  const token = proof.safeParse(json).data?.[NOTIF_TOKEN];
  const kept =
    token === undefined
      ? undefined
      : (await recall({ remembered: { name: NOTIF_TOKEN, value: token } }))?.memory[NOTIF_TOKEN];
  if (token === undefined || kept === undefined || !isSameSecret(token, kept))
    return { trust: "refused", reason: "signature_invalid", detail: "No payment of ours has this notif_token." };
  return { trust: "secret" };
}

/** The report names its request as `notif_token:<value>`: the notification carries neither order nor amount. */
export const parseNotification = (delivery: Delivery, creditParty: string): Parsed =>
  readReport((noted) => {
    const { status, notif_token: token, txnid } = readAs(notification, readJson(delivery.raw));
    noted.providerId = referenceOf(txnid);
    return {
      type: "merchantpay",
      ...stateOf(status, txnid),
      correlation: `${NOTIF_TOKEN}:${token}`,
      originalTransactionReference: undefined,
      amount: undefined,
      creditParty,
      reference: "",
      payer: NOBODY,
      at: undefined,
    };
  });

/** A payment that failed has none. */
const referenceOf = (txnid: string | null | undefined): string | undefined =>
  txnid ? readReference(txnid, "txnid") : undefined;

/** What notification and enquiry say alike: how far a payment is, and Orange's name of it. */
export function stateOf(
  word: string,
  txnid: string | null | undefined,
): Pick<Report, "transactionStatus" | "transactionReference" | "statusReason"> {
  const transactionStatus = statusOf(word);
  const transactionReference = referenceOf(txnid);
  if (transactionStatus === undefined)
    throw new Unusable("status_unknown", "Orange does not document this status.", "status");
  if (transactionStatus === "completed" && transactionReference === undefined)
    throw new Unusable("wrong_type", "A payment that succeeded has no txnid.", "txnid");
  return {
    transactionStatus,
    transactionReference,
    statusReason: transactionStatus === "completed" ? undefined : word,
  };
}
