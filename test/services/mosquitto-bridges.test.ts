import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePayload } from "../../bench/fuzz/sparkplug.ts";
import { openDynamicSecurity } from "../../src/platform/mqtt-broker-dynsec.ts";
import { readSparkplugPayload } from "../../src/telemetry/frames/sparkplug-payload.ts";
import { startTestApp, TEST_START, type TestApp } from "../support/app.ts";
import { findMosquittoParts, makeGuardedMosquitto, type GuardedMosquitto } from "../support/mosquitto.ts";

const parts = findMosquittoParts();
const [INVERTER, SENSOR] = ["GX-0001", "SENSOR-0001"] as const;
const EVERYTHING = ["publishClientSend", "publishClientReceive", "subscribePattern", "unsubscribePattern"];

describe.skipIf(parts?.plugin === undefined)("bridges behind a Mosquitto", () => {
  let broker: GuardedMosquitto;
  let place: TestApp & { drop(): Promise<void> };
  let bridge: MqttClient;

  const rows = () =>
    place.app.database.db.execute<Record<string, unknown>>(sql`
      select d.serial, r.battery_voltage_v as volts from telemetry.readings r join devices.devices d on d.number = r.device
      order by d.serial, r.at`);
  const setAside = () =>
    place.app.database.db.execute<Record<string, unknown>>(sql`select reason, topic from telemetry.quarantine`);
  const say = (topic: string, payload: Uint8Array | string) =>
    bridge.publishAsync(topic, Buffer.from(payload), { qos: 1 });

  beforeAll(async () => {
    broker = await makeGuardedMosquitto({ program: parts?.program ?? "", plugin: parts?.plugin ?? "" });
    await broker.start();
    place = await startTestApp({
      roles: ["gateway"],
      env: {
        MQTT_URL: broker.url.replace("://", "://washa:gateway-password@"),
        MQTT_CONTROL_URL: broker.controlUrl,
        WASHA_MQTT_NAME: "washa-bridges",
        WASHA_VICTRON_PORTALS: `c0619ab1cd23=${INVERTER}`,
        WASHA_SPARKPLUG_GROUPS: "village",
      },
    });
    const csv = [INVERTER, SENSOR]
      .map((serial) => `${serial},${createHash("md5").update(serial).digest("hex")},1`)
      .join("\n");
    const { devices, credentials, database } = place.app;
    await database.db.transaction(async (tx) => {
      await devices.importCsv(tx, `Serial Number,Key,Count\n${csv}\n`);
      await credentials.provision(tx, { serials: [INVERTER, SENSOR], actor: "test", reason: "bridges" });
    });
    // The bridge's own account is the operator's to make.
    const control = openDynamicSecurity({ url: broker.controlUrl });
    const acls = EVERYTHING.map((acltype) => ({ acltype, topic: "#", allow: true }));
    await control.run([
      { command: "createRole", rolename: "bridge", acls },
      { command: "createClient", username: "bridge", password: "bridge", roles: [{ rolename: "bridge" }] },
    ]);
    await control.close();
    bridge = await connectAsync(broker.url, { username: "bridge", password: "bridge", reconnectPeriod: 0 });
  });
  afterAll(async () => {
    await bridge.endAsync(true);
    await place.drop();
    await broker.remove();
  });

  test("values of a portal and a node's data arrive; a node whose birth was missed is asked to be born again", async () => {
    const commands: { topic: string; payload: Buffer }[] = [];
    bridge.on("message", (topic, payload) => commands.push({ topic, payload }));
    await bridge.subscribeAsync("spBv1.0/village/NCMD/edge1");
    // Mosquitto tells nobody whether a subscription stands yet: what is told too early is told again.
    await expect
      .poll(
        async () => {
          await say("N/c0619ab1cd23/system/0/Dc/Battery/Voltage", '{"value": 51.5}');
          return (await rows()).map(({ serial }) => serial);
        },
        { timeout: 10_000, interval: 100 },
      )
      .toContain(INVERTER);

    const now = TEST_START.getTime();
    await say(`spBv1.0/village/DDATA/edge1/${SENSOR}`, writePayload([{ alias: 7, double: 12.5 }], now));
    await expect.poll(() => commands.length, { timeout: 5_000 }).toBe(1);
    const asked = readSparkplugPayload(commands[0]?.payload ?? Buffer.alloc(0));
    expect(commands[0]?.topic).toBe("spBv1.0/village/NCMD/edge1");
    expect(asked).toMatchObject({ ok: true, payload: { metrics: [{ name: "Node Control/Rebirth", value: true }] } });

    await say("spBv1.0/village/NBIRTH/edge1", writePayload([{ name: "bdSeq", int: 0 }], now));
    const birth = [{ name: "Battery/Voltage", alias: 7, datatype: 10, double: 12.5 }];
    await say(`spBv1.0/village/DBIRTH/edge1/${SENSOR}`, writePayload(birth, now));
    await say(`spBv1.0/village/DDATA/edge1/${SENSOR}`, writePayload([{ alias: 7, double: 13 }], now + 1_000));
    await expect
      .poll(async () => (await rows()).filter(({ serial }) => serial === SENSOR).map(({ volts }) => volts))
      .toEqual([12.5, 13]);
    expect(await setAside()).toEqual([{ reason: "unknown_format", topic: `spBv1.0/village/DDATA/edge1/${SENSOR}` }]);
  });
});
