import { between, type Chance } from "./chance.ts";
import type { FaultKind } from "./faults.ts";
import type { Failure } from "./books.ts";

type Range = readonly [number, number];

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** How long people take: reading the prompt, typing the PIN, giving up. */
const APPROVE_MS: Range = [2 * SECOND_MS, 45 * SECOND_MS];
const CANCEL_MS: Range = [2 * SECOND_MS, 30 * SECOND_MS];
const UNREACHABLE_MS: Range = [SECOND_MS, 20 * SECOND_MS];
/** MTN gives a payer five minutes, Safaricom one. */
export const PROMPT_MS: Range = [MINUTE_MS, 5 * MINUTE_MS];
const LATE_MONEY_MS: Range = [30 * SECOND_MS, 20 * MINUTE_MS];
const PAYOUT_MS: Range = [SECOND_MS, 30 * SECOND_MS];
const REVERSE_MS: Range = [10 * MINUTE_MS, 12 * HOUR_MS];
const REVERSE_AT_ONCE_MS: Range = [SECOND_MS, 2 * MINUTE_MS];
const HELD_BACK_MS: Range = [5 * MINUTE_MS, 2 * HOUR_MS];

export interface PayerDecision {
  readonly afterMs: number;
  /** Undefined: the payer pays. */
  readonly failure: Failure | undefined;
  readonly amountMinor: bigint;
  /** After a failure: the money comes all the same, so much later. */
  readonly moneyAfterMs: number | undefined;
}

/** Asks whether a fault strikes here. */
export type Happens = (kind: FaultKind) => boolean;

/** What a payer does with a prompt. `wholeMinor`: minor units of one whole unit, which is what people type. */
export function decidePayer({
  happens,
  chance,
  requestedMinor,
  wholeMinor,
  tellsAmounts,
}: {
  happens: Happens;
  chance: Chance;
  requestedMinor: bigint;
  wholeMinor: bigint;
  tellsAmounts: boolean;
}): PayerDecision {
  const failures: readonly (readonly [FaultKind, Failure, Range])[] = [
    ["unreachable", "unreachable", UNREACHABLE_MS],
    ["time_out", "timed_out", PROMPT_MS],
    ["cancel", "cancelled", CANCEL_MS],
    ["lack_funds", "insufficient_funds", APPROVE_MS],
  ];
  for (const [kind, failure, range] of failures) {
    if (!happens(kind)) continue;
    const afterMs = between(chance, range);
    const moneyAfterMs = happens("late_money") ? between(chance, LATE_MONEY_MS) : undefined;
    return { afterMs, failure, amountMinor: requestedMinor, moneyAfterMs };
  }
  const afterMs = between(chance, APPROVE_MS);
  const isOther = tellsAmounts && happens("wrong_amount");
  const amountMinor = isOther ? otherAmount({ chance, requestedMinor, wholeMinor }) : requestedMinor;
  return { afterMs, failure: undefined, amountMinor, moneyAfterMs: undefined };
}

/** Money that goes out: when it is over, and whether it fails. */
export function decidePayout({ happens, chance }: { happens: Happens; chance: Chance }): {
  afterMs: number;
  failure: Failure | undefined;
} {
  const afterMs = between(chance, PAYOUT_MS);
  return { afterMs, failure: happens("payout_fails") ? "unknown_party" : undefined };
}

/** Whether a completed payment goes back, when, and for how long its own news is held back so that this comes first. */
export function decideReversal({ happens, chance }: { happens: Happens; chance: Chance }): {
  reverseAfterMs: number | undefined;
  newsHeldBackMs: number;
} {
  if (!happens("reverse")) return { reverseAfterMs: undefined, newsHeldBackMs: 0 };
  if (!happens("reverse_overtakes")) return { reverseAfterMs: between(chance, REVERSE_MS), newsHeldBackMs: 0 };
  return { reverseAfterMs: between(chance, REVERSE_AT_ONCE_MS), newsHeldBackMs: between(chance, HELD_BACK_MS) };
}

/** Half to twice as much, in whole units, at least one, and never the same. */
function otherAmount({
  chance,
  requestedMinor,
  wholeMinor,
}: {
  chance: Chance;
  requestedMinor: bigint;
  wholeMinor: bigint;
}): bigint {
  const percent = BigInt(between(chance, [50, 200]));
  const whole = (requestedMinor * percent) / 100n / wholeMinor;
  const other = (whole < 1n ? 1n : whole) * wholeMinor;
  return other === requestedMinor ? other + wholeMinor : other;
}
