import { MINUTE_MS, localDateOf, type Clock } from "../../kernel/time.ts";
import type { MakeId } from "../../kernel/ids.ts";
import { isTransient, type Database, type Tx } from "../../platform/database.ts";
import { UNKNOWN_TIMES_MAX } from "../requests/enquiries.jobs.ts";
import type { EnquiryEnds } from "../requests/enquiries.commands.ts";
import * as enquiries from "../requests/enquiries.store.ts";
import { openExceptions } from "../reconciliation/exceptions.store.ts";
import * as intents from "../requests/intents.store.ts";
import * as store from "./notices.store.ts";
import type { Notice } from "./notices.store.ts";
import type { Intent } from "../payments.ts";
import type { OpenRails } from "../open-rails.ts";
import type { Payouts } from "../requests/payouts.commands.ts";
import { lockPayout, wakePayout } from "../requests/payouts.store.ts";
import { quarantine } from "./quarantine.store.ts";
import { isAble } from "../rails/rail.ts";
import { insertReversal } from "../receipts/reversals.store.ts";

export interface NoticeJobs {
  /** Acts upon a batch of the notices that are due; answers how many. One that fails is tried again alone. */
  once(): Promise<number>;
}

const RETRY_AFTER_MS = [1_000, 10_000, MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS] as const;
const BATCH_MAX = 200;

/**
 * What follows from everything that rails say besides completed payments: requests fail, reversals are parked for their
 * payments, payouts end, hints make an enquiry due. A hint moves no money.
 */
export function makeNoticeJobs({
  database,
  clock,
  makeId,
  makeCorrelation,
  rails,
  payouts,
  ends,
  onFailure,
}: {
  database: Database;
  clock: Clock;
  makeId: MakeId;
  makeCorrelation: () => string;
  rails: OpenRails;
  payouts: Payouts;
  ends: EnquiryEnds;
  onFailure: (fault: { noticeId: bigint; error: unknown; setAside: boolean }) => void;
}): NoticeJobs {
  async function act(tx: Tx, notice: Notice): Promise<void> {
    switch (notice.report.type) {
      case "reversal":
        return actOnReversal(tx, notice);
      case "disbursement":
        return actOnDisbursement(tx, notice);
      case "billpay":
      case "merchantpay":
      case "transfer":
        return actOnPayment(tx, notice);
    }
  }

  async function actOnReversal(tx: Tx, notice: Notice): Promise<void> {
    const { rail, report, isEvidence } = notice;
    const original = report.originalTransactionReference;
    if (report.transactionStatus !== "completed") {
      // Of a reversal that failed or waits only a payout of ours needs to know.
      await actOnDisbursement(tx, notice);
      return;
    }
    // Only the provider knows the address that was made for a refund of ours, so what comes there is as good as proof.
    const isOwn =
      report.correlation !== undefined &&
      (await lockPayout(tx, { rail, correlation: report.correlation })) !== undefined;
    if (!isEvidence && !isOwn) {
      // Whoever we asked for the payment tells whether it went back.
      const intent =
        report.correlation === undefined
          ? undefined
          : await intents.lockByCorrelation(tx, { rail, correlation: report.correlation });
      if (intent !== undefined) await intents.wake(tx, { id: intent.id, now: clock.now(), isReversal: true });
      else if (original !== undefined) await enquire(tx, notice, original);
      return;
    }
    if (original === undefined || report.amount === undefined) {
      await actOnDisbursement(tx, notice);
      return;
    }
    await insertReversal(tx, {
      id: makeId(),
      rail,
      providerId: (report.transactionReference ?? `reversal of ${original}`).toUpperCase(),
      originalProviderId: original.toUpperCase(),
      amount: report.amount,
      reversedAt: report.at ?? notice.receivedAt,
      receivedAt: notice.receivedAt,
      noticeId: notice.id,
    });
  }

  async function actOnDisbursement(tx: Tx, notice: Notice): Promise<void> {
    const { rail, report } = notice;
    const payout = await lockPayout(tx, { rail, correlation: report.correlation });
    if (payout === undefined) {
      if (report.transactionStatus === "completed" && notice.isEvidence && report.amount !== undefined)
        await except(tx, notice, "A payout that nobody here asked for.");
      return;
    }
    // Where callbacks can be evidence, the address that was made for the payout is known to the provider alone.
    const isHint = !notice.isEvidence && rails.get(rail)?.rail.callbackIs === "hint";
    if (isHint) await wakePayout(tx, payout.id, clock.now());
    else if (report.transactionStatus === "completed")
      await payouts.complete(tx, payout, {
        providerId: report.transactionReference?.toUpperCase(),
        at: report.at ?? notice.receivedAt,
      });
    else if (report.transactionStatus === "failed") await payouts.fail(tx, payout, report.statusReason);
  }

  async function actOnPayment(tx: Tx, notice: Notice): Promise<void> {
    const { rail, report } = notice;
    if (report.correlation !== undefined) {
      const enquiry = await enquiries.lockByCorrelation(tx, { rail, correlation: report.correlation });
      if (enquiry !== undefined) {
        await hearAnswer(tx, notice, enquiry);
        return;
      }
      const intent = await intents.lockByCorrelation(tx, { rail, correlation: report.correlation });
      if (intent !== undefined) {
        const isFailure = report.transactionStatus === "failed" && notice.isEvidence;
        if (isFailure && (intent.state === "pending" || intent.state === "sending"))
          await intents.saveStep(tx, {
            id: intent.id,
            expected: intent.state,
            step: { state: "failed", wasAccepted: true, nextStepAt: undefined, reason: report.statusReason },
            isEnquiry: false,
            now: clock.now(),
          });
        else if (!notice.isEvidence) await wakeForHint(tx, notice, intent);
        return;
      }
    }
    if (report.transactionStatus !== "completed") return;
    // Evidence that could be booked never comes here: what an answer leaves out, asking once more does not bring.
    if (report.transactionReference === undefined || notice.isEvidence) await keepUnusable(tx, notice);
    else await enquire(tx, notice, report.transactionReference);
  }

  /** Where asking about a request does not name the payment that answered it, the payment is asked about. */
  async function wakeForHint(tx: Tx, notice: Notice, intent: Pick<Intent, "id">): Promise<void> {
    const { transactionStatus, transactionReference: reference } = notice.report;
    const namesPayment = rails.get(notice.rail)?.rail.enquiryNamesPayment ?? true;
    if (transactionStatus === "completed" && reference !== undefined && !namesPayment)
      await enquire(tx, notice, reference);
    else await intents.wake(tx, { id: intent.id, now: clock.now() });
  }

  /** The answer of an asynchronous enquiry: its address was made for it, so it counts as the provider's word. */
  async function hearAnswer(tx: Tx, { report, raw }: Notice, enquiry: enquiries.Enquiry): Promise<void> {
    const { transactionStatus, transactionReference } = report;
    const isSame = transactionReference === undefined || transactionReference === enquiry.providerId;
    // Sooner a no may only say that it is too fresh for the provider's own enquiry: it is asked about again.
    const isNo = transactionStatus === "failed" && enquiry.attempts >= UNKNOWN_TIMES_MAX;
    if (!isNo && !(transactionStatus === "completed" && isSame)) return;
    const claim = await store.findNotice(tx, enquiry.noticeId);
    if (isNo) await ends.refuse(tx, enquiry, { state: "disagreed", why: report.statusReason ?? "failed", claim });
    else await ends.agree(tx, enquiry, { answer: report, raw, claim });
  }

  async function enquire(tx: Tx, notice: Notice, providerId: string): Promise<void> {
    const open = rails.get(notice.rail);
    if (open === undefined || !isAble(open.rail.enquire)) {
      await keepUnusable(tx, notice);
      return;
    }
    await enquiries.openEnquiry(
      tx,
      {
        rail: notice.rail,
        providerId: providerId.toUpperCase(),
        correlation: makeCorrelation(),
        noticeId: notice.id,
      },
      clock.now(),
    );
  }

  /** Nobody here asked for it and nobody can be asked: a person must look. */
  async function keepUnusable(tx: Tx, notice: Notice): Promise<void> {
    await quarantine(tx, {
      rail: notice.rail,
      door: notice.form,
      reason: "intent_unknown",
      detail: notice.isEvidence
        ? "The provider confirms a payment, but tells no amount, and it names no request of ours that would."
        : "It names no request of ours, and the rail cannot be asked about it.",
      providerId: notice.report.transactionReference,
      sourceAddress: notice.sourceAddress,
      raw: notice.raw,
      receivedAt: clock.now(),
    });
  }

  async function except(tx: Tx, { rail, report, receivedAt }: Notice, detail: string): Promise<void> {
    const { amount, transactionReference: subject } = report;
    if (amount === undefined || subject === undefined) return;
    const zone = rails.get(rail)?.config.zone ?? "UTC";
    await openExceptions(tx, {
      at: clock.now(),
      exceptions: [
        {
          id: makeId(),
          rail,
          kind: "listed_not_booked",
          subject,
          onDate: localDateOf(report.at ?? receivedAt, zone),
          amount,
          detail,
        },
      ],
    });
  }

  async function actAlone(id: bigint): Promise<boolean> {
    try {
      return await database.db.transaction(async (tx) => {
        const notice = await store.claimNotice(tx, id);
        if (notice === undefined) return false;
        await act(tx, notice);
        await store.closeNotices(tx, [id]);
        return true;
      });
    } catch (error) {
      if (isTransient(error)) throw error;
      const postponed = await database.db.transaction((tx) =>
        store.postponeNotice(tx, {
          id,
          failure: (error instanceof Error ? error.message : String(error)).slice(0, 500),
          nextAttemptAt: (attempts) => {
            const wait = RETRY_AFTER_MS[attempts];
            return wait === undefined ? undefined : new Date(clock.now().getTime() + wait);
          },
        }),
      );
      if (postponed !== undefined) onFailure({ noticeId: id, error, setAside: postponed.setAside });
      return false;
    }
  }

  async function actTogether(): Promise<number> {
    return await database.db.transaction(async (tx) => {
      const notices = await store.claimNotices(tx, { now: clock.now(), limit: BATCH_MAX });
      if (notices.length === 0) return 0;
      for (const notice of notices) await act(tx, notice);
      await store.closeNotices(
        tx,
        notices.map(({ id }) => id),
      );
      return notices.length;
    });
  }

  return {
    async once() {
      try {
        return await actTogether();
      } catch (error) {
        if (isTransient(error)) throw error;
        // One of them is poisoned: the others must not wait for a person.
        const due = await store.findDueNotices(database.db, { now: clock.now(), limit: BATCH_MAX });
        let done = 0;
        for (const id of due) if (await actAlone(id)) done += 1;
        return done;
      }
    },
  };
}
