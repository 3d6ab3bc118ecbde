import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeHome } from "../../../simulators/fleet/home.ts";
import { deriveCredentials, fleetDevicesCsv, parseCredentials } from "../../../simulators/fleet/credentials.ts";
import { runFleetSimulator } from "../../../simulators/fleet/main.ts";
import type { TrueDay } from "../../../simulators/fleet/truth.ts";
import { parseArea, placeOf, AREAS, VILLAGE_DEVICES } from "../../../simulators/fleet/villages.ts";
import { parseDeviceCsv } from "../../../src/devices/device-csv.ts";
import { startTestBroker, type TestBroker } from "./test-broker.ts";

let folder: string;
let broker: TestBroker;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleet-"));
  broker = await startTestBroker();
});
afterEach(async () => {
  await broker.stop();
  await rm(folder, { recursive: true });
});

async function run(argv: readonly string[], signal?: AbortSignal) {
  const output = new PassThrough().setEncoding("utf8");
  let screen = "";
  output.on("data", (piece: string) => (screen += piece));
  const url = `mqtt://127.0.0.1:${String(broker.port)}`;
  const code = await runFleetSimulator(["--url", url, ...argv], {
    output,
    ...(signal === undefined ? {} : { signal }),
  });
  return { code, screen };
}

test("a bounded run ends by itself with a summary, and the truth has a line for each device and day", async () => {
  const truthFile = join(folder, "truth.jsonl");
  const { code, screen } = await run(
    "--devices 5 --days 2 --start 2026-01-05T00:00:00Z --seed 4 --faults usual --truth".split(" ").concat(truthFile),
  );
  expect(code).toBe(0);
  expect(screen).toMatch(/5 devices in [\d.]+ s: 960 measurements, \d+ readings acknowledged, 0 overwritten/);
  const days = (await readFile(truthFile, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as TrueDay);
  expect(new Set(days.map(({ serial, day }) => `${serial} ${day}`)).size).toBe(10);
  const acknowledged = days.reduce((sum, day) => sum + day.acknowledged.length + day.acknowledgedAskew.length, 0);
  expect(acknowledged).toBe(Number(/(\d+) readings acknowledged/.exec(screen)?.[1]));
});

test("an interrupted fleet says good-bye and writes what is true", async () => {
  const truthFile = join(folder, "truth.jsonl");
  const ending = new AbortController();
  const running = run(["--devices", "3", "--interval", "1", "--truth", truthFile], ending.signal);
  await broker.until(() => broker.frames().length >= 3);
  ending.abort();
  const { code, screen } = await running;
  expect(code).toBe(0);
  expect(screen).toContain(`The truth is in ${truthFile}.`);
  const acknowledged = (await readFile(truthFile, "utf8"))
    .trimEnd()
    .split("\n")
    .reduce((sum, line) => sum + (JSON.parse(line) as TrueDay).acknowledged.length, 0);
  expect(acknowledged).toBeGreaterThanOrEqual(3);
  const last = new Map(
    broker.heard
      .filter(({ channel }) => channel === "status")
      .map(({ serial, payload }) => [serial, payload.toString()]),
  );
  expect([...last.values()].every((status) => status.includes("offline"))).toBe(true);
});

test("a fleet that reached nobody ends as a failure", async () => {
  await broker.die();
  const ending = new AbortController();
  const running = run(["--devices", "2", "--interval", "1"], ending.signal);
  setImmediate(() => ending.abort());
  const { code, screen } = await running;
  await broker.revive();
  expect(code).toBe(1);
  expect(screen).toContain("0 readings acknowledged");
});

const START_MS = Date.UTC(2026, 0, 1);

test("the devices of a seed can be brought into the program, and their file is its owner's alone", async () => {
  const file = join(folder, "fleet.csv");
  expect((await run(["--devices", "250", "--seed", "8", "--write-devices", file])).code).toBe(0);
  const { devices, refused } = parseDeviceCsv(await readFile(file, "utf8"));
  expect(refused).toEqual([]);
  expect(devices).toHaveLength(250);
  expect(devices[7]).toMatchObject({ serial: "SIM8-000008", count: 1 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(Buffer.from(devices[7]?.key ?? []).toString("hex")).toBe(deriveCredentials(8, 7).keyHex);
  expect(fleetDevicesCsv([deriveCredentials(8, 0)])).toContain("SIM8-000001");
  // The battery of the file is the one the device then lives with.
  for (const [at, { serial, battery }] of devices.slice(0, 5).entries()) {
    const { latitude, longitude, timezone } = placeOf(at, { seed: 8, areas: AREAS });
    const place = { latitude, longitude, timezone };
    const home = makeHome({ seed: 8, serial, place, startMs: START_MS, ageYears: 0, hasFaults: false });
    const { capacityAh, stateOfHealth } = home.truth();
    expect(battery).toMatchObject({
      chemistry: home.chemistry,
      ratedAh: expect.closeTo(capacityAh / stateOfHealth) as number,
    });
  }
});

test("credentials come with keys or without, and a bad line is told without its secrets", async () => {
  const { serial, keyHex } = deriveCredentials(3, 0);
  expect(parseCredentials(`password,serial\nword,${serial}\n`)).toEqual([{ serial, keyHex, password: "word" }]);
  const key = "0123456789abcdef0123456789abcdef";
  expect(parseCredentials(`Serial,Key,Password\r\nA-1,${key},p\r\n`)).toEqual([
    { serial: "A-1", keyHex: key, password: "p" },
  ]);
  expect(() => parseCredentials("serial,key\nA-1,00")).toThrow(/columns serial and password/);
  expect(() => parseCredentials(`serial,key,password\nA-1,12345,secret`)).toThrow(
    "Line 2: the key of A-1 is not 32 hexadecimal digits.",
  );
  expect(() => parseCredentials(`serial,password\nA-1,p\nA-1,p`)).toThrow("Line 3: A-1 stands there twice.");
  const file = join(folder, "bad.csv");
  await writeFile(file, "serial,password\n,p\n");
  expect(await run(["--credentials", file])).toMatchObject({ code: 2 });
});

test.each([
  [["--devices", "0"], /--devices is a whole number from 1 to/],
  [["--url", "http://example.org"], /--url is an address such as mqtt:/],
  [["--speed", "10"], /need --days/],
  [["--days", "2", "--start", "2999-01-01T00:00:00Z"], /end in the future/],
  [["--start", "yesterday", "--days", "1"], /--start is an instant/],
  [["--fault", "gap=2"], /KIND=SHARE/],
  [["--faults", "some"], /none, usual or bad/],
  [["--village", "Nowhere"], /NAME=LATITUDE,LONGITUDE/],
  [["--format", "cbor"], /--format is inline, named or/],
  [["--frobnicate"], /frobnicate/],
])("wrong use is told in a sentence: %j", async (argv, message) => {
  const { code, screen } = await run(argv);
  expect(code).toBe(2);
  expect(screen).toMatch(message);
});

test("help explains every fault", async () => {
  const { code, screen } = await run(["--help"]);
  expect(code).toBe(0);
  expect(screen).toContain("half_open");
});

test("a larger fleet has the same places first, and a village is a place that a person could walk", () => {
  expect(placeOf(5, { seed: 1, areas: AREAS })).toEqual(placeOf(5, { seed: 1, areas: AREAS }));
  const village = Array.from({ length: VILLAGE_DEVICES }, (_, at) => placeOf(at, { seed: 1, areas: AREAS }));
  expect(new Set(village.map(({ village: name }) => name)).size).toBe(1);
  const latitudes = village.map(({ latitude }) => latitude);
  expect(Math.max(...latitudes) - Math.min(...latitudes)).toBeLessThan(0.04);
  expect(parseArea("Kitui=-1.37,38.01")).toEqual({
    name: "Kitui",
    latitude: -1.37,
    longitude: 38.01,
    timezone: "Etc/GMT-3",
  });
  expect(parseArea("Pole=91,0")).toBeUndefined();
});
