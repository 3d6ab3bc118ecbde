-- The fleet as people see it: where each device stands and what its contract says, counts by range, alerts and whom they are told.
-- telemetry.states is updated with every frame, and an index on a column that changes would end heap-only updates. So it gets
-- none for liveness or battery: what would need one reads by ranges of device numbers. An index on a column that frames repeat
-- with the same value leaves updates heap-only (measured: 100 of 100 updates); these two are for filters that find one in a million.
create index states_tampered on telemetry.states (device) where tampered;
create index states_by_firmware on telemetry.states (firmware_version, device);

-- What the rest of the house knows of a device, kept beside its state so that the fleet screen is one query. A copy: written by
-- the sync alone, wholly renewed by its rounds, and lost without harm.
create table telemetry.places (
  device integer primary key,                   -- devices.devices.number
  serial text not null,
  model text not null,
  life text not null,                           -- the device's state in its life: stock, installed, …
  in_service boolean not null,                  -- with a customer: only then is silence news
  area text,                                    -- of the contract; null: nobody has it
  place text,
  latitude double precision,                    -- told by the device itself, else the customer's
  longitude double precision,
  contract_id uuid,
  active_until timestamptz,                     -- what tokens and contract gave; infinity: unlocked for good
  tokens_issued integer not null,               -- the count of the last token issued
  -- Mercator tile of zoom 12, some ten kilometres wide.
  tile_x integer generated always as (floor((longitude + 180) / 360 * 4096)::integer) stored,
  tile_y integer generated always as (
    floor((1 - ln(tan(radians(least(greatest(latitude, -85), 85))) + 1 / cos(radians(least(greatest(latitude, -85), 85)))) / pi()) / 2 * 4096)::integer
  ) stored
);
create index places_by_area on telemetry.places (area, device);                       -- an agent's list and counts
create index places_by_place on telemetry.places (place, device);                     -- the list of a place, whose name may be rare or mistyped
create index places_by_serial on telemetry.places (serial text_pattern_ops);          -- search by the start of a serial
create index places_by_tile on telemetry.places (tile_x, tile_y) where tile_x is not null;  -- the map, looked at closely
select platform.open_to_app('telemetry.places');

-- The contract that a device had last: the sync asks for paid ones too, which the index of active ones does not hold.
create index contracts_by_device on credit.contracts (device_id, sold_at desc);

create table telemetry.place_sync (
  one boolean primary key default true check (one),
  changed_through timestamptz not null,         -- what was written before it has been taken over
  changed_after integer not null default 0,     -- taking over what was written since goes on behind this number
  changed_started_at timestamptz,               -- when that began; null: none is under way
  full_after integer not null default 0,        -- the round over all devices goes on behind this number
  full_started_at timestamptz not null
);
select platform.open_to_app('telemetry.place_sync');

-- What is expected of a model where the device itself does not say.
create table telemetry.expectations (
  model text primary key,
  interval_seconds integer check (interval_seconds between 60 and 604800),
  firmware_minimum text                         -- an older one is worth an alert
);
select platform.open_to_app('telemetry.expectations');

-- Ranges of device numbers. A worker looks at the one that waits longest, so that no look is long, any number of workers
-- share them, and a worker that dies leaves its range to the next.
create table telemetry.rounds (
  range_start integer primary key,
  looked_at timestamptz not null default '-infinity'  -- how old its counts are
) with (fillfactor = 50);
select platform.open_to_app('telemetry.rounds');

-- What each look counted: the fleet's summary is their sum, and a list with a rare filter skips ranges that hold none.
create table telemetry.fleet_counts (
  range_start integer not null,
  area text not null,                           -- '' for devices without
  devices integer not null,
  in_service integer not null,
  online integer not null,
  never integer not null,                       -- liveness of those in service
  alive integer not null,
  late integer not null,
  silent integer not null,
  lost integer not null,
  fallen integer not null,                      -- late or silent, and speaking not long before: what makes a village silent
  tampered integer not null,
  battery_unknown integer not null,
  battery_empty integer not null,               -- below 10 percent
  battery_low integer not null,                 -- below 30
  battery_good integer not null,
  token_behind integer not null,
  primary key (range_start, area)
);
select platform.open_to_app('telemetry.fleet_counts');

create table telemetry.firmware_counts (
  range_start integer not null,
  model text not null,
  firmware text not null,                       -- '' where the device does not say
  devices integer not null,
  primary key (range_start, model, firmware)
);
select platform.open_to_app('telemetry.firmware_counts');

-- The map from afar: devices by square of 64 screen points, for every second zoom. From near it is read from the places.
create table telemetry.tile_counts (
  zoom smallint not null,                       -- 4, 6, 8, 10, 12
  tile_x integer not null,
  tile_y integer not null,
  area text not null,
  devices integer not null,
  troubled integer not null,                    -- silent or lost
  tampered integer not null,
  latitude double precision not null,           -- their middle
  longitude double precision not null,
  primary key (zoom, tile_x, tile_y, area)
);
select platform.open_to_app('telemetry.tile_counts');
create table telemetry.tile_rounds (
  one boolean primary key default true check (one),
  counted_at timestamptz not null
);
select platform.open_to_app('telemetry.tile_rounds');

-- ── alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────
-- What staff changed about a rule, for all models ('') or for one. What stands nowhere here has the defaults of the program.
create table telemetry.rule_settings (
  rule text not null,
  model text not null default '',
  enabled boolean not null,
  quantity text,                                -- for batteries: percent or volts
  raise_at double precision not null,
  clear_at double precision not null,
  raise_after_seconds integer not null check (raise_after_seconds between 0 and 2592000),
  clear_after_seconds integer not null check (clear_after_seconds between 0 and 2592000),
  urgent boolean not null,                      -- told at night too
  told boolean not null,                        -- by message; the screen shows every alert
  changed_by text not null,
  changed_at timestamptz not null,
  primary key (rule, model)
);
select platform.open_to_app('telemetry.rule_settings');

-- One trouble of one device or one group. It rises (seen, not yet long enough), is open, may be acknowledged or closed by a
-- person, and is cleared by its own rule; until then the same trouble is the same row.
create table telemetry.alerts (
  id bigint generated always as identity primary key,
  rule text not null,
  scope text not null check (scope in ('device', 'place', 'area', 'fleet')),
  device integer,
  area text not null,                           -- '' for the fleet, and for a device that nobody has
  place text not null default '',
  state text not null check (state in ('rising', 'open', 'acknowledged', 'closed', 'cleared')),
  since timestamptz not null,                   -- first seen beyond the threshold
  raised_at timestamptz,
  calm_since timestamptz,                       -- first seen beyond the clear threshold
  cleared_at timestamptz,
  cleared_by text check (cleared_by in ('rule', 'left', 'split', 'absorbed', 'disabled')),
  value double precision not null,              -- as last written; of a group: how many devices are silent
  members integer not null default 0,           -- of a group: how many were ever attached
  grouped_into bigint references telemetry.alerts (id) on delete set null,
  gathered_at timestamptz,                      -- since when it is known to belong to no group
  tell_after timestamptz,                       -- no message before
  snoozed_until timestamptz,
  decided_by text,                              -- who acknowledged, snoozed or closed it, when, and why
  decided_at timestamptz,
  reason text,
  check ((scope = 'device') = (device is not null)),
  check ((state = 'cleared') = (cleared_at is not null)),
  check ((state = 'rising') = (raised_at is null) or state = 'cleared')
) with (fillfactor = 80);
create unique index alerts_live on telemetry.alerts (device, rule) where scope = 'device' and state <> 'cleared';           -- one trouble, one row
create unique index alerts_live_groups on telemetry.alerts (rule, scope, area, place) where scope <> 'device' and state <> 'cleared';
create index alerts_shown on telemetry.alerts (id) where state in ('open', 'acknowledged') and grouped_into is null;        -- the list of staff
create index alerts_shown_in_area on telemetry.alerts (area, id) where state in ('open', 'acknowledged') and grouped_into is null;  -- the list of agents
create index alerts_of_area on telemetry.alerts (area, id) where state <> 'rising';                                         -- all that agents may see, old ones too
create index alerts_members on telemetry.alerts (grouped_into, id) where grouped_into is not null;                          -- who belongs to a group
create index alerts_to_gather on telemetry.alerts (area) where rule = 'silent' and scope = 'device' and state in ('open', 'acknowledged', 'closed') and gathered_at is null and grouped_into is null;
create index alerts_to_tell on telemetry.alerts (tell_after) where state = 'open' and grouped_into is null and tell_after is not null;
create index alerts_of_device on telemetry.alerts (device, id desc) where device is not null;                               -- the page of a device
create index alerts_forgotten on telemetry.alerts (cleared_at) where state = 'cleared';                                     -- the sweep
select platform.open_to_app('telemetry.alerts');

-- Whom alerts are told by message.
create table telemetry.alert_readers (
  actor text primary key,                       -- staff:<id>
  phone text not null check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  language text not null check (language in ('en', 'fr', 'sw')),
  area text,                                    -- null: everywhere
  zone text not null,                           -- whose night is quiet
  messages_a_day_max integer not null check (messages_a_day_max between 1 and 100),
  changed_by text not null,
  changed_at timestamptz not null,
  since timestamptz not null                    -- alerts raised before are not told
);
select platform.open_to_app('telemetry.alert_readers');

-- What each reader was told, in the transaction of the message.
create table telemetry.alert_tellings (
  alert_id bigint not null references telemetry.alerts (id) on delete cascade,
  actor text not null,
  message_key text not null,
  told_at timestamptz not null,
  primary key (alert_id, actor)
);
select platform.open_to_app('telemetry.alert_tellings');
create table telemetry.alert_messages (
  message_key text primary key,
  actor text not null,
  told_on date not null,                        -- the reader's own day
  told_at timestamptz not null
);
create index alert_messages_by_day on telemetry.alert_messages (actor, told_on);  -- how many were sent today
select platform.open_to_app('telemetry.alert_messages');
