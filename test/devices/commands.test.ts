import { beforeAll, describe, expect, test } from "vitest";
import { LEASE_MS } from "../../src/devices/command-life.ts";
import { commandMessage } from "../../src/devices/command-payload.ts";
import { makeCommandLoop, type Command, type CommandLoop, type CommandRequest } from "../../src/devices/devices.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../../src/kernel/refusal.ts";
import type { Tx } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";
import { makeDeviceRooms } from "./device-rooms.ts";

const database = useDatabase();
let rooms: ReturnType<typeof makeDeviceRooms>;
beforeAll(() => {
  rooms = makeDeviceRooms(database.current);
});

type Speaking = Awaited<ReturnType<typeof rooms.addSpeaking>>;
const inTx = <Result>(work: (tx: Tx) => Promise<Result>) => database.current.db.transaction(work);
const ask = ({ device }: Speaking, request: CommandRequest, expiresAt?: Date) =>
  inTx((tx) => rooms.commands.ask(tx, { deviceId: device.id, request, reason: "test", actor: "asha", expiresAt }));
const now = (command: Command) => rooms.commands.find(database.current.db, command.id);
const answer = ({ device }: Speaking, commandId: string, outcome: "done" | "refused" | "failed" = "done") =>
  inTx((tx) =>
    rooms.commands.hear(tx, {
      answers: [{ deviceNumber: device.number, answer: { commandId, outcome, detail: undefined } }],
      counts: [],
    }),
  );
const count = ({ device }: Speaking, tokenCount: number) =>
  inTx((tx) => rooms.commands.hear(tx, { answers: [], counts: [{ deviceNumber: device.number, tokenCount }] }));

/** A gateway whose devices are in the test's hand. Its loop runs when the test says so. */
function makeGateway(how: { failing?: boolean; silent?: boolean } = {}) {
  const here = new Set<string>();
  const received: { serial: string; id: string; kind: string; tokens?: string[] }[] = [];
  const faults: unknown[] = [];
  const loop: CommandLoop = makeCommandLoop({
    database: database.current,
    clock: rooms.clock,
    commands: rooms.commands,
    isHere: (serial) => here.has(serial),
    send: (serial, _channel, payload) => {
      if (how.failing === true) return Promise.reject(new Error("The device went away."));
      received.push({
        serial,
        ...(commandMessage.parse(JSON.parse(Buffer.from(payload).toString())) as { id: string; kind: string }),
      });
      return how.silent === true ? new Promise(() => undefined) : Promise.resolve();
    },
    onFault: (error) => faults.push(error),
    sendTimeoutMs: 50,
  });
  return {
    loop,
    received,
    faults,
    how,
    async connect({ serial }: Speaking) {
      here.add(serial);
      loop.connected(serial);
      await loop.settle();
    },
    leave({ serial }: Speaking) {
      here.delete(serial);
      loop.disconnected(serial);
    },
    async tick() {
      await loop.tick();
      await loop.settle();
    },
  };
}

describe("a command", () => {
  test("waits for its device, is delivered when it connects, and is done when it says so", async () => {
    const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway()];
    const command = await ask(lamp, { kind: "set_interval", seconds: 900 });
    await gateway.tick();
    expect([command.state, gateway.received]).toEqual(["queued", []]);
    await gateway.connect(lamp);
    expect(gateway.received).toMatchObject([{ serial: lamp.serial, id: command.id, kind: "set_interval" }]);
    expect(await now(command)).toMatchObject({ state: "delivered", attempts: 1 });
    await answer(lamp, command.id);
    expect(await now(command)).toMatchObject({ state: "done" });
    const changes = await rooms.commands.changesOf(database.current.db, command.id);
    expect(changes.map(({ state, actor }) => [state, actor])).toEqual([
      ["sent", "system:commands"],
      ["delivered", "system:commands"],
      ["done", `device:${lamp.serial}`],
    ]);
    await answer(lamp, command.id, "failed");
    expect(await rooms.commands.changesOf(database.current.db, command.id)).toEqual(changes);
    expect(gateway.faults).toEqual([]);
  });

  test("reaches a device that is connected already by a notification", async () => {
    const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway()];
    await gateway.connect(lamp);
    await gateway.loop.start();
    const command = await ask(lamp, { kind: "fetch_data" });
    await expect.poll(() => gateway.received.map(({ id }) => id), { timeout: 10_000 }).toEqual([command.id]);
    await gateway.loop.stop();
    expect(await now(command)).toMatchObject({ state: "delivered" });
  });

  test("of a gateway that died is sent again by another when the lease has ended, with the same id, and not before", async () => {
    const [lamp, alive] = [await rooms.addSpeaking(), makeGateway()];
    const command = await ask(lamp, { kind: "set_interval", seconds: 600 });
    // The process ended between the claim and the note of what became of it.
    await inTx((tx) => rooms.commands.claim(tx, { serials: [lamp.serial], limit: 10 }));
    await alive.connect(lamp);
    expect(alive.received).toEqual([]);
    rooms.clock.advance(LEASE_MS);
    await alive.connect(lamp);
    expect(alive.received.map(({ id }) => id)).toEqual([command.id]);
    expect(await now(command)).toMatchObject({ state: "delivered", attempts: 2 });
  });

  test("that the device does not acknowledge, or whose connection breaks, is queued again and sent after a pause", async () => {
    for (const how of [{ failing: true }, { silent: true }]) {
      const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway({ ...how })];
      const command = await ask(lamp, { kind: "fetch_data" });
      await gateway.connect(lamp);
      expect(await now(command)).toMatchObject({ state: "queued", attempts: 1 });
      Object.assign(gateway.how, { failing: false, silent: false });
      const before = gateway.received.length;
      await gateway.tick();
      expect(gateway.received).toHaveLength(before);
      rooms.clock.advance(5_000);
      await gateway.tick();
      expect(gateway.received.at(-1)?.id).toBe(command.id);
      expect(await now(command)).toMatchObject({ state: "delivered", attempts: 2 });
    }
  });

  test("that is delivered and not answered is sent again, and fails when its sendings are used up", async () => {
    const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway()];
    const command = await ask(lamp, { kind: "fetch_data" });
    await gateway.connect(lamp);
    for (let round = 0; round < 12; round++) {
      rooms.clock.advance(3_600_000 / 4);
      await gateway.tick();
    }
    expect(new Set(gateway.received.map(({ id }) => id))).toEqual(new Set([command.id]));
    expect(gateway.received).toHaveLength(5);
    for (let round = 0; round < 12; round++) await gateway.tick();
    expect(await now(command)).toMatchObject({ state: "failed", detail: "No answer after 5 sendings." });
  });

  test("is never delivered after its expiry", async () => {
    const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway()];
    const command = await ask(lamp, { kind: "lock" }, new Date(rooms.clock.now().getTime() + 60_000));
    rooms.clock.advance(60_000);
    await gateway.connect(lamp);
    expect(gateway.received).toEqual([]);
    await inTx((tx) => rooms.commands.endDue(tx, 100));
    expect(await now(command)).toMatchObject({ state: "expired" });
    await answer(lamp, command.id);
    expect(await now(command)).toMatchObject({ state: "expired" });
  });

  test("is asked once at a time: a second of its kind, and a second that changes light, are refused", async () => {
    const lamp = await rooms.addSpeaking();
    await ask(lamp, { kind: "lock" });
    await expect(ask(lamp, { kind: "set_days", days: 3 })).rejects.toThrow(NotAllowedNow);
    await ask(lamp, { kind: "fetch_data" });
    await expect(ask(lamp, { kind: "fetch_data" })).rejects.toThrow(/still open/);
    const other = await rooms.addSpeaking();
    const asked = await Promise.allSettled(Array.from({ length: 5 }, () => ask(other, { kind: "lock" })));
    expect(asked.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("that makes no sense is refused with what would", async () => {
    const lamp = await rooms.addSpeaking({ timeDivider: 24 });
    await expect(ask(lamp, { kind: "set_days", days: 50 })).rejects.toThrow("One token sets 1 to 41 days");
    await expect(ask(lamp, { kind: "set_interval", seconds: 1 })).rejects.toThrow(/seconds/);
    await expect(ask(lamp, { kind: "lock" }, new Date(0))).rejects.toThrow(InvalidInput);
    await expect(
      inTx((tx) => rooms.commands.cancel(tx, { commandId: "no-id", reason: "x", actor: "asha" })),
    ).rejects.toThrow(NotFound);
    const firmware = {
      kind: "offer_firmware",
      version: "1",
      url: "http://insecure.example",
      bytes: 1,
      sha256: "x",
    } as const;
    await expect(ask(lamp, firmware)).rejects.toThrow(/url/);
  });
});

describe("commands that give or take light", () => {
  test("are tokens that the lamp checks by itself; a replay gives nothing twice", async () => {
    const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway()];
    await ask(lamp, { kind: "set_days", days: 5 });
    await gateway.connect(lamp);
    const token = gateway.received[0]?.tokens?.[0] ?? "";
    expect(lamp.lamp.enter(token).kind).toBe("VALID");
    expect(lamp.lamp.face().daysLeft).toBe(5);
    rooms.clock.advance(86_400_000);
    expect(lamp.lamp.enter(token).kind).toBe("ALREADY_USED");
    expect(lamp.lamp.face().daysLeft).toBe(4);
    await answer(lamp, gateway.received[0]?.id ?? "");
    await ask(lamp, { kind: "lock" });
    await gateway.connect(lamp);
    expect(lamp.lamp.enter(gateway.received[1]?.tokens?.[0] ?? "").kind).toBe("VALID");
    expect(lamp.lamp.face().daysLeft).toBe(0);
    await answer(lamp, gateway.received[1]?.id ?? "");
    await ask(lamp, { kind: "unlock" });
    await gateway.connect(lamp);
    lamp.lamp.enter(gateway.received[2]?.tokens?.[0] ?? "");
    expect(lamp.lamp.face()).toMatchObject({ daysLeft: "unlimited" });
  });

  test("are done when the device counts their token, also without an answer", async () => {
    const [lamp, gateway] = [await rooms.addSpeaking(), makeGateway()];
    const command = await ask(lamp, { kind: "lock" });
    await gateway.connect(lamp);
    await count(lamp, (command.tokenCount ?? 0) - 1);
    expect(await now(command)).toMatchObject({ state: "delivered" });
    await count(lamp, command.tokenCount ?? 0);
    expect(await now(command)).toMatchObject({ state: "done" });
  });

  test("that were taken back, or whose time passed, are given out by no other way either", async () => {
    const lamp = await rooms.addSpeaking();
    const pending = () => rooms.devices.pendingTokens(database.current.db, { number: lamp.device.number, count: 0 });
    const command = await ask(lamp, { kind: "lock" });
    await inTx((tx) => rooms.commands.cancel(tx, { commandId: command.id, reason: "mistake", actor: "asha" }));
    expect(await pending()).toEqual([]);
    await ask(lamp, { kind: "lock" });
    expect(await pending()).toHaveLength(1);
    rooms.clock.advance(4 * 86_400_000);
    await inTx((tx) => rooms.commands.endDue(tx, 100));
    expect(await pending()).toEqual([]);
  });
});

describe("what comes from the broker", () => {
  test("counts only for the device that says it, and only for its own commands", async () => {
    const [lamp, stranger, gateway] = [await rooms.addSpeaking(), await rooms.addSpeaking(), makeGateway()];
    const command = await ask(lamp, { kind: "lock" });
    await gateway.connect(lamp);
    await answer(stranger, command.id);
    await count(stranger, 99_999);
    await answer(lamp, "not-an-id");
    await answer(lamp, rooms.makeId());
    expect(await now(command)).toMatchObject({ state: "delivered" });
  });

  test("many answers and counts of one batch are heard in one go", async () => {
    const lamps = await Promise.all(Array.from({ length: 20 }, () => rooms.addSpeaking()));
    const gateway = makeGateway();
    const asked = await Promise.all(lamps.map((lamp) => ask(lamp, { kind: "lock" })));
    for (const lamp of lamps) await gateway.connect(lamp);
    await inTx((tx) =>
      rooms.commands.hear(tx, {
        answers: asked.slice(0, 10).map(({ id, deviceNumber }) => ({
          deviceNumber,
          answer: { commandId: id.toUpperCase(), outcome: "refused", detail: "low battery".repeat(100) },
        })),
        counts: asked.map(({ deviceNumber, tokenCount }) => ({ deviceNumber, tokenCount: tokenCount ?? 0 })),
      }),
    );
    const states = await Promise.all(asked.map(async (command) => (await now(command))?.state));
    expect(states).toEqual([...Array(10).fill("refused"), ...Array(10).fill("done")]);
  });
});
