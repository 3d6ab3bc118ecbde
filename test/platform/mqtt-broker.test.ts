import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { Aedes } from "aedes";
import { connectAsync } from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filtersOf, makeFilterMatch } from "../../src/platform/mqtt-broker-filters.ts";
import { startBrokerLink, type BrokerLink, type BrokerSettings } from "../../src/platform/mqtt-broker.ts";

/** A message as `take` saw it, with the power to commit it or to fail. */
interface Taken {
  readonly text: string;
  commit(): void;
  fail(): void;
}

let broker: Aedes;
let server: Server;
let sockets: Set<Socket>;
let port = 0;
let opened: { readonly link: BrokerLink; readonly taken: readonly Taken[] }[] = [];
/** What the broker heard acknowledged, in order. */
let acknowledged: string[] = [];

beforeEach(async () => {
  broker = await Aedes.createBroker({ concurrency: 1_000 });
  broker.on("ack", (packet) => {
    if ("payload" in packet) acknowledged.push(String(packet.payload));
  });
  sockets = new Set();
  server = createServer((socket) => {
    sockets.add(socket);
    broker.handle(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address === "object" && address !== null) port = address.port;
  acknowledged = [];
  opened = [];
});

afterEach(async () => {
  for (const { link, taken } of opened) {
    for (const one of taken) one.commit();
    await link.stop();
  }
  await new Promise<void>((resolve) => broker.close(resolve));
  if (server.listening) await new Promise((resolve) => server.close(resolve));
  port = 0;
});

function open(settings: Partial<BrokerSettings> = {}): { link: BrokerLink; taken: Taken[]; faults: unknown[] } {
  const taken: Taken[] = [];
  const faults: unknown[] = [];
  const link = startBrokerLink({
    url: `mqtt://127.0.0.1:${String(port)}`,
    name: "gateway",
    isShared: false,
    group: "washa",
    filters: ["paygo/v1/+/data"],
    protocolVersion: 4,
    retryPauseMs: { first: 1, most: 1 },
    reconnectMs: 10,
    onFault: (error) => faults.push(error),
    take: (message) =>
      new Promise((resolve, reject) => {
        taken.push({
          text: Buffer.from(message.payload).toString(),
          commit: () => resolve(undefined),
          fail: () => reject(new Error("The database is away.")),
        });
      }),
    ...settings,
  });
  opened.push({ link, taken });
  return { link, taken, faults };
}

async function tellAs(serial: string, ...texts: readonly string[]): Promise<void> {
  const device = await connectAsync(`mqtt://127.0.0.1:${String(port)}`, { clientId: serial });
  for (const text of texts) await device.publishAsync(`paygo/v1/${serial}/data`, text, { qos: 1 });
  await device.endAsync();
}
const tell = (...texts: readonly string[]): Promise<void> => tellAs("lamp", ...texts);

const texts = (taken: readonly Taken[]): string[] => taken.map(({ text }) => text);
const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => `frame ${String(at)}`);

describe("acknowledgements that wait for the commit", () => {
  test("every message is handed on while none is committed, and none of them is acknowledged", async () => {
    const { link, taken } = open();
    await link.whenReady();
    await tell(...numbered(50));
    await expect.poll(() => texts(taken)).toEqual(numbered(50));
    expect(link.inFlight).toEqual({ messages: 50, bytes: numbered(50).join("").length });
    expect(acknowledged).toEqual([]);
  });

  test("they leave in the order of the messages, whatever the order of the commits", async () => {
    const { link, taken } = open();
    await link.whenReady();
    await tell(...numbered(20));
    await expect.poll(() => taken.length).toBe(20);
    for (const one of taken.slice(5).toReversed()) one.commit();
    await expect.poll(() => link.inFlight.messages).toBe(5);
    expect(acknowledged).toEqual([]);
    for (const one of taken.slice(0, 5)) one.commit();
    await expect.poll(() => acknowledged).toEqual(numbered(20));
  });

  test("what was not committed when the connection broke comes again, and nothing else does", async () => {
    const { link, taken } = open();
    await link.whenReady();
    await tell("one", "two", "three");
    await expect.poll(() => taken.length).toBe(3);
    taken[0]?.commit();
    await expect.poll(() => acknowledged).toEqual(["one"]);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => texts(taken)).toEqual(["one", "two", "three", "two", "three"]);
    // The commits of the first connection answer nothing on the second: a number may mean another message there.
    taken[1]?.commit();
    taken[2]?.commit();
    await expect.poll(() => link.inFlight.messages).toBe(2);
    expect(acknowledged).toEqual(["one"]);
    taken[3]?.commit();
    taken[4]?.commit();
    await expect.poll(() => acknowledged).toEqual(["one", "two", "three"]);
  });

  test("a message that fails is tried again, holds up nobody else's, and the fault is told once", async () => {
    const { link, taken, faults } = open();
    await link.whenReady();
    await tell("bad");
    await tellAs("radio", "good");
    await expect.poll(() => taken.length).toBe(2);
    taken[0]?.fail();
    await expect.poll(() => taken.length).toBe(3);
    taken[2]?.fail();
    await expect.poll(() => taken.length).toBe(4);
    expect(faults).toHaveLength(1);
    taken[1]?.commit();
    await expect.poll(() => acknowledged).toEqual(["good"]);
    taken[3]?.commit();
    await expect.poll(() => acknowledged).toEqual(["good", "bad"]);
  });

  test("what a device said after a message that failed is not taken before it: its count would have moved on", async () => {
    const { link, taken } = open();
    await link.whenReady();
    await tell("count 1");
    await expect.poll(() => taken.length).toBe(1);
    taken[0]?.fail();
    await expect.poll(() => texts(taken)).toEqual(["count 1", "count 1"]);
    await tell("count 2", "count 3");
    await tellAs("radio", "of another");
    await expect.poll(() => texts(taken)).toEqual(["count 1", "count 1", "of another"]);
    taken[1]?.commit();
    for (let at = 3; at < 5; at++) {
      await expect.poll(() => taken.length).toBe(at + 1);
      taken[at]?.commit();
    }
    expect(texts(taken)).toEqual(["count 1", "count 1", "of another", "count 2", "count 3"]);
    taken[2]?.commit();
    await expect.poll(() => acknowledged).toEqual(["count 1", "count 2", "count 3", "of another"]);
    await expect.poll(() => link.inFlight.messages).toBe(0);
  });

  test("messages that failed together are tried again in the order in which they came", async () => {
    const { link, taken } = open();
    await link.whenReady();
    await tell("count 1", "count 2", "count 3");
    await expect.poll(() => taken.length).toBe(3);
    for (const one of taken.slice().toReversed()) one.fail();
    for (let at = 3; at < 6; at++) {
      await expect.poll(() => taken.length).toBe(at + 1);
      taken[at]?.commit();
    }
    expect(texts(taken).slice(3)).toEqual(["count 1", "count 2", "count 3"]);
  });
});

describe("limits", () => {
  test("above the limit the connection pauses, and goes on with the commits", async () => {
    const { link, taken } = open({ messagesMax: 10 });
    await link.whenReady();
    await tell(...numbered(30));
    await expect.poll(() => taken.length).toBe(10);
    for (let at = 0; at < 30; at++) {
      expect(link.inFlight.messages).toBeLessThanOrEqual(10);
      await expect.poll(() => taken.length).toBeGreaterThan(at);
      taken[at]?.commit();
    }
    await expect.poll(() => acknowledged).toEqual(numbered(30));
    expect(texts(taken)).toEqual(numbered(30));
  });

  test("large messages are counted by their bytes", async () => {
    const { link, taken } = open({ bytesMax: 100 });
    await link.whenReady();
    await tell("x".repeat(100), "y");
    await expect.poll(() => taken.length).toBe(1);
    taken[0]?.commit();
    await expect.poll(() => taken.length).toBe(2);
    taken[1]?.commit();
    await expect.poll(() => acknowledged.length).toBe(2);
  });
});

describe("coming and going", () => {
  test("what is told while the gateway is away waits for it", async () => {
    const before = open();
    await before.link.whenReady();
    await before.link.stop();
    await tell("while you were away");
    const after = open();
    await expect.poll(() => texts(after.taken)).toEqual(["while you were away"]);
  });

  test("a stop waits for what is under way, acknowledges it, and leaves what comes meanwhile to the broker", async () => {
    const before = open();
    await before.link.whenReady();
    await tell("under way");
    await expect.poll(() => before.taken.length).toBe(1);
    const stopped = before.link.stop();
    await tell("too late");
    before.taken[0]?.commit();
    await stopped;
    expect(texts(before.taken)).toEqual(["under way"]);
    expect(acknowledged).toEqual(["under way"]);
    const after = open();
    await expect.poll(() => texts(after.taken)).toEqual(["too late"]);
    after.taken[0]?.commit();
  });

  test("what the settings do not ask for any more is left, and what waited of it is not lost", async () => {
    const before = open({ filters: ["paygo/v1/+/data", "N/#", "spBv1.0/village/NDATA/+"] });
    await before.link.whenReady();
    await before.link.stop();
    const bridge = await connectAsync(`mqtt://127.0.0.1:${String(port)}`, { clientId: "bridge" });
    await bridge.publishAsync("N/portal/system/0/Dc", "waited", { qos: 1 });
    const left: string[] = [];
    broker.on("unsubscribe", (filters) => left.push(...filters));
    const after = open();
    await expect.poll(() => texts(after.taken)).toEqual(["waited"]);
    await expect.poll(() => left).toContain("N/#");
    await bridge.publishAsync("N/portal/system/0/Dc", "left", { qos: 1 });
    await bridge.endAsync();
    await tell("still asked for");
    await expect.poll(() => texts(after.taken)).toEqual(["waited", "still asked for"]);
  });

  test("a broker that comes up later is found, and what is published before is refused", async () => {
    await new Promise((resolve) => server.close(resolve));
    const { link, faults } = open();
    await expect(link.publish("paygo/v1/lamp/cmd", "{}")).rejects.toThrow("The broker is away.");
    await expect.poll(() => faults.length).toBeGreaterThan(0);
    server.listen(port, "127.0.0.1");
    await link.whenReady();
    await link.publish("paygo/v1/lamp/cmd", "{}");
  });

  test("a refused subscription is told with what to allow", async () => {
    broker.authorizeSubscribe = (_client, _subscription, done) => done(null, null);
    const { faults } = open();
    await expect.poll(() => faults.map(String)).toEqual([expect.stringContaining("allow it to the user of MQTT_URL")]);
  });
});

describe("filters", () => {
  test.each([
    ["paygo/v1/+/data", "paygo/v1/A/data", true],
    ["paygo/v1/+/data", "paygo/v1/A/B/data", false],
    ["paygo/v1/+/+/data", "paygo/v1/A/B/data", true],
    ["paygo/v1/+/data", "paygo/v1//data", true],
    ["N/#", "N", true],
    ["N/#", "N/a/b", true],
    ["N/#", "NO/a", false],
    ["#", "anything/at/all", true],
    ["spBv1.0/a/NDATA/+", "spBv1x0/a/NDATA/b", false],
  ])("%s asks for %s: %s", (filter, topic, isAskedFor) => {
    expect(makeFilterMatch(["else", filter])(topic)).toBe(isAskedFor);
    expect(filtersOf(topic).includes(filter)).toBe(isAskedFor);
  });

  test("all that could have brought a topic match it, and are few enough for one packet", () => {
    const deep = "N/portal/vebus/276/Ac/ActiveIn/L1/P";
    for (const filter of filtersOf(deep)) expect(makeFilterMatch([filter])(deep)).toBe(true);
    expect(new Set(filtersOf(deep)).size).toBe(767);
    expect(filtersOf(`${deep}/and/further/down`)).toContain("N/#");
  });
});
