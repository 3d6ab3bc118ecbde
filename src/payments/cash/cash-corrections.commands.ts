import { NotAllowedNow, NotFound } from "../../kernel/refusal.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Tx } from "../../platform/database.ts";
import type { CashBooking } from "./cash-booking.commands.ts";
import type { Commissions } from "./cash-commission.commands.ts";
import type { CashHoldings } from "./cash-holdings.commands.ts";
import { heldMinor } from "./cash-limit.ts";
import { parseCashReceiptNumber } from "./cash-number.ts";
import { collectionCause, type AgentCash, type Officer } from "./cash-records.ts";
import { requireOffice, requireReason } from "./cash-second-person.ts";
import * as store from "./cash.store.ts";

interface Correction {
  readonly receiptNumber: string;
  readonly reason: string;
  readonly by: Officer;
}

/** What an officer does to one receipt: lets it through over the limit, or undoes it. */
export function makeCorrections({
  clock,
  holdings,
  booking,
  commissions,
}: {
  clock: Clock;
  holdings: CashHoldings;
  booking: CashBooking;
  commissions: Commissions;
}): Pick<AgentCash, "releaseReceipt" | "cancelReceipt"> {
  /** The receipt as it is while its agent is locked. */
  async function lockReceipt(tx: Tx, { receiptNumber, by }: Correction): Promise<store.StoredCashReceipt> {
    const { number } = parseCashReceiptNumber(receiptNumber);
    const seen = (await store.findReceipts(tx, [number])).get(number);
    if (seen === undefined) throw new NotFound("cash receipt", "receiptNumber");
    requireOffice(by, seen.agentId);
    await holdings.lock(tx, seen.agentId);
    return (await store.findReceipts(tx, [number])).get(number) ?? seen;
  }

  return {
    async releaseReceipt(tx, order) {
      const [reason, actor, at] = [requireReason(order.reason), order.by.actor, clock.now()];
      const { number, agentId, amount } = await lockReceipt(tx, order);
      const released = await store.bookReleased(tx, { number, at, actor, reason });
      if (released === undefined) throw new NotAllowedNow("This receipt does not wait: it is booked or cancelled.");
      const [whose, { minor }] = [{ agentId, currency: amount.currency }, amount];
      await store.moveHolding(tx, whose, { bookedMinor: minor, provisionalMinor: -minor });
      await booking.enter(tx, { receipts: [released], actor });
      return released;
    },
    async cancelReceipt(tx, order) {
      const [reason, actor, at] = [requireReason(order.reason), order.by.actor, clock.now()];
      const receipt = await lockReceipt(tx, order);
      const { number, agentId, amount, state } = receipt;
      const holding = await holdings.require(tx, agentId, amount.currency);
      const cancelled = await store.cancel(tx, { number, at, actor, reason });
      if (cancelled === undefined) throw new NotAllowedNow("This receipt was cancelled already.");
      if (heldMinor(holding) - holding.offeredMinor < amount.minor)
        throw new NotAllowedNow(
          "The agent does not hold so much: the office has this cash, so give it back from there.",
        );
      if (state === "booked") {
        await store.moveHolding(tx, holding, { bookedMinor: -amount.minor });
        await commissions.reverseCommission(tx, { cause: collectionCause(number), reason, actor });
        await booking.enterCancellation(tx, receipt, { reason, actor, at });
      } else await store.moveHolding(tx, holding, { provisionalMinor: -amount.minor });
      await booking.enter(tx, { receipts: await booking.bookFitting(tx, agentId, amount.currency), actor });
      return cancelled;
    },
  };
}
