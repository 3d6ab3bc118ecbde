import type { MakeId } from "../../kernel/ids.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import { storeAnswer } from "../inbox/answers.store.ts";
import type { Notice } from "../inbox/notices.store.ts";
import { quarantine } from "../inbox/quarantine.store.ts";
import type { OpenRails } from "../open-rails.ts";
import type { Report } from "../rails/rail.ts";
import { saveEnquiry, type Enquiry } from "./enquiries.store.ts";

/** How an enquiry ends, whether its answer came at once or to a door later. `claim` is what somebody had told. */
export interface EnquiryEnds {
  /** The provider confirms the transaction: it is booked as the provider says it. */
  agree(
    tx: Tx,
    enquiry: Enquiry,
    confirmed: { answer: Report; raw: Uint8Array; claim: Notice | undefined },
  ): Promise<void>;
  /** The provider does not confirm it: what was told is kept for a person, as it came. */
  refuse(
    tx: Tx,
    enquiry: Enquiry,
    refused: { state: "disagreed" | "unanswered"; why: string; claim: Notice | undefined },
  ): Promise<void>;
}

export function makeEnquiryEnds({
  clock,
  makeId,
  rails,
}: {
  clock: Clock;
  makeId: MakeId;
  rails: OpenRails;
}): EnquiryEnds {
  return {
    async agree(tx, enquiry, { answer, raw, claim }) {
      const { rail, providerId } = enquiry;
      // Of an asynchronous enquiry the answer's correlation is the enquiry's own. Any other is the provider's word for which
      // request it answers, and what an unsigned claim says of that counts only where the provider says nothing.
      const named = answer.correlation === enquiry.correlation ? undefined : answer.correlation;
      const report = answerWithClaim(
        { ...answer, correlation: named, transactionReference: answer.transactionReference ?? providerId },
        claim,
      );
      const zone = rails.get(rail)?.config.zone ?? "UTC";
      const { amount } = claim?.report ?? answer;
      await storeAnswer(
        tx,
        { rail, zone, reports: [report], raw, at: clock.now(), subject: providerId, amount },
        makeId,
      );
      await saveEnquiry(tx, { ...enquiry, state: "agreed", outcome: undefined, nextStepAt: undefined });
    },
    async refuse(tx, enquiry, { state, why, claim }) {
      await saveEnquiry(tx, { ...enquiry, state, outcome: why, nextStepAt: undefined });
      if (claim === undefined) return;
      await quarantine(tx, {
        rail: claim.rail,
        door: claim.form,
        reason: "enquiry_disagrees",
        detail: `The provider does not confirm it: ${why}.`.slice(0, 500),
        providerId: enquiry.providerId,
        sourceAddress: claim.sourceAddress,
        raw: claim.raw,
        receivedAt: clock.now(),
      });
    },
  };
}

/** An answer that leaves facts out takes them from the claim that it confirms, but never the amount. */
function answerWithClaim(answer: Report, claim: Notice | undefined): Report {
  if (claim === undefined) return answer;
  const { report } = claim;
  const isPayment = report.type !== "reversal" && report.type !== "disbursement";
  return {
    ...answer,
    correlation: answer.correlation ?? report.correlation,
    reference: answer.reference.trim() === "" ? report.reference : answer.reference,
    creditParty: isPayment ? report.creditParty : answer.creditParty,
    payer: isPayment && report.payer.hash !== undefined ? report.payer : answer.payer,
    at: answer.at ?? report.at,
    type: isPayment ? report.type : answer.type,
  };
}
