/** A fleet of simulated devices that speak nothing but MQTT, with a seed and the truth known. */
import { makeStream } from "../rail/chance.ts";
import { deriveCredentials, type Credentials } from "./credentials.ts";
import { makeFleetDevice, type FleetDevice } from "./device.ts";
import { WAITING_FRAMES_MAX } from "./dispatch.ts";
import { noFaults, requireShares, type FaultKind, type FaultShares } from "./faults.ts";
import type { BrokerPlace } from "./link.ts";
import type { FrameStyle } from "./metrics-frame.ts";
import { makeMoments } from "./moments.ts";
import type { Answer } from "./obey.ts";
import { makePace, type PaceSettings } from "./pace.ts";
import { makeRadio, newRadioCounts, usualTiming, type RadioCounts, type RadioTiming } from "./radio.ts";
import { statusMessage } from "./topics.ts";
import type { TruthSink } from "./truth.ts";
import { AREAS, placeOf, type Area } from "./villages.ts";

export interface FleetSettings {
  readonly broker: BrokerPlace;
  readonly seed: number;
  /** How many, or who. */
  readonly devices: number | readonly Credentials[];
  readonly areas?: readonly Area[];
  /** When it is in the fleet, and how fast time passes there. */
  readonly time: PaceSettings;
  /** How often a device measures; 900 when left out. */
  readonly intervalSeconds?: number;
  /** Measurements that make a frame; 1 when left out. */
  readonly rowsPerFrame?: number;
  /** What a device's memory holds besides what is on the air; 3,000 when left out: a month of quarters of an hour. */
  readonly bufferRowsMax?: number;
  readonly style?: FrameStyle;
  readonly shares?: FaultShares;
  /** Batteries have lived up to so many years before; 0 when left out, since it takes time to live them. */
  readonly ageYears?: number;
  readonly hasHomeFaults?: boolean;
  readonly isLockedFromStart?: boolean;
  readonly timing?: Partial<RadioTiming>;
  /** Connections that are begun within a second of the machine's time; 1,000 when left out. */
  readonly connectsPerSecond?: number;
  readonly truth?: TruthSink;
  onAcknowledged?(reading: AcknowledgedByFleet): void;
  onAnswer?(serial: string, answer: Answer): void;
}

/** A reading that the program acknowledged: from now on it must be found. */
export interface AcknowledgedByFleet {
  readonly serial: string;
  /** Unix milliseconds, by the device's clock, as the frame told it. */
  readonly atMs: number;
  /** The device's clock was wrong by minutes or more: the program may keep it at another time, or set it aside. */
  readonly isAskew: boolean;
}

export interface FleetCounts extends Readonly<Omit<RadioCounts, "reasons">> {
  readonly reasons: ReadonlyMap<string, number>;
  readonly devices: number;
  readonly measured: number;
  readonly acknowledgedReadings: number;
  readonly overwritten: number;
  readonly answered: number;
  readonly dead: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** The earliest moment that some device has still to live, in simulated Unix milliseconds. */
  readonly livedUntilMs: number;
}

export interface Fleet {
  readonly devices: readonly FleetDevice[];
  counts(): FleetCounts;
  /** Resolves when the last simulated day is lived and nothing waits any more; never for a fleet without an end. */
  readonly finished: Promise<void>;
  /** Says good-bye, writes the truth, closes every connection. Twice is once. */
  stop(): Promise<void>;
}

/** Often enough that a lost connection is made again at once where no pause is asked for. */
const TEND_EVERY_MS = 100;
/** Devices that live their moments before the sockets are looked after again. */
const LIVE_FOR_MS = 12;
/** A broker that takes no more for so long ends a bounded run: what is not acknowledged stays so, and the truth tells it. */
const DRAIN_TIMEOUT_MS = 120_000;
const CONNECTS_PER_SECOND = 1_000;
/** A whole village that comes back at once, and no more than a listening socket lets wait: a slow broker sets the pace itself. */
const OPENING_MAX = 256;

/** Connects the devices and lets them live. Throws RangeError when a setting makes no sense. */
export function startFleet(settings: FleetSettings): Fleet {
  requireShares(settings.shares ?? noFaults);
  const pace = makePace(settings.time, { now: () => Date.now() });
  const radioCounts = newRadioCounts();
  const tally = { measured: 0, acknowledgedReadings: 0, overwritten: 0, answered: 0, dead: 0, faults: { ...noFaults } };
  const moments = makeMoments<FleetDevice>();
  const devices = enlist(settings, {
    pace,
    radioCounts,
    tally,
    reschedule: (device) => moments.add(device.nextAtMs, device),
  });
  for (const device of devices) moments.add(device.nextAtMs, device);

  let isStopped = false;
  let lastProgressAtMs = pace.now();
  let lastSettled = 0;
  let connectsLeft = 0;
  let connectsAtMs = pace.now();
  let beat: NodeJS.Immediate | NodeJS.Timeout | undefined;
  const ending = Promise.withResolvers<void>();
  /** Devices whose moment has come but which wait for the network. */
  let held: FleetDevice[] = [];

  /** Lives what is due, for a few milliseconds. True when more is due. */
  function live(): boolean {
    const untilMs = pace.simulatedNow();
    const stopAt = performance.now() + LIVE_FOR_MS;
    const waiting = held;
    held = [];
    for (const device of waiting) if (!hold(device)) moments.add(device.nextAtMs, device);
    for (;;) {
      const next = moments.first();
      if (next === undefined || next.atMs > untilMs || next.atMs >= pace.endAtMs) return false;
      moments.removeFirst();
      const { item: device } = next;
      // Another entry of the same device, from before it was asked to measure at other times.
      if (device.nextAtMs !== next.atMs) continue;
      if (hold(device)) continue;
      device.step();
      if (device.nextAtMs !== Number.POSITIVE_INFINITY) moments.add(device.nextAtMs, device);
      if (performance.now() > stopAt) return true;
    }
  }

  /** Simulated time that runs ahead of the network waits for it, device by device. */
  function hold(device: FleetDevice): boolean {
    if (!pace.isBounded || device.radio.waitingData < WAITING_FRAMES_MAX) return false;
    held.push(device);
    return true;
  }

  function tend(): void {
    const nowMs = pace.now();
    const perSecond = settings.connectsPerSecond ?? CONNECTS_PER_SECOND;
    connectsLeft = Math.min(perSecond, connectsLeft + ((nowMs - connectsAtMs) * perSecond) / 1_000);
    connectsAtMs = nowMs;
    const mayConnect = (): boolean =>
      radioCounts.opening < OPENING_MAX && connectsLeft >= 1 && (connectsLeft -= 1) >= 0;
    for (const device of devices) {
      const { radio } = device;
      // A dead device lets go of the network once nothing of it is on the air.
      if (device.isDead && isSilent(device)) radio.cover(false);
      radio.tend(nowMs, mayConnect);
    }
  }

  function isLived(): boolean {
    const first = moments.first();
    return pace.isBounded && held.length === 0 && (first === undefined || first.atMs >= pace.endAtMs);
  }

  function checkEnd(): void {
    const settled = radioCounts.acknowledged + tally.measured;
    if (settled !== lastSettled) lastProgressAtMs = pace.now();
    lastSettled = settled;
    if (!pace.isBounded) return;
    const isOver = isLived();
    // What was on the air when the last day ended gets there, wherever the device was.
    if (isOver) for (const device of devices) if (!device.isDead) device.radio.cover(true);
    if ((isOver && devices.every(isSilent)) || pace.now() - lastProgressAtMs > DRAIN_TIMEOUT_MS) ending.resolve();
  }

  let tendedAtMs = 0;
  function work(): void {
    if (isStopped) return;
    const isMoreDue = live();
    if (pace.now() - tendedAtMs >= TEND_EVERY_MS) {
      tendedAtMs = pace.now();
      tend();
      checkEnd();
    }
    // Without a pause only while moments are due: an idle fleet takes no processor.
    beat = isMoreDue ? setImmediate(work) : setTimeout(work, 10);
  }
  work();

  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    clearTimeout(beat as NodeJS.Timeout);
    clearImmediate(beat as NodeJS.Immediate);
    for (const { radio, serial } of devices) radio.leave(statusMessage(serial, "offline"));
    await Promise.all(devices.map(({ radio }) => radio.gone));
    // Only now is nothing acknowledged any more.
    for (const device of devices) device.close();
    settings.truth?.close();
    ending.resolve();
  };

  return {
    devices,
    counts: () => ({
      ...radioCounts,
      ...tally,
      devices: devices.length,
      livedUntilMs: held.reduce(
        (earliest, { nextAtMs }) => Math.min(earliest, nextAtMs),
        Math.min(pace.endAtMs, moments.first()?.atMs ?? pace.simulatedNow()),
      ),
    }),
    finished: ending.promise,
    stop,
  };
}

const isSilent = ({ radio }: FleetDevice): boolean => radio.waitingData + radio.waitingUrgent === 0;

type Tally = {
  -readonly [Name in "measured" | "acknowledgedReadings" | "overwritten" | "answered" | "dead"]: number;
} & {
  readonly faults: Record<FaultKind, number>;
};

function enlist(
  settings: FleetSettings,
  {
    pace,
    radioCounts,
    tally,
    reschedule,
  }: {
    pace: ReturnType<typeof makePace>;
    radioCounts: RadioCounts;
    tally: Tally;
    reschedule(device: FleetDevice): void;
  },
): readonly FleetDevice[] {
  const { seed, areas = AREAS, timing = {} } = settings;
  const who = settings.devices;
  const credentials =
    typeof who === "number" ? Array.from({ length: who }, (_, at) => deriveCredentials(seed, at)) : who;
  return credentials.map((identity, at) => {
    const { serial } = identity;
    const device: FleetDevice = makeFleetDevice(
      {
        seed,
        credentials: identity,
        place: placeOf(at, { seed, areas }),
        startMs: pace.startAtMs,
        intervalSeconds: settings.intervalSeconds ?? 900,
        rowsPerFrame: settings.rowsPerFrame ?? 1,
        bufferRowsMax: settings.bufferRowsMax ?? 3_000,
        style: settings.style ?? "inline",
        shares: settings.shares ?? noFaults,
        ageYears: settings.ageYears ?? 0,
        hasHomeFaults: settings.hasHomeFaults ?? false,
        isLockedFromStart: settings.isLockedFromStart ?? false,
        isPatient: pace.isBounded,
        speed: pace.speed,
      },
      {
        radio: ({ onCommand }) =>
          makeRadio({
            place: settings.broker,
            identity,
            timing: { ...usualTiming, ...timing },
            chance: makeStream(seed, serial, "radio"),
            counts: radioCounts,
            now: () => pace.now(),
            onCommand,
            statusOf: (presence) => statusMessage(serial, presence),
          }),
        writeDay: (day) => settings.truth?.write(day),
        simulatedNow: () => (pace.isBounded ? Number.NEGATIVE_INFINITY : pace.simulatedNow()),
        onMeasured: () => void (tally.measured += 1),
        onOverwritten: () => void (tally.overwritten += 1),
        onFault({ kind }) {
          tally.faults[kind] += 1;
          if (kind === "dead") tally.dead += 1;
        },
        onAcknowledged(readings) {
          tally.acknowledgedReadings += readings.length;
          for (const { seconds, isAskew } of readings)
            settings.onAcknowledged?.({ serial, atMs: seconds * 1_000, isAskew });
        },
        onCommandAnswered(answer) {
          tally.answered += 1;
          settings.onAnswer?.(serial, answer);
        },
        onRescheduled: () => reschedule(device),
      },
    );
    return device;
  });
}
