import { afterEach, beforeEach, expect, test } from "vitest";
import { makeLamp } from "../../simulators/lamp/lamp.ts";
import { connectLamps, type LampsOnline } from "../../simulators/village/lamps-online.ts";
import { issueToken, parseKey, prepareDevice } from "../../src/devices/tokens/openpaygo.ts";
import { startTestBroker, type TestBroker } from "./fleet/test-broker.ts";

const KEY_HEX = "00112233445566778899aabbccddeeff";
const clock = { now: () => Date.now() };
const lamp = () => makeLamp({ serial: "H60-1", keyHex: KEY_HEX, clock });
let broker: TestBroker;
let online: LampsOnline | undefined;
beforeEach(async () => {
  broker = await startTestBroker();
});
afterEach(async () => {
  await online?.stop();
  await broker.stop();
});

function connect(lamps: readonly ReturnType<typeof lamp>[]): LampsOnline {
  online = connectLamps({
    lamps,
    passwords: new Map([["H60-1", "word"]]),
    place: { host: "127.0.0.1", port: broker.port, isSecure: false },
    clock,
  });
  return online;
}

function tokenOf(units: number): string {
  const key = parseKey(KEY_HEX);
  const prepared = key.ok ? prepareDevice({ key: key.key }) : key;
  if (!prepared.ok) throw new Error(prepared.refusal.message);
  const issued = issueToken(prepared.device, { type: "ADD_TIME", units, count: 1 });
  if (!issued.ok) throw new Error(issued.refusal.message);
  return issued.token;
}

test("a token that comes by air lights the lamp, is told at once, and is used up at its keypad", async () => {
  const wall = lamp();
  await connect([wall]).reported(20_000);
  expect(wall.face().relayOn).toBe(false);
  const token = tokenOf(7);
  const before = broker.frames().length;
  await broker.command("H60-1", {
    id: "5b0f8a4e-2c9e-4a8e-9f57-1f3a9d1d2b11",
    kind: "deliver_tokens",
    tokens: [token],
  });
  await broker.until(() => broker.frames().length > before && broker.heard.some(({ channel }) => channel === "ack"));
  expect(wall.face()).toMatchObject({ relayOn: true, count: 2 });
  expect(broker.frames().at(-1)?.d).toMatchObject({ token_count: 2 });
  expect(wall.enter(token).kind).toBe("ALREADY_USED");
});

test("an interval takes hold, and counts go on after the lamp started again", async () => {
  await connect([lamp()]).reported(20_000);
  await broker.command("H60-1", { id: "x", kind: "set_interval", seconds: 10 });
  await broker.until(() => broker.frames().length >= 2);
  expect(broker.frames().at(-1)?.d).toMatchObject({ reporting_interval: 10 });
  await online?.stop();
  const counted = broker.frames().map(({ rc }) => rc);
  expect(counted).toEqual([...new Set(counted)].toSorted((left, right) => left - right));
  expect(counted[0]).toBeGreaterThan(1_000_000);
});

test("a lamp without a password stays off the air, and one that is not let in says why", async () => {
  const other = makeLamp({ serial: "H60-2", keyHex: KEY_HEX, clock });
  await connect([other, lamp()]).reported(20_000);
  expect(new Set(broker.heard.map(({ serial }) => serial))).toEqual(new Set(["H60-1"]));
  await online?.stop();
  await broker.die();
  await expect(connect([lamp()]).reported(300)).rejects.toThrow(/could not report within 0.3 s: connect ECONNREFUSED/);
  await broker.revive();
});

test("a lamp whose network is taken away tells nothing until it has one again", async () => {
  const lamps = connect([lamp()]);
  await lamps.reported(20_000);
  expect(lamps.isCovered("H60-1")).toBe(true);
  lamps.cover("H60-1", false);
  await broker.until(() => lamps.counts.connected === 0);
  const before = broker.frames().length;
  lamps.report("H60-1");
  expect([lamps.isCovered("H60-1"), broker.frames().length]).toEqual([false, before]);
  lamps.cover("H60-1", true);
  await broker.until(() => broker.frames().length > before);
});
