import type { MakeId, StaffId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { IdempotencyConflict, InvalidInput, NotAllowedNow } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { canonicalJson } from "../../platform/idempotency.ts";
import { makeCashBooking } from "./cash-booking.commands.ts";
import { makeCommissions } from "./cash-commission.commands.ts";
import { makeCorrections } from "./cash-corrections.commands.ts";
import { makeHandOvers } from "./cash-hand-over.commands.ts";
import { makeCashHoldings } from "./cash-holdings.commands.ts";
import { requireAmount, requireTakenAt, waitingReason } from "./cash-limit.ts";
import { makeCashReceiptNumber, parseCashReceiptNumber, SEQUENCE_MAX } from "./cash-number.ts";
import { makeCashQueries } from "./cash-lookups.queries.ts";
import type { AgentCash, CashReceipt, Collection, Officer, RequireContract } from "./cash-records.ts";
import { requireClientKey, requireOffice } from "./cash-second-person.ts";
import * as store from "./cash.store.ts";

/** A pad of receipts; an agent who fills more between two visits to the network takes two. */
export const NUMBERS_TAKEN_MAX = 500;

/** Builds the commands of agents' cash. `zone` is the office's calendar, on which differences are named. */
export function makeAgentCash({
  ledger,
  clock,
  makeId,
  zone,
  requireContract,
}: {
  ledger: Ledger;
  clock: Clock;
  makeId: MakeId;
  zone: string;
  requireContract: RequireContract;
}): AgentCash {
  const holdings = makeCashHoldings({ ledger, clock });
  const commissions = makeCommissions({ ledger, clock, makeId, holdings });
  const booking = makeCashBooking({ ledger, clock, holdings, commissions });
  const { accrue: _accrue, ...commissionActs } = commissions;

  async function takeReceiptNumbers(tx: Tx, { agentId, count }: { agentId: StaffId; count: number }) {
    if (!Number.isInteger(count) || count < 1 || count > NUMBERS_TAKEN_MAX)
      throw new InvalidInput(`Take 1 to ${NUMBERS_TAKEN_MAX} numbers at a time.`, "count");
    const { code, nextSequence } = await holdings.lock(tx, agentId);
    await advance(tx, agentId, nextSequence + count);
    const numbers = Array.from({ length: count }, (_, at) =>
      makeCashReceiptNumber({ code, sequence: nextSequence + at }),
    );
    return { code, numbers };
  }

  async function advance(tx: Tx, agentId: StaffId, next: number): Promise<void> {
    if (next - 1 > SEQUENCE_MAX) throw new NotAllowedNow("This agent has used up all receipt numbers.");
    await store.setNextSequence(tx, agentId, next);
  }

  async function collect(tx: Tx, collection: Collection): Promise<CashReceipt> {
    const { agentId, clientKey, contractId, amount, takenAt } = collection;
    requireClientKey(clientKey);
    const agent = await holdings.lock(tx, agentId);
    const raw = rawOf(collection);
    const known = await store.findByKey(tx, { agentId, clientKey });
    if (known !== undefined) return sameCollection(known, raw);
    const now = clock.now();
    requireAmount(amount.minor, "amountMinor");
    requireTakenAt(takenAt, now);
    const { reference, currency } = await requireContract(tx, contractId);
    if (currency !== amount.currency)
      throw new InvalidInput(`This contract is paid in ${currency}, not in ${amount.currency}.`, "currency");
    const numbered = await numberFor(tx, { agentId, ...agent }, collection.receiptNumber);
    // A limit for everybody may have been raised while an earlier collection was under way; its receipts go first.
    const waiting = await booking.bookFitting(tx, agentId, currency);
    const holding = await holdings.require(tx, agentId, currency);
    const reason = waitingReason((await store.limitsOf(tx, agentId)).get(currency), holding, amount.minor) ?? null;
    const receipt: store.StoredCashReceipt = {
      ...numbered,
      agentId,
      contractId,
      reference,
      amount,
      takenAt,
      receivedAt: now,
      state: reason === null ? "booked" : "provisional",
      reason,
      bookedAt: reason === null ? now : null,
      releasedBy: null,
      cancelledBy: null,
      raw,
    };
    if (!(await store.insertReceipt(tx, clientKey, receipt)))
      throw new InvalidInput("This receipt number was used for another payment.", "receiptNumber");
    await store.moveHolding(
      tx,
      holding,
      reason === null ? { bookedMinor: amount.minor } : { provisionalMinor: amount.minor },
    );
    const receipts = reason === null ? [...waiting, receipt] : waiting;
    await booking.enter(tx, { receipts, actor: collection.actor });
    return receipt;
  }

  async function numberFor(
    tx: Tx,
    agent: { agentId: StaffId; code: number; nextSequence: number },
    given: string | undefined,
  ) {
    const { agentId, code, nextSequence } = agent;
    if (given === undefined) {
      await advance(tx, agentId, nextSequence + 1);
      return { number: makeCashReceiptNumber({ code, sequence: nextSequence }), sequence: nextSequence };
    }
    const { number, sequence, code: writtenCode } = parseCashReceiptNumber(given);
    if (writtenCode !== code || sequence >= nextSequence)
      throw new InvalidInput("This receipt number was not given to this agent.", "receiptNumber");
    return { number, sequence };
  }

  async function setLimit(
    tx: Tx,
    order: { agentId: StaffId | null; currency: Currency; limitMinor: bigint; by: Officer },
  ): Promise<readonly CashReceipt[]> {
    const { agentId, currency, limitMinor, by } = order;
    requireOffice(by, agentId ?? undefined);
    if (limitMinor < 0n) throw new InvalidInput("A limit is zero or more.", "limitMinor");
    // Everybody is locked before anything is posted, in one order, so that two of these cannot wait for each other.
    const agents = agentId === null ? await store.agentsWaiting(tx, currency) : [agentId];
    for (const agent of agents) await holdings.lock(tx, agent);
    await store.setLimit(tx, { agentId, currency, limitMinor, actor: by.actor, at: clock.now() });
    const receipts: store.StoredCashReceipt[] = [];
    for (const agent of agents) receipts.push(...(await booking.bookFitting(tx, agent, currency)));
    await booking.enter(tx, { receipts, actor: by.actor });
    return receipts;
  }

  return {
    takeReceiptNumbers,
    collect,
    setLimit,
    ...makeCorrections({ clock, holdings, booking, commissions }),
    ...makeHandOvers({ clock, makeId, zone, holdings, booking }),
    ...commissionActs,
    ...makeCashQueries({ ledger }),
  };
}

/** All that the phone said, in one spelling: what the receipt keeps, and what another send of the key must equal. */
function rawOf({ agentId, clientKey, receiptNumber, contractId, amount, takenAt }: Collection): string {
  return canonicalJson({
    agentId,
    clientKey,
    receiptNumber,
    contractId,
    amountMinor: amount.minor,
    currency: amount.currency,
    takenAt,
  });
}

function sameCollection(known: store.StoredCashReceipt, raw: string): CashReceipt {
  if (known.raw !== raw) throw new IdempotencyConflict();
  return known;
}
