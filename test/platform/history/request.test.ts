import fc from "fast-check";
import { expect, test } from "vitest";
import { HistoryAway, openHistory } from "../../../src/platform/history/history.ts";
import { HISTORY_MIGRATIONS_FOLDER } from "../../../src/platform/history/migrate.ts";
import {
  brokenOff,
  intoFile,
  quote,
  readRequest,
  RequestRefused,
  statusOf,
} from "../../../src/platform/history/request.ts";
import { statementsOf } from "../../../src/platform/history/topology.ts";
import { makeTurns } from "../../../src/platform/history/turns.ts";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const read = (parameters: Record<string, string>, hasRows = false) =>
  readRequest(new Map(Object.entries(parameters)), { statement: undefined, hasRows });

test("rows in the body are read from where the front has put them", () => {
  const { work, preparation } = read(
    {
      query: "INSERT INTO `washa`.`readings` (device, at)\nFORMAT TabSeparated\n",
      insert_deduplication_token: "it's",
      database: "wa`sha",
    },
    true,
  );
  expect(work.kind === "insert" && work.fromFile("/tmp/a'b")).toBe(
    "INSERT INTO `washa`.`readings` (device, at) from infile '/tmp/a\\'b' compression 'none' format TabSeparated",
  );
  expect(preparation.slice(0, 2)).toEqual(["use `wa``sha`", "set insert_deduplication_token = 'it\\'s'"]);
  expect(() => read({ query: "select 1" }, true)).toThrow(RequestRefused);
});

test("each format is answered the way it can be: in pieces, as a file, or as a whole", () => {
  const kind = (query: string): string => read({ query }).work.kind;
  expect(kind("select 1 format JSONEachRow")).toBe("stream");
  expect(kind("-- why\n/* how */ with 1 as x select x format CSV")).toBe("stream");
  expect(kind("select 1 format Parquet")).toBe("file");
  expect(kind("select 1 format JSON")).toBe("whole");
  expect(kind("insert into t values (1)")).toBe("whole");
  expect(kind("create table t (a Int8) engine = Memory")).toBe("whole");
  expect(intoFile("select 1 format Parquet", { path: "/x", format: "Parquet" })).toBe(
    "select 1  into outfile '/x' truncate format Parquet",
  );
});

test("a name that is no name of a setting is refused before it becomes SQL", () => {
  expect(() => read({ query: "select 1", "a = 1; drop table t; set b": "1" })).toThrow(/neither a setting/);
  expect(read({ query: "select 1", wait_end_of_query: "1", query_id: "x" }).preparation).toEqual([]);
  expect(() => read({ query: " ; " })).not.toThrow();
  expect(() => read({ query: "  -- nothing\n" })).toThrow(/Empty query/);
});

test("whatever a text holds, its literal ends where it ends", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const inside = quote(text).slice(1, -1);
      expect(inside.replaceAll(/\\(.)/gs, "$1")).toBe(text);
      expect(/^(?:[^'\\]|\\.)*$/s.test(inside)).toBe(true);
    }),
  );
});

test("errors have ClickHouse's own status, and a broken answer its mark", () => {
  expect([516, 60, 62, 48, 241, undefined].map(statusOf)).toEqual([401, 404, 400, 501, 500, 500]);
  expect(brokenOff("bom", "TAG")).toBe("\r\n__exception__\r\nTAG\r\nbom\n4 TAG\r\n__exception__\r\n");
});

test("every migration has a form for one server and one for a cluster, and no word of the other", () => {
  const text = readdirSync(HISTORY_MIGRATIONS_FOLDER)
    .map((name) => readFileSync(join(HISTORY_MIGRATIONS_FOLDER, name), "utf8"))
    .join("\n");
  const single = statementsOf(text, { cluster: undefined, database: "washa" });
  const cluster = statementsOf(text, { cluster: "main", database: "washa" });
  for (const statement of single) {
    expect(statement).toMatch(/^create (table|materialized view) if not exists `washa`\.\w+/);
    expect(statement).not.toMatch(/ replicated_|Replicated|Distributed|on cluster|_local\b|[{}]/);
  }
  for (const statement of cluster) {
    expect(statement).toContain("on cluster `main`");
    expect(statement).not.toMatch(/[{}]|non_replicated/);
    expect(
      / engine = (ReplicatedMergeTree|ReplicatedAggregatingMergeTree)/.test(statement) ||
        /Distributed\(`main`|materialized view/.test(statement),
    ).toBe(true);
  }
  expect(cluster.length).toBeGreaterThan(single.length);
});

test("only so many run at once, the others in their order, and the one too many is told", async () => {
  const turns = makeTurns({ atOnceMax: 1, waitingMax: 2 });
  const leave = await turns.enter();
  const order: string[] = [];
  const waiting = ["a", "b"].map(async (name) => {
    const done = await turns.enter();
    order.push(name);
    done();
    done();
  });
  await expect(turns.enter()).rejects.toThrow(/Too many/);
  leave();
  await Promise.all(waiting);
  expect(order).toEqual(["a", "b"]);
});

test("without an engine, history says what to do", async () => {
  const history = openHistory({ url: "http://127.0.0.1:9/washa" });
  await expect(history.use((client) => client.query({ query: "select 1" }))).rejects.toThrow(HistoryAway);
  expect(new HistoryAway("missing").message).toMatch(/npm install|CLICKHOUSE_URL/);
  await history.close();
});
