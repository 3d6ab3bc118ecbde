import { randomUUID } from "node:crypto";
import type { Request, Router } from "express";
import type { Registry } from "prom-client";
import type { Config } from "./config.ts";
import { makeCommandLoop } from "./devices/devices.ts";
import type { Clock } from "./kernel/time.ts";
import type { Modules } from "./modules.ts";
import { openCertificate } from "./platform/certificate-files.ts";
import type { Database } from "./platform/database.ts";
import type { Log } from "./platform/log.ts";
import { bridgeOwner, type Bridges } from "./telemetry/frames/bridges.ts";
import { makeBirths } from "./telemetry/frames/sparkplug-births.ts";
import { makeInstances } from "./telemetry/frames/victron-instances.ts";
import { makeGatewayCounters } from "./telemetry/doors/gateway-counters.ts";
import { makeSignIns } from "./telemetry/doors/sign-ins.jobs.ts";
import {
  makeFrameReader,
  makeGatewayDoor,
  makeIngest,
  makeIngestCounters,
  makeMetricsDoor,
  makeTakeover,
  type Ingest,
} from "./telemetry/telemetry.ts";

interface Rooms {
  readonly config: Config;
  readonly modules: Modules;
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
}

const WARNED_EVERY_MS = 10_000;
/** Edge nodes whose births one process remembers; beyond, they are asked to be born again. */
const EDGES_MAX = 2_000;

/** The bridges that the operator named. */
export function bridgesOf(config: Config): Bridges {
  return { portals: config.victronPortals, groups: config.sparkplugGroups };
}

/** Ingest with what it needs of other rooms: who speaks, and who hears what devices answer. Connects with the first frame. */
export function openIngest({
  registry,
  ...rooms
}: Rooms & { registry: Registry }): Ingest & { close(): Promise<void> } {
  const { config, modules, database, clock, log } = rooms;
  const { portals, groups } = bridgesOf(config);
  const reader = makeFrameReader({
    allowSimpleAuth: config.metricsSimpleAuth,
    signatureOnConnection: config.signedFrames,
    victron: portals.size === 0 ? undefined : { portals, instances: makeInstances({ named: config.victronInstances }) },
    sparkplug: groups.size === 0 ? undefined : { groups, births: makeBirths({ edgesMax: EDGES_MAX }) },
  });
  const warned = new Map<string, number>();
  const ingest: Ingest = makeIngest({
    url: database.url,
    clock,
    speakers: modules.speakers,
    read: reader.read,
    dataFormat: modules.dataFormats,
    onHeard: (heard) => database.db.transaction((tx) => modules.deviceCommands.hear(tx, heard)),
    keptDays: config.keptDays,
    lanes: config.ingestLanes,
    observer: makeIngestCounters({
      registry,
      inFlight: () => ingest.inFlight(),
      warn(error, text) {
        const now = clock.now().getTime();
        if (now - (warned.get(text) ?? -Infinity) < WARNED_EVERY_MS) return;
        warned.set(text, now);
        log.warn({ error }, text);
      },
    }),
  });
  return ingest;
}

/** OpenPAYGO Metrics over HTTP: what devices lack and ask for comes from the devices' and the contracts' rooms. */
export function openMetricsDoor({
  ingest,
  authorize,
  sourceAddress,
  ...rooms
}: Rooms & {
  ingest: Ingest;
  authorize(request: Request): Promise<unknown>;
  sourceAddress(request: Request): string;
}): Router {
  const { modules, clock } = rooms;
  const { db } = rooms.database;
  return makeMetricsDoor({
    clock,
    ingest,
    dataFormats: modules.dataFormats,
    readings: modules.readings,
    findSpeaker: (serial) => modules.speakers.find(serial),
    pendingTokens: (query) => modules.devices.pendingTokens(db, query),
    activeUntil: async (id) => (await modules.credit.activeUntil(db, [id])).get(id),
    async settings(deviceId, standing) {
      const reportedSeconds = standing?.intervalSeconds;
      const seconds = await modules.deviceCommands.intervalFor(rooms.database, { deviceId, reportedSeconds });
      return seconds === undefined ? undefined : { reporting_interval: seconds };
    },
    serialsOf: async (numbers) =>
      new Map([...(await modules.devices.findByNumbers(db, numbers))].map(([number, { serial }]) => [number, serial])),
    authorize,
    sourceAddress,
  });
}

/** More would be no faster: each asks for one row. */
const SIGN_INS_AT_ONCE_MAX = 4;

/** A wave of devices that come back leaves connections to PostgreSQL for everybody else. */
export function signInsAtOnce(config: Config): number {
  return Math.min(SIGN_INS_AT_ONCE_MAX, Math.floor(config.databaseConnectionsMax / 2));
}

/** Our own MQTT gateway: frames go to ingest, commands come from the devices' room, and who was shut out is cut off. */
export async function openGateway({
  ingest,
  registry,
  ...rooms
}: Rooms & { ingest: Ingest; registry: Registry }): Promise<{
  /** Undefined where nobody may come in without TLS, or with it. */
  readonly ports: { readonly mqtt: number | undefined; readonly mqtts: number | undefined };
  close(): Promise<void>;
}> {
  const { config, modules, database, clock, log } = rooms;
  const warn = (text: string) => (error: unknown) => log.warn({ error }, text);
  const signIns = makeSignIns({
    authenticate: (serial, password) => modules.credentials.authenticate(database.db, serial, password),
    atOnce: signInsAtOnce(config),
  });
  // First, since nobody may come in while it cannot be used.
  const files =
    config.mqttCertificate === undefined
      ? undefined
      : openCertificate({
          ...config.mqttCertificate,
          onRenewed(renewed) {
            secure?.renew(renewed);
            log.info("Devices are shown a new certificate.");
          },
          onFault: warn("The certificate for devices was not renewed; the last one stays in use."),
        });
  const gateway = await makeGatewayDoor({
    ingest,
    clock,
    authenticate: signIns.authenticate,
    bridgeOwner: (topic) => bridgeOwner(topic, bridgesOf(config)),
    onConnected: (serial) => takeover.connected(serial),
    onHere: (serial) => commandLoop.connected(serial),
    onGone: (serial) => commandLoop.disconnected(serial),
  });
  makeGatewayCounters({ registry, gateway: () => gateway.state, signIns: () => signIns.state });
  const takeover = makeTakeover({
    database,
    clock,
    gatewayId: randomUUID(),
    disconnect: gateway.disconnect,
    onFault: warn("Other gateways were not told who is connected here."),
  });
  const commandLoop = makeCommandLoop({
    database,
    clock,
    commands: modules.deviceCommands,
    isHere: gateway.isHere,
    send: gateway.send,
    onFault: warn("Commands wait."),
  });
  // Empty after each loss of the listening connection: who may speak may have changed unheard.
  const changed = (serial: string): void => (serial === "" ? gateway.renewAll() : gateway.disconnect(serial));
  const unlisten = await Promise.all([modules.speakers.listen(), modules.credentials.listen(changed)]);
  await takeover.start();
  await commandLoop.start();
  const host = config.httpHost;
  const place = { host, isShared: config.mqttPortShared };
  const plain = config.mqttPlain ? await gateway.listen({ ...place, port: config.mqttPort }) : undefined;
  const secure = files && (await gateway.listen({ ...place, port: config.mqttsPort, certificate: files.certificate }));
  files?.start();
  return {
    ports: { mqtt: plain?.port, mqtts: secure?.port },
    async close() {
      files?.stop();
      await gateway.close();
      await commandLoop.stop();
      await takeover.stop();
      await Promise.all(unlisten.map((end) => end()));
    },
  };
}
