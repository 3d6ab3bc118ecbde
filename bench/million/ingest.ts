import { systemClock } from "../../src/kernel/time.ts";
import type { DeviceId } from "../../src/kernel/ids.ts";
import { openClient } from "../../src/platform/database.ts";
import type { DeviceFrame, RawFrame, Reading } from "../../src/telemetry/frames/frame.ts";
import { makeIngest } from "../../src/telemetry/ingest/ingest.commands.ts";

export interface IngestFigures {
  readonly framesPerSecond: number;
  /** The share of updates of telemetry.states that needed no index entry. */
  readonly hotShare: number;
  readonly walBytesPerFrame: number;
}

/** A repeatable stream of numbers in [0, 1): mulberry32 by Tommy Ettinger, public domain. */
function makeChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** As a process has by default (WASHA_INGEST_LANES). */
const LANES = 2;
const WARM_SHARE = 0.1;

/** The program's own ingest on one fleet, as a process that runs for long: it has heard every device before. */
export interface IngestBench {
  /** One frame of each device in turn, and again until it is `frames` of them: what the process remembers, and as many readings in the day's partition as the other fleet has. */
  warm(frames: number): Promise<void>;
  /** Frames of devices drawn at random. */
  measure(frames: number, seed: number): Promise<IngestFigures>;
  close(): Promise<void>;
}

/**
 * Frames are committed through the program's own lanes. Bytes are not read: the adapter's place takes a function that gives the
 * frame, so that what is compared is what the size of the fleet can change.
 */
export function openIngestBench(
  url: string,
  { devices, inFlight }: { devices: number; inFlight: number },
): IngestBench {
  let chance = makeChance(0);
  const client = openClient(url, 1);
  const faults: unknown[] = [];
  const ingest = makeIngest({
    url,
    clock: systemClock,
    speakers: {
      peek: (serial) => ({
        id: serial as DeviceId,
        number: Number(serial),
        serial,
        state: "installed",
        hash: () => 0n,
      }),
      load: () => Promise.resolve(),
    },
    read: (raw) => ({ ok: true, frames: [frameOf(raw, chance)] }),
    dataFormat: { peek: () => undefined, load: () => Promise.resolve() },
    onHeard: () => Promise.resolve(),
    observer: {
      committed: () => undefined,
      waiting: (error) => faults.push(error),
      refused: (error) => faults.push(error),
      setAside: (refusal) => faults.push(refusal),
    },
    keptDays: 30,
    lanes: LANES,
  });
  const send = async (count: number, drawDevice: () => number): Promise<void> => {
    let left = count;
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (left-- > 0) await ingest.take(frameBytes(drawDevice()), "bench");
      }),
    );
    if (faults.length > 0) throw new Error("Frames were not stored as they should be.", { cause: faults[0] });
  };
  return {
    async warm(frames) {
      let turn = 0;
      await send(frames, () => 1 + (turn++ % devices));
    },
    async measure(frames, seed) {
      chance = makeChance(seed);
      const drawDevice = (): number => 1 + Math.floor(chance() * devices);
      // The other fleet was measured in between: caches of the machine are its own again after a tenth.
      await send(Math.ceil(frames * WARM_SHARE), drawDevice);
      const before = await countersOf(client);
      const startedAt = performance.now();
      await send(frames, drawDevice);
      const seconds = (performance.now() - startedAt) / 1_000;
      const after = await countersOf(client);
      const updates = after.updates - before.updates;
      return {
        framesPerSecond: frames / seconds,
        hotShare: updates === 0 ? 0 : (after.hot - before.hot) / updates,
        walBytesPerFrame: (after.walBytes - before.walBytes) / frames,
      };
    },
    async close() {
      await ingest.close();
      await client.end({ timeout: 5 });
    },
  };
}

const NO_BYTES = new Uint8Array(200);

function frameBytes(device: number): RawFrame {
  return {
    payload: NO_BYTES,
    topic: "data",
    serial: String(device),
    contentType: "json",
    receivedAtMs: systemClock.now().getTime(),
  };
}

function frameOf(raw: RawFrame, chance: () => number): DeviceFrame {
  // Devices are drawn with replacement: one that is drawn twice within a second has another moment to tell.
  const atMs = raw.receivedAtMs - Math.floor(chance() * 600_000);
  const reading: Reading = {
    atMs,
    panelVoltageV: 18 + chance(),
    panelCurrentA: chance() * 3,
    panelPowerW: chance() * 50,
    batteryVoltageV: 12 + chance(),
    batteryCurrentA: chance() * 3,
    batteryChargePercent: 40 + chance() * 60,
    batteryTemperatureC: 20 + chance() * 20,
    loadCurrentA: undefined,
    loadPowerW: chance() * 10,
    ambientTemperatureC: undefined,
    energyInWh: undefined,
    energyOutWh: undefined,
    signalDbm: undefined,
    extra: undefined,
  };
  return {
    serial: raw.serial ?? "",
    sentAtMs: raw.receivedAtMs,
    readings: [reading],
    standing: undefined,
    events: [],
    answers: [],
    presence: undefined,
    wishes: { activeUntil: false, activeSecondsLeft: false },
    freshness: { requestTimestamp: undefined, requestCount: undefined },
  };
}

async function countersOf(
  client: ReturnType<typeof openClient>,
): Promise<{ updates: number; hot: number; walBytes: number }> {
  // The statistics of other connections arrive with their next flush, at the latest when they are idle.
  await client.unsafe("select pg_stat_force_next_flush()").catch(() => undefined);
  const [row] = await client<{ updates: string; hot: string; wal: string }[]>`
    select n_tup_upd as updates, n_tup_hot_upd as hot, pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal
    from pg_stat_user_tables where schemaname = 'telemetry' and relname = 'states'`;
  return { updates: Number(row?.updates ?? 0), hot: Number(row?.hot ?? 0), walBytes: Number(row?.wal ?? 0) };
}
