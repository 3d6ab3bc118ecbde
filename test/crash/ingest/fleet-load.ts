import type { Credentials } from "../../../simulators/fleet/credentials.ts";
import { badFaults, DAY_MS } from "../../../simulators/fleet/faults.ts";
import { startFleet, type Fleet } from "../../../simulators/fleet/fleet.ts";
import { makeToldBook, type Told } from "./told.ts";

/** Devices that live a bad month while the run lasts. */
export interface FleetLoad {
  readonly fleet: Fleet;
  acknowledgements(): number;
  /** True when the month was lived before the run was over: the kills after that hit nothing. */
  isOver(): boolean;
  stop(): Promise<Told>;
}

/** The program keeps forty days; the youngest moment is a day old, so that no clock of a device is ahead by much. */
const BEGAN_DAYS_AGO = 36;
const ENDED_DAYS_AGO = 1;
/** An hour of theirs in a second of ours: four readings a second of each device. */
const SPEED_MAX = 3_600;
/** A kill, the start after it and the load until the next, on a slow machine. */
const KILL_TAKES_S = 14;

export function startFleetLoad({
  port,
  seed,
  devices,
  kills,
}: {
  port: number;
  seed: number;
  devices: readonly Credentials[];
  kills: number;
}): FleetLoad {
  const book = makeToldBook();
  const nowMs = Date.now();
  const lengthS = ((BEGAN_DAYS_AGO - ENDED_DAYS_AGO) * DAY_MS) / 1_000;
  const fleet = startFleet({
    broker: { host: "127.0.0.1", port, isSecure: false },
    seed,
    devices,
    time: {
      startAtMs: nowMs - BEGAN_DAYS_AGO * DAY_MS,
      endAtMs: nowMs - ENDED_DAYS_AGO * DAY_MS,
      speed: Math.min(SPEED_MAX, lengthS / (Math.max(1, kills) * KILL_TAKES_S)),
    },
    shares: badFaults,
    timing: { reconnectFirstMs: 20, reconnectLongestMs: 500, answerTimeoutMs: 10_000 },
    truth: book.truth,
    onAcknowledged: book.onAcknowledged,
  });
  let isOver = false;
  fleet.finished.then(
    () => (isOver = true),
    () => undefined,
  );
  return {
    fleet,
    acknowledgements: book.acknowledgements,
    isOver: () => isOver,
    async stop() {
      await fleet.stop();
      return book.told();
    },
  };
}

/** Resolves when so many more readings were acknowledged; false when that takes too long. */
export async function untilLoad(load: FleetLoad, more: number, timeoutMs: number): Promise<boolean> {
  const from = load.acknowledgements();
  for (const until = performance.now() + timeoutMs; performance.now() < until;) {
    if (load.acknowledgements() - from >= more) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}
