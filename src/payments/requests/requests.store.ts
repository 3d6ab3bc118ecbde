import { sql } from "drizzle-orm";
import type { IntentId, PayoutId } from "../../kernel/ids.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type { IntentState, PayoutState } from "../payments.ts";

/** Requests for operations, newest first; `before` is the last id of the page before. */
export async function pageIntents(
  db: Db | Tx,
  query: {
    reference?: string | undefined;
    rail?: string | undefined;
    state?: IntentState | undefined;
    first: number;
    before?: IntentId | undefined;
  },
): Promise<readonly IntentId[]> {
  // Ids are made in the order of time, so their own index serves the list.
  const rows = await db.execute<{ id: IntentId }>(sql`
    select id from payments.intents where (${query.reference ?? null}::text is null or reference = ${query.reference ?? null})
      and (${query.rail ?? null}::text is null or rail = ${query.rail ?? null}) and (${query.state ?? null}::text is null or state = ${query.state ?? null})
      and (${query.before ?? null}::uuid is null or id < ${query.before ?? null}::uuid)
    order by id desc limit ${query.first}`);
  return rows.map(({ id }) => id);
}

/** The same of payouts. */
export async function pagePayouts(
  db: Db | Tx,
  query: { rail?: string | undefined; state?: PayoutState | undefined; first: number; before?: PayoutId | undefined },
): Promise<readonly PayoutId[]> {
  const rows = await db.execute<{ id: PayoutId }>(sql`
    select id from payments.payouts where (${query.rail ?? null}::text is null or rail = ${query.rail ?? null})
      and (${query.state ?? null}::text is null or state = ${query.state ?? null}) and (${query.before ?? null}::uuid is null or id < ${query.before ?? null}::uuid)
    order by id desc limit ${query.first}`);
  return rows.map(({ id }) => id);
}

/** How many requests of each rail are not over: asked or about to be, payouts among them. */
export async function countPending(db: Db | Tx): Promise<ReadonlyMap<string, number>> {
  const rows = await db.execute<{ rail: string; count: string }>(sql`
    select rail, count(*) as count from (
      select rail from payments.intents where next_step_at is not null and state in ('created', 'sending', 'pending')
      union all select rail from payments.payouts where next_step_at is not null) as open
    group by rail`);
  return new Map(rows.map(({ rail, count }) => [rail, Number(count)]));
}
