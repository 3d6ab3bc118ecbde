import type { TrueDay, TruthSink } from "../../../simulators/fleet/truth.ts";
import type { AcknowledgedByFleet } from "../../../simulators/fleet/fleet.ts";

/** What the devices know when a run is over. A reading is `serial milliseconds`, by the device's clock. */
export interface Told {
  /** Acknowledged, told by a clock that was right: each must be found. */
  readonly acknowledged: ReadonlySet<string>;
  /** Everything that a device measured, also what it could not send any more: nothing else may be found. */
  readonly measured: ReadonlySet<string>;
  /** How many readings of a device may be found at other times, because its clock was wrong when it told them. */
  readonly movable: ReadonlyMap<string, number>;
}

export const keyOf = (serial: string, atMs: number): string => `${serial} ${String(atMs)}`;

/** Hears a fleet. `truth` is written when days are settled, the rest of it when the fleet is stopped. */
export function makeToldBook(): {
  readonly truth: TruthSink;
  onAcknowledged(reading: AcknowledgedByFleet): void;
  /** All that were acknowledged, those of wrong clocks among them. */
  acknowledgements(): number;
  told(): Told;
} {
  const acknowledged = new Set<string>();
  const measured = new Set<string>();
  const movable = new Map<string, number>();
  let acknowledgements = 0;

  function write({ serial, faults, ...day }: TrueDay): void {
    const lists = [day.acknowledged, day.acknowledgedAskew, day.unacknowledged, day.overwritten];
    for (const list of lists) for (const second of list) measured.add(keyOf(serial, second * 1_000));
    const isAstray = day.acknowledgedAskew.length > 0 || faults.some(({ kind }) => kind.startsWith("clock_"));
    if (!isAstray && !movable.has(serial)) return;
    const count = day.acknowledgedAskew.length + day.unacknowledged.length;
    movable.set(serial, (movable.get(serial) ?? 0) + count);
  }

  return {
    truth: { write, close: () => undefined },
    onAcknowledged({ serial, atMs, isAskew }) {
      acknowledgements += 1;
      if (!isAskew) acknowledged.add(keyOf(serial, atMs));
    },
    acknowledgements: () => acknowledgements,
    told: () => ({ acknowledged, measured, movable }),
  };
}
