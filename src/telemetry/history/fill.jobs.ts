import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { ClickHouseClient } from "@clickhouse/client";
import type { Clock } from "../../kernel/time.ts";
import type { History } from "../../platform/history/history.ts";
import { tableName, type Topology } from "../../platform/history/topology.ts";
import type { Link } from "./bookmark.store.ts";
import { rebuildRollups, rowsOf, sendRows } from "./copy.client.ts";
import { devicesThatDiffer, slicesOf } from "./fill.ts";
import { closeDay, nextOpenDay, openKnown, readDay, readUnknown, type DeviceDay } from "./fill.store.ts";

interface Rooms {
  readonly history: History;
  readonly clock: Clock;
  readonly makeToken: () => string;
  readonly rowsMax: number;
  /** The bookmark: what lies beyond it is not this job's. */
  readonly done: bigint;
}

/** One that sends, one that finds nothing more, and one for an insert of an earlier try that ended in between. */
const PASSES_MAX = 4;

/**
 * Compares the next day that was asked for with history, device by device, and copies what is missing there. Answers how many
 * readings went; undefined when no day is open. It may be cut off anywhere: the day stays open, and what is there is not sent
 * again. Runs under the follower's lock, so nobody else writes meanwhile.
 */
export async function fillNextDay(link: Link, rooms: Rooms): Promise<number | undefined> {
  const day = await nextOpenDay(link);
  if (day === undefined) return undefined;
  const { history, done, clock } = rooms;
  const here = await readDay(link, { day, done });
  let sent = 0;
  for (let pass = 1, found = -1; found !== 0; pass++) {
    if (pass > PASSES_MAX)
      throw new Error(`The readings of ${day} do not add up in history after ${String(PASSES_MAX)} passes.`);
    const there = await history.use((client) => readHistoryDay(client, history.topology, day));
    found = 0;
    for (const devices of slicesOf(devicesThatDiffer(here, there), rooms.rowsMax))
      found += await fillSlice(link, { ...rooms, day, devices, pass });
    sent += found;
  }
  await history.use(async (client) => {
    if (!(await rollupsAgree(client, history.topology, day))) await rebuildRollups(client, history.topology, [day]);
  });
  await closeDay(link, { day, rows: sent, at: clock.now() });
  return sent;
}

async function fillSlice(
  link: Link,
  { history, done, day, devices, pass, makeToken }: Rooms & { day: string; devices: readonly number[]; pass: number },
): Promise<number> {
  // Into memory and only then to PostgreSQL, whose faults within `use` would be told as history's absence.
  const known = await history.use(async (client) => {
    const answer = await client.exec({
      query: `select device, concat(toString(at), '+00') from ${tableName(history.topology, "readings")}
        where toDate(at) = {day:Date} and device in (${devices.join(",")}) format TabSeparated`,
      query_params: { day },
    });
    return await buffer(answer.stream);
  });
  await pipeline([known], await openKnown(link));
  const missing = await readUnknown(link, { day, done, devices });
  if (missing.count === 0) return 0;
  // The same slice of an earlier try, should it still be under way, goes by the same name, however far the bookmark has come
  // meanwhile. Where another slice had that name, and this one was not taken for it, the second pass wants to be heard.
  const token = pass === 1 ? `fill ${day} ${String(devices[0])} ${String(missing.count)}` : makeToken();
  return await history.use((client) => sendRows(client, history.topology, { rows: missing, token }));
}

async function readHistoryDay(
  client: ClickHouseClient,
  topology: Topology,
  day: string,
): Promise<readonly DeviceDay[]> {
  const rows = await rowsOf<{ device: number; rows: string; instants: string }>(client, {
    query: `select device, toString(count()) as rows, toString(sum(toUnixTimestamp64Milli(at))) as instants
      from ${tableName(topology, "readings")} where toDate(at) = {day:Date} group by device order by device`,
    parameters: { day },
  });
  return rows.map((row) => ({ device: row.device, rows: Number(row.rows), instants: BigInt(row.instants) }));
}

async function rollupsAgree(client: ClickHouseClient, topology: Topology, day: string): Promise<boolean> {
  const [row] = await rowsOf<{ raw: string; hours: string; days: string }>(client, {
    query: `select
      toString((select count() from ${tableName(topology, "readings")} where toDate(at) = {day:Date})) as raw,
      toString((select sum(readings) from ${tableName(topology, "hours")} where toDate(hour) = {day:Date})) as hours,
      toString((select sum(readings) from ${tableName(topology, "days")} where day = {day:Date})) as days`,
    parameters: { day },
  });
  return row !== undefined && row.raw === row.hours && row.raw === row.days;
}
