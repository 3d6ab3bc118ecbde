import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { sql } from "drizzle-orm";
import mqtt from "mqtt";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeGatewayDoor } from "../../../src/telemetry/doors/gateway.mqtt.ts";
import type { RawFrame } from "../../../src/telemetry/frames/frame.ts";
import { openClient } from "../../../src/platform/database.ts";
import { useDatabase } from "../../support/database.ts";
import { makeIngestWorld, signed } from "../ingest/ingest-world.ts";

const database = useDatabase();
let world: ReturnType<typeof makeIngestWorld>;
let gateway: Awaited<ReturnType<typeof makeGatewayDoor>>;
let port: number;
/** Frames as they came to ingest. */
const told: RawFrame[] = [];
const here: string[] = [];
const gone: string[] = [];
const clients: mqtt.MqttClient[] = [];
let serials = 0;

beforeAll(async () => {
  world = makeIngestWorld(database.current);
  gateway = await makeGatewayDoor({
    ingest: {
      setAside: world.ingest.setAside,
      take(raw, source) {
        told.push(raw);
        return world.ingest.take(raw, source);
      },
    },
    clock: world.clock,
    authenticate: async (serial, password) => {
      if (password === "away") throw new Error("The database is away.");
      return password === `secret of ${serial}`;
    },
    onHere: (serial) => void here.push(serial),
    onGone: (serial) => void gone.push(serial),
    limits: { messagesMax: 200, messagesOfOneMax: 100 },
  });
  ({ port } = await gateway.listen({ port: 0, host: "127.0.0.1" }));
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
});
afterAll(async () => {
  await gateway.close();
  await world.ingest.close();
});

async function newSerial(): Promise<string> {
  const serial = `GW-${String((serials += 1))}`;
  await world.addDevice(serial);
  return serial;
}

async function signIn(serial: string, options: mqtt.IClientOptions = {}): Promise<mqtt.MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${String(port)}`, {
    username: serial,
    password: `secret of ${serial}`,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  });
  clients.push(client);
  client.on("error", () => undefined);
  return client;
}

const nowSeconds = (): number => Math.floor(world.clock.now().getTime() / 1000);
const data = (serial: string, at = 0) =>
  JSON.stringify({ sn: serial, ts: nowSeconds() - 10_000 + at, d: { tc: 1, battery_voltage: 12 } });

async function readingsOf(serial: string): Promise<number> {
  const [row] = await database.current.db.execute<{ count: number }>(sql`
    select count(*)::int as count from telemetry.readings r join devices.devices d on d.number = r.device where d.serial = ${serial}`);
  return row?.count ?? 0;
}
async function quarantineOf(serial: string) {
  return await database.current.db.execute<{ reason: string; topic: string }>(sql`
    select reason, topic from telemetry.quarantine where serial = ${serial} order by id`);
}
/** Nobody can commit readings before the answer is called. */
async function lockReadings(): Promise<() => Promise<void>> {
  const admin = openClient(database.url, 1);
  const unlocked = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const held = admin.begin(async (tx) => {
    await tx`lock table telemetry.readings in access exclusive mode`;
    locked.resolve();
    await unlocked.promise;
  });
  await locked.promise;
  return async () => {
    unlocked.resolve();
    await held;
    await admin.end();
  };
}

const closeOf = (client: mqtt.MqttClient): Promise<void> =>
  new Promise((resolve) => {
    client.once("close", resolve);
  });

const until = async (look: () => Promise<boolean> | boolean): Promise<void> => {
  const end = performance.now() + 10_000;
  while (!(await look())) {
    if (performance.now() > end) throw new Error("It did not come to be.");
    await new Promise((resolve) => setImmediate(resolve));
  }
};

describe("the acknowledgement", () => {
  test("comes when the frame is committed, and a frame that is acknowledged is there", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    for (let at = 0; at < 10; at++) {
      await client.publishAsync(`paygo/v1/${serial}/data`, data(serial, at), { qos: 1 });
      expect(await readingsOf(serial)).toBe(at + 1);
    }
  });

  test("does not come while the commit cannot happen, and comes when it did", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    await client.publishAsync(`paygo/v1/${serial}/data`, data(serial), { qos: 1 });
    const unlock = await lockReadings();
    let isAcknowledged = false;
    const sent = client.publishAsync(`paygo/v1/${serial}/data`, data(serial, 1), { qos: 1 }).then(() => {
      isAcknowledged = true;
    });
    await until(() => gateway.state.messages === 1);
    expect(isAcknowledged).toBe(false);
    await unlock();
    await sent;
    expect(await readingsOf(serial)).toBe(2);
  });

  test("comes for QoS 2 after the commit too, in its four steps", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    await client.publishAsync(`paygo/v1/${serial}/data`, data(serial), { qos: 2 });
    expect(await readingsOf(serial)).toBe(1);
  });

  test("comes for a frame that is set aside: the device need not send it for ever", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    await client.publishAsync(`paygo/v1/${serial}/data`, "no frame", { qos: 1 });
    await client.publishAsync(`paygo/v1/${serial}/data`, data(serial), { qos: 1 });
    expect(await quarantineOf(serial)).toMatchObject([{ reason: "not_readable", topic: "data" }]);
    expect(await readingsOf(serial)).toBe(1);
  });
});

describe("who may speak", () => {
  test.each(["A/1", "LAMP_", "-A", "_x", "a:b.c-d", "7", "A/B/C", "DEV-中文", "x".repeat(64)])(
    "a device whose serial can be imported (%s) comes in, is read and hears its commands",
    async (serial) => {
      await world.addDevice(serial);
      const client = await signIn(serial);
      await client.publishAsync(`paygo/v1/${serial}/data`, data(serial), { qos: 1 });
      const request = { sn: serial, ts: nowSeconds() - 5_000, d: { tc: 1, battery_voltage: 12 } };
      await client.publishAsync(`paygo/v1/${serial}/data`, JSON.stringify(signed(request)), { qos: 1 });
      await client.publishAsync(`paygo/v1/${serial}/status`, "online", { qos: 1 });
      expect(await quarantineOf(serial)).toEqual([]);
      expect(await readingsOf(serial)).toBe(2);
      await expect(client.subscribeAsync(`paygo/v1/${serial}/cmd`, { qos: 1 })).resolves.toHaveLength(1);
    },
  );

  test("a wrong password is refused, and a database that is away asks the device to try again", async () => {
    const serial = await newSerial();
    await expect(signIn(serial, { password: "wrong" })).rejects.toMatchObject({ code: 5 });
    await expect(signIn(serial, { password: "away" })).rejects.toMatchObject({ code: 3 });
  });

  test("a frame on another device's topic is set aside under who sent it, and the other device hears nothing", async () => {
    const [thief, victim] = [await newSerial(), await newSerial()];
    const client = await signIn(thief);
    await client.publishAsync(`paygo/v1/${victim}/data`, data(victim), { qos: 1 });
    await client.publishAsync(`paygo/v1/${victim}/cmd`, "open", { qos: 1 });
    await client.publishAsync(`paygo/v1/${thief}/cmd`, "open", { qos: 1 });
    expect(await readingsOf(victim)).toBe(0);
    expect((await quarantineOf(thief)).map(({ reason }) => reason)).toEqual([
      "foreign_serial",
      "foreign_serial",
      "unknown_topic",
    ]);
  });

  test("a device that goes on abusing topics is cut off", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    const closed = closeOf(client);
    for (let at = 0; at < 25; at++) client.publish("somebody/else", "x", { qos: 1 });
    await closed;
    await until(async () => (await quarantineOf(serial)).length === 20);
    expect(client.connected).toBe(false);
  });

  test("a device reads its own commands and nothing else, no wildcard either", async () => {
    const [serial, other] = [await newSerial(), await newSerial()];
    const client = await signIn(serial);
    const wanted = [
      `paygo/v1/${other}/cmd`,
      `paygo/v1/${serial}/data`,
      `paygo/v1/${serial}/#`,
      "#",
      "$SYS/#",
      "+/+/+/cmd",
    ];
    for (const topic of wanted)
      await expect(client.subscribeAsync(topic, { qos: 1 })).rejects.toThrow("Unspecified error");
    await expect(client.subscribeAsync(`paygo/v1/${serial}/cmd`, { qos: 1 })).resolves.toHaveLength(1);
  });

  test("whatever a client calls itself, it cannot push another device off", async () => {
    const [serial, other] = [await newSerial(), await newSerial()];
    const client = await signIn(serial, { clientId: serial });
    await signIn(other, { clientId: serial });
    await client.publishAsync(`paygo/v1/${serial}/data`, data(serial), { qos: 1 });
    expect(await readingsOf(serial)).toBe(1);
  });
});

describe("commands", () => {
  test("a command is sent to the device that is here and resolves at its acknowledgement", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    expect(gateway.isHere(serial)).toBe(false);
    await client.subscribeAsync(`paygo/v1/${serial}/cmd`, { qos: 1 });
    await until(() => gateway.isHere(serial));
    expect(here).toContain(serial);
    const heard: string[] = [];
    client.on("message", (_topic, payload) => void heard.push(payload.toString()));
    await Promise.all([
      gateway.send(serial, "cmd", Buffer.from("one")),
      gateway.send(serial, "cmd", Buffer.from("two")),
    ]);
    expect(heard).toEqual(["one", "two"]);
    await client.endAsync();
    await until(() => gone.includes(serial));
    await expect(gateway.send(serial, "cmd", Buffer.from("three"))).rejects.toThrow("not connected");
  });

  test("a command that the device does not acknowledge before it goes away is not taken for delivered", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    client.handleMessage = () => undefined;
    await client.subscribeAsync(`paygo/v1/${serial}/cmd`, { qos: 1 });
    await until(() => gateway.isHere(serial));
    const sent = gateway.send(serial, "cmd", Buffer.from("one"));
    gateway.disconnect(serial);
    await expect(sent).rejects.toThrow("not connected");
  });
});

describe("connections", () => {
  const statusTopic = (serial: string): string => `paygo/v1/${serial}/status`;
  const willOf = (serial: string) =>
    ({ topic: statusTopic(serial), payload: Buffer.from('{"status":"offline"}'), qos: 1, retain: true }) as const;
  const stated = async (serial: string): Promise<unknown> => {
    const [row] = await database.current.db.execute<{ connection: string }>(sql`
      select connection from telemetry.states s join devices.devices d on d.number = s.device where d.serial = ${serial}`);
    return row?.connection;
  };
  /** How often a device was told to be gone, whatever was told after it. */
  const wills = (serial: string): number =>
    told.filter((frame) => frame.serial === serial && Buffer.from(frame.payload).includes("offline")).length;
  /** A will told by mistake would have come before: its connection ended before this frame was sent. */
  async function tellOnline(serial: string, client: mqtt.MqttClient, at: number): Promise<void> {
    await client.publishAsync(`paygo/v1/${serial}/data`, data(serial, at), { qos: 1 });
  }

  test("the last will of a device that vanishes is taken as its status; one that says good-bye has none", async () => {
    const serial = await newSerial();
    const will = willOf(serial);
    const leaving = await signIn(serial, { will });
    await leaving.publishAsync(statusTopic(serial), '{"status":"online"}', { qos: 1, retain: true });
    expect(await stated(serial)).toBe("online");
    await leaving.endAsync();
    await until(() => gone.includes(serial) || gateway.state.connections === 0);
    const vanishing = await signIn(serial, { will });
    await tellOnline(serial, vanishing, 1);
    expect(await stated(serial)).toBe("online");
    vanishing.stream.destroy();
    await until(async () => (await stated(serial)) === "offline");
    expect(wills(serial)).toBe(1);
  });

  test("a second connection of a device ends the first, without telling that the device is gone", async () => {
    const serial = await newSerial();
    const will = willOf(serial);
    const first = await signIn(serial, { will });
    await first.publishAsync(statusTopic(serial), '{"status":"online"}', { qos: 1 });
    const closed = closeOf(first);
    const second = await signIn(serial, { will });
    await closed;
    await tellOnline(serial, second, 1);
    expect(await stated(serial)).toBe("online");
    second.stream.destroy();
    await until(async () => (await stated(serial)) === "offline");
    expect(wills(serial)).toBe(1);
  });

  test("a frame that is too large is acknowledged, and its head set aside with its size; what comes next is heard", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    let isClosed = false;
    client.once("close", () => (isClosed = true));
    const large = Buffer.alloc(6 * 1_048_576, 0x20);
    large.write('{"sn": "who", "d": {');
    const topic = `paygo/v1/${serial}/data`;
    await client.publishAsync(topic, data(serial), { qos: 1 });
    await client.publishAsync(topic, large, { qos: 1 });
    await client.publishAsync(topic, large, { qos: 2 });
    await client.publishAsync(topic, data(serial, 1), { qos: 1 });
    expect(await readingsOf(serial)).toBe(2);
    const rows = await database.current.db.execute<{ reason: string; bytes: number; raw: Buffer; detail: string }>(sql`
      select reason, bytes, raw, detail from telemetry.quarantine where serial = ${serial}`);
    expect(rows).toHaveLength(2);
    for (const { reason, bytes, raw, detail } of rows) {
      expect({ reason, bytes }).toEqual({ reason: "too_large", bytes: large.length });
      expect(raw.toString().startsWith('{"sn": "who"')).toBe(true);
      expect(raw.length).toBeLessThan(8_193);
      expect(detail).toContain("send several");
    }
    expect(world.refused.filter((one) => one.serial === serial).map(({ reason }) => reason)).toEqual([
      "too_large",
      "too_large",
    ]);
    expect(isClosed).toBe(false);
  });

  test("a packet that announces more than a frame may have ends its connection before it is collected", async () => {
    const socket = connectTcp(port, "127.0.0.1");
    const closed = once(socket, "close");
    socket.on("error", () => undefined);
    // CONNECT with a length of 200 MB.
    socket.write(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x60]));
    await closed;
    expect(socket.destroyed).toBe(true);
  });

  test("a device that sends without waiting is read no further while too much is in flight, and loses nothing", async () => {
    const serial = await newSerial();
    const client = await signIn(serial);
    await client.publishAsync(`paygo/v1/${serial}/data`, data(serial), { qos: 1 });
    const unlock = await lockReadings();
    const sent = Array.from({ length: 3_000 }, (_, at) =>
      client.publishAsync(`paygo/v1/${serial}/data`, data(serial, at + 1), { qos: 1 }),
    );
    await until(() => gateway.state.paused === 1);
    const most = gateway.state.messages;
    await unlock();
    await Promise.all(sent);
    // What one read of the socket brings is taken before the pause takes hold.
    expect(most).toBeLessThan(1_000);
    expect(await readingsOf(serial)).toBe(3_001);
    expect(gateway.state).toMatchObject({ messages: 0, bytes: 0, paused: 0 });
  });
});

test("a signed frame is checked on a device's own connection too", async () => {
  const serial = await newSerial();
  const client = await signIn(serial);
  const forged = { ...signed({ sn: serial, rc: 5, d: { tc: 1 } }), rc: 6 };
  await client.publishAsync(`paygo/v1/${serial}/data`, JSON.stringify(forged), { qos: 1 });
  expect(await quarantineOf(serial)).toMatchObject([{ reason: "signature_invalid" }]);
});
