import { describe } from "vitest";
import { systemClock } from "../../../src/kernel/time.ts";
import { makeMqttGateway } from "../../../src/platform/mqtt.ts";
import { describeMqtt } from "../../contract/mqtt.ts";
import { makeHeldIngest, makeOffice, type MqttPlace } from "../../contract/mqtt-place.ts";
import { useDatabase } from "../../support/database.ts";

const database = useDatabase();

describe("our own gateway", () => {
  describeMqtt(openGateway, { acknowledgesAfterCommit: true, keepsCommands: false });
});

async function openGateway(): Promise<MqttPlace> {
  const office = makeOffice(database.current);
  const ingest = makeHeldIngest();
  const start = () =>
    makeMqttGateway({
      clock: systemClock,
      authenticate: (serial, password) => office.credentials.authenticate(database.current.db, serial, password),
      take: (frame) => ingest.take(frame),
      refuse: () => Promise.resolve(),
    });
  let gateway = await start();
  const { port } = await gateway.listen({ port: 0, host: "127.0.0.1" });
  const unlisten = await office.listen((serial) => gateway.disconnect(serial));
  return {
    url: `mqtt://127.0.0.1:${String(port)}`,
    office,
    ingest,
    settled: office.heard,
    send: (serial, payload) => gateway.send(serial, "cmd", Buffer.from(payload)),
    async restartGateway() {
      await gateway.close();
      gateway = await start();
      await gateway.listen({ port, host: "127.0.0.1" });
    },
    async close() {
      await unlisten();
      await gateway.close();
    },
  };
}
