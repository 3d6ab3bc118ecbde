import mqtt from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openClient } from "../../../src/platform/database.ts";
import { makeGatewayDoor } from "../../../src/telemetry/doors/gateway.mqtt.ts";
import { makeSignIns, SignInBusy, type SignIns } from "../../../src/telemetry/doors/sign-ins.jobs.ts";
import { makeOffice, type Office } from "../../contract/mqtt-place.ts";
import { useDatabase } from "../../support/database.ts";
import { makeIngestWorld } from "../ingest/ingest-world.ts";

describe("the line of those who sign in", () => {
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** Answers each question when the test says so. */
  function makeHeld() {
    const asked: { serial: string; answer: (isRight: boolean) => void }[] = [];
    const authenticate = (serial: string): Promise<boolean> =>
      new Promise((answer) => void asked.push({ serial, answer }));
    return { asked, authenticate };
  }

  test("a few are asked about at once, the others in the order in which they came, and no more wait than may", async () => {
    const held = makeHeld();
    const signIns = makeSignIns({ ...held, atOnce: 2, waitingMax: 3 });
    const all = Array.from({ length: 7 }, (_, at) =>
      signIns.authenticate(String(at), "").then(
        (isRight) => (isRight ? "in" : "out"),
        (error: unknown) => (error instanceof SignInBusy ? "busy" : "failed"),
      ),
    );
    expect(signIns.state).toEqual({ running: 2, waiting: 3, turnedAway: 2 });
    for (let at = 0; at < 5; at++) {
      held.asked[at]?.answer(at !== 1);
      await tick();
    }
    expect(held.asked.map(({ serial }) => serial)).toEqual(["0", "1", "2", "3", "4"]);
    expect(await Promise.all(all)).toEqual(["in", "out", "in", "in", "in", "busy", "busy"]);
    expect(signIns.state).toEqual({ running: 0, waiting: 0, turnedAway: 2 });
  });

  test("nobody is asked about who has gone, nor kept waiting for a database that does not answer", async () => {
    const held = makeHeld();
    const signIns = makeSignIns({ ...held, atOnce: 1, waitMs: 1 });
    const caller = { closed: false };
    const first = signIns.authenticate("first", "");
    const gone = signIns.authenticate("gone", "", caller);
    const late = signIns.authenticate("late", "");
    caller.closed = true;
    await expect(late).rejects.toThrow(SignInBusy);
    await expect(gone).rejects.toThrow(SignInBusy);
    held.asked[0]?.answer(true);
    expect(await first).toBe(true);
    expect(held.asked).toHaveLength(1);
    const patient = makeSignIns({ ...held, atOnce: 1 });
    const before = patient.authenticate("before", "");
    const left = patient.authenticate("left", "", caller);
    held.asked[1]?.answer(true);
    await expect(left).rejects.toThrow(SignInBusy);
    expect(await before).toBe(true);
    expect(held.asked).toHaveLength(2);
  });

  test("a question that fails is answered as such, and the next has its turn", async () => {
    const signIns = makeSignIns({
      authenticate: (serial) => (serial === "bad" ? Promise.reject(new Error("away")) : Promise.resolve(true)),
      atOnce: 1,
    });
    const [bad, good] = [signIns.authenticate("bad", ""), signIns.authenticate("good", "")];
    await expect(bad).rejects.toThrow("away");
    expect(await good).toBe(true);
  });
});

describe("a wave of devices that come back at once", () => {
  const database = useDatabase();
  const DEVICES = 120;
  let world: ReturnType<typeof makeIngestWorld>;
  let office: Office;
  let signIns: SignIns;
  let gateway: Awaited<ReturnType<typeof makeGatewayDoor>>;
  let port: number;
  const passwords = new Map<string, string>();
  const clients: mqtt.MqttClient[] = [];

  beforeAll(async () => {
    world = makeIngestWorld(database.current);
    office = makeOffice(database.current);
    for (let at = 0; at < DEVICES; at++) passwords.set(`WAVE-${String(at)}`, await office.admit(`WAVE-${String(at)}`));
    signIns = makeSignIns({
      authenticate: (serial, password) => office.credentials.authenticate(database.current.db, serial, password),
      atOnce: 2,
      waitingMax: 50,
    });
    gateway = await makeGatewayDoor({
      ingest: world.ingest,
      clock: world.clock,
      authenticate: signIns.authenticate,
    });
    ({ port } = await gateway.listen({ port: 0, host: "127.0.0.1" }));
  });
  afterAll(async () => {
    for (const client of clients) client.end(true);
    await gateway.close();
    await world.ingest.close();
  });

  async function signIn(serial: string): Promise<mqtt.MqttClient> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${String(port)}`, {
      username: serial,
      password: passwords.get(serial) ?? "",
      reconnectPeriod: 0,
    });
    clients.push(client);
    return client;
  }

  test("is let in as far as the line goes and told to come again beyond; who is in goes on, and the pool is free", async () => {
    const here = await signIn("WAVE-0");
    const tell = (ts: number) =>
      here.publishAsync("paygo/v1/WAVE-0/data", JSON.stringify({ sn: "WAVE-0", ts, d: { battery_voltage: 12 } }), {
        qos: 1,
      });
    const seconds = Math.floor(world.clock.now().getTime() / 1_000);
    await tell(seconds - 10);
    // PostgreSQL answers everything but who may sign in.
    const admin = openClient(database.url, 1);
    const [unlocked, locked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = admin.begin(async (tx) => {
      await tx`lock table devices.credentials in access exclusive mode`;
      locked.resolve();
      await unlocked.promise;
    });
    await locked.promise;

    const outcomes = new Map<string, string>();
    const wave = [...passwords.keys()].slice(1).map((serial) =>
      signIn(serial).then(
        () => void outcomes.set(serial, "in"),
        (error: unknown) => void outcomes.set(serial, String((error as { code?: unknown }).code)),
      ),
    );
    await expect.poll(() => outcomes.size, { timeout: 20_000 }).toBe(DEVICES - 1 - 52);
    expect(new Set(outcomes.values())).toEqual(new Set(["3"]));
    expect(signIns.state).toMatchObject({ running: 2, waiting: 50 });
    await tell(seconds - 5);
    await database.current.db.execute("select 1");

    unlocked.resolve();
    await held;
    await Promise.all(wave);
    expect([...outcomes.values()].filter((outcome) => outcome === "in")).toHaveLength(52);
    expect(gateway.state.connections).toBe(53);
    await admin.end();
  });
});
