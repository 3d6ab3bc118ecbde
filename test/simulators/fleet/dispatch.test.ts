import { expect, test } from "vitest";
import { makeDayBook } from "../../../simulators/fleet/day-book.ts";
import { makeDeviceClock } from "../../../simulators/fleet/device-clock.ts";
import { makeDispatch, WAITING_FRAMES_MAX } from "../../../simulators/fleet/dispatch.ts";
import type { Lane, Parcel, Radio } from "../../../simulators/fleet/radio.ts";
import type { TrueDay } from "../../../simulators/fleet/truth.ts";
import { prepareSipKey } from "../../../src/devices/tokens/siphash.ts";

const START_AT = Date.UTC(2026, 0, 5);
const END = {
  stateOfHealth: 1,
  capacityAh: 7,
  resistanceOhm: 0.01,
  cause: undefined,
  energyInWh: 0,
  energyOutWh: 0,
  clockErrorSeconds: 0,
  tokenCount: 1,
  isDead: false,
};

/** A modem by hand: what it was given waits until the test says that it was acknowledged. */
function makeHandRadio() {
  const waiting: Parcel[] = [];
  const radio: Radio = {
    send: (_lane: Lane, parcel) => void waiting.push(parcel),
    tend: () => undefined,
    cover: () => undefined,
    drop: () => undefined,
    fallSilent: () => undefined,
    leave: () => undefined,
    get waitingData() {
      return waiting.length;
    },
    waitingUrgent: 0,
    isOpen: false,
    gone: Promise.resolve(),
  };
  const acknowledge = (): number[] => {
    const parcel = waiting.shift();
    if (parcel === undefined) return [];
    const { hd } = JSON.parse(Buffer.from(parcel.message.payload).toString("utf8")) as { hd: number[][] };
    parcel.onAcknowledged?.();
    return hd.map(([seconds = 0]) => seconds);
  };
  return { radio, waiting, acknowledge };
}

function makeDevice({ bufferRowsMax, isPatient = false }: { bufferRowsMax: number; isPatient?: boolean }) {
  const truth: TrueDay[] = [];
  const hand = makeHandRadio();
  const clock = makeDeviceClock();
  let nowMs = START_AT;
  let overwritten = 0;
  const book = makeDayBook(
    { serial: "D1", village: "V1", chemistry: "lfp" },
    { firstDay: START_AT / 86_400_000, write: (day) => void truth.push(day) },
  );
  const dispatch = makeDispatch({
    serial: "D1",
    sip: prepareSipKey(new Uint8Array(16)),
    method: "da",
    style: { formatId: 1 },
    bufferRowsMax,
    isPatient,
    radio: hand.radio,
    book,
    clock,
    now: () => nowMs,
    isAskew: () => false,
    standing: () => ({
      tokenCount: 1,
      tampered: false,
      firmwareVersion: "1",
      activeUntil: 0,
      isUnlocked: false,
      intervalSeconds: 60,
      latitude: 0,
      longitude: 0,
    }),
    onAcknowledged: () => undefined,
    onOverwritten: () => void (overwritten += 1),
  });
  const measure = (count: number): void => {
    for (let left = count; left > 0; left--) {
      nowMs += 60_000;
      const seconds = clock.secondsAt(nowMs);
      book.today.pending.add(seconds);
      dispatch.keep({ seconds, isAskew: false, day: book.today, values: [seconds] });
      dispatch.compose();
    }
  };
  return {
    ...hand,
    dispatch,
    clock,
    measure,
    overwritten: () => overwritten,
    atMs: () => nowMs,
    close(): TrueDay {
      book.close(END);
      const [day] = truth;
      if (day === undefined) throw new Error("No day was written.");
      return day;
    },
  };
}

test("within its memory a device without network loses nothing, and tells everything afterwards in order", () => {
  const device = makeDevice({ bufferRowsMax: 500 });
  device.measure(500);
  expect(device.waiting).toHaveLength(WAITING_FRAMES_MAX);
  const told: number[] = [];
  while (device.waiting.length > 0) {
    told.push(...device.acknowledge());
    device.dispatch.compose();
  }
  expect(told).toHaveLength(500);
  expect(told).toEqual(told.toSorted((left, right) => left - right));
  const day = device.close();
  expect(day.acknowledged).toEqual(told);
  expect([device.overwritten(), day.unacknowledged.length]).toEqual([0, 0]);
});

test("a full memory loses its oldest readings, counts them, and never one that is on the air", () => {
  const device = makeDevice({ bufferRowsMax: 100 });
  device.measure(300);
  expect(device.overwritten()).toBe(300 - 100 - WAITING_FRAMES_MAX);
  const told: number[] = [];
  while (device.waiting.length > 0) {
    told.push(...device.acknowledge());
    device.dispatch.compose();
  }
  const { acknowledged, overwritten, unacknowledged } = device.close();
  expect(acknowledged).toEqual(told);
  expect(acknowledged.length + overwritten.length).toBe(300);
  expect(unacknowledged).toEqual([]);
  expect(told.slice(0, WAITING_FRAMES_MAX)).toEqual(acknowledged.slice(0, WAITING_FRAMES_MAX));
});

test("a device whose clock is set back tells no time until the clock has caught up, and counts on", () => {
  const device = makeDevice({ bufferRowsMax: 100, isPatient: true });
  device.measure(2);
  device.clock.jump(-600);
  device.measure(12);
  const frames = device.waiting.map(
    ({ message }) => JSON.parse(Buffer.from(message.payload).toString("utf8")) as { ts?: number; rc: number },
  );
  expect(frames.map(({ rc }) => rc)).toEqual(frames.map((_, at) => at + 1));
  const times = frames.flatMap(({ ts }) => (ts === undefined ? [] : [ts]));
  expect(times).toEqual([...new Set(times)].toSorted((left, right) => left - right));
  expect(frames.filter(({ ts }) => ts === undefined).length).toBe(9);
});
