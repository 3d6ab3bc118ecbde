import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClickHouseClient } from "@clickhouse/client";
import { localTableName, statementsOf, type Topology } from "./topology.ts";

export const HISTORY_MIGRATIONS_FOLDER = fileURLToPath(new URL("../../../migrations/history", import.meta.url));

/**
 * Brings history to the newest migration and answers how many were run. ClickHouse changes tables outside of any
 * transaction, so each statement bears being run twice ("if not exists") and a migration is recorded when its last one is
 * through: one that was cut off begins anew. Throws when a recorded migration is no longer the file it was.
 */
export async function migrateHistory(
  client: ClickHouseClient,
  topology: Topology,
  folder: string = HISTORY_MIGRATIONS_FOLDER,
): Promise<number> {
  const run = async (text: string): Promise<void> => {
    for (const query of statementsOf(text, topology)) await client.command({ query });
  };
  await run("create database if not exists {database} {on_cluster}");
  await run(`create table if not exists {database}.migrations{local} {on_cluster} (
    name String, digest String, at DateTime64(3, 'UTC') default now64(3)
  ) engine = {replicated}ReplacingMergeTree order by name`);
  // Each shard remembers for itself; a migration that another shard's server runs once more finds its tables there.
  const memory = localTableName(topology, "migrations");
  const done = await client.query({
    query: `select name, any(digest) as digest from ${memory} group by name`,
    format: "JSONEachRow",
  });
  const recorded = new Map((await done.json<{ name: string; digest: string }>()).map((row) => [row.name, row.digest]));
  let count = 0;
  for (const name of migrationNames(folder)) {
    const text = readFileSync(join(folder, name), "utf8");
    const digest = createHash("sha256").update(text).digest("hex");
    const known = recorded.get(name);
    if (known === digest) continue;
    if (known !== undefined) throw new Error(`The migration ${name} of history was changed after it had been run.`);
    await run(text);
    await client.command({
      query: `insert into ${memory} (name, digest) values ({name:String}, {digest:String})`,
      query_params: { name, digest },
    });
    count++;
  }
  return count;
}

function migrationNames(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort();
}
