import type { Clock } from "../../kernel/time.ts";
import { MINUTE_MS } from "../../kernel/time.ts";

/** Wrong passwords in one window: of one device from one address, of one device, and from one address. */
const FAILURES_MAX = { pair: 5, serial: 60, source: 300 };
const WINDOW_MS = MINUTE_MS;
/** The windows together hold at most this many counts; beyond, the window ends early. */
const COUNTS_MAX = 100_000;

/**
 * Slows down guessing: after some wrong passwords within a minute, no further one is looked at until the minute is over.
 * The limit of a device from one address is the low one, so that a guesser elsewhere hardly ever keeps the device itself
 * out. An address that the broker does not tell counts as one address that has no limit of its own.
 */
export function makeSignInLimit({ clock }: { clock: Clock }): {
  admits(serial: string, source: string): boolean;
  record(serial: string, source: string, isRight: boolean): void;
} {
  let counts = new Map<string, number>();
  let startedAtMs = clock.now().getTime();
  const limits = (serial: string, source: string): readonly (readonly [string, number])[] => [
    [JSON.stringify([serial, source]), FAILURES_MAX.pair],
    [JSON.stringify([serial]), FAILURES_MAX.serial],
    ...(source === "" ? [] : [[source, FAILURES_MAX.source] as const]),
  ];
  const roll = (): void => {
    const nowMs = clock.now().getTime();
    if (nowMs - startedAtMs < WINDOW_MS && counts.size < COUNTS_MAX) return;
    counts = new Map();
    startedAtMs = nowMs;
  };
  return {
    admits(serial, source) {
      roll();
      return limits(serial, source).every(([name, most]) => (counts.get(name) ?? 0) < most);
    },
    record(serial, source, isRight) {
      if (isRight) return;
      roll();
      for (const [name] of limits(serial, source)) counts.set(name, (counts.get(name) ?? 0) + 1);
    },
  };
}
