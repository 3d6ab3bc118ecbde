import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { beforeAll, describe, expect, test } from "vitest";
import { makeLamp } from "../../simulators/lamp/lamp.ts";
import { makeDevices, type Device, type Devices } from "../../src/devices/devices.ts";
import { makeKeySeal } from "../../src/devices/key-seal.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { InvalidInput, NotAllowedNow, NotFound } from "../../src/kernel/refusal.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { sqlStateOf } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
const makeId = makeIds(clock);
let devices: Devices;

beforeAll(() => {
  devices = makeDevices({ clock, makeId, keySeal: makeKeySeal(Buffer.alloc(32, 7)) });
});

const keyOf = (serial: string): string => createHash("md5").update(serial).digest("hex");
const importCsv = (csv: string) => database.current.db.transaction((tx) => devices.importCsv(tx, csv));
let serials = 0;

async function makeDevice({ timeDivider = 1, count = 1, restricted = 0 } = {}): Promise<{
  device: Device;
  lamp: ReturnType<typeof makeLamp>;
}> {
  const serial = `DEV-${(serials += 1)}`;
  await importCsv(
    `Serial Number,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model\n${serial},${keyOf(serial)},${count},${timeDivider},${restricted},Home 60\n`,
  );
  const lamp = makeLamp({
    serial,
    keyHex: keyOf(serial),
    count,
    timeDivider,
    restrictedDigits: restricted === 1,
    clock: { now: () => clock.now().getTime() },
  });
  return { device: await devices.requireBySerial(database.current.db, serial), lamp };
}

const issue = (device: Device, cause: string, units: number) =>
  database.current.db.transaction(async (tx) => {
    const issuer = await devices.lockForTokens(tx, [device.id]);
    const tokens = issuer.issue({ deviceId: device.id, kind: "add", units, cause });
    await issuer.save();
    return tokens;
  });

describe("importing", () => {
  test("adds good lines to stock, reports bad ones, and never overwrites a device that is there", async () => {
    const csv = (key: string) => `Serial Number,Key,Count\nIMP-1,${key},5\nIMP-2,nokey,1\nIMP-3,${keyOf("3")},1\n`;
    expect(await importCsv(csv(keyOf("1")))).toEqual({
      added: 2,
      existing: [],
      refused: [{ line: 3, reason: "The key is not 32 hexadecimal digits." }],
    });
    const before = await database.current.db.execute(
      sql`select * from devices.devices where serial like 'IMP-%' order by serial`,
    );
    expect(await importCsv(csv(keyOf("other")))).toMatchObject({ added: 0, existing: ["IMP-1", "IMP-3"] });
    expect(
      await database.current.db.execute(sql`select * from devices.devices where serial like 'IMP-%' order by serial`),
    ).toEqual(before);
    expect(await devices.requireBySerial(database.current.db, "IMP-1")).toMatchObject({ state: "stock", count: 5 });
  });

  test("keeps no key in clear, neither in the database nor in what is shown of a device", async () => {
    const { device } = await makeDevice();
    const key = keyOf(device.serial);
    const [row] = await database.current.db.execute<{ text: string }>(
      sql`select d::text as text from devices.devices d where id = ${device.id}`,
    );
    expect(row?.text).not.toContain(key);
    expect(JSON.stringify(device)).not.toMatch(/key|starting/i);
    expect(
      JSON.stringify([
        await devices.find(database.current.db, device.id),
        await devices.list(database.current.db, {}, { first: 100 }),
      ]),
    ).not.toMatch(new RegExp(`${key}|keySealed|startingCode`, "i"));
  });
});

describe("tokens", () => {
  test("are accepted by the lamp one after the other, and the counter follows", async () => {
    const { device, lamp } = await makeDevice({ timeDivider: 24 });
    for (const [at, units] of [24, 12, 1].entries()) {
      const [token] = await issue(device, `cause-${device.serial}-${at}`, units);
      expect(lamp.enter(token?.digits ?? "").kind).toBe("VALID");
      expect((await devices.find(database.current.db, device.id))?.count).toBe(token?.count);
    }
    expect(lamp.face().daysLeft).toBeCloseTo(37 / 24, 9);
  });

  test("for a keypad of four keys have only those digits", async () => {
    const { device, lamp } = await makeDevice({ restricted: 1 });
    const [token] = await issue(device, `restricted-${device.serial}`, 3);
    expect(token?.digits).toMatch(/^[1-4]{15}$/);
    expect(lamp.enter(token?.digits ?? "").kind).toBe("VALID");
  });

  test("asked for one cause twice are refused by the database: a receipt is answered once", async () => {
    const { device } = await makeDevice();
    await issue(device, `once-${device.serial}`, 3);
    await expect(issue(device, `once-${device.serial}`, 3)).rejects.toSatisfy((error) => sqlStateOf(error) === "23505");
    expect(await devices.tokensByCause(database.current.db, [`once-${device.serial}`])).toHaveLength(1);
  });

  test("asked for from ten connections at once have ten different counts, and the lamp accepts them in their order", async () => {
    const { device, lamp } = await makeDevice();
    await Promise.all(Array.from({ length: 10 }, (_, at) => issue(device, `many-${device.serial}-${at}`, 1)));
    const tokens = (await devices.tokensOf(database.current.db, { deviceId: device.id, limit: 20 })).toReversed();
    expect(new Set(tokens.map(({ count }) => count)).size).toBe(10);
    for (const { digits } of tokens) expect(lamp.enter(digits).kind).toBe("VALID");
    expect(lamp.face().daysLeft).toBe(10);
  });

  test("that were rolled back leave the counter where it was", async () => {
    const { device } = await makeDevice();
    const failing = database.current.db.transaction(async (tx) => {
      const issuer = await devices.lockForTokens(tx, [device.id]);
      issuer.issue({ deviceId: device.id, kind: "add", units: 1, cause: "gone" });
      await issuer.save();
      throw new Error("gone");
    });
    await expect(failing).rejects.toThrow("gone");
    expect((await devices.find(database.current.db, device.id))?.count).toBe(device.count);
  });

  test("are not made for a device that was not locked, nor beyond the last count", async () => {
    const { device } = await makeDevice({ count: 99_999 });
    const other = await makeDevice();
    await expect(
      database.current.db.transaction(async (tx) =>
        (await devices.lockForTokens(tx, [device.id])).issue({
          deviceId: other.device.id,
          kind: "add",
          units: 1,
          cause: "x",
        }),
      ),
    ).rejects.toThrow(/not locked/);
    await expect(issue(device, "end-of-counts", 995 * 10)).rejects.toThrow(InvalidInput);
    expect(await devices.tokensOf(database.current.db, { deviceId: device.id, limit: 5 })).toEqual([]);
  });
});

describe("stock", () => {
  const move = (device: Device, from: Device["state"], to: Device["state"]) =>
    database.current.db.transaction((tx) =>
      devices.move(tx, { deviceId: device.id, from, to, reason: "test", actor: "test" }),
    );

  test("a device is where it was last moved, and is not moved from where it is not", async () => {
    const { device } = await makeDevice();
    await move(device, "stock", "installed");
    await expect(move(device, "stock", "installed")).rejects.toThrow(NotAllowedNow);
    expect(await move(device, "installed", "retired")).toMatchObject({ state: "retired" });
    await expect(move({ ...device, id: makeId() }, "stock", "installed")).rejects.toThrow(NotFound);
  });

  test("one device is installed once, however many sell it at once", async () => {
    const { device } = await makeDevice();
    const sales = await Promise.allSettled(Array.from({ length: 5 }, () => move(device, "stock", "installed")));
    expect(sales.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("is searched by the start of a serial and by state, and wildcards are only characters", async () => {
    const { device } = await makeDevice();
    const serials = async (filter: Parameters<Devices["list"]>[1]) =>
      (await devices.list(database.current.db, filter, { first: 500 })).map(({ serial }) => serial);
    expect(await serials({ search: device.serial })).toContain(device.serial);
    expect(await serials({ search: "%" })).toEqual([]);
    expect(await serials({ search: "DEV_" })).toEqual([]);
    expect(await serials({ state: "retired" })).not.toContain(device.serial);
    expect([
      await devices.exists(database.current.db, device.serial),
      await devices.exists(database.current.db, "nothing"),
    ]).toEqual([true, false]);
  });
});
