import mqtt from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MqttGateway } from "../../../src/platform/mqtt.ts";
import { makeGatewayDoor } from "../../../src/telemetry/doors/gateway.mqtt.ts";
import { makeTakeover, type Takeover } from "../../../src/telemetry/doors/takeover.jobs.ts";
import { useDatabase } from "../../support/database.ts";
import { makeIngestWorld } from "../ingest/ingest-world.ts";

const database = useDatabase();
let world: ReturnType<typeof makeIngestWorld>;
const places: { gateway: MqttGateway; takeover: Takeover; port: number }[] = [];

/** What came to ingest, once it was committed. */
const told: string[] = [];

beforeAll(async () => {
  world = makeIngestWorld(database.current);
  await world.addDevice("MOVES-1");
  for (const name of ["one", "two"]) {
    const gateway = await makeGatewayDoor({
      ingest: {
        setAside: world.ingest.setAside,
        async take(raw, source) {
          const taken = await world.ingest.take(raw, source);
          told.push(Buffer.from(raw.payload).toString());
          return taken;
        },
      },
      clock: world.clock,
      authenticate: async () => true,
      onConnected: (serial) => takeover.connected(serial),
    });
    const takeover: Takeover = makeTakeover({
      database: database.current,
      clock: world.clock,
      gatewayId: name,
      disconnect: gateway.disconnect,
      onFault: (error) => {
        throw error;
      },
    });
    await takeover.start();
    places.push({ gateway, takeover, port: (await gateway.listen({ port: 0, host: "127.0.0.1" })).port });
  }
});
afterAll(async () => {
  for (const { gateway, takeover } of places) {
    await gateway.close();
    await takeover.stop();
  }
  await world.ingest.close();
});

const signIn = (at: number): Promise<mqtt.MqttClient> =>
  mqtt.connectAsync(`mqtt://127.0.0.1:${String(places[at]?.port)}`, {
    username: "MOVES-1",
    password: "any",
    protocolVersion: 4,
    reconnectPeriod: 0,
    will: { topic: "paygo/v1/MOVES-1/status", payload: Buffer.from("offline"), qos: 1, retain: true },
  });

test("a device that reconnects through another gateway is let go by the first, which does not say that it is gone", async () => {
  const first = await signIn(0);
  await first.publishAsync("paygo/v1/MOVES-1/status", "online", { qos: 1 });
  const closed = new Promise<void>((resolve) => {
    first.once("close", resolve);
  });
  world.clock.advance(1_000);
  const second = await signIn(1);
  await closed;
  await expect.poll(() => places.map(({ gateway }) => gateway.state.connections)).toEqual([0, 1]);
  expect(second.connected).toBe(true);
  // A will told by the first gateway would have come before this.
  await second.publishAsync("paygo/v1/MOVES-1/event", '{"kind":"moved"}', { qos: 1 });
  expect(told).toEqual(["online", '{"kind":"moved"}']);
  second.stream.destroy();
  await expect.poll(() => told.slice(2)).toEqual(["offline"]);
});
