import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { signedText } from "../../src/devices/credentials.ts";
import { ClaimRefused } from "../../src/devices/devices.ts";
import { prepareSipKey, sipHash24 } from "../../src/devices/tokens/siphash.ts";
import { InvalidInput, NotAllowedNow } from "../../src/kernel/refusal.ts";
import { useDatabase } from "../support/database.ts";
import { keyOf, makeDeviceRooms } from "./device-rooms.ts";

const database = useDatabase();
let rooms: ReturnType<typeof makeDeviceRooms>;
beforeAll(() => {
  rooms = makeDeviceRooms(database.current);
});

const act = (serials: readonly string[]) => ({ serials, actor: "asha", reason: "test" });
const inTx = <Result>(work: (tx: Parameters<typeof rooms.credentials.revoke>[0]) => Promise<Result>) =>
  database.current.db.transaction(work);
const byCode = (serial: string, code: string, request?: string) =>
  rooms.credentials.claim({ serial, proof: { kind: "code", code, request }, source: "192.0.2.7" });
const maySignIn = (serial: string, password: string) =>
  rooms.credentials.authenticate(database.current.db, serial, password);

async function inStockWithCode() {
  const [made] = await rooms.addLamps(1);
  const serial = made?.device.serial ?? "";
  const { issued } = await inTx((tx) => rooms.credentials.issueCodes(tx, act([serial])));
  return { serial, code: issued[0]?.code ?? "", device: made?.device };
}

describe("a claim", () => {
  test("gives a password once, with which the device may sign in; the used code is refused", async () => {
    const { serial, code } = await inStockWithCode();
    const answer = await byCode(serial, code.toLowerCase().replaceAll("-", " "));
    expect(answer).toMatchObject({ broker: "mqtt://127.0.0.1:1883", username: serial });
    expect(answer.topics.subscribe).toEqual([`paygo/v1/${serial}/cmd`]);
    expect(await maySignIn(serial, answer.password)).toBe(true);
    await expect(byCode(serial, code)).rejects.toThrow(ClaimRefused);
    expect(rooms.audited.filter(({ action }) => action === "device.credentials.claim")).toHaveLength(1);
  });

  test("may be asked again by who asked, when the answer was lost, within the hour; by nobody else", async () => {
    const { serial, code } = await inStockWithCode();
    const first = await byCode(serial, code, "a-random-word");
    expect(await byCode(serial, code, "a-random-word")).toEqual(first);
    await expect(byCode(serial, code, "another-word")).rejects.toThrow(ClaimRefused);
    rooms.clock.advance(3_600_001);
    await expect(byCode(serial, code, "a-random-word")).rejects.toThrow(ClaimRefused);
  });

  test("asked for by two at once is given to one", async () => {
    const { serial, code } = await inStockWithCode();
    const claims = await Promise.allSettled(Array.from({ length: 5 }, () => byCode(serial, code)));
    expect(claims.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("with wrong codes voids the code after ten, and every attempt is on record", async () => {
    const { serial, code, device } = await inStockWithCode();
    for (let at = 0; at < 10; at++) await expect(byCode(serial, "AAAA-AAAA-AAAA")).rejects.toThrow(ClaimRefused);
    await expect(byCode(serial, code)).rejects.toThrow(ClaimRefused);
    const events = await rooms.credentials.eventsOf(database.current.db, {
      deviceId: device?.id ?? rooms.makeId(),
      first: 50,
    });
    expect(events.filter(({ kind }) => kind === "claim_refused")).toHaveLength(10);
    expect(events[0]).toMatchObject({ actor: "claim:192.0.2.7", detail: "wrong code" });
  });

  test("of a device that is not ours, without a code, or too late reads the same", async () => {
    const [bare] = await rooms.addLamps(1);
    const { serial, code } = await inStockWithCode();
    rooms.clock.advance(366 * 86_400_000);
    const attempts = [
      ["nobody", code],
      [bare?.device.serial ?? "", code],
      [serial, code],
    ] as const;
    for (const [name, typed] of attempts)
      await expect(byCode(name, typed)).rejects.toThrow("This serial and code claim nothing.");
  });

  const sign = (serial: string, seconds: number) => {
    const key = prepareSipKey(Buffer.from(keyOf(serial), "hex"));
    const { high, low } = sipHash24(key, Buffer.from(signedText(serial, seconds)));
    return `da${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`;
  };
  const bySignature = (serial: string, timestampSeconds: number, auth: string) =>
    rooms.credentials.claim({ serial, proof: { kind: "signed", timestampSeconds, auth }, source: "device" });

  test("signed by the device's own key needs no code; a recorded one, an old one and a foreign one are refused", async () => {
    const { serial } = await inStockWithCode();
    const now = Math.floor(rooms.clock.now().getTime() / 1_000);
    await expect(bySignature(serial, now, sign("other", now))).rejects.toThrow(ClaimRefused);
    await expect(bySignature(serial, now - 601, sign(serial, now - 601))).rejects.toThrow(ClaimRefused);
    const { password } = await bySignature(serial, now, sign(serial, now));
    expect(await maySignIn(serial, password)).toBe(true);
    await inTx((tx) => rooms.credentials.rotate(tx, { serial, actor: "asha", reason: "stolen" }));
    await expect(bySignature(serial, now, sign(serial, now))).rejects.toThrow(ClaimRefused);
    const padded = sign(serial, now + 1)
      .replace(/^da/, "da000")
      .toUpperCase()
      .replace(/^DA/, "da");
    expect(await maySignIn(serial, (await bySignature(serial, now + 1, padded)).password)).toBe(true);
  });
});

describe("who may sign in", () => {
  test("only the device itself, with its present password", async () => {
    const [one, two] = [await rooms.addSpeaking(), await rooms.addSpeaking()];
    expect(await maySignIn(one.serial, one.password)).toBe(true);
    for (const [serial, password] of [
      [one.serial, two.password],
      [one.serial, ""],
      ["nobody", one.password],
      ["+", one.password],
      ["", ""],
    ] as const)
      expect(await maySignIn(serial, password)).toBe(false);
  });

  test("a revoked device is cut off at once, also from what other processes remember of it", async () => {
    const lamp = await rooms.addSpeaking();
    const heard: string[] = [];
    const other = makeDeviceRooms(database.current).credentials;
    const waiting = Promise.withResolvers<undefined>();
    const end = await other.listen((serial) => {
      heard.push(serial);
      if (serial === lamp.serial) waiting.resolve(undefined);
    });
    const there = () => other.authenticate(database.current.db, lamp.serial, lamp.password);
    expect([await there(), await there()]).toEqual([true, true]);
    expect(await inTx((tx) => rooms.credentials.revoke(tx, act([lamp.serial])))).toBe(1);
    await waiting.promise;
    expect([await there(), await maySignIn(lamp.serial, lamp.password)]).toEqual([false, false]);
    expect(heard).toContain(lamp.serial);
    await end();
  });

  test("rotation ends the old password and gives a code for the next", async () => {
    const lamp = await rooms.addSpeaking();
    const { code } = await inTx((tx) =>
      rooms.credentials.rotate(tx, { serial: lamp.serial, actor: "asha", reason: "swap of the radio" }),
    );
    expect(await maySignIn(lamp.serial, lamp.password)).toBe(false);
    const { password } = await byCode(lamp.serial, code);
    expect(password).not.toBe(lamp.password);
    expect(await maySignIn(lamp.serial, password)).toBe(true);
  });

  test("a device that leaves its home loses its voice, and its commands with it", async () => {
    const lamp = await rooms.addSpeaking();
    const step = (from: "stock" | "installed", to: "installed" | "swapped") =>
      inTx((tx) => rooms.devices.move(tx, { deviceId: lamp.device.id, from, to, reason: "test", actor: "asha" }));
    await step("stock", "installed");
    expect(await maySignIn(lamp.serial, lamp.password)).toBe(true);
    const asked = await inTx((tx) =>
      rooms.commands.ask(tx, {
        deviceId: lamp.device.id,
        request: { kind: "set_interval", seconds: 900 },
        reason: "test",
        actor: "asha",
      }),
    );
    await step("installed", "swapped");
    expect(await maySignIn(lamp.serial, lamp.password)).toBe(false);
    expect(await rooms.commands.find(database.current.db, asked.id)).toMatchObject({ state: "cancelled" });
    await expect(
      inTx((tx) => rooms.credentials.rotate(tx, { serial: lamp.serial, actor: "asha", reason: "x" })),
    ).rejects.toThrow(NotAllowedNow);
  });
});

describe("a stranger", () => {
  test("who guesses codes of a device that speaks changes nothing about it", async () => {
    const lamp = await rooms.addSpeaking();
    const rowOf = () =>
      database.current.db.execute(sql`select c::text from devices.credentials c where serial = ${lamp.serial}`);
    const before = await rowOf();
    for (let at = 0; at < 12; at++) await expect(byCode(lamp.serial, "AAAA-AAAA-AAAA")).rejects.toThrow(ClaimRefused);
    expect(await rowOf()).toEqual(before);
    expect(await maySignIn(lamp.serial, lamp.password)).toBe(true);
  });
});

describe("codes and passwords", () => {
  test("are made for many at once, and what is claimed is left as it is", async () => {
    const lamp = await rooms.addSpeaking();
    const fresh = (await rooms.addLamps(3)).map(({ device }) => device.serial);
    const { issued, refused } = await inTx((tx) =>
      rooms.credentials.issueCodes(tx, act([...fresh, lamp.serial, "nobody"])),
    );
    expect(issued.map(({ serial }) => serial).sort()).toEqual(fresh.toSorted());
    expect(new Set(issued.map(({ code }) => code)).size).toBe(3);
    expect([...refused.keys()].sort()).toEqual([lamp.serial, "nobody"].sort());
    expect(await maySignIn(lamp.serial, lamp.password)).toBe(true);
    const shown = await rooms.credentials.openCodes(database.current.db, [...fresh, lamp.serial]);
    expect(shown.map(({ code }) => code).sort()).toEqual(issued.map(({ code }) => code).sort());
  });

  test("a maker who writes passwords in the factory gets them without codes, once", async () => {
    const fresh = (await rooms.addLamps(2)).map(({ device }) => device.serial);
    const made = await inTx((tx) => rooms.credentials.provision(tx, act(fresh)));
    for (const { serial, password } of made) expect(await maySignIn(serial, password)).toBe(true);
    await expect(inTx((tx) => rooms.credentials.provision(tx, act(fresh)))).rejects.toThrow(NotAllowedNow);
    await expect(
      inTx((tx) => rooms.credentials.issueCodes(tx, act(Array.from({ length: 10_001 }, (_, at) => `S${at}`)))),
    ).rejects.toThrow(InvalidInput);
  });

  test("stand nowhere in the database", async () => {
    const lamp = await rooms.addSpeaking();
    const rows = await database.current.db.execute<{ text: string }>(
      sql`select c::text as text from devices.credentials c union all select e::text from devices.credential_events e`,
    );
    const everything = rows.map(({ text }) => text).join("\n");
    expect(everything).not.toContain(lamp.password);
    expect(everything).not.toContain(lamp.code);
  });
});
