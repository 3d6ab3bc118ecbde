/** A cheap clock: what the device believes the time to be. */
export interface DeviceClock {
  /** Unix seconds, whole, as the device tells them at this true instant. */
  secondsAt(atMs: number): number;
  /** How far it is ahead of the true time, in seconds. */
  errorSecondsAt(atMs: number): number;
  /** From now on it gains (or loses, below zero) so many seconds a day. */
  drift(atMs: number, secondsPerDay: number): void;
  jump(seconds: number): void;
  /** It begins in the year 2000. */
  loseTime(atMs: number): void;
  /** The network or a person sets it; a drift goes on. */
  putRight(atMs: number): void;
}

const DAY_MS = 86_400_000;
const YEAR_2000_MS = 946_684_800_000;

export function makeDeviceClock(): DeviceClock {
  let offsetMs = 0;
  let perDayMs = 0;
  let sinceMs = 0;
  const errorMs = (atMs: number): number => offsetMs + (perDayMs * (atMs - sinceMs)) / DAY_MS;
  const rebase = (atMs: number, toMs: number): void => {
    offsetMs = toMs;
    sinceMs = atMs;
  };
  return {
    secondsAt: (atMs) => Math.round((atMs + errorMs(atMs)) / 1_000),
    errorSecondsAt: (atMs) => Math.round(errorMs(atMs) / 1_000),
    drift(atMs, secondsPerDay) {
      rebase(atMs, errorMs(atMs));
      perDayMs = secondsPerDay * 1_000;
    },
    jump(seconds) {
      offsetMs += seconds * 1_000;
    },
    loseTime: (atMs) => rebase(atMs, YEAR_2000_MS - atMs),
    putRight: (atMs) => rebase(atMs, 0),
  };
}
