import { serialOf, type FrameKind } from "./frames.ts";
import {
  connectPublishers,
  cpuOfTree,
  startGateway,
  startGateways,
  startSubscriber,
  type GatewayFigures,
  type Program,
} from "./programs.ts";
import type { PublishOrder, PublishReport } from "./publisher.ts";

/** Where everything runs. */
export interface Place {
  readonly databaseUrl: string;
  readonly sealingKeyHex: string;
  readonly postgresId: () => number;
  readonly formatId: number;
  readonly lanes: number;
  /** Processes of our gateway behind one port. */
  readonly gateways: number;
  readonly seconds: number;
}

/** What one measurement found. CPU in cores. */
export interface Figures {
  readonly perSecond: number;
  readonly readingsPerSecond: number;
  readonly cores: Readonly<Record<string, number>>;
  readonly latenciesMs: readonly number[];
  readonly framesInGroup: number;
  readonly commitMs: number;
  readonly rssBytes: number;
  /** What the gateway held with everybody connected, before the first frame; with rssBytes, what a connection costs. */
  readonly rssIdleBytes: number;
}

const WARM_MS = 1_500;
const DAY_SECONDS = 86_400;
/** Devices of the runs with a thousand publishers and more, and after them those of the small runs. */
export const LARGE_DEVICES = 10_000;
export const SMALL_DEVICES = 5_000;

/**
 * Which devices publish, and from which time on: a device goes forward in time only, as real ones do, and no reading is told twice in the
 * whole bench. The small runs send thousands of readings of each device and so take new ones each time.
 */
function makeSchedule(): (devices: number) => { first: number; fromSeconds: number } {
  let small = 0;
  let large = 0;
  const start = Math.floor(Date.now() / 1_000) - 38 * DAY_SECONDS;
  return (devices) => {
    if (devices > 100) return { first: 0, fromSeconds: start + large++ * (DAY_SECONDS / 4) };
    const first = LARGE_DEVICES + ((small * 100) % SMALL_DEVICES);
    const fromSeconds = start + Math.floor((small * 100) / SMALL_DEVICES) * 5 * DAY_SECONDS;
    small += 1;
    return { first, fromSeconds };
  };
}

const nextSchedule = makeSchedule();
const IN_FLIGHT: Readonly<Record<number, number>> = { 1: 100, 100: 20, 1_000: 2, 10_000: 1 };

export function orderOf(
  place: Place,
  given: { port: number; devices: number; kind?: FrameKind; rate?: number; inFlight?: number; seconds?: number },
): PublishOrder {
  return {
    port: given.port,
    devices: given.devices,
    kind: given.kind ?? "single",
    inFlight: given.inFlight ?? IN_FLIGHT[given.devices] ?? 10,
    formatId: place.formatId,
    rate: given.rate,
    warmMs: WARM_MS,
    measureMs: (given.seconds ?? place.seconds) * 1_000,
    ...nextSchedule(given.devices),
  };
}

/** CPU of named processes between two looks, in cores. */
function cpuClock(processes: Readonly<Record<string, () => number | readonly number[]>>): () => Record<string, number> {
  const sum = (ids: number | readonly number[]): number => [ids].flat().reduce((cpuMs, id) => cpuMs + cpuOfTree(id), 0);
  const look = (): Record<string, number> =>
    Object.fromEntries(Object.entries(processes).map(([name, ids]) => [name, sum(ids())]));
  const [before, startedAt] = [look(), performance.now()];
  return () => {
    const [after, tookMs] = [look(), performance.now() - startedAt];
    return Object.fromEntries(
      Object.entries(after).map(([name, cpuMs]) => [name, (cpuMs - (before[name] ?? 0)) / tookMs]),
    );
  };
}

/** Publishers → our gateway, to committed and acknowledged. */
export async function measureOurs(
  place: Place,
  given: { devices: number; kind?: FrameKind; rate?: number; inFlight?: number; gateways?: number },
): Promise<Figures> {
  const gateway = await startGateways({ ...place, brokerUrl: undefined }, given.gateways ?? place.gateways);
  try {
    const publishers = await connectPublishers(orderOf(place, { port: gateway.port, ...given }));
    const cpu = cpuClock({
      gateway: () => gateway.processIds,
      postgres: place.postgresId,
      publishers: () => publishers.processId,
    });
    const before = await gateway.figures();
    const report = await publishers.publish();
    return figuresOf({ report, before, after: await gateway.figures(), cores: cpu() });
  } finally {
    await gateway.stop();
  }
}

function figuresOf({
  report,
  before,
  after,
  cores,
}: {
  report: PublishReport;
  before: GatewayFigures;
  after: GatewayFigures;
  cores: Record<string, number>;
}): Figures {
  if (report.lost > 0) throw new Error(`${String(report.lost)} connections were lost.`);
  if (after.setAside > before.setAside) throw new Error("Frames of the bench were set aside.");
  const frames = after.committed - before.committed;
  return {
    perSecond: (report.acknowledged / report.measuredMs) * 1_000,
    readingsPerSecond:
      ((report.acknowledged / report.measuredMs) * 1_000 * (after.readings - before.readings)) / Math.max(1, frames),
    cores,
    latenciesMs: report.latenciesMs,
    framesInGroup: frames / Math.max(1, after.groups - before.groups),
    commitMs: ((after.commitSeconds - before.commitSeconds) / Math.max(1, after.groups - before.groups)) * 1_000,
    rssBytes: after.rssBytes,
    rssIdleBytes: before.rssBytes,
  };
}

/** Publishers → Mosquitto → a subscriber: what comes out at the other end in a second. */
export async function measureBehindBroker(
  place: Place,
  given: {
    readonly devices: number;
    readonly broker: { readonly url: string; readonly processId: number };
    readonly how: "idle" | "each" | "deferred";
  },
): Promise<Figures> {
  const { devices, broker, how } = given;
  const subscriber = await startBehind(place, { url: broker.url, how });
  try {
    const port = Number(new URL(broker.url).port);
    const publishers = await connectPublishers(orderOf(place, { port, devices }));
    const cpu = cpuClock({
      broker: () => broker.processId,
      subscriber: () => subscriber.processId,
      postgres: place.postgresId,
      publishers: () => publishers.processId,
    });
    const publishing = publishers.publish();
    await new Promise((resolve) => setTimeout(resolve, WARM_MS));
    const [before, startedAt] = [await subscriber.received(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, place.seconds * 1_000));
    const [after, tookMs] = [await subscriber.received(), performance.now() - startedAt];
    const cores = cpu();
    await publishing;
    const perSecond = ((after - before) / tookMs) * 1_000;
    return {
      perSecond,
      readingsPerSecond: perSecond,
      cores,
      latenciesMs: [],
      framesInGroup: 0,
      commitMs: 0,
      rssBytes: 0,
      rssIdleBytes: 0,
    };
  } finally {
    await subscriber.stop();
  }
}

async function startBehind(
  place: Place,
  { url, how }: { url: string; how: "idle" | "each" | "deferred" },
): Promise<Pick<Program<unknown>, "processId" | "stop"> & { received(): Promise<number> }> {
  if (how === "deferred") {
    const program = await startGateway({ ...place, brokerUrl: url, port: undefined });
    return { ...program, received: async () => (await program.figures()).committed };
  }
  const program = await startSubscriber({ url, databaseUrl: how === "each" ? place.databaseUrl : undefined });
  return { ...program, received: async () => (await program.figures()).received };
}

export interface OutageFigures {
  readonly rssBeforeBytes: number;
  readonly rssMostBytes: number;
  readonly inFlightMost: number;
  readonly acknowledged: number;
  readonly stored: number;
}

/** A minute without PostgreSQL under full load: what the gateway's memory does, and whether what it acknowledged is there. */
export async function measureOutage(
  place: Place,
  given: {
    readonly devices: number;
    readonly seconds: number;
    stopPostgres(): Promise<void>;
    startPostgres(): Promise<void>;
    countReadings(serials: { first: string; last: string; fromSeconds: number }): Promise<number>;
    progress(text: string): void;
  },
): Promise<OutageFigures> {
  const gateway = await startGateway({ ...place, brokerUrl: undefined, port: undefined });
  try {
    const loadSeconds = 5;
    const order = orderOf(place, {
      port: gateway.port,
      devices: given.devices,
      inFlight: 100,
      seconds: loadSeconds + given.seconds + 10,
    });
    const publishers = await connectPublishers(order);
    const publishing = publishers.publish();
    const look = async (seconds: number): Promise<{ rss: number; inFlight: number }> => {
      let most = { rss: 0, inFlight: 0 };
      for (let second = 0; second < seconds; second++) {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const { rssBytes, inFlight, paused } = await gateway.figures();
        most = { rss: Math.max(most.rss, rssBytes), inFlight: Math.max(most.inFlight, inFlight) };
        given.progress(
          `${(rssBytes / 1e6).toFixed(0)} MB, ${String(inFlight)} frames in flight, ${String(paused)} connections wait`,
        );
      }
      return most;
    };
    const before = await look(loadSeconds);
    await given.stopPostgres();
    const during = await look(given.seconds);
    await given.startPostgres();
    await look(3);
    const report = await publishing;
    return {
      rssBeforeBytes: before.rss,
      rssMostBytes: during.rss,
      inFlightMost: Math.max(before.inFlight, during.inFlight),
      acknowledged: report.acknowledgedInAll,
      stored: await given.countReadings({
        first: serialOf(order.first),
        last: serialOf(order.first + given.devices - 1),
        fromSeconds: order.fromSeconds,
      }),
    };
  } finally {
    await gateway.stop();
  }
}
