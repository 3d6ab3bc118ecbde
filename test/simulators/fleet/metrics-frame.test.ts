import { describe, expect, test } from "vitest";
import { makeHome } from "../../../simulators/fleet/home.ts";
import { DATA_FORMAT, metricsFrame, rowOf, type FrameStyle } from "../../../simulators/fleet/metrics-frame.ts";
import type { Message } from "../../../simulators/fleet/mqtt-wire.ts";
import { answerMessage, eventMessage, statusMessage } from "../../../simulators/fleet/topics.ts";
import { prepareSipKey, sipHash24 } from "../../../src/devices/tokens/siphash.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import type { FrameContext } from "../../../src/telemetry/frames/frame.ts";
import { plainAdapter } from "../../../src/telemetry/frames/plain-adapter.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, at) => at * 7 + 1);
const SIP = prepareSipKey(KEY);
const START_AT = Date.UTC(2026, 5, 1);
const FORMAT_ID = 41;

/** The program, asking for a signature even on a connection that is known. */
const reader = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "required" });
const context: FrameContext = {
  hash(serial, bytes) {
    if (serial !== "SIM-1") return undefined;
    const { high, low } = sipHash24(SIP, bytes);
    return (BigInt(high) << 32n) | BigInt(low);
  },
  dataFormat: (id) => (id === FORMAT_ID ? JSON.parse(JSON.stringify(DATA_FORMAT)) : undefined),
};
const read = (payload: Uint8Array) =>
  reader.read(
    { payload, topic: "data", serial: "SIM-1", contentType: undefined, receivedAtMs: START_AT + 86_400_000 },
    context,
  );

function liveAtHome(rows: number) {
  const place = { latitude: -1.37, longitude: 38.01, timezone: "Africa/Nairobi" };
  const home = makeHome({ seed: 1, serial: "SIM-1", place, startMs: START_AT, ageYears: 0, hasFaults: false });
  return Array.from({ length: rows }, (_, at) =>
    home.live(START_AT + (at + 1) * 900_000, { mayGiveLight: true, isBypassed: false }),
  );
}

const told = liveAtHome(60);
const frameOf = (change: { method: "da" | "ra"; style: FrameStyle; timestamp?: number | undefined }) =>
  metricsFrame({
    serial: "SIM-1",
    sip: SIP,
    timestamp: START_AT / 1_000 + 54_000,
    requestCount: 9,
    standing: {
      tokenCount: 4,
      tampered: true,
      firmwareVersion: "1.2.3",
      activeUntil: 1_790_000_000,
      isUnlocked: false,
      intervalSeconds: 900,
      latitude: -1.3712,
      longitude: 38.0101,
    },
    rows: told.map((measurement) => rowOf(measurement.atMs / 1_000, measurement, -77)),
    ...change,
  });

describe.each(["da", "ra"] as const)("frames signed by %s", (method) => {
  test.each(["inline", "named", { formatId: FORMAT_ID }] as const)(
    "the program reads what was measured: %j",
    (style) => {
      const outcome = read(frameOf({ method, style }));
      if (!outcome.ok) throw new Error(outcome.refusal.detail);
      const [frame] = outcome.frames;
      expect(frame?.standing).toEqual({
        tokenCount: 4,
        tampered: true,
        firmwareVersion: "1.2.3",
        activeUntilMs: 1_790_000_000_000,
        latitude: -1.3712,
        longitude: 38.0101,
        intervalSeconds: 900,
      });
      expect(frame?.freshness).toEqual({ requestTimestamp: START_AT / 1_000 + 54_000, requestCount: 9 });
      expect(frame?.readings).toEqual(
        told.map((measurement) => ({
          ...measurement,
          batteryCurrentA: expect.closeTo(measurement.batteryCurrentA, 9) as number,
          signalDbm: -77,
          ambientTemperatureC: undefined,
          extra: undefined,
        })),
      );
    },
  );

  test("one changed digit is refused", () => {
    const text = frameOf({ method, style: "inline" }).toString("utf8").replace('"hd":[[', '"hd":[[1');
    const outcome = read(Buffer.from(text));
    expect(outcome.ok ? "taken" : outcome.refusal.reason).toBe("signature_invalid");
  });

  test("a device without a time to tell is fresh by its count", () => {
    const outcome = read(frameOf({ method, style: "named", timestamp: undefined }));
    expect(outcome.ok && outcome.frames[0]?.freshness).toEqual({ requestTimestamp: undefined, requestCount: 9 });
  });
});

test("the program reads what a device says besides its measurements", () => {
  const told = (message: Message) => {
    const [, , serial, topic = ""] = message.topic.split("/");
    const outcome = plainAdapter.read(
      { payload: message.payload, topic, serial, contentType: undefined, receivedAtMs: START_AT },
      context,
    );
    if (!outcome.ok) throw new Error(outcome.refusal.detail);
    return outcome.frames[0];
  };
  expect(told(statusMessage("SIM-1", "offline"))).toMatchObject({ serial: "SIM-1", presence: "offline" });
  const event = { kind: "lid_opened", seconds: 1_780_000_000, detail: { times: 2 } };
  expect(told(eventMessage("SIM-1", event))?.events).toEqual([
    { kind: "lid_opened", atMs: 1_780_000_000_000, detail: { times: 2 } },
  ]);
  const id = "5b0f8a4e-2c9e-4a8e-9f57-1f3a9d1d2b11";
  expect(told(answerMessage("SIM-1", { id, outcome: "refused", detail: "expired" }))?.answers).toEqual([
    { commandId: id, outcome: "refused", detail: "expired" },
  ]);
});
