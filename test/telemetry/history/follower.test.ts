import { randomUUID } from "node:crypto";
import { connect, createServer, type AddressInfo } from "node:net";
import type { ClickHouseClient } from "@clickhouse/client";
import { sql } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openClient } from "../../../src/platform/database.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { isChdbInstalled } from "../../../src/platform/history/chdb-engine.ts";
import { HistoryAway, type History } from "../../../src/platform/history/history.ts";
import { rowsOf, sendRows } from "../../../src/telemetry/history/copy.client.ts";
import { askForDays } from "../../../src/telemetry/history/fill.store.ts";
import { QUANTITIES } from "../../../src/telemetry/frames/frame.ts";
import { DEATHS, makeFollower, type Death, type Follower } from "../../../src/telemetry/history/follower.jobs.ts";
import { connectLink } from "../../../src/telemetry/history/link.store.ts";
import { useDatabase } from "../../support/database.ts";
import { followAll as followUntil, killEngine, untilBack, useHistory } from "./engine.ts";

class Died extends Error {}

function requireLast<Item>(items: readonly Item[]): Item {
  const last = items.at(-1);
  if (last === undefined) throw new Error("There is none.");
  return last;
}

describe.skipIf(!isChdbInstalled())("the follower (needs the optional package chdb)", () => {
  const database = useDatabase();
  const history = useHistory();
  const clock = makeManualClock(new Date("2026-03-02T06:00:00Z"));
  let first = 0;
  const followers: Follower[] = [];

  const follower = (at?: (death: Death) => Promise<void>, rowsMax = 100): Follower => {
    const made = makeFollower({
      connect: () => connectLink(database.url),
      history: history.current,
      clock,
      makeToken: randomUUID,
      rowsMax,
      ...(at === undefined ? {} : { at }),
    });
    followers.push(made);
    return made;
  };

  /** Readings of some devices, each an hour after the other, over a month's end; one transaction. */
  async function write({ devices, hours = 1 }: { devices: number; hours?: number }): Promise<void> {
    const from = first;
    first += hours;
    await database.current.db.transaction(async (tx) => {
      await tx.execute(sql`select telemetry.ensure_days('2026-01-01', '2026-03-31')`);
      await tx.execute(sql`
        insert into telemetry.readings (at, device, batch, battery_voltage_v, energy_in_wh, extra)
        select timestamptz '2026-01-30 00:00:00.123+00' + (${from}::int + hour) * interval '1 hour', device,
          pg_current_xact_id()::text::bigint, 12 + device / 10.0, (${from}::int + hour) * 10,
          case when device = 2 then ${'{"note":"tab\\tand \\\\ back"}'}::jsonb end
        from generate_series(1, ${devices}::int) as device, generate_series(0, ${hours}::int - 1) as hour`);
    });
  }

  /** Resolves when no older transaction of the cluster is open (other test files have theirs): one step now finds all rows. */
  async function untilFinal(): Promise<void> {
    for (let waited = 0; ; waited += 20) {
      const [row] = await database.current.db.execute<{ open: boolean }>(sql`
        select coalesce(max(batch) >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint, false) as open
        from telemetry.readings`);
      if (row?.open === false) return;
      if (waited > 20_000) throw new Error("An older transaction stays open.");
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  const followAll = (one: Follower, left = 0): Promise<void> => followUntil(one, database.current, left);

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
  const written = async (): Promise<number> => {
    const [row] = await database.current.db.execute<{ count: string }>(sql`select count(*) from telemetry.readings`);
    return Number(row?.count);
  };
  async function expectOnce(): Promise<void> {
    const rows = await written();
    expect(await counts()).toEqual({ rows, different: rows, hours: rows, days: rows });
  }

  beforeEach(() => untilBack(history.current));
  // One that a failed test left behind would hold the lock against all others.
  afterEach(async () => {
    for (const one of followers.splice(0)) await one.stop();
  });

  test("every committed reading is in history once, with what it said", async () => {
    await write({ devices: 5, hours: 60 });
    for (let batch = 0; batch < 5; batch++) await write({ devices: 30, hours: 2 });
    const one = follower();
    await followAll(one);
    await one.stop();
    await expectOnce();
    const [row] = await history.current.use((client) =>
      rowsOf(client, { query: "select * from washa.readings where device = 2 order by at limit 1" }),
    );
    expect(row).toMatchObject({
      device: 2,
      at: "2026-01-30 00:00:00.123",
      battery_voltage_v: 12.2,
      panel_voltage_v: null,
      energy_in_wh: 0,
      extra: '{"note": "tab\\tand \\\\ back"}',
    });
  });

  test("a transaction that is still open is waited for, not passed", async () => {
    const open = await connectLink(database.url);
    await open.link`begin`;
    await open.link`
      insert into telemetry.readings (at, device, batch) values ('2026-03-01', 77, pg_current_xact_id()::text::bigint)`;
    await write({ devices: 3 });
    const one = follower();
    await followAll(one, 3);
    expect((await counts())["rows"]).toBe((await written()) - 3);
    await open.link`commit`;
    await open.close();
    await followAll(one);
    await one.stop();
    await expectOnce();
  });

  test.each(
    DEATHS.flatMap(
      (death) =>
        [
          { death, who: "follower" },
          { death, who: "engine" },
        ] as const,
    ),
  )("nothing is lost or doubled when the $who dies after: $death", async ({ death, who }) => {
    await write({ devices: 20, hours: 40 });
    let deaths = 0;
    const dying = follower(async (now) => {
      if (now !== death || deaths > 0) return;
      deaths++;
      if (who === "engine") killEngine(history.current);
      throw new Died();
    }, 100_000);
    if (death.startsWith("r")) await loseMost();
    await expect(followAll(dying)).rejects.toThrow(Died);
    await dying.stop();
    await untilBack(history.current);
    const next = follower(undefined, 100_000);
    await followAll(next);
    await next.stop();
    await expectOnce();
  });

  /** What a crash of the engine may leave: it remembers the token of the range, and most of its readings are not there. */
  async function loseMost(): Promise<void> {
    const dying = follower(async (now) => {
      if (now === "begun") throw new Died();
    }, 100_000);
    await expect(followAll(dying)).rejects.toThrow(Died);
    await dying.stop();
    const [kept] = await database.current.db.execute<{ token: string; device: number; at: string; batch: string }>(sql`
      select b.token, r.device, extract(epoch from r.at)::text as at, r.batch::text
      from telemetry.history_bookmark b join telemetry.readings r on r.batch > b.done and r.batch <= b.range_to
      order by r.at limit 1`);
    await history.current.use((client) =>
      sendRows(client, history.current.topology, {
        rows: {
          pieces: [
            Buffer.from(`${[kept?.device, kept?.at, kept?.batch, ...QUANTITIES.map(() => "\\N"), ""].join("\t")}\n`),
          ],
          count: 1,
        },
        token: kept?.token ?? "",
      }),
    );
  }

  test("a second follower waits while the first lives, and goes on where it stopped", async () => {
    const [one, two] = [follower(), follower()];
    await followAll(one);
    await write({ devices: 4 });
    expect(await two.step()).toEqual({ kind: "elsewhere" });
    await one.stop();
    await followAll(two);
    await two.stop();
    await expectOnce();
  });

  test("a follower whose lock went with its connection cannot move the bookmark", async () => {
    await write({ devices: 4 });
    await untilFinal();
    const links: Awaited<ReturnType<typeof connectLink>>[] = [];
    const one = makeFollower({
      connect: async () => {
        const link = await connectLink(database.url);
        links.push(link);
        return link;
      },
      history: history.current,
      clock,
      makeToken: randomUUID,
      at: async (now) => {
        if (now !== "sent") return;
        const [self] = await requireLast(links).link<{ pid: number }[]>`select pg_backend_pid() as pid`;
        const owner = openClient(database.url, 1);
        await owner`select pg_terminate_backend(${self?.pid ?? 0})`;
        await owner.end();
        const two = follower();
        await followAll(two);
        await two.stop();
      },
    });
    await expect(one.step()).rejects.toThrow(/taken over|CONNECTION|terminat/);
    await one.stop();
    await expectOnce();
  });

  test("while the engine is away the follower says so and loses nothing", async () => {
    await write({ devices: 4 });
    await untilFinal();
    const one = follower();
    killEngine(history.current);
    await expect(one.step()).rejects.toThrow(HistoryAway);
    await untilBack(history.current);
    await followAll(one);
    await one.stop();
    await expectOnce();
  });

  test("where PostgreSQL breaks off in the midst of a range, it is not said that history is away", async () => {
    await write({ devices: 4 });
    await untilFinal();
    const real = new URL(database.url);
    let copies = 0;
    const way = createServer((near) => {
      const far = connect(Number(real.port), real.hostname);
      near.on("error", () => undefined).on("close", () => far.destroy());
      far.on("error", () => undefined).on("close", () => near.destroy());
      near.on("data", (piece: Buffer) => {
        if (piece.includes("to stdout") && ++copies === 1) near.resetAndDestroy();
      });
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((done) => way.listen(0, "127.0.0.1", done));
    const { port } = way.address() as AddressInfo;
    const url = Object.assign(new URL(database.url), { host: `127.0.0.1:${String(port)}` }).href;
    const one = makeFollower({
      connect: () => connectLink(url),
      history: history.current,
      clock,
      makeToken: randomUUID,
    });
    followers.push(one);
    const fault: unknown = await one.step().catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "ECONNRESET" });
    expect(fault).not.toBeInstanceOf(HistoryAway);
    await followAll(one);
    await one.stop();
    way.close();
    expect(copies).toBeGreaterThan(1);
    await expectOnce();
  });

  test("a fill whose answer was lost while its insert still ran is not copied twice, though the bookmark moved meanwhile", async () => {
    const ahead = follower();
    await followAll(ahead);
    await ahead.stop();
    await history.current.use((client) =>
      client.command({
        query: "alter table washa.readings delete where toDate(at) = '2026-01-30' and device < 3",
        clickhouse_settings: { mutations_sync: "2" },
      }),
    );
    const { link, close } = await connectLink(database.url);
    await askForDays(link, { days: ["2026-01-30"], at: clock.now() });
    await close();
    let finish: (() => Promise<unknown>) | undefined;
    const slow: History = {
      ...history.current,
      use: (work) =>
        history.current.use((client) => {
          const insert: ClickHouseClient["insert"] = (order) => {
            finish = () => client.insert(order);
            return Promise.reject(new Died());
          };
          return work(Object.create(client, { insert: { value: insert } }) as ClickHouseClient);
        }),
    };
    const impatient = makeFollower({
      connect: () => connectLink(database.url),
      history: slow,
      clock,
      makeToken: randomUUID,
    });
    followers.push(impatient);
    await expect(followAll(impatient)).rejects.toThrow(Died);
    await impatient.stop();
    await database.current.db.execute(sql`select pg_current_xact_id()`);
    await followAll(follower());
    await expectOnce();
    await finish?.();
    await expectOnce();
  });
});
