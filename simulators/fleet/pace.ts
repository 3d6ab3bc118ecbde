/** Simulated time: how it follows the machine's. */
export interface PaceSettings {
  /** Simulated Unix milliseconds. */
  readonly startAtMs: number;
  /** The first moment that is not lived any more. Left out: the fleet lives on until it is stopped. */
  readonly endAtMs?: number;
  /** Simulated seconds in a second; Infinity: as fast as the network takes what is sent. 1 when left out. */
  readonly speed?: number;
}

export interface Pace {
  readonly startAtMs: number;
  /** Infinity without an end. */
  readonly endAtMs: number;
  readonly speed: number;
  /** With an end simulated time waits for the network, so that every run of a seed is the same. */
  readonly isBounded: boolean;
  /** The machine's milliseconds. */
  now(): number;
  /** Up to when the devices may live now. */
  simulatedNow(): number;
}

/** Throws RangeError when the times or the speed make no sense. */
export function makePace({ startAtMs, endAtMs, speed = 1 }: PaceSettings, clock: { now(): number }): Pace {
  const isBounded = endAtMs !== undefined;
  if (!Number.isFinite(startAtMs)) throw new RangeError("A fleet's time begins somewhere.");
  if (isBounded && !(endAtMs > startAtMs)) throw new RangeError("A fleet's time ends after it began.");
  if (!(speed > 0)) throw new RangeError("A fleet's speed is above 0.");
  if (!isBounded && speed === Infinity) throw new RangeError("Without an end there is no greatest speed.");
  const beganAtMs = clock.now();
  const endMs = endAtMs ?? Number.POSITIVE_INFINITY;
  return {
    startAtMs,
    endAtMs: endMs,
    speed,
    isBounded,
    now: () => clock.now(),
    simulatedNow: () => (speed === Infinity ? endMs : Math.min(endMs, startAtMs + (clock.now() - beganAtMs) * speed)),
  };
}
