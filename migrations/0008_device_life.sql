-- Devices under command: where each one is and has been, who may speak for it, and what it is told to do.

-- ── where a device is ─────────────────────────────────────────────────────────────────────────────────────────────
-- swapped: taken out of a home and not looked at yet.
alter table devices.devices drop constraint devices_state_check;
alter table devices.devices
  add constraint devices_state_check check (state in ('stock', 'installed', 'swapped', 'repair', 'retired')),
  add column area text,                         -- of the home, the shop or the workshop; what an agent may see is decided by it
  add column place text,
  add column latitude double precision check (latitude between -90 and 90),
  add column longitude double precision check (longitude between -180 and 180),
  add column installed_at timestamptz;          -- tokens from before belong to another home
create index devices_by_place on devices.devices (area, state, id);                -- bulk acts and lists of an area
create index devices_by_start on devices.devices (serial text_pattern_ops);        -- search and bulk acts by the start of a serial

-- Every change of state or place, with who decided it and why.
create table devices.movements (
  id bigint generated always as identity primary key,
  device_id uuid not null references devices.devices (id),
  from_state text not null,
  to_state text not null,
  area text,                                    -- where it is since
  place text,
  latitude double precision,
  longitude double precision,
  reason text not null,
  actor text not null,
  contract_id uuid,                             -- of the sale or the swap
  bulk_id uuid,                                 -- of the bulk act
  at timestamptz not null
);
create index movements_by_device on devices.movements (device_id, id desc);        -- a device's history
create index movements_by_bulk on devices.movements (bulk_id) where bulk_id is not null;
select platform.append_only('devices.movements');

-- ── who may speak for a device ────────────────────────────────────────────────────────────────────────────────────
-- Password and claim code follow from our key, the serial and the generation, so no secret stands here. Raising the generation
-- ends both at once.
create table devices.credentials (
  device_id uuid primary key references devices.devices (id),
  serial text not null unique,
  generation integer not null check (generation >= 1),
  state text not null check (state in ('open', 'claimed', 'revoked')),
  attempts smallint not null default 0,         -- wrong codes since the code was issued
  request_digest bytea,                         -- of the claimer's own word: the same claim asked again, its answer having been lost
  signed_at timestamptz,                        -- newest instant signed by the device's own key in a claim: an older one is a replay
  issued_at timestamptz not null,
  expires_at timestamptz not null,              -- of the claim code
  claimed_at timestamptz,
  revoked_at timestamptz,
  seen_at timestamptz,                          -- last known at a gateway: what decides whether a token is sent by air
  check ((state = 'claimed') = (claimed_at is not null))
) with (fillfactor = 80);
create index credentials_at_brokers on devices.credentials (serial collate "C") where state = 'claimed';  -- accounts of a broker outside, page by page
select platform.open_to_app('devices.credentials');

-- What was done to a device's credentials, by whom; attempts with a wrong code too.
create table devices.credential_events (
  id bigint generated always as identity primary key,
  device_id uuid not null references devices.devices (id),
  kind text not null check (kind in ('issued', 'claimed', 'claim_refused', 'rotated', 'revoked', 'provisioned')),
  generation integer not null,
  actor text not null,
  detail text not null,
  at timestamptz not null
);
create index credential_events_by_device on devices.credential_events (device_id, id desc);
select platform.append_only('devices.credential_events');

-- ── what a device is told to do ───────────────────────────────────────────────────────────────────────────────────
create table devices.commands (
  id uuid primary key,
  device_id uuid not null references devices.devices (id),
  device integer not null,                      -- devices.devices.number: how telemetry names it
  serial text not null,                         -- how a gateway names it
  kind text not null check (kind in ('set_days', 'lock', 'unlock', 'deliver_tokens', 'fetch_data', 'set_interval', 'offer_firmware')),
  state text not null check (state in ('queued', 'sent', 'delivered', 'done', 'refused', 'failed', 'expired', 'cancelled')),
  body jsonb not null,                          -- what the device is told, without id and times
  token_count integer,                          -- of the last token in it: the device confirms it by its own count too
  slot text,                                    -- of these, a device has one open at a time
  cause text,                                   -- the receipt whose tokens it carries
  reason text not null,
  actor text not null,
  bulk_id uuid,
  attempts smallint not null default 0,
  attempts_max smallint not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  next_attempt_at timestamptz not null,         -- queued: not before; sent: end of the lease; delivered: sent again without an answer
  fallback_at timestamptz,                      -- when the customer is written the tokens, unless they are confirmed
  state_at timestamptz not null,
  detail text
) with (fillfactor = 70);
create unique index commands_one_open on devices.commands (device_id, slot) where slot is not null and state in ('queued', 'sent', 'delivered');
create unique index commands_by_cause on devices.commands (cause, device_id) where cause is not null;
create index commands_open_by_serial on devices.commands (serial) where state in ('queued', 'sent', 'delivered');  -- a gateway's claim
create index commands_open_by_device on devices.commands (device) where state in ('queued', 'sent', 'delivered');  -- confirmation by count
create index commands_ending on devices.commands (expires_at) where state in ('queued', 'sent', 'delivered');      -- the sweep
create index commands_exhausted on devices.commands (next_attempt_at) where state in ('queued', 'sent', 'delivered') and attempts >= attempts_max;
create index commands_fallback on devices.commands (fallback_at) where fallback_at is not null;                    -- the SMS that follows
create index commands_of_device on devices.commands (device_id, id desc);                                          -- a device's page
create index commands_of_light on devices.commands (device_id, token_count) where slot = 'light';                    -- tokens that are not given out any more
create index commands_by_bulk on devices.commands (bulk_id) where bulk_id is not null;
select platform.open_to_app('devices.commands');

-- Each change of a command's state after it was queued.
create table devices.command_changes (
  id bigint generated always as identity primary key,
  command_id uuid not null references devices.commands (id),
  state text not null,
  attempts smallint not null,
  detail text,
  actor text not null,                          -- a person, the device, or the part of the program that gave up
  at timestamptz not null
);
create index command_changes_by_command on devices.command_changes (command_id, id);
select platform.append_only('devices.command_changes');
