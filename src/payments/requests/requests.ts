import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../kernel/time.ts";
import type { EnquiryOutcome, EnquirySchedule, RequestOutcome } from "../rails/rail.ts";

/** `created`: not sent yet. `sending`: sent or about to be; the answer is not known. Final: completed, failed, expired. */
export type IntentState = "created" | "sending" | "pending" | "completed" | "failed" | "expired";

/** A request of ours as far as deciding its next step needs. */
export interface RequestStanding {
  readonly state: IntentState;
  readonly wasAccepted: boolean;
  readonly enquiries: number;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface Step {
  readonly state: IntentState;
  readonly wasAccepted: boolean;
  readonly nextStepAt: Date | undefined;
  readonly reason: string | undefined;
}

/** What the rail can do about a request. */
export interface RequestRules {
  readonly isRepeatable: boolean;
  readonly canEnquire: boolean;
  readonly schedule: EnquirySchedule;
}

/** A step that has not ended after this long belonged to a process that died. */
export const LEASE_MS = 2 * MINUTE_MS;
const ENQUIRY_PAUSE_FIRST_MS = 15_000;
const ENQUIRY_PAUSE_MAX_MS = 5 * MINUTE_MS;
const SEND_PAUSE_MS = 20_000;
/** An expired request is asked about a few times more: a payer may have been debited late, and that money is honoured. */
const LATE_CHECKS_MS = [HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS] as const;

const later = (now: Date, millis: number): Date => new Date(now.getTime() + millis);

/** After the first enquiry the pauses double, from a quarter of a minute to five minutes. */
export function enquiryPauseMs(enquiries: number): number {
  return Math.min(ENQUIRY_PAUSE_FIRST_MS * 2 ** Math.min(enquiries, 10), ENQUIRY_PAUSE_MAX_MS);
}

/** A look that was met by silence told nothing, so it is taken again within the hour, as long as there is one to come. */
function lateCheckAt(expiresAt: Date, now: Date, isSilent: boolean): Date | undefined {
  const wait = LATE_CHECKS_MS.find((millis) => expiresAt.getTime() + millis > now.getTime());
  if (wait === undefined) return undefined;
  const next = later(expiresAt, wait);
  return isSilent ? earlierOf(next, later(now, HOUR_MS), now) : next;
}

/**
 * What follows from the provider's answer to a request. A request that may have been acted upon is never sent again under
 * another name; under its own only where the rail acts once for one name.
 */
export function decideAfterSend(
  standing: RequestStanding,
  outcome: RequestOutcome,
  { now, rules }: { now: Date; rules: RequestRules },
): Step {
  const firstLook = rules.canEnquire ? later(now, rules.schedule.firstAfterMs) : standing.expiresAt;
  const wait = (reason: string | undefined, wasAccepted: boolean): Step => ({
    state: "pending",
    wasAccepted: standing.wasAccepted || wasAccepted,
    nextStepAt: firstLook,
    reason,
  });
  switch (outcome.kind) {
    case "accepted":
      return wait(undefined, true);
    case "unknown":
      return wait(outcome.reason, false);
    case "not_sent":
      return now >= standing.expiresAt
        ? { ...standing, state: "failed", nextStepAt: undefined, reason: `never sent: ${outcome.reason}` }
        : { ...standing, state: "created", nextStepAt: later(now, SEND_PAUSE_MS), reason: outcome.reason };
    case "refused":
      // It knows this name already: an earlier attempt of ours arrived, though its answer did not.
      return outcome.isDuplicate
        ? wait(undefined, true)
        : { ...standing, state: "failed", nextStepAt: undefined, reason: outcome.reason };
  }
}

/**
 * What follows from an enquiry, or from its absence. Pending stays pending until the payer's time is over; what nobody
 * knows then is expired, and still looked at a few times. Silence of the provider decides nothing.
 */
export function decideAfterEnquiry(
  standing: RequestStanding,
  outcome: EnquiryOutcome | { readonly kind: "cannot" },
  { now, rules }: { now: Date; rules: RequestRules },
): Step {
  const isOver = now >= standing.expiresAt;
  // Asked about again because the payment is said to have gone back: whatever is answered, it was paid.
  if (standing.state === "completed") {
    const isSilent = outcome.kind === "unreachable" || outcome.kind === "asked";
    return {
      state: "completed",
      wasAccepted: true,
      nextStepAt: isSilent ? lateCheckAt(standing.expiresAt, now, true) : undefined,
      reason: undefined,
    };
  }
  const goOn = (reason: string | undefined): Step => ({
    state: isOver ? "expired" : "pending",
    wasAccepted: standing.wasAccepted,
    nextStepAt: isOver
      ? lateCheckAt(standing.expiresAt, now, outcome.kind === "unreachable")
      : earlierOf(later(now, enquiryPauseMs(standing.enquiries)), standing.expiresAt, now),
    reason,
  });
  switch (outcome.kind) {
    case "cannot":
      return isOver
        ? { ...standing, state: "expired", nextStepAt: undefined, reason: "nobody answered in time" }
        : { ...standing, state: "pending", nextStepAt: standing.expiresAt, reason: undefined };
    case "unreachable":
      return goOn(outcome.reason);
    case "asked":
      return goOn(undefined);
    case "not_found":
      if (isOver) return { ...standing, state: "failed", nextStepAt: undefined, reason: outcome.reason };
      return rules.isRepeatable && !standing.wasAccepted
        ? { ...standing, state: "created", nextStepAt: later(now, SEND_PAUSE_MS), reason: outcome.reason }
        : goOn(outcome.reason);
    case "report":
      switch (outcome.report.transactionStatus) {
        case "completed":
          return { state: "completed", wasAccepted: true, nextStepAt: undefined, reason: undefined };
        case "failed":
          return { state: "failed", wasAccepted: true, nextStepAt: undefined, reason: outcome.report.statusReason };
        case "pending":
          return { ...goOn(outcome.report.statusReason), wasAccepted: true };
      }
  }
}

/** The last look falls on the end of the payer's time, not after it. */
function earlierOf(at: Date, end: Date, now: Date): Date {
  return end > now && at > end ? end : at;
}
