import { describe, expect, test } from "vitest";
import { writePayload } from "../../../bench/fuzz/sparkplug.ts";
import type { WrittenMetric } from "../../../bench/fuzz/sparkplug.ts";
import type { FrameOutcome } from "../../../src/telemetry/frames/frame.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import { parseTopic, readSparkplug } from "../../../src/telemetry/frames/sparkplug-adapter.ts";
import { makeBirths } from "../../../src/telemetry/frames/sparkplug-births.ts";
import { makeInstances } from "../../../src/telemetry/frames/victron-instances.ts";
import { houseOf, makeSigningDevice } from "../metrics/device-signer.ts";

const NOW_MS = 1_790_000_000_250;
const lamp = makeSigningDevice("SLT30000123", "a29ab82edc5fbbc41ec9530f6dac86b1");
const house = houseOf([lamp]);

function makeBridges(
  instances: readonly [string, string][] = [],
): (topic: string, payload: Uint8Array | string, serial?: string) => FrameOutcome {
  const reader = makeFrameReader({
    allowSimpleAuth: false,
    signatureOnConnection: "optional",
    victron: {
      portals: new Map([
        ["c0619ab1cd23", lamp.serial],
        ["stale", "GONE1"],
      ]),
      instances: makeInstances({ named: new Map(instances) }),
    },
    sparkplug: { groups: new Set(["village"]), births: makeBirths({ edgesMax: 10 }) },
  });
  return (topic, payload, serial) =>
    reader.read({ payload: Buffer.from(payload), topic, serial, contentType: undefined, receivedAtMs: NOW_MS }, house);
}

const reasonOf = (outcome: FrameOutcome): string => (outcome.ok ? "taken" : outcome.refusal.reason);
const readingsOf = (outcome: FrameOutcome) => (outcome.ok ? outcome.frames.flatMap(({ readings }) => readings) : []);

describe("a Victron-like bridge", () => {
  const say = makeBridges();
  const path = (rest: string): string => `N/c0619ab1cd23/${rest}`;

  test("values become quantities of the device behind the portal", () => {
    expect(readingsOf(say(path("system/0/Dc/Battery/Current"), '{"value": -3.25}'))[0]).toMatchObject({
      batteryCurrentA: -3.25,
    });
    expect(readingsOf(say(path("solarcharger/258/Yield/System"), '{"value": 1.5}'))[0]).toMatchObject({
      energyInWh: 1_500,
    });
  });

  test("values that come together are readings of their own, and the same value twice in a second is one", () => {
    const times = ["Voltage", "Current", "Soc", "Voltage"].map(
      (name) => readingsOf(say(path(`system/0/Dc/Battery/${name}`), '{"value": 50}'))[0]?.atMs,
    );
    expect(new Set(times).size).toBe(3);
    expect(times[0]).toBe(times[3]);
    expect(times.every((atMs) => atMs !== undefined && Math.abs(atMs - NOW_MS) < 1_000)).toBe(true);
  });

  /** The counter as it stands in its column, and what is kept beside it. */
  const energies = (told: readonly FrameOutcome[]) =>
    told.flatMap(readingsOf).map(({ energyInWh, extra }) => energyInWh ?? extra);

  test("of two solar chargers the first that was heard counts, and the other's values stand under its own name", () => {
    const two = makeBridges();
    const told = [279, 280, 279, 280].map((instance, at) =>
      two(
        path(`solarcharger/${String(instance)}/Yield/System`),
        `{"value": ${String(instance === 279 ? 10 + at : 500 + at)}}`,
      ),
    );
    expect(energies(told)).toEqual([
      10_000,
      { solarcharger_280_yield_system: 501 },
      12_000,
      { solarcharger_280_yield_system: 503 },
    ]);
    const other = readingsOf(two(path("solarcharger/280/Pv/V"), '{"value": 30}'))[0];
    expect(other).toMatchObject({ panelVoltageV: undefined, extra: { solarcharger_280_pv_v: 30 } });
    expect(new Set([...told.slice(0, 2).flatMap(readingsOf), other].map((reading) => reading?.atMs)).size).toBe(3);
  });

  test("the one that the operator named counts, whoever is heard first", () => {
    const two = makeBridges([["c0619ab1cd23/solarcharger", "280"]]);
    const told = [279, 280].map((instance) =>
      two(path(`solarcharger/${String(instance)}/Yield/System`), '{"value": 7}'),
    );
    expect(energies(told)).toEqual([{ solarcharger_279_yield_system: 7 }, 7_000]);
  });

  test("a charger that goes away makes room for the one that takes its place", () => {
    const two = makeBridges();
    const say = (instance: number, payload: string) =>
      two(path(`solarcharger/${String(instance)}/Yield/System`), payload);
    expect(energies([say(279, '{"value": 7}'), say(279, ""), say(280, '{"value": 1}')])).toEqual([7_000, 1_000]);
  });

  test("paths that measure nothing of ours, empty values and cleared topics tell nothing and disturb nobody", () => {
    for (const [rest, payload] of [
      ["vebus/276/Mode", '{"value": 3}'],
      ["system/0/Dc/Battery/Soc", '{"value": null}'],
      ["system/0/Dc/Battery/Soc", ""],
    ] as const) {
      expect(say(path(rest), payload)).toEqual({ ok: true, frames: [] });
    }
  });

  test("portals nobody named, other people's connections and wrong values are refused", () => {
    expect(reasonOf(say("N/feedbeef/system/0/Dc/Battery/Soc", '{"value": 5}'))).toBe("unknown_device");
    expect(reasonOf(say("N/stale/system/0/Dc/Battery/Soc", '{"value": 5}'))).toBe("unknown_device");
    expect(reasonOf(say(path("system/0/Dc/Battery/Soc"), '{"value": 5}', "OTHER1"))).toBe("foreign_serial");
    expect(reasonOf(say(path("system/0/Dc/Battery/Soc"), "5"))).toBe("wrong_schema");
    expect(reasonOf(say(path("system/0/Dc/Battery/Soc"), '{"value": "full"}'))).toBe("wrong_schema");
    expect(reasonOf(say(path("system/0/Dc/Battery/Soc"), '{"value": 5000}'))).toBe("wrong_schema");
    expect(reasonOf(say("N/c0619ab1cd23", "{}"))).toBe("unknown_topic");
  });
});

describe("a Sparkplug B bridge", () => {
  const topic = (kind: string, device = `/${lamp.serial}`): string => `spBv1.0/village/${kind}/edge1${device}`;
  const birth: readonly WrittenMetric[] = [
    { name: "bdSeq", int: 1 },
    { name: "Battery/Voltage", alias: 1, datatype: 3, int: 12_640, unit: "mV" },
    { name: "Ambient Temperature", alias: 2, datatype: 1, int: -7 },
    { name: "Firmware Version", alias: 3, text: "7.1" },
    { name: "Tampered", alias: 4, boolean: false },
    { name: "Fan/Speed", alias: 5, double: 0.5 },
  ];
  const born = writePayload(birth, NOW_MS);

  test("a birth tells that the device is there, what it measures, and in which units", () => {
    const outcome = makeBridges()(topic("DBIRTH"), born);
    expect(outcome).toMatchObject({
      ok: true,
      frames: [
        {
          serial: lamp.serial,
          presence: "online",
          sentAtMs: NOW_MS,
          standing: { firmwareVersion: "7.1", tampered: false },
        },
      ],
    });
    expect(readingsOf(outcome)).toEqual([
      expect.objectContaining({
        atMs: NOW_MS,
        batteryVoltageV: 12.64,
        ambientTemperatureC: -7,
        extra: { fan_speed: 0.5 },
      }),
    ]);
  });

  test("data name metrics by the aliases of the birth; each moment is a reading, oldest first", () => {
    const say = makeBridges();
    say(topic("DBIRTH"), born);
    const data: readonly WrittenMetric[] = [
      { alias: 1, int: 12_600 },
      { alias: 2, int: 0xf0 },
      { alias: 1, timestamp: NOW_MS - 60_000, int: 12_650, isHistorical: true },
      { alias: 4, boolean: true },
      { alias: 3, isNull: true },
    ];
    const outcome = say(topic("DDATA"), writePayload(data, NOW_MS));
    expect(
      readingsOf(outcome).map((reading) => [
        reading.atMs - NOW_MS,
        reading.batteryVoltageV,
        reading.ambientTemperatureC,
      ]),
    ).toEqual([
      [-60_000, 12.65, undefined],
      [0, 12.6, -16],
    ]);
    expect(outcome).toMatchObject({ frames: [{ standing: { tampered: true, firmwareVersion: undefined } }] });
  });

  test("an alias without its birth is refused with what to ask for, also after the node was born anew", () => {
    const say = makeBridges();
    const data = writePayload([{ alias: 1, int: 1 }], NOW_MS);
    expect(say(topic("DDATA"), data)).toMatchObject({
      refusal: { reason: "unknown_format", detail: expect.stringContaining("Rebirth") },
    });
    say(topic("DBIRTH"), born);
    expect(reasonOf(say(topic("DDATA"), data))).toBe("taken");
    say(topic("NBIRTH", ""), writePayload([{ name: "bdSeq", int: 2 }], NOW_MS));
    expect(reasonOf(say(topic("DDATA"), data))).toBe("unknown_format");
  });

  test("a node's death takes its devices with it", () => {
    const say = makeBridges();
    expect(say(topic("NDEATH", ""), "")).toEqual({ ok: true, frames: [] });
    say(topic("DBIRTH"), born);
    expect(say(topic("NDEATH", ""), "")).toMatchObject({ frames: [{ serial: lamp.serial, presence: "offline" }] });
    expect(say(topic("DDEATH"), "")).toMatchObject({ frames: [{ serial: lamp.serial, presence: "offline" }] });
  });

  test("the late death of a session that is over marks nobody offline; that of the session now does", () => {
    const say = makeBridges();
    const dies = (session: number) =>
      say(topic("NDEATH", ""), writePayload([{ name: "bdSeq", int: session }], undefined));
    const bornIn = (session: number) => {
      say(topic("NBIRTH", ""), writePayload([{ name: "bdSeq", int: session }], NOW_MS));
      say(topic("DBIRTH"), born);
    };
    const offline = { frames: [{ serial: lamp.serial, presence: "offline" }] };
    bornIn(7);
    bornIn(8);
    expect(dies(7)).toEqual({ ok: true, frames: [] });
    expect(dies(8)).toMatchObject(offline);
    bornIn(0);
    expect(dies(255)).toEqual({ ok: true, frames: [] });
    // One that does not say which session it ends is believed.
    expect(say(topic("NDEATH", ""), "")).toMatchObject(offline);
  });

  test("reading is a function of the bytes and of what is known, which it hands back", () => {
    const raw = {
      payload: born,
      topic: topic("DBIRTH"),
      serial: undefined,
      contentType: undefined,
      receivedAtMs: NOW_MS,
    };
    const parsed = parseTopic(raw.topic);
    if (parsed === undefined) throw new Error("no topic");
    const first = readSparkplug(raw, { topic: parsed, context: house, known: undefined });
    expect(readSparkplug(raw, { topic: parsed, context: house, known: undefined })).toEqual(first);
    expect(first.birth?.devices).toEqual(new Set([lamp.serial]));
    expect(first.birth?.byAlias.get(1)?.target.factor).toBe(0.001);
  });

  test("groups nobody named, strangers, host topics and broken bytes are refused", () => {
    const say = makeBridges();
    expect(reasonOf(say(`spBv1.0/city/DBIRTH/edge1/${lamp.serial}`, born))).toBe("not_signed");
    expect(reasonOf(say(topic("DBIRTH", "/NOBODY"), born))).toBe("unknown_device");
    expect(reasonOf(say(topic("DBIRTH"), born, "OTHER1"))).toBe("foreign_serial");
    expect(reasonOf(say("spBv1.0/STATE/host", "{}"))).toBe("unknown_topic");
    expect(reasonOf(say(topic("NCMD", ""), born))).toBe("unknown_topic");
    for (let length = 1; length < born.length; length += 7) {
      expect(["not_readable", "taken", "wrong_schema"]).toContain(
        reasonOf(say(topic("DBIRTH"), born.subarray(0, length))),
      );
    }
    expect(reasonOf(say(topic("DBIRTH"), Buffer.from("0dffffffff", "hex")))).toBe("taken");
    expect(reasonOf(say(topic("DBIRTH"), Buffer.from("12ffffffff0f", "hex")))).toBe("not_readable");
    const amperes: readonly WrittenMetric[] = [{ name: "Battery/Voltage", alias: 1, double: 12, unit: "A" }];
    expect(reasonOf(say(topic("DBIRTH"), writePayload(amperes, NOW_MS)))).toBe("wrong_schema");
  });

  test("memory forgets the edge that was born longest ago", () => {
    const births = makeBirths({ edgesMax: 2 });
    const birthOf = (id: string) => ({ byAlias: new Map(), devices: new Set([id]), session: undefined });
    for (const edge of ["a", "b", "a", "c"]) births.put(edge, birthOf(edge));
    expect([births.find("a"), births.find("b"), births.find("c")].map((found) => found !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });
});
