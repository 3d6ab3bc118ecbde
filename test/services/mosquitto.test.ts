import { randomUUID } from "node:crypto";
import { connect, connectAsync } from "mqtt";
import type { MqttClient } from "mqtt";
import { describe, expect, inject, test } from "vitest";

const { mqttUrl } = inject("services");

const connectAs = async (clientId: string, clean = true): Promise<MqttClient> =>
  await connectAsync(mqttUrl ?? "", {
    clientId,
    clean,
    protocolVersion: 5,
    properties: clean ? {} : { sessionExpiryInterval: 60 },
  });

const nextMessage = async (client: MqttClient): Promise<string> =>
  await new Promise<string>((resolve) => {
    client.once("message", (_topic, payload) => resolve(payload.toString()));
  });

describe.skipIf(mqttUrl === undefined)("Mosquitto", () => {
  test("a QoS 1 message is acknowledged and arrives", async () => {
    const topic = `washa-test/${randomUUID()}`;
    const gateway = await connectAs(`gateway-${randomUUID()}`);
    const lamp = await connectAs(`lamp-${randomUUID()}`);
    try {
      await gateway.subscribeAsync(topic, { qos: 1 });
      const arrived = nextMessage(gateway);
      await lamp.publishAsync(topic, "hello", { qos: 1 });
      expect(await arrived).toBe("hello");
    } finally {
      await lamp.endAsync();
      await gateway.endAsync();
    }
  });

  test("a message for a gateway that is away waits for its return", async () => {
    const topic = `washa-test/${randomUUID()}`;
    const gatewayId = `gateway-${randomUUID()}`;
    const before = await connectAs(gatewayId, false);
    await before.subscribeAsync(topic, { qos: 1 });
    await before.endAsync();

    const lamp = await connectAs(`lamp-${randomUUID()}`);
    await lamp.publishAsync(topic, "while you were away", { qos: 1 });
    await lamp.endAsync();

    // Manual, because the kept message comes on the heels of the connection, before any promise is resumed.
    const after = connect(mqttUrl ?? "", {
      clientId: gatewayId,
      clean: false,
      protocolVersion: 5,
      manualConnect: true,
    });
    const arrived = nextMessage(after);
    after.connect();
    try {
      expect(await arrived).toBe("while you were away");
    } finally {
      await after.endAsync();
      await (await connectAs(gatewayId)).endAsync();
    }
  });
});
