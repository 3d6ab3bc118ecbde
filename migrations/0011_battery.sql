-- Battery health: what each battery is, what is known of it as of a week, and how that came to be.

-- The battery that comes with a model of device.
create table telemetry.battery_models (
  model text primary key,                       -- devices.devices.model
  chemistry text not null check (chemistry in ('lead_acid', 'lfp', 'li_ion')),
  rated_ah double precision not null check (rated_ah > 0 and rated_ah < 100000),
  cells smallint not null check (cells between 1 and 400)
);
select platform.open_to_app('telemetry.battery_models');

-- A battery that differs from its model's, or whose first day is known; else a row of nulls, which the reckoning holds while it writes a first week.
create table telemetry.batteries (
  device integer primary key,                   -- devices.devices.number
  chemistry text check (chemistry in ('lead_acid', 'lfp', 'li_ion')),
  rated_ah double precision check (rated_ah > 0 and rated_ah < 100000),
  cells smallint check (cells between 1 and 400),
  new_on date,                                  -- its first day; null: unknown, and what is said of it is vaguer
  check ((chemistry is null) = (rated_ah is null) and (chemistry is null) = (cells is null))
);
select platform.open_to_app('telemetry.batteries');

-- One row a device: what was known at the end of a week. `memory` is what the next week needs; the rest can be shown.
create table telemetry.battery_health (
  device integer primary key,
  week_on date not null,                        -- the Monday of the last week that was read
  memory jsonb not null,
  share double precision,                       -- capacity over the one when new (of unknown age: over the rated one); null: not enough evidence
  share_least double precision,
  share_most double precision,
  lacking text,                                 -- why there is none
  of_new boolean not null,
  weeks_10 smallint,                            -- weeks to the end of life that are not exceeded with 10, 50, 90 percent; null: beyond the horizon
  weeks_50 smallint,
  weeks_90 smallint,
  within_8 double precision,                    -- probabilities; null: no forecast
  within_26 double precision,
  reasons text[] not null,
  sizing text not null,
  evidence jsonb not null,
  check ((share is null) = (lacking is not null))
);
create index battery_health_soon on telemetry.battery_health (within_8 desc, device) where within_8 is not null;  -- whom to visit first
create index battery_health_by_week on telemetry.battery_health (week_on, device);                               -- who is behind
select platform.open_to_app('telemetry.battery_health');

-- The course of it, for a curve on the device's page. Written with the row above, in one transaction.
create table telemetry.battery_weeks (
  device integer not null,
  week_on date not null,
  share double precision,
  share_least double precision,
  share_most double precision,
  resistance_growth double precision,
  cycles double precision not null,             -- equivalent full ones in that week
  primary key (device, week_on)
);
select platform.open_to_app('telemetry.battery_weeks');
