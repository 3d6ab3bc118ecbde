import { enquireOnce } from "../calls.client.ts";
import { unreachable } from "../outcomes.ts";
import type { EnquiryOutcome, EnquirySubject, RailTools } from "../rail.ts";
import { readStkCode, reasonOf } from "./codes.ts";
import type { DarajaClient } from "./daraja.client.ts";
import { promptPassword, resultUrls, type Initiator, type Stk } from "./orders.client.ts";
import { promptReport, type StkTerms } from "./stk.ts";

/** What may be asked for: prompts need `stk`, transactions need `initiator`. */
export interface Enquirers {
  readonly stk: Stk | undefined;
  readonly initiator: Initiator | undefined;
  readonly ownShortcode: string;
  readonly prompt: Pick<StkTerms, "creditParty" | "type">;
}

export const PAID_WITHOUT_RECEIPT = "paid, waiting for the receipt";

/**
 * Asks M-Pesa what became of something. A prompt is answered at once, but without its receipt number, so a paid one stays
 * pending until its callback, its C2B copy or the pulled list brings that. Transactions are answered at the `result` door.
 */
export function makeEnquiry(
  client: DarajaClient,
  { stk, initiator, ownShortcode, prompt }: Enquirers,
  tools: RailTools,
) {
  return async (subject: EnquirySubject): Promise<EnquiryOutcome> => enquireOnce(() => enquire(subject));

  async function enquire(subject: EnquirySubject): Promise<EnquiryOutcome> {
    if (subject.kind === "payment" && subject.providerCorrelation !== undefined) {
      if (stk === undefined) return unreachable("Asking about prompts needs the setting stk.");
      return askPrompt(stk, subject.correlation, subject.providerCorrelation);
    }
    if (subject.kind === "payment" && subject.transactionReference === undefined)
      return { kind: "not_found", reason: "M-Pesa gave this prompt no name, so only a payment itself can tell of it." };
    if (initiator === undefined) return unreachable("Asking about transactions needs the setting initiator.");
    return askTransaction(initiator, subject);
  }

  async function askPrompt(asker: Stk, correlation: string, checkoutRequest: string): Promise<EnquiryOutcome> {
    const answer = await client.post(
      "/mpesa/stkpushquery/v1/query",
      { BusinessShortCode: asker.shortcode, ...promptPassword(asker, tools), CheckoutRequestID: checkoutRequest },
      "safe",
    );
    const { body, error, raw, status } = answer;
    const report = promptReport(prompt, correlation);
    if (error !== undefined) {
      const reason = `${error.code} ${error.message}`.trim();
      // HTTP 500, and yet an answer: the payer is still looking at the prompt.
      if (/being processed/i.test(error.message))
        return { kind: "report", report: { ...report, statusReason: reason }, raw };
      if (/invalid checkoutrequestid|(not|n't) exist|not found/i.test(error.message))
        return { kind: "not_found", reason };
      return { kind: "unreachable", reason };
    }
    if (status !== 200 || body === undefined || String(body["ResponseCode"]) !== "0")
      return unreachable(`HTTP ${status}`);
    const { code, verdict } = readStkCode(body);
    switch (verdict) {
      case "success":
        return { kind: "report", report: { ...report, statusReason: PAID_WITHOUT_RECEIPT }, raw };
      case "failed":
      case "pending":
        return {
          kind: "report",
          report: { ...report, transactionStatus: verdict, statusReason: reasonOf(body, code) },
          raw,
        };
      case "unknown":
        return unreachable(`ResultCode "${code.slice(0, 40)}" says neither success nor failure.`);
    }
  }

  async function askTransaction(asker: Initiator, subject: EnquirySubject): Promise<EnquiryOutcome> {
    const { correlation, transactionReference, providerCorrelation } = subject;
    const isOut = subject.kind === "disbursement";
    const isReversal = isOut && subject.memory["by"] === "reversal";
    // A pay-out has our own name; a reversal only the one that its answer gave.
    const conversationName = isReversal ? providerCorrelation : correlation;
    if (transactionReference === undefined && (!isOut || conversationName === undefined))
      return unreachable("M-Pesa gave this no name to ask by; the statement tells of it.");
    const urls = resultUrls(
      tools,
      isOut
        ? { about: isReversal ? "reversal" : "b2c", isEnquiry: true, correlation }
        : { about: "payment", isEnquiry: true, correlation },
    );
    const answer = await client.post(
      "/mpesa/transactionstatus/v1/query",
      {
        Initiator: asker.name,
        SecurityCredential: asker.securityCredential,
        CommandID: "TransactionStatusQuery",
        ...(transactionReference === undefined
          ? { OriginatorConversationID: conversationName }
          : { TransactionID: transactionReference }),
        PartyA: isOut && !isReversal ? asker.b2cShortcode : ownShortcode,
        // An organisation's shortcode.
        IdentifierType: "4",
        ...urls,
        Remarks: "Enquiry",
        Occasion: "Enquiry",
      },
      "safe",
    );
    if (answer.status === 200 && String(answer.body?.["ResponseCode"]) === "0") return { kind: "asked" };
    const { error, status } = answer;
    return unreachable(error === undefined ? `HTTP ${status}` : `${error.code} ${error.message}`.trim());
  }
}
