import { beforeAll, describe, expect, test } from "vitest";
import {
  makeBulkActs,
  makeDeviceLife,
  type BulkActs,
  type BulkOrder,
  type DeviceLife,
} from "../../src/devices/devices.ts";
import type { ContractId, DeviceId } from "../../src/kernel/ids.ts";
import { IdempotencyConflict, InvalidInput, NotAllowedNow } from "../../src/kernel/refusal.ts";
import type { Tx } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";
import { makeDeviceRooms } from "./device-rooms.ts";

const database = useDatabase();
let rooms: ReturnType<typeof makeDeviceRooms>;
let bulk: BulkActs;
let life: DeviceLife;
const contracts = new Map<DeviceId, ContractId>();

beforeAll(() => {
  rooms = makeDeviceRooms(database.current);
  const contractsOn = () => Promise.resolve(contracts);
  const { clock, makeId, commands, credentials, audit } = rooms;
  bulk = makeBulkActs({ clock, makeId, commands, credentials, contractsOn, audit });
  life = makeDeviceLife({ clock, credentials, contractsOn, audit });
});

const inTx = <Result>(work: (tx: Tx) => Promise<Result>) => database.current.db.transaction(work);
const preview = (order: BulkOrder) => bulk.preview(database.current.db, order);
const apply = (order: BulkOrder & { key: string; digest?: string }) =>
  inTx((tx) => bulk.apply(tx, { reason: "a pallet arrived", actor: "asha", ...order }));
const where = async (serial: string) => {
  const { state, area, place, latitude } = await rooms.devices.requireBySerial(database.current.db, serial);
  return { state, area, place, latitude };
};

describe("a bulk act", () => {
  test("tells line by line what it would do, does just that, and is done once however often it is asked", async () => {
    const [good, bad] = await rooms.addLamps(2);
    const [one = "", two = ""] = [good?.device.serial, bad?.device.serial];
    await inTx((tx) =>
      rooms.devices.move(tx, {
        deviceId: bad?.device.id ?? rooms.makeId(),
        from: "stock",
        to: "retired",
        reason: "broken",
        actor: "asha",
      }),
    );
    const csv = `Serial Number,Area,Place,Latitude,Longitude\n${one},kitui,Workshop,-1.37,38.01\n${two},,,,\nnobody,,,,\n${one},,,,\n!,,,,\n`;
    const order: BulkOrder = { selection: { csv }, act: { kind: "move", to: "repair" } };
    const report = await preview(order);
    expect(report.lines.map(({ line, outcome, text }) => [line, outcome, text])).toEqual([
      [2, "do", "From stock to repair at kitui, Workshop, -1.37, 38.01."],
      [3, "refused", "It is retired; a retired device stays where it is."],
      [4, "refused", "There is no such device."],
      [5, "refused", "It stands in the file twice."],
      [6, "refused", "A serial has 1 to 64 letters, digits or . : / - _"],
    ]);
    expect(await where(one)).toMatchObject({ state: "stock" });
    const asked = { ...order, key: "bulk-key-1", digest: report.digest };
    const done = await apply(asked);
    expect(done).toMatchObject({ done: 1, refused: 4 });
    expect(await apply(asked)).toEqual(done);
    await expect(apply({ ...asked, act: { kind: "move", to: "retired" } })).rejects.toThrow(IdempotencyConflict);
    expect(await where(one)).toEqual({ state: "repair", area: "kitui", place: "Workshop", latitude: -1.37 });
    const [movement, ...others] = await life.movements(database.current.db, {
      deviceId: good?.device.id ?? rooms.makeId(),
      first: 10,
    });
    expect([movement?.bulkId, movement?.reason, others]).toEqual([done.bulkId, "a pallet arrived", []]);
    expect(rooms.audited.filter(({ subjectId }) => subjectId === done.bulkId)).toHaveLength(1);
  });

  test("of which something changed since its dry run is refused whole", async () => {
    const lamps = await rooms.addLamps(3);
    const csv = `Serial Number\n${lamps.map(({ device }) => device.serial).join("\n")}\n`;
    const order: BulkOrder = { selection: { csv }, act: { kind: "move", to: "repair" } };
    const { digest } = await preview(order);
    await inTx((tx) =>
      rooms.devices.move(tx, {
        deviceId: lamps[1]?.device.id ?? rooms.makeId(),
        from: "stock",
        to: "installed",
        reason: "sold",
        actor: "ben",
      }),
    );
    await expect(apply({ ...order, key: "bulk-key-2", digest })).rejects.toThrow(NotAllowedNow);
    expect(await where(lamps[0]?.device.serial ?? "")).toMatchObject({ state: "stock" });
  });

  test("by a filter names every device that is like that, and does not touch the others", async () => {
    const lamps = await rooms.addLamps(4);
    const place = { area: "machakos", place: null, latitude: null, longitude: null };
    for (const { device } of lamps.slice(0, 3))
      await inTx((tx) => life.place(tx, { deviceId: device.id, whereabouts: place, reason: "a shop", actor: "asha" }));
    const order: BulkOrder = {
      selection: { filter: { area: "machakos", state: "stock" } },
      act: { kind: "command", request: { kind: "set_interval", seconds: 600 } },
    };
    const { willDo, refused, digest } = await preview(order);
    expect({ willDo, refused }).toEqual({ willDo: 3, refused: 0 });
    const { bulkId, done } = await apply({ ...order, key: "bulk-key-3", digest });
    expect(done).toBe(3);
    const audited = rooms.audited.filter(({ subjectId }) => subjectId === bulkId);
    expect(audited.map(({ action, detail }) => ({ action, ...detail }))).toEqual([
      {
        action: "device.commands.set_interval",
        reason: "a pallet arrived",
        seconds: 600,
        queued: 3,
        refused: 0,
        dryRunDigest: digest,
      },
      { action: "device.bulk.command", reason: "a pallet arrived", done: 3, refused: 0, dryRunDigest: digest },
    ]);
    const commands = await rooms.commands.list(database.current.db, { bulkId }, { first: 10 });
    expect(commands.map(({ serial }) => serial).sort()).toEqual(
      lamps
        .slice(0, 3)
        .map(({ device }) => device.serial)
        .sort(),
    );
    expect(await preview(order)).toMatchObject({ willDo: 0, refused: 3 });
  });

  test("happens only as it was looked at: with the digest of another number of days it is refused", async () => {
    const lamp = await rooms.addSpeaking();
    const days = (count: number): BulkOrder => ({
      selection: { csv: `serial number\n${lamp.serial}\n` },
      act: { kind: "command", request: { kind: "set_days", days: count } },
    });
    const { digest, willDo } = await preview(days(5));
    expect(willDo).toBe(1);
    await expect(apply({ ...days(30), key: "bulk-key-days-30", digest })).rejects.toThrow(/not what the dry run/);
    expect(await apply({ ...days(5), key: "bulk-key-days-5", digest })).toMatchObject({ done: 1 });
  });

  test("issues codes and cuts off, and says of each device why not", async () => {
    const [lamp] = await rooms.addLamps(1);
    const speaking = await rooms.addSpeaking();
    const csv = `serial number\n${lamp?.device.serial ?? ""}\n${speaking.serial}\n`;
    const issue: BulkOrder = { selection: { csv }, act: { kind: "issue_codes" } };
    expect((await preview(issue)).lines.map(({ outcome }) => outcome)).toEqual(["do", "refused"]);
    expect(await apply({ ...issue, key: "bulk-key-4" })).toMatchObject({ done: 1, refused: 1 });
    const revoke: BulkOrder = { selection: { csv }, act: { kind: "revoke" } };
    expect(await apply({ ...revoke, key: "bulk-key-5" })).toMatchObject({ done: 2, refused: 0 });
    expect(await rooms.credentials.authenticate(database.current.db, speaking.serial, speaking.password)).toBe(false);
  });

  test.each([
    ["Name\nx\n", /"Serial Number" is missing/],
    ["Serial Number,Colour\nx,red\n", /"colour" is unknown/],
    ["Serial Number\n", /no devices/],
    ["", /no devices/],
    [`Serial Number\n${Array.from({ length: 10_001 }, (_, at) => `S${at}`).join("\n")}\n`, /At most 10000/],
  ])("is refused when the file is no such file", async (csv, words) => {
    await expect(preview({ selection: { csv }, act: { kind: "place" } })).rejects.toThrow(words);
    await expect(preview({ selection: { csv }, act: { kind: "place" } })).rejects.toThrow(InvalidInput);
  });
});

describe("one device", () => {
  test("is moved by hand along its life, and its page tells where it is, who speaks for it and what it was told", async () => {
    const lamp = await rooms.addSpeaking();
    const deviceId = lamp.device.id;
    const move = (to: "repair" | "stock" | "installed") =>
      inTx((tx) => life.move(tx, { deviceId, to, reason: "a test", actor: "asha" }));
    await expect(move("installed")).rejects.toThrow(/Sell it/);
    expect(await life.page(database.current.db, deviceId)).toMatchObject({
      device: { state: "stock" },
      credentials: { state: "claimed", generation: 1 },
      openCommands: [],
    });
    await move("repair");
    expect(await life.page(database.current.db, deviceId)).toMatchObject({
      device: { state: "repair" },
      credentials: { state: "revoked", generation: 2 },
      lastMovement: { from: "stock", to: "repair", actor: "asha", reason: "a test" },
    });
    await move("stock");
    contracts.set(deviceId, rooms.makeId());
    await expect(move("repair")).rejects.toThrow(/Swap the contract/);
    contracts.delete(deviceId);
    const history = await life.movements(database.current.db, { deviceId, first: 1 });
    expect(await life.movements(database.current.db, { deviceId, first: 5, before: history[0]?.id })).toHaveLength(1);
  });

  test("cannot be placed off the globe, or where it is", async () => {
    const [lamp] = await rooms.addLamps(1);
    const place = (latitude: number | null, area: string | null) =>
      inTx((tx) =>
        life.place(tx, {
          deviceId: lamp?.device.id ?? rooms.makeId(),
          whereabouts: { area, place: null, latitude, longitude: latitude },
          reason: "a test",
          actor: "asha",
        }),
      );
    await expect(place(91, null)).rejects.toThrow(/latitude/);
    await expect(place(Number.NaN, null)).rejects.toThrow(/latitude/);
    await expect(place(null, "kitui\nevil")).rejects.toThrow(/area/i);
    await expect(place(null, null)).rejects.toThrow(/already/);
    expect(await place(1, "kitui")).toMatchObject({ area: "kitui", latitude: 1 });
  });
});
