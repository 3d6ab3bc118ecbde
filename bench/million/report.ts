import type postgres from "postgres";
import { countCommands } from "../../src/devices/devices.ts";
import { DAY_MS, type Clock } from "../../src/kernel/time.ts";
import type { Database } from "../../src/platform/database.ts";
import { makeFleetReports } from "../../src/telemetry/states/report.queries.ts";
import type { QueryFigures } from "./screen.ts";

/** What stands in a report besides states and places: of each device a battery and so many commands of its last sixty days. */
export const COMMANDS_A_DEVICE = 4;
/** Of five devices, one sent something in the last fortnight that was set aside. */
const DEVICES_A_QUARANTINED_FRAME = 5;
const REPORT_DAYS = 30;

/**
 * Fills what the fleet's report reads. The memory of a battery is left empty: its three kilobytes stand beside the row (TOAST),
 * and the report does not read them. Commands have no device's row behind them, so the rule that they must is taken off this database.
 */
export async function fillReport(client: postgres.Sql, devices: number): Promise<void> {
  await client.unsafe(`
    insert into telemetry.battery_health (device, week_on, memory, share, share_least, share_most, lacking, of_new, weeks_50, within_8, within_26, reasons, sizing, evidence)
    select n, current_date - 9, '{}', share, share - 0.04, share + 0.04, case when share is null then 'too_unsure' end, true, 120, 0.03, 0.1, '{worn}', 'fits',
      '{"weeks": 60, "discharges": 340, "equivalentCycles": 212.5, "deepDischarges": 12, "heatFactor": 1.31, "resistanceOhm": 0.0421, "resistanceGrowth": 1.12, "fullsPerWeek": 5.5, "hoursToFull": 5.25, "useAhPerDay": 6.75, "impossibleReadings": 0}'
    from (select n, case when n % 3 = 0 then null else 0.5 + (hashint4(n) & 1023) / 2048.0 end as share from generate_series(1, ${String(devices)}) n) lots`);
  await client.unsafe(`
    insert into telemetry.quarantine (serial, topic, reason, detail, source, bytes, raw, received_at)
    select 'SHS-' || n, 'paygo/v1/SHS-' || n || '/data', (array['too_old', 'bad_json', 'replayed'])[1 + n % 3], 'What was wrong with it, in a sentence.', '192.0.2.1', 200,
      decode(repeat('7b', 200), 'hex'), now() - (hashint4(n) & 1023) / 1024.0 * interval '14 days'
    from generate_series(1, ${String(Math.ceil(devices / DEVICES_A_QUARANTINED_FRAME))}) n`);
  await client.unsafe("alter table devices.commands drop constraint commands_device_id_fkey");
  // Ids as the program makes them: they begin with their milliseconds, and are written in that order.
  await client.unsafe(`
      insert into devices.commands (id, device_id, device, serial, kind, state, body, token_count, slot, reason, actor, attempts, attempts_max, created_at, expires_at, next_attempt_at, state_at)
      select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 19))::uuid, gen_random_uuid(), 1 + n % ${String(devices)}, 'SHS-' || n,
        case when n % 8 = 0 then 'fetch_data' else 'deliver_tokens' end, (array['done', 'done', 'done', 'expired'])[1 + n % 4], '{"kind": "deliver_tokens", "tokens": ["123456789"]}', 3,
        null, 'Tokens that were issued', 'system:commands', 1, 8, at, at + interval '2 days', at, at
      from (select n, now() - interval '60 days' * (1 - n / ${String(COMMANDS_A_DEVICE * devices)}.0) as at from generate_series(1, ${String(COMMANDS_A_DEVICE * devices)}) n) lots`);
  for (const table of ["telemetry.battery_health", "telemetry.quarantine", "devices.commands"])
    await client.unsafe(`vacuum analyze ${table}`);
}

/** The parts of the fleet's report as GraphQL asks them, nothing remembered between two askings. */
export async function measureReport(
  database: Database,
  { clock, repeats }: { clock: Clock; repeats: number },
): Promise<readonly QueryFigures[]> {
  const { db } = database;
  const since = new Date(clock.now().getTime() - REPORT_DAYS * DAY_MS);
  const parts: Readonly<Record<string, () => Promise<number>>> = {
    "agreement of days, batteries, frames set aside": async () =>
      (await makeFleetReports({ db, clock, countCommands: () => Promise.resolve([]) }).report()).daysLeft.compared,
    "success of commands": async () =>
      (await countCommands(db, since)).reduce((total, { commands }) => total + commands, 0),
    "the whole report": async () => {
      const reports = makeFleetReports({ db, clock, countCommands: (asked) => countCommands(db, asked) });
      return (await reports.report()).daysLeft.compared;
    },
  };
  const figures: QueryFigures[] = [];
  for (const [name, ask] of Object.entries(parts)) {
    const rows = await ask();
    const millis: number[] = [];
    for (let turn = 0; turn < repeats; turn++) {
      const startedAt = performance.now();
      await ask();
      millis.push(performance.now() - startedAt);
    }
    millis.sort((left, right) => left - right);
    const at = (share: number): number => millis[Math.min(millis.length - 1, Math.floor(millis.length * share))] ?? 0;
    figures.push({ name, p50Ms: at(0.5), p95Ms: at(0.95), rows });
  }
  return figures;
}
