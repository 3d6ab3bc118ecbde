import { sql } from "drizzle-orm";
import { column, type Tx } from "../../platform/database.ts";
import { FLEET_TABLES, fallenSql, instant, LATE_INTERVAL, livenessSql } from "../states/state-sql.ts";
import type { AlertChange } from "./alert.ts";
import { clearAlerts, ids } from "./alerts.store.ts";
import type { GroupChange, Grouping, OpenGroup, Scope, SilentAlert, Situation, Tally } from "./grouping.ts";

/** One worker groups at a time: two would open the same group twice, or fight over its members. */
export async function lockGrouping(tx: Tx): Promise<boolean> {
  const [row] = await tx.execute<{ locked: boolean }>(
    sql`select pg_try_advisory_xact_lock(hashtext('telemetry.grouping')) as locked`,
  );
  return row?.locked === true;
}

/** The areas with a silence that nobody placed yet, those first that wait longest. */
export async function readAreas(tx: Tx, limit: number): Promise<readonly string[]> {
  const rows = await tx.execute<{ area: string }>(sql`
    select area from telemetry.alerts
    where rule = 'silent' and scope = 'device' and state in ('open', 'acknowledged', 'closed') and gathered_at is null and grouped_into is null
    group by area order by min(raised_at), area limit ${limit}`);
  return rows.map(({ area }) => area);
}

/** The groups that are open: of these areas and of the fleet, or all. Their live members are counted. */
export async function readGroups(tx: Tx, areas?: readonly string[]): Promise<readonly OpenGroup[]> {
  const rows = await tx.execute<{
    id: string;
    scope: Scope;
    area: string;
    place: string;
    members: number;
    left: number;
  }>(sql`
    select g.id, g.scope, g.area, g.place, g.members,
      (select count(*)::integer from telemetry.alerts m where m.grouped_into = g.id and m.state <> 'cleared') as left
    from telemetry.alerts g
    where g.rule = 'silent' and g.scope <> 'device' and g.state <> 'cleared'
      and ${areas === undefined ? sql`true` : sql`(g.scope = 'fleet' or g.area = any(${column(areas, "text")}))`} order by g.id for update of g`);
  return rows.map((row) => ({ ...row, id: BigInt(row.id) }));
}

/**
 * Locks all device alerts that grouping is going to write, in one order: looks lock theirs in the same, so that neither waits for
 * the other while it holds what the other wants. Members of the groups that end, and the silences of the areas.
 */
export async function lockMembers(
  tx: Tx,
  { groups, areas }: { groups: readonly bigint[]; areas: readonly string[] },
): Promise<void> {
  if (groups.length === 0 && areas.length === 0) return;
  await tx.execute(sql`
    select from telemetry.alerts where id in (
      select id from telemetry.alerts where grouped_into = any(${ids(groups)}) and state <> 'cleared'
      union all
      select id from telemetry.alerts where ${SILENT_IN} and area = any(${column(areas, "text")}))
    order by device, rule for update`);
}

/** What grouping looks at. */
const SILENT_IN = sql.raw("rule = 'silent' and scope = 'device' and state in ('open', 'acknowledged', 'closed')");

/** Ends groups; what is silent still stands alone, and is told not before each had the time to speak again. */
export async function endGroups(
  tx: Tx,
  { ended, now }: { ended: readonly { id: bigint; by: "rule" | "split" | "absorbed" }[]; now: Date },
): Promise<readonly AlertChange[]> {
  const seen: AlertChange[] = [];
  for (const by of ["rule", "split", "absorbed"] as const) {
    const alerts = ended.filter((one) => one.by === by).map(({ id }) => id);
    if (alerts.length > 0) seen.push(...(await clearAlerts(tx, { alerts, by, now })));
  }
  const split = ended.filter(({ by }) => by !== "rule").map(({ id }) => id);
  if (split.length === 0) return seen;
  const released = await tx.execute<{ id: string; area: string; state: AlertChange["state"] }>(sql`
    update telemetry.alerts a set grouped_into = null, gathered_at = ${instant(now)}, tell_after = ${instant(now)} + ${LATE_INTERVAL}
    from telemetry.alerts m left join telemetry.places p on p.device = m.device left join telemetry.states s on s.device = m.device
      left join telemetry.expectations e on e.model = p.model
    where m.grouped_into = any(${ids(split)}) and m.state <> 'cleared' and a.id = m.id returning a.id, a.area, a.state`);
  return [
    ...seen,
    ...released.map(({ id, area, state }) => ({ id: BigInt(id), rule: "silent" as const, area, state })),
  ];
}

interface TallyRow extends Record<string, unknown> {
  area: string;
  place: string;
  fallen: number;
  alive: number;
}

/** What grouping goes by, for these areas. The fleet's own numbers come from the last round's counts. */
export async function readSituation(
  tx: Tx,
  { areas, now }: { areas: readonly string[]; now: Date },
): Promise<Situation> {
  const [fleet] = await tx.execute<{ fallen: number; alive: number }>(sql`
    select coalesce(sum(fallen), 0)::integer as fallen, coalesce(sum(alive), 0)::integer as alive from telemetry.fleet_counts`);
  const tallies = await tx.execute<TallyRow>(sql`
    select p.area, coalesce(p.place, '') as place, count(*) filter (where ${fallenSql(now)})::integer as fallen,
      count(*) filter (where ${livenessSql(now)} = 'alive')::integer as alive
    from ${FLEET_TABLES} where p.area = any(${column(areas, "text")}) and p.in_service and s.device is not null group by 1, 2`);
  return {
    now,
    fleet: { fallen: fleet?.fallen ?? 0, alive: fleet?.alive ?? 0 },
    areas: new Map(areas.map((area) => [area, byPlace(tallies.filter((row) => row.area === area))])),
    silent: await readSilent(tx, areas),
    groups: await readGroups(tx, areas),
  };
}

function byPlace(rows: readonly TallyRow[]): { tally: Tally; places: ReadonlyMap<string, Tally> } {
  return {
    tally: {
      fallen: rows.reduce((sum, row) => sum + row.fallen, 0),
      alive: rows.reduce((sum, row) => sum + row.alive, 0),
    },
    places: new Map(rows.map(({ place, fallen, alive }) => [place, { fallen, alive }])),
  };
}

interface SilentRow extends Record<string, unknown> {
  id: string;
  area: string;
  place: string;
  raised_at: string;
  grouped_into: string | null;
  is_gathered: boolean;
}

/** Those of `lockMembers`. One that a look has raised since and holds at this moment is placed the next time. */
async function readSilent(tx: Tx, areas: readonly string[]): Promise<readonly SilentAlert[]> {
  const rows = await tx.execute<SilentRow>(sql`
    select a.id, a.area, a.place, a.raised_at, a.grouped_into, a.gathered_at is not null as is_gathered
    from telemetry.alerts a where ${SILENT_IN} and a.area = any(${column(areas, "text")})
    order by a.device for update skip locked`);
  return rows.map((row) => ({
    id: BigInt(row.id),
    area: row.area,
    place: row.place,
    raisedAt: new Date(row.raised_at),
    groupedInto: row.grouped_into === null ? undefined : BigInt(row.grouped_into),
    isGathered: row.is_gathered,
  }));
}

/** Writes what grouping decided. Answers what people see change. */
export async function applyGrouping(
  tx: Tx,
  { grouping, situation, tellGroupsAfter }: { grouping: Grouping; situation: Situation; tellGroupsAfter: Date },
): Promise<readonly AlertChange[]> {
  const { now } = situation;
  const seen: AlertChange[] = [];
  for (const group of grouping.groups) {
    const saved = await saveGroup(tx, { group, situation, tellGroupsAfter });
    if (group.id === undefined) seen.push({ id: saved, rule: "silent", area: group.area, state: "open" });
    await tx.execute(sql`
      update telemetry.alerts set grouped_into = ${saved.toString()}::bigint, gathered_at = ${instant(now)}, tell_after = null
      where id = any(${ids(group.attach)})`);
  }
  const absorbed = grouping.absorbed.map((id) => ({ id, by: "absorbed" as const }));
  if (absorbed.length > 0) seen.push(...(await endGroups(tx, { ended: absorbed, now })));
  if (grouping.gathered.length > 0)
    await tx.execute(
      sql`update telemetry.alerts set gathered_at = ${instant(now)} where id = any(${ids(grouping.gathered)})`,
    );
  return seen;
}

/** How many devices of the group's scope are silent with it, late ones too: what a person should be told. */
function fallenIn({ scope, area, place }: GroupChange, { fleet, areas }: Situation): number {
  switch (scope) {
    case "fleet":
      return fleet.fallen;
    case "area":
      return areas.get(area)?.tally.fallen ?? 0;
    case "place":
      return areas.get(area)?.places.get(place)?.fallen ?? 0;
  }
}

async function saveGroup(
  tx: Tx,
  { group, situation, tellGroupsAfter }: { group: GroupChange; situation: Situation; tellGroupsAfter: Date },
): Promise<bigint> {
  const fallen = Math.max(fallenIn(group, situation), group.attach.length);
  const { now } = situation;
  if (group.id !== undefined) {
    await tx.execute(sql`
      update telemetry.alerts set members = members + ${group.attach.length}, value = greatest(value, ${fallen}::double precision)
      where id = ${group.id.toString()}::bigint`);
    return group.id;
  }
  const [row] = await tx.execute<{ id: string }>(sql`
    insert into telemetry.alerts (rule, scope, area, place, state, since, raised_at, value, members, gathered_at, tell_after)
    values ('silent', ${group.scope}, ${group.area}, ${group.place}, 'open', ${instant(now)}, ${instant(now)}, ${fallen}, ${group.attach.length},
      ${instant(now)}, ${instant(tellGroupsAfter)}) returning id`);
  if (row === undefined) throw new Error("Bug: a group was not written.");
  return BigInt(row.id);
}
