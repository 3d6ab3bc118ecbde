import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deriveCredentials } from "../../../simulators/fleet/credentials.ts";
import { startFleet, type Fleet } from "../../../simulators/fleet/fleet.ts";
import { issueToken, parseKey, prepareDevice, type TokenOrder } from "../../../src/devices/tokens/openpaygo.ts";
import { commandAnswer, writeCommandMessage, type CommandBody } from "../../../src/devices/command-payload.ts";
import { startTestBroker, type Frame, type TestBroker } from "./test-broker.ts";

const SEED = 11;
const { serial, keyHex } = deriveCredentials(SEED, 0);
let broker: TestBroker;
let fleet: Fleet;

beforeEach(async () => {
  broker = await startTestBroker();
  // In real time, and dark until it is paid for; it measures every second.
  fleet = startFleet({
    broker: { host: "127.0.0.1", port: broker.port, isSecure: false },
    seed: SEED,
    devices: 1,
    time: { startAtMs: Date.now() },
    intervalSeconds: 1,
    isLockedFromStart: true,
  });
  await broker.until(() => broker.heard.some(({ channel }) => channel === "status"));
});
afterEach(async () => {
  await fleet.stop();
  await broker.stop();
});

function tokenFor(order: TokenOrder): string {
  const key = parseKey(keyHex);
  if (!key.ok) throw new Error(key.refusal.message);
  const prepared = prepareDevice({ key: key.key });
  if (!prepared.ok) throw new Error(prepared.refusal.message);
  const issued = issueToken(prepared.device, order);
  if (!issued.ok) throw new Error(issued.refusal.message);
  return issued.token;
}

/** Sends a command as the program writes it, and gives what the device answers. */
async function ask(body: CommandBody, { id = randomUUID() as string, lifeMs = 60_000 } = {}) {
  const before = answers().length;
  const issuedAt = new Date();
  const expiresAt = new Date(issuedAt.getTime() + lifeMs);
  const bytes = Buffer.from(writeCommandMessage({ id, issuedAt, expiresAt, body }));
  await broker.command(serial, JSON.parse(bytes.toString("utf8")));
  // Told again after a lost connection, an older answer may come in between.
  const found = () =>
    answers()
      .slice(before)
      .find((answer) => answer.id === id);
  await broker.until(() => found() !== undefined);
  return found();
}

const answers = () =>
  broker.heard
    .filter(({ channel }) => channel === "ack")
    .map(({ payload }) => commandAnswer.parse(JSON.parse(payload.toString("utf8"))));

async function nextFrame(): Promise<Frame> {
  const before = broker.frames().length;
  await broker.until(() => broker.frames().length > before);
  const last = broker.frames().at(-1);
  if (last === undefined) throw new Error("There is no frame.");
  return last;
}

const standing = ({ d: [count, , firmware, activeUntil, interval, , unlocked] }: Frame) => ({
  count,
  firmware,
  activeUntil,
  interval,
  unlocked,
});

test("a token over the air gives days, once; locking takes them, and unlocking gives light for good", async () => {
  expect(standing(await nextFrame())).toMatchObject({ count: 1, activeUntil: 0, unlocked: false });
  const token = tokenFor({ type: "ADD_TIME", units: 30, count: 1 });
  const id = randomUUID();
  expect(await ask({ kind: "deliver_tokens", tokens: [token] }, { id })).toEqual({ id, outcome: "done" });
  const paid = standing(await nextFrame());
  expect(paid.count).toBe(2);
  const days = (Number(paid.activeUntil) - Date.now() / 1_000) / 86_400;
  expect(days).toBeGreaterThan(29.9);

  // The same command once more is answered the same and does nothing; the same token in another one is used up.
  expect(await ask({ kind: "deliver_tokens", tokens: [token] }, { id })).toEqual({ id, outcome: "done" });
  expect(await ask({ kind: "deliver_tokens", tokens: [token] })).toMatchObject({
    outcome: "refused",
    detail: "token already used",
  });
  expect(standing(await nextFrame()).activeUntil).toBe(paid.activeUntil);

  const dark = tokenFor({ type: "SET_TIME", units: 0, count: 2 });
  expect(await ask({ kind: "lock", tokens: [dark] })).toMatchObject({ outcome: "done" });
  expect(Number(standing(await nextFrame()).activeUntil)).toBeLessThanOrEqual(Math.ceil(Date.now() / 1_000));
  const free = tokenFor({ type: "DISABLE_PAYG", count: 3 });
  expect(await ask({ kind: "unlock", tokens: [free] })).toMatchObject({ outcome: "done" });
  expect(standing(await nextFrame())).toMatchObject({ unlocked: true });
});

test("a token of another device, a stale command and an unknown kind are refused with the reason", async () => {
  expect(await ask({ kind: "set_days", days: 5, tokens: ["123456789"] })).toMatchObject({
    outcome: "refused",
    detail: "token not valid",
  });
  expect(await ask({ kind: "set_interval", seconds: 60 }, { lifeMs: -1_000 })).toMatchObject({
    outcome: "refused",
    detail: "expired",
  });
  await broker.command(serial, { id: randomUUID(), kind: "self_destruct" });
  await broker.until(() => answers().length === 3);
  expect(answers().at(-1)).toMatchObject({ outcome: "refused", detail: "unknown kind of command" });
  expect(standing(await nextFrame())).toMatchObject({ count: 1, interval: 1 });
});

test("what is no command at all is passed over, and the next command is obeyed", async () => {
  await broker.command(serial, "nonsense");
  await broker.command(serial, { kind: "lock" });
  expect(await ask({ kind: "fetch_data" })).toMatchObject({ outcome: "done" });
  expect(answers()).toHaveLength(1);
});

test("a device asked for its data sends what it remembers again", async () => {
  await nextFrame();
  const { hd } = await nextFrame();
  const [[seconds = 0] = []] = hd;
  const before = broker.frames().length;
  expect(await ask({ kind: "fetch_data", from: seconds, to: seconds })).toMatchObject({ outcome: "done" });
  await broker.until(() =>
    broker
      .frames()
      .slice(before)
      .some((frame) => frame.hd[0]?.[0] === seconds),
  );
  const again = broker
    .frames()
    .slice(before)
    .find((frame) => frame.hd[0]?.[0] === seconds);
  expect(again?.hd).toEqual(hd);
});

test("an interval and a firmware take hold, and a new firmware starts the device anew", async () => {
  await nextFrame();
  expect(await ask({ kind: "set_interval", seconds: 10 })).toMatchObject({ outcome: "done" });
  const offer = {
    kind: "offer_firmware",
    version: "9.1.0",
    url: "https://firmware.example.org/9.1.0",
    bytes: 65_536,
    sha256: "ab".repeat(32),
  } as const;
  expect(await ask(offer)).toMatchObject({ outcome: "done" });
  const statuses = (): number => broker.heard.filter(({ channel }) => channel === "status").length;
  await broker.until(() => statuses() >= 3 && broker.heard.some(({ channel }) => channel === "event"));
  const told = broker.heard.find(({ channel }) => channel === "event")?.payload.toString("utf8") ?? "";
  expect(told).toContain('"firmware_version":"9.1.0"');
  // Back on the air it is asked for its data, so that nobody has to wait for its next measurement.
  expect(await ask({ kind: "fetch_data" })).toMatchObject({ outcome: "done" });
  await broker.until(() => broker.frames().some((frame) => standing(frame).firmware === "9.1.0"));
  expect(standing(broker.frames().at(-1) ?? (await nextFrame()))).toMatchObject({ interval: 10, firmware: "9.1.0" });
  expect(await ask(offer)).toMatchObject({ outcome: "refused", detail: "already installed" });
});
