import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, inject } from "vitest";
import { openClient, openDatabase, type Database } from "../../src/platform/database.ts";

const LEAVING_MS = 3_000;

/** A clone of the migrated template, as fast as copying files; dropped when its user is done with it. */
export async function cloneDatabase({ connectionsMax = 10 }: { connectionsMax?: number } = {}): Promise<{
  database: Database;
  url: string;
  drop(): Promise<void>;
}> {
  const name = `washa_${randomBytes(6).toString("hex")}`;
  const administration = openClient(inject("superuserUrl"), 1);
  await administration.unsafe(`create database "${name}" template washa_template owner washa`);
  await administration.end();
  const url = new URL(inject("templateUrl"));
  url.pathname = `/${name}`;
  const database = openDatabase({ url: url.toString(), connectionsMax });
  return {
    database,
    url: url.toString(),
    async drop() {
      await database.close();
      const dropper = openClient(inject("superuserUrl"), 1);
      const countLeft = async (): Promise<number> => {
        const [row] =
          await dropper`select count(*)::int as count from pg_stat_activity where datname = ${name} and application_name like 'washa%'`;
        return Number(row?.["count"]);
      };
      // PostgreSQL ends a connection that was closed when it comes to it; on a busy machine that is a moment later.
      let left = await countLeft();
      for (const until = performance.now() + LEAVING_MS; left > 0 && performance.now() < until;)
        left = await countLeft();
      await dropper.unsafe(`drop database "${name}" with (force)`);
      await dropper.end();
      if (left > 0) throw new Error(`${String(left)} connections of this test file were left open.`);
    },
  };
}

/** Gives the test file a database of its own. Read `.current` inside tests. */
export function useDatabase(options: { connectionsMax?: number } = {}): {
  readonly current: Database;
  readonly url: string;
} {
  let cloned: Awaited<ReturnType<typeof cloneDatabase>> | undefined;
  beforeAll(async () => {
    cloned = await cloneDatabase(options);
  });
  afterAll(async () => {
    await cloned?.drop();
  });
  const required = () => {
    if (cloned === undefined) throw new Error("The database exists only while tests run.");
    return cloned;
  };
  return {
    get current() {
      return required().database;
    },
    get url() {
      return required().url;
    },
  };
}
