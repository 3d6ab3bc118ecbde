import { sql, type SQL } from "drizzle-orm";
import { rowsTable, type Tx } from "../../platform/database.ts";
import type { BatterySpec, Chemistry } from "./chemistry-facts.ts";
import type { Knowledge } from "./knowledge.ts";
import type { BatteryVerdict } from "./verdict.ts";
import type { Sample } from "./samples.ts";

/** A battery whose next week is due. */
export interface DueBattery {
  readonly device: number;
  /** The Monday of the week to read, as "2026-11-16". */
  readonly weekOn: string;
  readonly spec: BatterySpec;
  readonly bornNew: boolean;
  /** The first day of its life, as "2026-11-16"; undefined: nobody said. */
  readonly newOn: string | undefined;
  /** Undefined: this is the first week that is read of it. */
  readonly known: Knowledge | undefined;
}

/** What is written of one battery and week. */
export interface ReckonedWeek {
  /** As it was found due: what it was then decides whether this is still its week. */
  readonly due: DueBattery;
  readonly knowledge: Knowledge;
  readonly cycles: number;
  readonly verdict: BatteryVerdict;
}

/** Workers take turns: false while another one reckons. Held until the transaction ends, and let go when its process dies. */
export async function takeTurn(tx: Tx): Promise<boolean> {
  const [row] = await tx.execute<{ mine: boolean }>(
    sql`select pg_try_advisory_xact_lock(hashtext('telemetry.battery')) as mine`,
  );
  return row?.mine === true;
}

/**
 * Batteries whose next week ended by `lastWeekOn`, all with the same week, the oldest one first. A battery that was never read
 * begins with the week in which its device was first seen, at most `weeksBackMax` weeks ago.
 */
export async function findDue(
  tx: Tx,
  { lastWeekOn, weeksBackMax, limit }: { lastWeekOn: string; weeksBackMax: number; limit: number },
): Promise<readonly DueBattery[]> {
  const rows = await tx.execute<{
    device: number;
    week_on: string;
    chemistry: Chemistry;
    rated_ah: number;
    cells: number;
    born_new: boolean;
    new_on: string | null;
    memory: Knowledge | null;
  }>(sql`
    with due as (
      select state.device,
        coalesce(health.week_on + 7, greatest(
          date_trunc('week', state.first_seen_at at time zone 'UTC')::date,
          -- The Monday on or after its first day: what that week told before is another battery's, or nobody's.
          date_trunc('week', own.new_on + 6)::date,
          ${lastWeekOn}::date - 7 * ${weeksBackMax}::integer)) as week_on,
        coalesce(own.chemistry, model.chemistry) as chemistry,
        coalesce(own.rated_ah, model.rated_ah) as rated_ah,
        coalesce(own.cells, model.cells) as cells,
        own.new_on, health.of_new, health.memory
      from telemetry.states state
      left join telemetry.places place on place.device = state.device
      left join telemetry.battery_models model on model.model = place.model
      left join telemetry.batteries own on own.device = state.device
      left join telemetry.battery_health health on health.device = state.device
      where coalesce(own.chemistry, model.chemistry) is not null
        and (health.week_on is null or health.week_on < ${lastWeekOn}::date)
    )
    select device, week_on::text, chemistry, rated_ah, cells, new_on::text, memory,
      -- Seen from its youth: the first week read lies within a month of its first day. Once begun, it stays what it was.
      coalesce(of_new, week_on < new_on + 31, false) as born_new
    from due
    where week_on = (select min(week_on) from due) and week_on <= ${lastWeekOn}::date
    order by device
    limit ${limit}`);
  return rows.map((row) => ({
    device: row.device,
    weekOn: row.week_on,
    spec: { chemistry: row.chemistry, ratedAh: row.rated_ah, cells: row.cells },
    bornNew: row.born_new,
    newOn: row.new_on ?? undefined,
    known: row.memory ?? undefined,
  }));
}

/**
 * The samples of devices from a week's Monday (UTC) to the next, in no order. Bridges tell each quantity in a row of its own, some
 * milliseconds apart, so what a device told within a minute is one sample: the last of each quantity, at the last moment.
 *
 * Where a device tells no battery current, what the panel gives and the load does not take stands in for it. The panel's current
 * is meant as it comes to the battery: its power over the battery's voltage, since a tracking charger turns volts into amperes;
 * its own current only where no power is told. A missing current of the load is its power over the voltage.
 */
export async function readSamples(
  tx: Tx,
  { devices, weekOn }: { devices: readonly number[]; weekOn: string },
): Promise<ReadonlyMap<number, readonly Sample[]>> {
  const { table } = rowsTable(devices, { device: ["integer", (device) => device] });
  const rows = await tx.execute<{
    device: number;
    at_ms: number;
    volts: number;
    amperes: number | null;
    temperature_c: number | null;
    panel_a: number | null;
    load_a: number | null;
  }>(sql`
    select device, (extract(epoch from at) * 1000)::double precision as at_ms, battery_voltage_v as volts,
      coalesce(battery_current_a, panel_a - load_a) as amperes, battery_temperature_c as temperature_c, panel_a, load_a
    from (
      select minute.*,
        coalesce(panel_power_w / nullif(battery_voltage_v, 0), panel_current_a) as panel_a,
        coalesce(load_current_a, load_power_w / nullif(battery_voltage_v, 0)) as load_a
      from (
        select device, max(at) as at, ${lastTold()}
        from telemetry.readings
        where at >= ${`${weekOn} 00:00:00+00`}::timestamptz and at < ${`${weekOn} 00:00:00+00`}::timestamptz + interval '7 days'
          and device in (select device from ${table} as wanted (device))
        group by device, date_bin('1 minute', at, ${`${weekOn} 00:00:00+00`}::timestamptz)
      ) minute
    ) told
    where battery_voltage_v is not null and coalesce(battery_current_a, panel_a - load_a) is not null`);
  const samples = new Map<number, Sample[]>(devices.map((device) => [device, []]));
  for (const row of rows)
    samples.get(row.device)?.push({
      atMs: row.at_ms,
      volts: row.volts,
      amperes: row.amperes ?? Number.NaN,
      temperatureC: row.temperature_c ?? Number.NaN,
      panelA: row.panel_a ?? Number.NaN,
      loadA: row.load_a ?? Number.NaN,
    });
  return samples;
}

/** The last value told of each quantity, whichever row it came in. */
function lastTold(): SQL {
  const columns = [
    "battery_voltage_v",
    "battery_current_a",
    "battery_temperature_c",
    "panel_current_a",
    "panel_power_w",
    "load_current_a",
    "load_power_w",
  ].map((name) => `(array_agg(${name} order by at desc) filter (where ${name} is not null))[1] as ${name}`);
  return sql.raw(columns.join(", "));
}

/**
 * Of batteries that are read for the first time, those that are still the ones they were when they were found due: another one may
 * have been put in meanwhile. Their rows stay as they are until the transaction ends, so that a battery that is put in later finds
 * what was written of its predecessor, and forgets it.
 */
export async function holdFirst(tx: Tx, due: readonly DueBattery[]): Promise<ReadonlySet<number>> {
  const { table } = rowsTable(due, { device: ["integer", ({ device }) => device] });
  // A row that is not there cannot be held.
  await tx.execute(sql`
    insert into telemetry.batteries (device) select device from ${table} as given (device) order by device
    on conflict (device) do nothing`);
  const held = await tx.execute<{ device: number; new_on: string | null }>(sql`
    select device, new_on::text from telemetry.batteries
    where device in (select device from ${table} as given (device)) order by device for share`);
  const newOn = new Map(held.map((row) => [row.device, row.new_on ?? undefined]));
  return new Set(due.filter((battery) => newOn.get(battery.device) === battery.newOn).map(({ device }) => device));
}

/**
 * Writes a batch of weeks: of a battery that was known, only while what was known of it is still that of the week before; of one that
 * is read for the first time, only while nothing is. So a week that was written before, by a run that died after its commit, stays
 * as it is, and a battery that was replaced since it was read does not get its predecessor's memory back.
 */
export async function writeWeeks(tx: Tx, weeks: readonly ReckonedWeek[]): Promise<void> {
  const verdict =
    <Value>(pick: (verdict: BatteryVerdict) => Value) =>
    (week: ReckonedWeek) =>
      pick(week.verdict);
  const { names, table } = rowsTable(weeks, {
    device: ["integer", ({ due }) => due.device],
    week_on: ["text", ({ due }) => due.weekOn],
    is_first: ["boolean", ({ due }) => due.known === undefined],
    memory: ["jsonb", ({ knowledge }) => knowledge],
    share: ["double precision", verdict(({ health }) => health?.share)],
    share_least: ["double precision", verdict(({ health }) => health?.least)],
    share_most: ["double precision", verdict(({ health }) => health?.most)],
    lacking: ["text", verdict(({ lacking }) => lacking)],
    of_new: ["boolean", verdict(({ ofNew }) => ofNew)],
    weeks_10: ["integer", verdict(({ forecast }) => forecast?.weeks10)],
    weeks_50: ["integer", verdict(({ forecast }) => forecast?.weeks50)],
    weeks_90: ["integer", verdict(({ forecast }) => forecast?.weeks90)],
    within_8: ["double precision", verdict(({ forecast }) => forecast?.within8Weeks)],
    within_26: ["double precision", verdict(({ forecast }) => forecast?.within26Weeks)],
    reasons: ["jsonb", verdict(({ reasons }) => reasons)],
    sizing: ["text", verdict(({ sizing }) => sizing)],
    evidence: ["jsonb", verdict(({ evidence }) => evidence)],
    resistance_growth: ["double precision", verdict(({ evidence }) => evidence.resistanceGrowth)],
    cycles: ["double precision", ({ cycles }) => cycles],
  });
  await tx.execute(sql`
    with given as (select * from ${table} as given (${names})),
    first as (
      insert into telemetry.battery_health
        (device, week_on, memory, share, share_least, share_most, lacking, of_new, weeks_10, weeks_50, weeks_90, within_8, within_26,
         reasons, sizing, evidence)
      select device, week_on::date, memory, share, share_least, share_most, lacking, of_new, weeks_10, weeks_50, weeks_90,
        within_8, within_26, array(select jsonb_array_elements_text(reasons)), sizing, evidence
      from given where is_first
      on conflict (device) do nothing
      returning device
    ),
    further as (
      update telemetry.battery_health kept set
        week_on = given.week_on::date, memory = given.memory, share = given.share, share_least = given.share_least,
        share_most = given.share_most, lacking = given.lacking, of_new = given.of_new, weeks_10 = given.weeks_10,
        weeks_50 = given.weeks_50, weeks_90 = given.weeks_90, within_8 = given.within_8, within_26 = given.within_26,
        reasons = array(select jsonb_array_elements_text(given.reasons)), sizing = given.sizing, evidence = given.evidence
      from given
      where not given.is_first and kept.device = given.device and kept.week_on = given.week_on::date - 7
      returning kept.device
    )
    insert into telemetry.battery_weeks (device, week_on, share, share_least, share_most, resistance_growth, cycles)
    select device, week_on::date, share, share_least, share_most, resistance_growth, cycles
    from given where device in (select device from first union all select device from further)
    on conflict (device, week_on) do nothing`);
}

/** Says what battery a model has; the latest word counts. */
export async function writeModel(tx: Tx, model: string, spec: BatterySpec): Promise<void> {
  await tx.execute(sql`
    insert into telemetry.battery_models (model, chemistry, rated_ah, cells)
    values (${model}, ${spec.chemistry}, ${spec.ratedAh}, ${spec.cells})
    on conflict (model) do update set chemistry = excluded.chemistry, rated_ah = excluded.rated_ah, cells = excluded.cells`);
}

/** Says what is particular of a device's battery; of the same battery, what is undefined stays as it was. */
export async function writeBattery(
  tx: Tx,
  {
    device,
    spec,
    newOn,
    replaced,
  }: { device: number; spec: BatterySpec | undefined; newOn: string | undefined; replaced: boolean },
): Promise<void> {
  const keepsSpec = !replaced && spec === undefined;
  const specOf = (column: "chemistry" | "rated_ah" | "cells") =>
    sql.raw(keepsSpec ? `kept.${column}` : `excluded.${column}`);
  await tx.execute(sql`
    insert into telemetry.batteries as kept (device, chemistry, rated_ah, cells, new_on)
    values (${device}, ${spec?.chemistry ?? null}, ${spec?.ratedAh ?? null}, ${spec?.cells ?? null}, ${newOn ?? null}::date)
    on conflict (device) do update set chemistry = ${specOf("chemistry")}, rated_ah = ${specOf("rated_ah")},
      cells = ${specOf("cells")}, new_on = coalesce(excluded.new_on, kept.new_on)`);
}

/** Says when a battery's life began, where nobody said so before; answers whether it did. */
export async function writeFirstDay(tx: Tx, { device, newOn }: { device: number; newOn: string }): Promise<boolean> {
  const begun = await tx.execute<{ device: number }>(sql`
    insert into telemetry.batteries as kept (device, new_on) values (${device}, ${newOn}::date)
    on conflict (device) do update set new_on = excluded.new_on where kept.new_on is null
    returning device`);
  return begun.length > 0;
}

/** Writes the batteries of imported devices: a model that has none gets its most usual one, what differs from it stands alone. */
export async function writeImported(
  tx: Tx,
  batteries: readonly { readonly device: number; readonly model: string; readonly spec: BatterySpec }[],
): Promise<void> {
  const { names, table } = rowsTable(batteries, {
    device: ["integer", ({ device }) => device],
    model: ["text", ({ model }) => model],
    chemistry: ["text", ({ spec }) => spec.chemistry],
    rated_ah: ["double precision", ({ spec }) => spec.ratedAh],
    cells: ["smallint", ({ spec }) => spec.cells],
  });
  await tx.execute(sql`
    insert into telemetry.battery_models (model, chemistry, rated_ah, cells)
    select distinct on (model) model, chemistry, rated_ah, cells from ${table} as given (${names})
    group by model, chemistry, rated_ah, cells order by model, count(*) desc, chemistry, rated_ah, cells
    on conflict (model) do nothing`);
  await tx.execute(sql`
    insert into telemetry.batteries as kept (device, chemistry, rated_ah, cells)
    select given.device, given.chemistry, given.rated_ah, given.cells
    from ${table} as given (${names}) join telemetry.battery_models usual on usual.model = given.model
    where (given.chemistry, given.rated_ah, given.cells) is distinct from (usual.chemistry, usual.rated_ah, usual.cells)
    on conflict (device) do update set chemistry = excluded.chemistry, rated_ah = excluded.rated_ah, cells = excluded.cells
    where kept.chemistry is null`);
}

/** Forgets what was learned of a device's battery; of its course, what was told before the day stays. */
export async function forget(tx: Tx, { device, from }: { device: number; from: string }): Promise<void> {
  await tx.execute(sql`delete from telemetry.battery_health where device = ${device}`);
  await tx.execute(sql`delete from telemetry.battery_weeks where device = ${device} and week_on + 7 > ${from}::date`);
}
