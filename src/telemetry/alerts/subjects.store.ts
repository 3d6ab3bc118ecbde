import { sql, type SQL } from "drizzle-orm";
import { SECOND_MS } from "../../kernel/time.ts";
import { column, type Tx } from "../../platform/database.ts";
import { untilOf } from "../states/fleet.store.ts";
import {
  fleetTablesWithin,
  inRange,
  instant,
  INTERVAL_SECONDS,
  RANGE_DEVICES,
  silentTimesSql,
} from "../states/state-sql.ts";
import { FOREVER_DAYS } from "../states/days-left.ts";
import { FULL_PERCENT, isOlder, PANEL_HOURS, type MeasureContext, type Subject } from "./measures.ts";
import { DEFINITIONS, modelsOf, RULES, settingsFor, type Rule, type RuleBook, type RuleSettings } from "./rules.ts";

/** A device with what belongs to an alert of it. */
export interface Looked extends Subject {
  readonly area: string;
  readonly place: string;
  readonly inService: boolean;
}

interface Row extends Record<string, unknown> {
  device: number;
  model: string;
  area: string;
  place: string;
  in_service: boolean;
  last_seen_at: string;
  reading_at: string | null;
  interval: number;
  tampered: boolean | null;
  battery_charge_percent: number | null;
  battery_voltage_v: number | null;
  battery_temperature_c: number | null;
  panel_power_w: number | null;
  panel_voltage_v: number | null;
  panel_current_a: number | null;
  signal_dbm: number | null;
  longitude: number | null;
  device_until: string | null;
  contract_until: string | null;
  token_count: number | null;
  tokens_issued: number;
  firmware_version: string | null;
  clock_shift_seconds: number;
}

/**
 * The devices of a range that some rule might raise, and those with a live alert (`live`). The conditions let more through
 * than the rules raise, never less: the decision is `decideStanding`'s alone, and a test holds the two against each other.
 * A healthy fleet gives few rows, whatever its size.
 */
export async function readSubjects(
  tx: Tx,
  {
    rangeStart,
    live,
    book,
    context,
  }: { rangeStart: number; live: readonly number[]; book: RuleBook; context: MeasureContext },
): Promise<readonly Looked[]> {
  const oldFirmware = await readOldFirmware(tx, { rangeStart, context });
  const suspicions = RULES.flatMap((rule) => suspicionOf(rule, { book, context, oldFirmware }));
  const [from, below] = [sql`${rangeStart}::integer`, sql`${rangeStart + RANGE_DEVICES}::integer`];
  const rows = await tx.execute<Row>(sql`
    select p.device, p.model, coalesce(p.area, '') as area, coalesce(p.place, '') as place, p.in_service, s.last_seen_at, s.reading_at,
      ${INTERVAL_SECONDS} as interval, s.tampered, s.battery_charge_percent, s.battery_voltage_v, s.battery_temperature_c, s.panel_power_w,
      s.panel_voltage_v, s.panel_current_a, s.signal_dbm, p.longitude, s.active_until as device_until, p.active_until as contract_until,
      s.token_count, p.tokens_issued, s.firmware_version, s.clock_shift_seconds
    from ${fleetTablesWithin(from, below)}
    where ${inRange(from, below)} and s.device is not null
      and ((p.in_service and (${sql.join(suspicions.length === 0 ? [sql`false`] : suspicions, sql` or `)})) or p.device = any(${column(live, "integer")}))`);
  return rows.map(lookedOf);
}

const known = <Value>(value: Value | null): Value | undefined => value ?? undefined;

function lookedOf(row: Row): Looked {
  return {
    device: row.device,
    model: row.model,
    area: row.area,
    place: row.place,
    inService: row.in_service,
    lastSeenAt: new Date(row.last_seen_at),
    readingAt: row.reading_at === null ? undefined : new Date(row.reading_at),
    intervalMs: row.interval * SECOND_MS,
    tampered: known(row.tampered),
    chargePercent: known(row.battery_charge_percent),
    batteryVoltageV: known(row.battery_voltage_v),
    batteryTemperatureC: known(row.battery_temperature_c),
    panelPowerW: known(row.panel_power_w),
    panelVoltageV: known(row.panel_voltage_v),
    panelCurrentA: known(row.panel_current_a),
    signalDbm: known(row.signal_dbm),
    longitude: known(row.longitude),
    activeUntil: untilOf(row.device_until),
    contractActiveUntil: untilOf(row.contract_until),
    tokenCount: known(row.token_count),
    tokensIssued: row.tokens_issued,
    firmwareVersion: known(row.firmware_version),
    clockShiftSeconds: row.clock_shift_seconds,
  };
}

interface OldFirmware {
  readonly model: string;
  readonly version: string;
}

/** The versions of this range that are older than their model's minimum; none is read where no model has one. */
async function readOldFirmware(
  tx: Tx,
  { rangeStart, context }: { rangeStart: number; context: MeasureContext },
): Promise<readonly OldFirmware[]> {
  if (context.firmwareMinimum.size === 0) return [];
  const rows = await tx.execute<{ model: string; version: string }>(sql`
    select distinct p.model, s.firmware_version as version from telemetry.places p join telemetry.states s on s.device = p.device
    where p.device >= ${rangeStart} and p.device < ${rangeStart + RANGE_DEVICES} and s.device >= ${rangeStart} and s.device < ${rangeStart + RANGE_DEVICES} and s.firmware_version is not null
      and p.model = any(${column([...context.firmwareMinimum.keys()], "text")})`);
  return rows.filter(({ model, version }) => isOlder(version, context.firmwareMinimum.get(model) ?? ""));
}

interface Suspecting {
  readonly book: RuleBook;
  readonly context: MeasureContext;
  readonly oldFirmware: readonly OldFirmware[];
}

/** What the rule might raise: by the settings of all models, and by each model's own. */
function suspicionOf(rule: Rule, suspecting: Suspecting): readonly SQL[] {
  const own = modelsOf(suspecting.book, rule);
  const general = settingsFor(suspecting.book, rule, "");
  const others = own.length === 0 ? sql`true` : sql`p.model <> all(${column(own, "text")})`;
  return [
    ...(general.enabled ? [sql`(${others} and ${beyond(rule, general, suspecting)})`] : []),
    ...own.flatMap((model) => {
      const settings = settingsFor(suspecting.book, rule, model);
      return settings.enabled ? [sql`(p.model = ${model} and ${beyond(rule, settings, suspecting)})`] : [];
    }),
  ];
}

/**
 * Beyond the threshold, for values that are columns of type real. The threshold is rounded to a real as the values were: then
 * whatever the program finds beyond it, reading the value's decimals, is beyond it here too.
 */
function past(rule: Rule, name: string, threshold: number): SQL {
  const comparison = DEFINITIONS[rule].direction === "above" ? ">=" : "<=";
  return sql`${sql.raw(name)} ${sql.raw(comparison)} ${threshold}::real`;
}

/** For values that are computed: the program's sums end in other last digits than the database's. */
const SLACK = 1e-5;

function beyond(rule: Rule, settings: RuleSettings, { context, oldFirmware }: Suspecting): SQL {
  const { raiseAt } = settings;
  switch (rule) {
    case "silent":
      return silentTimesSql(context.now, raiseAt);
    case "tampered":
      return sql`s.tampered`;
    case "battery_low":
    case "battery_deep":
      return past(rule, settings.quantity === "volts" ? "s.battery_voltage_v" : "s.battery_charge_percent", raiseAt);
    case "battery_hot":
      return past(rule, "s.battery_temperature_c", raiseAt);
    case "panel_dead":
      return deadPanel(raiseAt, context);
    case "signal_weak":
      return past(rule, "s.signal_dbm", raiseAt);
    case "days_differ": {
      const [now, forever] = [
        instant(context.now),
        sql`${instant(context.now)} + ${FOREVER_DAYS} * interval '24 hours'`,
      ];
      const clipped = (name: string): SQL => sql`least(greatest(${sql.raw(name)}, ${now}), ${forever})`;
      return sql`coalesce(s.token_count, p.tokens_issued) >= p.tokens_issued and s.active_until is not null and p.active_until is not null
        and abs(extract(epoch from ${clipped("s.active_until")} - ${clipped("p.active_until")})::double precision) / 86400 >= ${raiseAt - SLACK}::double precision`;
    }
    case "token_lag":
      return sql`p.tokens_issued - s.token_count >= ${raiseAt}::double precision`;
    case "firmware_old": {
      const models = column(
        oldFirmware.map(({ model }) => model),
        "text",
      );
      const versions = column(
        oldFirmware.map(({ version }) => version),
        "text",
      );
      return sql`(p.model, s.firmware_version) in (select * from unnest(${models}, ${versions}))`;
    }
    case "clock_wrong":
      return sql`abs(s.clock_shift_seconds) >= ${raiseAt}::double precision`;
  }
}

/** At night every panel of the fleet is dark: only readings from the middle of a device's own day are looked at. */
function deadPanel(raiseAt: number, { zoneOffsetHours }: MeasureContext): SQL {
  const power = sql.raw(
    "coalesce(s.panel_power_w::double precision, greatest(0, s.panel_voltage_v::double precision * s.panel_current_a))",
  );
  const hours = sql`(extract(epoch from s.reading_at)::double precision / 3600 + coalesce(p.longitude, ${zoneOffsetHours * 15}::double precision) / 15)`;
  const hour = sql`(${hours} - 24 * floor(${hours} / 24))`;
  return sql`s.battery_charge_percent < ${FULL_PERCENT}::double precision and ${power} <= ${raiseAt + SLACK}::double precision
    and ${hour} >= ${PANEL_HOURS.from}::double precision and ${hour} < ${PANEL_HOURS.to}::double precision`;
}
