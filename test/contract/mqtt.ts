import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { MqttPlace, MqttPromises } from "./mqtt-place.ts";

let serials = 0;
const newSerial = (): string => `CT-${String((serials += 1))}`;

/** What devices and the office may rely on, whichever broker stands between them. */
export function describeMqtt(open: () => Promise<MqttPlace>, promises: MqttPromises): void {
  let place: MqttPlace;
  let lamps: MqttClient[] = [];
  beforeAll(async () => {
    place = await open();
  });
  afterEach(async () => {
    place.ingest.release();
    await Promise.all(lamps.map((lamp) => lamp.endAsync(true)));
    lamps = [];
  });
  afterAll(() => place.close());

  /** Resolves with the connection, or rejects as the broker refuses it. */
  function signIn(serial: string, password: string, options: Partial<IClientOptions> = {}): Promise<MqttClient> {
    const lamp = connect(place.url, { clientId: serial, username: serial, password, reconnectPeriod: 0, ...options });
    lamps.push(lamp);
    return new Promise((resolve, reject) => {
      lamp.once("connect", () => {
        lamp.on("error", () => undefined);
        resolve(lamp);
      });
      lamp.once("error", reject);
      lamp.once("close", () => reject(new Error("closed")));
    });
  }
  async function admit(serial = newSerial()): Promise<{ serial: string; password: string }> {
    const password = await place.office.admit(serial);
    await place.settled();
    return { serial, password };
  }
  async function connected(options: Partial<IClientOptions> = {}) {
    const { serial, password } = await admit();
    return { serial, password, lamp: await signIn(serial, password, options) };
  }
  const tell = (lamp: MqttClient, serial: string, kind: string, text: string) =>
    lamp.publishAsync(`paygo/v1/${serial}/${kind}`, text, { qos: 1 });
  const takenOf = (serial: string): string[] =>
    place.ingest.taken.filter((one) => one.serial === serial).map(({ topic, text }) => `${topic}: ${text}`);
  const isRefused = (entering: Promise<MqttClient>): Promise<boolean> =>
    entering.then(
      () => false,
      () => true,
    );

  test("a device comes in with its own password and no other", async () => {
    const [lamp, radio] = [await admit(), await admit()];
    await signIn(lamp.serial, lamp.password);
    expect(await isRefused(signIn(lamp.serial, radio.password))).toBe(true);
    expect(await isRefused(signIn(lamp.serial, ""))).toBe(true);
    expect(await isRefused(signIn("NOBODY", lamp.password))).toBe(true);
    expect(await isRefused(signIn("", ""))).toBe(true);
  });

  test("what it tells on its four topics arrives under its serial, whatever characters that has", async () => {
    for (const serial of [newSerial(), `${newSerial()}:a.b_c`, `${newSerial()}/slash`]) {
      const { password } = await admit(serial);
      const lamp = await signIn(serial, password);
      for (const kind of ["status", "data", "event", "ack"]) await tell(lamp, serial, kind, `of ${kind}`);
      await expect
        .poll(() => takenOf(serial).toSorted())
        .toEqual(["ack: of ack", "data: of data", "event: of event", "status: of status"]);
    }
  });

  test("nothing arrives under another's serial, whatever topic a device tries", async () => {
    const [other, { serial, password, lamp }] = [await admit(), await connected()];
    const attempts = [
      `paygo/v1/${other.serial}/data`,
      `paygo/v1/${serial}/cmd`,
      `paygo/v1/${other.serial}/cmd`,
      "else",
    ];
    for (const topic of attempts) {
      const tries = lamp.connected ? lamp : await signIn(serial, password);
      await Promise.race([
        tries.publishAsync(topic, "forged", { qos: 1 }).catch(() => undefined),
        new Promise<void>((resolve) => tries.once("close", () => resolve())),
      ]);
    }
    const honest = lamp.connected ? lamp : await signIn(serial, password);
    await tell(honest, serial, "data", "honest");
    await expect.poll(() => takenOf(serial)).toContain("data: honest");
    expect(place.ingest.taken.filter(({ text }) => text === "forged")).toEqual([]);
    expect(takenOf(other.serial)).toEqual([]);
  });

  test("a device reads its own commands and may not listen to anything else", async () => {
    const [other, { serial, lamp }] = [await admit(), await connected()];
    const heard: string[] = [];
    lamp.on("message", (topic, payload) => heard.push(`${topic} ${payload.toString()}`));
    for (const filter of [
      "#",
      "+/+/+/+",
      "paygo/v1/#",
      "paygo/v1/+/cmd",
      `paygo/v1/${serial}/#`,
      `paygo/v1/${serial}/data`,
      `paygo/v1/${other.serial}/cmd`,
      `$share/washa/paygo/v1/+/data`,
      "$SYS/#",
      "$CONTROL/#",
    ]) {
      const granted = await lamp.subscribeAsync(filter, { qos: 1 }).then(
        ([grant]) => grant?.qos ?? 128,
        () => 128,
      );
      expect(granted, filter).toBe(128);
    }
    await lamp.subscribeAsync(`paygo/v1/${serial}/cmd`, { qos: 1 });
    await place.send(other.serial, "for the other").catch(() => undefined);
    await place.send(serial, "for you");
    await expect.poll(() => heard).toEqual([`paygo/v1/${serial}/cmd for you`]);
  });

  test("a device cannot put another out, nor us, by taking its client id", async () => {
    const [victim, { serial, password }] = [await connected(), await admit()];
    await victim.lamp.subscribeAsync(`paygo/v1/${victim.serial}/cmd`, { qos: 1 });
    for (const clientId of [victim.serial, "washa-test"])
      await signIn(serial, password, { clientId }).catch(() => undefined);
    const heard = new Promise((resolve) =>
      victim.lamp.once("message", (_topic, payload) => resolve(payload.toString())),
    );
    await place.send(victim.serial, "still yours");
    expect(await heard).toBe("still yours");
    await tell(victim.lamp, victim.serial, "data", "still mine");
    await expect.poll(() => takenOf(victim.serial)).toEqual(["data: still mine"]);
  });

  test("a revoked device is put out at once and does not come back; the others notice nothing", async () => {
    const [{ serial, password, lamp }, other] = [await connected(), await connected()];
    const out = new Promise<void>((resolve) => lamp.once("close", () => resolve()));
    await place.office.revoke(serial);
    await out;
    expect(await isRefused(signIn(serial, password))).toBe(true);
    await tell(other.lamp, other.serial, "data", "here");
    await expect.poll(() => takenOf(other.serial)).toEqual(["data: here"]);
  });

  test("with new credentials the old ones are worth nothing, at once", async () => {
    const { serial, password, lamp } = await connected();
    const out = new Promise<void>((resolve) => lamp.once("close", () => resolve()));
    const renewed = await place.office.rotate(serial);
    await out;
    await place.settled();
    expect(await isRefused(signIn(serial, password))).toBe(true);
    await signIn(serial, renewed);
  });

  test("a device that vanishes is told of by its last will, one that says good-bye is not", async () => {
    const { serial, password } = await admit();
    const will = { topic: `paygo/v1/${serial}/status`, payload: Buffer.from("offline"), qos: 1 as const, retain: true };
    const leaving = await signIn(serial, password, { will });
    await tell(leaving, serial, "data", "first");
    await leaving.endAsync();
    const vanishing = await signIn(serial, password, { will });
    await tell(vanishing, serial, "data", "second");
    vanishing.stream.destroy();
    await expect.poll(() => takenOf(serial)).toEqual(["data: first", "data: second", "status: offline"]);
  });

  test("a frame that is not committed when the gateway dies is there after its return", async () => {
    const { serial, password, lamp } = await connected();
    place.ingest.hold();
    const before = place.ingest.seen;
    const told = tell(lamp, serial, "data", "kept").catch(() => undefined);
    await expect.poll(() => place.ingest.seen).toBeGreaterThan(before);
    await place.restartGateway();
    place.ingest.release();
    // What a device does with a frame that was not acknowledged: it keeps it and tells it again.
    if (promises.acknowledgesAfterCommit) await tell(await signIn(serial, password), serial, "data", "kept");
    else await told;
    await expect.poll(() => takenOf(serial)).toContain("data: kept");
  });

  /** Holds the commit of a frame, and says whether the device has its acknowledgement by then. */
  async function acknowledgedBeforeCommit(): Promise<{ serial: string; early: boolean; told: Promise<unknown> }> {
    const { serial, lamp } = await connected();
    place.ingest.hold();
    const before = place.ingest.seen;
    let early = false;
    const told = tell(lamp, serial, "data", "when is it safe?").then(() => (early = true));
    await expect.poll(() => place.ingest.seen).toBeGreaterThan(before);
    // Another device comes in meanwhile: an acknowledgement would have had the time to arrive.
    await connected();
    return { serial, early, told };
  }

  test.runIf(promises.acknowledgesAfterCommit)("an acknowledgement means that the frame is committed", async () => {
    const { serial, early, told } = await acknowledgedBeforeCommit();
    expect(early).toBe(false);
    expect(takenOf(serial)).toEqual([]);
    place.ingest.release();
    await told;
    expect(takenOf(serial)).toEqual(["data: when is it safe?"]);
  });
  test.runIf(!promises.acknowledgesAfterCommit)(
    "an acknowledgement means that the broker has the frame, and no more",
    async () => {
      const { serial, early } = await acknowledgedBeforeCommit();
      expect(early).toBe(true);
      expect(takenOf(serial)).toEqual([]);
      place.ingest.release();
      await expect.poll(() => takenOf(serial)).toEqual(["data: when is it safe?"]);
    },
  );

  /** A device that listened to its commands, with a lasting session, and left. */
  async function away(): Promise<{ serial: string; password: string }> {
    const { serial, password, lamp } = await connected({ clean: false });
    await lamp.subscribeAsync(`paygo/v1/${serial}/cmd`, { qos: 1 });
    await lamp.endAsync();
    return { serial, password };
  }

  test.runIf(promises.keepsCommands)(
    "a command for a device that is away waits at the broker for its lasting session",
    async () => {
      const { serial, password } = await away();
      await place.send(serial, "later");
      const back = connect(place.url, {
        clientId: serial,
        username: serial,
        password,
        clean: false,
        reconnectPeriod: 0,
      });
      lamps.push(back);
      const heard = new Promise((resolve) => back.once("message", (_topic, text) => resolve(text.toString())));
      expect(await heard).toBe("later");
    },
  );
  test.runIf(!promises.keepsCommands)(
    "a command for a device that is away is refused, so that it waits in our own books",
    async () => {
      const { serial } = await away();
      await expect.poll(() => place.send(serial, "later").then(() => "sent", String)).toContain(serial);
    },
  );
}
