import type postgres from "postgres";

/** Devices made by one statement. */
const STEP = 100_000;
/** Five hundred areas of twenty villages; a village lies within some kilometres, an area within a degree. */
const AREAS = 500;
const VILLAGES = 20;

/**
 * Makes a fleet with places and states as they stand on an ordinary afternoon: most devices alive, a few in every kind of
 * trouble. Hourly and daily reporters, four models, firmware of five versions. What a device has follows from its number, so
 * that two runs compare. Devices' own rows are not made: nothing that is measured here reads them.
 */
export async function growFleet(
  client: postgres.Sql,
  { devices, onProgress }: { devices: number; onProgress: (made: number) => void },
): Promise<void> {
  for (let from = 1; from <= devices; from += STEP) {
    const through = Math.min(from + STEP - 1, devices);
    await client.unsafe(places(from, through));
    await client.unsafe(states(from, through));
    onProgress(through);
  }
  await client.unsafe("vacuum analyze telemetry.places");
  await client.unsafe("vacuum analyze telemetry.states");
}

/** An even number in [0, modulus) that looks drawn, from a device's number. */
const chance = (salt: number, modulus: number): string =>
  `(hashint4extended(n, ${String(salt)}) & 9223372036854775807) % ${String(modulus)}`;

const places = (from: number, through: number): string => `
  insert into telemetry.places (device, serial, model, life, in_service, area, place, latitude, longitude, contract_id, active_until, tokens_issued)
  select n, 'SHS-' || lpad(n::text, 9, '0'), (array['Home 60', 'Home 200', 'Lamp', 'Pump'])[1 + ${chance(1, 4)}],
    case when ${chance(2, 100)} < 95 then 'installed' else 'stock' end, ${chance(2, 100)} < 95,
    'area ' || area, 'village ' || village,
    -4 + (area / 25) * 0.4 + (village / 5) * 0.09 + ${chance(3, 1000)} * 0.00003, 34 + (area % 25) * 0.28 + (village % 5) * 0.05 + ${chance(4, 1000)} * 0.00003,
    gen_random_uuid(), now() + (${chance(5, 60)} - 10) * interval '1 day', (${chance(6, 40)})::integer
  from (select n, (${chance(7, AREAS)})::integer as area, (${chance(8, VILLAGES)})::integer as village from generate_series(${String(from)}, ${String(through)}) n) lots`;

const states = (from: number, through: number): string => `
  insert into telemetry.states (device, first_seen_at, last_seen_at, reading_at, connection, interval_seconds, token_count, tampered, firmware_version, active_until,
    panel_voltage_v, panel_power_w, battery_voltage_v, battery_current_a, battery_charge_percent, battery_temperature_c, load_power_w, energy_in_wh, energy_out_wh, signal_dbm)
  select p.device, now() - interval '200 days', heard, heard, case when ${chance(11, 10)} < 7 then 'online' else 'offline' end, every,
    p.tokens_issued - case when ${chance(12, 100)} < 3 then 1 else 0 end, ${chance(13, 1000)} < 1,
    (array['1.4.0', '1.4.2', '1.5.0', '1.5.1', '2.0.0'])[1 + ${chance(14, 5)}],
    p.active_until + case when ${chance(15, 200)} < 1 then interval '5 days' else interval '0' end,
    18.2, 20 + ${chance(16, 40)}, 12.8, 1.4, 20.5 + ${chance(17, 79)} - case when ${chance(18, 1000)} < 2 then 19 else 0 end, 20 + ${chance(19, 29)}, 6.1,
    400000, 350000, -60 - ${chance(20, 45)}
  from (select p.*, now() - every * interval '1 second' * (${chance(21, 1000)} / 1000.0)
          - case when ${chance(22, 100)} < 2 then (${chance(23, 400)} + 4) * interval '1 hour' else interval '0' end as heard
        from (select p.*, case when ${chance(24, 10)} < 8 then 3600 else 86400 end as every
              from (select *, device as n from telemetry.places where device between ${String(from)} and ${String(through)}) p) p) p`;

export async function tableSizes(client: postgres.Sql): Promise<{ states: number; places: number }> {
  const [row] = await client<{ states: string; places: string }[]>`
    select pg_total_relation_size('telemetry.states') as states, pg_total_relation_size('telemetry.places') as places`;
  return { states: Number(row?.states ?? 0), places: Number(row?.places ?? 0) };
}
