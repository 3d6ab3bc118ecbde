import { getCountryCallingCode, isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { AMOUNT_MINOR_MAX, formatDecimal, type Money } from "../../../kernel/money.ts";
import type { OutboundRequest, OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce, makeBearer } from "../calls.client.ts";
import { accepted, refused, unreachable } from "../outcomes.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  PaymentRequest,
  RailTools,
  RefundOrder,
  RequestOutcome,
} from "../rail.ts";
import { readEnvelope, readStatusAnswer, transactionIdOf } from "./status.ts";

interface ClientSettings {
  readonly baseUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly disbursementPin?: string | undefined;
  readonly creditParty: string;
}

interface AirtelClient {
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
  readonly refund: ((order: RefundOrder) => Promise<RequestOutcome>) | undefined;
}

const REFERENCE_MAX = 64;

/** What was asked for cannot be said in Airtel's form. */
class CannotAsk extends Error {}

/** Speaks to Airtel: payment prompts, disbursements, and the status of both. */
export function makeAirtelClient(settings: ClientSettings, { channel, http, clock }: RailTools): AirtelClient {
  const { baseUrl, creditParty, disbursementPin } = settings;
  const { country, currency } = channel;
  const bearer = makeBearer({
    http,
    clock,
    provider: "Airtel",
    tokenRequest: {
      method: "POST",
      url: `${baseUrl}/auth/oauth2/token`,
      headers: { "content-type": "application/json", accept: "*/*" },
      body: JSON.stringify({
        client_id: settings.clientId,
        client_secret: settings.clientSecret,
        grant_type: "client_credentials",
      }),
    },
  });

  const send = async (request: OutboundRequest): Promise<OutboundResponse> =>
    bearer.send({
      ...request,
      headers: { accept: "*/*", "content-type": "application/json", "x-country": country, "x-currency": currency },
    });

  /** Sent once: "in case of a time-out do a transaction enquiry". The name makes a later repeat harmless. */
  async function ask(path: string, describe: () => object): Promise<RequestOutcome> {
    return askOnce(async () => {
      let body: string;
      try {
        body = JSON.stringify(describe());
      } catch (error) {
        if (error instanceof CannotAsk) return refused(error.message);
        throw error;
      }
      return readAskAnswer(await send({ method: "POST", url: `${baseUrl}${path}`, body, repeat: "once" }));
    });
  }

  /** "Do not send the country code in the msisdn." */
  function nationalNumber(phone: string | undefined): string {
    if (phone === undefined) throw new CannotAsk("The payer's number is not known, and Airtel pays to numbers only.");
    const parsed = parsePhoneNumberFromString(phone, { extract: false });
    // Without its country code a number of another country would be somebody else's here.
    if (!isSupportedCountry(country) || parsed?.countryCallingCode !== getCountryCallingCode(country))
      throw new CannotAsk(`The number is not of ${country}, where this account is.`);
    return parsed.nationalNumber;
  }

  /** A JSON number, as Airtel wants it, that is the amount to the last digit. */
  function exactNumber(amount: Money): number {
    if (amount.currency !== currency) throw new CannotAsk(`${channel.name} moves ${currency} only.`);
    if (amount.minor <= 0n) throw new CannotAsk("There is nothing to move.");
    if (amount.minor > AMOUNT_MINOR_MAX) throw new CannotAsk("The amount is larger than any rail carries.");
    // Twelve digits at most: a double writes them back as they were.
    return Number(formatDecimal(amount));
  }

  return {
    requestPayment: ({ correlation, phone, amount, reference }) =>
      ask("/merchant/v1/payments/", () => ({
        reference: referenceOf(reference, correlation),
        subscriber: { country, currency, msisdn: nationalNumber(phone) },
        transaction: { amount: exactNumber(amount), country, currency, id: transactionIdOf(correlation) },
      })),
    enquire: async (subject) => {
      const isPayout = subject.kind === "disbursement";
      const path = isPayout ? "/standard/v1/disbursements/" : "/standard/v1/payments/";
      const url = `${baseUrl}${path}${encodeURIComponent(transactionIdOf(subject.correlation))}`;
      return enquireOnce(async () => readEnquiry(await send({ method: "GET", url, repeat: "safe" }), subject));
    },
    // Not `/standard/v1/payments/refund`: it gives back whole payments, takes no name of ours and has no enquiry, so
    // after a lost answer nobody could tell whether the money went.
    refund:
      disbursementPin === undefined
        ? undefined
        : ({ correlation, phone, amount }) =>
            ask("/standard/v1/disbursements/", () => ({
              payee: { msisdn: nationalNumber(phone) },
              reference: transactionIdOf(correlation),
              pin: disbursementPin,
              transaction: { amount: exactNumber(amount), id: transactionIdOf(correlation) },
            })),
  };

  function readEnquiry({ status, raw }: OutboundResponse, subject: EnquirySubject): EnquiryOutcome {
    // A gateway's time-out says nothing about the money, whatever its body claims.
    if (status >= 500 || status === 401 || status === 408 || status === 429) return unreachable(`HTTP ${status}`);
    const read = readStatusAnswer(raw, {
      creditParty,
      correlation: subject.correlation,
      reference: subject.reference,
      subject: subject.kind === "disbursement" ? "disbursement" : "payment",
      airtelIdKnown: subject.transactionReference,
    });
    switch (read.kind) {
      case "report":
        // A final word comes with 200 and nothing else.
        if (status !== 200) return unreachable(`HTTP ${status}`);
        return { kind: "report", report: read.report, raw };
      case "not_found":
        return read;
      case "unreadable":
        return unreachable(`HTTP ${status} ${read.reason}`);
    }
  }
}

function readAskAnswer(answer: OutboundResponse): RequestOutcome {
  const { status } = answer;
  const envelope = readEnvelope(answer.raw);
  const said = `HTTP ${status} ${envelope?.said ?? ""}`.trim();
  const unknown: RequestOutcome = { kind: "unknown", reason: said };
  // Our keys are wrong or too many ask: Airtel has not looked at the request, and it can be asked the same later.
  if (status === 401 || status === 429) return { kind: "not_sent", reason: said };
  switch (envelope?.meaning) {
    case "duplicate":
      return refused(said, true);
    case "refused":
      return refused(said);
    case "in_progress":
    case "success":
      // Even "success" is the bus's word for a prompt that went out: the enquiry decides.
      if (status !== 200) return unknown;
      return accepted();
    case "not_found":
    case "unclear":
    case undefined:
      return unknown;
  }
}

/** Letters and digits, as Airtel's samples have it; the account PG-10234 becomes PG10234. */
function referenceOf(reference: string, correlation: string): string {
  return reference.replace(/[^A-Za-z0-9]/g, "").slice(0, REFERENCE_MAX) || transactionIdOf(correlation);
}
