/** One device of the fleet: what it does at each moment of simulated time, and what it answers when it is spoken to. */
import {
  acceptToken,
  isUnlocked,
  newDeviceState,
  parseKey,
  prepareDevice,
  type TokenDevice,
} from "../../src/devices/tokens/openpaygo.ts";
import { makeStream } from "../rail/chance.ts";
import type { Credentials } from "./credentials.ts";
import { makeDayBook, type DayEnd, type Noted } from "./day-book.ts";
import { makeDeviceClock } from "./device-clock.ts";
import { makeDispatch } from "./dispatch.ts";
import { DAY_MS, dayOf, faultsOfDay, type Fault, type FaultShares } from "./faults.ts";
import { makeHome } from "./home.ts";
import { rowOf, type FrameStyle, type Standing } from "./metrics-frame.ts";
import { obey, rememberAnswer, type Answer, type Controls } from "./obey.ts";
import type { Radio } from "./radio.ts";
import { answerMessage, eventMessage } from "./topics.ts";
import type { TrueDay } from "./truth.ts";
import type { Place } from "./villages.ts";

export interface DeviceSettings {
  readonly seed: number;
  readonly credentials: Credentials;
  readonly place: Place;
  readonly startMs: number;
  readonly intervalSeconds: number;
  /** Measurements that make a frame. */
  readonly rowsPerFrame: number;
  /** Measurements that the device keeps besides those on the air; then the oldest are overwritten. */
  readonly bufferRowsMax: number;
  readonly style: FrameStyle;
  readonly shares: FaultShares;
  readonly ageYears: number;
  readonly hasHomeFaults: boolean;
  /** Dark until the first token; else a device that never had a token gives light, and from its first on obeys its days. */
  readonly isLockedFromStart: boolean;
  /** In real time rows wait in memory while the network is away; a run that waits for the network composes frames at once. */
  readonly isPatient: boolean;
  /** Simulated seconds that pass in a second; what lasts in the air is that much shorter. */
  readonly speed: number;
}

export interface DeviceSurroundings {
  readonly radio: (device: { onCommand(payload: Buffer): void }) => Radio;
  writeDay(day: TrueDay): void;
  onMeasured(): void;
  /** The program took these readings over. */
  onAcknowledged(readings: readonly Noted[]): void;
  onOverwritten(): void;
  onFault(fault: Fault): void;
  onCommandAnswered(answer: Answer): void;
  /** Its next moment is now another one. */
  onRescheduled(): void;
  /** True simulated time, where it runs by itself; else minus infinity. */
  simulatedNow(): number;
}

export interface FleetDevice {
  readonly serial: string;
  readonly place: Place;
  readonly radio: Radio;
  /** When it next does something, in simulated Unix milliseconds; infinity once it is dead. */
  readonly nextAtMs: number;
  readonly isDead: boolean;
  /** Does what is due at `nextAtMs`. */
  step(): void;
  /** Days that are still open are written as they stand. */
  close(): void;
}

const FIRMWARE = ["1.2.0", "1.2.3", "2.0.1"] as const;
/** A clock that is wrong by more is one that a program may put right: its readings are found at other times, or set aside. */
const ASKEW_SECONDS = 240;

interface Due {
  readonly atMs: number;
  run(): void;
}

export function makeFleetDevice(settings: DeviceSettings, around: DeviceSurroundings): FleetDevice {
  const { seed, credentials, place, startMs } = settings;
  const { serial } = credentials;
  const tokenDevice = requireTokenDevice(credentials);
  const clock = makeDeviceClock();
  const home = makeHome({ ...settings, serial, hasFaults: settings.hasHomeFaults });
  const book = makeDayBook(
    { serial, village: place.village, chemistry: home.chemistry },
    { firstDay: dayOf(startMs), write: (day) => around.writeDay(day) },
  );
  const build = makeStream(seed, serial, "build");
  const method = build() < 0.5 ? "da" : "ra";
  const baseSignal = -60 - Math.floor(build() * 45);
  const signal = makeStream(seed, serial, "signal");
  let tokenState = newDeviceState(1);
  let controls: Controls = {
    intervalSeconds: settings.intervalSeconds,
    firmwareVersion: FIRMWARE[Math.floor(build() * FIRMWARE.length)] ?? FIRMWARE[0],
  };
  const intervalMs = settings.intervalSeconds * 1_000;
  const phaseMs = Math.floor(build() * settings.intervalSeconds) * 1_000;

  const agenda: Due[] = [];
  const answered = new Map<string, Answer>();
  let atMs = startMs;
  let measureAtMs = (Math.floor((startMs - phaseMs) / intervalMs) + 1) * intervalMs + phaseMs;
  let uncoveredUntilMs = 0;
  let bypassedUntilMs = 0;
  let isTampered = false;
  let isDead = false;
  let obeysDays = settings.isLockedFromStart;

  const isAskew = (): boolean => Math.abs(clock.errorSecondsAt(atMs)) > ASKEW_SECONDS;
  const isCovered = (): boolean => atMs >= uncoveredUntilMs;
  const now = (): number => Math.max(atMs, around.simulatedNow());
  const radio = around.radio({ onCommand });
  const dispatch = makeDispatch({
    ...settings,
    serial,
    sip: tokenDevice.sip,
    method,
    radio,
    book,
    clock,
    now,
    isAskew,
    standing,
    onAcknowledged: (rows) => around.onAcknowledged(rows),
    onOverwritten: () => around.onOverwritten(),
  });

  function endOfDay(): DayEnd {
    const { stateOfHealth, capacityAh, resistanceOhm, cause, energyInWh, energyOutWh } = home.truth();
    return {
      stateOfHealth: significant(stateOfHealth),
      capacityAh: significant(capacityAh),
      resistanceOhm: significant(resistanceOhm),
      cause,
      energyInWh: Math.round(energyInWh),
      energyOutWh: Math.round(energyOutWh),
      clockErrorSeconds: clock.errorSecondsAt(atMs),
      tokenCount: tokenState.count,
      isDead,
    };
  }

  function plan(due: Due): void {
    const at = agenda.findIndex((other) => other.atMs > due.atMs);
    agenda.splice(at < 0 ? agenda.length : at, 0, due);
  }

  function planDay(day: number): void {
    plan({
      atMs: (day + 1) * DAY_MS,
      run() {
        book.turn(endOfDay(), day + 1);
        planDay(day + 1);
      },
    });
    for (const fault of faultsOfDay(settings.shares, { seed, serial, village: place.village, day })) {
      if (fault.atMs > startMs) plan({ atMs: fault.atMs, run: () => suffer(fault) });
    }
  }

  function suffer(fault: Fault): void {
    book.today.faults.push(fault);
    around.onFault(fault);
    const { kind, amount, untilMs } = fault;
    switch (kind) {
      case "burst":
        dispatch.sendSingly();
        return loseCoverage(untilMs);
      case "gap":
      case "village_outage":
      case "village_storm":
        return loseCoverage(untilMs);
      case "drop":
        return radio.drop();
      case "torn":
        return radio.drop({ isTorn: true });
      case "half_open":
        return radio.fallSilent((untilMs - fault.atMs) / settings.speed);
      case "duplicate":
        return dispatch.sendNextTwice();
      case "lost_ack":
        return dispatch.loseNextAcknowledgement();
      case "clock_drift":
        return clock.drift(atMs, amount);
      case "clock_step":
        clock.jump(amount);
        return plan({ atMs: untilMs, run: () => clock.putRight(atMs) });
      case "clock_lost":
        clock.loseTime(atMs);
        return plan({ atMs: untilMs, run: () => clock.putRight(atMs) });
      case "lid_opened":
        isTampered = true;
        return tell("lid_opened");
      case "bypass":
        bypassedUntilMs = Math.max(bypassedUntilMs, untilMs);
        return;
      case "battery_swap":
        home.swapBattery(atMs);
        radio.drop();
        return tell("battery_disconnected");
      case "dead":
        isDead = true;
        // What was on the air when it died gets there all the same: what a run acknowledges hangs on the seed alone.
        radio.cover(true);
    }
  }

  function loseCoverage(untilMs: number): void {
    uncoveredUntilMs = Math.max(uncoveredUntilMs, untilMs);
    radio.cover(false);
    plan({
      atMs: untilMs,
      run() {
        if (!isCovered()) return;
        radio.cover(true);
        dispatch.compose();
      },
    });
  }

  function measure(): void {
    const mayGiveLight = !obeysDays || isUnlocked(tokenState, atMs);
    const told = home.live(atMs, { mayGiveLight, isBypassed: atMs < bypassedUntilMs });
    const seconds = clock.secondsAt(atMs);
    const values = rowOf(seconds, told, baseSignal + Math.round(signal() * 8 - 4));
    book.today.pending.add(seconds);
    around.onMeasured();
    dispatch.keep({ seconds, day: book.today, values, isAskew: isAskew() });
    measureAtMs += controls.intervalSeconds * 1_000;
    if (isCovered() && dispatch.rowsKept >= settings.rowsPerFrame) dispatch.compose();
  }

  function standing(): Standing {
    const { intervalSeconds, firmwareVersion } = controls;
    return {
      tokenCount: tokenState.count,
      tampered: isTampered,
      firmwareVersion,
      activeUntil: Math.floor((tokenState.expiresAt ?? 0) / 1_000),
      isUnlocked: !tokenState.paygEnabled,
      intervalSeconds,
      latitude: place.latitude,
      longitude: place.longitude,
    };
  }

  function tell(kind: string, detail: Readonly<Record<string, string | number | boolean>> = {}): void {
    radio.send("urgent", { message: eventMessage(serial, { kind, seconds: clock.secondsAt(now()), detail }) });
  }

  const answer = (given: Answer): void => radio.send("urgent", { message: answerMessage(serial, given) });

  function onCommand(payload: Buffer): void {
    if (isDead) return;
    const nowMs = now();
    const enter = (token: string) => {
      const { outcome, state } = acceptToken(tokenDevice, tokenState, { token, nowAt: nowMs });
      tokenState = state;
      if (outcome === "VALID") obeysDays = true;
      return outcome;
    };
    const obeyed = obey(payload, controls, { enter, nowMs, answered });
    if (obeyed === undefined) return;
    if (obeyed.isRepetition === true) return answer(obeyed.answer);
    const before = controls;
    controls = obeyed.controls;
    rememberAnswer(answered, obeyed.answer);
    answer(obeyed.answer);
    around.onCommandAnswered(obeyed.answer);
    if (controls.intervalSeconds !== before.intervalSeconds) {
      measureAtMs = nowMs + controls.intervalSeconds * 1_000;
      around.onRescheduled();
    }
    if (obeyed.fetch !== undefined) dispatch.sendAgain(obeyed.fetch);
    if (obeyed.restarts === true) {
      tell("started", { firmware_version: controls.firmwareVersion });
      radio.drop();
    }
  }

  planDay(dayOf(startMs));
  return {
    serial,
    place,
    radio,
    get nextAtMs() {
      return isDead ? Number.POSITIVE_INFINITY : Math.min(measureAtMs, agenda[0]?.atMs ?? measureAtMs);
    },
    get isDead() {
      return isDead;
    },
    step() {
      if (isDead) return;
      const [due] = agenda;
      // What befalls a device at the moment of a measurement befalls it before.
      if (due !== undefined && due.atMs <= measureAtMs) {
        agenda.shift();
        atMs = Math.max(atMs, due.atMs);
        return due.run();
      }
      atMs = Math.max(atMs, measureAtMs);
      measure();
    },
    close: () => book.close(endOfDay()),
  };
}

function requireTokenDevice({ serial, keyHex }: Credentials): TokenDevice {
  const parsed = parseKey(keyHex);
  if (!parsed.ok) throw new RangeError(`${serial}: ${parsed.refusal.message}`);
  const prepared = prepareDevice({ key: parsed.key });
  if (!prepared.ok) throw new RangeError(`${serial}: ${prepared.refusal.message}`);
  return prepared.device;
}

const significant = (value: number): number => Number(value.toPrecision(6));
