import { sql, type SQL } from "drizzle-orm";
import { column, rowsTable, type Db, type Tx } from "../../platform/database.ts";
import { instant } from "../states/state-sql.ts";
import { ids } from "./alerts.store.ts";
import type { Scope } from "./grouping.ts";
import { modelsOf, RULES, settingsFor, type Rule, type RuleBook, type RuleSettings } from "./rules.ts";
import type { AlertMessage, DueAlert, Reader } from "./telling.ts";

export interface AlertReader extends Reader {
  /** Undefined: everywhere. */
  readonly area: string | undefined;
  /** Alerts raised before are not told. */
  readonly since: Date;
}

interface ReaderRow extends Record<string, unknown> {
  actor: string;
  phone: string;
  language: Reader["language"];
  area: string | null;
  zone: string;
  messages_a_day_max: number;
  since: string;
}

const readerOf = (row: ReaderRow): AlertReader => ({
  actor: row.actor,
  phone: row.phone,
  language: row.language,
  area: row.area ?? undefined,
  zone: row.zone,
  messagesADayMax: row.messages_a_day_max,
  since: new Date(row.since),
});

export async function listReaders(db: Db | Tx): Promise<readonly AlertReader[]> {
  const rows = await db.execute<ReaderRow>(
    sql`select actor, phone, language, area, zone, messages_a_day_max, since from telemetry.alert_readers order by actor`,
  );
  return rows.map(readerOf);
}

/** Takes one reader; undefined while another worker writes to them, or when they were removed. */
export async function claimReader(tx: Tx, actor: string): Promise<AlertReader | undefined> {
  const [row] = await tx.execute<ReaderRow>(sql`
    select actor, phone, language, area, zone, messages_a_day_max, since from telemetry.alert_readers
    where actor = ${actor} for update skip locked`);
  return row === undefined ? undefined : readerOf(row);
}

export async function saveReader(
  tx: Tx,
  { reader, changedBy, now }: { reader: Omit<AlertReader, "since">; changedBy: string; now: Date },
): Promise<void> {
  const { actor, phone, language, area, zone, messagesADayMax } = reader;
  await tx.execute(sql`
    insert into telemetry.alert_readers (actor, phone, language, area, zone, messages_a_day_max, changed_by, changed_at, since)
    values (${actor}, ${phone}, ${language}, ${area ?? null}, ${zone}, ${messagesADayMax}, ${changedBy}, ${instant(now)}, ${instant(now)})
    on conflict (actor) do update set phone = excluded.phone, language = excluded.language, area = excluded.area, zone = excluded.zone,
      messages_a_day_max = excluded.messages_a_day_max, changed_by = excluded.changed_by, changed_at = excluded.changed_at`);
}

export async function removeReader(tx: Tx, actor: string): Promise<boolean> {
  return (await tx.execute(sql`delete from telemetry.alert_readers where actor = ${actor} returning 1`)).length > 0;
}

/** More than one digest names; what is beyond it is told by the next message. */
const DUE_MAX = 2_000;

interface DueRow extends Record<string, unknown> {
  id: string;
  rule: Rule;
  scope: Scope | "device";
  serial: string | null;
  model: string | null;
  area: string;
  place: string;
  devices: number;
}

/**
 * What the reader was not told yet, oldest first: open, in their area, its time to wait over, not snoozed. `urgentOnly`: what
 * wakes people. What is not to be told now is left out before the limit: any number of it must not hide what is.
 */
export async function readDue(
  tx: Tx,
  { reader, book, now, urgentOnly }: { reader: AlertReader; book: RuleBook; now: Date; urgentOnly: boolean },
): Promise<readonly DueAlert[]> {
  const rows = await tx.execute<DueRow>(sql`
    select a.id, a.rule, a.scope, p.serial, p.model, a.area, a.place, greatest(a.value, a.members)::integer as devices
    from telemetry.alerts a left join telemetry.places p on p.device = a.device
    where a.state = 'open' and a.grouped_into is null and a.tell_after <= ${instant(now)} and a.raised_at >= ${instant(reader.since)}
      and (a.rule <> 'silent' or a.gathered_at is not null) and (a.snoozed_until is null or a.snoozed_until <= ${instant(now)})
      and ${reader.area === undefined ? sql`true` : sql`(a.area = ${reader.area} or a.scope = 'fleet')`}
      and ${ruledBy(book, ({ told, urgent }) => told && (urgent || !urgentOnly))}
      and not exists (select from telemetry.alert_tellings t where t.alert_id = a.id and t.actor = ${reader.actor})
    order by a.tell_after, a.id limit ${DUE_MAX}`);
  return rows.map(({ model, serial, ...row }) => {
    const { urgent } = settingsFor(book, row.rule, model ?? "");
    return { ...row, id: BigInt(row.id), serial: serial ?? undefined, urgent };
  });
}

/** That an alert's rule, as it stands for the device's model (a group has none), is such. */
function ruledBy(book: RuleBook, isSuch: (settings: RuleSettings) => boolean): SQL {
  const conditions = RULES.flatMap((rule): SQL[] => {
    const own = modelsOf(book, rule);
    const suchOwn = own.filter((model) => isSuch(settingsFor(book, rule, model)));
    const others = own.length === 0 ? sql`true` : sql`coalesce(p.model, '') <> all(${column(own, "text")})`;
    return [
      ...(isSuch(settingsFor(book, rule, "")) ? [sql`(a.rule = ${rule} and ${others})`] : []),
      ...(suchOwn.length === 0 ? [] : [sql`(a.rule = ${rule} and p.model = any(${column(suchOwn, "text")}))`]),
    ];
  });
  return conditions.length === 0 ? sql`false` : sql`(${sql.join(conditions, sql` or `)})`;
}

export async function countSent(tx: Tx, { actor, on }: { actor: string; on: string }): Promise<number> {
  const [row] = await tx.execute<{ sent: number }>(
    sql`select count(*)::integer as sent from telemetry.alert_messages where actor = ${actor} and told_on = ${on}::date`,
  );
  return row?.sent ?? 0;
}

/** Writes down what a reader is told, in the transaction of the messages themselves. */
export async function saveTellings(
  tx: Tx,
  { messages, actor, on, now }: { messages: readonly AlertMessage[]; actor: string; on: string; now: Date },
): Promise<void> {
  const keys = rowsTable(messages, { key: ["text", ({ key }) => key] });
  await tx.execute(sql`
    insert into telemetry.alert_messages (message_key, actor, told_on, told_at)
    select key, ${actor}, ${on}::date, ${instant(now)} from ${keys.table} as g(${keys.names})`);
  const told = messages.flatMap(({ key, alertIds }) => alertIds.map((id) => ({ key, id })));
  const { names, table } = rowsTable(told, { id: ["bigint", ({ id }) => id], key: ["text", ({ key }) => key] });
  await tx.execute(sql`
    insert into telemetry.alert_tellings (alert_id, actor, message_key, told_at)
    select id, ${actor}, key, ${instant(now)} from ${table} as g(${names}) on conflict do nothing`);
}

/** How many of the alerts are known to have been told to somebody; for tests and the alert's page. */
export async function toldTo(db: Db | Tx, alerts: readonly bigint[]): Promise<ReadonlyMap<bigint, readonly string[]>> {
  const rows = await db.execute<{ alert_id: string; actor: string }>(
    sql`select alert_id, actor from telemetry.alert_tellings where alert_id = any(${ids(alerts)}) order by told_at, actor`,
  );
  return new Map(
    [...Map.groupBy(rows, (row) => BigInt(row.alert_id))].map(([id, told]) => [id, told.map(({ actor }) => actor)]),
  );
}
