import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writePayload, type WrittenMetric } from "../../../bench/fuzz/sparkplug.ts";
import { openClient } from "../../../src/platform/database.ts";
import { senderOf } from "../../../src/telemetry/broker/topics.ts";
import { jsonbText } from "../../../src/telemetry/ingest/block.ts";
import { useDatabase } from "../../support/database.ts";
import { countSigned, makeIngestWorld, signed, START, startCuttingProxy } from "./ingest-world.ts";

const database = useDatabase();
let world: ReturnType<typeof makeIngestWorld>;
let serials = 0;

beforeAll(() => {
  world = makeIngestWorld(database.current);
});
afterAll(() => world.ingest.close());

async function newDevice(): Promise<string> {
  const serial = `ING-${String((serials += 1))}`;
  await world.addDevice(serial);
  return serial;
}

const nowSeconds = (): number => Math.floor(world.clock.now().getTime() / 1000);
const take = (serial: string, body: object | string | Uint8Array, topic?: string) =>
  world.ingest.take(world.frame(serial, body, topic), "192.0.2.7");

async function readingsOf(serial: string) {
  return await database.current.db.execute<{
    at: string;
    battery_voltage_v: number | null;
    extra: unknown;
    batch: string;
  }>(sql`
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') as at, battery_voltage_v, extra, batch::text
    from telemetry.readings r join devices.devices d on d.number = r.device where d.serial = ${serial} order by r.at`);
}
async function stateOf(serial: string) {
  const [row] = await database.current.db.execute<Record<string, unknown>>(sql`
    select s.* from telemetry.states s join devices.devices d on d.number = s.device where d.serial = ${serial}`);
  return row;
}
async function quarantineOf(serial: string) {
  return await database.current.db.execute<{ reason: string; detail: string; bytes: number; source: string }>(sql`
    select reason, detail, bytes, source from telemetry.quarantine where serial = ${serial} order by id`);
}

describe("what a device tells is stored", () => {
  test("a frame with thirty rows of history gives thirty readings and moves the state of its device to the newest", async () => {
    const serial = await newDevice();
    const hd = Array.from({ length: 30 }, (_, row) => ({
      timestamp: nowSeconds() - (30 - row) * 900,
      battery_voltage: 12 + row / 100,
    }));
    const taken = await take(serial, { sn: serial, ts: nowSeconds(), d: { tc: 3, battery_voltage: 12.5 }, hd });
    expect(taken.frames[0]).toMatchObject({ outcome: "stored", readings: 31 });
    const rows = await readingsOf(serial);
    expect(rows).toHaveLength(31);
    expect(rows.at(-1)).toMatchObject({ at: "2026-03-02T06:00:00", battery_voltage_v: 12.5 });
    const state = await stateOf(serial);
    expect(state).toMatchObject({ token_count: 3, battery_voltage_v: 12.5 });
  });

  test("every row carries the number of the transaction that wrote it, which the follower to history goes by", async () => {
    const serial = await newDevice();
    await take(serial, { sn: serial, ts: nowSeconds(), d: { tc: 1, battery_voltage: 12 } });
    const [row] = await database.current.db.execute<{ isTrue: boolean }>(sql`
      select bool_and(r.batch = r.xmin::text::bigint) as "isTrue" from telemetry.readings r
      join devices.devices d on d.number = r.device where d.serial = ${serial}`);
    expect(row?.isTrue).toBe(true);
  });

  test("a frame that comes twice gives its readings once, with and without counters", async () => {
    const serial = await newDevice();
    const plain = { sn: serial, ts: nowSeconds() - 10, d: { tc: 1, battery_voltage: 12 } };
    await take(serial, plain);
    await Promise.all([take(serial, plain), take(serial, plain)]);
    const counted = signed({ sn: serial, ts: nowSeconds(), d: { tc: 2, battery_voltage: 13 } });
    expect((await take(serial, counted)).frames[0]?.outcome).toBe("stored");
    expect((await take(serial, counted)).frames[0]?.outcome).toBe("repeated");
    expect(await readingsOf(serial)).toHaveLength(2);
  });

  test("a day without a partition gets one when its first reading comes", async () => {
    const serial = await newDevice();
    const old = nowSeconds() - 20 * 86_400;
    await take(serial, { sn: serial, ts: nowSeconds(), hd: [{ timestamp: old, battery_voltage: 12 }] });
    expect((await readingsOf(serial))[0]?.at).toBe("2026-02-10T06:00:00");
  });

  test("a partition that was dropped behind our back is made again, and nothing is lost", async () => {
    const serial = await newDevice();
    const at = nowSeconds() - 30 * 86_400;
    await take(serial, { sn: serial, ts: nowSeconds(), hd: [{ timestamp: at, battery_voltage: 12 }] });
    const owner = openClient(database.url, 1);
    await owner`drop table telemetry.readings_20260131`;
    await owner.end();
    await take(serial, { sn: serial, ts: nowSeconds(), hd: [{ timestamp: at + 60, battery_voltage: 12.1 }] });
    const rows = await readingsOf(serial);
    expect(rows.map((row) => row.at)).toEqual(["2026-01-31T06:01:00"]);
  });

  test("what has no column is kept by its name", async () => {
    const serial = await newDevice();
    await take(serial, { sn: serial, ts: nowSeconds(), d: { tc: 1, mood: "bright" } });
    expect((await readingsOf(serial))[0]?.extra).toEqual({ mood: "bright" });
    expect(jsonbText({ "m\0ood": "a\0b\ud800c", level: 2 })).toBe('{"mood":"ab\ufffdc","level":2}');
  });
});

describe("replays", () => {
  test("a signed count below the highest is refused and set aside; what it says changes nothing", async () => {
    const serial = await newDevice();
    await take(serial, signed({ sn: serial, rc: 7, d: { tc: 5, battery_voltage: 13 } }));
    const late = await take(serial, signed({ sn: serial, rc: 6, d: { tc: 1, battery_voltage: 1 } }));
    expect(late.frames[0]?.outcome).toBe("refused");
    expect(late.refusals[0]?.reason).toBe("replayed");
    expect(await stateOf(serial)).toMatchObject({ token_count: 5, battery_voltage_v: 13 });
    expect(await quarantineOf(serial)).toMatchObject([{ reason: "replayed", source: "192.0.2.7" }]);
  });

  test("the guard holds against a frame that another gateway took in the meantime", async () => {
    const serial = await newDevice();
    const other = makeIngestWorld(database.current);
    await take(serial, signed({ sn: serial, rc: 1, d: { tc: 1 } }));
    await other.ingest.take(other.frame(serial, signed({ sn: serial, rc: 9, d: { tc: 9 } })), "other");
    const replayed = await take(serial, signed({ sn: serial, rc: 5, d: { tc: 5 } }));
    expect(replayed.frames[0]?.outcome).toBe("refused");
    expect(await stateOf(serial)).toMatchObject({ token_count: 9, request_count: "9" });
    await other.ingest.close();
  });

  test("a guard that an operator reset lets the device begin anew at once, whatever the gateway remembers", async () => {
    const serial = await newDevice();
    await take(serial, signed({ sn: serial, rc: 100, d: { tc: 1 } }));
    await database.current.db.execute(sql`
      update telemetry.states set request_timestamp = null, request_count = null
      where device = (select number from devices.devices where serial = ${serial})`);
    expect((await take(serial, signed({ sn: serial, rc: 1, d: { tc: 2 } }))).frames[0]?.outcome).toBe("stored");
    expect(await stateOf(serial)).toMatchObject({ request_count: "1", token_count: 2 });
  });

  test("the last frame once more stores nothing: not at another time, and not what somebody else put into it", async () => {
    const serial = await newDevice();
    const heardBefore = world.heard.length;
    const request = { sn: serial, rc: 7, d: { tc: 3, battery_voltage: 12 } };
    await take(serial, countSigned(request));
    world.clock.advance(40_000);
    expect((await take(serial, countSigned(request))).frames[0]?.outcome).toBe("repeated");
    const altered = countSigned({ ...request, d: { tc: 900, battery_voltage: 5 }, hd: [{ battery_voltage: 4 }] });
    expect((await take(serial, altered)).frames[0]?.outcome).toBe("repeated");
    expect(await readingsOf(serial)).toMatchObject([{ battery_voltage_v: 12 }]);
    expect(await stateOf(serial)).toMatchObject({ token_count: 3, battery_voltage_v: 12 });
    expect(world.heard.slice(heardBefore).flatMap(({ counts }) => counts.map(({ tokenCount }) => tokenCount))).toEqual([
      3,
    ]);
    world.clock.advance(-40_000);
  });

  test("frames of one device keep their order while something of the first has to be looked up", async () => {
    const [serial, accessory] = [await newDevice(), await newDevice()];
    const cold = makeIngestWorld(database.current);
    const first = signed({ sn: serial, rc: 1, d: { tc: 1 }, acc: [signed({ sn: accessory, rc: 1, d: { tc: 1 } })] });
    const rest = [2, 3].map((rc) => signed({ sn: serial, rc, d: { tc: rc } }));
    const taken = await Promise.all([first, ...rest].map((one) => cold.ingest.take(cold.frame(serial, one), "cold")));
    expect(taken.flatMap(({ frames }) => frames.map(({ outcome }) => outcome))).toEqual(Array(4).fill("stored"));
    await cold.ingest.close();
  });

  test("what an edge node tells is read in its order while the node itself is looked up: no birth is forgotten", async () => {
    const serial = await newDevice();
    await take(serial, { sn: serial, d: { tc: 1 } });
    const node = `node-${serial}`;
    const topicOf = (kind: string) => `spBv1.0/village/${kind}/${node}${kind.startsWith("D") ? `/${serial}` : ""}`;
    const say = (kind: string, metrics: readonly WrittenMetric[], at: number) =>
      world.ingest.take(
        { ...world.frame(serial, writePayload(metrics, START.getTime() + at), topicOf(kind)), serial: undefined },
        `broker ${senderOf(topicOf(kind))}`,
      );
    const described = { name: "Battery/Voltage", alias: 7, datatype: 10, double: 12.5 };
    await Promise.all([
      say("NBIRTH", [{ name: "bdSeq", int: 0 }], 0),
      say("DBIRTH", [described], 0),
      say("DDATA", [{ alias: 7, double: 13 }], 1_000),
    ]);
    await say("DDATA", [{ alias: 7, double: 14 }], 2_000);
    expect((await readingsOf(serial)).map((reading) => reading.battery_voltage_v)).toEqual([12.5, 13, 14]);
    expect(await quarantineOf(serial)).toEqual([]);
  });

  test("a frame of the same batch sees what those before it did", async () => {
    const serial = await newDevice();
    const outcomes = await Promise.all(
      [3, 4, 4, 2].map((rc) => take(serial, signed({ sn: serial, rc, d: { tc: rc } }))),
    );
    expect(outcomes.map(({ frames }) => frames[0]?.outcome)).toEqual(["stored", "stored", "repeated", "refused"]);
  });
});

describe("clocks", () => {
  test("a clock that begins in 1970 is set right by the sending time, and a frame sent again gives nothing twice", async () => {
    const serial = await newDevice();
    const body = {
      sn: serial,
      ts: 5_000,
      hd: [{ timestamp: 4_100, battery_voltage: 12 }],
      d: { tc: 1, battery_voltage: 12.2 },
    };
    await take(serial, body);
    world.clock.advance(90_000);
    await take(serial, body);
    const rows = await readingsOf(serial);
    expect(rows.map(({ at }) => at)).toEqual(["2026-03-02T05:45:00", "2026-03-02T06:00:00"]);
    world.clock.moveTo(START);
  });

  test("what an intermediary collected goes by its clock where the device's is wrong", async () => {
    const serial = await newDevice();
    const at = nowSeconds() - 60;
    const body = { sn: serial, ts: 1_262_304_000, dct: at, d: { battery_voltage: 12 }, hd: [{ battery_voltage: 11 }] };
    expect((await take(serial, body)).refusals).toEqual([]);
    expect((await readingsOf(serial)).map((row) => row.at)).toEqual(["2026-03-02T05:59:00"]);
  });

  test("a reading of next year without a sending time is set aside, and the others of its frame are kept", async () => {
    const serial = await newDevice();
    const taken = await take(serial, {
      sn: serial,
      hd: [
        { timestamp: nowSeconds() - 60, battery_voltage: 12 },
        { timestamp: nowSeconds() + 365 * 86_400, battery_voltage: 12 },
      ],
    });
    expect(taken.frames[0]).toMatchObject({ outcome: "stored", readings: 1 });
    expect(taken.refusals[0]).toMatchObject({ reason: "clock_off" });
    expect(await readingsOf(serial)).toHaveLength(1);
    expect(await quarantineOf(serial)).toHaveLength(1);
  });
});

describe("what cannot be taken", () => {
  test("a bad frame is set aside with its reason, and the frames committed with it are not affected", async () => {
    const [good, bad] = [await newDevice(), await newDevice()];
    const outcomes = await Promise.all([
      take(good, { sn: good, ts: nowSeconds(), d: { tc: 1, battery_voltage: 12 } }),
      take(bad, "{ this is no frame"),
      take(bad, { sn: good, ts: nowSeconds(), d: { tc: 1 } }),
      take(good, { sn: good, ts: nowSeconds() + 1, d: { tc: 1, battery_voltage: 12.1 } }),
    ]);
    expect(outcomes.map(({ refusals }) => refusals[0]?.reason)).toEqual([
      undefined,
      "not_readable",
      "foreign_serial",
      undefined,
    ]);
    expect(await readingsOf(good)).toHaveLength(2);
    const kept = await quarantineOf(bad);
    expect(kept.map(({ reason }) => reason)).toEqual(["not_readable", "foreign_serial"]);
  });

  test("nobody fills the quarantine: of one source sixty frames a minute are kept, and all are counted", async () => {
    const serial = await newDevice();
    const before = world.refused.length;
    for (let sent = 0; sent < 100; sent++) await world.ingest.take(world.frame(serial, "no frame"), "198.51.100.1");
    expect(world.refused.length - before).toBe(100);
    expect(await quarantineOf(serial)).toHaveLength(60);
  });
});

test("a thousand frames of many devices at once are stored once each, in a few commits", async () => {
  const names: string[] = [];
  for (let one = 0; one < 20; one++) names.push(await newDevice());
  const before = world.commits.length;
  const start = nowSeconds() - 5_000;
  await Promise.all(
    Array.from({ length: 1_000 }, (_, at) => {
      const serial = names[at % names.length] ?? "";
      return take(serial, { sn: serial, ts: start + at, d: { tc: 1, battery_voltage: 12 + at / 1_000 } });
    }),
  );
  expect(world.commits.length - before).toBeLessThan(10);
  const counts = await Promise.all(names.map(async (serial) => (await readingsOf(serial)).length));
  expect(counts).toEqual(names.map(() => 50));
});

test("a database that ends our connections costs nobody a frame: it waits, is stored once, and is not taken for a replay", async () => {
  const serial = await newDevice();
  const refusedBefore = world.refused.length;
  const admin = openClient(database.url, 1);
  for (let round = 0; round < 5; round++) {
    const sent = Promise.all(
      Array.from({ length: 40 }, (_, at) => {
        const ts = nowSeconds() - 1_000 + round * 40 + at;
        return take(serial, signed({ sn: serial, ts, d: { tc: 1, battery_voltage: 12 } }));
      }),
    );
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'washa-ingest' and datname = current_database()`;
    await sent;
  }
  await admin.end();
  expect(await readingsOf(serial)).toHaveLength(200);
  expect(world.refused.length).toBe(refusedBefore);
});

test("a commit whose answer is lost is not written again: what it stored is no replay of itself", async () => {
  const serial = await newDevice();
  const proxy = await startCuttingProxy(database.url, 2);
  const lane = makeIngestWorld(database.current, { ingestUrl: proxy.url });
  for (let rc = 1; rc <= 8; rc += 2) {
    const taken = await Promise.all(
      [rc, rc + 1].map((one) =>
        lane.ingest.take(
          lane.frame(serial, signed({ sn: serial, ts: nowSeconds() + one, rc: one, d: { battery_voltage: 12 } })),
          "far",
        ),
      ),
    );
    expect(taken.map(({ frames }) => frames[0]?.outcome)).toEqual(["stored", "stored"]);
  }
  expect(proxy.made).toBe(2);
  expect(lane.refused).toEqual([]);
  expect(await readingsOf(serial)).toHaveLength(8);
  await lane.ingest.close();
  await proxy.close();
});

test("whoever should hear of an answer and fails is told again, and the frames stay stored", async () => {
  const serial = await newDevice();
  const refusedBefore = world.refused.length;
  world.deaf.push(new Error("deaf once"), new Error("deaf twice"));
  const taken = await Promise.all(
    [1, 2].map((rc) => take(serial, signed({ sn: serial, rc, d: { tc: rc, battery_voltage: 12 } }))),
  );
  expect(taken.map(({ frames }) => frames[0]?.outcome)).toEqual(["stored", "stored"]);
  expect(world.heard.at(-1)?.counts).toMatchObject([{ tokenCount: 2 }]);
  expect(world.refused.length).toBe(refusedBefore);
  expect(world.deaf).toEqual([]);
});
