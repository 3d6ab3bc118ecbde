import { encode } from "cborg";
import { describe, expect, test } from "vitest";
import { FRAME_BYTES_MAX, READINGS_MAX } from "../../../src/telemetry/frames/frame.ts";
import type { DeviceFrame, FrameOutcome, FrameRefusal } from "../../../src/telemetry/frames/frame.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import { parseDataFormat } from "../../../src/telemetry/metrics/data-format.ts";
import { writeReadings } from "../../../src/telemetry/metrics/simple-form.ts";
import { houseOf, makeSigningDevice } from "./device-signer.ts";

const NOW = 1_790_000_000;
const lamp = makeSigningDevice("SLT30000123", "a29ab82edc5fbbc41ec9530f6dac86b1");
const FORMAT = {
  data_order: ["token_count", "tampered", "firmware_version"],
  historical_data_order: ["battery_voltage", "panel_voltage", "timestamp", "relative_time", "gps"],
  historical_data_interval: -60,
  variables: {
    battery_voltage: { name: "Battery", type: "integer", unit: "mV" },
    panel_voltage: { name: "Panel", type: "float", unit: "V", scale_factor: 0.1 },
    gps: { name: "Place", type: "gps" },
  },
};
const house = houseOf([lamp], { 12: FORMAT });
const reader = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "optional" });

function say(request: unknown, contentType?: "json" | "cbor"): FrameOutcome {
  const payload =
    request instanceof Uint8Array || typeof request === "string"
      ? Buffer.from(request as string)
      : Buffer.from(JSON.stringify(request));
  return reader.read(
    { payload, topic: "data", serial: lamp.serial, contentType, receivedAtMs: NOW * 1_000 + 250 },
    house,
  );
}

function frameOf(request: unknown): DeviceFrame {
  const outcome = say(request);
  if (!outcome.ok) throw new Error(outcome.refusal.detail);
  const [frame] = outcome.frames;
  if (frame === undefined) throw new Error("no frame");
  return frame;
}

function refusalOf(request: unknown, contentType?: "json" | "cbor"): FrameRefusal {
  const outcome = say(request, contentType);
  if (outcome.ok) throw new Error("taken");
  return outcome.refusal;
}

const sn = lamp.serial;

describe("what a request says", () => {
  test("data are a reading of the moment and the device's standing", () => {
    const frame = frameOf({
      serial_number: sn,
      timestamp: NOW,
      data: {
        tc: 13,
        tampered: 0,
        firmware_version: "1.14.2",
        battery_voltage: 12.5,
        battery_current: 3.2,
        overload: true,
        gps: [36.8, -1.3],
        active_seconds_left: 3_600,
        autsr: 1,
      },
    });
    expect(frame.standing).toEqual({
      tokenCount: 13,
      tampered: false,
      firmwareVersion: "1.14.2",
      activeUntilMs: (NOW + 3_600) * 1_000,
      latitude: -1.3,
      longitude: 36.8,
      intervalSeconds: undefined,
    });
    expect(frame.wishes).toEqual({ activeUntil: true, activeSecondsLeft: false });
    expect(frame.readings).toHaveLength(1);
    // The specification's current comes out of the battery; ours goes into it.
    expect(frame.readings[0]).toMatchObject({
      atMs: NOW * 1_000,
      batteryVoltageV: 12.5,
      batteryCurrentA: -3.2,
      extra: { overload: true },
    });
  });

  test("units and factors of the format become ours, and rows come out oldest first", () => {
    const { readings } = frameOf({
      sn,
      df: 12,
      ts: NOW,
      d: [3],
      hd: [[12_600, 175], [12_500, null, null, null, [36.8, -1.3]], { 0: 12_400, timestamp: NOW - 999 }, []],
    });
    expect(
      readings.map(({ atMs, batteryVoltageV, panelVoltageV }) => [NOW - atMs / 1_000, batteryVoltageV, panelVoltageV]),
    ).toEqual([
      [999, 12.4, undefined],
      [60, 12.5, undefined],
      [0, 12.6, 17.5],
    ]);
    expect(readings[1]?.extra).toEqual({ gps_longitude: 36.8, gps_latitude: -1.3 });
  });

  test("data and a row of the same moment are one reading", () => {
    const { readings } = frameOf({
      sn,
      ts: NOW,
      d: { battery_voltage: 12.5 },
      hd: [{ timestamp: NOW, panel_voltage: 17 }],
    });
    expect(readings).toHaveLength(1);
    expect(readings[0]).toMatchObject({ batteryVoltageV: 12.5, panelVoltageV: 17 });
  });

  test("a device without a clock is given the time its frame came, and what an intermediary adds goes before", () => {
    expect(frameOf({ sn, ts: 0, rc: 7, d: { battery_voltage: 12 } })).toMatchObject({
      sentAtMs: undefined,
      readings: [{ atMs: NOW * 1_000 + 250 }],
    });
    for (const name of ["dct", "dtc", "data_collection_timestamp"]) {
      expect(frameOf({ sn, ts: NOW, [name]: NOW - 500, d: { battery_voltage: 12 } }).readings[0]?.atMs).toBe(
        (NOW - 500) * 1_000,
      );
    }
  });

  test("temperatures in Fahrenheit, energy in kilowatt-hours and a modem's signal are converted", () => {
    const variables = {
      battery_temperature: { name: "t", unit: "Fahrenheit" },
      energy_in: { name: "e", unit: "kWh" },
      energy_out: { name: "e", unit: "Wh", aggregation_method: "sum" },
      signal: { name: "s", unit: "CSQ" },
      battery_current: { name: "c", unit: "mA", scale_factor: -1 },
    };
    const [reading] = frameOf({
      sn,
      ts: NOW,
      dfo: { variables },
      d: { battery_temperature: 95, energy_in: 1.2345, energy_out: 7, signal: 20, battery_current: 500 },
    }).readings;
    expect(reading?.batteryTemperatureC).toBeCloseTo(35, 9);
    expect(reading).toMatchObject({
      energyInWh: 1_235,
      energyOutWh: undefined,
      signalDbm: -73,
      batteryCurrentA: 0.5,
      extra: { energy_out: 7 },
    });
  });

  test("a sensor that is not there tells nothing", () => {
    const [reading] = frameOf({
      sn,
      d: { battery_temperature: -127, signal: 99, battery_voltage: 12, panel_voltage: null },
    }).readings;
    expect(reading).toMatchObject({
      batteryTemperatureC: undefined,
      signalDbm: undefined,
      batteryVoltageV: 12,
      panelVoltageV: undefined,
    });
  });

  test("CBOR says the same as JSON, with numbers for positions and with or without its mark", () => {
    const request = { sn, df: 12, ts: NOW, d: [3], hd: [[12_600, 175]] };
    const plain = encode(request);
    expect(say(plain, "cbor")).toEqual(say(request));
    expect(say(plain)).toEqual(say(request));
    expect(say(Buffer.concat([Buffer.of(0xd9, 0xd9, 0xf7), plain]))).toEqual(say(request));
    const keyed = encode(
      new Map<string, unknown>([
        ["sn", sn],
        ["df", 12],
        ["ts", NOW],
        [
          "hd",
          [
            new Map([
              [0, 12_600],
              [1, 175],
            ]),
          ],
        ],
      ]),
    );
    expect(say(keyed)).toEqual(say({ sn, df: 12, ts: NOW, hd: [[12_600, 175]] }));
  });

  test("readings written out for GET are read back as they were", () => {
    const { readings } = frameOf({
      sn,
      ts: NOW,
      hd: [{ timestamp: NOW, battery_voltage: 12.5, battery_current: -1.5, load_power: 0, energy_in: 77, door: true }],
    });
    expect(frameOf(writeReadings(sn, readings)).readings).toEqual(readings);
  });
});

describe("what is refused says what would be right", () => {
  const cases: readonly [what: string, request: unknown, reason: FrameRefusal["reason"], detail: string][] = [
    ["nothing at all", "", "not_readable", "empty"],
    ["one byte", "{", "not_readable", "not JSON"],
    ["broken UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "not_readable", "UTF-8"],
    ["NaN", `{"sn":"${sn}","d":{"battery_voltage":NaN}}`, "not_readable", "send null"],
    ["a list", "[1]", "wrong_schema", "an object with serial_number"],
    ["no serial", { d: {} }, "wrong_schema", "serial_number (sn) is missing"],
    ["a serial that no device can have", { sn: "a b", d: {} }, "wrong_schema", "1 to 64 letters, digits or ."],
    ["no data", { sn }, "wrong_schema", "neither data"],
    ["a member twice", `{"sn":"${sn}","d":{},"d":{"tc":1}}`, "wrong_schema", '"d" comes twice'],
    [
      "a member twice, once by an escape",
      `{"sn":"${sn}","d":{},"\\u0064":{"tc":1}}`,
      "wrong_schema",
      '"d" comes twice',
    ],
    ["a member in two spellings", { sn, d: {}, data: {} }, "wrong_schema", "two spellings"],
    ["milliseconds", { sn, ts: NOW * 1_000, d: {} }, "wrong_schema", "not milliseconds"],
    ["a row in milliseconds", { sn, hd: [{ timestamp: NOW * 1_000, soc: 5 }] }, "wrong_schema", "not milliseconds"],
    ["both formats", { sn, df: 12, dfo: {}, d: {} }, "wrong_schema", "only one"],
    ["a format nobody registered", { sn, df: 13, d: {} }, "unknown_format", "register it at /data_format"],
    ["a list without a format", { sn, d: [1] }, "wrong_schema", "data_order"],
    ["too many values", { sn, df: 12, d: [1, 2, "3", 4] }, "wrong_schema", "4 values"],
    ["a row without a time", { sn, hd: [{ soc: 5 }, { soc: 6 }] }, "wrong_schema", "row 1"],
    ["a position nobody names", { sn, df: 12, hd: [{ 9: 1 }] }, "wrong_schema", 'position "9"'],
    ["text for a measure", { sn, d: { battery_voltage: "12.5" } }, "wrong_schema", 'is "12.5"; it must be a number'],
    [
      "a modem's CSQ taken for dBm",
      { sn, d: { signal: 18 } },
      "wrong_schema",
      "possible is -200 to 0 dBm (name its unit",
    ],
    ["millivolts taken for volts", { sn, d: { battery_voltage: 12_500 } }, "wrong_schema", "scale_factor"],
    [
      "an unit of something else",
      { sn, dfo: { variables: { battery_voltage: { name: "b", unit: "A" } } }, d: {} },
      "wrong_schema",
      "V, mV or kV",
    ],
    [
      "a unit nobody knows",
      { sn, dfo: { variables: { soc: { name: "b", unit: "bananas" } } }, d: {} },
      "wrong_schema",
      '"bananas"',
    ],
    ["a number past all numbers", `{"sn":"${sn}","d":{"x":1e999}}`, "wrong_schema", "finite"],
    ["a nested value", { sn, d: { x: { y: 1 } } }, "wrong_schema", "only numbers, texts"],
    ["a prototype", `{"sn":"${sn}","d":{"__proto__":1}}`, "wrong_schema", "__proto__"],
    ["a NUL", { sn, d: { x: "a\0b" } }, "wrong_schema", "NUL"],
    ["half a character", `{"sn":"${sn}","d":{"x":"\\ud800"}}`, "wrong_schema", "half a character"],
    ["a negative count", { sn, rc: -1, d: {} }, "wrong_schema", "nine digits"],
    ["a token count past its column", { sn, d: { tc: 2 ** 31 } }, "wrong_schema", "token_count"],
    ["a place off the globe", { sn, d: { gps: [36, 91] } }, "wrong_schema", "[longitude, latitude]"],
    ["an auth of no method", { sn, d: {}, a: "zz00" }, "signature_invalid", "sa, ta, ca, da or ra"],
    ["CBOR that breaks off", Buffer.from([0xa2, 0x62, 0x73]), "not_readable", "breaks off"],
    ["CBOR with a byte string", encode({ sn, d: { x: Buffer.from("a") } }), "not_readable", "requests do not use"],
    ["CBOR with NaN", encode({ sn, d: { x: Number.NaN } }), "not_readable", "NaN"],
    ["CBOR with a key twice", Buffer.from("a2617801617802", "hex"), "not_readable", "repeat"],
  ];

  test.each(cases)("%s", (_what, request, reason, detail) => {
    const refusal = refusalOf(request);
    expect([refusal.reason, refusal.detail]).toEqual([reason, expect.stringContaining(detail)]);
  });

  test("nesting is bounded in both encodings", () => {
    const deep = (open: string, close: string): string =>
      `{"sn":"${sn}","d":${open.repeat(10_000)}1${close.repeat(10_000)}}`;
    expect(refusalOf(deep("[", "]")).detail).toContain("deeper than 16");
    expect(refusalOf(Buffer.concat([Buffer.of(0xa1, 0x61, 0x64), Buffer.alloc(5_000, 0x81)]), "cbor").detail).toContain(
      "deeper than 16",
    );
  });

  test("what would keep a decoder busy for seconds is refused before it is decoded", () => {
    const members = Object.fromEntries(Array.from({ length: 300_000 }, (_, at) => [`k${at}`, 1]));
    expect(refusalOf({ sn, d: members }).detail).toContain("more than 600 members");
    expect(refusalOf(encode({ sn, d: members }), "cbor").detail).toContain("more than 600 members");
    expect(refusalOf({ sn, hd: Array.from({ length: 1_000_000 }, () => 1) }).reason).toBe("too_many_rows");
    expect(refusalOf(encode({ sn, hd: Array.from({ length: 1_000_000 }, () => 1) }), "cbor").reason).toBe(
      "too_many_rows",
    );
    const wide = Array.from({ length: 5_000 }, () => Array.from({ length: 200 }, () => 1));
    expect(refusalOf({ sn, hd: wide }).detail).toContain("more than 500000 values");
    expect(refusalOf(encode({ sn, hd: wide }), "cbor").detail).toContain("more than 500000 values");
  });

  test("size and rows are bounded, and the largest frame is still read", () => {
    expect(refusalOf(Buffer.alloc(FRAME_BYTES_MAX + 1, 0x20)).reason).toBe("too_large");
    const rows = (count: number): string =>
      `{"sn":"${sn}","df":12,"ts":${NOW},"hd":[${"[12600],".repeat(count - 1)}[12600]]}`;
    expect(refusalOf(rows(READINGS_MAX + 1)).reason).toBe("too_many_rows");
    expect(frameOf(rows(READINGS_MAX)).readings).toHaveLength(READINGS_MAX);
    const padded = `${rows(10).slice(0, -1)}${" ".repeat(FRAME_BYTES_MAX - rows(10).length)}}`;
    expect(Buffer.byteLength(padded)).toBe(FRAME_BYTES_MAX);
    expect(frameOf(padded).readings).toHaveLength(10);
  });

  test("topics that are nobody's are refused without their length", () => {
    const outcome = reader.read(
      {
        payload: Buffer.from("{}"),
        topic: `x\u0000${"y".repeat(60_000)}`,
        serial: sn,
        contentType: undefined,
        receivedAtMs: 0,
      },
      house,
    );
    expect(!outcome.ok && [outcome.refusal.reason, outcome.refusal.detail.length < 200]).toEqual([
      "unknown_topic",
      true,
    ]);
  });
});

describe("data formats", () => {
  const detailOf = (document: unknown): string => {
    const answer = parseDataFormat(document);
    return answer.ok ? "valid" : answer.detail;
  };

  test("orders come as lists, or by position from 0 or 1", () => {
    for (const data_order of [["tc", "tampered"], { 0: "tc", 1: "tampered" }, { 1: "tc", 2: "tampered" }]) {
      const answer = parseDataFormat({ data_order });
      expect(answer.ok && answer.format.dataOrder).toEqual(["token_count", "tampered"]);
    }
    expect(detailOf({ data_order: { 1: "tc", 3: "tampered" } })).toContain("none at position 2");
  });

  test("what is wrong is named", () => {
    expect(detailOf([])).toContain("the document");
    expect(detailOf({ data_order: ["a", "a"] })).toContain("a stands twice");
    expect(detailOf({ data_order: ["7"] })).toContain("named by a number");
    expect(detailOf({ historical_data_interval: "60" })).toContain("historical_data_interval");
    expect(detailOf({ variables: { soc: { name: "x", scale_factor: 0 } } })).toContain("would make every value 0");
    expect(detailOf({ variables: { soc: { name: "x", type: "number" } } })).toContain("variables.soc.type");
    expect(detailOf({ variables: { load_power: { name: "x", unit: "kWh" } } })).toContain("which measures energy");
  });
});
