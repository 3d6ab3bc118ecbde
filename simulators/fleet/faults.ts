/** What goes wrong with a device, its network and its village: drawn a day ahead from streams of their own. */
import { between, makeStream, type Chance } from "../rail/chance.ts";

/** What can go wrong, and what it means, for a person who asks for help. Village kinds strike all its devices at once. */
export const FAULT_KINDS = {
  gap: "no coverage for 20 minutes to 9 hours; what was measured is sent afterwards as history",
  burst: "no coverage for 20 minutes to 3 hours; afterwards every measurement comes in a frame of its own",
  drop: "the connection breaks and is made again",
  torn: "the connection breaks in the middle of a packet",
  half_open: "the radio dies without a word: the broker keeps a connection that says nothing",
  duplicate: "a frame is sent twice",
  lost_ack: "an acknowledgement does not arrive, so the frame is sent again",
  clock_drift: "from this day on the clock runs fast or slow, by up to 20 seconds a day",
  clock_step: "the clock jumps by up to two hours, and is put right within a day",
  clock_lost: "the clock starts in the year 2000 after a brown-out, and is put right within a day",
  lid_opened: "somebody opens the lid",
  bypass: "a lamp is wired past the meter and the lock for one to five days",
  battery_swap: "somebody puts another, used battery in",
  dead: "the device is silent for ever",
  village_outage: "the mast of the village is down for 1 to 12 hours",
  village_storm: "every device of the village loses the network at one moment and comes back at one moment",
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;

/** How likely each is for a device (or a village) on one day: 0 never, 1 every day. */
export type FaultShares = Readonly<Record<FaultKind, number>>;

export const faultKinds = Object.keys(FAULT_KINDS) as readonly FaultKind[];
export const isFaultKind = (text: string): text is FaultKind => Object.hasOwn(FAULT_KINDS, text);

export const noFaults: FaultShares = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<
  FaultKind,
  number
>;

/** What a rural fleet lives with. */
export const usualFaults: FaultShares = {
  gap: 0.25,
  burst: 0.05,
  drop: 0.5,
  torn: 0.02,
  half_open: 0.05,
  duplicate: 0.1,
  lost_ack: 0.1,
  clock_drift: 0.01,
  clock_step: 0.001,
  clock_lost: 0.001,
  lid_opened: 0.001,
  bypass: 0.0005,
  battery_swap: 0.0002,
  dead: 0.0005,
  village_outage: 0.03,
  village_storm: 0.05,
};

/** A bad week in the rains: bad enough that a small fleet meets everything within days. */
export const badFaults: FaultShares = {
  gap: 0.6,
  burst: 0.3,
  drop: 1,
  torn: 0.2,
  half_open: 0.3,
  duplicate: 0.5,
  lost_ack: 0.5,
  clock_drift: 0.1,
  clock_step: 0.03,
  clock_lost: 0.03,
  lid_opened: 0.02,
  bypass: 0.01,
  battery_swap: 0.01,
  dead: 0.005,
  village_outage: 0.2,
  village_storm: 0.3,
};

/** One thing that happens to a device, by true simulated time in Unix milliseconds. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  /** When it is over; the same instant for what has no length. */
  readonly untilMs: number;
  /** clock_drift: seconds a day; clock_step: seconds. 0 for the others. */
  readonly amount: number;
}

export const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const dayOf = (atMs: number): number => Math.floor(atMs / DAY_MS);

const VILLAGE_KINDS: ReadonlySet<FaultKind> = new Set(["village_outage", "village_storm"]);

/** How long each lasts, least and most, in milliseconds. */
const LENGTHS: Readonly<Partial<Record<FaultKind, readonly [number, number]>>> = {
  gap: [20 * MINUTE_MS, 9 * HOUR_MS],
  burst: [20 * MINUTE_MS, 3 * HOUR_MS],
  half_open: [2 * MINUTE_MS, 20 * MINUTE_MS],
  clock_step: [HOUR_MS, DAY_MS],
  clock_lost: [HOUR_MS, DAY_MS],
  bypass: [DAY_MS, 5 * DAY_MS],
  village_outage: [HOUR_MS, 12 * HOUR_MS],
  village_storm: [MINUTE_MS, 5 * MINUTE_MS],
};

/** The faults of one device that begin on `day` (days since 1970, UTC), in order, those of its village among them. */
export function faultsOfDay(
  shares: FaultShares,
  { seed, serial, village, day }: { seed: number; serial: string; village: string; day: number },
): readonly Fault[] {
  const faults: Fault[] = [];
  for (const kind of faultKinds) {
    if (shares[kind] === 0) continue;
    // A stream for every kind: a changed share leaves what the other kinds do as it was.
    const chance = makeStream(seed, VILLAGE_KINDS.has(kind) ? village : serial, kind, day);
    if (chance() < shares[kind]) faults.push(drawFault(kind, day, chance));
  }
  return faults.toSorted((left, right) => left.atMs - right.atMs);
}

function drawFault(kind: FaultKind, day: number, chance: Chance): Fault {
  const atMs = day * DAY_MS + Math.floor(chance() * DAY_MS);
  const untilMs = atMs + between(chance, LENGTHS[kind] ?? [0, 0]);
  return { kind, atMs, untilMs, amount: drawAmount(kind, chance) };
}

function drawAmount(kind: FaultKind, chance: Chance): number {
  const sign = chance() < 0.5 ? -1 : 1;
  if (kind === "clock_drift") return sign * between(chance, [1, 20]);
  if (kind === "clock_step") return sign * between(chance, [60, 7_200]);
  return 0;
}

/** Throws RangeError when a share is no number from 0 to 1. */
export function requireShares(shares: FaultShares): void {
  for (const kind of faultKinds) {
    if (!(shares[kind] >= 0 && shares[kind] <= 1))
      throw new RangeError(`The share of ${kind} is a number from 0 to 1.`);
  }
}
