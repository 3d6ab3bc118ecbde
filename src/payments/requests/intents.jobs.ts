import type { MakeId } from "../../kernel/ids.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Database } from "../../platform/database.ts";
import { storeAnswer } from "../inbox/answers.store.ts";
import * as store from "./intents.store.ts";
import type { ClaimedIntent } from "./intents.store.ts";
import type { OpenRail, OpenRails } from "../open-rails.ts";
import { isAble, type EnquiryOutcome, type Report, type RequestOutcome } from "../rails/rail.ts";
import { decideAfterEnquiry, decideAfterSend, LEASE_MS, type RequestRules } from "./requests.ts";

/** Sends requests and asks after them until they are over. Between the claim and its result no transaction is open. */
export function makeIntentSteps({
  database,
  clock,
  makeId,
  rails,
}: {
  database: Database;
  clock: Clock;
  makeId: MakeId;
  rails: OpenRails;
}): (limit: number) => Promise<number> {
  const rulesOf = ({ rail }: OpenRail): RequestRules => ({
    isRepeatable: rail.isRequestRepeatable,
    canEnquire: isAble(rail.enquire),
    schedule: rail.enquirySchedule,
  });

  async function send(open: OpenRail, intent: ClaimedIntent): Promise<void> {
    const { requestPayment } = open.rail;
    // A process died between sending and writing the answer down: only a rail that acts once for one name is asked again.
    const mayHaveBeenSent = intent.before === "sending";
    const outcome: RequestOutcome = !isAble(requestPayment)
      ? { kind: "refused", reason: requestPayment.cannot, isDuplicate: false }
      : mayHaveBeenSent && !open.rail.isRequestRepeatable
        ? { kind: "unknown", reason: "it may have been sent before the program ended" }
        : asKnown(await attempt(() => requestPayment(intent)), mayHaveBeenSent);
    const now = clock.now();
    const step = decideAfterSend(intent, outcome, { now, rules: rulesOf(open) });
    const answer =
      outcome.kind === "accepted"
        ? { providerCorrelation: outcome.providerCorrelation, payAt: outcome.payAt, memory: outcome.memory }
        : {};
    await database.db.transaction((tx) =>
      store.saveStep(tx, { id: intent.id, expected: "sending", step, isEnquiry: false, now, answer }),
    );
  }

  async function enquire(open: OpenRail, intent: ClaimedIntent): Promise<void> {
    const { enquire: ask } = open.rail;
    const outcome: EnquiryOutcome | { kind: "cannot" } = isAble(ask)
      ? await ask({
          kind: "payment",
          correlation: intent.correlation,
          providerCorrelation: intent.providerCorrelation,
          transactionReference: intent.providerId ?? undefined,
          amount: intent.amount,
          reference: intent.reference,
          memory: intent.memory,
          requestedAt: intent.createdAt,
        })
      : { kind: "cannot" };
    const now = clock.now();
    await database.db.transaction(async (tx) => {
      if (outcome.kind === "report" && outcome.report.transactionStatus === "completed")
        await storeAnswer(
          tx,
          {
            rail: intent.rail,
            zone: open.config.zone,
            reports: reportsOf(outcome.report, intent),
            raw: outcome.raw,
            at: now,
            subject: intent.correlation,
            amount: intent.amount,
          },
          makeId,
        );
      const step = decideAfterEnquiry(intent, outcome, { now, rules: rulesOf(open) });
      await store.saveStep(tx, { id: intent.id, expected: intent.state, step, isEnquiry: true, now });
    });
  }

  /** An adapter that throws has told nothing: whatever it did, it may have been seen. */
  async function attempt(work: () => Promise<RequestOutcome>): Promise<RequestOutcome> {
    try {
      return await work();
    } catch (error) {
      return { kind: "unknown", reason: error instanceof Error ? error.message : String(error) };
    }
  }

  return async (limit) => {
    const claimed = await database.db.transaction((tx) =>
      store.claimIntents(tx, { now: clock.now(), leaseMs: LEASE_MS, limit }),
    );
    const results = await Promise.allSettled(
      claimed.map(async (intent) => {
        const open = rails.get(intent.rail);
        // A channel that was taken out of the configuration: its requests wait until it is back or a person looks.
        if (open === undefined) return;
        await (intent.state === "sending" ? send(open, intent) : enquire(open, intent));
      }),
    );
    rethrow(results);
    return claimed.length;
  };
}

/** Not sent this time says nothing about the time before, when the program ended: the provider is asked, whatever the hour. */
function asKnown(outcome: RequestOutcome, mayHaveBeenSent: boolean): RequestOutcome {
  return outcome.kind === "not_sent" && mayHaveBeenSent ? { kind: "unknown", reason: outcome.reason } : outcome;
}

/** A provider that says only that a payment went back tells of two things: that it was paid, and that it went back. */
function reportsOf(report: Report, intent: ClaimedIntent): readonly Report[] {
  const { originalTransactionReference: original } = report;
  const answer = { ...report, correlation: intent.correlation };
  if (report.type !== "reversal" || original === undefined) return [answer];
  // As the rail would have told it before it went back, without an amount where it tells none: the same facts are no conflict.
  const paid: Report = {
    ...answer,
    type: "billpay",
    transactionReference: original,
    originalTransactionReference: undefined,
    reference: intent.reference,
  };
  return [paid, { ...report, amount: report.amount ?? intent.amount }];
}

/** All steps of a batch are taken; the first that failed is told, and its claim runs out by itself. */
export function rethrow(results: readonly PromiseSettledResult<unknown>[]): void {
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
