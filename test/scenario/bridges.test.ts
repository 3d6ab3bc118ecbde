import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePayload } from "../../bench/fuzz/sparkplug.ts";
import { startTestApp, TEST_START, type TestApp } from "../support/app.ts";

const [INVERTER, EDGE, OTHER] = ["GX-0001", "EDGE-0001", "LAMP-0001"] as const;
const passwords = new Map<string, string>();
const clients: MqttClient[] = [];
let place: TestApp & { drop(): Promise<void> };

beforeAll(async () => {
  place = await startTestApp({
    roles: ["gateway"],
    env: { WASHA_VICTRON_PORTALS: `c0619ab1cd23=${INVERTER}`, WASHA_SPARKPLUG_GROUPS: "village" },
  });
  const { devices, credentials, database } = place.app;
  const serials = [INVERTER, EDGE, OTHER];
  const csv = serials.map((serial) => `${serial},${createHash("md5").update(serial).digest("hex")},1`).join("\n");
  const given = await database.db.transaction(async (tx) => {
    await devices.importCsv(tx, `Serial Number,Key,Count\n${csv}\n`);
    return credentials.provision(tx, { serials, actor: "test", reason: "bridges" });
  });
  for (const { serial, password } of given) passwords.set(serial, password);
});
afterAll(async () => {
  for (const client of clients) client.end(true);
  await place.drop();
});

async function signIn(serial: string): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://127.0.0.1:${String(place.app.ports.mqtt)}`, {
    username: serial,
    password: passwords.get(serial) ?? "",
    reconnectPeriod: 0,
  });
  clients.push(client);
  return client;
}
const readingsOf = (serial: string) =>
  place.app.database.db.execute<Record<string, unknown>>(sql`
    select r.battery_voltage_v as volts, r.battery_current_a as amperes, r.energy_in_wh::int as wh
    from telemetry.readings r join devices.devices d on d.number = r.device where d.serial = ${serial} order by r.at`);
const setAside = () =>
  place.app.database.db.execute<Record<string, unknown>>(
    sql`select reason, topic from telemetry.quarantine order by id`,
  );

describe("bridges that the operator named, at our own gateway", () => {
  test("what a Victron system publishes over its device's connection ends as readings", async () => {
    const client = await signIn(INVERTER);
    const say = (path: string, value: number) =>
      client.publishAsync(`N/c0619ab1cd23/${path}`, JSON.stringify({ value }), { qos: 1 });
    await say("system/0/Dc/Battery/Voltage", 51.5);
    await say("system/0/Dc/Battery/Current", -3.25);
    await say("vebus/276/Mode", 3);
    await say("solarcharger/258/Yield/System", 1.5);
    const readings = await readingsOf(INVERTER);
    expect(readings).toHaveLength(3);
    expect(readings).toEqual(
      expect.arrayContaining([
        { volts: 51.5, amperes: null, wh: null },
        { volts: null, amperes: -3.25, wh: null },
        { volts: null, amperes: null, wh: 1_500 },
      ]),
    );
  });

  test("what a Sparkplug edge node is born with and tells by its aliases ends as readings", async () => {
    const client = await signIn(EDGE);
    const now = TEST_START.getTime();
    const birth = writePayload(
      [
        { name: "bdSeq", int: 0 },
        { name: "Battery/Voltage", alias: 1, datatype: 3, int: 12_640, unit: "mV" },
      ],
      now,
    );
    await client.publishAsync(`spBv1.0/village/NBIRTH/${EDGE}`, Buffer.from(birth), { qos: 1 });
    const data = writePayload([{ alias: 1, int: 12_700 }], now + 60_000);
    await client.publishAsync(`spBv1.0/village/NDATA/${EDGE}`, Buffer.from(data), { qos: 1 });
    expect((await readingsOf(EDGE)).map(({ volts }) => volts)).toEqual([
      expect.closeTo(12.64, 3),
      expect.closeTo(12.7, 3),
    ]);
  });

  test("another device cannot speak for a portal or a node, nor a node for another device or in another group", async () => {
    const before = (await setAside()).length;
    const lamp = await signIn(OTHER);
    const edge = await signIn(EDGE);
    const born = Buffer.from(writePayload([{ name: "Battery/Voltage", double: 99 }], TEST_START.getTime()));
    await lamp.publishAsync("N/c0619ab1cd23/system/0/Dc/Battery/Voltage", '{"value": 99}', { qos: 1 });
    await lamp.publishAsync("N/feedbeef/system/0/Dc/Battery/Voltage", '{"value": 99}', { qos: 1 });
    await lamp.publishAsync(`spBv1.0/village/NBIRTH/${EDGE}`, born, { qos: 1 });
    await edge.publishAsync(`spBv1.0/village/DBIRTH/${EDGE}/${OTHER}`, born, { qos: 1 });
    await edge.publishAsync(`spBv1.0/town/NBIRTH/${EDGE}`, born, { qos: 1 });
    expect((await setAside()).slice(before).map(({ reason }) => reason)).toEqual(Array(5).fill("foreign_serial"));
    expect(await readingsOf(OTHER)).toEqual([]);
    expect((await readingsOf(EDGE)).every(({ volts }) => volts !== 99)).toBe(true);
  });
});
