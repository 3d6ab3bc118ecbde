import { sql } from "drizzle-orm";
import type { LocalDate } from "../kernel/time.ts";
import type { Db, Tx } from "../platform/database.ts";
import { OUR_BARS_MS, TURN_BARS_MS, type FigureRow } from "./figures.ts";

/** Beyond this nobody asks how many. */
const HOPS_COUNTED_MAX = 30;

/**
 * Adds conversations that are over to the figures of their day, each of them once; answers how many. A screen counts once a conversation,
 * however often it came; "ending" names the last screen before the end and how it ended.
 */
export async function countEnded(
  tx: Tx,
  { now, zone, limit }: { now: Date; zone: string; limit: number },
): Promise<number> {
  const bars = (limits: readonly number[]) => sql.raw(`array[${limits.join(",")}]`);
  const [row] = await tx.execute<{ count: number }>(sql`
    with done as materialized (
      update ussd.sessions s set counted_at = ${now.toISOString()}::timestamptz
      from (select channel, phone, key from ussd.sessions where outcome is not null and counted_at is null
        order by ended_at limit ${limit} for update skip locked) d
      where (s.channel, s.phone, s.key) = (d.channel, d.phone, d.key)
      returning (s.ended_at at time zone ${zone})::date as day, s.channel, s.outcome, s.screen, s.screens, s.turns_ms, s.ours_ms, s.hop_count
    ), seen as (
      select day, channel, outcome, name, outcome in ('abandoned', 'failed') as is_left from done,
        lateral (select distinct unnest(screens) as name) x where name <> 'end'
    ), figures as (
      select day, channel, 'outcome' as measure, outcome as name from done
      union all select day, channel, 'shown', name from seen
      union all select day, channel, 'left', screen from done where outcome in ('abandoned', 'failed') and screen <> 'end'
      union all select day, channel, 'completed', name from seen where not is_left and outcome not in ('refused', 'left')
      union all select day, channel, 'ending',
          coalesce((select name from unnest(screens) with ordinality x(name, place) where name <> 'end' order by place desc limit 1), 'home') || ' ' || outcome from done
      union all select day, channel, 'hops', least(hop_count, ${HOPS_COUNTED_MAX})::text from done
      union all select day, channel, 'turn', width_bucket(ms, ${bars(TURN_BARS_MS)})::text from done, unnest(turns_ms) ms
      union all select day, channel, 'ours', width_bucket(ms, ${bars(OUR_BARS_MS)})::text from done, unnest(ours_ms) ms
    ), added as (
      insert into ussd.figures as f (day, channel, measure, name, sessions)
      select day, channel, measure, name, count(*) from figures group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (day, channel, measure, name) do update set sessions = f.sessions + excluded.sessions
    )
    select count(*)::int as count from done`);
  return row?.count ?? 0;
}

/** The figures of some days, both included, added up over them. */
export async function readFigures(
  db: Db | Tx,
  { from, to }: { from: LocalDate; to: LocalDate },
): Promise<readonly FigureRow[]> {
  return await db.execute<FigureRow & Record<string, unknown>>(sql`
    select channel, measure, name, sum(sessions)::float8 as count from ussd.figures
    where day between ${from}::date and ${to}::date group by 1, 2, 3 order by 1, 2, 3`);
}
