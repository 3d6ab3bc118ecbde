-- What devices tell: readings by day, the state of each device, events, and frames that were set aside.

create schema telemetry;
grant usage on schema telemetry to washa_app;

-- Readings name a device by a number: four bytes a row instead of sixteen, in the widest table there is.
alter table devices.devices add column number integer generated always as identity;
alter table devices.devices add constraint devices_number unique (number);

-- One moment of one device. Day partitions are made ahead and dropped when history holds them. The key is time first: rows
-- that arrive together lie together, and the same row twice is one row.
create table telemetry.readings (
  at timestamptz not null,                      -- by the device's clock, shifted where that was wrong
  device integer not null,                      -- devices.devices.number
  batch bigint not null,                        -- the transaction that wrote it: what the follower to history goes by
  panel_voltage_v real,
  panel_current_a real,
  panel_power_w real,
  battery_voltage_v real,
  battery_current_a real,                       -- above zero while charging
  battery_charge_percent real,
  battery_temperature_c real,
  load_current_a real,
  load_power_w real,
  ambient_temperature_c real,
  energy_in_wh bigint,                          -- counters
  energy_out_wh bigint,
  signal_dbm real,
  extra jsonb,                                  -- what has no column
  primary key (at, device)
) partition by range (at);
create index readings_by_batch on telemetry.readings using brin (batch) with (pages_per_range = 16);  -- the follower's next range
select platform.open_to_app('telemetry.readings');

-- Makes the partitions of the days from..to where they are missing. The program owns nothing, so it asks this function.
-- It waits for its lock only briefly: behind a long read of the readings every writer would queue up after it.
create function telemetry.ensure_days(first_day date, last_day date) returns integer
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  day date;
  made integer := 0;
begin
  if last_day - first_day > 400 then raise exception 'at most 400 days at once' using errcode = 'WA010'; end if;
  perform pg_advisory_xact_lock(hashtext('telemetry.ensure_days'));
  for day in select generate_series(first_day, last_day, interval '1 day')::date loop
    if to_regclass(format('telemetry.readings_%s', to_char(day, 'YYYYMMDD'))) is null then
      execute format('create table telemetry.readings_%s partition of telemetry.readings for values from (%L) to (%L)',
        to_char(day, 'YYYYMMDD'), to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
grant execute on function telemetry.ensure_days to washa_app;

-- One row a device: what it told last. Written by ingest, in the transaction of the readings.
create table telemetry.states (
  device integer primary key,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,            -- by our clock
  reading_at timestamptz,                       -- of the newest reading, by the device's clock
  connection text not null default 'unknown' check (connection in ('online', 'offline', 'unknown')),
  interval_seconds integer,                     -- how often it means to report
  request_timestamp bigint,                     -- highest signed ones: an older frame is a replay
  request_count bigint,
  clock_shift_seconds integer not null default 0,
  token_count integer,
  tampered boolean,
  firmware_version text,
  active_until timestamptz,                     -- by the device's own counting; infinity: unlocked for good
  latitude double precision,
  longitude double precision,
  panel_voltage_v real,
  panel_current_a real,
  panel_power_w real,
  battery_voltage_v real,
  battery_current_a real,
  battery_charge_percent real,
  battery_temperature_c real,
  load_current_a real,
  load_power_w real,
  ambient_temperature_c real,
  energy_in_wh bigint,
  energy_out_wh bigint,
  signal_dbm real
) with (fillfactor = 60);                        -- updated with every frame: the new version should find room on its page
select platform.open_to_app('telemetry.states');

create table telemetry.events (
  id bigint generated always as identity primary key,
  device integer not null,
  at timestamptz not null,
  kind text not null,
  detail jsonb not null,
  received_at timestamptz not null,
  unique (device, at, kind)                     -- told twice is one event
);
create index events_of_device on telemetry.events (device, id);  -- the last events of one device; of all: the primary key
select platform.append_only('telemetry.events');

-- Frames that could not be understood or trusted, with their bytes (the first 64 KB), for an engineer to read.
create table telemetry.quarantine (
  id bigint generated always as identity primary key,
  serial text,
  topic text not null,
  reason text not null,
  detail text not null,
  source text not null,                         -- the address, or the client's name at the broker
  bytes integer not null,                       -- how many came
  raw bytea not null,
  received_at timestamptz not null
);
create index quarantine_by_time on telemetry.quarantine (received_at desc, id desc);
create index quarantine_by_serial on telemetry.quarantine (serial, id desc);
select platform.open_to_app('telemetry.quarantine');

-- Data formats that devices or their makers registered; the same document has the same number.
create table telemetry.data_formats (
  id integer generated always as identity primary key,
  digest bytea not null unique,
  document jsonb not null,
  registered_at timestamptz not null
);
select platform.append_only('telemetry.data_formats');

-- What one device told in a month: without this index each of its days is read whole. Made when a day is over, since it would cost
-- every row that arrives as much again as its key. Rows of that day that come while it is made wait for it.
create function telemetry.index_day(day date) returns boolean
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  name text := format('readings_%s', to_char(day, 'YYYYMMDD'));
begin
  if to_regclass(format('telemetry.%I', name)) is null or to_regclass(format('telemetry.%I', name || '_by_device')) is not null
  then return false; end if;
  execute format('create index %I on telemetry.%I (device, at)', name || '_by_device', name);
  return true;
end $$;
grant execute on function telemetry.index_day to washa_app;
