import { Temporal } from "temporal-polyfill";
import { wholeMinorOf } from "./currency.ts";
import type { SimulatedChannel, SimulatedTransaction } from "./face.ts";

/** What M-Pesa writes about a transaction, in its several dresses. */

/** "20261120211500", Nairobi's wall clock. */
export const stamp = (at: Date, zone: string): string =>
  wall(at, zone).toString({ smallestUnit: "second" }).replace(/\D/g, "");

/** The day of a statement line, "20-11-2026 21:15:00"; B2C results put dots in it. */
export function dayFirst(at: Date, zone: string, separator: string): string {
  const [date = "", time = ""] = wall(at, zone).toString({ smallestUnit: "second" }).split("T");
  return `${date.split("-").reverse().join(separator)} ${time}`;
}

export const wall = (at: Date, zone: string): Temporal.PlainDateTime =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).toPlainDateTime();

/** "50.00". */
export function decimal(amountMinor: bigint, currency: string): string {
  const whole = wholeMinorOf(currency);
  const sign = amountMinor < 0n ? "-" : "";
  const size = amountMinor < 0n ? -amountMinor : amountMinor;
  const cents = whole === 1n ? "00" : (size % whole).toString().padStart(whole.toString().length - 1, "0");
  return `${sign}${size / whole}.${cents}`;
}

/** "2547 ***** 126": what has been shown of payers since 2022. */
export const masked = (phone: string, gap = " "): string => `${phone.slice(0, 4)}${gap}*****${gap}${phone.slice(-3)}`;

/** A C2B confirmation: payer masked, amount with two decimals, time without offset. */
export function c2bConfirmation(
  transaction: SimulatedTransaction,
  { shortcode, zone }: { shortcode: string; zone: string },
): object {
  const [firstName = ""] = transaction.payerName.split(" ");
  return {
    TransactionType: transaction.reference === "" ? "Buy Goods" : "Pay Bill",
    TransID: transaction.id,
    TransTime: stamp(transaction.endedAt ?? transaction.beganAt, zone),
    TransAmount: decimal(transaction.amountMinor, transaction.currency),
    BusinessShortCode: shortcode,
    BillRefNumber: transaction.reference,
    InvoiceNumber: "",
    OrgAccountBalance: "0.00",
    ThirdPartyTransID: "",
    MSISDN: masked(transaction.phone),
    FirstName: firstName.toUpperCase(),
    MiddleName: "",
    LastName: "",
  };
}

/** How a prompt ends, in STK's codes and words. */
export function stkResult({ status, failure }: SimulatedTransaction): { code: number; words: string } {
  if (status === "completed") return { code: 0, words: "The service request is processed successfully." };
  switch (failure) {
    case "cancelled":
      return { code: 1032, words: "Request cancelled by user" };
    case "insufficient_funds":
      return { code: 1, words: "The balance is insufficient for the transaction." };
    case "limit":
      return { code: 17, words: "Rule limited." };
    case "unknown_party":
      return { code: 1025, words: "An error occurred while sending a push request." };
    case "timed_out":
    case "unreachable":
    case undefined:
      return { code: 1037, words: "DS timeout user cannot be reached" };
  }
}

/** The callback of a prompt: numbers, no account, no currency; nothing but the code when it failed. */
export function stkCallback(transaction: SimulatedTransaction, channel: SimulatedChannel): object {
  const { code, words } = stkResult(transaction);
  const told = {
    MerchantRequestID: transaction.memory["merchantRequest"] ?? "",
    CheckoutRequestID: transaction.providerCorrelation,
    ResultCode: code,
    ResultDesc: words,
  };
  if (code !== 0) return { Body: { stkCallback: told } };
  const Item = [
    { Name: "Amount", Value: Number(decimal(transaction.amountMinor, transaction.currency)) },
    { Name: "MpesaReceiptNumber", Value: transaction.id },
    { Name: "Balance" },
    { Name: "TransactionDate", Value: Number(stamp(transaction.endedAt ?? transaction.beganAt, channel.zone)) },
    { Name: "PhoneNumber", Value: Number(transaction.phone) },
  ];
  return { Body: { stkCallback: { ...told, CallbackMetadata: { Item } } } };
}

/** The envelope of everything that comes to a ResultURL. */
export function resultBody({
  code,
  words,
  transactionId,
  originator,
  conversation,
  parameters,
}: {
  code: number | string;
  words: string;
  transactionId: string;
  originator: string;
  conversation: string;
  parameters: readonly (readonly [string, string | number | undefined])[];
}): object {
  return {
    Result: {
      ResultType: 0,
      ResultCode: code,
      ResultDesc: words,
      OriginatorConversationID: originator,
      ConversationID: conversation,
      TransactionID: transactionId,
      ...(parameters.length === 0
        ? {}
        : {
            ResultParameters: {
              ResultParameter: parameters.map(([Key, Value]) => (Value === undefined ? { Key } : { Key, Value })),
            },
          }),
      ReferenceData: { ReferenceItem: { Key: "Occasion" } },
    },
  };
}

/** The result of a pay-out. Its date alone has dots in it. */
export function payoutResult(payout: SimulatedTransaction, channel: SimulatedChannel): object {
  const originator = payout.correlation ?? "";
  const names = { originator, conversation: payout.providerCorrelation ?? "" };
  if (payout.status !== "completed") {
    const code = payout.failure === "insufficient_funds" ? 1 : payout.failure === "limit" ? 4 : 7;
    const words = code === 1 ? "The balance is insufficient for the transaction." : "The transaction was declined.";
    return resultBody({ code, words, ...names, transactionId: "SG60000000", parameters: [] });
  }
  return resultBody({
    code: 0,
    words: "The service request is processed successfully.",
    ...names,
    transactionId: payout.id,
    parameters: [
      ["TransactionAmount", Number(decimal(payout.amountMinor, payout.currency))],
      ["TransactionReceipt", payout.id],
      ["ReceiverPartyPublicName", `${payout.phone} - ${payout.payerName}`],
      ["TransactionCompletedDateTime", dayFirst(payout.endedAt ?? payout.beganAt, channel.zone, ".")],
      ["B2CRecipientIsRegisteredCustomer", "Y"],
    ],
  });
}

/** The answer to a transaction status query: the credited party stands under the debited one's key, as documented. */
export function statusParameters(
  transaction: SimulatedTransaction,
  { shortcode, zone }: { shortcode: string; zone: string },
): readonly (readonly [string, string | number | undefined])[] {
  const ours = `${shortcode} - Acme Solar`;
  const theirs = `${transaction.phone} - ${transaction.payerName}`;
  const isIn = transaction.kind === "payment";
  const status = { completed: "Completed", failed: "Declined", pending: "Pending" }[transaction.status];
  const reason = {
    payment: transaction.reference === "" ? "Merchant Payment Online" : "Pay Bill Online",
    reversal: "Pay Utility Reversal",
    disbursement: "Business Payment to Customer via API",
    fee: "Merchant Charge",
  }[transaction.kind];
  return [
    ["DebitPartyName", isIn ? theirs : ours],
    ["DebitPartyName", isIn ? ours : theirs],
    ["TransactionReason", undefined],
    ["ReasonType", reason],
    ["TransactionStatus", status],
    ...(transaction.endedAt === undefined ? [] : [["FinalisedTime", stamp(transaction.endedAt, zone)] as const]),
    ["Amount", decimal(transaction.amountMinor, transaction.currency)],
    ["ReceiptNo", transaction.id],
  ];
}
