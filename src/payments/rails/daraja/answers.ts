import { impossible } from "../../../kernel/refusal.ts";
import type { Answer, Outcome, QuarantineReason } from "../rail.ts";

/** What Safaricom wants to hear. Validation codes are strings, the number 0 says that a notice is kept. */
const STORED = { ResultCode: 0, ResultDesc: "Success" } as const;
const ACCEPTED = { ResultCode: "0", ResultDesc: "Accepted" } as const;
type Rejection = "C2B00011" | "C2B00012" | "C2B00013" | "C2B00014" | "C2B00015" | "C2B00016";

/** Nothing is gained by hurrying a provider that will come again. */
const RETRY_AFTER_SECONDS = "5";

const CODE_OF: Record<QuarantineReason, Rejection> = {
  source_not_allowed: "C2B00016",
  signature_invalid: "C2B00016",
  signature_stale: "C2B00016",
  malformed: "C2B00016",
  wrong_type: "C2B00016",
  amount_invalid: "C2B00013",
  currency_unexpected: "C2B00013",
  shortcode_unknown: "C2B00015",
  time_invalid: "C2B00016",
  status_unknown: "C2B00016",
  intent_unknown: "C2B00012",
  enquiry_disagrees: "C2B00016",
  conflict: "C2B00016",
};

/** M-Pesa tells the payer which of their entries was refused, so an unreadable field is named by its own code. */
const CODE_OF_FIELD: Readonly<Record<string, Rejection>> = {
  MSISDN: "C2B00011",
  BillRefNumber: "C2B00012",
  TransAmount: "C2B00013",
  BusinessShortCode: "C2B00015",
};

/** The answer in M-Pesa's form. A refusal is said with HTTP 200 at validation, with the HTTP status elsewhere. */
export function answerDaraja(door: string, outcome: Outcome): Answer {
  switch (outcome.kind) {
    case "stored":
    case "repeated":
      return { status: 200, body: STORED };
    case "conflict":
      return rejected(409, "C2B00016", "this transaction was received before with other facts.");
    case "busy":
      return {
        status: 503,
        body: { ResultCode: "C2B00016", ResultDesc: "Busy: send again." },
        headers: { "Retry-After": RETRY_AFTER_SECONDS },
      };
    case "not_allowed":
      return rejected(403, "C2B00016", outcome.detail);
    case "unusable":
      return answerUnusable(door, outcome);
    case "payable":
      return { status: 200, body: ACCEPTED };
    case "account_unknown":
      return refusedAtTheDoor("C2B00012");
    case "amount_too_small":
      return refusedAtTheDoor("C2B00013");
    case "contract_ended":
    case "currency_differs":
      return refusedAtTheDoor("C2B00016");
  }
  return impossible(outcome);
}

function answerUnusable(door: string, { reason, field, detail }: Extract<Outcome, { kind: "unusable" }>): Answer {
  const code = CODE_OF_FIELD[field ?? ""] ?? CODE_OF[reason];
  // Safaricom wants HTTP 200 with a code for a refusal; a malformed body is a 400 that a developer will notice.
  if (door === "validation") return { ...refusedAtTheDoor(code), status: reason === "malformed" ? 400 : 200 };
  // A code that nobody knows is documented to come; the body is kept for a person, and sending it again changes nothing.
  if (reason === "status_unknown") return { status: 200, body: STORED };
  return rejected(400, code, detail);
}

const rejected = (status: number, code: Rejection, detail: string): Answer => ({
  status,
  body: { ResultCode: code, ResultDesc: `Rejected: ${detail}` },
});

const refusedAtTheDoor = (code: Rejection): Answer => ({
  status: 200,
  body: { ResultCode: code, ResultDesc: "Rejected" },
});
