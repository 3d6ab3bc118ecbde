import { createHash } from "node:crypto";
import { connect, createServer } from "node:net";
import { makeDevices, makeSpeakers } from "../../../src/devices/devices.ts";
import { makeKeySeal } from "../../../src/devices/key-seal.ts";
import { hashHex, prepareSipKey, sipHash24 } from "../../../src/devices/tokens/siphash.ts";
import { makeIds } from "../../../src/kernel/ids.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import type { Database } from "../../../src/platform/database.ts";
import { makeFrameReader } from "../../../src/telemetry/frames/frame-reader.ts";
import type { FrameRefusal, RawFrame } from "../../../src/telemetry/frames/frame.ts";
import { makeBirths } from "../../../src/telemetry/frames/sparkplug-births.ts";
import { makeDataFormats } from "../../../src/telemetry/ingest/data-formats.queries.ts";
import { makeIngest, type Heard } from "../../../src/telemetry/ingest/ingest.commands.ts";

export const START = new Date("2026-03-02T06:00:00Z");
export const KEPT_DAYS = 40;

/** Ingest on a database of the test's own, with devices that sign as real ones do. */
export function makeIngestWorld(
  database: Database,
  { lanes = 1, ingestUrl = database.url }: { lanes?: number; ingestUrl?: string } = {},
) {
  const clock = makeManualClock(START);
  const keySeal = makeKeySeal(Buffer.alloc(32, 7));
  const devices = makeDevices({ clock, makeId: makeIds(clock), keySeal });
  const speakers = makeSpeakers({ database, clock, keySeal });
  const dataFormats = makeDataFormats({ database, clock });
  const reader = makeFrameReader({
    allowSimpleAuth: false,
    signatureOnConnection: "optional",
    sparkplug: { groups: new Set(["village"]), births: makeBirths({ edgesMax: 10 }) },
  });
  const refused: FrameRefusal[] = [];
  const commits: number[] = [];
  const heard: Heard[] = [];
  const faults: unknown[] = [];
  /** What whoever is to hear of answers and counts throws at the next times. */
  const deaf: Error[] = [];
  const ingest = makeIngest({
    url: ingestUrl,
    clock,
    speakers,
    read: reader.read,
    dataFormat: dataFormats,
    async onHeard(news) {
      const [failure] = deaf.splice(0, 1);
      if (failure !== undefined) throw failure;
      heard.push(news);
    },
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
    deaf,
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

/** A way to PostgreSQL that cuts the connection when the answer to a COMMIT comes back, as often as `cuts` says. */
export async function startCuttingProxy(
  url: string,
  cuts: number,
): Promise<{ url: string; readonly made: number; close(): Promise<void> }> {
  const target = new URL(url);
  let made = 0;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    let isCommitting = false;
    near.on("data", (bytes) => {
      isCommitting = made < cuts && bytes.includes("commit\0");
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (!isCommitting) return void near.write(bytes);
      made += 1;
      near.destroy();
      far.destroy();
    });
    for (const socket of [near, far]) socket.on("error", () => undefined);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const through = new URL(url);
  const address = server.address();
  through.hostname = "127.0.0.1";
  through.port = String(typeof address === "object" && address !== null ? address.port : 0);
  return {
    url: through.href,
    get made() {
      return made;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export const keyOf = (serial: string): string => createHash("md5").update(serial).digest("hex");

/** Signs a request by method `ca`: its serial and its count, not its data. */
export function countSigned(request: { sn: string; rc: number } & Record<string, unknown>): Record<string, unknown> {
  const hash = sipHash24(
    prepareSipKey(Buffer.from(keyOf(request.sn), "hex")),
    Buffer.from(`${request.sn}${request.rc}`),
  );
  return { ...request, a: `ca${hashHex(hash)}` };
}

/** Signs a request by method `da`, as a device does: its serial, its counters and its data under its key. */
export function signed(
  request: { sn: string; ts?: number; rc?: number; d?: object; hd?: object[] } & Record<string, unknown>,
): Record<string, unknown> {
  const { sn, ts, rc, d, hd } = request;
  const text = `${sn}${ts ?? ""}${rc ?? ""}${d === undefined ? "" : JSON.stringify(d)}${hd === undefined ? "" : JSON.stringify(hd)}`;
  const hash = hashHex(sipHash24(prepareSipKey(Buffer.from(keyOf(sn), "hex")), Buffer.from(text)));
  return { ...request, a: `da${hash}` };
}
