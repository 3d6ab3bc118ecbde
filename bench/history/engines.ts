import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { rmSync, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { migrateDatabase, openClient, openDatabase } from "../../src/platform/database.ts";
import { requireDatabase, startEmbeddedPostgres } from "../../src/platform/embedded-postgres.ts";
import type { History } from "../../src/platform/history/history.ts";
import { migrateHistory } from "../../src/platform/history/migrate.ts";
import { quote } from "../../src/platform/history/request.ts";
import { tableName } from "../../src/platform/history/topology.ts";
import { READING_COLUMNS } from "../../src/telemetry/history/columns.ts";
import { makeSeriesQueries, type SeriesQueries } from "../../src/telemetry/history/series.queries.ts";
import { showProgress } from "./progress.ts";
import type { Answer } from "./questions.ts";

/** An engine with the rows in it. */
export interface Loaded {
  readonly name: string;
  readonly loadSeconds: number;
  /** What follows a load before it is measured: merges, indexes, statistics. */
  readonly settleSeconds: number;
  readonly bytes: number;
  /** Of which rollups or indexes. */
  readonly extraBytes: number;
  ask(sql: string): Promise<Answer>;
  close(): Promise<void>;
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
};
const numbers = (rows: readonly (readonly unknown[])[]): Answer =>
  rows.map((row) => row.map((value) => (value === null ? null : Number(value))));

/** The program's own tables, rollups included, through its own client. */
export async function loadHistory(history: History, files: readonly string[]): Promise<Loaded> {
  const { topology } = history;
  const table = (name: string): string => tableName(topology, name);
  await history.use(async (client) => {
    await client.command({ query: `drop database if exists ${topology.database}` });
    await migrateHistory(client, topology);
  });
  const loadSeconds = await seconds(async () => {
    for (const [index, file] of files.entries()) {
      showProgress("history", { done: index, of: files.length });
      await history.use((client) =>
        client.command({
          query: `insert into ${table("readings")} (${READING_COLUMNS.join(", ")}) select ${READING_COLUMNS.join(", ")} from file(${quote(file)})`,
        }),
      );
    }
  });
  const settleSeconds = await seconds(async () => {
    for (const [index, name] of ["readings", "hours", "days"].entries()) {
      showProgress("history, merging", { done: index, of: 3 });
      await history.use((client) => client.command({ query: `optimize table ${table(name)} final` }));
    }
    showProgress("history", { done: 1, of: 1 });
  });
  const ask = (sql: string): Promise<Answer> =>
    history.use(async (client) => {
      const query = sql.replaceAll(/\{(readings|hours|days)\}/g, (_all, name: string) => table(name));
      const answer = await client.query({
        query,
        format: "JSONCompact",
        clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
      });
      return numbers((await answer.json<unknown[]>()).data);
    });
  const sizes = await ask(
    `select sumIf(bytes_on_disk, table = 'readings'), sumIf(bytes_on_disk, table != 'readings') from system.parts where active and database = '${topology.database}'`,
  );
  const [raw, rollups] = [sizes[0]?.[0] ?? 0, sizes[0]?.[1] ?? 0];
  return {
    name: "history",
    loadSeconds,
    settleSeconds,
    bytes: raw,
    extraBytes: rollups,
    ask,
    close: () => Promise.resolve(),
  };
}

/** The program's own PostgreSQL, its partitions and indexes of closed days, durable as in production. */
export async function loadPostgres(
  history: History,
  { files, folder, days }: { files: readonly string[]; folder: string; days: number },
): Promise<Loaded & { readonly series: SeriesQueries }> {
  rmSync(folder, { recursive: true, force: true });
  const server = await startEmbeddedPostgres({
    folder,
    flags: ["shared_buffers=2GB", "work_mem=64MB", "maintenance_work_mem=512MB", "max_wal_size=4GB"],
  });
  const url = await requireDatabase(server, "bench");
  await migrateDatabase(url);
  const sql = openClient(url, 1);
  await sql`set timezone = 'UTC'`;
  await sql`select telemetry.ensure_days('2026-01-01', date '2026-01-01' + ${days + 1}::int)`;
  const text = READING_COLUMNS.map((name) => (name === "extra" ? "null" : name)).join(", ");
  const loadSeconds = await seconds(async () => {
    for (const [index, file] of files.entries()) {
      showProgress("PostgreSQL", { done: index, of: files.length });
      await history.use(async (client) => {
        const rows = await client.exec({ query: `select ${text} from file(${quote(file)}) format TabSeparated` });
        await pipeline(
          rows.stream,
          await sql.unsafe(`copy telemetry.readings (${READING_COLUMNS.join(", ")}) from stdin`).writable(),
        );
      });
    }
  });
  const settleSeconds = await seconds(async () => {
    const held = await sql<{ day: string }[]>`
      select to_date(right(c.relname, 8), 'YYYYMMDD')::text as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'telemetry.readings'::regclass and c.relname ~ '^readings_[0-9]{8}$' order by 1`;
    for (const [index, { day }] of held.entries()) {
      showProgress("PostgreSQL, indexes of days", { done: index, of: held.length });
      await sql`select telemetry.index_day(${day}::date)`;
    }
    showProgress("PostgreSQL, vacuum", { done: 0, of: 1 });
    // What ingest keeps with every frame: each device's newest reading.
    await sql`
      insert into telemetry.states (device, first_seen_at, last_seen_at, reading_at, battery_voltage_v)
      select distinct on (device) device, at, at, at, battery_voltage_v from telemetry.readings
      where at >= date '2026-01-01' + ${days - 2}::int order by device, at desc`;
    await sql`vacuum (analyze) telemetry.readings`;
    await sql`vacuum (analyze) telemetry.states`;
    showProgress("PostgreSQL", { done: 1, of: 1 });
  });
  const database = openDatabase({ url, connectionsMax: 1 });
  const [size] = await sql<{ heap: string; indexes: string }[]>`
    select sum(pg_table_size(inhrelid))::text as heap, sum(pg_indexes_size(inhrelid))::text as indexes
    from pg_inherits where inhparent = 'telemetry.readings'::regclass`;
  return {
    name: "PostgreSQL",
    loadSeconds,
    settleSeconds,
    bytes: Number(size?.heap),
    extraBytes: Number(size?.indexes),
    ask: async (query) => numbers(await sql.unsafe(query, [], { prepare: true }).values()),
    series: makeSeriesQueries({ db: database.db, history }),
    async close() {
      await database.close();
      await sql.end();
      await server.stop();
    },
  };
}

interface DuckConnection {
  runAndReadAll(sql: string): Promise<{ getRows(): readonly (readonly unknown[])[] }>;
  closeSync(): void;
}
interface DuckApi {
  readonly DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<DuckConnection> }> };
}

/** DuckDB's own table, from the folder in which somebody installed @duckdb/node-api. */
export async function loadDuckdb({
  files,
  folder,
  packageFolder,
}: {
  files: readonly string[];
  folder: string;
  packageFolder: string;
}): Promise<Loaded> {
  const { DuckDBInstance } = createRequire(join(resolve(packageFolder), "from-here.js"))("@duckdb/node-api") as DuckApi;
  const path = join(folder, "bench.duckdb");
  rmSync(path, { force: true });
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  const list = `[${files.map((file) => `'${file}'`).join(", ")}]`;
  const run = async (query: string): Promise<Answer> => numbers((await connection.runAndReadAll(query)).getRows());
  await run("set timezone = 'UTC'");
  await run("set memory_limit = '6GB'"); // by default four fifths of the machine's, of which the others hold some too
  const loadSeconds = await seconds(() =>
    run(`create table readings as select * replace ("at" at time zone 'UTC' as "at") from read_parquet(${list})`),
  );
  const settleSeconds = await seconds(() => run("checkpoint"));
  return {
    name: "DuckDB",
    loadSeconds,
    settleSeconds,
    bytes: statSync(path).size,
    extraBytes: 0,
    // To DuckDB the word is its own.
    ask: (query) => run(query.replaceAll(/\bat\b/g, '"at"')),
    close() {
      connection.closeSync();
      return Promise.resolve();
    },
  };
}
