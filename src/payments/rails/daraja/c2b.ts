import type { Parsed, Report } from "../rail.ts";
import { readObject, readReport, readText, Unusable, type Body } from "../reading.ts";
import {
  isShortcode,
  payerOf,
  amountIn,
  readReceipt,
  timeIn,
  refuseForeignCurrency,
  saysOrganisation,
  type DarajaTerms,
} from "./fields.ts";

/**
 * Reads a C2B validation or confirmation body in any documented form: amounts as "50", "50.00" or 50; the MSISDN clear,
 * masked ("2547 ***** 126") or as SHA-256; the account possibly empty (Buy Goods). Pure. Nothing is guessed: what cannot
 * be read exactly comes back with a reason, and the provider's id when that much was legible.
 */
export function parseC2b(raw: Uint8Array, terms: DarajaTerms): Parsed {
  return readReport((noted) => {
    const body = readObject(raw);
    const transactionReference = readReceipt(body, "TransID");
    noted.providerId = transactionReference;
    const creditParty = readText(body, "BusinessShortCode");
    if (!terms.shortcodes.has(creditParty))
      throw new Unusable("shortcode_unknown", `Shortcode ${creditParty.slice(0, 20)} is not ours.`);
    refuseForeignCurrency(body, terms.currency);
    const amount = amountIn(body, "TransAmount", terms.currency);
    const reference = "BillRefNumber" in body && body["BillRefNumber"] !== null ? readText(body, "BillRefNumber") : "";
    const number = body["MSISDN"] === undefined || body["MSISDN"] === null ? "" : readText(body, "MSISDN").trim();
    const payer = payerOf(number, [body["FirstName"], body["MiddleName"], body["LastName"]]);
    return {
      type: typeOf(body, { number, reference, payerName: payer.name ?? "" }),
      // A confirmation comes after the money has moved.
      transactionStatus: "completed",
      transactionReference,
      correlation: undefined,
      originalTransactionReference: undefined,
      amount,
      creditParty,
      reference,
      payer,
      at: timeIn(body, "TransTime", terms),
      statusReason: undefined,
    };
  });
}

/** One organisation's money for another must never look like a customer's, whatever account it names. */
function typeOf(
  body: Body,
  { number, reference, payerName }: { number: string; reference: string; payerName: string },
): Report["type"] {
  const kind = typeof body["TransactionType"] === "string" ? body["TransactionType"].slice(0, 100) : "";
  if (saysOrganisation(kind) || isShortcode(number) || saysOrganisation(payerName)) return "transfer";
  return reference.trim() === "" ? "merchantpay" : "billpay";
}
