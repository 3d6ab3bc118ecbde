import { sql } from "drizzle-orm";
import { column, type Db, type Tx } from "../platform/database.ts";
import type { MessageChannel } from "./gateway.ts";

/** When some people last wrote to us on a channel, by their address there. */
export async function windowsOf(
  db: Db | Tx,
  channel: MessageChannel,
  addresses: readonly string[],
): Promise<ReadonlyMap<string, Date>> {
  const rows = await db.execute<{ address: string; heard_at: string }>(sql`
    select address, heard_at from messaging.windows where channel = ${channel} and address = any(${column(addresses, "text")})`);
  return new Map(rows.map(({ address, heard_at }) => [address, new Date(heard_at)]));
}

/** The same of one person. */
export async function heardAt(db: Db | Tx, channel: MessageChannel, address: string): Promise<Date | undefined> {
  return (await windowsOf(db, channel, [address])).get(address);
}

/** Forgets windows that shut long ago: on WhatsApp, whoever comes back begins anew. */
export async function forgetWindows(db: Db | Tx, before: Date): Promise<void> {
  await db.execute(sql`delete from messaging.windows where heard_at < ${before.toISOString()}::timestamptz`);
}
