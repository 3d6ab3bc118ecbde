import { sql } from "drizzle-orm";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandMessage } from "../../src/devices/command-payload.ts";
import { makeCommandLoop, type CommandLoop } from "../../src/devices/devices.ts";
import { makeMqttGateway, type MqttGateway } from "../../src/platform/mqtt.ts";
import { startTestApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

/** The program with a real broker in process, whose devices answer on `ack`; what they say is committed before it is acknowledged. */
async function startPlace(env: Record<string, string>) {
  const place = await startTestApp({ env });
  const { database, credentials, deviceCommands, devices } = place.app;
  const { clock } = place;
  const gateway: MqttGateway = await makeMqttGateway({
    clock,
    authenticate: (serial, password) => credentials.authenticate(database.db, serial, password),
    async take({ serial, topic, payload }) {
      const { number: deviceNumber } = await devices.requireBySerial(database.db, serial);
      const told = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>;
      const tokenCount = told["token_count"];
      await database.db.transaction((tx) =>
        deviceCommands.hear(tx, {
          answers:
            topic === "ack"
              ? [{ deviceNumber, answer: { commandId: String(told["id"]), outcome: "done", detail: undefined } }]
              : [],
          counts: typeof tokenCount === "number" ? [{ deviceNumber, tokenCount }] : [],
        }),
      );
    },
    refuse: () => Promise.resolve(),
    onHere: (serial) => loop.connected(serial),
    onGone: (serial) => loop.disconnected(serial),
  });
  const { port } = await gateway.listen({ port: 0, host: "127.0.0.1" });
  const loop: CommandLoop = makeCommandLoop({
    database,
    clock,
    commands: deviceCommands,
    isHere: gateway.isHere,
    send: gateway.send,
    sendTimeoutMs: 2_000,
  });
  await loop.start();
  return {
    ...place,
    loop,
    gateway,
    port,
    async drop() {
      await loop.stop();
      await gateway.close();
      await place.drop();
    },
  };
}

type Place = Awaited<ReturnType<typeof startPlace>>;

const lampsOnline: MqttClient[] = [];

/** The family's lamp claims its voice at the door and goes online; it types the tokens that it is told into itself. */
async function putOnline(place: Place, home: Household, { listens = true } = {}) {
  const { credentials, database } = place.app;
  const { issued } = await database.db.transaction((tx) =>
    credentials.issueCodes(tx, { serials: [home.serial], actor: "test", reason: "installation" }),
  );
  const response = await fetch(`${place.url}/devices/claim`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ serial: home.serial, code: issued[0]?.code }),
  });
  const { username, password, topics } = (await response.json()) as {
    username: string;
    password: string;
    topics: { subscribe: string[] };
  };
  const client = await connectAsync(`mqtt://127.0.0.1:${String(place.port)}`, {
    username,
    password,
    reconnectPeriod: 0,
  });
  lampsOnline.push(client);
  const told: { id: string; kind: string; tokens: readonly string[] }[] = [];
  client.on("message", (_topic, payload) => {
    const message = commandMessage.parse(JSON.parse(payload.toString()));
    const tokens = "tokens" in message ? message.tokens : [];
    // A device does a command once, however often it hears of it.
    if (!told.some(({ id }) => id === message.id)) for (const token of tokens) home.lamp.enter(token);
    told.push({ id: message.id, kind: message.kind, tokens });
  });
  if (listens) await client.subscribeAsync(topics.subscribe, { qos: 1 });
  await place.loop.settle();
  return { client, told, password, topic: (name: string) => `paygo/v1/${home.serial}/${name}` };
}

const days = (home: Household) => home.lamp.face().daysLeft;
const templates = async (home: Household) => (await home.messages()).map(({ template }) => template);

describe("light by air", () => {
  let place: Place;
  beforeAll(async () => {
    place = await startPlace({ WASHA_TOKEN_BY_AIR: "both" });
  });
  afterAll(async () => {
    await Promise.all(lampsOnline.splice(0).map((client) => client.endAsync(true)));
    await place.drop();
  });

  test("a payment lights a connected lamp by itself, and the customer has the token too", async () => {
    const home = await makeHousehold(place);
    const lamp = await putOnline(place, home);
    await pay(place, { account: home.accountNumber, amount: "150" });
    await expect.poll(() => days(home), { timeout: 10_000 }).toBe(3);
    await expect.poll(() => lamp.told.map(({ kind }) => kind)).toEqual(["deliver_tokens"]);
    expect(lamp.told[0]?.tokens).toEqual(await home.tokens());
    expect(await templates(home)).toEqual(["token_received"]);
    await lamp.client.publishAsync(lamp.topic("ack"), JSON.stringify({ id: lamp.told[0]?.id, outcome: "done" }), {
      qos: 1,
    });
    const command = await place.app.deviceCommands.find(place.app.database.db, lamp.told[0]?.id ?? "");
    expect(command).toMatchObject({ state: "done", kind: "deliver_tokens" });
    // The same token typed from the SMS gives nothing more.
    expect(home.lamp.enter((await home.tokens())[0] ?? "").kind).toBe("ALREADY_USED");
  });

  test("a lamp that was out of reach takes its tokens in their order when it comes back", async () => {
    const home = await makeHousehold(place);
    const lamp = await putOnline(place, home);
    lamp.client.end(true);
    await expect.poll(() => place.gateway.isHere(home.serial)).toBe(false);
    await pay(place, { account: home.accountNumber, amount: "100" });
    await pay(place, { account: home.accountNumber, amount: "50" });
    expect(days(home)).toBe(0);
    const again = await connectAsync(`mqtt://127.0.0.1:${String(place.port)}`, {
      username: home.serial,
      password: lamp.password,
      reconnectPeriod: 0,
    });
    lampsOnline.push(again);
    const told: string[] = [];
    again.on("message", (_topic, payload) => {
      const message = commandMessage.parse(JSON.parse(payload.toString()));
      for (const token of "tokens" in message ? message.tokens : []) {
        told.push(token);
        home.lamp.enter(token);
      }
    });
    await again.subscribeAsync(lamp.topic("cmd"), { qos: 1 });
    await expect.poll(() => days(home), { timeout: 10_000 }).toBe(3);
    expect(told).toEqual(await home.tokens());
  });

  test("a lamp that nobody speaks for, and one that is not seen any more, are left to the SMS", async () => {
    const quiet = await makeHousehold(place);
    await pay(place, { account: quiet.accountNumber, amount: "50" });
    const gone = await makeHousehold(place);
    const lamp = await putOnline(place, gone);
    lamp.client.end(true);
    await expect.poll(() => place.gateway.isHere(gone.serial)).toBe(false);
    place.clock.advance(2 * 86_400_000);
    await pay(place, { account: gone.accountNumber, amount: "50" });
    for (const home of [quiet, gone]) {
      expect(
        await place.app.deviceCommands.list(place.app.database.db, { deviceId: home.contract.deviceId }, { first: 5 }),
      ).toEqual([]);
      expect(await templates(home)).toEqual(["token_received"]);
    }
  });

  test("a device that is cut off is refused at the broker from then on", async () => {
    const home = await makeHousehold(place);
    const lamp = await putOnline(place, home);
    const { credentials, database } = place.app;
    await database.db.transaction((tx) =>
      credentials.revoke(tx, { serials: [home.serial], actor: "test", reason: "stolen" }),
    );
    const closed = new Promise<void>((resolve) => lamp.client.once("close", () => resolve()));
    place.gateway.disconnect(home.serial);
    await closed;
    await expect(
      connectAsync(`mqtt://127.0.0.1:${String(place.port)}`, {
        username: home.serial,
        password: lamp.password,
        reconnectPeriod: 0,
      }),
    ).rejects.toThrow(/not authorized|refused/i);
  });

  test("a swapped lamp is silent, and the new one claims a voice of its own", async () => {
    const home = await makeHousehold(place);
    const lamp = await putOnline(place, home);
    const spare = await makeHousehold(place);
    const { app } = place;
    await app.database.db.transaction(async (tx) => {
      await app.credit.writeOff(tx, { contractId: spare.contract.id, reason: "returned", actor: "test" });
      await app.deviceLife.move(tx, {
        deviceId: spare.contract.deviceId,
        to: "stock",
        reason: "returned",
        actor: "test",
      });
      await app.credit.swapDevice(tx, {
        contractId: home.contract.id,
        serial: spare.serial,
        reason: "broken",
        actor: "test",
      });
    });
    expect(await app.credentials.authenticate(app.database.db, home.serial, lamp.password)).toBe(false);
    const next = await putOnline(place, spare);
    expect(await app.credentials.authenticate(app.database.db, spare.serial, next.password)).toBe(true);
    const history = await app.deviceLife.movements(app.database.db, { deviceId: spare.contract.deviceId, first: 10 });
    expect(history.map(({ from, to, contractId }) => [from, to, contractId])).toEqual([
      ["stock", "installed", home.contract.id],
      ["installed", "stock", null],
      ["stock", "installed", spare.contract.id],
    ]);
  });

  test("whoever breaks into the broker gets no credit: forged frames and replays issue no token and move no money", async () => {
    const home = await makeHousehold(place);
    const lamp = await putOnline(place, home);
    await pay(place, { account: home.accountNumber, amount: "50" });
    await expect.poll(() => days(home), { timeout: 10_000 }).toBe(1);
    const books = async () => {
      const rows = await place.app.database.db.execute<{ text: string }>(sql`
        select (select count(*) from devices.tokens)::text || ' ' || (select count(*) from ledger.postings)::text || ' ' ||
          (select sum(count) from devices.devices)::text || ' ' || (select count(*) from credit.allocations)::text || ' ' ||
          (select c::text from credit.contracts c where id = ${home.contract.id}) as text`);
      return rows[0]?.text;
    };
    const before = await books();
    const forged = [
      ["ack", { id: lamp.told[0]?.id, outcome: "done" }],
      ["ack", { id: "01957a3c-0000-7000-8000-000000000001", outcome: "done", token: "999999999" }],
      ["data", { token_count: 99_999, active_until_timestamp: 4_000_000_000, tkl: ["999999999"] }],
      ["data", { token_count: -1 }],
      ["status", { state: "online", paid: true, amount: 5_000 }],
      ["event", { kind: "payment", amountMinor: 5_000 }],
    ] as const;
    for (const [name, body] of forged)
      await lamp.client.publishAsync(lamp.topic(name), JSON.stringify(body), { qos: 1 });
    expect(await books()).toBe(before);
    // What the broker hears, it may replay: the lamp has used the token, and another lamp has another key.
    const heard = lamp.told[0]?.tokens[0] ?? "";
    expect(home.lamp.enter(heard).kind).toBe("ALREADY_USED");
    const other = await makeHousehold(place);
    expect(other.lamp.enter(heard).kind).toBe("INVALID");
    expect([days(home), days(other)]).toEqual([1, 0]);
  });
});

describe("light by air first", () => {
  let place: Place;
  beforeAll(async () => {
    place = await startPlace({ WASHA_TOKEN_BY_AIR: "first", WASHA_TOKEN_BY_AIR_MINUTES: "10" });
  });
  afterAll(async () => {
    await Promise.all(lampsOnline.splice(0).map((client) => client.endAsync(true)));
    await place.drop();
  });

  test("the customer is told that light comes by itself, and nothing more when the lamp confirms it", async () => {
    const home = await makeHousehold(place);
    const lamp = await putOnline(place, home);
    await pay(place, { account: home.accountNumber, amount: "150" });
    await expect.poll(() => days(home), { timeout: 10_000 }).toBe(3);
    await lamp.client.publishAsync(lamp.topic("data"), JSON.stringify({ token_count: home.lamp.face().count }), {
      qos: 1,
    });
    place.clock.advance(11 * 60_000);
    expect(await place.app.tokenFallback.once()).toBe(0);
    expect(await templates(home)).toEqual(["light_coming"]);
  });

  test("when the lamp stays silent the token follows by SMS after the minutes, once", async () => {
    const home = await makeHousehold(place);
    await putOnline(place, home, { listens: false });
    await pay(place, { account: home.accountNumber, amount: "150" });
    expect([await templates(home), await place.app.tokenFallback.once()]).toEqual([["light_coming"], 0]);
    place.clock.advance(10 * 60_000);
    await Promise.all([place.app.tokenFallback.once(), place.app.tokenFallback.once()]);
    expect(await place.app.tokenFallback.once()).toBe(0);
    const [, written, ...more] = await home.messages();
    expect([written?.template, more]).toEqual(["light_did_not_come", []]);
    const typed = (written?.values["tokens"] ?? "").replaceAll(" ", "");
    expect(home.lamp.enter(typed).kind).toBe("VALID");
    expect([days(home), written?.values["days"]]).toEqual([3, "3"]);
  });

  test("a lamp without a voice, and the last token of all, go by SMS at once", async () => {
    const quiet = await makeHousehold(place);
    await pay(place, { account: quiet.accountNumber, amount: "50" });
    expect(await templates(quiet)).toEqual(["token_received"]);
    const rich = await makeHousehold(place);
    await putOnline(place, rich);
    await pay(place, { account: rich.accountNumber, amount: "5000" });
    expect(await templates(rich)).toEqual(["unlocked"]);
    await expect.poll(() => days(rich), { timeout: 10_000 }).toBe("unlimited");
  });
});
