import type { CommandKind } from "./command-payload.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../kernel/time.ts";

/**
 * queued: waits for its device. sent: given to a gateway, until the lease ends. delivered: the device has it (its PUBACK) and
 * owes an answer. The others are ends.
 */
export const COMMAND_STATES = [
  "queued",
  "sent",
  "delivered",
  "done",
  "refused",
  "failed",
  "expired",
  "cancelled",
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

export const OPEN_STATES = ["queued", "sent", "delivered"] as const satisfies readonly CommandState[];

export function isOpen(state: CommandState): boolean {
  return state === "queued" || state === "sent" || state === "delivered";
}

/** What decides a command's next step. */
export interface CommandStanding {
  readonly kind: CommandKind;
  readonly state: CommandState;
  /** How often it was sent; the number of the sending under way while it is `sent`. */
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly nextAttemptAt: Date;
  readonly expiresAt: Date;
  /** Count of the last token in it; null where it carries none. */
  readonly tokenCount: number | null;
}

export type CommandEvent =
  | { readonly kind: "claimed"; readonly at: Date }
  | { readonly kind: "delivered"; readonly attempt: number; readonly at: Date }
  | { readonly kind: "not_sent"; readonly attempt: number; readonly detail: string; readonly at: Date }
  | {
      readonly kind: "answered";
      readonly outcome: "done" | "refused" | "failed";
      readonly detail: string | undefined;
      readonly at: Date;
    }
  | { readonly kind: "confirmed"; readonly tokenCount: number; readonly at: Date }
  /** The device reports by itself that what was asked is so, whichever way it heard of it. */
  | { readonly kind: "in_force"; readonly detail: string; readonly at: Date }
  | { readonly kind: "time_passed"; readonly at: Date }
  | { readonly kind: "cancelled"; readonly detail: string; readonly at: Date }
  /** The device was taken out of its home: what it has is no longer this home's business. */
  | { readonly kind: "withdrawn"; readonly at: Date };

export type CommandStep = Pick<CommandStanding, "state" | "attempts" | "nextAttemptAt"> & {
  readonly detail: string | null;
};

/** Longer than a device on a bad network takes for its PUBACK. A gateway that died is not waited for any longer. */
export const LEASE_MS = 30 * SECOND_MS;
const RESEND_FIRST_MS = 5 * SECOND_MS;
const ANSWER_FIRST_MS = MINUTE_MS;
const PAUSE_MAX_MS = HOUR_MS;

/** After the n-th sending: doubled each time, an hour at most. */
function pauseMs(firstMs: number, attempts: number): number {
  return Math.min(firstMs * 2 ** Math.min(Math.max(attempts - 1, 0), 20), PAUSE_MAX_MS);
}

const later = (at: Date, millis: number): Date => new Date(at.getTime() + millis);

/**
 * What an event makes of a command; undefined where it changes nothing, as the same answer twice, or the PUBACK of a sending
 * whose lease had ended. A command is sent only before it expires; an end stays, but for one: a device that says what
 * became of a command whose time had passed on its way.
 */
export function stepOf(standing: CommandStanding, event: CommandEvent): CommandStep | undefined {
  const { state, attempts, nextAttemptAt, expiresAt } = standing;
  const ends = (end: CommandState, detail: string | null): CommandStep => ({
    state: end,
    attempts,
    nextAttemptAt,
    detail,
  });
  switch (event.kind) {
    case "claimed":
      return isDue(standing, event.at)
        ? { state: "sent", attempts: attempts + 1, nextAttemptAt: later(event.at, LEASE_MS), detail: null }
        : undefined;
    case "delivered":
      if (state !== "sent" || attempts !== event.attempt) return undefined;
      return {
        state: "delivered",
        attempts,
        nextAttemptAt: later(event.at, pauseMs(ANSWER_FIRST_MS, attempts)),
        detail: null,
      };
    case "not_sent":
      if (state !== "sent" || attempts !== event.attempt) return undefined;
      return {
        state: "queued",
        attempts,
        nextAttemptAt: later(event.at, pauseMs(RESEND_FIRST_MS, attempts)),
        detail: event.detail,
      };
    case "answered":
      // Never sent is never answered: somebody else speaks.
      if (attempts === 0 || !(isOpen(state) || state === "expired")) return undefined;
      return ends(event.outcome, event.detail ?? null);
    case "confirmed":
      if (!isOpen(state) || standing.tokenCount === null || event.tokenCount < standing.tokenCount) return undefined;
      if (event.tokenCount === standing.tokenCount) return ends("done", `The device counts ${event.tokenCount}.`);
      // A later token came. Those that add are still taken after it, so that these are sent on, and written by SMS in time; a
      // setting is refused by the device from now on, and nobody knows whether it was taken before.
      return isLight(standing)
        ? ends("failed", `The device counts ${event.tokenCount}: a later token came first, or since.`)
        : undefined;
    case "in_force":
      return isOpen(state) ? ends("done", event.detail) : undefined;
    case "time_passed":
      if (!isOpen(state)) return undefined;
      if (event.at >= expiresAt) return ends("expired", null);
      return isExhausted(standing, event.at) ? ends("failed", `No answer after ${attempts} sendings.`) : undefined;
    case "cancelled":
      return refuseCancel(standing) === undefined ? ends("cancelled", event.detail) : undefined;
    case "withdrawn":
      if (!isOpen(state)) return undefined;
      return ends(refuseCancel(standing) === undefined ? "cancelled" : "failed", "The device was taken away.");
  }
}

/** Tokens that set, where only the newest counts: what an older one said is over. */
function isLight({ kind }: CommandStanding): boolean {
  return KIND_SETTINGS[kind].slot === "light";
}

export function isDue({ state, attempts, attemptsMax, nextAttemptAt, expiresAt }: CommandStanding, at: Date): boolean {
  return isOpen(state) && attempts < attemptsMax && nextAttemptAt <= at && at < expiresAt;
}

/** Tokens that the device has may still be confirmed by its count, without an answer: these wait for their expiry. */
function isExhausted({ state, attempts, attemptsMax, nextAttemptAt, tokenCount }: CommandStanding, at: Date): boolean {
  return attempts >= attemptsMax && nextAttemptAt <= at && !(state === "delivered" && tokenCount !== null);
}

/** Why a command cannot be cancelled; undefined where it can. */
export function refuseCancel({ state, attempts, tokenCount }: CommandStanding): string | undefined {
  if (!isOpen(state)) return `This command is ${state} already.`;
  if (attempts > 0 && tokenCount !== null)
    return "The device may have this token already. Give it another one instead, such as by set_days.";
  return undefined;
}

export interface KindSettings {
  /** A device has at most one open command of a slot; null: any number. */
  readonly slot: string | null;
  readonly attemptsMax: number;
  /** How long it stands when the asker does not say, and at most. */
  readonly expiresMs: number;
  readonly expiresMaxMs: number;
}

/** Lamps of poor villages are out of reach for days: what gives light waits longest. */
export const KIND_SETTINGS: Readonly<Record<CommandKind, KindSettings>> = {
  set_days: { slot: "light", attemptsMax: 20, expiresMs: 3 * DAY_MS, expiresMaxMs: 30 * DAY_MS },
  lock: { slot: "light", attemptsMax: 20, expiresMs: 3 * DAY_MS, expiresMaxMs: 30 * DAY_MS },
  unlock: { slot: "light", attemptsMax: 20, expiresMs: 7 * DAY_MS, expiresMaxMs: 90 * DAY_MS },
  deliver_tokens: { slot: null, attemptsMax: 20, expiresMs: 7 * DAY_MS, expiresMaxMs: 30 * DAY_MS },
  fetch_data: { slot: "fetch_data", attemptsMax: 5, expiresMs: DAY_MS, expiresMaxMs: 30 * DAY_MS },
  set_interval: { slot: "set_interval", attemptsMax: 10, expiresMs: 7 * DAY_MS, expiresMaxMs: 90 * DAY_MS },
  offer_firmware: { slot: "offer_firmware", attemptsMax: 10, expiresMs: 14 * DAY_MS, expiresMaxMs: 90 * DAY_MS },
};
