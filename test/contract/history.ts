import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { ClickHouseClient } from "@clickhouse/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrateHistory } from "../../src/platform/history/migrate.ts";
import { tableName, type Topology } from "../../src/platform/history/topology.ts";
import { sendRows } from "../../src/telemetry/history/copy.client.ts";
import { READING_COLUMNS } from "../../src/telemetry/history/columns.ts";

/** What the way to an engine may lack: the embedded one without HTTP takes text only, and keeps no settings apart. */
export interface HistoryAbilities {
  readonly binaryInserts: boolean;
  readonly settingsPerStatement: boolean;
}

/** What the program asks of ClickHouse, wherever it runs. The topology's database is this suite's own and is dropped behind it. */
export function describeHistory(
  open: () => Promise<{ client: ClickHouseClient; topology: Topology; close(): Promise<void> }>,
  abilities: HistoryAbilities,
): void {
  let client: ClickHouseClient;
  let topology: Topology;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ client, topology, close } = await open());
    await migrateHistory(client, topology);
  });
  afterAll(async () => {
    await client.command({ query: `drop database if exists \`${topology.database}\`` });
    await close();
  });
  const name = (table: string): string => tableName(topology, table);
  const one = async (query: string, parameters: Record<string, unknown> = {}): Promise<unknown> =>
    (await (await client.query({ query, query_params: parameters, format: "JSONEachRow" })).json())[0];

  test("migrations run once, whoever asks again", async () => {
    expect(await migrateHistory(client, topology)).toBe(0);
  });

  test("parameters arrive as they were given, whatever characters they hold", async () => {
    const text = "it's a\ttab, a \\ and a\nline: é 😀";
    expect(
      await one("select {text:String} as text, {number:UInt32} as number, {list:Array(UInt32)} as list", {
        text,
        number: 7,
        list: [1, 2],
      }),
    ).toEqual({ text, number: 7, list: [1, 2] });
  });

  test("an error names ClickHouse's code and what is wrong", async () => {
    const error: unknown = await client
      .query({ query: "select nothing_of_this_name" })
      .catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: "47", type: "UNKNOWN_IDENTIFIER" });
  });

  test("rows of PostgreSQL's COPY are taken once under a token, in readings and in both rollups", async () => {
    const line = (device: number, hour: string): string =>
      [
        device,
        Date.parse(`2026-01-31T${hour}:30:00.250Z`) / 1000,
        9,
        ...READING_COLUMNS.slice(3, -1).map(() => "\\N"),
        '{"a": "b\\\\tc"}',
      ].join("\t");
    const rows = { pieces: [Buffer.from(`${line(1, "22")}\n${line(1, "23")}\n${line(2, "23")}\n`)], count: 3 };
    const token = randomUUID();
    for (let times = 0; times < 3; times++) await sendRows(client, topology, { rows, token });
    expect(
      await one(
        `select toString(count()) as n, toString(max(at)) as last, any(extra) as extra from ${name("readings")}`,
      ),
    ).toEqual({
      n: "3",
      last: "2026-01-31 23:30:00.250",
      extra: '{"a": "b\\tc"}',
    });
    expect(await one(`select toString(sum(readings)) as n from ${name("hours")}`)).toEqual({ n: "3" });
    expect(await one(`select toString(sum(readings)) as n from ${name("days")}`)).toEqual({ n: "3" });
  });

  test("a large answer comes whole, row by row", async () => {
    const answer = await client.query({ query: "select number from numbers(300000)", format: "JSONCompactEachRow" });
    let rows = 0;
    for await (const batch of answer.stream()) rows += batch.length;
    expect(rows).toBe(300_000);
  });

  test.skipIf(!abilities.settingsPerStatement)("a setting holds for its own statement only", async () => {
    const ask = { query: "select getSetting('max_threads') as threads", format: "JSONEachRow" } as const;
    const before = await (await client.query(ask)).json();
    expect(await (await client.query({ ...ask, clickhouse_settings: { max_threads: 3 } })).json()).toEqual([
      { threads: 3 },
    ]);
    expect(await (await client.query(ask)).json()).toEqual(before);
  });

  test.skipIf(!abilities.binaryInserts)("binary rows go in and a Parquet file comes out", async () => {
    const table = name(`binary_${randomUUID().replaceAll("-", "")}`);
    await client.command({ query: `create table ${table} (a UInt8, b UInt8) engine = MergeTree order by a` });
    // 0xff and 0x0a would not survive a way through text.
    await client.exec({
      query: `insert into ${table} format RowBinary`,
      values: Readable.from([Buffer.from([255, 10, 254, 0])], { objectMode: false }),
    });
    expect(await one(`select toString(sum(a)) as a, toString(max(b)) as b from ${table}`)).toEqual({
      a: "509",
      b: "10",
    });
    const file = await client.exec({ query: `select * from ${table} format Parquet` });
    const pieces: Buffer[] = [];
    for await (const piece of file.stream) pieces.push(piece as Buffer);
    const bytes = Buffer.concat(pieces);
    expect([bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString()]).toEqual(["PAR1", "PAR1"]);
  });
}
