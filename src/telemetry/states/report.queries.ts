import { sql } from "drizzle-orm";
import type { CommandCount } from "../../devices/devices.ts";
import { DAY_MS, MINUTE_MS, type Clock } from "../../kernel/time.ts";
import type { Db } from "../../platform/database.ts";
import type { FrameRefusal } from "../frames/frame.ts";
import { FOREVER_DAYS } from "./days-left.ts";
import type { FleetSummary } from "./fleet-device.ts";
import { readSummary } from "./fleet.store.ts";
import { instant } from "./state-sql.ts";

/** How far the device's days of light and the contract's may differ and still agree: both count whole days, each its own way. */
export const AGREE_DAYS = 1;

/** The figures by which a fleet is measured, as of `at`. */
export interface FleetReport {
  readonly at: Date;
  /** As last counted, see `FleetSummary.countedAt`. */
  readonly summary: FleetSummary;
  /** What became of the commands that were asked in the last `COMMAND_DAYS`. */
  readonly commands: readonly CommandCount[];
  /** Of devices in service that told until when they give light, and whose contract says so too. */
  readonly daysLeft: {
    readonly compared: number;
    readonly agreeing: number;
    /** The device promises more light than was paid for. */
    readonly ahead: number;
    readonly behind: number;
  };
  /** Batteries by what is left of their capacity. */
  readonly batteryShares: readonly BatteryShare[];
  /** Frames that were set aside since `quarantinedSince`, most first. */
  readonly quarantined: readonly { readonly reason: FrameRefusal["reason"]; readonly frames: number }[];
  readonly quarantinedSince: Date;
}

/** `least` up to before `most`, as shares; both undefined: not enough evidence. */
export interface BatteryShare {
  readonly least: number | undefined;
  readonly most: number | undefined;
  readonly batteries: number;
}

export interface FleetReports {
  /** Reads every device once, and is remembered for a minute with all that is in it. `npm run bench:million` measures it. */
  report(): Promise<FleetReport>;
}

const REMEMBERED_MS = MINUTE_MS;
export const COMMAND_DAYS = 30;
const QUARANTINE_DAYS = 7;
/** Under an attack there may be millions; this many say what is going on. */
const QUARANTINE_ROWS_MAX = 500_000;
/** Below four fifths a battery has ended by the rule of its makers (IEC 61427-1 and most warranties). */
const SHARE_BOUNDS = [0, 0.6, 0.7, 0.8, 0.9] as const;

export function makeFleetReports({
  db,
  clock,
  countCommands,
}: {
  db: Db;
  clock: Clock;
  /** What became of commands asked since an instant; told by devices. */
  countCommands: (since: Date) => Promise<readonly CommandCount[]>;
}): FleetReports {
  let remembered: { readonly atMs: number; readonly report: Promise<FleetReport> } | undefined;
  async function readReport(now: Date): Promise<FleetReport> {
    const quarantinedSince = new Date(now.getTime() - QUARANTINE_DAYS * DAY_MS);
    const [daysLeft, batteryShares, quarantined, commands, summary] = await Promise.all([
      readAgreement(db, now),
      readShares(db),
      readQuarantine(db, quarantinedSince),
      countCommands(new Date(now.getTime() - COMMAND_DAYS * DAY_MS)),
      readSummary(db, undefined),
    ]);
    return { at: now, summary, commands, daysLeft, batteryShares, quarantined, quarantinedSince };
  }

  return {
    report() {
      const now = clock.now();
      if (remembered !== undefined && Math.abs(now.getTime() - remembered.atMs) < REMEMBERED_MS)
        return remembered.report;
      const fresh = { atMs: now.getTime(), report: readReport(now) };
      remembered = fresh;
      // A failed one is not remembered: the next asker tries again.
      fresh.report.catch(() => {
        if (remembered === fresh) remembered = undefined;
      });
      return fresh.report;
    },
  };
}

async function readAgreement(db: Db, now: Date): Promise<FleetReport["daysLeft"]> {
  // Instants are clipped and compared as instants: numbers out of them would cost more than reading the rows.
  const clipped = (until: string) => sql.raw(`least(greatest(${until}, given.now), given.forever)`);
  const forever = instant(new Date(now.getTime() + FOREVER_DAYS * DAY_MS));
  const apart = sql.raw(`interval '${String(AGREE_DAYS * 24)} hours'`);
  const [row] = await db.execute<{ compared: number; ahead: number; behind: number }>(sql`
    select count(*)::integer as compared, count(*) filter (where device > contract + ${apart})::integer as ahead,
      count(*) filter (where contract > device + ${apart})::integer as behind
    from (
      select ${clipped("s.active_until")} as device, ${clipped("p.active_until")} as contract
      from (select ${instant(now)} as now, ${forever} as forever) given, telemetry.places p join telemetry.states s on s.device = p.device
      where p.in_service and p.active_until is not null and s.active_until is not null) compared`);
  const { compared, ahead, behind } = row ?? { compared: 0, ahead: 0, behind: 0 };
  return { compared, ahead, behind, agreeing: compared - ahead - behind };
}

async function readShares(db: Db): Promise<readonly BatteryShare[]> {
  const rows = await db.execute<{ band: number | null; batteries: number }>(sql`
    select width_bucket(case when share < 0 then 0 else share end, array[${sql.raw(SHARE_BOUNDS.join(", "))}]::double precision[]) as band, count(*)::integer as batteries
    from telemetry.battery_health group by 1`);
  const counted = new Map(rows.map(({ band, batteries }) => [band, batteries]));
  return [
    ...SHARE_BOUNDS.map((least, at) => ({
      least,
      most: SHARE_BOUNDS[at + 1] ?? undefined,
      batteries: counted.get(at + 1) ?? 0,
    })),
    { least: undefined, most: undefined, batteries: counted.get(null) ?? 0 },
  ];
}

async function readQuarantine(db: Db, since: Date): Promise<FleetReport["quarantined"]> {
  const rows = await db.execute<{ reason: FrameRefusal["reason"]; frames: number }>(sql`
    select reason, count(*)::integer as frames from (
      select reason from telemetry.quarantine where received_at >= ${instant(since)}
      order by received_at desc limit ${QUARANTINE_ROWS_MAX}) recent
    group by 1 order by 2 desc, 1`);
  return [...rows];
}
