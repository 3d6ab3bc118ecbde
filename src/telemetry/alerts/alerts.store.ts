import { sql, type SQL } from "drizzle-orm";
import { column, rowsTable, type ColumnSpec, type Db, type Tx } from "../../platform/database.ts";
import { instant, RANGE_DEVICES } from "../states/state-sql.ts";
import type { Alert, AlertChange, AlertFilter, AlertState, ClearedBy } from "./alert.ts";
import type { Scope } from "./grouping.ts";
import type { Standing } from "./hysteresis.ts";
import type { Change, LiveAlert } from "./look.ts";
import { isRule, type Rule } from "./rules.ts";

export const ids = (list: readonly bigint[]): SQL => column(list, "bigint");

interface LiveRow extends Record<string, unknown> {
  id: string;
  device: number;
  rule: string;
  state: AlertState;
  since: string;
  calm_since: string | null;
  value: number;
}

/** The alerts of a range's devices that are not cleared. Locked: a person who decides about one at this moment waits, or is waited for. */
export async function readLive(tx: Tx, rangeStart: number): Promise<readonly LiveAlert[]> {
  const rows = await tx.execute<LiveRow>(sql`
    select id, device, rule, state, since, calm_since, value from telemetry.alerts
    where scope = 'device' and state <> 'cleared' and device >= ${rangeStart} and device < ${rangeStart + RANGE_DEVICES}
    order by device, rule for update`);
  return rows.flatMap((row) =>
    isRule(row.rule)
      ? [{ id: BigInt(row.id), device: row.device, rule: row.rule, value: row.value, standing: standingOf(row) }]
      : [],
  );
}

function standingOf({ state, since, calm_since: calmSince }: LiveRow): Standing {
  return state === "rising"
    ? { kind: "rising", since: new Date(since) }
    : {
        kind: "raised",
        since: new Date(since),
        calmSince: calmSince === null ? undefined : new Date(calmSince),
      };
}

type ChangeOf<Kind extends Change["kind"]> = Extract<Change, { kind: Kind }>;

export type PlacedChange =
  Exclude<Change, { kind: "rise" }> | (ChangeOf<"rise"> & { readonly area: string; readonly place: string });

interface ChangedRow extends Record<string, unknown> {
  id: string;
  rule: Rule;
  area: string;
  state: AlertState;
}

const CHANGED = sql.raw("returning id, rule, area, state");
const changeOf = ({ id, rule, area, state }: ChangedRow): AlertChange => ({ id: BigInt(id), rule, area, state });

/**
 * Writes what looks decided: one statement a kind, however many. An alert that somebody else made meanwhile stays as it is.
 * `tellAfterOf` says when an alert of a rule may be told first. Answers what people see change.
 */
export async function applyChanges(
  tx: Tx,
  { changes, now, tellAfterOf }: { changes: readonly PlacedChange[]; now: Date; tellAfterOf: (rule: Rule) => Date },
): Promise<readonly AlertChange[]> {
  const of = <Kind extends Change["kind"]>(kind: Kind) =>
    changes.filter((change): change is Extract<PlacedChange, { kind: Kind }> => change.kind === kind);
  const seen: AlertChange[] = [];
  const rises = of("rise");
  if (rises.length > 0) seen.push(...(await insertRises(tx, { rises, now, tellAfterOf })));
  const raises = of("raise");
  if (raises.length > 0) {
    const { names, table } = rowsTable(raises, {
      id: ["bigint", ({ id }) => id],
      value: ["double precision", ({ value }) => value],
      tell_after: ["timestamptz", ({ rule }) => tellAfterOf(rule)],
    });
    const rows = await tx.execute<ChangedRow>(sql`
      update telemetry.alerts a set state = 'open', raised_at = ${instant(now)}, value = g.value, tell_after = g.tell_after
      from ${table} as g(${names}) where a.id = g.id and a.state = 'rising' returning a.id, a.rule, a.area, a.state`);
    seen.push(...rows.map(changeOf));
  }
  const forgotten = of("forget").map(({ id }) => id);
  if (forgotten.length > 0)
    await tx.execute(sql`delete from telemetry.alerts where id = any(${ids(forgotten)}) and state = 'rising'`);
  const calms = of("calm");
  if (calms.length > 0) {
    const { names, table } = rowsTable(calms, {
      id: ["bigint", ({ id }) => id],
      calm: ["timestamptz", ({ calmSince }) => calmSince],
    });
    await tx.execute(sql`
      update telemetry.alerts a set calm_since = g.calm from ${table} as g(${names}) where a.id = g.id and a.state <> 'cleared'`);
  }
  for (const by of new Set(of("clear").map((change) => change.by)))
    seen.push(
      ...(await clearAlerts(tx, {
        alerts: of("clear")
          .filter((one) => one.by === by)
          .map(({ id }) => id),
        by,
        now,
      })),
    );
  return seen;
}

type PlacedRise = Extract<PlacedChange, { kind: "rise" }>;

async function insertRises(
  tx: Tx,
  { rises, now, tellAfterOf }: { rises: readonly PlacedRise[]; now: Date; tellAfterOf: (rule: Rule) => Date },
): Promise<readonly AlertChange[]> {
  const columns: Readonly<Record<string, ColumnSpec<PlacedRise>>> = {
    rule: ["text", ({ rule }) => rule],
    device: ["integer", ({ device }) => device],
    area: ["text", ({ area }) => area],
    place: ["text", ({ place }) => place],
    value: ["double precision", ({ value }) => value],
    raised: ["boolean", ({ raised }) => raised],
    tell_after: ["timestamptz", ({ rule, raised }) => (raised ? tellAfterOf(rule) : undefined)],
  };
  const { names, table } = rowsTable(rises, columns);
  const rows = await tx.execute<ChangedRow>(sql`
    insert into telemetry.alerts (rule, scope, device, area, place, state, since, raised_at, value, tell_after)
    select rule, 'device', device, area, place, case when raised then 'open' else 'rising' end, ${instant(now)},
      case when raised then ${instant(now)} end, value, tell_after
    from ${table} as g(${names})
    on conflict (device, rule) where scope = 'device' and state <> 'cleared' do nothing ${CHANGED}`);
  return rows.map(changeOf).filter(({ state }) => state === "open");
}

/** Clears alerts and answers those that were shown. What was only rising cannot be among them. */
export async function clearAlerts(
  tx: Tx,
  { alerts, by, now }: { alerts: readonly bigint[]; by: ClearedBy; now: Date },
): Promise<readonly AlertChange[]> {
  const rows = await tx.execute<ChangedRow>(sql`
    update telemetry.alerts set state = 'cleared', cleared_at = ${instant(now)}, cleared_by = ${by}, tell_after = null
    where id = any(${ids(alerts)}) and state <> 'cleared' ${CHANGED}`);
  return rows.map(changeOf);
}

interface AlertRow extends Record<string, unknown> {
  id: string;
  rule: Rule;
  scope: Scope | "device";
  device: number | null;
  serial: string | null;
  area: string;
  place: string;
  state: AlertState;
  since: string;
  raised_at: string | null;
  cleared_at: string | null;
  cleared_by: ClearedBy | null;
  value: number;
  members: number;
  grouped_into: string | null;
  snoozed_until: string | null;
  decided_by: string | null;
  decided_at: string | null;
  reason: string | null;
}

const COLUMNS = sql.raw(
  "a.id, a.rule, a.scope, a.device, p.serial, a.area, a.place, a.state, a.since, a.raised_at, a.cleared_at, a.cleared_by, a.value, a.members, a.grouped_into, a.snoozed_until, a.decided_by, a.decided_at, a.reason",
);
const TABLES = sql.raw("telemetry.alerts a left join telemetry.places p on p.device = a.device");

const dateOf = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));

function alertOf(row: AlertRow): Alert {
  return {
    id: BigInt(row.id),
    rule: row.rule,
    scope: row.scope,
    device: row.device ?? undefined,
    serial: row.serial ?? undefined,
    area: row.area,
    place: row.place,
    state: row.state,
    since: new Date(row.since),
    raisedAt: dateOf(row.raised_at),
    clearedAt: dateOf(row.cleared_at),
    clearedBy: row.cleared_by ?? undefined,
    value: row.value,
    members: row.members,
    groupedInto: row.grouped_into === null ? undefined : BigInt(row.grouped_into),
    snoozedUntil: dateOf(row.snoozed_until),
    decidedBy: row.decided_by ?? undefined,
    decidedAt: dateOf(row.decided_at),
    reason: row.reason ?? undefined,
  };
}

/** Newest first, those before `before`. Shown: open or acknowledged, belonging to no group, not snoozed at `now`. */
export async function listAlerts(
  db: Db | Tx,
  { filter, before, limit, now }: { filter: AlertFilter; before: bigint | undefined; limit: number; now: Date },
): Promise<readonly Alert[]> {
  const { area, rule, device, includes = "shown" } = filter;
  const conditions = [
    includes === "all"
      ? sql`a.state <> 'rising'`
      : sql`a.state in ('open', 'acknowledged') and a.grouped_into is null and (a.snoozed_until is null or a.snoozed_until <= ${instant(now)})`,
    area === undefined ? undefined : sql`a.area = ${area}`,
    rule === undefined ? undefined : sql`a.rule = ${rule}`,
    device === undefined ? undefined : sql`a.device = ${device}`,
    before === undefined ? undefined : sql`a.id < ${before.toString()}::bigint`,
  ].filter((condition) => condition !== undefined);
  const rows = await db.execute<AlertRow>(
    sql`select ${COLUMNS} from ${TABLES} where ${sql.join(conditions, sql` and `)} order by a.id desc limit ${limit}`,
  );
  return rows.map(alertOf);
}

export async function findAlerts(db: Db | Tx, wanted: readonly bigint[]): Promise<readonly Alert[]> {
  const rows = await db.execute<AlertRow>(sql`select ${COLUMNS} from ${TABLES} where a.id = any(${ids(wanted)})`);
  return rows.map(alertOf);
}

/** The alerts that a group holds, live and cleared, newest first. */
export async function listMembers(
  db: Db | Tx,
  { group, before, limit }: { group: bigint; before: bigint | undefined; limit: number },
): Promise<readonly Alert[]> {
  const rows = await db.execute<AlertRow>(sql`
    select ${COLUMNS} from ${TABLES} where a.grouped_into = ${group.toString()}::bigint
      and ${before === undefined ? sql`true` : sql`a.id < ${before.toString()}::bigint`} order by a.id desc limit ${limit}`);
  return rows.map(alertOf);
}

/** Locks one alert for a person's decision. */
export async function lockAlert(tx: Tx, id: bigint): Promise<Alert | undefined> {
  const [locked] = await tx.execute(sql`select from telemetry.alerts where id = ${id.toString()}::bigint for update`);
  return locked === undefined ? undefined : (await findAlerts(tx, [id]))[0];
}

export async function saveDecision(
  tx: Tx,
  decision: { id: bigint; state: AlertState; snoozedUntil: Date | undefined; by: string; at: Date; reason: string },
): Promise<void> {
  const { id, state, snoozedUntil, by, at, reason } = decision;
  await tx.execute(sql`
    update telemetry.alerts set state = ${state}, snoozed_until = ${snoozedUntil?.toISOString() ?? null}::timestamptz,
      decided_by = ${by}, decided_at = ${instant(at)}, reason = ${reason}
    where id = ${id.toString()}::bigint`);
}

/** The channel that subscribers listen on. */
export const ALERT_CHANNEL = "washa_alerts";
/** A notification holds less than 8,000 bytes, and an alert, whose area may have 80 letters of four bytes, up to 380. */
const NOTIFIED_AT_ONCE_MAX = 20;
/** When a country falls silent, nobody reads ten thousand lines: subscribers are told to read the list again. */
const NOTIFIED_MAX = 1_000;

/** Tells subscribers in the transaction of the change, so that they hear of nothing that did not happen. */
export async function notifyChanges(tx: Tx, changes: readonly AlertChange[]): Promise<void> {
  if (changes.length === 0) return;
  const payloads: string[] = [];
  if (changes.length > NOTIFIED_MAX) payloads.push("");
  else
    for (let at = 0; at < changes.length; at += NOTIFIED_AT_ONCE_MAX)
      payloads.push(
        JSON.stringify(
          changes
            .slice(at, at + NOTIFIED_AT_ONCE_MAX)
            .map(({ id, rule, area, state }) => [id.toString(), rule, state, area.slice(0, 80)]),
        ),
      );
  await tx.execute(
    sql`select pg_notify(${ALERT_CHANNEL}, payload) from unnest(${column(payloads, "text")}) as told(payload)`,
  );
}

/** Forgets what was cleared before the instant, oldest first. */
export async function sweepCleared(
  tx: Tx,
  { clearedBefore, limit }: { clearedBefore: Date; limit: number },
): Promise<number> {
  const swept = await tx.execute(sql`
    delete from telemetry.alerts where id in (
      select id from telemetry.alerts where state = 'cleared' and cleared_at < ${instant(clearedBefore)} order by cleared_at limit ${limit}) returning 1`);
  return swept.length;
}
