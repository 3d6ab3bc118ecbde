/**
 * A solar lamp with a keypad, as far as money can see it: it accepts OpenPAYGO tokens, counts its paid days and
 * switches its light. It shares the accepting side of the token package with the server and nothing else.
 */
import {
  COUNT_MAX,
  acceptToken,
  isLockedOut,
  isUnlocked,
  lockoutAfter,
  newDeviceState,
  NO_LOCKOUT,
  parseKey,
  prepareDevice,
  remainingMs,
} from "../../src/devices/tokens/openpaygo.ts";
import type { DeviceState, LockoutPolicy, LockoutState, TokenDevice } from "../../src/devices/tokens/openpaygo.ts";

/** The log of a lamp is as short as its memory; older events are forgotten first. */
export const EVENTS_MAX = 200;
/** The longest token is 20 restricted digits; a keypad ignores what follows. */
export const TYPED_MAX = 20;

const DAY_MS = 86_400_000;

export type LampClock = { readonly now: () => number };

export type RunningClock = LampClock & { readonly advance: (ms: number) => void; readonly aheadMs: number };

export type LampSettings = {
  readonly serial: string;
  /** 32 hexadecimal digits. */
  readonly keyHex: string;
  /** Derived from the key when left out. */
  readonly startingCode?: number | undefined;
  /** The count the factory left in the lamp; 1 when left out. */
  readonly count?: number | undefined;
  /** Token units per day; 1 when left out. */
  readonly timeDivider?: number | undefined;
  /** The keypad has only the keys 1..4, `*` and `#`. */
  readonly restrictedDigits?: boolean | undefined;
  /** `docs` when left out. */
  readonly lockoutPolicy?: LockoutPolicy | undefined;
};

export type LampEvent = {
  /** Unix milliseconds of the lamp's own clock. */
  readonly happenedAt: number;
  /** LOCKED_OUT: a token was typed while the keypad waits, and was not looked at. */
  readonly kind: "VALID" | "ALREADY_USED" | "INVALID" | "MALFORMED" | "LOCKED_OUT" | "LIGHT_ON" | "LIGHT_OFF";
  /** What was typed, for every kind but the light's. */
  readonly token?: string;
  /** Of a valid token: what it was, the number inside it, and its count. */
  readonly type?: string;
  readonly value?: number;
  readonly count?: number;
};

/** What a person standing before the lamp can see, and what its radio could tell. */
export type LampFace = {
  readonly serial: string;
  readonly shownAt: number;
  /** The relay of the light: true when the lamp may give light. */
  readonly relayOn: boolean;
  /** green: paid; amber: less than a day left; red: nothing left; blue: unlocked for good; red-blinking: keypad waits. */
  readonly led: "green" | "amber" | "red" | "blue" | "red-blinking";
  /** Fractions included, 0 when locked, and "unlimited" when unlocked for good. */
  readonly daysLeft: number | "unlimited";
  readonly typed: string;
  readonly count: number;
  readonly invalidStreak: number;
  /** Until when the keypad refuses tokens, or null. */
  readonly lockedUntil: number | null;
};

/** Everything a lamp remembers, as plain JSON. It holds the key: keep it as safe as the key. */
export type LampSnapshot = {
  readonly version: 1;
  readonly settings: LampSettings;
  readonly savedAt: number;
  readonly device: DeviceState;
  readonly lockout: LockoutState;
  readonly typed: string;
  readonly isLit: boolean;
  readonly events: readonly LampEvent[];
};

export type Lamp = {
  /** Presses one key: a digit types, `*` clears, `#` enters. A key this keypad lacks does nothing. */
  press(key: string): LampEvent | undefined;
  /** Clears what was typed, types the whole token and enters it. */
  enter(token: string): LampEvent;
  face(): LampFace;
  state(): DeviceState;
  /** Oldest first, at most EVENTS_MAX. */
  events(): readonly LampEvent[];
  snapshot(): LampSnapshot;
};

/** Makes a lamp as it leaves the factory. Throws RangeError when its settings are refused. */
export function makeLamp({ clock, ...settings }: LampSettings & { readonly clock: LampClock }): Lamp {
  const device = newDeviceState(settings.count);
  return runLamp(clock, {
    version: 1,
    settings,
    savedAt: clock.now(),
    device,
    lockout: NO_LOCKOUT,
    typed: "",
    isLit: isUnlocked(device, clock.now()),
    events: [],
  });
}

/** Continues a lamp where its snapshot left it; `clock` says how much time has passed since. */
export function restoreLamp({ snapshot, clock }: { snapshot: LampSnapshot; clock: LampClock }): Lamp {
  return runLamp(clock, snapshot);
}

/** A clock that stands still until it is moved. `startAt` is in Unix milliseconds. */
export function makeMovableClock(startAt: number): LampClock & { readonly advance: (ms: number) => void } {
  let nowAt = startAt;
  return {
    now: () => nowAt,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError("A lamp's clock only moves forward.");
      nowAt += ms;
    },
  };
}

/** A clock that runs with `base`, and can be moved ahead of it. */
export function makeRunningClock(base: LampClock, startAheadMs = 0): RunningClock {
  let aheadMs = startAheadMs;
  return {
    now: () => base.now() + aheadMs,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError("A lamp's clock only moves forward.");
      aheadMs += ms;
    },
    get aheadMs() {
      return aheadMs;
    },
  };
}

function runLamp(clock: LampClock, from: LampSnapshot): Lamp {
  const { settings } = from;
  const tokenDevice = requireDevice(settings);
  const policy = settings.lockoutPolicy ?? "docs";
  const keys = settings.restrictedDigits === true ? /^[1-4]$/ : /^[0-9]$/;
  let { device, lockout, typed, isLit } = from;
  const events = [...from.events];

  function note(event: LampEvent): LampEvent {
    events.push(event);
    if (events.length > EVENTS_MAX) events.shift();
    return event;
  }

  /** The light goes out when the paid time ends, not when somebody next looks; the log says so. */
  function settleLight(): void {
    const nowAt = clock.now();
    const isLitNow = isUnlocked(device, nowAt);
    if (isLit === isLitNow) return;
    isLit = isLitNow;
    const happenedAt = isLitNow ? nowAt : Math.min(nowAt, device.expiresAt ?? nowAt);
    note({ happenedAt, kind: isLitNow ? "LIGHT_ON" : "LIGHT_OFF" });
  }

  function submit(token: string): LampEvent {
    settleLight();
    const nowAt = clock.now();
    typed = "";
    if (isLockedOut(lockout, nowAt)) return note({ happenedAt: nowAt, kind: "LOCKED_OUT", token });
    const decision = acceptToken(tokenDevice, device, { token, nowAt });
    device = decision.state;
    lockout = lockoutAfter(policy, lockout, { decision, nowAt });
    const event = note(eventOf(decision, token, nowAt));
    settleLight();
    return event;
  }

  function face(): LampFace {
    settleLight();
    const nowAt = clock.now();
    const isWaiting = isLockedOut(lockout, nowAt);
    const leftMs = remainingMs(device, nowAt);
    return {
      serial: settings.serial,
      shownAt: nowAt,
      relayOn: leftMs > 0,
      led: isWaiting ? "red-blinking" : ledOf(leftMs),
      daysLeft: leftMs === Number.POSITIVE_INFINITY ? "unlimited" : leftMs / DAY_MS,
      typed,
      count: device.count,
      invalidStreak: lockout.invalidStreak,
      lockedUntil: isWaiting ? lockout.lockedUntil : null,
    };
  }

  return {
    press(key) {
      if (key === "#") return submit(typed);
      if (key === "*") typed = "";
      else if (keys.test(key) && typed.length < TYPED_MAX) typed += key;
      return undefined;
    },
    enter: submit,
    face,
    state: () => device,
    events() {
      settleLight();
      return [...events];
    },
    snapshot() {
      settleLight();
      return { version: 1, settings, savedAt: clock.now(), device, lockout, typed, isLit, events: [...events] };
    },
  };
}

function requireDevice(settings: LampSettings): TokenDevice {
  const { startingCode, timeDivider, restrictedDigits, count = 1 } = settings;
  if (!Number.isInteger(count) || count < 0 || count > COUNT_MAX) {
    throw new RangeError(`A lamp's count is a whole number from 0 to ${COUNT_MAX}.`);
  }
  const parsed = parseKey(settings.keyHex);
  if (!parsed.ok) throw new RangeError(parsed.refusal.message);
  const prepared = prepareDevice({ key: parsed.key, startingCode, timeDivider, restrictedDigits });
  if (!prepared.ok) throw new RangeError(prepared.refusal.message);
  return prepared.device;
}

function eventOf(decision: ReturnType<typeof acceptToken>, token: string, happenedAt: number): LampEvent {
  switch (decision.outcome) {
    case "VALID": {
      const { type, value, count } = decision;
      return { happenedAt, kind: "VALID", token, type, value, count };
    }
    case "ALREADY_USED":
      return { happenedAt, kind: "ALREADY_USED", token };
    case "INVALID":
      return { happenedAt, kind: decision.reason === "MALFORMED" ? "MALFORMED" : "INVALID", token };
  }
}

function ledOf(leftMs: number): LampFace["led"] {
  if (leftMs === Number.POSITIVE_INFINITY) return "blue";
  if (leftMs >= DAY_MS) return "green";
  return leftMs > 0 ? "amber" : "red";
}
