/** How long a keypad refuses input after wrong tokens. Guessing must be slow; a mistyped digit must stay cheap. */
import type { TokenDecision } from "./openpaygo-accept.ts";

/**
 * Which device's behaviour to follow. `docs`: 1 minute after the first wrong token, doubling, at most 512.
 * `python_simulator`: 2^n minutes after the n-th, without limit. `c_firmware`: two are free, then 2^(n-2) minutes,
 * at most 512. `none`: no waiting.
 */
export type LockoutPolicy = "docs" | "python_simulator" | "c_firmware" | "none";

export const LOCKOUT_POLICIES: readonly LockoutPolicy[] = ["docs", "python_simulator", "c_firmware", "none"];

export type LockoutState = {
  /** Wrong tokens since the last valid one. */
  readonly invalidStreak: number;
  /** Until when input is refused, in Unix milliseconds; null when it is not. */
  readonly lockedUntil: number | null;
};

export const NO_LOCKOUT: LockoutState = { invalidStreak: 0, lockedUntil: null };

const MINUTE_MS = 60_000;
/** The last instant a JavaScript Date can hold; an unlimited policy would pass it after some forty wrong tokens. */
const INSTANT_MAX = 8.64e15;

/** Minutes to wait after the `invalidStreak`-th wrong token in a row (1 is the first). */
export function lockoutMinutes(policy: LockoutPolicy, invalidStreak: number): number {
  if (invalidStreak < 1) return 0;
  switch (policy) {
    case "docs":
      return 2 ** Math.min(invalidStreak - 1, 9);
    case "python_simulator":
      return 2 ** invalidStreak;
    case "c_firmware":
      return invalidStreak <= 2 ? 0 : 2 ** (Math.min(invalidStreak, 11) - 2);
    case "none":
      return 0;
  }
}

/** Whether input is refused at `nowAt`. A token typed then is not even looked at, so it is not counted either. */
export function isLockedOut(state: LockoutState, nowAt: number): boolean {
  return state.lockedUntil !== null && nowAt < state.lockedUntil;
}

/**
 * The lockout after a decision made at `nowAt`. A valid token clears it, a wrong one lengthens it, and a used one
 * changes nothing: people do type the last token again. Text that cannot be a token (MALFORMED) is no guess and
 * counts for nothing.
 */
export function lockoutAfter(
  policy: LockoutPolicy,
  state: LockoutState,
  { decision, nowAt }: { readonly decision: LockoutDecision; readonly nowAt: number },
): LockoutState {
  switch (decision.outcome) {
    case "VALID":
      return NO_LOCKOUT;
    case "ALREADY_USED":
      return state;
    case "INVALID": {
      if (decision.reason === "MALFORMED") return state;
      const invalidStreak = state.invalidStreak + 1;
      const waitMs = lockoutMinutes(policy, invalidStreak) * MINUTE_MS;
      const lockedUntil = waitMs === 0 ? null : Math.min(nowAt + waitMs, INSTANT_MAX);
      return { invalidStreak, lockedUntil };
    }
  }
}

/** The part of a token decision that matters for the lockout. */
export type LockoutDecision =
  | { readonly outcome: "VALID" | "ALREADY_USED" }
  | { readonly outcome: "INVALID"; readonly reason: Extract<TokenDecision, { outcome: "INVALID" }>["reason"] };
