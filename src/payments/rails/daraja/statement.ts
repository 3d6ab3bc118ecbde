import { AMOUNT_MINOR_MAX, parseMoney, type Currency } from "../../../kernel/money.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { instantOf } from "../../../kernel/time.ts";
import type { RefusedLine, StatementLine } from "../statement-line.ts";
import { isShortcode, parseParty, payerOf, saysOrganisation, type Party } from "./fields.ts";

/** Where each column of this file stands; exports differ in their columns and their order. */
export interface DarajaColumns {
  readonly receipt: number;
  readonly completedAt: number;
  readonly status: number;
  readonly paidIn: number;
  readonly withdrawn: number;
  readonly details: number | undefined;
  readonly balance: number | undefined;
  readonly reason: number | undefined;
  readonly otherParty: number | undefined;
  readonly linked: number | undefined;
  readonly account: number | undefined;
}

export interface StatementTerms {
  readonly currency: Currency;
  readonly zone: string;
}

const TEXT_MAX = 500;

/**
 * Recognises the header of an M-Pesa organisation statement, whatever stands above it. Undefined for every other row. Names
 * count without case, spaces and dots.
 */
export function readDarajaStatementHeader(cells: readonly string[]): DarajaColumns | undefined {
  const places = new Map<string, number>();
  for (const [place, cell] of cells.entries()) {
    const name = cell.toLowerCase().replace(/[^a-z0-9]/g, "");
    if (!places.has(name)) places.set(name, place);
  }
  const receipt = places.get("receiptno");
  const completedAt = places.get("completiontime");
  const status = places.get("transactionstatus");
  const paidIn = places.get("paidin");
  const withdrawn = places.get("withdrawn");
  if ([receipt, completedAt, status, paidIn, withdrawn].includes(undefined)) return undefined;
  return {
    receipt: receipt ?? 0,
    completedAt: completedAt ?? 0,
    status: status ?? 0,
    paidIn: paidIn ?? 0,
    withdrawn: withdrawn ?? 0,
    details: places.get("details"),
    balance: places.get("balance"),
    reason: places.get("reasontype"),
    otherParty: places.get("otherpartyinfo"),
    linked: places.get("linkedtransactionid"),
    account: places.get("acno"),
  };
}

class Unreadable extends Error {}

/** Reads one row below the header, or says why it cannot be taken. Pure. */
export function readDarajaStatementLine(
  cells: readonly string[],
  columns: DarajaColumns,
  terms: StatementTerms,
): StatementLine | RefusedLine {
  try {
    return readLine((column) => (column === undefined ? "" : (cells[column] ?? "")).trim(), columns, terms);
  } catch (error) {
    if (error instanceof Unreadable || error instanceof Refusal) return { refused: error.message };
    throw error;
  }
}

function readLine(
  cell: (column: number | undefined) => string,
  columns: DarajaColumns,
  terms: StatementTerms,
): StatementLine {
  const receipt = cell(columns.receipt).toUpperCase();
  if (!/^[A-Z0-9]{6,32}$/.test(receipt)) throw new Unreadable("Receipt No. is not 6 to 32 letters and digits.");
  const at = readTime(cell(columns.completedAt), terms.zone);
  const details = cleanText(cell(columns.details));
  const reference = cleanText(cell(columns.account));
  const isCompleted = /^completed$/i.test(cell(columns.status));
  const amountMinor = readMovement(cell, columns, { ...terms, isCompleted });
  const party = parseParty(cell(columns.otherParty));
  const reason = cell(columns.reason) || details;
  const linked = readLinked(cell(columns.linked), details);
  const { kind, type } = isCompleted
    ? classify(reason, { amountMinor, reference, party })
    : ({ kind: "other", type: undefined } as const);
  if (kind === "reversal" && linked === undefined)
    throw new Unreadable("A reversal does not name the transaction that it reverses.");
  const payer = payerOf(party.number, [party.name]);
  return {
    lineReference: lineReferenceOf(receipt, kind, linked),
    kind,
    type,
    amountMinor,
    at,
    reference,
    payerPhone: payer.phone,
    payerHash: payer.hash,
    payerName: payer.name === undefined ? undefined : cleanText(payer.name),
    linked,
    details,
    balanceMinor: cell(columns.balance) === "" ? undefined : readSigned(cell(columns.balance), "Balance", terms),
  };
}

/** Charges stand under the receipt number of their payment in some exports, and under their own in others. */
function lineReferenceOf(receipt: string, kind: StatementLine["kind"], linked: string | undefined): string {
  return kind === "fee" && (linked === undefined || linked === receipt) ? `${receipt}-FEE` : receipt;
}

/** What the line is, by the provider's own reason; money that came in is never "other", so that somebody sees it. */
function classify(
  reason: string,
  { amountMinor, reference, party }: { amountMinor: bigint; reference: string; party: Party },
): Pick<StatementLine, "kind" | "type"> {
  if (/\bcharges?\b|\bfees?\b|\bcommission\b|\btariff\b/i.test(reason)) return { kind: "fee", type: undefined };
  if (/\brevers(al|ed)\b/i.test(reason)) return { kind: "reversal", type: "reversal" };
  const isIn = amountMinor > 0n;
  if (!isIn && /business payment|\bb2c\b|salary payment|promotion payment/i.test(reason))
    return { kind: "disbursement", type: "disbursement" };
  const isBetweenOrganisations =
    /organi[sz]ation to organi[sz]ation|business to business|merchant to merchant|\bb2b\b/i;
  if (isBetweenOrganisations.test(reason)) return isIn ? { kind: "payment", type: "transfer" } : OTHER;
  if (/settlement|business transfer|to bank|from bank|(utility|working|merchant|mmf)( account)? to /i.test(reason))
    return { kind: "settlement", type: undefined };
  if (!isIn) return OTHER;
  const isFromCustomer = /pay ?utility|pay ?bill|pay ?merchant|merchant payment|buy ?goods|customer/i.test(reason);
  if (!isFromCustomer || saysOrganisation(reason) || isShortcode(party.number))
    return { kind: "payment", type: "transfer" };
  return { kind: "payment", type: reference === "" ? "merchantpay" : "billpay" };
}

const OTHER = { kind: "other", type: undefined } as const;

/** Paid In above zero, Withdrawn below, whichever sign the export writes. */
function readMovement(
  cell: (column: number | undefined) => string,
  columns: DarajaColumns,
  terms: StatementTerms & { isCompleted: boolean },
): bigint {
  const paidIn = cell(columns.paidIn) === "" ? 0n : readSigned(cell(columns.paidIn), "Paid In", terms);
  const withdrawn = cell(columns.withdrawn) === "" ? 0n : readSigned(cell(columns.withdrawn), "Withdrawn", terms);
  if (paidIn < 0n) throw new Unreadable("Paid In is below zero.");
  if (paidIn !== 0n && withdrawn !== 0n) throw new Unreadable("Both Paid In and Withdrawn have an amount.");
  if (paidIn === 0n && withdrawn === 0n && terms.isCompleted)
    throw new Unreadable("Neither Paid In nor Withdrawn has an amount.");
  return paidIn !== 0n ? paidIn : withdrawn > 0n ? -withdrawn : withdrawn;
}

/** "10,000.00", "-0.55": separators only where thousands end. */
function readSigned(text: string, field: string, { currency }: StatementTerms): bigint {
  const match = /^(-?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)$/.exec(text);
  if (match === null) throw new Unreadable(`${field} is not an amount such as 10,000.00.`);
  const { minor } = parseMoney((match[2] ?? "").replaceAll(",", ""), currency);
  // A balance sums many payments, so it alone may be larger than any of them.
  if (field !== "Balance" && minor > AMOUNT_MINOR_MAX)
    throw new Unreadable(`${field} is larger than any rail carries.`);
  return match[1] === "-" ? -minor : minor;
}

const DAY_FIRST = /^(?<day>\d{1,2})[-/.](?<month>\d{1,2})[-/.](?<year>\d{4}) +(?<time>\d{1,2}:\d\d(?::\d\d)?)$/;
const YEAR_FIRST =
  /^(?<year>\d{4})[-/](?<month>\d{1,2})[-/](?<day>\d{1,2})[ T]+(?<time>\d{1,2}:\d\d(?::\d\d)?)(?:\.0+)?$/;

/** The organisation's wall clock: day first in most exports, year first in some. Never month first. */
function readTime(text: string, zone: string): Date {
  const parts = (DAY_FIRST.exec(text) ?? YEAR_FIRST.exec(text))?.groups;
  if (parts === undefined) throw new Unreadable("Completion Time is not DD-MM-YYYY HH:mm:ss.");
  const two = (part: string | undefined): string => (part ?? "").padStart(2, "0");
  try {
    return instantOf(
      {
        date: `${parts["year"]}-${two(parts["month"])}-${two(parts["day"])}`,
        time: (parts["time"] ?? "").padStart(5, "0"),
      },
      zone,
    );
  } catch {
    throw new Unreadable("Completion Time is no moment of the calendar.");
  }
}

function readLinked(text: string, details: string): string | undefined {
  const linked = (/^[A-Za-z0-9]{6,32}$/.exec(text) ??
    /^reversal of ([A-Za-z0-9]{6,32})\b/i.exec(details)?.slice(1))?.[0];
  return linked?.toUpperCase();
}

const cleanText = (text: string): string =>
  text
    .replace(/\p{Cc}/gu, " ")
    .trim()
    .toWellFormed()
    .slice(0, TEXT_MAX);
