import { sql } from "drizzle-orm";
import { openClient, type Database, type Tx } from "../../src/platform/database.ts";

/** How many rows of a table are read by some work, as PostgreSQL itself counts them; what a screen costs at any size of the fleet. */
export async function rowsRead(
  { current: { db }, url }: { readonly current: Database; readonly url: string },
  table: `${string}.${string}`,
  work: (tx: Tx) => Promise<unknown>,
): Promise<number> {
  const [schema, name] = table.split(".");
  // The program itself may not analyze; where it runs, autovacuum does.
  const owner = openClient(url, 1);
  await owner.unsafe("analyze");
  await owner.end();
  return await db.transaction(async (tx) => {
    const read = async (): Promise<number> => {
      const [row] = await tx.execute<{ rows: number }>(sql`
        select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::integer as rows
        from pg_stat_xact_user_tables where schemaname = ${schema} and relname = ${name}`);
      return row?.rows ?? 0;
    };
    const before = await read();
    await work(tx);
    return (await read()) - before;
  });
}
