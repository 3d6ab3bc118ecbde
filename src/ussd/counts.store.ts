import { sql } from "drizzle-orm";
import type { Tx } from "../platform/database.ts";

/** A thing that is counted, in windows of fixed length. */
export interface Counted {
  readonly key: string;
  readonly now: Date;
  readonly windowMs: number;
}

/** Counts once more within a window of fixed length; answers how often it was done in it, this time included. */
export async function countOnce(tx: Tx, counted: Counted): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    insert into ussd.counts (key, since, count) values (${counted.key}, ${sinceOf(counted)}::timestamptz, 1)
    on conflict (key, since) do update set count = ussd.counts.count + 1 returning count`);
  return row?.count ?? 1;
}

/** How often it was done in the window that runs now. */
export async function countedSoFar(tx: Tx, counted: Counted): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count from ussd.counts where key = ${counted.key} and since = ${sinceOf(counted)}::timestamptz`);
  return row?.count ?? 0;
}

function sinceOf({ now, windowMs }: Counted): string {
  return new Date(Math.floor(now.getTime() / windowMs) * windowMs).toISOString();
}

/** Forgets windows that began before an instant. */
export async function forgetCounts(tx: Tx, before: Date): Promise<void> {
  await tx.execute(sql`delete from ussd.counts where since < ${before.toISOString()}::timestamptz`);
}
