/** The device's side: decides what a typed token does. A server uses the same decision to check a token it issued. */
import { chainOrigin, nextOutput, tokenOf, unmaskValue, VALUE_SPAN } from "./openpaygo-chain.ts";
import { COUNT_MAX, isWholeWithin } from "./openpaygo-device.ts";
import type { TokenDevice, TokenType } from "./openpaygo-device.ts";
import { parseTypedToken } from "./openpaygo-digits.ts";
import type { TypedToken } from "./openpaygo-digits.ts";
import { COUNTER_SYNC_VALUE, DISABLE_VALUE, VALUE_MAX } from "./openpaygo-issue.ts";

/** How far above its count a device looks for a token. */
export const JUMP_MAX = 64;
/** How far above its count a device looks for a counter synchronisation. */
export const SYNC_JUMP_MAX = 100;
/** A synchronisation may lower the count by less than this. Early texts said 30; fielded devices use 64. */
export const SYNC_BELOW = 64;
/** ADD_TIME tokens may arrive late, up to fewer than this many counts below the newest. */
export const OLDER_WINDOW = 16;

const DAY_MS = 86_400_000;

/** Everything a device remembers about tokens. */
export type DeviceState = {
  /** The highest count accepted so far; a synchronisation may lower it. */
  readonly count: number;
  /** Counts in the recent window that can no longer be used, ascending. */
  readonly usedCounts: readonly number[];
  /** False once the device is unlocked for good. */
  readonly paygEnabled: boolean;
  /** When paid time ends, in Unix milliseconds; null when none was ever paid. Meaningless while PAYG is disabled. */
  readonly expiresAt: number | null;
};

export type TokenDecision =
  | {
      readonly outcome: "VALID";
      /** EXTENDED: the value's meaning is the manufacturer's; only the count moves. */
      readonly type: TokenType | "EXTENDED";
      readonly value: number;
      readonly count: number;
      readonly state: DeviceState;
    }
  | { readonly outcome: "ALREADY_USED"; readonly state: DeviceState }
  | {
      readonly outcome: "INVALID";
      /** MALFORMED: the text cannot be a token at all. NO_MATCH: it is no token of this device within reach. */
      readonly reason: "MALFORMED" | "NO_MATCH";
      readonly state: DeviceState;
    };

/** The state of a device that has left the factory: nothing paid, nothing used. */
export function newDeviceState(count = 1): DeviceState {
  return { count, usedCounts: [], paygEnabled: true, expiresAt: null };
}

/**
 * Decides one typed token at instant `nowAt` (Unix milliseconds). Anything but VALID leaves the state as it was.
 *
 * A token is looked for at every count up to 64 above the device's (100 for a synchronisation), at one hash each.
 * The search goes on after a match that cannot be used: different counts may share digits (one pair in a million), and
 * a paid token must not be refused because an old one looked alike. Count 0, which is the printed starting code
 * itself, is recognised but never accepted. A count outside 0..100100 is a bug of the caller and throws RangeError.
 */
export function acceptToken(
  device: TokenDevice,
  state: DeviceState,
  entry: { readonly token: string; readonly nowAt: number },
): TokenDecision {
  if (!isWholeWithin(state.count, 0, COUNT_MAX + SYNC_JUMP_MAX)) {
    throw new RangeError(`A device count of ${state.count} is out of range.`);
  }
  const typed = parseTypedToken(entry.token, device.restrictedDigits);
  if (typed === undefined) return { outcome: "INVALID", reason: "MALFORMED", state };
  const base = typed.number % VALUE_SPAN[typed.form];
  const value = unmaskValue(device, typed.form, base);
  const found = findCount(device, state, { ...typed, base, value });
  if (found === "no match") return { outcome: "INVALID", reason: "NO_MATCH", state };
  if (found === "used") return { outcome: "ALREADY_USED", state };
  if (typed.form === "extended") {
    return { outcome: "VALID", type: "EXTENDED", value, count: found, state: { ...state, count: found } };
  }
  const type = typeOf(value, found);
  const next = stateAfter(device, state, { type, value, count: found, nowAt: entry.nowAt });
  return { outcome: "VALID", type, value, count: found, state: next };
}

/** Paid time left at `nowAt`, in milliseconds: Infinity when unlocked for good, 0 when locked. */
export function remainingMs(state: DeviceState, nowAt: number): number {
  if (!state.paygEnabled) return Number.POSITIVE_INFINITY;
  return Math.max(0, (state.expiresAt ?? nowAt) - nowAt);
}

/** Whether the device gives light at `nowAt`. */
export function isUnlocked(state: DeviceState, nowAt: number): boolean {
  return remainingMs(state, nowAt) > 0;
}

type Sought = TypedToken & { readonly base: number; readonly value: number };

function findCount(device: TokenDevice, state: DeviceState, sought: Sought): number | "used" | "no match" {
  const { form, number, base, value } = sought;
  const isSync = form === "standard" && value === COUNTER_SYNC_VALUE;
  const highest = state.count + (isSync ? SYNC_JUMP_MAX : JUMP_MAX);
  let seen = false;
  let output = chainOrigin({ device, form, base });
  for (let count = 0; count <= highest; count++) {
    if (tokenOf(form, output, base) === number) {
      if (isAcceptable(state, sought, count)) return count;
      seen = true;
    }
    output = nextOutput(device.sip, form, output);
  }
  return seen ? "used" : "no match";
}

function isAcceptable(state: DeviceState, { form, value }: Sought, count: number): boolean {
  if (count === 0) return false;
  if (form === "extended") return count > state.count;
  if (value === COUNTER_SYNC_VALUE) return count > state.count - SYNC_BELOW;
  if (count > state.count) return true;
  const isLateAddTime = count % 2 === 0 && value <= VALUE_MAX.standard && count > state.count - OLDER_WINDOW;
  return isLateAddTime && !state.usedCounts.includes(count);
}

function typeOf(value: number, count: number): TokenType {
  if (value === COUNTER_SYNC_VALUE) return "COUNTER_SYNC";
  if (value === DISABLE_VALUE) return "DISABLE_PAYG";
  return count % 2 === 0 ? "ADD_TIME" : "SET_TIME";
}

type Accepted = { readonly type: TokenType; readonly value: number; readonly count: number; readonly nowAt: number };

function stateAfter(device: TokenDevice, state: DeviceState, accepted: Accepted): DeviceState {
  const { type, value, count, nowAt } = accepted;
  const usedCounts = usedCountsAfter(state, type, count);
  const moved = { ...state, usedCounts, count: type === "COUNTER_SYNC" ? count : Math.max(state.count, count) };
  // The reserved values consume their count and do nothing else.
  const changesTime = value <= VALUE_MAX.standard;
  // Rounded up to the whole millisecond, so that a divider such as 7 never takes time from the customer.
  const paidMs = Math.ceil((value * DAY_MS) / device.timeDivider);
  switch (type) {
    case "DISABLE_PAYG":
      return { ...moved, paygEnabled: false };
    case "COUNTER_SYNC":
      return moved;
    case "SET_TIME":
      return changesTime ? { ...moved, paygEnabled: true, expiresAt: nowAt + paidMs } : moved;
    case "ADD_TIME":
      if (!changesTime || !state.paygEnabled) return moved;
      return { ...moved, expiresAt: Math.max(nowAt, state.expiresAt ?? nowAt) + paidMs };
  }
}

/**
 * ADD_TIME marks its own count; every other type closes the window below it, so that nothing issued before it can be
 * used after it.
 *
 * The window ends at the highest count in use, except after a synchronisation: that one may lower the count, and then
 * the window must follow it. If it stayed at the old height, marks below it would fall out of the window at the next
 * token and those tokens could be used twice.
 */
function usedCountsAfter(state: DeviceState, type: TokenType, count: number): readonly number[] {
  const highest = type === "COUNTER_SYNC" ? count : Math.max(count, ...state.usedCounts);
  const lowest = Math.max(0, highest - OLDER_WINDOW);
  if (type !== "ADD_TIME") return Array.from({ length: highest - lowest + 1 }, (_, index) => lowest + index);
  const kept = state.usedCounts.filter((used) => used >= lowest && used !== count);
  return [...kept, count].sort((left, right) => left - right);
}
