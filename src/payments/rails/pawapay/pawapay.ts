import { MINUTE_MS, SECOND_MS } from "../../../kernel/time.ts";
import type { Adapter, Answer, EnquiryOutcome, EnquirySubject, Outcome, Rail, RailTools } from "../rail.ts";
import { refused } from "../outcomes.ts";
import { findJson } from "../reading.ts";
import { readPayment, type Kind } from "./payment.ts";
import { makePawapayClient, type PawapayClient } from "./pawapay.client.ts";
import { parsePawapaySettings, type PawapaySettings } from "./settings.ts";
import { verifyPawapay } from "./signature.ts";

/**
 * pawaPay, an aggregator of mobile money operators. Deposits, payouts and refunds are named by UUIDs of ours, which are
 * their references for ever; one callback address for each kind is entered in its dashboard, and all may be ours.
 */
export const pawapay: Adapter<PawapaySettings> = {
  name: "pawapay",
  title: "pawaPay: mobile money of many operators through one account",
  parseSettings: parsePawapaySettings,
  open: openPawapay,
};

function openPawapay(settings: PawapaySettings, tools: RailTools): Rail {
  const client = makePawapayClient(settings, tools);
  return {
    channel: tools.channel,
    doors: [{ name: "callback", kind: "notice", methods: ["POST"] }],
    callbackIs: settings.requireSignature ? "evidence" : "hint",
    isRequestRepeatable: true,
    isRefundRepeatable: true,
    enquiryNamesPayment: true,
    enquirySchedule: { firstAfterMs: 30 * SECOND_MS, expiresAfterMs: 30 * MINUTE_MS },
    verify: (delivery) => verifyPawapay(delivery, settings),
    parse: ({ raw, receivedAt }) => readPayment(findJson(raw), { channel: tools.channel, now: receivedAt }),
    answer: (_delivery, outcome) => answerOf(outcome),
    requestPayment: (request) => client.deposit(request),
    enquire: (subject) => enquire(client, subject),
    refund: async (order) => {
      const { phone, original } = order;
      if (phone !== undefined) return client.payOut({ ...order, phone });
      if (original !== undefined) return client.refundDeposit({ ...order, original });
      return refused("There is neither a number nor a deposit to refund.");
    },
    // It can resend the callback of one payment (POST /deposits/resend-callback); an enquiry tells the same and is sure.
    list: { cannot: "pawaPay lists payments in its dashboard and statements, not through its API." },
  };
}

async function enquire(client: PawapayClient, subject: EnquirySubject): Promise<EnquiryOutcome> {
  switch (subject.kind) {
    case "payment":
      return client.find("deposits", subject.correlation);
    case "transaction":
      return client.find("deposits", (subject.transactionReference ?? subject.correlation).toLowerCase());
    case "disbursement": {
      const via: unknown = subject.memory["via"];
      if (via === "payouts" || via === "refunds") return client.find(via, subject.correlation);
      // The answer to the order was lost: it is one of the two.
      const kinds: readonly Kind[] = ["payouts", "refunds"];
      let outcome: EnquiryOutcome = { kind: "not_found", reason: "" };
      for (const kind of kinds) {
        outcome = await client.find(kind, subject.correlation);
        if (outcome.kind !== "not_found") return outcome;
      }
      return outcome;
    }
  }
}

/** pawaPay repeats a callback for a quarter of an hour until it hears 200. */
function answerOf(outcome: Outcome): Answer {
  switch (outcome.kind) {
    case "stored":
    case "repeated":
    case "conflict":
      return { status: 200, body: {} };
    case "busy":
      return { status: 503, headers: { "retry-after": "5" } };
    case "not_allowed":
      return { status: 401, body: { error: outcome.detail } };
    case "unusable":
      return { status: 400, body: { error: outcome.detail, field: outcome.field } };
    case "payable":
    case "account_unknown":
    case "contract_ended":
    case "amount_too_small":
    case "currency_differs":
      return { status: 404 };
  }
}
