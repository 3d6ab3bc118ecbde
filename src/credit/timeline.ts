/** The lock states of a contract, in the words that sellers' books use. */
export type LockState = "CREATED" | "ENABLED" | "DISABLED" | "UNLOCKED" | "WRITTEN_OFF";

export interface Transition {
  readonly at: Date;
  readonly from: LockState;
  readonly to: LockState;
}

/** One stretch of light that a payment bought. */
export interface PaidStretch {
  readonly fromAt: Date;
  readonly untilAt: Date;
}

export interface ContractHistory {
  /** In the order of their starts; each begins where the last ended, or later. */
  readonly stretches: readonly PaidStretch[];
  readonly unlockedAt: Date | undefined;
  readonly writtenOffAt: Date | undefined;
}

/**
 * When the light went on and off: the contract's own timeline, derived from what its payments bought. A payment made in
 * the very moment the time ran out leaves the light on. Times ahead of `until` have not happened yet and are left out.
 */
export function timeline({ stretches, unlockedAt, writtenOffAt }: ContractHistory, until: Date): readonly Transition[] {
  const transitions: Transition[] = [];
  let state = "CREATED" as LockState;
  let paidUntil: Date | undefined;
  const endedAt = unlockedAt ?? writtenOffAt;
  const move = (at: Date, to: LockState): void => {
    if (at <= until) transitions.push({ at, from: state, to });
    state = to;
  };
  const lapseBefore = (at: Date): void => {
    if (state === "ENABLED" && paidUntil !== undefined && paidUntil < at) move(paidUntil, "DISABLED");
  };
  for (const stretch of stretches) {
    if (endedAt !== undefined && stretch.fromAt > endedAt) break;
    lapseBefore(stretch.fromAt);
    if (state !== "ENABLED") move(stretch.fromAt, "ENABLED");
    if (paidUntil === undefined || stretch.untilAt > paidUntil) paidUntil = stretch.untilAt;
  }
  if (endedAt !== undefined) {
    lapseBefore(endedAt);
    move(endedAt, unlockedAt === undefined ? "WRITTEN_OFF" : "UNLOCKED");
  } else if (state === "ENABLED" && paidUntil !== undefined && paidUntil <= until) {
    move(paidUntil, "DISABLED");
  }
  return transitions;
}
