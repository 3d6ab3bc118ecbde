import type { Router } from "express";
import type { Config } from "./config.ts";
import { makeBrokerRights, makeCommandLoop, topicRights } from "./devices/devices.ts";
import type { Clock } from "./kernel/time.ts";
import type { Modules } from "./modules.ts";
import type { Database } from "./platform/database.ts";
import type { Log } from "./platform/log.ts";
import { bridgesOf, signInsAtOnce } from "./ingest-rooms.ts";
import { makeSignIns } from "./telemetry/doors/sign-ins.jobs.ts";
import { gatewayUser, makeBrokerAuthDoor, startBrokerGateway, type Ingest } from "./telemetry/telemetry.ts";

interface Rooms {
  readonly config: Config;
  readonly modules: Modules;
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
}

/** The gateway to a broker outside: frames go to ingest, commands to the broker, and accounts to Mosquitto where we keep them. */
export async function openBroker({
  url,
  ingest,
  ...rooms
}: Rooms & { url: string; ingest: Ingest }): Promise<{ close(): Promise<void> }> {
  const { config, modules, database, clock, log } = rooms;
  const warn = (text: string) => (error: unknown) => log.warn({ error }, text);
  const gateway = await startBrokerGateway({
    url,
    controlUrl: config.mqttControlUrl,
    name: config.mqttName,
    topics: config.mqttTopics,
    bridges: bridgesOf(config),
    isShared: config.mqttShared,
    clock,
    books: {
      ...makeBrokerRights({ db: database.db, sealingKey: config.sealingKey ?? new Uint8Array() }),
      listen: (changed) => modules.credentials.listen(changed),
    },
    rights: topicRights,
    take: (frame, source) => ingest.take(frame, source),
    onSpoke: (serial) => commandLoop.connected(serial),
    onFault: warn("The broker outside, or what it is asked, needs attention; everything is tried again."),
  });
  const commandLoop = makeCommandLoop({
    database,
    clock,
    commands: modules.deviceCommands,
    isHere: gateway.isHere,
    send: gateway.send,
    onFault: warn("Commands wait."),
  });
  const unlisten = await modules.speakers.listen();
  await commandLoop.start();
  gateway.whenReady().then(
    () => log.info({ name: config.mqttName }, "The broker outside gives us what devices tell."),
    () => undefined,
  );
  return {
    async close() {
      await gateway.stop();
      await commandLoop.stop();
      await unlisten();
    },
  };
}

/** Where EMQX and RabbitMQ ask who may speak; undefined where no secret is set. */
export function openBrokerAuth({ config, modules, database, clock, log }: Rooms): Router | undefined {
  if (config.mqttAuthSecret === undefined) return undefined;
  const rights = makeBrokerRights({ db: database.db, sealingKey: config.sealingKey ?? new Uint8Array() });
  const signIns = makeSignIns({
    authenticate: (serial, password) => modules.credentials.authenticate(database.db, serial, password),
    atOnce: signInsAtOnce(config),
  });
  return makeBrokerAuthDoor({
    secret: config.mqttAuthSecret,
    clock,
    authenticate: signIns.authenticate,
    maySpeak: async (serial) => (await rights.find([serial])).length > 0,
    rights: topicRights,
    gateway: config.mqttUrl === undefined ? undefined : gatewayUser(config.mqttUrl),
    onFault: (error) => log.warn({ error }, "A broker's question could not be answered, and was denied."),
  });
}

/** Where devices are told to go: as configured, to the broker outside, or to our own gateway, by TLS where it has that. */
export function brokerUrlOf(
  config: Config,
  own: { readonly mqtt: number | undefined; readonly mqtts: number | undefined },
): string {
  if (config.mqttPublicUrl !== undefined) return config.mqttPublicUrl;
  if (config.mqttUrl === undefined && config.mqttCertificate !== undefined)
    return `mqtts://${config.httpHost}:${String(own.mqtts ?? config.mqttsPort)}`;
  if (config.mqttUrl === undefined) return `mqtt://${config.httpHost}:${String(own.mqtt ?? config.mqttPort)}`;
  const { protocol, host } = new URL(config.mqttUrl);
  return `${protocol}//${host}`;
}
