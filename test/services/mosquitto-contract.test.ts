import { describe } from "vitest";
import { makeBrokerRights } from "../../src/devices/broker-rights.queries.ts";
import { topicRights } from "../../src/devices/devices.ts";
import { systemClock } from "../../src/kernel/time.ts";
import { openDynamicSecurity } from "../../src/platform/mqtt-broker-dynsec.ts";
import { startBrokerIngest, type BrokerIngest } from "../../src/telemetry/broker/broker-ingest.mqtt.ts";
import { startAccountSync } from "../../src/telemetry/broker/mosquitto-accounts.jobs.ts";
import { DEVICE_FILTERS } from "../../src/telemetry/broker/topics.ts";
import { describeMqtt } from "../contract/mqtt.ts";
import { makeHeldIngest, makeOffice, SEALING_KEY, type MqttPlace } from "../contract/mqtt-place.ts";
import { useDatabase } from "../support/database.ts";
import { findMosquittoParts, makeGuardedMosquitto } from "../support/mosquitto.ts";

const parts = findMosquittoParts();
const plugin = parts?.plugin;
const database = useDatabase();

describe.skipIf(plugin === undefined)("Mosquitto with its dynamic-security plugin", () => {
  const promises = { acknowledgesAfterCommit: false, keepsCommands: true };
  describe("one gateway that takes all", () => {
    describeMqtt(() => openMosquitto({ isShared: false }), promises);
  });
  describe("a shared subscription", () => {
    describeMqtt(() => openMosquitto({ isShared: true }), promises);
  });
});

async function openMosquitto({ isShared }: { isShared: boolean }): Promise<MqttPlace> {
  const broker = await makeGuardedMosquitto({ program: parts?.program ?? "", plugin: plugin ?? "" });
  await broker.start();
  const office = makeOffice(database.current);
  const ingest = makeHeldIngest();
  const gateway = { username: "washa-gateway", password: "gateway-password" };
  const faults: unknown[] = [];
  const sync = await startAccountSync({
    control: openDynamicSecurity({ url: broker.controlUrl }),
    books: {
      ...makeBrokerRights({ db: database.current.db, sealingKey: SEALING_KEY }),
      listen: office.listen,
    },
    rights: topicRights,
    gateway,
    filters: DEVICE_FILTERS,
    onFault: (error) => faults.push(error),
  });
  await sync.idle();
  const start = async (): Promise<BrokerIngest> => {
    const link = startBrokerIngest({
      url: broker.url.replace("://", `://${gateway.username}:${gateway.password}@`),
      name: "washa-test",
      clock: systemClock,
      isShared,
      take: (frame) => ingest.take(frame),
      onFault: (error) => faults.push(error),
      retryPauseMs: { first: 1, most: 10 },
      drainMs: 0,
    });
    await link.whenReady();
    return link;
  };
  let link = await start();
  return {
    url: broker.url,
    office,
    ingest,
    async settled() {
      await office.heard();
      await sync.idle();
    },
    send: (serial, payload) => link.send(serial, "cmd", Buffer.from(payload)),
    async restartGateway() {
      await link.stop();
      link = await start();
    },
    async close() {
      await link.stop();
      await sync.stop();
      await broker.remove();
      if (faults.length > 0) throw new AggregateError(faults, "The gateway or the sync met faults.");
    },
  };
}
