import type { ListPage, Report } from "../rail.ts";
import { findText, requireObject, readText, Unusable, type Body } from "../reading.ts";
import { readMoment } from "../report-values.ts";
import { readEntries } from "../outcomes.ts";
import { asList, payerOf, amountIn, readReceipt, saysOrganisation, type DarajaTerms } from "./fields.ts";

/** The Pull API answers at most so many rows; the next page begins at the row of that number. */
export const PULL_PAGE_ROWS = 100;

/** Numbers come without country code there, such as 722000000. */
const CALLING_CODE: Readonly<Record<string, string>> = { KE: "254" };

export interface PullTerms extends DarajaTerms {
  readonly creditParty: string;
  readonly country: string;
  /** Of this page. */
  readonly offset: number;
}

/** Reads one page of pulled transactions. Pure. An entry that cannot be read does not hide the others. */
export function readPullPage(answer: Body, terms: PullTerms): ListPage {
  const rows = asList(answer["Response"]).flatMap((part) => asList(part));
  return {
    ...readEntries(rows, (row) => readRow(row, terms)),
    next: rows.length < PULL_PAGE_ROWS ? undefined : String(terms.offset + rows.length),
  };
}

function readRow(row: unknown, terms: PullTerms): Report {
  // transactionId, TransactionId and transactionID have all been seen.
  const entry: Body = Object.fromEntries(
    Object.entries(requireObject(row, "An entry")).map(([key, value]) => [key.toLowerCase(), value]),
  );
  const transactionReference = readReceipt(entry, "transactionid");
  const words = findText(entry, "transactiontype") ?? "";
  const reference = findText(entry, "billreference") ?? "";
  const isReversal = /revers/i.test(words);
  return {
    type: isReversal ? "reversal" : typeOf(words, reference),
    transactionStatus: "completed",
    transactionReference,
    correlation: undefined,
    originalTransactionReference: isReversal ? readOriginal(entry) : undefined,
    amount: amountIn(entry, "amount", terms.currency),
    creditParty: terms.creditParty,
    reference,
    payer: payerOf(international(findText(entry, "msisdn") ?? "", terms.country), [entry["sender"]]),
    at: readIsoTime(entry, terms),
    statusReason: undefined,
  };
}

function typeOf(words: string, reference: string): Report["type"] {
  if (/\bb2c\b/i.test(words)) return "disbursement";
  if (saysOrganisation(words)) return "transfer";
  return reference.trim() === "" ? "merchantpay" : "billpay";
}

/** A reversal that names no payment cannot be booked against one; a person looks at it. */
function readOriginal(entry: Body): string {
  for (const field of ["originaltransactionid", "linkedtransactionid", "originalreceipt"]) {
    if (findText(entry, field) !== undefined) return readReceipt(entry, field);
  }
  throw new Unusable("malformed", "A reversal does not name the transaction that it reverses.");
}

function international(number: string, country: string): string {
  const code = CALLING_CODE[country];
  return code !== undefined && /^[17]\d{8}$/.test(number.trim()) ? code + number.trim() : number;
}

/** ISO with Z here, unlike everywhere else. */
const readIsoTime = (entry: Body, { now, zone }: PullTerms): Date =>
  readMoment(readText(entry, "trxdate"), { field: "trxDate", zone, now });
