import type { MakeId } from "../../kernel/ids.ts";
import { DAY_MS, HOUR_MS, localDateOf, type Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import { openExceptions } from "../reconciliation/exceptions.store.ts";
import { rethrow } from "./intents.jobs.ts";
import type { OpenRail, OpenRails } from "../open-rails.ts";
import type { Payouts } from "./payouts.commands.ts";
import * as store from "./payouts.store.ts";
import type { ClaimedPayout } from "./payouts.store.ts";
import { isAble, type EnquiryOutcome, type RequestOutcome } from "../rails/rail.ts";
import { enquiryPauseMs, LEASE_MS } from "./requests.ts";

const SEND_AGAIN_AFTER_MS = 60_000;
const FIRST_LOOK_AFTER_MS = 30_000;
/** An answer that does not come in the first hours is looked for once in a while; money on its way is never forgotten. */
const EAGER_MS = DAY_MS;
/** So many questions should have been answered: of a payout that it does not know M-Pesa says nothing that names it. */
const UNHEARD_MAX = 3;

/**
 * Sends payouts and asks after them until the provider says that it paid or certainly did not. What may have been paid is
 * never sent under another name, and never given back to its source before the provider said no.
 */
export function makePayoutSteps({
  database,
  clock,
  makeId,
  rails,
  payouts,
}: {
  database: Database;
  clock: Clock;
  makeId: MakeId;
  rails: OpenRails;
  payouts: Payouts;
}): (limit: number) => Promise<number> {
  async function keep(
    payout: ClaimedPayout,
    change: Partial<Parameters<typeof store.savePayout>[1]> & { state: ClaimedPayout["state"]; nextStepAt: Date },
  ): Promise<void> {
    await database.db.transaction((tx) =>
      store.savePayout(tx, { ...payout, isEnquiry: false, now: clock.now(), ...change }),
    );
  }

  async function send(open: OpenRail, payout: ClaimedPayout): Promise<void> {
    const { refund } = open.rail;
    const isRepeatable = isSafeToRepeat(open, payout);
    const outcome: RequestOutcome = !isAble(refund)
      ? { kind: "refused", reason: refund.cannot, isDuplicate: false }
      : payout.before === "sending" && !isRepeatable
        ? { kind: "unknown", reason: "it may have been sent before the program ended" }
        : await refund({
            correlation: payout.correlation,
            phone: payout.phone ?? undefined,
            amount: payout.amount,
            original:
              payout.originalProviderId === null
                ? undefined
                : { transactionReference: payout.originalProviderId, amount: payout.amount },
            reason: payout.reason,
          }).catch((error: unknown): RequestOutcome => ({
            kind: "unknown",
            reason: error instanceof Error ? error.message : String(error),
          }));
    const later = (millis: number): Date => new Date(clock.now().getTime() + millis);
    switch (outcome.kind) {
      case "accepted":
        return keep(payout, {
          state: "pending",
          wasAccepted: true,
          stateReason: null,
          nextStepAt: later(FIRST_LOOK_AFTER_MS),
          providerCorrelation: outcome.providerCorrelation,
          memory: outcome.memory,
        });
      case "unknown":
        return keep(payout, { state: "pending", stateReason: outcome.reason, nextStepAt: later(FIRST_LOOK_AFTER_MS) });
      case "not_sent":
        return keep(payout, { state: "created", stateReason: outcome.reason, nextStepAt: later(SEND_AGAIN_AFTER_MS) });
      case "refused":
        if (outcome.isDuplicate)
          return keep(payout, { state: "pending", wasAccepted: true, nextStepAt: later(FIRST_LOOK_AFTER_MS) });
        await database.db.transaction((tx) => payouts.fail(tx, payout, outcome.reason));
    }
  }

  async function enquire(open: OpenRail, payout: ClaimedPayout): Promise<void> {
    const { enquire: ask } = open.rail;
    const outcome: EnquiryOutcome = isAble(ask)
      ? await ask({
          kind: "disbursement",
          correlation: payout.correlation,
          providerCorrelation: payout.providerCorrelation,
          transactionReference: payout.providerId ?? undefined,
          amount: payout.amount,
          reference: "",
          memory: payout.memory,
          requestedAt: payout.createdAt,
        })
      : { kind: "unreachable", reason: ask.cannot };
    const now = clock.now();
    const isYoung = now.getTime() - payout.createdAt.getTime() < EAGER_MS;
    const next = new Date(now.getTime() + (isYoung ? enquiryPauseMs(payout.enquiries) : 6 * HOUR_MS));
    const isUnheard = outcome.kind === "asked" && payout.enquiries >= UNHEARD_MAX;
    if (outcome.kind === "report" && outcome.report.transactionStatus === "completed") {
      const { report } = outcome;
      await database.db.transaction((tx) =>
        payouts.complete(tx, payout, { providerId: report.transactionReference?.toUpperCase(), at: report.at ?? now }),
      );
    } else if (outcome.kind === "report" && outcome.report.transactionStatus === "failed") {
      const { statusReason } = outcome.report;
      await database.db.transaction((tx) => payouts.fail(tx, payout, statusReason));
    } else if ((outcome.kind === "not_found" || isUnheard) && !payout.wasAccepted && isSafeToRepeat(open, payout)) {
      // Sent again under its own name: had the first attempt arrived after all, this one is refused as a duplicate.
      const stateReason = outcome.kind === "not_found" ? outcome.reason : "sent, and never heard of again";
      await keep(payout, { state: "created", stateReason, nextStepAt: next, isEnquiry: true });
    } else {
      const stateReason = outcome.kind === "unreachable" || outcome.kind === "not_found" ? outcome.reason : null;
      await keep(payout, { state: "pending", stateReason, nextStepAt: next, isEnquiry: true });
      if (!isYoung) await callAPerson(open, payout, now);
    }
  }

  /** Money on its way whose end nobody tells: a person asks the provider. Named once, however often it is looked at. */
  async function callAPerson({ config }: OpenRail, payout: ClaimedPayout, now: Date): Promise<void> {
    const detail = `A payout of ${payout.method} has had no answer for a day. Ask the provider; it is never sent again by itself.`;
    await database.db.transaction((tx) =>
      openExceptions(tx, {
        at: now,
        exceptions: [
          {
            id: makeId(),
            rail: payout.rail,
            kind: "payout_unanswered",
            subject: payout.id,
            onDate: localDateOf(payout.createdAt, config.zone),
            amount: payout.amount,
            detail,
          },
        ],
      }),
    );
  }

  return async (limit) => {
    const claimed = await database.db.transaction((tx) =>
      store.claimPayouts(tx, { now: clock.now(), leaseMs: LEASE_MS, limit }),
    );
    const results = await Promise.allSettled(
      claimed.map(async (payout) => {
        const open = rails.get(payout.rail);
        if (open === undefined) return;
        await (payout.state === "sending" ? send(open, payout) : enquire(open, payout));
      }),
    );
    rethrow(results);
    return claimed.length;
  };
}

/** Whether the same payout sent twice acts once. A reversal does not, nor a refund where the provider keeps no name of ours. */
const isSafeToRepeat = ({ rail }: OpenRail, { method }: ClaimedPayout): boolean =>
  method === "disbursement" && rail.isRefundRepeatable;
