import { sql } from "drizzle-orm";
import { InvalidInput } from "../../kernel/refusal.ts";
import { DAY_MS } from "../../kernel/time.ts";
import type { Db } from "../../platform/database.ts";
import { HistoryAway, type History } from "../../platform/history/history.ts";
import { tableName } from "../../platform/history/topology.ts";
import { QUANTITIES, type Quantity } from "../frames/frame.ts";
import { columnOf } from "./columns.ts";
import { rowsOf } from "./copy.client.ts";
import { bucketMs, inOrder, largestTriangles, lowestAndHighest, type Point } from "./down-sample.ts";
import { pointsFor, stretchesOf, type Stretch } from "./which-store.ts";

export interface SeriesQuery {
  /** devices.devices.number */
  readonly device: number;
  readonly quantity: Quantity;
  /** Unix milliseconds; `to` is not included. */
  readonly fromMs: number;
  readonly toMs: number;
  /** 3 to SERIES_POINTS_MAX. */
  readonly pointsMax: number;
  /** "shape" keeps how the line looks (LTTB); "extremes" keeps the lowest and the highest of each stretch. */
  readonly sampling: "shape" | "extremes";
}

export interface Series {
  readonly points: readonly Point[];
  /** History was away: what is older than this is not in `points`. Undefined when everything is. */
  readonly missingBeforeMs: number | undefined;
}

export const SERIES_POINTS_MAX = 5_000;
/** A month of readings every ten seconds; who asks for more of the recent days gets them in parts. */
const RECENT_ROWS_MAX = 300_000;
const QUERY_SECONDS_MAX = 30;

export interface SeriesQueries {
  /**
   * One quantity of a device, thinned on the side of the stores. Throws InvalidInput, and HistoryAway when all that is asked
   * for is in history and that is away.
   */
  series(query: SeriesQuery): Promise<Series>;
}

export function makeSeriesQueries({ db, history }: { db: Db; history: History }): SeriesQueries {
  return {
    async series(query) {
      check(query);
      const stretches = stretchesOf(query, await readKeptFrom(db));
      const points: Point[] = [];
      let missingBeforeMs: number | undefined;
      // What the older days do not use, the newer ones get: a device that is young, or whose history is away, has a full line too.
      let allowed = 0;
      for (const stretch of stretches) {
        allowed += pointsFor(stretch, stretches, query.pointsMax);
        const part = {
          ...query,
          ...stretch,
          pointsMax: Math.max(3, Math.min(allowed, query.pointsMax) - points.length),
        };
        try {
          points.push(...(await (stretch.store === "recent" ? readRecent(db, part) : readHistory(history, part))));
        } catch (error) {
          if (!(error instanceof HistoryAway) || stretches.length === 1) throw error;
          missingBeforeMs = stretch.toMs;
        }
      }
      return { points, missingBeforeMs };
    },
  };
}

function check({ device, quantity, fromMs, toMs, pointsMax }: SeriesQuery): void {
  if (!Number.isInteger(device) || device < 1 || device > 2_147_483_647)
    throw new InvalidInput("A device's number is needed.", "device");
  if (!QUANTITIES.includes(quantity))
    throw new InvalidInput(`A quantity is one of ${QUANTITIES.join(", ")}.`, "quantity");
  if (!Number.isFinite(fromMs) || !Number.isFinite(toMs) || toMs <= fromMs)
    throw new InvalidInput("The end must be later than the beginning.", "to");
  if (toMs - fromMs > 20 * 366 * DAY_MS) throw new InvalidInput("At most twenty years at once.", "from");
  if (!Number.isInteger(pointsMax) || pointsMax < 3 || pointsMax > SERIES_POINTS_MAX)
    throw new InvalidInput(`A series has 3 to ${String(SERIES_POINTS_MAX)} points.`, "points");
}

/**
 * Where the days that PostgreSQL still holds begin. Asked before every series: names come through regclass, since the planner
 * joins pg_class in a way that took twenty times as long with a hundred days.
 */
export async function readKeptFrom(db: Db): Promise<number | undefined> {
  const [row] = await db.execute<{ day: string | null }>(sql`
    select to_date(min(right(inhrelid::regclass::text, 8)), 'YYYYMMDD')::text as day from pg_inherits
    where inhparent = 'telemetry.readings'::regclass and inhrelid::regclass::text ~ 'readings_[0-9]{8}$'`);
  return row?.day === null || row === undefined ? undefined : Date.parse(`${row.day}T00:00:00Z`);
}

async function readRecent(
  db: Db,
  { device, quantity, fromMs, toMs, ...rest }: SeriesQuery & Stretch,
): Promise<readonly Point[]> {
  const column = sql.identifier(columnOf(quantity));
  // Partitions give the order of time for nothing, as long as it is the column that is ordered by and not its number. One row of
  // two arrays: thousands of rows of two values took the driver longer than PostgreSQL took to find them.
  const [row] = await db.execute<{ instants: string | null; values: string | null }>(sql`
    select array_agg((date_part('epoch', at) * 1000)::bigint)::text as instants, array_agg(value)::text as values from (
      select r.at, r.${column} as value from telemetry.readings r
      where r.device = ${device} and r.at >= ${new Date(fromMs).toISOString()}::timestamptz
        and r.at < ${new Date(toMs).toISOString()}::timestamptz and r.${column} is not null
      order by r.at limit ${RECENT_ROWS_MAX + 1}) in_order`);
  const values = numbersIn(row?.values);
  if (values.length > RECENT_ROWS_MAX)
    throw new InvalidInput("There are too many readings in this time; ask for a shorter one.", "from");
  const points = numbersIn(row?.instants).map((atMs, index) => ({ atMs, value: values[index] ?? Number.NaN }));
  if (rest.sampling === "shape" || points.length <= rest.pointsMax) return largestTriangles(points, rest.pointsMax);
  return lowestAndHighest(points, { fromMs, bucketMs: bucketMs({ fromMs, toMs }, rest.pointsMax) });
}

/** Numbers of PostgreSQL's array text, "{1,2.5}"; none of null, which is what no rows add up to. */
function numbersIn(text: string | null | undefined): readonly number[] {
  return text === null || text === undefined ? [] : text.slice(1, -1).split(",").map(Number);
}

async function readHistory(history: History, query: SeriesQuery & Stretch): Promise<readonly Point[]> {
  const { device, quantity, fromMs, toMs, pointsMax, sampling } = query;
  const column = columnOf(quantity);
  const source = `from ${tableName(history.topology, "readings")}
    where device = {device:UInt32} and at >= fromUnixTimestamp64Milli({from:Int64}) and at < fromUnixTimestamp64Milli({to:Int64})
      and ${column} is not null`;
  const parameters = { device, from: fromMs, to: toMs };
  const settings = { max_execution_time: QUERY_SECONDS_MAX };
  if (sampling === "shape") {
    const rows = await history.use((client) =>
      rowsOf<{ at: string; value: number }>(client, {
        query: `select toString(toUnixTimestamp64Milli(point.1)) as at, point.2 as value from (
          select arrayJoin(largestTriangleThreeBuckets(${String(pointsMax)})(at, toFloat64(assumeNotNull(${column})))) as point ${source})
          order by point.1`,
        parameters,
        settings,
      }),
    );
    return rows.map(({ at, value }) => ({ atMs: Number(at), value }));
  }
  const width = bucketMs({ fromMs, toMs }, pointsMax);
  const rows = await history.use((client) =>
    rowsOf<{ lowAt: string; low: number; highAt: string; high: number }>(client, {
      query: `select toString(toUnixTimestamp64Milli(argMin(at, (${column}, at)))) as lowAt, min(${column}) as low,
          toString(toUnixTimestamp64Milli(argMax(at, (${column}, -toUnixTimestamp64Milli(at))))) as highAt, max(${column}) as high
        ${source} group by intDiv(toUnixTimestamp64Milli(at) - {from:Int64}, {width:Int64}) as bucket order by bucket`,
      parameters: { ...parameters, width },
      settings,
    }),
  );
  return inOrder(
    rows.map(({ lowAt, low, highAt, high }) => ({
      low: { atMs: Number(lowAt), value: low },
      high: { atMs: Number(highAt), value: high },
    })),
  );
}
