import { sql } from "drizzle-orm";
import type { Tx } from "../platform/database.ts";

/** Counts once more within a window of fixed length; answers how often it was done in it, this time included. */
export async function countOnce(
  tx: Tx,
  { key, now, windowMs }: { key: string; now: Date; windowMs: number },
): Promise<number> {
  const since = new Date(Math.floor(now.getTime() / windowMs) * windowMs);
  const [row] = await tx.execute<{ count: number }>(sql`
    insert into ussd.counts (key, since, count) values (${key}, ${since.toISOString()}::timestamptz, 1)
    on conflict (key, since) do update set count = ussd.counts.count + 1 returning count`);
  return row?.count ?? 1;
}
