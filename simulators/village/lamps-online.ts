/**
 * The village's lamps on the air: each has a modem and a home of panel, battery and habits, reports what it measures, and obeys
 * commands with the very keypad memory that its people type tokens into.
 */
import { parseKey } from "../../src/devices/tokens/openpaygo.ts";
import { prepareSipKey } from "../../src/devices/tokens/siphash.ts";
import type { BrokerPlace } from "../fleet/link.ts";
import { makeHome, type Home } from "../fleet/home.ts";
import { metricsFrame, rowOf } from "../fleet/metrics-frame.ts";
import { obey, rememberAnswer, type Answer, type Controls } from "../fleet/obey.ts";
import { makeRadio, newRadioCounts, usualTiming, type Radio, type RadioCounts } from "../fleet/radio.ts";
import { answerMessage, dataMessage, statusMessage } from "../fleet/topics.ts";
import type { Lamp, LampSnapshot } from "../lamp/lamp.ts";
import { makeStream } from "../rail/chance.ts";

export interface LampsOnline {
  readonly counts: Readonly<RadioCounts>;
  /** Resolves when every lamp has a first report acknowledged, or rejects with the reason when that takes longer than `withinMs`. */
  reported(withinMs: number): Promise<void>;
  isCovered(serial: string): boolean;
  /** Takes a lamp's network away, or gives it back. */
  cover(serial: string, isCovered: boolean): void;
  /** Has a lamp report now: somebody did something at its keypad. */
  report(serial: string): void;
  stop(): Promise<void>;
}

const INTERVAL_SECONDS = 60;
const TEND_EVERY_MS = 100;
const SEED = 1;
/** Frames that wait for a gateway which is away; a lamp of the demonstration has no longer memory. */
const WAITING_MAX = 200;
/** Near Kitui, a few hundred metres from each other. */
const VILLAGE = { latitude: -1.37, longitude: 38.01, timezone: "Africa/Nairobi" };

interface OnlineLamp {
  readonly radio: Radio;
  readonly serial: string;
  /** Reports when it is time, and looks after the connection. */
  tend(nowMs: number): void;
  report(): void;
}

/** Connects the lamps. `passwords` by serial; a lamp without one stays off the air. */
export function connectLamps({
  lamps,
  passwords,
  place,
  clock,
  onObeyed = () => undefined,
}: {
  lamps: readonly Lamp[];
  passwords: ReadonlyMap<string, string>;
  place: BrokerPlace;
  clock: { now(): number };
  onObeyed?(serial: string, answer: Answer): void;
}): LampsOnline {
  const counts = newRadioCounts();
  const awaited = new Map<string, () => void>();
  const firstReports: Promise<void>[] = [];
  const online = lamps.flatMap((lamp, at): OnlineLamp[] => {
    const { settings } = lamp.snapshot();
    const password = passwords.get(settings.serial);
    if (password === undefined) return [];
    firstReports.push(new Promise((resolve) => awaited.set(settings.serial, resolve)));
    const onReported = (): void => awaited.get(settings.serial)?.();
    const spot = { ...VILLAGE, latitude: VILLAGE.latitude + at / 500, longitude: VILLAGE.longitude + at / 700 };
    return [putOnline({ lamp, settings, password, spot, place, clock, counts, onObeyed, onReported })];
  });
  const uncovered = new Set<string>();
  const tend = (): void => online.forEach((lamp) => lamp.tend(clock.now()));
  tend();
  const tending = setInterval(tend, TEND_EVERY_MS);

  return {
    counts,
    async reported(withinMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          const [reason = "nothing was heard"] = counts.reasons.keys();
          reject(new Error(`The lamps could not report within ${String(withinMs / 1_000)} s: ${reason}.`));
        }, withinMs);
      });
      await Promise.race([Promise.all(firstReports), late]).finally(() => clearTimeout(timer));
    },
    isCovered: (serial) => online.some((lamp) => lamp.serial === serial) && !uncovered.has(serial),
    cover(serial, isCovered) {
      if (isCovered) uncovered.delete(serial);
      else uncovered.add(serial);
      online.find((lamp) => lamp.serial === serial)?.radio.cover(isCovered);
    },
    report: (serial) => online.find((lamp) => lamp.serial === serial)?.report(),
    async stop() {
      clearInterval(tending);
      for (const { radio, serial } of online) radio.leave(statusMessage(serial, "offline"));
      await Promise.all(online.map(({ radio }) => radio.gone));
    },
  };
}

function putOnline({
  lamp,
  settings,
  password,
  spot,
  place,
  clock,
  counts,
  onObeyed,
  onReported,
}: {
  lamp: Lamp;
  settings: LampSnapshot["settings"];
  password: string;
  spot: { latitude: number; longitude: number; timezone: string };
  place: BrokerPlace;
  clock: { now(): number };
  counts: RadioCounts;
  onObeyed(serial: string, answer: Answer): void;
  onReported(): void;
}): OnlineLamp {
  const { serial, keyHex } = settings;
  const key = parseKey(keyHex);
  if (!key.ok) throw new RangeError(key.refusal.message);
  const sip = prepareSipKey(key.key);
  const home: Home = makeHome({ seed: SEED, serial, place: spot, startMs: clock.now(), ageYears: 2, hasFaults: false });
  const answered = new Map<string, Answer>();
  let reportAtMs = clock.now();
  let controls: Controls = { intervalSeconds: INTERVAL_SECONDS, firmwareVersion: "1.2.0" };
  const radio = makeRadio({
    place,
    identity: { serial, password },
    timing: usualTiming,
    chance: makeStream(SEED, serial, "radio"),
    counts,
    now: () => clock.now(),
    onCommand,
    statusOf: (presence) => statusMessage(serial, presence),
  });

  function enter(token: string): "VALID" | "ALREADY_USED" | "INVALID" {
    const { kind } = lamp.enter(token);
    return kind === "VALID" || kind === "ALREADY_USED" ? kind : "INVALID";
  }

  function onCommand(payload: Buffer): void {
    const obeyed = obey(payload, controls, { enter, nowMs: clock.now(), answered });
    if (obeyed === undefined) return;
    ({ controls } = obeyed);
    rememberAnswer(answered, obeyed.answer);
    radio.send("urgent", { message: answerMessage(serial, obeyed.answer) });
    if (obeyed.isRepetition === true) return;
    onObeyed(serial, obeyed.answer);
    // What changed is told at once: somebody may be waiting before the lamp.
    report();
  }

  function report(): void {
    const nowMs = clock.now();
    reportAtMs = nowMs + controls.intervalSeconds * 1_000;
    if (radio.waitingData >= WAITING_MAX) return;
    const seconds = Math.floor(nowMs / 1_000);
    const measured = home.live(nowMs, { mayGiveLight: lamp.face().relayOn, isBypassed: false });
    const { count, paygEnabled, expiresAt } = lamp.state();
    const payload = metricsFrame({
      serial,
      sip,
      method: "da",
      style: "named",
      timestamp: undefined,
      requestCount: nextCount(nowMs),
      standing: {
        ...spot,
        tokenCount: count,
        tampered: false,
        firmwareVersion: controls.firmwareVersion,
        activeUntil: Math.floor((expiresAt ?? 0) / 1_000),
        isUnlocked: !paygEnabled,
        intervalSeconds: controls.intervalSeconds,
      },
      rows: [rowOf(seconds, measured, -71)],
    });
    radio.send("data", { message: dataMessage(serial, payload), onAcknowledged: onReported });
  }

  // A lamp that starts again has forgotten its count; seconds of the calendar are above all that went before.
  let lastCount = 0;
  function nextCount(nowMs: number): number {
    lastCount = Math.max(lastCount + 1, Math.floor((nowMs - COUNTING_SINCE_MS) / 1_000));
    return lastCount;
  }

  return {
    radio,
    serial,
    report,
    tend(nowMs) {
      if (nowMs >= reportAtMs) report();
      radio.tend(nowMs, () => true);
    },
  };
}

/** Where counting by the calendar begins: the nine digits that a count may have then last until 2057. */
const COUNTING_SINCE_MS = Date.UTC(2026, 0, 1);
