/** Our gateway for the bench, in a process of its own: the real door, reader, ingest and devices; only passwords are not asked. */
import { makeSpeakers } from "../../src/devices/devices.ts";
import { makeKeySeal } from "../../src/devices/key-seal.ts";
import { systemClock } from "../../src/kernel/time.ts";
import { openDatabase } from "../../src/platform/database.ts";
import { startBrokerIngest } from "../../src/telemetry/broker/broker-ingest.mqtt.ts";
import {
  makeDataFormats,
  makeFrameReader,
  makeGatewayDoor,
  makeIngest,
  type Ingest,
} from "../../src/telemetry/telemetry.ts";

export interface GatewayOrder {
  readonly databaseUrl: string;
  readonly sealingKeyHex: string;
  /** Take frames from the broker there, acknowledged to it after the commit; undefined: be the broker. */
  readonly brokerUrl: string | undefined;
  readonly lanes: number;
  /** The port that the other gateways listen on; undefined: any. */
  readonly port: number | undefined;
}

export type GatewayWord =
  | { readonly kind: "listening"; readonly port: number }
  | {
      readonly kind: "figures";
      readonly committed: number;
      readonly readings: number;
      readonly groups: number;
      readonly commitSeconds: number;
      readonly setAside: number;
      readonly cpuMs: number;
      readonly rssBytes: number;
      readonly inFlight: number;
      readonly connections: number;
      readonly paused: number;
    };

async function run(order: GatewayOrder): Promise<void> {
  const database = openDatabase({ url: order.databaseUrl, connectionsMax: 4 });
  const clock = systemClock;
  const keySeal = makeKeySeal(Buffer.from(order.sealingKeyHex, "hex"));
  const speakers = makeSpeakers({ database, clock, keySeal });
  const reader = makeFrameReader({ allowSimpleAuth: false, signatureOnConnection: "optional" });
  const counted = { committed: 0, readings: 0, groups: 0, commitSeconds: 0, setAside: 0 };
  const ingest: Ingest = makeIngest({
    url: order.databaseUrl,
    clock,
    speakers,
    read: reader.read,
    dataFormat: makeDataFormats({ database, clock }),
    onHeard: () => Promise.resolve(),
    keptDays: 40,
    lanes: order.lanes,
    observer: {
      committed(group, seconds) {
        counted.committed += group.taken.length;
        counted.readings += group.readings;
        counted.groups += 1;
        counted.commitSeconds += seconds;
      },
      waiting: () => undefined,
      refused: (error) => process.stderr.write(`The database refused a frame: ${String(error)}\n`),
      setAside(refusal) {
        if (counted.setAside++ === 0) process.stderr.write(`Set aside: ${refusal.reason}, ${refusal.detail}\n`);
      },
    },
  });
  let state = () => ({ connections: 0, paused: 0 });
  if (order.brokerUrl === undefined) {
    const gateway = await makeGatewayDoor({ ingest, clock, authenticate: () => Promise.resolve(true) });
    state = () => gateway.state;
    say({ kind: "listening", ...(await gateway.listen({ port: order.port ?? 0, host: "127.0.0.1", isShared: true })) });
  } else {
    const link = startBrokerIngest({
      clock,
      take: ingest.take,
      url: order.brokerUrl,
      name: "bench",
      isShared: false,
      onFault: (error) => process.stderr.write(`${String(error)}\n`),
    });
    await link.whenReady();
    say({ kind: "listening", port: 0 });
  }
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    say({
      kind: "figures",
      ...counted,
      ...state(),
      cpuMs: (user + system) / 1_000,
      rssBytes: process.memoryUsage.rss(),
      inFlight: ingest.inFlight().messages,
    });
  });
}

function say(word: GatewayWord): void {
  process.send?.(word);
}

process.once("message", (order: GatewayOrder) => {
  run(order).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
});
process.once("disconnect", () => process.exit(0));
