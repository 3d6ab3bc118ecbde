import { sql } from "drizzle-orm";
import type { TestApp } from "../support/app.ts";

/** Bytes as one character each: what was kept is compared with what was sent, byte by byte, and a difference can be read. */
export const asKept = (sent: string | Uint8Array): string => Buffer.from(sent).toString("latin1");

/** What a program keeps of the money that came to it, as an auditor would read it. */
export function keptBy(place: () => TestApp) {
  const db = () => place().app.database.db;
  const count = async (query: ReturnType<typeof sql>): Promise<number> => {
    const [row] = await db().execute<{ count: string }>(query);
    return Number(row?.count);
  };
  return {
    quarantine: async () =>
      [
        ...(await db().execute<{
          reason: string;
          door: string;
          provider_id: string | null;
          source_address: string;
          raw: Uint8Array;
        }>(sql`select reason, door, provider_id, source_address, raw from payments.quarantine order by id`)),
      ].map((row) => ({ ...row, raw: Buffer.from(row.raw).toString("latin1") })),
    callbacks: () => count(sql`select count(*) from payments.callbacks`),
    callback: async (providerId: string) => {
      const [row] = await db().execute<{ raw: Uint8Array }>(
        sql`select raw from payments.callbacks where provider_id = ${providerId}`,
      );
      return row === undefined ? undefined : Buffer.from(row.raw);
    },
    receipts: () => count(sql`select count(*) from payments.receipts`),
    pending: () => count(sql`select count(*) from payments.pending`),
    suspense: async () => [
      ...(await db().execute<{ provider_id: string; reason: string }>(sql`
      select r.provider_id, s.reason from payments.suspense s join payments.receipts r on r.id = s.receipt_id where s.resolved_at is null order by r.provider_id`)),
    ],
    messages: async (phone: string) => [
      ...(await db().execute<{ template: string; values: Record<string, string> }>(
        sql`select template, template_values as values from messaging.messages where to_phone = ${phone} order by created_at, id`,
      )),
    ],
  };
}
