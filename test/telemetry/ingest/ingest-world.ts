import { createHash } from "node:crypto";
import { makeDevices, makeSpeakers } from "../../../src/devices/devices.ts";
import { makeKeySeal } from "../../../src/devices/key-seal.ts";
import { hashHex, prepareSipKey, sipHash24 } from "../../../src/devices/tokens/siphash.ts";
import { makeIds } from "../../../src/kernel/ids.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import type { Database } from "../../../src/platform/database.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import type { FrameRefusal, RawFrame } from "../../../src/telemetry/frames/frame.ts";
import { makeDataFormats } from "../../../src/telemetry/ingest/data-formats.queries.ts";
import { makeIngest, type Heard } from "../../../src/telemetry/ingest/ingest.commands.ts";

export const START = new Date("2026-03-02T06:00:00Z");
export const KEPT_DAYS = 40;

/** Ingest on a database of the test's own, with devices that sign as real ones do. */
export function makeIngestWorld(database: Database, { lanes = 1 }: { lanes?: number } = {}) {
  const clock = makeManualClock(START);
  const keySeal = makeKeySeal(Buffer.alloc(32, 7));
  const devices = makeDevices({ clock, makeId: makeIds(clock), keySeal });
  const speakers = makeSpeakers({ database, clock, keySeal });
  const dataFormats = makeDataFormats({ database, clock });
  const reader = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "optional" });
  const refused: FrameRefusal[] = [];
  const commits: number[] = [];
  const heard: Heard[] = [];
  const faults: unknown[] = [];
  const ingest = makeIngest({
    url: database.url,
    clock,
    speakers,
    read: reader.read,
    dataFormat: dataFormats,
    onHeard: async (news) => void heard.push(news),
    keptDays: KEPT_DAYS,
    lanes,
    observer: {
      committed: ({ readings }) => void commits.push(readings),
      waiting: (error) => void faults.push(error),
      refused: (error) => void faults.push(error),
      setAside: (refusal) => void refused.push(refusal),
    },
  });
  return {
    clock,
    devices,
    speakers,
    dataFormats,
    ingest,
    refused,
    commits,
    heard,
    faults,
    async addDevice(serial: string): Promise<void> {
      await database.db.transaction((tx) =>
        devices.importCsv(
          tx,
          `Serial Number,Key,Count,Time Divider,Hardware Model\n${serial},${keyOf(serial)},1,1,Home 60\n`,
        ),
      );
    },
    /** A frame as it comes over the device's own connection. */
    frame(serial: string, body: object | string | Uint8Array, topic = "data"): RawFrame {
      const payload =
        body instanceof Uint8Array ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
      return { payload, topic, serial, contentType: undefined, receivedAtMs: clock.now().getTime() };
    },
  };
}

export const keyOf = (serial: string): string => createHash("md5").update(serial).digest("hex");

/** Signs a request by method `da`, as a device does: its serial, its counters and its data under its key. */
export function signed(
  request: { sn: string; ts?: number; rc?: number; d?: object; hd?: object[] } & Record<string, unknown>,
): Record<string, unknown> {
  const { sn, ts, rc, d, hd } = request;
  const text = `${sn}${ts ?? ""}${rc ?? ""}${d === undefined ? "" : JSON.stringify(d)}${hd === undefined ? "" : JSON.stringify(hd)}`;
  const hash = hashHex(sipHash24(prepareSipKey(Buffer.from(keyOf(sn), "hex")), Buffer.from(text)));
  return { ...request, a: `da${hash}` };
}
