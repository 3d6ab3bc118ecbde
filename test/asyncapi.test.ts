import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { encode } from "cborg";
import { sql } from "drizzle-orm";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { commandMessage, topicRights, type CommandRequest } from "../src/devices/devices.ts";
import { DEVICE_FILTERS } from "../src/telemetry/broker/topics.ts";
import { startTestApp, type TestApp } from "./support/app.ts";

interface Message {
  readonly contentType: string;
  readonly payload: object;
  readonly examples?: readonly { readonly name: string; readonly payload: unknown }[];
  readonly "x-refused"?: readonly {
    readonly reason: string;
    readonly payload?: unknown;
    /** Bytes that are no document. */
    readonly text?: string;
  }[];
}
interface Channel {
  readonly address: string;
  readonly messages: Readonly<Record<string, { readonly $ref: string }>>;
}
interface Page {
  readonly asyncapi: string;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<
    Record<string, { readonly action: "receive" | "send"; readonly channel: { readonly $ref: string } }>
  >;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, object>>;
  };
}

const page = parse(readFileSync(fileURLToPath(new URL("../docs/asyncapi.yaml", import.meta.url)), "utf8")) as Page;
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);

function resolve(reference: string): unknown {
  const found = reference
    .replace("#/", "")
    .split("/")
    .reduce<unknown>((place, name) => (place as Record<string, unknown> | undefined)?.[name], page);
  if (found === undefined) throw new Error(`${reference} leads nowhere.`);
  return found;
}

function referencesIn(thing: unknown): readonly string[] {
  if (typeof thing !== "object" || thing === null) return [];
  const own = "$ref" in thing && typeof thing.$ref === "string" ? [thing.$ref] : [];
  return [...own, ...Object.values(thing).flatMap(referencesIn)];
}

const compiled = new Map<object, ReturnType<typeof ajv.compile>>();
function fits(schema: object, value: unknown): boolean {
  const check = compiled.get(schema) ?? ajv.compile({ ...schema, components: { schemas: page.components.schemas } });
  compiled.set(schema, check);
  const isFine = check(value) === true;
  ajv.errors = check.errors ?? null;
  return isFine;
}
const COMMAND = { $ref: "#/components/schemas/command" };
const addressesOf = (action: "receive" | "send"): string[] =>
  Object.values(page.operations)
    .filter((operation) => operation.action === action)
    .map(({ channel }) => (resolve(channel.$ref) as Channel).address);
/** Each message with the kind of its channel, such as "status". */
const messages = Object.entries(page.channels).flatMap(([kind, channel]) =>
  Object.values(channel.messages).map(({ $ref }) => ({ kind, message: resolve($ref) as Message })),
);

describe("the page of MQTT", () => {
  test("is AsyncAPI 3, every reference in it holds, and every schema is one", () => {
    expect(page.asyncapi).toBe("3.0.0");
    for (const reference of referencesIn(page)) resolve(reference);
    for (const schema of Object.values(page.components.schemas)) expect(ajv.validateSchema(schema)).toBe(true);
  });

  test("every message stands on a channel, and every channel in an operation", () => {
    expect(new Set(messages.map(({ message }) => message))).toEqual(new Set(Object.values(page.components.messages)));
    expect([...addressesOf("receive"), ...addressesOf("send")].toSorted()).toEqual(
      Object.values(page.channels)
        .map(({ address }) => address)
        .toSorted(),
    );
  });

  test("its channels are the topics that the program knows, no more and no fewer", () => {
    const rights = topicRights("SERIAL");
    const own = (addresses: readonly string[]): string[] =>
      addresses.map((address) => address.replace("{serial}", "SERIAL")).toSorted();
    expect(own(addressesOf("receive"))).toEqual([...rights.publish].toSorted());
    expect(own(addressesOf("send"))).toEqual([...rights.subscribe].toSorted());
    const filters = addressesOf("receive").flatMap((address) =>
      ["+", "+/+"].map((level) => address.replace("{serial}", level)),
    );
    expect([...DEVICE_FILTERS].toSorted()).toEqual(filters.toSorted());
  });

  test("examples fit their schemas, and what is shown as refused does not, unless it is who says it", () => {
    for (const { kind, message } of messages) {
      expect(message.examples?.length ?? 0, kind).toBeGreaterThan(0);
      for (const { name, payload } of message.examples ?? [])
        expect(fits(message.payload, payload), `${name}: ${ajv.errorsText()}`).toBe(true);
      const malformed = (message["x-refused"] ?? []).filter(({ reason }) => reason === "wrong_schema");
      for (const { payload } of malformed) expect(fits(message.payload, payload), JSON.stringify(payload)).toBe(false);
    }
  });

  test("its commands are those of the program: both take the same and refuse the same, whatever is bent in them", () => {
    const examples = (page.components.messages["command"]?.examples ?? []).map(
      ({ payload }) => payload as Record<string, unknown>,
    );
    const strange = [undefined, null, -1, 1.5, "", "x", [], {}, true, 1e12];
    let refused = 0;
    for (const example of examples) {
      const bent = Object.keys({ ...example, another: 0 }).flatMap((name) =>
        strange.map((value) => ({ ...example, [name]: value })),
      );
      for (const one of [example, ...bent]) {
        const sent: unknown = JSON.parse(JSON.stringify(one));
        const isOurs = commandMessage.safeParse(sent).success;
        if (!isOurs) refused += 1;
        expect(fits(COMMAND, sent), JSON.stringify(sent)).toBe(isOurs);
      }
    }
    expect(refused).toBeGreaterThan(examples.length * strange.length);
  });
});

describe("the running program", () => {
  const SERIAL = "LAMP-0001";
  let place: (TestApp & { drop(): Promise<void> }) | undefined;
  let password = "";
  const running = (): TestApp => {
    if (place === undefined) throw new Error("The program runs only while tests run.");
    return place;
  };
  const signIn = (): Promise<MqttClient> =>
    connectAsync(`mqtt://127.0.0.1:${String(running().app.ports.mqtt)}`, {
      clientId: SERIAL,
      username: SERIAL,
      password,
      reconnectPeriod: 0,
    });
  const query = (text: ReturnType<typeof sql>) =>
    running().app.database.db.execute<{ reason: string; topic: string }>(text);
  const setAside = () => query(sql`select reason, topic from telemetry.quarantine order by id`);

  beforeAll(async () => {
    place = await startTestApp({ roles: ["gateway"] });
    const { devices, credentials, database } = place.app;
    const csv = ["LAMP-0001", "LAMP-0002"]
      .map((serial) => `${serial},${createHash("md5").update(serial).digest("hex")},1`)
      .join("\n");
    const [given] = await database.db.transaction(async (tx) => {
      await devices.importCsv(tx, `Serial Number,Key,Count\n${csv}\n`);
      return credentials.provision(tx, { serials: [SERIAL], actor: "test", reason: "page" });
    });
    password = given?.password ?? "";
  });
  afterAll(() => place?.drop());

  const bytesOf = ({ contentType }: Message, payload: unknown): Buffer =>
    contentType === "application/cbor"
      ? Buffer.from(encode(payload))
      : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
  const told = messages.filter(({ kind }) => kind !== "cmd");

  test("takes every example: nothing of them is set aside, and what they tell is there", async () => {
    const lamp = await signIn();
    for (const { kind, message } of told)
      for (const { payload } of message.examples ?? [])
        await lamp.publishAsync(`paygo/v1/${SERIAL}/${kind}`, bytesOf(message, payload), { qos: 1 });
    await lamp.endAsync();
    expect(await setAside()).toEqual([]);
    const [counted] = await running().app.database.db.execute<Record<string, unknown>>(sql`
      select (select count(*)::int from telemetry.readings) as readings, (select count(*)::int from telemetry.events) as events,
        (select firmware_version from telemetry.states) as firmware, (select token_count from telemetry.states) as tokens`);
    // Two and two earlier ones, and three of the moment; two events alone and two together.
    expect(counted).toEqual({ readings: 7, events: 4, firmware: "2.4.1", tokens: 3 });
  });

  test("sets aside what the page shows as refused, with the reason it names", async () => {
    const before = (await setAside()).length;
    const lamp = await signIn();
    const expected: string[] = [];
    for (const { kind, message } of told)
      for (const { reason, payload, text } of message["x-refused"] ?? []) {
        await lamp.publishAsync(`paygo/v1/${SERIAL}/${kind}`, text ?? bytesOf(message, payload), { qos: 1 });
        expected.push(`${kind}: ${reason}`);
      }
    await lamp.endAsync();
    expect((await setAside()).slice(before).map(({ topic, reason }) => `${topic}: ${reason}`)).toEqual(expected);
  });

  test("speaks and hears on no other topic", async () => {
    const before = (await setAside()).length;
    const lamp = await signIn();
    const others = [
      "paygo/v1/LAMP-0002/data",
      `paygo/v1/${SERIAL}/cmd`,
      `paygo/v1/${SERIAL}/more`,
      "paygo/v2/LAMP-0001/data",
    ];
    for (const topic of others) await lamp.publishAsync(topic, "{}", { qos: 1 });
    expect((await setAside()).slice(before)).toEqual([
      { topic: others[0], reason: "foreign_serial" },
      { topic: others[1], reason: "unknown_topic" },
      { topic: others[2], reason: "unknown_topic" },
      { topic: others[3], reason: "foreign_serial" },
    ]);
    const filters = ["#", "paygo/v1/LAMP-0002/cmd", ...topicRights(SERIAL).publish];
    for (const filter of filters) {
      const qos = await lamp.subscribeAsync(filter, { qos: 1 }).then(
        ([grant]) => grant?.qos ?? 128,
        () => 128,
      );
      expect(qos, filter).toBe(128);
    }
    await lamp.endAsync();
  });

  test("publishes commands of every kind on the device's own topic, and each fits the page", async () => {
    const { app } = running();
    const device = await app.devices.requireBySerial(app.database.db, SERIAL);
    const requests: readonly CommandRequest[] = [
      { kind: "set_days", days: 12 },
      { kind: "lock" },
      { kind: "unlock" },
      { kind: "fetch_data", from: 1_772_344_800 },
      { kind: "set_interval", seconds: 900 },
      {
        kind: "offer_firmware",
        version: "2.5.0",
        url: "https://firmware.example.org/lamp.bin",
        bytes: 10,
        sha256: "0".repeat(64),
      },
    ];
    const heard: { topic: string; message: { id: string; kind: string }; qos: number; retain: boolean }[] = [];
    const lamp = await signIn();
    lamp.on("message", (topic, payload, { qos, retain }) => {
      heard.push({ topic, message: JSON.parse(payload.toString()) as { id: string; kind: string }, qos, retain });
    });
    await lamp.subscribeAsync(`paygo/v1/${SERIAL}/cmd`, { qos: 1 });
    for (const request of requests) {
      const order = { request, reason: "page", actor: "test", deviceId: device.id };
      const asked = await app.database.db.transaction((tx) => app.deviceCommands.ask(tx, order));
      await expect.poll(() => heard.map(({ message }) => message.id), { timeout: 5_000 }).toContain(asked.id);
      const answer = { id: asked.id, outcome: "refused", detail: "this is an exercise" };
      await lamp.publishAsync(`paygo/v1/${SERIAL}/ack`, JSON.stringify(answer), { qos: 1 });
      await expect.poll(async () => (await app.deviceCommands.find(app.database.db, asked.id))?.state).toBe("refused");
    }
    await lamp.endAsync();
    expect(heard.map(({ message }) => message.kind)).toEqual(requests.map(({ kind }) => kind));
    for (const { topic, message, qos, retain } of heard) {
      expect({ topic, qos, retain }).toEqual({ topic: `paygo/v1/${SERIAL}/cmd`, qos: 1, retain: false });
      expect(fits(COMMAND, message), ajv.errorsText()).toBe(true);
    }
  });
});
