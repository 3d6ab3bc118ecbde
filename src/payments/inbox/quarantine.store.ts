import { sql } from "drizzle-orm";
import type { Db, Tx } from "../../platform/database.ts";
import type { QuarantineReason } from "../rails/rail.ts";

/** A delivery that could not be understood or trusted, with its bytes, for a person to read. */
export interface Quarantined {
  readonly rail: string;
  readonly door: string;
  readonly reason: QuarantineReason;
  readonly detail: string;
  readonly providerId: string | undefined;
  readonly sourceAddress: string;
  readonly raw: Uint8Array;
  readonly receivedAt: Date;
}

/** The bytes travel as text that the database decodes: a parameter of type bytea would be encoded a second time. */
export async function quarantine(db: Db | Tx, item: Quarantined): Promise<void> {
  await db.execute(sql`
    insert into payments.quarantine (rail, door, reason, detail, provider_id, source_address, raw, received_at)
    values (${item.rail}, ${item.door}, ${item.reason}, ${item.detail}, ${item.providerId ?? null}, ${item.sourceAddress},
      decode(${Buffer.from(item.raw).toString("hex")}, 'hex'), ${item.receivedAt.toISOString()})`);
}
