import { z } from "zod";
import { formatDecimal } from "../../../kernel/money.ts";
import type { OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce } from "../calls.client.ts";
import { accepted, outcomeOfStatus, refused, unreachable } from "../outcomes.ts";
import type {
  EnquiryOutcome,
  EnquirySubject,
  PaymentRequest,
  RailTools,
  RefundOrder,
  Report,
  RequestOutcome,
} from "../rail.ts";
import { findJson, objectOrEmpty, readAs, readJson, wordsOf } from "../reading.ts";
import type { WaveSettings } from "./settings.ts";
import { createdSession, payout, session, type Session, type WaveTerms } from "./wave-objects.ts";
import { payoutReport, sessionReport } from "./wave-reports.ts";

/** What the recipient of a payout reads; Wave takes no longer one. */
const PAYMENT_REASON_MAX = 40;

const found = <Item>(item: z.ZodType<Item>): z.ZodType<{ result: Item[] }> => z.object({ result: z.array(item) });

/** Talks to Wave: payment pages, payouts, and what became of them. */
export function makeWaveClient(
  settings: WaveSettings,
  { channel, http, clock }: RailTools,
): {
  get(path: string): Promise<OutboundResponse>;
  requestPayment(request: PaymentRequest): Promise<RequestOutcome>;
  refund(order: RefundOrder): Promise<RequestOutcome>;
  enquire(subject: EnquirySubject): Promise<EnquiryOutcome>;
} {
  const terms = (): WaveTerms => ({ channel, now: clock.now() });
  const authorization = `Bearer ${settings.apiKey}`;
  const get = async (path: string): Promise<OutboundResponse> =>
    http.send({
      method: "GET",
      url: settings.baseUrl + path,
      headers: { authorization, accept: "application/json" },
      repeat: "safe",
    });
  const post = async (path: string, key: string, body: object): Promise<OutboundResponse> =>
    http.send({
      method: "POST",
      url: settings.baseUrl + path,
      headers: {
        authorization,
        accept: "application/json",
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(body),
      repeat: "safe",
    });

  async function requestPayment(request: PaymentRequest): Promise<RequestOutcome> {
    return asked(
      async () =>
        post("/v1/checkout/sessions", request.correlation, {
          amount: formatDecimal(request.amount),
          currency: channel.currency,
          // The only thing of ours that the webhook repeats.
          client_reference: request.correlation,
          success_url: settings.successUrl,
          error_url: settings.errorUrl,
          ...(settings.onlyAskedPhone ? { restrict_payer_mobile: request.phone } : {}),
        }),
      (answer) => {
        const created = readAs(createdSession, readJson(answer.raw));
        return accepted({ providerCorrelation: created.id, payAt: created.wave_launch_url });
      },
    );
  }

  /**
   * Wave's own refund returns a payment in whole and cannot be asked about afterwards; a payout returns any part, is
   * sent once by its key and is found by our reference.
   */
  async function refund(order: RefundOrder): Promise<RequestOutcome> {
    const { phone } = order;
    if (phone === undefined) return refused("Wave pays back to a phone, and the payer's is not known.");
    return asked(
      async () =>
        post("/v1/payout", order.correlation, {
          currency: channel.currency,
          receive_amount: formatDecimal(order.amount),
          mobile: phone,
          client_reference: order.correlation,
          payment_reason: order.reason.slice(0, PAYMENT_REASON_MAX),
        }),
      (answer) => {
        const sent = readAs(payout, readJson(answer.raw));
        if (sent.status === "failed") return refused(sent.payout_error?.error_code ?? "failed");
        return accepted({ providerCorrelation: sent.id });
      },
    );
  }

  async function enquire(subject: EnquirySubject): Promise<EnquiryOutcome> {
    const { transactionReference, providerCorrelation } = subject;
    switch (subject.kind) {
      case "payment":
        return providerCorrelation === undefined
          ? searchSession(subject)
          : askSession(`/v1/checkout/sessions/${encodeURIComponent(providerCorrelation)}`, subject);
      case "transaction":
        if (transactionReference === undefined) return { kind: "not_found", reason: "Nothing names the transaction." };
        return askSession(`/v1/checkout/sessions?transaction_id=${encodeURIComponent(transactionReference)}`, subject);
      case "disbursement":
        return searchPayout(subject);
    }
  }

  async function askSession(path: string, subject: EnquirySubject): Promise<EnquiryOutcome> {
    const answer = await get(path);
    return settled(answer) ?? told(sessionReport(readAs(session, readJson(answer.raw)), terms(), of(subject)), answer);
  }

  async function searchSession(subject: EnquirySubject): Promise<EnquiryOutcome> {
    const answer = await get(
      `/v1/checkout/sessions/search?client_reference=${encodeURIComponent(subject.correlation)}`,
    );
    const refusal = settled(answer);
    if (refusal !== undefined) return refusal;
    const sessions = readAs(found(session), readJson(answer.raw)).result;
    const one = mostTelling(sessions.filter((each) => each.client_reference === subject.correlation));
    return one === undefined
      ? { kind: "not_found", reason: "Wave has no session with our reference." }
      : told(sessionReport(one, terms(), of(subject)), answer);
  }

  async function searchPayout(subject: EnquirySubject): Promise<EnquiryOutcome> {
    const answer = await get(`/v1/payouts/search?client_reference=${encodeURIComponent(subject.correlation)}`);
    const refusal = settled(answer);
    if (refusal !== undefined) return refusal;
    const payouts = readAs(found(payout), readJson(answer.raw)).result;
    const one = payouts.find((each) => each.client_reference === subject.correlation);
    return one === undefined
      ? { kind: "not_found", reason: "Wave has no payout with our reference." }
      : told(payoutReport(one, terms()), answer);
  }

  return { get, requestPayment, refund, enquire: async (subject) => enquireOnce(() => enquire(subject)) };
}

const told = (report: Report, answer: OutboundResponse): EnquiryOutcome => ({
  kind: "report",
  report,
  raw: answer.raw,
});

/** A transaction that nobody asked for keeps the account that its session names. */
const of = (subject: EnquirySubject): { reference: string } | undefined =>
  subject.kind === "payment" ? { reference: subject.reference } : undefined;

/** An answer that is no object of Wave's. */
function settled(answer: OutboundResponse): EnquiryOutcome | undefined {
  if (answer.status === 404) return { kind: "not_found", reason: reasonIn(answer) };
  return answer.status >= 300 ? unreachable(reasonIn(answer)) : undefined;
}

/** A request that was repeated may have two pages, of which one address was handed out: the paid one tells, else the open one. */
function mostTelling(sessions: readonly Session[]): Session | undefined {
  return (
    sessions.find((each) => each.payment_status === "succeeded") ??
    sessions.find((each) => each.checkout_status === "open") ??
    sessions[0]
  );
}

const asked = async (
  send: () => Promise<OutboundResponse>,
  read: (answer: OutboundResponse) => RequestOutcome,
): Promise<RequestOutcome> =>
  askOnce(async () => {
    const answer = await send();
    const { status } = answer;
    if (status < 300) return read(answer);
    const reason = reasonIn(answer);
    return outcomeOfStatus(status, { reason, isDuplicate: status === 409 || /idempotency/i.test(reason) });
  });

export function reasonIn({ status, raw }: OutboundResponse): string {
  const { code, message } = objectOrEmpty(findJson(raw));
  return wordsOf(`HTTP ${status}`, code, message) ?? "";
}
