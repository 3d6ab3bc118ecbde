import { DAY_MS, HOUR_MS, type Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import type { EnquiryEnds } from "./enquiries.commands.ts";
import * as store from "./enquiries.store.ts";
import type { Enquiry } from "./enquiries.store.ts";
import { rethrow } from "./intents.jobs.ts";
import * as notices from "../inbox/notices.store.ts";
import type { OpenRails } from "../open-rails.ts";
import { isAble, type EnquiryOutcome } from "../rails/rail.ts";
import { LEASE_MS } from "./requests.ts";

/** A provider that knows nothing of a transaction after this long has never had it. */
const GIVE_UP_AFTER_MS = 3 * DAY_MS;
/** Pauses grow from a quarter of a minute to an hour: a forged callback must not cost thousands of questions. */
const pauseMs = (attempts: number): number => Math.min(15_000 * 2 ** Math.min(attempts, 10), HOUR_MS);
/** A fresh transaction may be unknown to the provider's own enquiry for a while. */
export const UNKNOWN_TIMES_MAX = 6;

/** Asks providers about transactions that unsigned callbacks told of; books what they confirm, as they say it. */
export function makeEnquirySteps({
  database,
  clock,
  rails,
  ends,
}: {
  database: Database;
  clock: Clock;
  rails: OpenRails;
  ends: EnquiryEnds;
}): (limit: number) => Promise<number> {
  async function step(enquiry: Enquiry): Promise<void> {
    const open = rails.get(enquiry.rail);
    if (open === undefined || !isAble(open.rail.enquire)) return;
    const claim = await notices.findNotice(database.db, enquiry.noticeId);
    const outcome = await open.rail.enquire({
      kind: "transaction",
      correlation: enquiry.correlation,
      providerCorrelation: undefined,
      transactionReference: enquiry.providerId,
      amount: claim?.report.amount,
      reference: claim?.report.reference ?? "",
      memory: {},
      requestedAt: enquiry.createdAt,
    });
    await hear(enquiry, outcome, claim);
  }

  async function hear(enquiry: Enquiry, outcome: EnquiryOutcome, claim: notices.Notice | undefined): Promise<void> {
    const now = clock.now();
    const isOld = now.getTime() - enquiry.createdAt.getTime() > GIVE_UP_AFTER_MS;
    const nextStepAt = new Date(now.getTime() + pauseMs(enquiry.attempts));
    await database.db.transaction(async (tx) => {
      if (outcome.kind === "report" && outcome.report.transactionStatus === "completed") {
        await ends.agree(tx, enquiry, { answer: outcome.report, raw: outcome.raw, claim });
        return;
      }
      const isNo =
        (outcome.kind === "report" && outcome.report.transactionStatus === "failed") ||
        (outcome.kind === "not_found" && enquiry.attempts >= UNKNOWN_TIMES_MAX);
      if (!isNo && !isOld) {
        await store.saveEnquiry(tx, { ...enquiry, state: "open", outcome: outcome.kind, nextStepAt });
        return;
      }
      const why = outcome.kind === "report" ? (outcome.report.statusReason ?? "failed") : outcome.kind;
      await ends.refuse(tx, enquiry, { state: isNo ? "disagreed" : "unanswered", why, claim });
    });
  }

  return async (limit) => {
    const claimed = await database.db.transaction((tx) =>
      store.claimEnquiries(tx, { now: clock.now(), leaseMs: LEASE_MS, limit }),
    );
    rethrow(await Promise.allSettled(claimed.map(step)));
    return claimed.length;
  };
}
