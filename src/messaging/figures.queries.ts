import { sql } from "drizzle-orm";
import type { LocalDate } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import type { DeliveryState } from "./delivery.ts";
import type { MessageChannel } from "./gateway.ts";
import type { Category } from "./texts.ts";

/** Messages of one day that are alike in all but whom they are for. */
export interface FigureLine {
  /** Of the operator's zone. */
  readonly onDay: LocalDate;
  readonly state: DeliveryState;
  readonly template: string;
  readonly channel: MessageChannel;
  readonly category: Category;
  readonly messages: number;
  /** Exact, in whole units; null where no gateway named a price. */
  readonly cost: string | null;
  readonly currency: string | null;
}

/** Counts messages that were written from an instant until before another. */
export async function findFigures(
  db: Db | Tx,
  { from, to, zone }: { from: Date; to: Date; zone: string },
): Promise<readonly FigureLine[]> {
  const rows = await db.execute<Omit<FigureLine, "onDay"> & { on_day: LocalDate }>(sql`
    select (created_at at time zone ${zone})::date::text as on_day, state, template, channel, category, count(*)::int as messages,
      sum(cost)::text as cost, cost_currency as currency
    from messaging.messages
    where created_at >= ${from.toISOString()}::timestamptz and created_at < ${to.toISOString()}::timestamptz
    group by 1, 2, 3, 4, 5, cost_currency order by 1, 3, 4, 5, 2, 8`);
  return rows.map(({ on_day: onDay, ...line }) => ({ onDay, ...line }));
}
