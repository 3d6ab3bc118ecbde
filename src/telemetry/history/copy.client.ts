import { Readable } from "node:stream";
import type { ClickHouseClient, ClickHouseSettings } from "@clickhouse/client";
import { localTableName, onCluster, tableName, type Topology } from "../../platform/history/topology.ts";
import { READING_COLUMNS } from "./columns.ts";
import type { CopyText } from "./copy-text.store.ts";
import type { Range } from "./range.ts";

/** One insert is one block: all of it is there or nothing of it, in each month's partition. */
const INSERT_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  // Each rollup remembers the token for itself, so what was cut off between a table and its rollups is completed by a repeat.
  deduplicate_blocks_in_dependent_materialized_views: 1,
  materialized_views_ignore_errors: 0,
  max_insert_block_size: "1000000000",
  min_insert_block_size_rows: "1000000000",
  min_insert_block_size_bytes: "0",
  input_format_parallel_parsing: 0,
};

/** Rows in PostgreSQL's COPY text. Under the same token they are taken once, however often they are sent. */
export async function sendRows(
  client: ClickHouseClient,
  topology: Topology,
  order: { readonly rows: CopyText; readonly token: string },
): Promise<number> {
  await client.insert({
    table: tableName(topology, "readings"),
    columns: READING_COLUMNS as [string, ...string[]],
    values: Readable.from(order.rows.pieces, { objectMode: false }),
    format: "TabSeparated",
    clickhouse_settings: {
      ...INSERT_SETTINGS,
      insert_deduplication_token: order.token,
      ...(topology.cluster === undefined ? {} : { distributed_foreground_insert: 1 }),
    },
  });
  return order.rows.count;
}

/** Whether history holds so many readings of these transactions, and its rollups know every reading of their devices' days. */
export async function isComplete(
  client: ClickHouseClient,
  topology: Topology,
  { range: { from, to }, rows }: { range: Range; rows: number },
): Promise<boolean> {
  const readings = tableName(topology, "readings");
  const inRange = `batch > {from:UInt64} and batch <= {to:UInt64}`;
  const touched = `(select distinct device, toDate(at) from ${readings} where ${inRange})`;
  const [found] = await rowsOf<{ rows: string; raw: string; hours: string; days: string }>(client, {
    query: `select
      toString((select count() from ${readings} where ${inRange})) as rows,
      toString((select count() from ${readings} where (device, toDate(at)) global in ${touched})) as raw,
      toString((select sum(readings) from ${tableName(topology, "hours")} where (device, toDate(hour)) global in ${touched})) as hours,
      toString((select sum(readings) from ${tableName(topology, "days")} where (device, day) global in ${touched})) as days`,
    parameters: { from: from.toString(), to: to.toString() },
  });
  return Number(found?.rows) === rows && found?.raw === found?.hours && found?.raw === found?.days;
}

/** Takes the readings of these transactions out of history again, wherever they lie. */
export async function removeRange(client: ClickHouseClient, topology: Topology, { from, to }: Range): Promise<void> {
  await client.command({
    query: `alter table ${localTableName(topology, "readings")} ${onCluster(topology)}
      delete where batch > ${from.toString()} and batch <= ${to.toString()}`,
    clickhouse_settings: { mutations_sync: "2" },
  });
}

/**
 * Sets numbers beyond `done` to zero: they are of another numbering, and the ones that come next must not meet them. A column
 * is rewritten, where it has any; cut off by the time a request may take, it goes on, and the next try waits for it.
 */
export async function forgetNumbersBeyond(client: ClickHouseClient, topology: Topology, done: bigint): Promise<void> {
  const count = async (): Promise<string | undefined> => {
    const [row] = await rowsOf<{ rows: string }>(client, {
      query: `select toString(count()) as rows from ${tableName(topology, "readings")} where batch > ${done.toString()}`,
    });
    return row?.rows;
  };
  if ((await count()) === "0") return;
  await client.command({
    query: `alter table ${localTableName(topology, "readings")} ${onCluster(topology)}
      update batch = 0 where batch > ${done.toString()}`,
    clickhouse_settings: { mutations_sync: "2" },
  });
  const left = await count();
  if (left !== "0")
    throw new Error(`History still holds ${String(left)} readings with numbers of another cluster. Try again.`);
}

const ROLLUPS = [
  { table: "hours", day: "toDate(hour)" },
  { table: "days", day: "day" },
] as const;

/** Makes the rollups of these UTC days anew from the readings that are there. */
export async function rebuildRollups(
  client: ClickHouseClient,
  topology: Topology,
  days: readonly string[],
): Promise<void> {
  if (days.length === 0) return;
  const list = `(${days.map((day) => `toDate('${day}')`).join(", ")})`;
  for (const { table, day } of ROLLUPS) {
    await client.command({
      query: `alter table ${localTableName(topology, table)} ${onCluster(topology)} delete where ${day} in ${list}`,
      clickhouse_settings: { mutations_sync: "2" },
    });
    await client.command({
      query: `insert into ${tableName(topology, table)} ${await rollupSelect(client, topology, { table, list })}`,
      clickhouse_settings: {
        insert_deduplicate: 0,
        ...(topology.cluster === undefined ? {} : { distributed_foreground_insert: 1 }),
      },
    });
  }
}

/** What the materialized view of the rollup does, done for some days: its own definition, so that there is only one. */
async function rollupSelect(
  client: ClickHouseClient,
  topology: Topology,
  { table, list }: { table: string; list: string },
): Promise<string> {
  const [view] = await rowsOf<{ text: string }>(client, {
    query: "select as_select as text from system.tables where database = {database:String} and name = {name:String}",
    parameters: { database: topology.database, name: `${table}_from_readings` },
  });
  const source = /\bFROM\s+(?:`?\w+`?\.)`?readings(?:_local)?`?/i;
  if (view === undefined || !source.test(view.text))
    throw new Error(`History's view ${table}_from_readings is not what was made.`);
  return view.text.replace(
    source,
    `FROM (SELECT * FROM ${tableName(topology, "readings")} WHERE toDate(at) IN ${list})`,
  );
}

/** Which database fills this history; undefined while nobody does. */
export async function readSource(
  client: ClickHouseClient,
  topology: Topology,
): Promise<{ readonly historyId: string; readonly sourceId: string } | undefined> {
  const [row] = await rowsOf<{ historyId: string; sourceId: string }>(client, {
    query: `select toString(history_id) as historyId, source_id as sourceId from ${localTableName(topology, "source")} order by at desc limit 1`,
  });
  return row;
}

export async function writeSource(
  client: ClickHouseClient,
  topology: Topology,
  source: { readonly historyId: string; readonly sourceId: string },
): Promise<void> {
  await client.command({
    query: `insert into ${localTableName(topology, "source")} (history_id, source_id) values ({historyId:UUID}, {sourceId:String})`,
    query_params: source,
  });
}

/** Rows of a small answer. */
export async function rowsOf<Row>(
  client: ClickHouseClient,
  {
    query,
    parameters = {},
    settings = {},
  }: { query: string; parameters?: Record<string, unknown>; settings?: ClickHouseSettings },
): Promise<readonly Row[]> {
  const answer = await client.query({
    query,
    query_params: parameters,
    format: "JSON", // one document is parsed at once; lines one by one take the client twice as long
    clickhouse_settings: settings,
  });
  return (await answer.json<Row>()).data;
}
