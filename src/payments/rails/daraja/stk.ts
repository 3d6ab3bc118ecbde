import type { Parsed, Payer, Report } from "../rail.ts";
import { readStkCode, reasonOf, refuseUnknownCode } from "./codes.ts";
import {
  findText,
  isObject,
  readObject,
  readReport,
  readText,
  requireObject,
  Unusable,
  type Body,
} from "../reading.ts";
import { NOBODY } from "../report-values.ts";
import { asList, payerOf, amountIn, readReceipt, timeIn, type DarajaTerms } from "./fields.ts";

/** What a prompt pays: the callback itself names neither our number nor the account. */
export interface StkTerms extends DarajaTerms {
  readonly creditParty: string;
  readonly type: "billpay" | "merchantpay";
  /** Our name of the request, from the address that the callback came to. */
  readonly correlation: string | undefined;
}

/**
 * Reads the callback of an STK push. It carries no account, so `reference` is "" and the request's own counts; its
 * receipt is the TransID of the C2B copy, by which the two are one payment.
 */
export function parseStkCallback(raw: Uint8Array, terms: StkTerms): Parsed {
  return readReport((noted) => {
    const body = requireObject(readObject(raw)["Body"], "Body");
    const callback = requireObject(body["stkCallback"], "stkCallback");
    const checkoutRequest = findText(callback, "CheckoutRequestID");
    const correlation = terms.correlation ?? checkoutRequest;
    if (correlation === undefined)
      throw new Unusable("malformed", "CheckoutRequestID is missing, so nobody can say which prompt this is about.");
    const { code, verdict } = readStkCode(callback);
    const statusReason = verdict === "success" ? undefined : reasonOf(callback, code);
    const told: Report = { ...promptReport(terms, correlation), statusReason };
    switch (verdict) {
      case "unknown":
        return refuseUnknownCode(code);
      case "failed":
      case "pending":
        return { ...told, transactionStatus: verdict };
      case "success": {
        const items = readItems(callback);
        requirePresent(items, ["MpesaReceiptNumber", "Amount"]);
        const transactionReference = readReceipt(items, "MpesaReceiptNumber");
        noted.providerId = transactionReference;
        return {
          ...told,
          transactionStatus: "completed",
          transactionReference,
          amount: amountIn(items, "Amount", terms.currency),
          payer: readPayer(items),
          at: findText(items, "TransactionDate") === undefined ? undefined : timeIn(items, "TransactionDate", terms),
        };
      }
    }
  });
}

/** What is known of a prompt before anything was said about it. */
export function promptReport(terms: Pick<StkTerms, "creditParty" | "type">, correlation: string): Report {
  return {
    type: terms.type,
    transactionStatus: "pending",
    transactionReference: undefined,
    correlation,
    originalTransactionReference: undefined,
    amount: undefined,
    creditParty: terms.creditParty,
    reference: "",
    payer: NOBODY,
    at: undefined,
    statusReason: undefined,
  };
}

/** Items have a name and mostly a value: {"Name":"Balance"} stands there without one. */
function readItems(callback: Body): Body {
  const metadata = callback["CallbackMetadata"];
  const items: Record<string, unknown> = {};
  for (const item of isObject(metadata) ? asList(metadata["Item"]) : []) {
    if (isObject(item) && typeof item["Name"] === "string") items[item["Name"]] ??= item["Value"];
  }
  return items;
}

function requirePresent(items: Body, names: readonly string[]): void {
  for (const name of names) {
    if (items[name] === undefined || items[name] === null || items[name] === "")
      throw new Unusable("malformed", `The callback says success and has no ${name}.`, name);
  }
}

function readPayer(items: Body): Payer {
  return findText(items, "PhoneNumber") === undefined ? NOBODY : payerOf(readText(items, "PhoneNumber"), []);
}
