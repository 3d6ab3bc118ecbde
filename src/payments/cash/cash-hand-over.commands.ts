import type { MakeId, StaffId } from "../../kernel/ids.ts";
import { formatMoney, money, type Money } from "../../kernel/money.ts";
import { IdempotencyConflict, InvalidInput, NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import { localDateOf, type Clock } from "../../kernel/time.ts";
import type { Entry } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { CASH_RAIL, officeAccount } from "./cash-accounts.ts";
import type { CashBooking } from "./cash-booking.commands.ts";
import * as handOvers from "./cash-hand-over.store.ts";
import type { CashHoldings } from "./cash-holdings.commands.ts";
import { heldMinor, requireAmount } from "./cash-limit.ts";
import type { AgentCash, HandOver, Officer } from "./cash-records.ts";
import { requireClientKey, requireOffice, requireReason } from "./cash-second-person.ts";
import { HAND_OVER } from "./cash-statement.ts";
import * as store from "./cash.store.ts";
import { openExceptions } from "../reconciliation/exceptions.store.ts";

/** Cash on its way to the office: offered by the agent, counted and accepted by a second person. */
export function makeHandOvers({
  clock,
  makeId,
  zone,
  holdings,
  booking,
}: {
  clock: Clock;
  makeId: MakeId;
  zone: string;
  holdings: CashHoldings;
  booking: CashBooking;
}): Pick<AgentCash, "handOver" | "acceptHandOver" | "rejectHandOver"> {
  async function handOver(
    tx: Tx,
    { agentId, amount, clientKey }: { agentId: StaffId; amount: Money; clientKey: string },
  ): Promise<HandOver> {
    requireClientKey(clientKey);
    requireAmount(amount.minor, "amountMinor");
    await holdings.lock(tx, agentId);
    const known = await handOvers.findByKey(tx, { agentId, clientKey });
    if (known !== undefined) return sameOffer(known, amount);
    const holding = await holdings.require(tx, agentId, amount.currency);
    const free = heldMinor(holding) - holding.offeredMinor;
    if (amount.minor > free)
      throw new NotAllowedNow(
        `You have ${formatMoney(money(free, amount.currency))} in hand that is not offered yet, which is less than this.`,
      );
    const offer: HandOver = {
      id: makeId<"HandOver">(),
      agentId,
      offered: amount,
      offeredAt: clock.now(),
      state: "offered",
      countedMinor: null,
      decidedBy: null,
      decidedAt: null,
      reason: null,
    };
    if (!(await handOvers.insertHandOver(tx, offer, clientKey)))
      throw new Error(`Bug: the hand-over key ${clientKey} was taken by somebody who did not wait.`);
    await store.moveHolding(tx, holding, { offeredMinor: amount.minor });
    return offer;
  }

  /** Locks the agent whose cash it is, then reads the hand-over, so that what is read stays true. */
  async function lockHandOver(tx: Tx, id: string, by: Officer): Promise<HandOver> {
    const seen = await handOvers.findHandOver(tx, id);
    if (seen === undefined) throw new NotFound("hand-over", "handOverId");
    requireOffice(by, seen.agentId);
    await holdings.lock(tx, seen.agentId);
    return await requireHandOver(tx, id);
  }

  async function acceptHandOver(
    tx: Tx,
    { handOverId: id, countedMinor, by }: { handOverId: string; countedMinor: bigint; by: Officer },
  ): Promise<HandOver> {
    const offer = await lockHandOver(tx, id, by);
    if (offer.state === "accepted" && offer.countedMinor === countedMinor) return offer;
    requireOpen(offer);
    requireAmount(countedMinor, "countedMinor");
    const { agentId, offered } = offer;
    if (countedMinor > offered.minor)
      throw new InvalidInput(
        "More was counted than the agent offered. Reject it, and let the agent offer what is there.",
        "countedMinor",
      );
    const holding = await holdings.require(tx, agentId, offered.currency);
    const at = clock.now();
    const entry = await entryOf(tx, offer, { countedMinor, at, actor: by.actor });
    await handOvers.decideHandOver(tx, {
      id,
      state: "accepted",
      countedMinor,
      by: by.actor,
      at,
      transactionId: entry.id,
    });
    await store.moveHolding(tx, holding, { bookedMinor: -countedMinor, offeredMinor: -offered.minor });
    if (countedMinor < offered.minor) await nameDifference(tx, offer, { countedMinor, at });
    const receipts = await booking.bookFitting(tx, agentId, offered.currency);
    await booking.enter(tx, { receipts, others: [entry], actor: by.actor });
    return await requireHandOver(tx, id);
  }

  async function entryOf(
    tx: Tx,
    { id, agentId, offered: { currency } }: HandOver,
    { countedMinor, at, actor }: { countedMinor: bigint; at: Date; actor: string },
  ): Promise<Entry> {
    const { clearingAccountId } = await holdings.require(tx, agentId, currency);
    return {
      id: makeId(),
      kind: HAND_OVER,
      memo: "Cash handed over by an agent",
      reference: id,
      idempotencyKey: `hand_over:${id}`,
      currency,
      effectiveAt: at,
      actor,
      lines: [
        { accountId: await holdings.account(tx, officeAccount(currency)), amountMinor: countedMinor },
        { accountId: clearingAccountId, amountMinor: -countedMinor },
      ],
    };
  }

  /** What was offered and not counted is still in the agent's hands; a person must ask why. */
  async function nameDifference(
    tx: Tx,
    { id, agentId, offered }: HandOver,
    { countedMinor, at }: { countedMinor: bigint; at: Date },
  ): Promise<void> {
    const missing = money(offered.minor - countedMinor, offered.currency);
    const detail = `Agent ${agentId} offered ${formatMoney(offered)}; ${formatMoney(missing)} less were counted and stay in the agent's hands.`;
    const [onDate, subject] = [localDateOf(at, zone), `hand_over:${id}`];
    const difference = {
      id: makeId<"Exception">(),
      rail: CASH_RAIL,
      kind: "clearing_differs",
      subject,
      onDate,
    } as const;
    await openExceptions(tx, { exceptions: [{ ...difference, amount: missing, detail }], at });
  }

  async function rejectHandOver(
    tx: Tx,
    { handOverId: id, reason, by }: { handOverId: string; reason: string; by: Officer },
  ): Promise<HandOver> {
    const offer = await lockHandOver(tx, id, by);
    requireOpen(offer);
    const { agentId, offered } = offer;
    const words = requireReason(reason);
    await handOvers.decideHandOver(tx, { id, state: "rejected", by: by.actor, at: clock.now(), reason: words });
    await store.moveHolding(tx, { agentId, currency: offered.currency }, { offeredMinor: -offered.minor });
    return await requireHandOver(tx, id);
  }

  return { handOver, acceptHandOver, rejectHandOver };
}

async function requireHandOver(tx: Tx, id: string): Promise<HandOver> {
  const found = await handOvers.findHandOver(tx, id);
  if (found === undefined) throw new NotFound("hand-over", "handOverId");
  return found;
}

function sameOffer(known: HandOver, amount: Money): HandOver {
  if (known.offered.minor !== amount.minor || known.offered.currency !== amount.currency)
    throw new IdempotencyConflict();
  return known;
}

function requireOpen({ state, countedMinor, offered }: HandOver): void {
  if (state === "rejected") throw new NotAllowedNow("This hand-over was rejected.");
  if (state === "accepted")
    throw new NotAllowedNow(
      `This hand-over was accepted already, with ${formatMoney(money(countedMinor ?? 0n, offered.currency))}.`,
    );
}
