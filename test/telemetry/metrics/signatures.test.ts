import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FrameOutcome } from "../../../src/telemetry/frames/frame.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import { buildAnswer } from "../../../src/telemetry/metrics/answer.ts";
import { pythonFloat } from "../../../src/telemetry/metrics/cbor-text.ts";
import { judgeFreshness } from "../../../src/telemetry/metrics/freshness.ts";
import { houseOf, makeSigningDevice, METHODS, signedRequest, writeCbor, writeJson } from "./device-signer.ts";
import type { RequestParts } from "./device-signer.ts";

const SEEDED = { seed: 20_261_121 };
const NOW = 1_790_000_000;
const lamp = makeSigningDevice("SLT30000123", "a29ab82edc5fbbc41ec9530f6dac86b1");
const other = makeSigningDevice("OP123456789", "bc41ec9530f6dac86b1a29ab82edc5fb");
const FORMAT = {
  data_order: ["token_count", "tampered"],
  historical_data_order: ["battery_voltage", "panel_voltage"],
  historical_data_interval: 60,
};
const house = houseOf([lamp, other], { 1: FORMAT });

const door = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "required" });

function post(payload: string | Uint8Array, reader = door, serial?: string): FrameOutcome {
  const contentType = typeof payload === "string" ? "json" : "cbor";
  return reader.read(
    { payload: Buffer.from(payload), topic: "/dd", serial, contentType, receivedAtMs: NOW * 1_000 },
    house,
  );
}

const reasonOf = (outcome: FrameOutcome): string => (outcome.ok ? "taken" : outcome.refusal.reason);

const volts = fc.integer({ min: 0, max: 1_500 }).map((hundredths) => hundredths / 100);
const parts: fc.Arbitrary<RequestParts> = fc.record({
  timestamp: fc.integer({ min: NOW - 1_000_000, max: NOW }),
  requestCount: fc.integer({ min: 1, max: 999_999_999 }),
  data: fc.oneof(
    fc.tuple(fc.nat(2_000), fc.boolean()),
    fc.record({
      token_count: fc.nat(2_000),
      note: fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\0")),
    }),
  ),
  history: fc.array(
    fc.oneof(fc.tuple(volts), fc.tuple(volts, volts), fc.record({ battery_voltage: volts, 1: volts })),
    { maxLength: 5 },
  ),
  unsigned: fc.constant({ df: 1 }),
});
const writing = fc.record({
  method: fc.constantFrom(...METHODS.filter((method) => method !== "sa")),
  form: fc.constantFrom("simple" as const, "condensed" as const),
  isPadded: fc.boolean(),
});

describe("signatures", () => {
  test("what a device signs is taken, by every method, in JSON and in CBOR, with and without leading zeros", () => {
    fc.assert(
      fc.property(parts, writing, fc.boolean(), (request, how, isCbor) => {
        const payload = isCbor ? writeCbor(lamp, request, how) : writeJson(lamp, request, how);
        expect(reasonOf(post(payload))).toBe("taken");
      }),
      { ...SEEDED, numRuns: 400 },
    );
  });

  test("a byte changed in what is signed is noticed", () => {
    fc.assert(
      fc.property(
        parts.filter(({ history = [] }) => history.length > 0),
        fc.constantFrom("da", "ra"),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (request, method, where, by) => {
          const text = writeJson(lamp, request, { method: method as "da" | "ra", form: "condensed" });
          const bytes = Buffer.from(text);
          const [from, to] = [text.indexOf('"ts":') + 5, bytes.lastIndexOf('"a":')];
          const at = from + (where % (to - from));
          bytes[at] = (bytes[at] ?? 0) ^ by;
          // Turned into white space between two tokens it is the same request; then it is no change of what is signed.
          fc.pre(sameWithoutSpace(text, bytes) === false);
          expect(reasonOf(post(bytes.toString("latin1") === text ? text : jsonBytes(bytes)))).not.toBe("taken");
        },
      ),
      { ...SEEDED, numRuns: 600 },
    );
  });

  test("white space that somebody added on the way breaks no signature", () => {
    const request = { timestamp: NOW, data: [3, false], history: [[12.5], [12.6, 17]], unsigned: { df: 1 } };
    for (const method of ["da", "ra"] as const) {
      const compact = signedRequest(lamp, request, { method, form: "simple" });
      expect(reasonOf(post(JSON.stringify(compact, null, 2)))).toBe("taken");
    }
  });

  test("texts are signed as they were sent: 12.0 is not 12, and a letter may be sent plain and signed escaped", () => {
    const text = writeJson(
      lamp,
      { timestamp: NOW, data: { token_count: 3, load: "12.0" } },
      { method: "da", form: "condensed" },
    );
    expect(reasonOf(post(text))).toBe("taken");
    const raw = `${lamp.serial}${NOW}{"token_count":3,"battery_voltage":12.0}`;
    const auth = `da${lamp.hash(Buffer.from(raw)).toString(16)}`;
    const sent = (number: string): string =>
      `{"sn":"${lamp.serial}","ts":${NOW},"d":{"token_count":3,"battery_voltage":${number}},"a":"${auth}"}`;
    expect(reasonOf(post(sent("12.0")))).toBe("taken");
    expect(reasonOf(post(sent("12")))).toBe("signature_invalid");
    const escaped = `da${lamp.hash(Buffer.from(`${lamp.serial}${NOW}{"note":"\\u00e9"}`)).toString(16)}`;
    expect(reasonOf(post(`{"sn":"${lamp.serial}","ts":${NOW},"d":{"note":"é"},"a":"${escaped}"}`))).toBe("taken");
  });

  test("another device's key signs nothing for this one", () => {
    const request = signedRequest(
      other,
      { timestamp: NOW, data: { token_count: 3 } },
      { method: "da", form: "simple" },
    );
    expect(reasonOf(post(JSON.stringify({ ...request, serial_number: lamp.serial })))).toBe("signature_invalid");
    const stranger = makeSigningDevice("UNKNOWN1", "00".repeat(16));
    const told = writeJson(stranger, { timestamp: NOW, data: {} }, { method: "ta", form: "simple" });
    expect(reasonOf(post(told))).toBe("unknown_device");
  });
});

/** `post` takes text as JSON and bytes as CBOR; these bytes are JSON whatever they hold. */
function jsonBytes(bytes: Buffer): string {
  return bytes.toString("utf8");
}

function sameWithoutSpace(text: string, bytes: Buffer): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(JSON.parse(bytes.toString("utf8")));
  } catch {
    return false;
  }
}

describe("what proves that a request is new", () => {
  const freshOf = (method: (typeof METHODS)[number]): unknown => {
    const outcome = post(
      writeJson(lamp, { timestamp: NOW, requestCount: 7, data: { token_count: 1 } }, { method, form: "condensed" }),
    );
    return outcome.ok ? outcome.frames[0]?.freshness : outcome.refusal.reason;
  };

  test("only what the method signed counts", () => {
    expect(freshOf("ta")).toEqual({ requestTimestamp: NOW, requestCount: undefined });
    expect(freshOf("ca")).toEqual({ requestTimestamp: undefined, requestCount: 7 });
    expect(freshOf("da")).toEqual({ requestTimestamp: NOW, requestCount: 7 });
    expect(freshOf("ra")).toEqual({ requestTimestamp: NOW, requestCount: 7 });
    expect(freshOf("sa")).toBe("not_signed");
  });

  test("a request that signs nothing that grows is taken only where the operator allows it", () => {
    const lenient = makeFrameReader({ allowSimpleAuth: true, signatureOnConnection: "required" });
    for (const method of ["sa", "da", "ra"] as const) {
      const payload = writeJson(lamp, { data: { token_count: 1 } }, { method, form: "condensed" });
      expect(reasonOf(post(payload))).toBe("not_signed");
      expect(reasonOf(post(payload, lenient))).toBe("taken");
    }
  });

  test("a heard request cannot be sent again with its timestamp as its count, or digits moved between them", () => {
    const heard = writeJson(lamp, { timestamp: NOW, data: { token_count: 1 } }, { method: "ta", form: "condensed" });
    const asCount = heard.replace('"ts":', '"rc":').replace('"a":"ta', '"a":"ca');
    expect(reasonOf(post(asCount))).toBe("wrong_schema");
    const at = 1_789_123_456;
    const both = writeJson(lamp, { timestamp: at, requestCount: 12, data: {} }, { method: "da", form: "condensed" });
    const moved = (timestamp: string, count: string): string =>
      both.replace(`"ts":${at},"rc":12`, `"ts":${timestamp},"rc":${count}`);
    expect(reasonOf(post(both))).toBe("taken");
    expect(reasonOf(post(moved("17891234561", "2")))).toBe("wrong_schema");
    expect(reasonOf(post(moved("178912", "345612")))).toBe("clock_off");
    expect(reasonOf(post(moved("0", `${at}12`)))).toBe("wrong_schema");
    const counted = writeJson(lamp, { requestCount: 4_123, data: {} }, { method: "ra", form: "condensed" });
    expect(reasonOf(post(counted.replace('"rc":', '"ts":')))).toBe("clock_off");
  });

  test("each request needs a greater count and a later time than the last", () => {
    const last = { requestTimestamp: 100, requestCount: 7 };
    const judge = (requestTimestamp: number | undefined, requestCount: number | undefined) =>
      judgeFreshness({ requestTimestamp, requestCount }, last);
    expect(judge(101, 8)).toEqual({ verdict: "newer" });
    expect(judge(undefined, 8)).toEqual({ verdict: "newer" });
    expect(judge(undefined, undefined)).toEqual({ verdict: "newer" });
    expect(judge(101, 7)).toMatchObject({ verdict: "replayed", detail: expect.stringContaining("7 was there before") });
    expect(judge(100, 8)).toMatchObject({
      verdict: "replayed",
      detail: expect.stringContaining("100 was there before"),
    });
    expect(judge(99, 8)).toMatchObject({
      verdict: "replayed",
      detail: expect.stringContaining("100 was there before"),
    });
  });

  test("the last one once more is told apart from an older one", () => {
    const last = { requestTimestamp: 100, requestCount: 7 };
    const verdictOf = (requestTimestamp: number | undefined, requestCount: number | undefined): string =>
      judgeFreshness({ requestTimestamp, requestCount }, last).verdict;
    expect([verdictOf(100, 7), verdictOf(100, undefined), verdictOf(undefined, 7)]).toEqual(["same", "same", "same"]);
    expect([verdictOf(100, 6), verdictOf(99, 7), verdictOf(undefined, 6)]).toEqual([
      "replayed",
      "replayed",
      "replayed",
    ]);
    // A count that was never told before cannot be that of the last frame.
    expect(
      judgeFreshness({ requestTimestamp: 100, requestCount: 1 }, { requestTimestamp: 100, requestCount: undefined }),
    ).toMatchObject({ verdict: "replayed" });
  });
});

describe("a connection that vouches for its device", () => {
  const own = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "optional" });
  const unsigned = writeJson(lamp, { data: { token_count: 4 } }, { method: undefined, form: "condensed" });

  test("needs no signature, unless the operator wants one; what is signed is checked all the same", () => {
    expect(reasonOf(post(unsigned, own, lamp.serial))).toBe("taken");
    expect(reasonOf(post(unsigned, door, lamp.serial))).toBe("not_signed");
    expect(reasonOf(post(unsigned, own))).toBe("not_signed");
    const signed = writeJson(lamp, { timestamp: NOW, data: {} }, { method: "ra", form: "condensed" });
    expect(reasonOf(post(signed, own, lamp.serial))).toBe("taken");
    expect(reasonOf(post(signed.replace('"a":"ra', '"a":"da'), own, lamp.serial))).toBe("signature_invalid");
  });

  test("vouches for no other device, not even with that one's signature", () => {
    const foreign = writeJson(other, { timestamp: NOW, data: {} }, { method: "ra", form: "condensed" });
    const outcome = post(foreign, own, lamp.serial);
    expect(outcome).toMatchObject({ ok: false, refusal: { reason: "foreign_serial", serial: lamp.serial } });
  });

  test("vouches for no accessory: one without a signature of its own is set aside, and the lamp's data are kept", () => {
    const television = signedRequest(
      other,
      { timestamp: NOW, data: { battery_voltage: 9 } },
      { method: "ra", form: "condensed" },
    );
    const { a: _signature, ...bare } = television;
    const request = JSON.stringify({ sn: lamp.serial, d: { tc: 4 }, acc: [television, bare, 7] });
    const outcome = post(request, own, lamp.serial);
    expect(outcome.ok && outcome.frames.map(({ serial }) => serial)).toEqual([lamp.serial, other.serial]);
    expect(outcome.ok && outcome.setAside?.map(({ reason }) => reason)).toEqual(["not_signed", "wrong_schema"]);
  });
});

describe("answers", () => {
  const to = { requestTimestamp: NOW, requestCount: undefined, form: "condensed" as const };

  test("tokens keep their leading zero, and the answer speaks the form of the request", () => {
    const content = { tokens: ["012345678"], activeUntil: NOW + 60 };
    const condensed = buildAnswer({ serial: lamp.serial, to, content }, lamp.hash);
    expect(JSON.parse(condensed ?? "")).toMatchObject({ tkl: ["012345678"], auts: NOW + 60 });
    const simple = buildAnswer(
      { serial: lamp.serial, to: { ...to, form: "simple" }, content, isCarried: true },
      lamp.hash,
    );
    expect(JSON.parse(simple ?? "")).toMatchObject({ serial_number: lamp.serial, token_list: ["012345678"] });
  });

  test("the signature covers the texts that are sent, in the specification's order", () => {
    const settings = { base_url: "https://other.example/metrics", label: "é" };
    const answer = buildAnswer({ serial: lamp.serial, to, content: { activeSecondsLeft: 0, settings } }, lamp.hash);
    const sent = /"st":(\{.*?\}),"a":"(da[0-9a-f]+)"/.exec(answer ?? "");
    expect(sent?.[1]).toContain("\\u00e9");
    expect(sent?.[2]).toBe(`da${lamp.hash(Buffer.from(`${lamp.serial}${NOW}${sent?.[1] ?? ""}`)).toString(16)}`);
  });

  test("a fraction of a second is a mistake of ours, and a device without a key gets no answer", () => {
    expect(() => buildAnswer({ serial: "A", to, content: { activeUntil: 0.5 } }, lamp.hash)).toThrow(RangeError);
    expect(buildAnswer({ serial: "A", to, content: {} }, () => undefined)).toBeUndefined();
  });
});

test("floats in CBOR are signed as the reference program writes them", () => {
  const written: readonly [number, string][] = [
    [12, "12.0"],
    [12.3, "12.3"],
    [-0, "-0.0"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1.5e-7, "1.5e-07"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [-2.5e22, "-2.5e+22"],
    [Math.fround(12.3), "12.300000190734863"],
  ];
  expect(written.map(([value]) => pythonFloat(value))).toEqual(written.map(([, text]) => text));
});
