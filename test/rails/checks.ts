import type { Books } from "./books.ts";
import { checkAccounts } from "./checks-accounts.ts";
import { checkContracts } from "./checks-contracts.ts";
import { groupBy, over, type Check } from "./check.ts";
import type { Reconciled } from "./reconcile-days.ts";
import type { Truth, TruePayment } from "./truth.ts";
import type { Household } from "./village.ts";

export type { Check } from "./check.ts";

/** What is known without asking the program. */
export interface Outside {
  readonly truth: Truth;
  readonly village: readonly Household[];
  readonly reconciled: readonly Reconciled[];
  /** What went wrong while the day was lived. */
  readonly faulty: readonly string[];
}

/** Compares the books with what the providers hold. Pure: the same input gives the same findings. */
export function checkAll(books: Books, outside: Outside): readonly Check[] {
  return [
    over("the day is lived without a fault that is nobody's plan", [outside.faulty], (faults) =>
      faults.length === 0 ? undefined : `${faults.length} times, first: ${faults[0] ?? ""}`,
    ),
    ...checkPayments(books, outside.truth),
    ...checkReversals(books, outside.truth),
    ...checkRequests(books, outside.truth),
    ...checkAccounts(books, outside),
    ...checkContracts(books, outside),
  ];
}

const nameOf = ({ rail, id }: { rail: string; id: string }): string => `${rail}/${id}`;
const receiptName = ({ rail, providerId }: { rail: string; providerId: string }): string => `${rail}/${providerId}`;

/** Rails whose callbacks or answers say when it happened; elsewhere it is when we heard. */
const TELLING_TIME = new Set(["mpesa-ke", "wave-sn", "flutterwave-gh", "pawapay-rw", "gsma-tz", "cash"]);
const SECOND_MS = 1_000;

function checkPayments(books: Books, truth: Truth): readonly Check[] {
  const held = new Map(truth.payments.map((payment) => [nameOf(payment), payment]));
  const receipts = groupBy(books.receipts, receiptName);
  const hasReceipt = (payment: TruePayment): boolean => receipts.has(nameOf(payment));
  return [
    over("every payment that a provider holds is in the books", truth.payments, (payment) =>
      hasReceipt(payment) ? undefined : `${nameOf(payment)} of ${payment.at.toISOString()} is missing`,
    ),
    over("a payment is in the books once", [...receipts], ([name, found]) =>
      found.length === 1 ? undefined : `${name} has ${found.length} receipts`,
    ),
    over("nothing is in the books that no provider holds, and all at its amount", books.receipts, (receipt) => {
      const payment = held.get(receiptName(receipt));
      if (payment === undefined) return `${receiptName(receipt)} was never paid`;
      return payment.amountMinor === receipt.amountMinor && payment.currency === receipt.currency
        ? undefined
        : `${receiptName(receipt)}: ${receipt.amountMinor} ${receipt.currency} booked, ${payment.amountMinor} ${payment.currency} paid`;
    }),
    over("a payment is booked at the time of its event", books.receipts, (receipt) => {
      const payment = held.get(receiptName(receipt));
      if (payment === undefined) return undefined;
      const paid = receipt.paidAt.getTime();
      const latest = TELLING_TIME.has(receipt.rail) ? payment.at : receipt.bookedAt;
      const isInTime = paid >= payment.beganAt.getTime() - SECOND_MS && paid <= latest.getTime() + SECOND_MS;
      return isInTime
        ? undefined
        : `${receiptName(receipt)} of ${payment.at.toISOString()} at ${receipt.paidAt.toISOString()}`;
    }),
    over("a payment names the account that was paid", books.receipts, (receipt) => {
      const payment = held.get(receiptName(receipt));
      // Where nothing is signed and the provider's own answer names no account, a changed copy that came first is believed.
      if (payment === undefined || truth.tampered.has(receiptName(receipt))) return undefined;
      const bare = (text: string): string => text.replace(/[^a-z0-9]/gi, "").toUpperCase();
      return payment.account === "" || bare(payment.account) === bare(receipt.reference)
        ? undefined
        : `${receiptName(receipt)} is for "${payment.account}", booked for "${receipt.reference}"`;
    }),
    over("nothing that arrived waits or is set aside", [...books.pending, ...books.openNotices], (row) =>
      "callbackId" in row
        ? `callback ${row.callbackId}: ${row.failure ?? "waits"}`
        : `notice ${row.noticeId}: ${row.failure ?? "waits"}`,
    ),
    over("every question to a provider has found its answer", books.openEnquiries, (row) =>
      held.has(receiptName(row)) || row.state === "open"
        ? `${receiptName(row)}: ${row.outcome ?? "never asked"}`
        : undefined,
    ),
  ];
}

function checkReversals(books: Books, truth: Truth): readonly Check[] {
  const applied = groupBy(
    books.reversals.filter(({ state }) => state === "applied" || state === "own_refund"),
    ({ rail, originalProviderId }) => `${rail}/${originalProviderId}`,
  );
  const refunds = groupBy(
    books.payouts.filter(({ method, state }) => method === "reversal" && state === "completed"),
    ({ rail, providerId }) => `${rail}/${providerId ?? ""}`,
  );
  const real = groupBy(truth.reversals, ({ rail, original }) => `${rail}/${original}`);
  const receipts = new Map(books.receipts.map((receipt) => [receipt.id, receipt]));
  const tokens = groupBy(books.tokens, ({ cause }) => cause);
  return [
    over("what a provider took back is taken back in the books, once", [...real], ([name, reversals]) => {
      const found = applied.get(name) ?? [];
      const isSame = sumOf(found) === sumOf(reversals) && found.length === reversals.length;
      return isSame
        ? undefined
        : `${name}: ${sumOf(reversals)} went back, booked ${found.map(({ amountMinor, state }) => `${amountMinor} ${state}`).join(" and ") || "nothing"}`;
    }),
    over("nothing is taken back that no provider took back", [...applied], ([name]) =>
      real.has(name) || refunds.has(name) ? undefined : `${name} is taken back in the books alone`,
    ),
    over(
      "no reversal waits for a payment that is booked",
      books.reversals,
      ({ state, rail, originalProviderId, detail }) =>
        state === "parked" || state === "refused"
          ? `${rail}/${originalProviderId} is ${state}: ${detail ?? ""}`
          : undefined,
    ),
    over("no token is given for a payment that was known to be gone before it was booked", books.reversals, (row) => {
      const receipt = receipts.get(row.receiptId ?? "");
      const isBefore = receipt !== undefined && row.receivedAt < receipt.bookedAt && row.state === "applied";
      return isBefore && row.amountMinor === receipt.amountMinor && tokens.has(receipt.id)
        ? `${row.rail}/${row.originalProviderId}: told ${row.receivedAt.toISOString()}, booked ${receipt.bookedAt.toISOString()}`
        : undefined;
    }),
  ];
}

const sumOf = (rows: readonly { amountMinor: bigint }[]): bigint =>
  rows.reduce((total, { amountMinor }) => total + amountMinor, 0n);

/** Where a payment may come without the name of the request that it answers. */
const NAMELESS = new Set(["mpesa-ke", "orange-ci"]);
const FINAL_INTENT = new Set(["completed", "failed", "expired"]);
const FINAL_PAYOUT = new Set(["completed", "failed"]);

function checkRequests(books: Books, truth: Truth): readonly Check[] {
  const held = new Set(truth.payments.map(nameOf));
  const booked = new Set(books.receipts.map(receiptName));
  const answers = groupBy(
    truth.payments.filter(({ correlation }) => correlation !== undefined),
    ({ correlation = "" }) => correlation,
  );
  const gone = new Set(truth.reversals.map(({ rail, original }) => `${rail}/${original}`));
  const paidOut = groupBy(truth.payouts, ({ correlation }) => bareName(correlation ?? ""));
  return [
    over("every request for a payment is final", books.intents, ({ id, rail, state, reason }) =>
      FINAL_INTENT.has(state) ? undefined : `${rail} ${id} is ${state}: ${reason ?? ""}`,
    ),
    over("nobody is prompted twice for one request", books.intents, ({ rail, correlation }) =>
      (truth.prompts.get(correlation) ?? 0) <= 1
        ? undefined
        : `${rail} ${correlation}: ${truth.prompts.get(correlation)} prompts`,
    ),
    over(
      "a request that was paid is completed, by that payment or another of the same account",
      books.intents,
      (intent) => {
        const { rail, correlation, state, providerId } = intent;
        const [payment] = answers.get(correlation) ?? [];
        const name = `${rail}/${providerId ?? ""}`;
        if (state === "completed" && !(held.has(name) && booked.has(name))) return `${name} was never paid`;
        if (payment === undefined || state === "completed") return undefined;
        // M-Pesa's list and its C2B copy do not name the prompt: where the prompt's own callback was lost and two requests
        // fit, none is guessed. Orange's page is found by the address that was lost with the answer. There the payment
        // stands by itself for the account that it names.
        return NAMELESS.has(rail) && booked.has(nameOf(payment))
          ? undefined
          : `${rail} ${correlation} is ${state} (${intent.reason ?? ""}), and ${payment.id} paid it`;
      },
    ),
    over(
      "a request that nobody paid is not completed by its own name",
      books.intents,
      ({ rail, correlation, state, providerId }) => {
        const own = answers.get(correlation) ?? [];
        return state !== "completed" || own.length > 0 || held.has(`${rail}/${providerId ?? ""}`)
          ? undefined
          : `${rail} ${correlation} is completed by nothing`;
      },
    ),
    over("every payout is final, or waits for a person with a reason that is known", books.payouts, (payout) => {
      const { id, rail, method, state, stateReason, wasAccepted, originalProviderId } = payout;
      if (FINAL_PAYOUT.has(state)) return undefined;
      // M-Pesa knows a reversal by its own name alone. Where the answer with it was lost nobody can ask, and asking twice is
      // no way to find out: the statement tells of one that was made, and one that it does not show is a person's.
      const isUnnamed = rail === "mpesa-ke" && method === "reversal" && !wasAccepted;
      const isNamed = books.exceptions.some((one) => one.kind === "payout_unanswered" && one.subject === id);
      const isPaid = paidOut.has(bareName(payout.correlation));
      return (isUnnamed && !gone.has(`${rail}/${originalProviderId ?? ""}`)) || (isNamed && !isPaid)
        ? undefined
        : `${rail} ${method} ${id} is ${state}: ${stateReason ?? ""}`;
    }),
    over("a payout is completed when the provider paid, and only then", books.payouts, (payout) => {
      if (payout.method === "reversal") return undefined; // with the reversals
      const paid = paidOut.get(bareName(payout.correlation)) ?? [];
      const isPaid = paid.length === 1 && paid[0]?.amountMinor === payout.amountMinor;
      return isPaid === (payout.state === "completed") && paid.length <= 1
        ? undefined
        : `${payout.rail} ${payout.correlation} is ${payout.state}, and the provider paid ${paid.length} times`;
    }),
  ];
}

const bareName = (correlation: string): string => correlation.replaceAll("-", "").toLowerCase();
