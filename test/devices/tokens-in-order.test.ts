import { beforeAll, expect, test } from "vitest";
import { LEASE_MS } from "../../src/devices/command-life.ts";
import { commandMessage } from "../../src/devices/command-payload.ts";
import { makeCommandLoop, makeTokenFallback, type Token } from "../../src/devices/devices.ts";
import { NotAllowedNow } from "../../src/kernel/refusal.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import type { Tx } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";
import { makeDeviceRooms } from "./device-rooms.ts";

const database = useDatabase();
let rooms: ReturnType<typeof makeDeviceRooms>;
beforeAll(() => {
  rooms = makeDeviceRooms(database.current, { airPolicy: "first" });
});

type Speaking = Awaited<ReturnType<typeof rooms.addSpeaking>>;
const inTx = <Result>(work: (tx: Tx) => Promise<Result>) => database.current.db.transaction(work);
const why = { reason: "test", actor: "asha" };
const ask = ({ device }: Speaking, kind: "lock" | "unlock") =>
  inTx((tx) => rooms.commands.ask(tx, { deviceId: device.id, request: { kind }, ...why }));
const cancel = (commandId: string) => inTx((tx) => rooms.commands.cancel(tx, { commandId, ...why }));
const commandsOf = ({ device }: Speaking) =>
  rooms.commands.list(database.current.db, { deviceId: device.id }, { first: 10 });
const pending = ({ device }: Speaking, count = 0) =>
  rooms.devices.pendingTokens(database.current.db, { number: device.number, count });
const tells = ({ device }: Speaking, tokenCount: number) =>
  inTx((tx) => rooms.commands.hear(tx, { answers: [], counts: [{ deviceNumber: device.number, tokenCount }] }));

/** A payment whose days go by air, and by SMS only when the lamp has not confirmed them in time. */
async function pay({ device }: Speaking, cause: string): Promise<Token> {
  const [token] = await inTx(async (tx) => {
    const issuer = await rooms.devices.lockForTokens(tx, [device.id]);
    const tokens = issuer.issue({ deviceId: device.id, kind: "add", units: 7, cause, smsMayWait: true });
    await issuer.save();
    return tokens;
  });
  if (token === undefined) throw new Error("No token was issued.");
  return token;
}

/** A gateway with one lamp, which types what it is sent while it can hear. */
function connect(lamp: Speaking, how = { failing: false }) {
  const received: string[] = [];
  const loop = makeCommandLoop({
    database: database.current,
    clock: rooms.clock,
    commands: rooms.commands,
    isHere: (serial) => serial === lamp.serial,
    send(_serial, _channel, payload) {
      if (how.failing) return Promise.reject(new Error("The device went away."));
      const message = commandMessage.parse(JSON.parse(Buffer.from(payload).toString()));
      if ("tokens" in message) received.push(...message.tokens);
      return Promise.resolve();
    },
  });
  loop.connected(lamp.serial);
  return {
    received,
    settle: loop.settle,
    stop: loop.stop,
    async tick() {
      await loop.tick();
      await loop.settle();
    },
  };
}

test("days that were paid first arrive first, however often their sending failed before the second payment", async () => {
  const lamp = await rooms.addSpeaking();
  const first = await pay(lamp, `first:${lamp.serial}`);
  const gateway = connect(lamp, { failing: true });
  await gateway.settle();
  for (let sending = 0; sending < 4; sending++) {
    rooms.clock.advance(MINUTE_MS);
    await gateway.tick();
  }
  const second = await pay(lamp, `second:${lamp.serial}`);
  await gateway.stop();
  const again = connect(lamp);
  await again.settle();
  // The first one pauses; the second waits behind it.
  expect(again.received).toEqual([]);
  rooms.clock.advance(3 * MINUTE_MS);
  await again.tick();
  expect(again.received).toEqual([first.digits, second.digits]);
  for (const digits of again.received) expect(lamp.lamp.enter(digits).kind).toBe("VALID");
  expect(lamp.lamp.face().daysLeft).toBe(14);
});

test("a lamp that counts a later payment's token never ends an earlier one: it is sent on, and written by SMS in time", async () => {
  const lamp = await rooms.addSpeaking();
  const causes = [`early:${lamp.serial}`, `late:${lamp.serial}`];
  await pay(lamp, causes[0] ?? "");
  const late = await pay(lamp, causes[1] ?? "");
  // The family typed the second token, which a neighbour's phone got.
  await tells(lamp, late.count);
  // Both were written in one millisecond, so that their ids have no order.
  const states = new Map((await commandsOf(lamp)).map(({ cause, state }) => [cause, state]));
  expect(causes.map((cause) => states.get(cause))).toEqual(["queued", "done"]);
  const told: string[] = [];
  const fallback = makeTokenFallback({
    database: database.current,
    clock: rooms.clock,
    tell: (_tx, missing) => Promise.resolve(void told.push(...missing)),
  });
  rooms.clock.advance(HOUR_MS);
  await fallback.once();
  expect(told.filter((cause) => causes.includes(cause))).toEqual([causes[0]]);
});

test("a lock that a later token overtook is not called done, and makes room for the next one", async () => {
  const lamp = await rooms.addSpeaking();
  const lock = await ask(lamp, "lock");
  const paid = await pay(lamp, `after-lock:${lamp.serial}`);
  await tells(lamp, paid.count);
  expect(await rooms.commands.find(database.current.db, lock.id)).toMatchObject({ state: "failed" });
  await ask(lamp, "lock");
});

test("a lock that the lamp fetched over HTTP cannot be taken back, and one that was taken back is not handed out", async () => {
  const [fetched, kept] = [await rooms.addSpeaking(), await rooms.addSpeaking()];
  const lock = await ask(fetched, "lock");
  expect(await pending(fetched)).toHaveLength(1);
  expect(await pending(fetched)).toHaveLength(1);
  await expect(cancel(lock.id)).rejects.toThrow(NotAllowedNow);
  expect(await rooms.commands.find(database.current.db, lock.id)).toMatchObject({ state: "queued", attempts: 1 });
  expect(await rooms.commands.changesOf(database.current.db, lock.id)).toMatchObject([
    { state: "queued", attempts: 1, detail: "Handed to the device when it asked." },
  ]);
  await cancel((await ask(kept, "lock")).id);
  expect(await pending(kept)).toEqual([]);
});

test("a lock past its time is not handed out, whether or not the sweep ended it yet; paid days are", async () => {
  const lamp = await rooms.addSpeaking();
  await ask(lamp, "lock");
  const paid = await pay(lamp, `beside-lock:${lamp.serial}`);
  rooms.clock.advance(4 * DAY_MS);
  expect(await pending(lamp)).toEqual([paid.digits]);
});

test("a lamp that was swapped for another fetches nothing more: the new one got its days", async () => {
  const lamp = await rooms.addSpeaking();
  await inTx((tx) => rooms.devices.move(tx, { deviceId: lamp.device.id, from: "stock", to: "installed", ...why }));
  await pay(lamp, `before-swap:${lamp.serial}`);
  expect(await pending(lamp)).toHaveLength(1);
  await inTx((tx) => rooms.devices.move(tx, { deviceId: lamp.device.id, from: "installed", to: "swapped", ...why }));
  expect(await pending(lamp)).toEqual([]);
});

test("what a dead gateway had claimed, or what pauses, is sent within a second of its time to a lamp that stays connected", async () => {
  const lamp = await rooms.addSpeaking();
  const paid = await pay(lamp, `dead-gateway:${lamp.serial}`);
  await inTx((tx) => rooms.commands.claim(tx, { serials: [lamp.serial], limit: 10 }));
  const gateway = connect(lamp);
  await gateway.settle();
  expect(gateway.received).toEqual([]);
  rooms.clock.advance(LEASE_MS);
  await gateway.tick();
  expect(gateway.received).toEqual([paid.digits]);

  const other = await rooms.addSpeaking();
  await pay(other, `pauses:${other.serial}`);
  const failing = connect(other, { failing: true });
  await failing.settle();
  await failing.stop();
  const next = connect(other);
  await next.settle();
  expect(next.received).toEqual([]);
  rooms.clock.advance(MINUTE_MS / 6);
  await next.tick();
  expect(next.received).toHaveLength(1);
});
