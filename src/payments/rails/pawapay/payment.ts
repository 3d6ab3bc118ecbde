import type { Money } from "../../../kernel/money.ts";
import type { Channel, Parsed, Payer, Report } from "../rail.ts";
import { isUuid, readReport, readText, requireObject, textAt, Unusable, wordsOf, type Body } from "../reading.ts";
import { digitsOf, payerWith, readAmount, readMoment, requireCurrency } from "../report-values.ts";

/** Where each kind of payment lives, and what its id is called. A refund names the deposit that it gives back as well. */
export const KINDS = { refunds: "refundId", payouts: "payoutId", deposits: "depositId" } as const;
export type Kind = keyof typeof KINDS;

export interface Terms {
  readonly channel: Channel;
  /** When it came, so that reading is pure. */
  readonly now: Date;
}

const STATUS: Readonly<Record<string, Report["transactionStatus"]>> = {
  COMPLETED: "completed",
  FAILED: "failed",
  ACCEPTED: "pending",
  ENQUEUED: "pending",
  SUBMITTED: "pending",
  PROCESSING: "pending",
  // pawaPay itself does not know yet, and will.
  IN_RECONCILIATION: "pending",
};

/**
 * Reads a deposit, payout or refund as pawaPay shows it in callbacks and status answers, of version 1 (`correspondent`,
 * `payer.address.value`, `depositedAmount`) or 2 (`payer.accountDetails`, `amount`). Pure. What cannot be read exactly
 * comes back with a reason.
 */
export const readPayment = (body: unknown, terms: Terms): Parsed =>
  readReport((noted) => {
    const value = requireObject(body, "The body");
    const kind = (Object.keys(KINDS) as Kind[]).find((name) => KINDS[name] in value);
    if (kind === undefined) throw new Unusable("malformed", "There is no depositId, payoutId or refundId.");
    const id = readId(value, KINDS[kind]);
    const transactionReference = id.toUpperCase();
    noted.providerId = transactionReference;
    const word = readText(value, "status");
    const transactionStatus = Object.hasOwn(STATUS, word) ? STATUS[word] : undefined;
    if (transactionStatus === undefined)
      throw new Unusable("status_unknown", "status is none that pawaPay documents.", "status");
    const isOver = transactionStatus === "completed";
    return {
      type: kind === "deposits" ? "merchantpay" : "disbursement",
      transactionStatus,
      transactionReference,
      correlation: id.toLowerCase(),
      originalTransactionReference:
        kind === "refunds" && "depositId" in value ? readId(value, "depositId").toUpperCase() : undefined,
      amount: amountIn(value, { kind, isOver, terms }),
      // One wallet at pawaPay for each country and currency: the channel is that wallet.
      creditParty: terms.channel.name,
      reference: textAt(value, ["metadata", "account"]) ?? "",
      payer: payerOf(value),
      at: timeIn(value, terms.now),
      statusReason: isOver ? undefined : (readReason(value) ?? word),
    };
  });

/** Code and words of a refusal or failure, in whichever of pawaPay's forms. */
export const readReason = (value: unknown): string | undefined =>
  wordsOf(
    textAt(value, ["failureReason", "failureCode"]),
    textAt(value, ["failureReason", "failureMessage"]),
    textAt(value, ["rejectionReason", "rejectionCode"]),
    textAt(value, ["rejectionReason", "rejectionMessage"]),
    textAt(value, ["errorCode"]),
    textAt(value, ["errorMessage"]),
  );

function readId(body: Body, field: string): string {
  const id = readText(body, field);
  if (!isUuid(id)) throw new Unusable("malformed", `${field} is not a UUID.`, field);
  return id;
}

/** What moved, for what is over; what was asked for, before. */
function amountIn(body: Body, about: { kind: Kind; isOver: boolean; terms: Terms }): Money | undefined {
  const { currency } = about.terms.channel;
  const moved = about.kind === "deposits" ? "depositedAmount" : "amount";
  const fields = about.isOver ? [moved, "amount"] : ["requestedAmount", "amount"];
  // Version 1 shows both amounts of a deposit: without the deposited one nothing says what came.
  const field = fields.find((name) => name in body);
  if (field === undefined) {
    if (about.isOver) throw new Unusable("wrong_type", `${moved} is missing.`, moved);
    return undefined;
  }
  requireCurrency(body["currency"], currency);
  return readAmount(readText(body, field), currency, field);
}

function timeIn(body: Body, now: Date): Date | undefined {
  const field = ["respondedByPayer", "created"].find((name) => typeof body[name] === "string");
  return field === undefined ? undefined : readMoment(readText(body, field), { field, now });
}

function payerOf(body: Body): Payer {
  const party = "recipient" in body ? "recipient" : "payer";
  const text =
    textAt(body, [party, "address", "value"]) ?? textAt(body, [party, "accountDetails", "phoneNumber"]) ?? "";
  return payerWith(digitsOf(text));
}
