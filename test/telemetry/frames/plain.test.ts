import { describe, expect, test } from "vitest";
import type { FrameOutcome } from "../../../src/telemetry/frames/frame.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import { houseOf } from "../metrics/device-signer.ts";

const NOW_MS = 1_790_000_000_250;
const COMMAND = "0198c0de-0000-7000-8000-00000000000a";
const reader = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "optional" });

function say(topic: string, payload: unknown, serial: string | undefined = "SLT1"): FrameOutcome {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  return reader.read(
    { payload: Buffer.from(text), topic, serial, contentType: undefined, receivedAtMs: NOW_MS },
    houseOf([]),
  );
}

const frameOf = (outcome: FrameOutcome) => (outcome.ok ? outcome.frames[0] : undefined);
const refusalOf = (outcome: FrameOutcome) =>
  outcome.ok ? "taken" : `${outcome.refusal.reason}: ${outcome.refusal.detail}`;

describe("status", () => {
  test("a device tells that it is there, its last will that it is not, as JSON or as a bare word", () => {
    expect(
      frameOf(say("status", { status: "online", firmware_version: "2.1", reporting_interval: 900 })),
    ).toMatchObject({
      presence: "online",
      standing: { firmwareVersion: "2.1", intervalSeconds: 900 },
    });
    expect(frameOf(say("status", "offline"))).toMatchObject({ presence: "offline", standing: undefined });
  });

  test("a retained status that is deleted is no news", () => {
    expect(say("status", "")).toEqual({ ok: true, frames: [] });
  });

  test("anything else is refused with what would be right", () => {
    expect(refusalOf(say("status", { status: "on" }))).toContain('must be "online" or "offline"');
    expect(refusalOf(say("status", "onlin"))).toContain("not_readable");
    expect(refusalOf(say("status", { status: "online", reporting_interval: 0 }))).toContain("at least 1");
    expect(refusalOf(say("status", { status: "online", sn: "OTHER" }))).toContain("foreign_serial");
  });
});

describe("events", () => {
  test("one, or several at once, each with its time", () => {
    const lid = { kind: "lid_opened", timestamp: 1_789_999_000, detail: { port: 2, spare: null } };
    expect(frameOf(say("event", lid))?.events).toEqual([
      { kind: "lid_opened", atMs: 1_789_999_000_000, detail: { port: 2 } },
    ]);
    const many = frameOf(say("event", { events: [lid, { kind: "reboot" }] }))?.events;
    expect(many?.map(({ kind, atMs }) => [kind, atMs])).toEqual([
      ["lid_opened", 1_789_999_000_000],
      ["reboot", NOW_MS],
    ]);
  });

  test("what cannot be kept is refused, and by which event", () => {
    expect(refusalOf(say("event", { events: [{ kind: "ok" }, { kind: "Lid Opened" }] }))).toContain("event 1: kind");
    expect(refusalOf(say("event", { kind: "x", detail: { a: [1] } }))).toContain("only numbers, texts");
    expect(refusalOf(say("event", `{"kind":"x","detail":{"__proto__":1}}`))).toContain("__proto__");
    expect(refusalOf(say("event", { events: [] }))).toContain("1 to 100");
    expect(refusalOf(say("event", { kind: "x", timestamp: NOW_MS }))).toContain("not milliseconds");
  });
});

describe("answers to commands", () => {
  test("name the command and how it went", () => {
    expect(frameOf(say("ack", { id: COMMAND.toUpperCase(), outcome: "refused", detail: "expired" }))?.answers).toEqual([
      { commandId: COMMAND, outcome: "refused", detail: "expired" },
    ]);
  });

  test("anything else is refused", () => {
    expect(refusalOf(say("ack", { id: "7", outcome: "done" }))).toContain("id of the command");
    expect(refusalOf(say("ack", { id: COMMAND, outcome: "maybe" }))).toContain('"done", "refused" or "failed"');
    expect(refusalOf(say("ack", { id: COMMAND, outcome: "done", detail: "x".repeat(201) }))).toContain(
      "200 characters",
    );
  });
});

test("a message of megabytes is refused without being decoded", () => {
  expect(refusalOf(say("event", `{"kind":"x","detail":{"a":"${"y".repeat(70_000)}"}}`))).toContain(
    "65536 are the most",
  );
});

test("only the device's own connection may say these", () => {
  for (const topic of ["status", "event", "ack"]) {
    const raw = { payload: Buffer.from("{}"), topic, serial: undefined, contentType: undefined, receivedAtMs: NOW_MS };
    expect(refusalOf(reader.read(raw, houseOf([])))).toContain("not_signed");
  }
});
