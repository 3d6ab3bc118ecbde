import { sql } from "drizzle-orm";
import { beforeAll, expect, test } from "vitest";
import { makeBrokerRights } from "../../src/devices/devices.ts";
import { useDatabase } from "../support/database.ts";
import { rowsRead } from "../support/rows-read.ts";
import { makeDeviceRooms, SEALING_KEY } from "./device-rooms.ts";

const DEVICES = 20_000;
const database = useDatabase();
let rooms: ReturnType<typeof makeDeviceRooms>;

beforeAll(async () => {
  rooms = makeDeviceRooms(database.current);
  await rooms.addLamps(1);
  const { db } = database.current;
  // The same lamp many times over: nobody opens its key here.
  await db.execute(sql`
    insert into devices.devices (id, serial, model, state, key_sealed, starting_code, count, time_divider, restricted_digits, imported_at)
    select gen_random_uuid(), 'WL-' || lpad(n::text, 6, '0'), model, state, key_sealed, starting_code, count, time_divider, restricted_digits, imported_at
    from devices.devices, generate_series(1, ${DEVICES}::integer) n`);
  await db.execute(sql`
    insert into devices.credentials (device_id, serial, generation, state, issued_at, expires_at, claimed_at)
    select id, serial, 1, 'claimed', imported_at, imported_at, imported_at from devices.devices where serial like 'WL-%'`);
});

test("the start of a serial finds its devices without reading the fleet", async () => {
  let serials: readonly string[] = [];
  const read = await rowsRead(database, "devices.devices", async (tx) => {
    serials = (await rooms.devices.list(tx, { search: "WL-00001" }, { first: 100 })).map(({ serial }) => serial);
  });
  expect(serials).toHaveLength(10);
  expect(read).toBeLessThan(50);
});

test("a page of a broker's accounts reads that page alone, wherever it begins", async () => {
  let serials: readonly string[] = [];
  const read = await rowsRead(database, "devices.credentials", async (tx) => {
    const rights = makeBrokerRights({ db: tx, sealingKey: SEALING_KEY });
    serials = (await rights.page({ after: "WL-001500", limit: 20 })).map(({ serial }) => serial);
  });
  expect(serials.at(0)).toBe("WL-001501");
  expect(serials).toHaveLength(20);
  expect(read).toBeLessThan(100);
});
