import { afterEach, expect, test } from "vitest";
import { badFaults, noFaults } from "../../../simulators/fleet/faults.ts";
import {
  startFleet,
  type AcknowledgedByFleet,
  type Fleet,
  type FleetSettings,
} from "../../../simulators/fleet/fleet.ts";
import { makeStream } from "../../../simulators/rail/chance.ts";
import type { TrueDay } from "../../../simulators/fleet/truth.ts";
import { startTestBroker, type TestBroker } from "./test-broker.ts";

const DAY_MS = 86_400_000;
const START_AT = Date.UTC(2026, 2, 2);
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function broker(options?: Parameters<typeof startTestBroker>[0]): Promise<TestBroker> {
  const started = await startTestBroker(options);
  closers.push(() => started.stop());
  return started;
}

/** A fleet that lives some days as fast as the broker takes them, with everything it said about itself. */
function live(to: TestBroker, settings: Partial<FleetSettings> & { days: number }) {
  const truth: TrueDay[] = [];
  const acknowledged: AcknowledgedByFleet[] = [];
  const fleet: Fleet = startFleet({
    broker: { host: "127.0.0.1", port: to.port, isSecure: false },
    seed: 5,
    devices: 8,
    time: { startAtMs: START_AT, endAtMs: START_AT + settings.days * DAY_MS, speed: Number.POSITIVE_INFINITY },
    timing: { reconnectFirstMs: 5, reconnectLongestMs: 40 },
    truth: { write: (day) => void truth.push(day), close: () => undefined },
    onAcknowledged: (reading) => void acknowledged.push(reading),
    ...settings,
  });
  closers.push(() => fleet.stop());
  return { fleet, truth, acknowledged };
}

const sorted = (truth: readonly TrueDay[]): readonly string[] => truth.map((day) => JSON.stringify(day)).toSorted();

test("the same seed lives the same life and tells the same readings, whatever the network does meanwhile", async () => {
  const calm = await broker();
  const first = live(calm, { days: 2, devices: 4, shares: badFaults });
  await first.fleet.finished;
  await first.fleet.stop();

  // Messages wait, some are refused, and the broker dies twice.
  const chance = makeStream(99, "trouble");
  const rough = await broker({
    async before() {
      for (let turns = Math.floor(chance() * 4); turns > 0; turns--) await new Promise((next) => setImmediate(next));
      if (chance() < 0.02) throw new Error("not now");
    },
  });
  const second = live(rough, { days: 2, devices: 4, shares: badFaults });
  for (const share of [100, 400]) {
    await rough.until(() => rough.heard.length > share);
    await rough.die();
    await rough.revive();
  }
  await second.fleet.finished;
  await second.fleet.stop();

  expect(sorted(second.truth)).toEqual(sorted(first.truth));
  expect(first.truth).toHaveLength(8);
  const valuesOf = (heard: TestBroker): readonly string[] =>
    [...new Set(heard.frames().map(({ sn, rc, ts, d, hd }) => JSON.stringify([sn, rc, ts, d, hd])))].toSorted();
  expect(valuesOf(rough)).toEqual(valuesOf(calm));
  const other = live(calm, { days: 1, devices: 4, shares: badFaults, seed: 6 });
  await other.fleet.finished;
  await other.fleet.stop();
  const firstDays = (days: readonly TrueDay[]) => sorted(days.filter(({ day }) => day === "2026-03-02"));
  expect(firstDays(other.truth)).toHaveLength(4);
  expect(firstDays(other.truth)).not.toEqual(firstDays(first.truth));
});

test("what the truth calls acknowledged was heard, and what was heard the truth calls acknowledged", async () => {
  const heard = await broker();
  const { fleet, truth, acknowledged } = live(heard, { days: 3, devices: 12, shares: badFaults, rowsPerFrame: 4 });
  await fleet.finished;
  await fleet.stop();
  const told = new Set(heard.frames().flatMap(({ sn, hd }) => hd.map(([seconds]) => `${sn} ${String(seconds)}`)));
  const known = new Set(
    truth.flatMap((day) => [...day.acknowledged, ...day.acknowledgedAskew].map((at) => `${day.serial} ${String(at)}`)),
  );
  expect(known).toEqual(told);
  expect(new Set(acknowledged.map(({ serial, atMs }) => `${serial} ${String(atMs / 1_000)}`))).toEqual(told);
  expect(truth.every(({ overwritten }) => overwritten.length === 0)).toBe(true);
  expect(truth.filter(({ clockErrorSeconds }) => clockErrorSeconds !== 0).length).toBeGreaterThan(0);
});

test("a broker that dies under load costs no reading: what it had not acknowledged comes again", async () => {
  const heard = await broker();
  const { fleet, truth } = live(heard, { days: 4, shares: noFaults });
  for (let death = 1; death <= 5; death++) {
    await heard.until(() => heard.heard.length > death * 300);
    await heard.die();
    await heard.revive();
  }
  await fleet.finished;
  await fleet.stop();
  const { measured, overwritten, connectionsLost } = fleet.counts();
  const told = heard.frames().flatMap(({ sn, hd }) => hd.map(([seconds]) => `${sn} ${String(seconds)}`));
  expect(measured).toBe(8 * 4 * 96);
  expect(overwritten).toBe(0);
  expect(connectionsLost).toBeGreaterThanOrEqual(5 * 8);
  expect(new Set(told).size).toBe(measured);
  expect(
    truth.every(
      ({ unacknowledged, unacknowledgedFrames }) => unacknowledged.length + unacknowledgedFrames.length === 0,
    ),
  ).toBe(true);
});

test("a device that vanishes leaves its last will, and one that leaves says so itself", async () => {
  const heard = await broker();
  const { fleet } = live(heard, {
    days: 1,
    devices: 1,
    shares: { ...noFaults, drop: 1 },
    timing: { reconnectFirstMs: 5, reconnectLongestMs: 5 },
  });
  await fleet.finished;
  await fleet.stop();
  const told = heard.heard.filter(({ channel }) => channel === "status");
  expect(told.every(({ isRetained }) => isRetained)).toBe(true);
  expect(told.map(({ payload }) => (JSON.parse(payload.toString("utf8")) as { status: string }).status)).toEqual(
    expect.arrayContaining(["online", "offline", "online", "offline"]),
  );
});

test("a dead device is silent from its day on, and its last readings still arrive", async () => {
  const heard = await broker();
  const { fleet, truth } = live(heard, { days: 3, devices: 6, shares: { ...noFaults, dead: 0.5 } });
  await fleet.finished;
  await fleet.stop();
  const dead = truth.filter(({ isDead }) => isDead);
  expect(dead.length).toBeGreaterThan(0);
  for (const { serial, faults, acknowledged, unacknowledged } of dead) {
    const diedAt = (faults.at(-1)?.atMs ?? 0) / 1_000;
    expect(Math.max(...heard.frames(serial).flatMap(({ hd }) => hd.map(([seconds = 0]) => seconds)))).toBeLessThan(
      diedAt,
    );
    expect([...acknowledged, ...unacknowledged].every((at) => at < diedAt)).toBe(true);
    expect(unacknowledged).toEqual([]);
  }
  expect(fleet.counts().dead).toBe(dead.length);
});

test("a village without its mast is silent as a whole, and comes back with its history", async () => {
  const heard = await broker();
  const { fleet, truth } = live(heard, { days: 2, devices: 5, shares: { ...noFaults, village_outage: 1 } });
  await fleet.finished;
  await fleet.stop();
  const outages = truth.map(({ day, faults }) => `${day} ${JSON.stringify(faults)}`);
  expect(new Set(outages).size).toBe(2);
  const [outage] = truth[0]?.faults ?? [];
  const lengthMs = (outage?.untilMs ?? 0) - (outage?.atMs ?? 0);
  const longest = heard.frames().reduce((most, { hd }) => Math.max(most, hd.length), 0);
  expect(longest).toBeGreaterThanOrEqual(Math.floor(lengthMs / 900_000));
  // The second day ended with the mast still down: what is missing is what the devices then held.
  const stillDownFrom = Math.max(...truth.flatMap(({ faults }) => faults.map(({ atMs }) => atMs))) / 1_000;
  const missing = truth.flatMap(({ unacknowledged }) => unacknowledged);
  expect(missing.every((seconds) => seconds > stillDownFrom)).toBe(true);
  expect(fleet.counts().acknowledgedReadings + missing.length).toBe(fleet.counts().measured);
});
