import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { openClient } from "../../../src/platform/database.ts";
import { isChdbInstalled } from "../../../src/platform/history/chdb-engine.ts";
import { bindAnew, NotOurHistory } from "../../../src/telemetry/history/binding.client.ts";
import { takeLock } from "../../../src/telemetry/history/bookmark.store.ts";
import { rowsOf } from "../../../src/telemetry/history/copy.client.ts";
import { makeFollower, type Death, type Follower } from "../../../src/telemetry/history/follower.jobs.ts";
import { connectLink } from "../../../src/telemetry/history/link.store.ts";
import { useDatabase } from "../../support/database.ts";
import { followAll, useHistory } from "./engine.ts";

class Died extends Error {}

describe.skipIf(!isChdbInstalled())("history after a restore (needs the optional package chdb)", () => {
  const database = useDatabase();
  const history = useHistory();
  const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
  const followers: Follower[] = [];
  // One that a failed test left behind would hold the lock against all others.
  afterEach(async () => {
    for (const one of followers.splice(0)) await one.stop();
  });

  async function follow(at?: (death: Death) => Promise<void>): Promise<void> {
    const one = makeFollower({
      connect: () => connectLink(database.url),
      history: history.current,
      clock,
      makeToken: randomUUID,
      ...(at === undefined ? {} : { at }),
    });
    followers.push(one);
    await followAll(one, database.current);
    await one.stop();
  }

  async function resync(): Promise<void> {
    const { link, close } = await connectLink(database.url);
    try {
      const pid = await takeLock(link);
      await bindAnew({ link, pid: pid ?? 0 }, { history: history.current, clock, makeToken: randomUUID });
    } finally {
      await close();
    }
  }

  /** Readings of a device, one an hour over four days from the 30th of January; one transaction. */
  const write = (device: number): Promise<unknown> =>
    database.current.db.transaction(async (tx) => {
      await tx.execute(sql`select telemetry.ensure_days('2026-01-30', '2026-02-02')`);
      await tx.execute(sql`
        insert into telemetry.readings (at, device, batch, battery_voltage_v)
        select timestamptz '2026-01-30 00:00:00+00' + hour * interval '1 hour', ${device}::int, pg_current_xact_id()::text::bigint, 12
        from generate_series(0, 95) as hour`);
    });
  const READINGS_EACH = 96;

  async function asOwner(work: (owner: ReturnType<typeof openClient>) => Promise<unknown>): Promise<void> {
    const owner = openClient(database.url, 1);
    try {
      await work(owner);
    } finally {
      await owner.end();
    }
  }

  const counts = async (): Promise<Record<string, number>> => {
    const [row] = await history.current.use((client) =>
      rowsOf<Record<string, string>>(client, {
        query: `select toString((select count() from washa.readings)) as rows,
          toString((select uniqExact(device, at) from washa.readings)) as different,
          toString((select sum(readings) from washa.hours)) as hours, toString((select sum(readings) from washa.days)) as days`,
      }),
    );
    return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)]));
  };
  async function expectInHistoryOnce(devices: number): Promise<void> {
    const rows = devices * READINGS_EACH;
    expect(await counts()).toEqual({ rows, different: rows, hours: rows, days: rows });
  }

  test("a database restored into another cluster is not followed until a person says so; then nothing is doubled", async () => {
    await write(1);
    await follow();
    await database.current.db.execute(sql`update telemetry.history_bookmark set numbering = '1/1/1/1'`);
    // As a restore does: the numbers are another cluster's.
    await database.current.db.execute(sql`update telemetry.readings set batch = 4000000000 + batch`);
    await expect(follow()).rejects.toThrow(NotOurHistory);
    await resync();
    await write(2);
    await follow();
    await expectInHistoryOnce(2);
  });

  test("a death after a restore takes nothing old out of history, though new numbers run through those of the other cluster", async () => {
    const [spending] = await database.current.db.execute<{ next: number }>(
      sql`select pg_current_xact_id()::text::int as next`,
    );
    // The other cluster's numbers lie ahead of this one's, some hundreds from here on.
    await history.current.use((client) =>
      client.command({
        query: `alter table washa.readings update batch = ${String((spending?.next ?? 0) + 50)} + 5 * dateDiff('hour', toDateTime('2026-01-30 00:00:00', 'UTC'), at) where 1`,
        clickhouse_settings: { mutations_sync: "2" },
      }),
    );
    // PostgreSQL has dropped those days long ago: what goes from history now is gone.
    await asOwner((owner) => owner`drop table telemetry.readings_20260130`);
    await database.current.db.execute(sql`update telemetry.history_bookmark set numbering = '1/1/1/1'`);
    await resync();
    await asOwner(async (owner) => {
      await owner`create temporary table spent (number integer)`;
      // Each block that writes is a transaction of its own number.
      await owner`do $$ begin for i in 1..500 loop
        begin insert into spent values (i); exception when others then raise; end; end loop; end $$`;
    });
    await write(3);
    const dying = follow((now) => (now === "sent" ? Promise.reject(new Died()) : Promise.resolve()));
    await expect(dying).rejects.toThrow(Died);
    await Promise.all(followers.splice(0).map((one) => one.stop()));
    await follow();
    await expectInHistoryOnce(3);
  });

  /** As a dump comes back: tables are made again, under other numbers, with what they held. */
  const remakeBookmark = (): Promise<void> =>
    asOwner((owner) =>
      owner.begin(async (tx) => {
        await tx`create table telemetry.older (like telemetry.history_bookmark including all)`;
        await tx`insert into telemetry.older select * from telemetry.history_bookmark`;
        await tx`drop table telemetry.history_bookmark`;
        await tx`alter table telemetry.older rename to history_bookmark`;
        await tx`select platform.open_to_app('telemetry.history_bookmark')`;
      }),
    );
  const setBookmarkBack = (): Promise<unknown> =>
    database.current.db.execute(sql`update telemetry.history_bookmark set done = 1`);

  test("an older dump restored into the same cluster is noticed, and its readings are not copied a second time", async () => {
    await setBookmarkBack();
    await remakeBookmark();
    await expect(follow()).rejects.toThrow("within its PostgreSQL cluster");
    await resync();
    await follow();
    await expectInHistoryOnce(3);
  });

  test("a return to an earlier moment, or a standby that took over, is noticed by the timeline", async () => {
    await setBookmarkBack();
    const [row] = await database.current.db.execute<{ now: string }>(sql`select telemetry.numbering_now() as now`);
    const now = row?.now ?? "";
    expect(now).toMatch(/^\d{19}\/1\/\d+\/\d+$/);
    await database.current.db.execute(
      sql`update telemetry.history_bookmark set numbering = ${now.replace("/1/", "/7/")}`,
    );
    await expect(follow()).rejects.toThrow("timeline 7 became 1");
    await resync();
    await follow();
    await expectInHistoryOnce(3);
  });

  test("no day is dropped while the bookmark was counted in other numbers", async () => {
    const heldDays = async (): Promise<number> =>
      (await database.current.db.execute(sql`select from pg_inherits where inhparent = 'telemetry.readings'::regclass`))
        .length;
    const drop = (): Promise<unknown> =>
      database.current.db.execute(sql`select telemetry.drop_followed_days('2026-01-31'::date)`);
    const before = await heldDays();
    await remakeBookmark();
    await drop();
    expect(await heldDays()).toBe(before);
    await resync();
    await drop();
    expect(await heldDays()).toBe(before);
    await follow();
    await drop();
    expect(await heldDays()).toBe(before - 1);
  });

  test("a binding that is cut off leaves the numbers of a dump as they were", async () => {
    await database.current.db.execute(sql`update telemetry.readings set batch = 4000000000 + batch`);
    const { link, close } = await connectLink(database.url);
    // The lock is another connection's by now.
    const cutOff = bindAnew({ link, pid: 0 }, { history: history.current, clock, makeToken: randomUUID });
    await expect(cutOff).rejects.toThrow("taken over");
    await close();
    const cleared = await database.current.db.execute(sql`select from telemetry.readings where batch < 4000000000`);
    expect(cleared).toHaveLength(0);
    await resync();
    await follow();
    await expectInHistoryOnce(3);
  });
});
