import { formatDecimal, type Money } from "../../../kernel/money.ts";
import { accepted, refused } from "../outcomes.ts";
import type { PaymentRequest, RailTools, RefundOrder, RequestOutcome } from "../rail.ts";
import { textAt } from "../reading.ts";
import { digitsOf } from "../report-values.ts";
import { writeConversation, type Conversation } from "./conversation.ts";
import { sendOrder, type DarajaClient } from "./daraja.client.ts";
import type { DarajaSettings } from "./settings.ts";
import { fourteenDigits } from "./wall-clock.ts";

export type Stk = NonNullable<DarajaSettings["stk"]>;
export type Initiator = NonNullable<DarajaSettings["initiator"]>;

/** M-Pesa cuts or refuses longer ones; a cut account number would be somebody else's. */
const ACCOUNT_REFERENCE_MAX = 12;
/** At most 13 characters; the payer does not see it. */
const TRANSACTION_DESCRIPTION = "Instalment";
const REMARKS_MAX = 100;

/** The two addresses for the answer to a request that is answered later. */
export function resultUrls(
  tools: RailTools,
  conversation: Conversation,
): { ResultURL: string; QueueTimeOutURL: string } {
  const parameter = writeConversation(conversation);
  return {
    ResultURL: tools.callbackUrl("result", parameter),
    QueueTimeOutURL: tools.callbackUrl("timeout", parameter),
  };
}

/** The password of a prompt and of its query: made anew for each moment. */
export function promptPassword(stk: Stk, { clock, channel }: RailTools): { Password: string; Timestamp: string } {
  const timestamp = fourteenDigits(clock.now(), channel.zone);
  return {
    Password: Buffer.from(`${stk.shortcode}${stk.passkey}${timestamp}`).toString("base64"),
    Timestamp: timestamp,
  };
}

/**
 * Puts a prompt on the payer's phone. M-Pesa knows no name of ours for it, so it is sent once; the address of the
 * callback carries our correlation.
 */
export function makePrompt(client: DarajaClient, stk: Stk, tools: RailTools) {
  return async ({ correlation, phone, amount, reference }: PaymentRequest): Promise<RequestOutcome> => {
    const whole = wholeUnits(amount);
    if (whole === undefined) return refused("M-Pesa prompts for whole shillings only.");
    if (amount.currency !== tools.channel.currency) return refused(`This account is in ${tools.channel.currency}.`);
    if (reference.length === 0 || reference.length > ACCOUNT_REFERENCE_MAX)
      return refused(`M-Pesa takes account numbers of 1 to ${ACCOUNT_REFERENCE_MAX} characters.`);
    const payer = digitsOf(phone);
    if (payer === undefined) return refused("The phone number is not in international form.");
    const body = {
      BusinessShortCode: stk.shortcode,
      ...promptPassword(stk, tools),
      TransactionType: stk.transactionType,
      Amount: whole,
      PartyA: payer,
      PartyB: stk.partyB ?? stk.shortcode,
      PhoneNumber: payer,
      CallBackURL: tools.callbackUrl("stk", correlation),
      AccountReference: reference,
      TransactionDesc: TRANSACTION_DESCRIPTION,
    };
    const outcome = await sendOrder(
      () => client.post("/mpesa/stkpush/v1/processrequest", body, "once"),
      (answer) => accepted({ providerCorrelation: textAt(answer, ["CheckoutRequestID"]) }),
    );
    // It knows no name of ours, so whatever it calls a duplicate is not this request.
    return outcome.kind === "refused" ? refused(outcome.reason) : outcome;
  };
}

/**
 * Gives money back: to a phone by a pay-out, which M-Pesa carries out once for one correlation; without a phone by
 * reversing the payment, which is asked once. What was done is remembered for enquiries.
 */
export function makeRefund(
  client: DarajaClient,
  { initiator, ownShortcode }: { initiator: Initiator; ownShortcode: string },
  tools: RailTools,
) {
  return async (order: RefundOrder): Promise<RequestOutcome> => {
    if (order.amount.currency !== tools.channel.currency)
      return refused(`This account is in ${tools.channel.currency}.`);
    if (order.phone !== undefined) return payOut(order, order.phone);
    if (order.original === undefined) return refused("Without the payer's phone only a payment can be reversed.");
    return reverse(order, order.original);
  };

  async function payOut({ correlation, amount, reason }: RefundOrder, phone: string): Promise<RequestOutcome> {
    const whole = wholeUnits(amount);
    if (whole === undefined) return refused("M-Pesa pays out whole shillings only.");
    const payee = digitsOf(phone);
    if (payee === undefined) return refused("The phone number is not in international form.");
    const body = {
      OriginatorConversationID: correlation,
      InitiatorName: initiator.name,
      SecurityCredential: initiator.securityCredential,
      CommandID: "BusinessPayment",
      Amount: whole,
      PartyA: initiator.b2cShortcode,
      PartyB: payee,
      Remarks: remarks(reason),
      ...resultUrls(tools, { about: "b2c", isEnquiry: false, correlation }),
      // The provider's spelling.
      Occassion: "Refund",
    };
    return sendOrder(
      () => client.post("/mpesa/b2c/v3/paymentrequest", body, "safe"),
      (answer) => accepted({ providerCorrelation: textAt(answer, ["ConversationID"]), memory: { by: "b2c" } }),
    );
  }

  async function reverse(
    { correlation, amount, reason }: RefundOrder,
    original: NonNullable<RefundOrder["original"]>,
  ): Promise<RequestOutcome> {
    // The API's Amount is "the amount transacted": a part of a payment cannot be reversed.
    if (amount.minor !== original.amount.minor || amount.currency !== original.amount.currency)
      return refused("M-Pesa reverses whole payments only; for a part of one the payer's phone is needed.");
    const body = {
      Initiator: initiator.name,
      SecurityCredential: initiator.securityCredential,
      CommandID: "TransactionReversal",
      TransactionID: original.transactionReference,
      Amount: wholeUnits(amount) ?? formatDecimal(amount),
      ReceiverParty: ownShortcode,
      // The provider's spelling; 11 is an organisation's shortcode.
      RecieverIdentifierType: "11",
      ...resultUrls(tools, { about: "reversal", isEnquiry: false, correlation }),
      Remarks: remarks(reason),
      Occasion: "Refund",
    };
    const outcome = await sendOrder(
      () => client.post("/mpesa/reversal/v1/request", body, "once"),
      (answer) =>
        accepted({ providerCorrelation: textAt(answer, ["OriginatorConversationID"]), memory: { by: "reversal" } }),
    );
    return outcome.kind === "refused" ? refused(outcome.reason) : outcome;
  }
}

function wholeUnits(amount: Money): string | undefined {
  const [whole = "", fraction = ""] = formatDecimal(amount).split(".");
  return /^[1-9]\d*$/.test(whole) && /^0*$/.test(fraction) ? whole : undefined;
}

/** Two to a hundred characters; M-Pesa refuses the request for an ampersand or a quote. */
function remarks(reason: string): string {
  const text = reason
    .replace(/[^\p{L}\p{N} .,-]/gu, " ")
    .trim()
    .slice(0, REMARKS_MAX);
  return text.length < 2 ? "Refund" : text;
}
