import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { connect, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";
import { findMosquittoParts, makeGuardedMosquitto, type GuardedMosquitto } from "../support/mosquitto.ts";

const parts = findMosquittoParts();
const SERIAL = "LAMP-0001";

describe.skipIf(parts?.plugin === undefined)("the program behind a Mosquitto", () => {
  let broker: GuardedMosquitto;
  let place: TestApp & { drop(): Promise<void> };
  const lamps: MqttClient[] = [];

  const start = () =>
    startTestApp({
      roles: ["gateway"],
      env: {
        MQTT_URL: broker.url.replace("://", "://washa:gateway-password@"),
        MQTT_CONTROL_URL: broker.controlUrl,
        WASHA_MQTT_NAME: "washa-program",
      },
    });
  beforeAll(async () => {
    broker = await makeGuardedMosquitto({ program: parts?.program ?? "", plugin: parts?.plugin ?? "" });
    await broker.start();
    place = await start();
  });
  afterAll(async () => {
    for (const lamp of lamps) lamp.end(true);
    await place.drop();
    await broker.remove();
  });

  /** Keeps trying, as a device does whose account is just being made. */
  async function signIn(password: string): Promise<MqttClient> {
    const lamp = connect(broker.url, {
      clientId: SERIAL,
      username: SERIAL,
      password,
      reconnectPeriod: 50,
      reconnectOnConnackError: true,
    });
    lamps.push(lamp);
    lamp.on("error", () => undefined);
    await new Promise((resolve) => lamp.once("connect", resolve));
    return lamp;
  }
  const tell = (lamp: MqttClient, batteryVoltage: number, timestamp: number) =>
    lamp.publishAsync(
      `paygo/v1/${SERIAL}/data`,
      JSON.stringify({ sn: SERIAL, ts: timestamp, d: { battery_voltage: batteryVoltage } }),
      { qos: 1 },
    );
  const readings = async (): Promise<number[]> =>
    (
      await place.app.database.db.execute<{ volts: number }>(
        sql`select battery_voltage_v as volts from telemetry.readings order by at`,
      )
    ).map(({ volts }) => volts);

  test("a claimed device gets an account, its readings arrive, and a command reaches it and is answered", async () => {
    const { app } = place;
    const { db } = app.database;
    const claimed = await db.transaction(async (tx) => {
      const key = createHash("md5").update(SERIAL).digest("hex");
      await app.devices.importCsv(tx, `Serial Number,Key,Count\n${SERIAL},${key},1\n`);
      return app.credentials.provision(tx, { serials: [SERIAL], actor: "test", reason: "program" });
    });
    expect(claimed[0]?.broker).toBe(broker.url);
    const lamp = await signIn(claimed[0]?.password ?? "");
    const heard: { id: string; kind: string }[] = [];
    lamp.on("message", (_topic, payload) => heard.push(JSON.parse(payload.toString()) as { id: string; kind: string }));
    await lamp.subscribeAsync(`paygo/v1/${SERIAL}/cmd`, { qos: 1 });
    await tell(lamp, 12.5, 1_772_431_200);
    await expect.poll(readings).toEqual([12.5]);

    const device = await app.devices.requireBySerial(db, SERIAL);
    const asked = await db.transaction((tx) =>
      app.deviceCommands.ask(tx, {
        request: { kind: "set_interval", seconds: 900 },
        reason: "program",
        actor: "test",
        deviceId: device.id,
      }),
    );
    await expect.poll(() => heard, { timeout: 5_000 }).toMatchObject([{ id: asked.id, kind: "set_interval" }]);
    await lamp.publishAsync(`paygo/v1/${SERIAL}/ack`, JSON.stringify({ id: asked.id, outcome: "done" }), { qos: 1 });
    await expect.poll(async () => (await app.deviceCommands.find(db, asked.id))?.state).toBe("done");

    const out = new Promise<void>((resolve) => lamp.once("close", () => resolve()));
    await db.transaction((tx) => app.credentials.revoke(tx, { serials: [SERIAL], actor: "test", reason: "stolen" }));
    await out;
    await lamp.endAsync(true);
  });

  test("a broker that lost its disk is found again and its accounts are made anew, listening before the devices come in", async () => {
    const { app } = place;
    const [given] = await app.database.db.transaction((tx) =>
      app.credentials.provision(tx, { serials: [SERIAL], actor: "test", reason: "back" }),
    );
    const before = await signIn(given?.password ?? "");
    await broker.end("SIGKILL");
    broker.reset();
    await before.endAsync(true);
    await broker.start();
    const lamp = await signIn(given?.password ?? "");
    await tell(lamp, 13.5, 1_772_431_260);
    await expect.poll(readings).toEqual([12.5, 13.5]);
  });
});
