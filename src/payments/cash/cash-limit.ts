import { AMOUNT_MINOR_MAX } from "../../kernel/money.ts";
import { InvalidInput } from "../../kernel/refusal.ts";
import { DAY_MS, HOUR_MS } from "../../kernel/time.ts";

/** Why a receipt has to wait: the agent would hold too much, or the office never said how much is too much. */
export type WaitingReason = "over_limit" | "no_limit";

/** What an agent has in hand, in minor units of one currency. */
export interface InHand {
  /** Collected, in the inbox or the books, and not yet accepted by the office. */
  readonly bookedMinor: bigint;
  /** Collected above the limit: real cash, not in the books yet. */
  readonly provisionalMinor: bigint;
}

export function heldMinor({ bookedMinor, provisionalMinor }: InHand): bigint {
  return bookedMinor + provisionalMinor;
}

/** How much more an agent may collect before receipts must wait; never below zero. Without a limit nothing. */
export function roomMinor(limitMinor: bigint | undefined, hand: InHand): bigint {
  const room = (limitMinor ?? 0n) - heldMinor(hand);
  return room > 0n ? room : 0n;
}

/**
 * Why a collection must wait; undefined when it may be booked at once. What waits counts as held, so nothing overtakes it:
 * room is given to the receipts in the order in which they were taken.
 */
export function waitingReason(
  limitMinor: bigint | undefined,
  hand: InHand,
  amountMinor: bigint,
): WaitingReason | undefined {
  if (limitMinor === undefined) return "no_limit";
  return amountMinor > roomMinor(limitMinor, hand) ? "over_limit" : undefined;
}

/** A phone's clock may be wrong by this much; later than that it is a mistake that would buy light in the future. */
const TAKEN_AHEAD_MAX_MS = HOUR_MS;
/** A phone may be without network for a whole rainy season; what is older is brought to the office in person. */
export const TAKEN_AGO_MAX_MS = 120 * DAY_MS;

/** Refuses an instant that no phone can have meant. */
export function requireTakenAt(takenAt: Date, now: Date): void {
  if (takenAt.getTime() > now.getTime() + TAKEN_AHEAD_MAX_MS)
    throw new InvalidInput("This receipt is dated in the future. Set the phone's clock.", "takenAt");
  if (takenAt.getTime() < now.getTime() - TAKEN_AGO_MAX_MS)
    throw new InvalidInput(
      `This receipt is older than ${TAKEN_AGO_MAX_MS / DAY_MS} days. Bring it to the office.`,
      "takenAt",
    );
}

/** Refuses nothing, less than nothing, and more than anybody moves. */
export function requireAmount(minor: bigint, field: string): void {
  if (minor <= 0n) throw new InvalidInput("An amount of cash is above zero.", field);
  if (minor > AMOUNT_MINOR_MAX) throw new InvalidInput("This amount is larger than any that is moved here.", field);
}
